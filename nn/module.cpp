// The registry behind every module. What changes several slots collects them first, so that the
// changes themselves cannot fail.
#include <cairn/core/record.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/nn/module.h>

#include <fmt/format.h>

#include <cxxabi.h>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <typeinfo>
#include <unordered_set>

namespace cairn::nn {

using detail::join;

struct Module::State {
  std::string slot;  // the name under which the parent knows this module
  std::vector<std::pair<std::string, std::unique_ptr<Parameter>>> parameters;
  std::vector<std::pair<std::string, std::unique_ptr<Buffer>>> buffers;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children;
  bool training = true;
  std::atomic<bool> checked{false};  // that all it uses is registered

  void check_name(const char* what, std::string_view name) const {
    check(!name.empty() && name.find('.') == name.npos, "{}: the name '{}' is empty or has a dot",
          what, name);
    const auto is_taken = [name](const auto& slots) {
      return std::any_of(slots.begin(), slots.end(), [&](auto& s) { return s.first == name; });
    };
    check(!is_taken(parameters) && !is_taken(buffers) && !is_taken(children),
          "{}: the name '{}' is taken in this module", what, name);
  }
};

Module::Module()
    : state_(detail::no_bad_alloc("module", [] { return std::make_unique<State>(); })) {}
Module::Module(Module&& other) noexcept : state_(std::move(other.state_)) {}
Module::~Module() = default;

Module::State& Module::state() const {
  if (state_ == nullptr) throw Error(kind() + ": it was moved from");
  return *state_;
}

const std::string& Module::slot() const { return state().slot; }

// ---- calling ----

namespace {

thread_local int depth = 0;  // of modules calling modules

struct Inside {
  Inside() { ++depth; }
  ~Inside() { --depth; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

}  // namespace

Tensor Module::operator()(const Tensor& x) {
  return call([&] {
    State& s = state();
    const bool outermost = depth == 0;
    Tensor y = [&] {
      const Inside inside;
      return forward(x);
    }();
    if (outermost && is_grad_enabled() && !s.checked.load(std::memory_order_relaxed) &&
        y.defined() && y.requires_grad()) {
      try {
        check_registered(y, x);
        s.checked = true;
      } catch (const std::bad_alloc&) {
        // The forward has happened. The next call checks.
      }
    }
    return y;
  });
}

Tensor Module::forward(const Tensor&) {
  check(false, "{}: it has no forward(x); call it with its own arguments", kind());
  return {};
}

void Module::check_registered(const Tensor& y, const Tensor& x) const {
  std::unordered_set<const void*> known;
  walk("", [&known](const std::string&, Module& module) {
    for (const auto& [name, p] : module.state().parameters) {
      if (p->defined()) known.insert(p->impl().slot.get());
    }
  });
  for (const detail::Edge& leaf : detail::leaves_between(y, x)) {
    if (known.contains(leaf.leaf.get())) continue;
    check(
        false,
        "{}: its forward used a trainable tensor {} that is not registered; make it a member with "
        "parameter(\"name\", ...), or its module with child(\"name\", ...)",
        kind(), leaf.shape);
  }
}

// ---- registering ----

Parameter& Module::parameter(std::string_view name, Tensor value) {
  return detail::no_bad_alloc("parameter", [&]() -> Parameter& {
    state().check_name("parameter", name);
    std::string key(name), own(name);
    auto& slots = state().parameters;
    slots.reserve(slots.size() + 1);
    auto slot = std::make_unique<Parameter>(std::move(value));  // from here on nothing can fail
    if (slot->defined()) slot->impl().slot->name = std::move(own);
    state().checked = false;
    return *slots.emplace_back(std::move(key), std::move(slot)).second;
  });
}

Buffer& Module::buffer(std::string_view name, Tensor value, Buffer::Check check) {
  return detail::no_bad_alloc("buffer", [&]() -> Buffer& {
    state().check_name("buffer", name);
    auto slot = std::make_unique<Buffer>(std::string(name), std::move(value), check);
    return *state().buffers.emplace_back(name, std::move(slot)).second;
  });
}

void Module::check_child(std::string_view name, const Module& module) const {
  state().check_name("child", name);
  for (const auto& [path, m] : module.named_modules()) {
    check(&m != this, "child: '{}' is a module that holds this one; none is part of itself", name);
  }
}

Module::Place Module::prepare(std::string_view name, const Module& module) {
  check_child(name, module);
  Place place{std::string(name), std::string(name), {}};
  // Messages name a parameter and a buffer by its path.
  for (const auto& [path, m] : module.named_modules()) {
    const std::string prefix = path.empty() ? place.key : join(place.key, path);
    for (const auto& [own, p] : m.state().parameters) {
      if (p->defined()) place.names.emplace_back(&p->impl().slot->name, join(prefix, own));
    }
    m.each_buffer([&](const std::string& own, Buffer& b) {
      place.names.emplace_back(&b.name_, join(prefix, own));
    });
  }
  state().children.reserve(state().children.size() + 1);
  return place;
}

void Module::add_child(Place& place, std::shared_ptr<Module> module) noexcept {
  for (auto& [where, name] : place.names) where->swap(name);
  module->state().slot.swap(place.slot);
  state().checked = false;
  state().children.emplace_back(std::move(place.key), std::move(module));
}

void Module::share(std::string_view name, Module& module) {
  detail::no_bad_alloc("child", [&] {
    check_child(name, module);
    std::shared_ptr<Module> owner = module.weak_from_this().lock();
    check(owner != nullptr,
          "child: '{}' is a module that is registered nowhere; move it in: child(\"{}\", "
          "std::move(module))",
          name, name);
    state().checked = false;
    state().children.emplace_back(name, std::move(owner));
  });
}

// ---- looking through ----

// visit(path, module) for this module and all below it, parents first; shared ones at each name.
template <class F>
void Module::walk(const std::string& prefix, F visit) const {
  visit(prefix, const_cast<Module&>(*this));
  for (const auto& [name, module] : state().children) module->walk(join(prefix, name), visit);
}

// Its buffers, then those of its records.
template <class F>
void Module::each_buffer(F visit) const {
  for (const auto& [name, b] : state().buffers) visit(name, *b);
  for (const auto& [name, b] : record_buffers()) visit(name, *b);
}

std::vector<std::pair<std::string, Module&>> Module::named_children() const {
  return detail::no_bad_alloc("named_children", [&] {
    std::vector<std::pair<std::string, Module&>> children;
    for (const auto& [name, module] : state().children) children.emplace_back(name, *module);
    return children;
  });
}

std::vector<std::pair<std::string, Module&>> Module::named_modules() const {
  return detail::no_bad_alloc("named_modules", [&] {
    std::vector<std::pair<std::string, Module&>> modules;
    std::unordered_set<const Module*> seen;
    walk("", [&](const std::string& path, Module& module) {
      if (seen.insert(&module).second) modules.emplace_back(path, module);
    });
    return modules;
  });
}

std::vector<std::pair<std::string, Parameter&>> Module::named_parameters() const {
  return detail::no_bad_alloc("named_parameters", [&] {
    std::vector<std::pair<std::string, Parameter&>> parameters;
    std::unordered_set<const void*> seen;
    for (auto& [path, module] : named_modules()) {
      for (const auto& [name, p] : module.state().parameters) {
        if (p->defined() && seen.insert(&p->impl()).second) {
          parameters.emplace_back(join(path, name), *p);
        }
      }
    }
    return parameters;
  });
}

std::vector<std::pair<std::string, Buffer&>> Module::named_buffers() const {
  return detail::no_bad_alloc("named_buffers", [&] {
    std::vector<std::pair<std::string, Buffer&>> buffers;
    for (auto& [path, module] : named_modules()) {
      for (const auto& [name, b] : module.state().buffers) {
        if (b->listed()) buffers.emplace_back(join(path, name), *b);
      }
    }
    return buffers;
  });
}

std::vector<Tensor> Module::parameters() const {
  return detail::no_bad_alloc("parameters", [&] {
    std::vector<Tensor> tensors;
    for (const auto& [name, p] : named_parameters()) tensors.push_back(p);
    return tensors;
  });
}

// ---- state ----

StateDict Module::state_dict() const {
  return detail::no_bad_alloc("state_dict", [&] {
    StateDict dict;
    walk("", [&](const std::string& path, Module& module) {
      for (const auto& [name, p] : module.state().parameters) {
        if (p->defined()) dict[join(path, name)] = p->detach();
      }
      module.each_buffer([&](const std::string& name, Buffer& b) {
        if (b.listed()) dict[join(path, name)] = b.stored().detach();
      });
    });
    return dict;
  });
}

// The records that a load made: dropped unless all went well.
struct Module::Records {
  const Module& root;
  bool keep = false;

