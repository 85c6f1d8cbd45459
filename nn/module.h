// Modules: what holds parameters. A name is given once, where the member is declared:
//
//   struct Net : nn::Module {
//     nn::Linear& fc = child("fc", nn::Linear(10, 5));
//     Tensor forward(const Tensor& x) override { return fc(x); }
//   };
//
// The member is the registry's slot, which lies on the heap. So a module may be moved, by
// construction, and its members stay good; it cannot be copied or assigned.
#pragma once

#include <cairn/core/state_dict.h>
#include <cairn/nn/parameter.h>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::detail {
/// The path of a slot `name` in the module at `prefix`.
inline std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}
}  // namespace cairn::detail

namespace cairn::nn {

class StatsPass;

struct LoadOptions {
  bool strict = true;  ///< missing and unexpected names are errors
};

/// What load_state_dict() with strict = false passed over.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// Base of everything that has parameters. A moved-from module throws Error when it is used.
class CAIRN_API Module : public std::enable_shared_from_this<Module> {
 public:
  Module();
  Module(Module&& other) noexcept;
  Module& operator=(Module&&) = delete;
  virtual ~Module();

  /// Calls forward(). An Error that passes is given this module's name. The first outermost call
  /// that builds a graph checks that every trainable tensor it used is registered. That is known
  /// after the forward only: the batch norms inside have recorded the batch when it throws.
  Tensor operator()(const Tensor& x);
  /// What the module computes. Those that take other arguments have an operator() of their own.
  virtual Tensor forward(const Tensor& x);

  // ---- what it holds: each once, under its first name, in PyTorch's order ----
  std::vector<std::pair<std::string, Parameter&>> named_parameters() const;
  /// A batch norm's buffers show its selected record; state_dict() lists every record.
  std::vector<std::pair<std::string, Buffer&>> named_buffers() const;
  /// This module first, under the empty name.
  std::vector<std::pair<std::string, Module&>> named_modules() const;
  /// The modules registered here, shared ones at each of their names.
  std::vector<std::pair<std::string, Module&>> named_children() const;
  /// Handles to the parameters, for an optimizer.
  std::vector<Tensor> parameters() const;

  // ---- state ----
  /// Parameters and buffers by path. The tensors share the model's memory.
  StateDict state_dict() const;
  /// Copies values in. Everything is checked first: the Error lists all that is missing,
  /// unexpected or of another shape, and then nothing has changed.
  LoadReport load_state_dict(const StateDict& values, const LoadOptions& options = {});

  /// Sets the mode of this module and of all in it.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const;
  /// Drops every parameter's gradient.
  void zero_grad();
  /// Says for every parameter whether it is trained. Buffers and modes are not touched.
  void requires_grad_(bool requires_grad);
  /// Converts floating parameters, their gradients and floating buffers, which keep their identity.
  void to(DType dtype);

  /// The class's name, for printing and messages.
  virtual std::string kind() const;
  /// What stands between the parentheses when it is printed.
  virtual std::string extra_repr() const { return ""; }

 protected:
  /// Runs f as a call of this module, for an operator() with arguments of its own: throws if the
  /// module was moved from, and gives an Error that passes this module's name.
  template <class F>
  auto call(F f) const -> decltype(f()) {
    const std::string& name = slot();
    try {
      return f();
    } catch (Error& error) {
      if (!name.empty()) error.enter(name);
      throw;
    }
  }
  /// Throws Error if this module was moved from.
  void check_usable() const { slot(); }

  // Names must be unique here, not empty and without a dot: Error otherwise.

  /// An undefined value makes an absent parameter: not listed, not trained.
  Parameter& parameter(std::string_view name, Tensor value);
  Buffer& buffer(std::string_view name, Tensor value, Buffer::Check check = nullptr);

  /// Moves a module in. Throws Error for one that holds this module; then it has not moved.
  template <class M>
  requires(!std::is_lvalue_reference_v<M> &&
           std::derived_from<M, Module>) M& child(std::string_view name, M&& module) {
    return detail::no_bad_alloc("child", [&]() -> M& {
      Place place = prepare(name, module);
      return add(place, std::make_shared<M>(std::forward<M>(module)));
    });
  }
  /// Makes one in place, for a class that cannot move: child<Net>("net", args...).
  template <class M, class... Args>
  requires(!(std::same_as<std::remove_cvref_t<Args>, M> || ...)) M& child(std::string_view name,
                                                                          Args&&... args) {
    return detail::no_bad_alloc("child", [&]() -> M& {
      auto module = std::make_shared<M>(std::forward<Args>(args)...);
      Place place = prepare(name, *module);
      return add(place, std::move(module));
    });
  }
  /// Shares a module that is registered elsewhere, under another name. Throws Error for one that
  /// holds this module.
  template <std::derived_from<Module> M>
  M& child(std::string_view name, M& shared) {
    share(name, shared);
    return shared;
  }

 private:
  struct State;
  struct Records;

  // For a child that is about to be registered: what can fail is done before it is moved in.
  struct Place {
    std::string slot, key;
    std::vector<std::pair<std::string*, std::string>> names;  // of what it holds: its new path
  };
  Place prepare(std::string_view name, const Module& module);
  void add_child(Place& place, std::shared_ptr<Module> module) noexcept;
  template <class M>
  M& add(Place& place, std::shared_ptr<M> module) noexcept {
    M& reference = *module;
    add_child(place, std::move(module));
    return reference;
  }
  void check_child(std::string_view name, const Module& module) const;
  void share(std::string_view name, Module& module);
  State& state() const;
  const std::string& slot() const;
  void check_registered(const Tensor& y, const Tensor& x) const;
  template <class F>
  void walk(const std::string& prefix, F visit) const;
  template <class F>
  void each_buffer(F visit) const;

  // For a layer that keeps several records of its buffers' values. Before it looks at names, a load
  // lets each layer at a path make those that `values` has and the layer has not; when it is over,
  // they are kept or dropped.
  virtual std::vector<std::pair<std::string, Buffer*>> record_buffers() const { return {}; }
  virtual void make_records(const std::string&, const StateDict&) {}
  virtual void settle_records(bool) noexcept {}

  friend class StatsPass;  // restores each module's own flag
  void set_training(bool training) noexcept;
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
