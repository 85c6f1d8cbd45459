// Modules: what holds parameters. A name is given once, where the member is declared:
//
//   struct Net : nn::Module {
//     nn::Linear& fc = child("fc", nn::Linear(10, 5));
//     Tensor forward(const Tensor& x) override { return fc(x); }
//   };
//
// The member refers to an object that the module holds on the heap. So a module may be moved, by
// construction, and its members stay good; it cannot be copied or assigned.
#pragma once

#include <cairn/core/load_plan.h>
#include <cairn/core/state_dict.h>
#include <cairn/nn/parameter.h>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace cairn::detail {

/// The path of `name` in the module at `prefix`.
inline std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

/// A class's name without its namespaces, for printing and messages.
CAIRN_API std::string class_name(const std::type_info& type);

}  // namespace cairn::detail

namespace cairn::nn {

struct LoadOptions {
  bool strict = true;  ///< missing and unexpected names are errors
};

/// What load_state_dict() with strict = false passed over.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// One tensor of a module's state: what saving, loading and converting know of it.
struct CAIRN_API StateTensor {
  std::string name;  ///< within the module
  Tensor tensor = {};
  /// Throws Error for values that it cannot take; `name` is for the message.
  void (*check)(const char* name, const Tensor& values) = nullptr;
  const char* unlisted = nullptr;  ///< why state_dict() does not list it now; null if it does
  bool* assigned = nullptr;        ///< becomes true when copy_() or a load has written it

  /// The values in the tensor's dtype. Throws Error, which begins with `path`, for another shape
  /// and for values that the tensor cannot take.
  Tensor accepted(const std::string& path, const Tensor& values) const;
};

/// Base of everything that has parameters. A moved-from module throws Error when it is used.
/// What a const module hands out is const, but for the tensors of parameters() and state_dict().
class CAIRN_API Module : public std::enable_shared_from_this<Module> {
 public:
  template <class T>
  using Named = std::vector<std::pair<std::string, T&>>;

  Module();
  Module(Module&& other) noexcept;
  Module& operator=(Module&&) = delete;
  virtual ~Module();

  /// Calls forward(). An Error that passes is given this module's name. The first outermost call
  /// that builds a graph checks that every trainable tensor it used is registered. That is known
  /// after the forward only: the batch norms inside have been updated when it throws.
  Tensor operator()(const Tensor& x);
  /// What the module computes. Those that take other arguments have an operator() of their own.
  virtual Tensor forward(const Tensor& x);

  // ---- what it holds: each once, under its first name, in PyTorch's order ----
  Named<Parameter> named_parameters();
  Named<const Parameter> named_parameters() const;
  /// The buffers that state_dict() lists.
  Named<Buffer> named_buffers();
  Named<const Buffer> named_buffers() const;
  /// This module first, under the empty name.
  Named<Module> named_modules();
  Named<const Module> named_modules() const;
  /// The modules registered here, shared ones at each of their names.
  Named<Module> named_children();
  Named<const Module> named_children() const;
  /// Handles to the parameters, for an optimizer.
  std::vector<Tensor> parameters() const;

  // ---- state ----
  /// Parameters and buffers by path. The tensors share the model's memory.
  StateDict state_dict() const;
  /// Copies values in. Everything is checked first: the Error lists all that is missing,
  /// unexpected or of another shape, and then nothing has changed.
  LoadReport load_state_dict(const StateDict& values, const LoadOptions& options = {});
  /// Adds what load_state_dict() would write, and its problems, to a plan that may hold more.
  LoadReport plan_load(LoadPlan& plan, const StateDict& values, const LoadOptions& options = {});

  /// Sets the mode of this module and of all in it.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const;
  /// Sets the mode of this module alone.
  void set_training(bool training) noexcept;
  /// Drops every parameter's gradient.
  void zero_grad();
  /// Says for every parameter whether it is trained. Buffers and modes are not touched.
  void requires_grad_(bool requires_grad);
  /// Converts floating parameters, their gradients and floating buffers, which keep their identity.
  void to(DType dtype);