  ~Records() { settle(const_cast<Module&>(root)); }
  void settle(Module& module) const noexcept {
    if (!module.state_) return;  // moved from, which is why the load failed
    module.settle_records(keep);
    for (const auto& [name, child] : module.state().children) settle(*child);
  }
};

LoadReport Module::load_state_dict(const StateDict& values, const LoadOptions& options) {
  return detail::no_bad_alloc("load_state_dict", [&] {
    LoadReport report;
    std::string problems;
    std::unordered_set<std::string> used, unlisted;
    std::vector<std::pair<Tensor, Tensor>> parameters;  // slot, new values
    std::vector<std::pair<Buffer*, Tensor>> buffers;

    // The values for a slot; undefined where there are none of its shape.
    const auto find = [&](const std::string& path, const Tensor& slot) -> Tensor {
      used.insert(path);
      if (!values.contains(path)) {
        report.missing.push_back(path);
        return {};
      }
      const Tensor& v = values.at(path);
      if (!v.defined() || v.shape() != slot.shape()) {
        problems +=
            fmt::format("\n  {}: {} given, the model has {}", path,
                        v.defined() ? to_string(v.shape()) : "an undefined tensor", slot.shape());
        return {};
      }
      return v;
    };
    Records records{*this};
    walk("", [&](const std::string& path, Module& module) { module.make_records(path, values); });
    walk("", [&](const std::string& path, Module& module) {
      for (const auto& [name, p] : module.state().parameters) {
        if (!p->defined()) continue;
        const Tensor v = find(join(path, name), *p);
        if (v.defined()) parameters.emplace_back(*p, v.detach().to(p->dtype()));
      }
      module.each_buffer([&](const std::string& name, Buffer& b) {
        const std::string full = join(path, name);
        if (!b.listed()) {
          unlisted.insert(full);
          return;
        }
        const Tensor v = find(full, b);
        if (!v.defined()) return;
        try {
          buffers.emplace_back(&b, b.accepted(full.c_str(), v));
        } catch (const Error& error) {
          problems += fmt::format("\n  {}", error.what());
        }
      });
    });
    for (const auto& [name, tensor] : values) {
      if (!used.contains(name)) report.unexpected.push_back(name);
    }
    if (options.strict) {
      for (const std::string& name : report.missing) problems += "\n  " + name + ": missing";
      for (const std::string& name : report.unexpected) {
        problems += "\n  " + name;
        problems += unlisted.contains(name)
                        ? ": the layer keeps no record; turn it on with track_running_stats(true)"
                        : ": the model has no such entry";
      }
    }
    check(problems.empty(), "load_state_dict: nothing was loaded, because{}", problems);

    // Values that lie in this model itself, as those of its own state_dict(), are copied first.
    std::unordered_set<const void*> written;
    for (const auto& [slot, v] : parameters) written.insert(slot.view_of().storage.get());
    for (const auto& [slot, v] : buffers) written.insert(slot->stored().view_of().storage.get());
    const auto keep = [&written](Tensor& v) {
      if (written.contains(v.view_of().storage.get())) v = v.clone();
    };
    for (auto& [slot, v] : parameters) keep(v);
    for (auto& [slot, v] : buffers) keep(v);

    for (auto& [slot, v] : parameters) detail::write_values(slot, v.view_of());  // cannot throw
    for (auto& [slot, v] : buffers) slot->assign(slot->stored(), v);
    records.keep = true;
    return report;
  });
}

void copy_state(const Module& from, Module& to) { to.load_state_dict(from.state_dict()); }

void Module::train(bool training) {
  detail::no_bad_alloc("train", [&] {
    for (auto& [path, module] : named_modules()) module.state().training = training;
  });
}

void Module::set_training(bool training) noexcept { state_->training = training; }

bool Module::is_training() const { return state().training; }

void Module::zero_grad() {
  detail::no_bad_alloc("zero_grad", [&] {
    for (auto& [name, p] : named_parameters()) p.zero_grad();
  });
}

void Module::requires_grad_(bool requires_grad) {
  detail::no_bad_alloc("requires_grad_", [&] {
    for (auto& [name, p] : named_parameters()) p.requires_grad_(requires_grad);
  });
}

void Module::to(DType dtype) {
  check(is_floating(dtype), "to: a model's parameters cannot be {}", dtype);
  struct Change {
    Tensor tensor, values, grad;
  };
  detail::no_bad_alloc("to", [&] {
    std::vector<Change> changes;
    const auto convert = [&](const Tensor& x) {
      if (!is_floating(x.dtype()) || x.dtype() == dtype) return;
      const Tensor values = x.detach().to(dtype), grad = x.grad();
      values.view_of().storage->guarded = x.view_of().storage->guarded;
      changes.push_back({x, values, grad.defined() ? grad.detach().to(dtype) : grad});
    };
    walk("", [&](const std::string&, Module& module) {
      for (const auto& [name, p] : module.state().parameters) {
        if (p->defined()) convert(*p);
      }
      module.each_buffer([&](const std::string&, Buffer& b) { convert(b.stored()); });
    });
    for (Change& change : changes) {  // cannot throw
      detail::TensorImpl& impl = change.tensor.impl();
      impl.view = change.values.view_of();
      impl.epoch = impl.view.storage->epoch;
      if (impl.slot) impl.slot->grad = change.grad;
    }
  });
}

// ---- printing ----

std::string Module::kind() const {
  return detail::no_bad_alloc("kind", [&] {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, &status), std::free);
    const std::string full = status == 0 ? name.get() : typeid(*this).name();
    const std::size_t arguments = full.back() == '>' ? full.find('<') : full.size();
    const std::size_t colon = full.rfind("::", arguments);
    return colon == std::string::npos ? full : full.substr(colon + 2);
  });
}

namespace {

std::string print(const Module& module, const std::string& indent) {
  const auto children = module.named_children();  // first: throws if the module was moved from
  std::string text = module.kind() + "(" + module.extra_repr();
  for (const auto& [name, child] : children) {
    text += "\n" + indent + "  (" + name + "): " + print(child, indent + "  ");
  }
  return text + (children.empty() ? ")" : "\n" + indent + ")");
}

}  // namespace

std::string to_string(const Module& module) {
  return detail::no_bad_alloc("to_string", [&] { return print(module, ""); });
}

}  // namespace cairn::nn
