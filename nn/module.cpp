// Registering, listing, calling and printing modules. module_state.cpp saves, loads and converts.
#include <cairn/core/internal/writing.h>
#include <cairn/core/record.h>
#include <cairn/nn/internal/module_state.h>

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_set>

namespace cairn::nn {

using detail::join;

Module::Module() : state_(std::make_unique<State>()) {}
Module::Module(Module&& other) noexcept : state_(std::move(other.state_)) {
  if (!state_) return;
  for (auto& [name, b] : state_->buffers) b->module_ = this;
}
Module::~Module() = default;

Module::State& Module::state() const {
  if (state_ == nullptr) throw Error(kind() + ": it was moved from");
  return *state_;
}

const std::string& Module::own_name() const { return state().name->own; }
std::string Module::path() const { return state().name->path(); }

// ---- calling ----

Tensor Module::operator()(const Tensor& x) {
  return call([&] { return forward(x); }, x);
}

Tensor Module::forward(const Tensor&) {
  check(false, "{}: it has no forward(x); call it with its own arguments", kind());
  return {};
}

// ---- registering ----

void Module::State::check_name(const char* what, std::string_view own) const {
  check(!own.empty() && own.find('.') == std::string_view::npos,
        "{}: the name '{}' is empty or has a dot", what, own);
  check(!names.contains(std::string(own)), "{}: the name '{}' is taken in this module", what, own);
}

// Makes room for `more` items, so that adding them cannot fail. The room at least doubles: many
// items, added one by one, are then moved a few times each.
template <class T>
static void make_room(std::vector<T>& items, std::size_t more = 1) {
  if (items.capacity() - items.size() < more) items.reserve(2 * items.size() + more);
}

Parameter& Module::parameter(std::string_view name, Tensor value) {
  State& s = state();
  s.check_name("parameter", name);
  make_room(s.parameters);
  NewName made(s, name);
  auto full_name = std::make_shared<const detail::Name>(detail::Name{made.own, s.name});
  auto p = std::make_unique<Parameter>(std::move(value));  // from here on nothing can fail
  if (p->defined()) detail::set_name(*p, std::move(full_name));
  made.release();
  s.checked = false;
  return *s.parameters.emplace_back(std::move(made.key), std::move(p)).second;
}

Buffer& Module::buffer(std::string_view name, const Tensor& value) {
  State& s = state();
  s.check_name("buffer", name);
  check(value.defined(), "buffer: '{}' is undefined; give it its first values", name);
  make_room(s.buffers);
  NewName made(s, name);
  std::unique_ptr<Buffer> b(new Buffer(*this, value));  // from here on nothing can fail
  made.release();
  return *s.buffers.emplace_back(std::move(made.key), std::move(b)).second;
}

void Module::check_not_inside(const char* what, std::string_view name, const Module& module) const {
  for (const auto& [path, m] : module.named_modules()) {
    check(&m != this, "{}: '{}' is a module that holds this one; none is part of itself", what,
          name);
  }
}

Module::NewName::NewName(State& holder, std::string_view name)
    : key(name), own(name), holder_(&holder) {
  holder.names.insert(key);
}
Module::NewName::~NewName() {
  if (holder_ != nullptr) holder_->names.erase(own);
}

Module::NewName Module::check_child(std::string_view name, const Module& module) {
  State& s = state();
  s.check_name("child", name);
  check_not_inside("child", name, module);
  make_room(s.children);
  return {s, name};
}

void Module::register_child(NewName&& name, std::shared_ptr<Module> module,
                            Factory factory) noexcept {
  module->state_->factory = factory;
  name.release();
  detail::Name& its_name = *module->state_->name;
  its_name.own = std::move(name.own);
  its_name.owner = state_->name;
  state_->checked = false;
  state_->children.emplace_back(std::move(name.key), std::move(module));
}

void Module::share(std::string_view name, Module& module) {
  NewName names = check_child(name, module);
  std::shared_ptr<Module> owner = module.weak_from_this().lock();
  check(owner != nullptr,
        "child: '{}' is a module that is registered nowhere; move it in: child(\"{}\", "
        "std::move(module))",
        name, name);
  names.release();
  state().checked = false;
  state().children.emplace_back(std::move(names.key), std::move(owner));
}

Module& Module::child(std::string_view name, std::shared_ptr<Module> module) {
  check(module != nullptr, "child: '{}' is a null pointer; give it a module", name);
  NewName names = check_child(name, *module);
  Module& reference = *module;
  register_child(std::move(names), std::move(module), reference.state().factory);
  return reference;
}

void Module::take_children(Module& other, const std::vector<std::string>& names) {
  State &s = state(), &from = other.state();
  std::vector<NewName> made;
  for (std::size_t i = 0; i < names.size(); ++i) {
    s.check_name("child", names[i]);
    check_not_inside("child", names[i], *from.children[i].second);
    made.emplace_back(s, names[i]);
  }
  make_room(s.children, names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {  // from here on nothing can fail
    std::shared_ptr<Module>& module = from.children[i].second;
    const Factory factory = module->state_->factory;
    from.names.erase(from.children[i].first);
    register_child(std::move(made[i]), std::move(module), factory);
  }
  from.children.clear();
}

void Module::replace_child(std::size_t i, std::string name, std::shared_ptr<Module> module,
                           Factory factory) noexcept {
  std::shared_ptr<Module>& child = state_->children[i].second;
  if (child->state_->name->owner == state_->name) *child->state_->name = {};  // it may live on
  child = std::move(module);
  child->state_->factory = factory;
  detail::Name& its_name = *child->state_->name;
  its_name.own = std::move(name);
  its_name.owner = state_->name;
  state_->checked = false;
}

std::size_t Module::child_count() const { return state().children.size(); }
const std::string& Module::child_name(std::size_t i) const { return state().children[i].first; }
Module& Module::child_at(std::size_t i) const { return *state().children[i].second; }

// ---- listing ----

auto Module::named_children() -> Named<Module> {
  Named<Module> children;
  for (const auto& [name, module] : state().children) children.emplace_back(name, *module);
  return children;
}

auto Module::named_modules() -> Named<Module> {
  Named<Module> modules;
  std::unordered_set<const Module*> seen;
  walk("", [&](const std::string& path, Module& module) {
    if (seen.insert(&module).second) modules.emplace_back(path, module);
  });
  return modules;
}

auto Module::named_parameters() -> Named<Parameter> {
  Named<Parameter> parameters;
  std::unordered_set<const void*> seen;
  for (auto& [path, module] : named_modules()) {
    for (const auto& [name, p] : module.state().parameters) {
      if (p->defined() && seen.insert(&p->impl()).second) {
        parameters.emplace_back(join(path, name), *p);
      }
    }
  }
  return parameters;
}

auto Module::named_buffers() -> Named<Buffer> {
  Named<Buffer> buffers;
  for (auto& [path, module] : named_modules()) {
    for (const auto& [name, b] : module.state().buffers) {
      if (module.state_of(*b).unlisted == nullptr) buffers.emplace_back(join(path, name), *b);
    }
  }
  return buffers;
}

template <class T>
static Module::Named<const T> as_const(Module::Named<T> items) {
  return {std::move_iterator(items.begin()), std::move_iterator(items.end())};
}

auto Module::named_parameters() const -> Named<const Parameter> {
  return as_const(const_cast<Module*>(this)->named_parameters());
}
auto Module::named_buffers() const -> Named<const Buffer> {
  return as_const(const_cast<Module*>(this)->named_buffers());
}
auto Module::named_modules() const -> Named<const Module> {
  return as_const(const_cast<Module*>(this)->named_modules());
}
auto Module::named_children() const -> Named<const Module> {
  return as_const(const_cast<Module*>(this)->named_children());
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> tensors;
  for (const auto& [name, p] : named_parameters()) tensors.push_back(p);
  return tensors;
}

std::vector<Tensor> Module::buffers() const {
  std::vector<Tensor> tensors;
  for (const auto& [name, b] : named_buffers()) tensors.push_back(b.tensor());
  return tensors;
}

void Module::train(bool training) {
  for (auto& [path, module] : named_modules()) module.state().training = training;
}

void Module::set_training(bool training) noexcept {
  if (state_) state_->training = training;
}

bool Module::is_training() const {
  State& s = state();
  if (!s.reads_training.load(std::memory_order_relaxed)) s.reads_training = true;
  return s.training;
}

void Module::zero_grad(const ZeroGradOptions& options) {
  std::vector<Tensor> all = parameters();
  if (!options.set_to_none) return detail::fill_grads(all);
  for (Tensor& p : all) p.zero_grad();
}

void Module::apply(const std::function<void(Module&)>& f) {
  check(static_cast<bool>(f), "apply: the function is empty; give one that can be called");
  std::unordered_set<const Module*> seen;
  const auto visit = [&](Module& module, const auto& self) -> void {
    if (!seen.insert(&module).second) return;
    for (const auto& [name, child] : module.state().children) self(*child, self);
    f(module);
  };
  visit(*this, visit);
}

void Module::requires_grad_(bool requires_grad) {
  for (auto& [name, p] : named_parameters()) p.requires_grad_(requires_grad);
}

// ---- printing ----

namespace {

std::string print(const Module& module, const std::string& indent) {
  const auto children = module.named_children();  // throws if the module was moved from
  std::string text = module.kind() + "(" + module.extra_repr();
  for (const auto& [name, child] : children) {
    text += fmt::format("\n{}  ({}): {}", indent, name, print(child, indent + "  "));
  }
  return text + (children.empty() ? ")" : "\n" + indent + ")");
}

}  // namespace

std::string to_string(const Module& module) { return print(module, ""); }

}  // namespace cairn::nn

namespace cairn::detail {

std::string class_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  const std::string full = status == 0 ? name.get() : type.name();
  const std::size_t arguments = full.back() == '>' ? full.find('<') : full.size();
  const std::size_t colon = full.rfind("::", arguments);
  return colon == std::string::npos ? full : full.substr(colon + 2);
}

}  // namespace cairn::detail