  /// The class's name, for printing and messages.
  virtual std::string kind() const { return detail::class_name(typeid(*this)); }
  /// What stands between the parentheses when it is printed.
  virtual std::string extra_repr() const { return ""; }

 protected:
  /// Runs f as a call of this module, for an operator() with arguments of its own: throws if the
  /// module was moved from, and gives an Error that passes this module's name.
  template <class F>
  auto call(F f) const -> decltype(f()) {
    const std::string& name = own_name();
    try {
      return f();
    } catch (Error& error) {
      if (!name.empty()) error.enter(name);
      throw;
    }
  }
  /// Throws Error if this module was moved from.
  void check_usable() const { own_name(); }

  // Names must be unique here, not empty and without a dot: Error otherwise.

  /// An undefined value makes an absent parameter: not listed, not trained.
  Parameter& parameter(std::string_view name, Tensor value);
  Buffer& buffer(std::string_view name, const Tensor& value);

  /// Moves a module in. Throws Error for one that holds this module; then it has not moved.
  template <std::derived_from<Module> M>
  M& child(std::string_view name, M&& module) {
    ChildName names = check_child(name, module);
    return add_child(std::move(names), std::make_shared<M>(std::move(module)));
  }
  /// Makes one in place, for a class that cannot move: child<Net>("net", args...).
  template <class M, class... Args>
  requires(!(std::same_as<std::remove_cvref_t<Args>, M> || ...)) M& child(std::string_view name,
                                                                          Args&&... args) {
    auto module = std::make_shared<M>(std::forward<Args>(args)...);
    ChildName names = check_child(name, *module);
    return add_child(std::move(names), std::move(module));
  }
  /// Shares a module that is registered elsewhere, under another name. Throws Error for one that
  /// holds this module.
  template <std::derived_from<Module> M>
  M& child(std::string_view name, M& shared) {
    share(name, shared);
    return shared;
  }
  std::size_t child_count() const;
  Module& child_at(std::size_t i) const;

  /// This module's own state, without its children's, in the order in which it is saved: its
  /// parameters, then its buffers. A layer that keeps more overrides this.
  virtual std::vector<StateTensor> own_state() const;
  /// Before a load matches names, a layer may make tensors that `values` holds for it at `path`,
  /// and that are not in its `state` yet. It appends them to `state`; the plan owns them and gives
  /// them to the layer when it is committed.
  virtual void make_state(std::vector<StateTensor>&, const std::string& /*path*/,
                          const StateDict& /*values*/, LoadPlan&) {}

 private:
  friend class cairn::Buffer;
  struct State;
  // A child's name, twice: for this module's list, and for the child. Both are made before the
  // child is moved in, so that nothing can fail after that.
  struct ChildName {
    std::string key, own;
  };

  ChildName check_child(std::string_view name, const Module& module);
  void register_child(ChildName name, std::shared_ptr<Module> module) noexcept;
  template <class M>
  M& add_child(ChildName name, std::shared_ptr<M> module) noexcept {
    M& reference = *module;
    register_child(std::move(name), std::move(module));
    return reference;
  }
  void share(std::string_view name, Module& module);
  State& state() const;
  const std::string& own_name() const;
  StateTensor state_of(const Buffer& buffer) const;
  void check_registered(const Tensor& y, const Tensor& x) const;
  template <class F>
  void walk(const std::string& prefix, F visit) const;

  std::unique_ptr<State> state_;
};

/// Copies parameters and buffers from one model to another of the same names and shapes, as a mean
/// teacher's first step. Throws Error listing every difference; then nothing has changed.
CAIRN_API void copy_state(const Module& from, Module& to);

/// The tree of modules with their options.
CAIRN_API std::string to_string(const Module& module);

}  // namespace cairn::nn

template <std::derived_from<cairn::nn::Module> M>
struct fmt::formatter<M> : cairn::detail::Printed<cairn::nn::Module> {};
