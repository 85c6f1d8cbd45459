// One call of a module. A unit is an outermost call with all calls inside it. Updates of running
// statistics wait until the unit returns. If a call throws, its updates and those of the calls
// inside it are dropped.
//
// A hook that runs during a backward() inside a forward is not part of that forward's unit. The
// depth of walks, which core counts, tells the two apart.
#include <cairn/core/autograd.h>
#include <cairn/core/record.h>
#include <cairn/nn/external.h>
#include <cairn/nn/internal/call.h>
#include <cairn/nn/internal/module_state.h>

#include <algorithm>
#include <unordered_set>

namespace cairn::nn {
namespace {

// What a thread keeps about its calls.
struct Calls {
  detail::CallScope* unit = nullptr;         // the outermost call of the present unit
  const Module* innermost = nullptr;         // the module whose call the thread is in
  std::vector<Update> pending;               // of all units of this thread, in their order
  std::vector<const void*> external_leaves;  // slots of parameters of external modules

  bool in_unit() const { return unit != nullptr && unit->is_present(); }
};

Calls& calls() {
  thread_local Calls of_this_thread;
  return of_this_thread;
}

}  // namespace

void make_room_for_update() {
  Calls& c = calls();
  if (!c.in_unit() || c.pending.size() < c.pending.capacity()) return;
  c.pending.reserve(std::max<std::size_t>(16, 2 * c.pending.size()));
}

void submit(Update update) noexcept {
  Calls& c = calls();
  // There is room, unless a guard from outside this call ends inside it. It then acts at once.
  if (!c.in_unit() || c.pending.size() == c.pending.capacity()) return update.apply();
  c.pending.push_back(std::move(update));
}

void drain_into(Pool& pool) noexcept {
  Calls& c = calls();
  if (!c.in_unit()) return;
  std::erase_if(c.pending, [&](const Update& u) {
    if (u.pool.get() != &pool) return false;
    u.apply();
    return true;
  });
}

SeparateUnits::SeparateUnits() : unit_(std::exchange(calls().unit, nullptr)) {}
SeparateUnits::~SeparateUnits() { calls().unit = unit_; }

// A module without state needs no registration, unless it has read is_training().
void Module::check_registered_below(const Module& root) const {
  State& s = state();
  const void* const known = root.state_.get();
  if (s.registered_below.load(std::memory_order_relaxed) == known) return;
  const bool has_state = !s.parameters.empty() || !s.buffers.empty() || !s.children.empty();
  if (!has_state && !s.reads_training.load(std::memory_order_relaxed)) return;
  bool is_below = false;
  for (const detail::Name* n = s.name.get(); n != nullptr && !is_below; n = n->owner.get()) {
    is_below = n == root.state().name.get();
  }
  if (!is_below) {  // it may have been registered elsewhere first
    const auto modules = root.named_modules();
    is_below = std::any_of(modules.begin(), modules.end(),
                           [this](const auto& item) { return &item.second == this; });
  }
  check(is_below,
        "{}: its forward called a {} that is not registered in it, so that train(), state_dict() "
        "and parameters() do not reach it; make it a member with child(\"name\", ...), or call it "
        "as nn::external(module)(x) if it is meant to stay apart",
        root.kind(), kind());
  s.registered_below.store(known, std::memory_order_relaxed);
}

// Throws Error if a gradient of y reaches a leaf that is neither registered nor behind an input.
void Module::check_leaves(const Tensor& y, std::span<const Tensor* const> inputs) const {
  std::unordered_set<const void*> known(calls().external_leaves.begin(),
                                        calls().external_leaves.end());
  for (const auto& [name, p] : named_parameters()) known.insert(p.impl().slot.get());
  for (const detail::Edge& leaf : detail::leaves_between(y, inputs)) {
    check(known.contains(leaf.leaf.get()),
          "{}: its forward used a trainable tensor {} that is not registered; make it a member "
          "with parameter(\"name\", ...), or its module with child(\"name\", ...)",
          kind(), leaf.shape);
  }
}

}  // namespace cairn::nn

namespace cairn::detail {

CallScope::CallScope(const nn::Module& module) : root_(&module) {
  module.state();  // throws if it was moved from
  nn::Calls& c = nn::calls();
  is_outermost_ = !c.in_unit();
  if (!is_outermost_) module.check_registered_below(*c.unit->root_);
  module_ = &module;
  walks_ = is_outermost_ ? walk_depth() : c.unit->walks_;
  first_update_ = static_cast<std::ptrdiff_t>(c.pending.size());
  first_leaf_ = c.external_leaves.size();
  unit_before_ = c.unit;
  if (is_outermost_) c.unit = this;
  module_before_ = std::exchange(c.innermost, &module);
}

CallScope::~CallScope() {
  nn::Calls& c = nn::calls();
  c.unit = unit_before_;
  c.innermost = module_before_;
  if (!finished_) c.pending.erase(c.pending.begin() + first_update_, c.pending.end());
  if (is_outermost_) c.external_leaves.resize(first_leaf_);
}

std::string CallScope::innermost_path() {
  const nn::Module* const module = nn::calls().innermost;
  return module == nullptr ? "" : module->path();
}

bool CallScope::is_present() const { return walks_ == walk_depth(); }

// One check is enough, so later calls of the module do without.
bool CallScope::checks_leaves() const {
  return is_outermost_ && is_grad_enabled() &&
         !module_->state().checked.load(std::memory_order_relaxed);
}

void CallScope::check_leaves(const Tensor& y, std::span<const Tensor* const> inputs) const {
  if (!checks_leaves() || !y.defined() || !y.requires_grad()) return;
  module_->check_leaves(y, inputs);
  module_->state().checked = true;
}

void CallScope::finish() {
  nn::Calls& c = nn::calls();
  if (!is_outermost_) {
    module_->check_registered_below(*c.unit->root_);  // it may have read is_training()
  } else {
    for (auto u = c.pending.begin() + first_update_; u != c.pending.end(); ++u) u->apply();
    c.pending.erase(c.pending.begin() + first_update_, c.pending.end());
  }
  finished_ = true;
}

ExternalScope::ExternalScope(const nn::Module& module) {
  nn::Calls& c = nn::calls();
  if (!c.in_unit()) return;
  if (c.unit->checks_leaves()) {
    for (const auto& [name, p] : module.named_parameters()) {
      c.external_leaves.push_back(p.impl().slot.get());
    }
  }
  unit_ = c.unit;
  root_before_ = std::exchange(c.unit->root_, &module);
}

ExternalScope::~ExternalScope() {
  if (unit_ != nullptr) unit_->root_ = root_before_;
}

}  // namespace cairn::detail
