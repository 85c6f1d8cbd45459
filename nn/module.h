// Module, the base class of layers and models. A name is given once, where the member is declared:
//
//   struct Net : nn::Module {
//     nn::Linear& fc = child("fc", nn::Linear(10, 5));
//     Tensor forward(const Tensor& x) override { return fc(x); }
//   };
//
// The member is a reference to an object that the module keeps on the heap, so it stays valid when
// the module is move-constructed. A module cannot be copied or assigned.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/load_plan.h>
#include <cairn/core/state_dict.h>
#include <cairn/nn/parameter.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace cairn::nn {
class Module;
}

namespace cairn::detail {

/// The path of `name` in the module at `prefix`.
inline std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

/// A class's name without its namespaces, for printing and messages.
CAIRN_API std::string class_name(const std::type_info& type);

/// Does this class itself, not a base, override make_like()?
template <class M>
concept overrides_make_like = requires {
  { &M::make_like } -> std::same_as<std::shared_ptr<nn::Module> (M::*)() const>;
};

/// Makes `to` equal to `from`, for nn::clone().
CAIRN_API void copy_all(const nn::Module& from, nn::Module& to);

/// One call of a module. The outermost call of a thread and the calls inside it are a unit, whose
/// updates of running statistics are applied when it returns. Module::call() makes one.
class CAIRN_API CallScope {
 public:
  /// Throws Error if the module was moved from, or if this is not the outermost call and the module
  /// is not registered below the outermost one.
  explicit CallScope(const nn::Module& module);
  /// Drops the updates of this call and of the calls inside it, unless finish() ran.
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  /// Of an outermost call: throws Error if y depends on a trainable tensor that is not registered.
  void check_leaves(const Tensor& y, std::span<const Tensor* const> inputs) const;
  /// Of an outermost call: applies the updates, which cannot fail.
  void finish();

  /// The path of the module whose call this thread is in; empty outside of a call.
  static std::string innermost_path();
  /// False in a hook that runs during a backward() inside the unit.
  bool is_present() const;

 private:
  friend class ExternalScope;
  bool checks_leaves() const;

  const nn::Module* module_;
  const nn::Module* root_;  // calls inside must be registered below it
  CallScope* unit_before_;
  const nn::Module* module_before_;
  bool is_outermost_, finished_ = false;
  int walks_;
  std::ptrdiff_t first_update_;
  std::size_t first_leaf_;
};

}  // namespace cairn::detail

namespace cairn::nn {

struct LoadOptions {
  bool strict = true;  ///< missing and unexpected names are errors
};

/// The names that did not match. load_state_dict() returns them if strict is false.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

/// One tensor of a module's state, with what saving, loading and converting need to know.
struct CAIRN_API StateTensor {
  std::string name;  ///< within the module
  Tensor tensor = {};
  /// Throws Error for values that the tensor must not hold. `name` goes into the message.
  void (*check)(const char* name, const Tensor& values) = nullptr;
  const char* unlisted = nullptr;  ///< why state_dict() leaves it out; null if it is listed
  bool* assigned = nullptr;        ///< if not null, set when copy_() or a load writes it

  /// Returns the values in the tensor's dtype. Throws Error for another shape and for values that
  /// the tensor must not hold. The message begins with `path`.
  Tensor accepted(const std::string& path, const Tensor& values) const;
};

/// The base class of layers and models. Using a moved-from module throws Error. A const module
/// hands out const references; only parameters() and state_dict() return tensors to write to.
class CAIRN_API Module : public std::enable_shared_from_this<Module> {
 public:
  template <class T>
  using Named = std::vector<std::pair<std::string, T&>>;

  Module();
  Module(const Module&) = delete;  // a module is not copied: is an & missing? See nn::clone()
  Module(Module&& other) noexcept;
  Module& operator=(Module&&) = delete;
  virtual ~Module();

  /// Calls forward(), as call() says.
  Tensor operator()(const Tensor& x);
  /// Computes the output. A module with other arguments defines its own operator() instead.
  virtual Tensor forward(const Tensor& x);

  // ---- contents: each item once, under its first name, in PyTorch's order ----
  Named<Parameter> named_parameters();
  Named<const Parameter> named_parameters() const;
  /// The buffers that state_dict() lists.
  Named<Buffer> named_buffers();
  Named<const Buffer> named_buffers() const;
  /// This module first, under the empty name.
  Named<Module> named_modules();
  Named<const Module> named_modules() const;
  /// The modules registered directly in this one. A shared module appears under each of its names.
  Named<Module> named_children();
  Named<const Module> named_children() const;
  /// Handles to the parameters, for an optimizer.
  std::vector<Tensor> parameters() const;
  /// Handles to the buffers that state_dict() lists. In-place ops and optimizers refuse them.
  std::vector<Tensor> buffers() const;

  // ---- state ----
  /// Parameters and buffers by path. The tensors share the model's memory: training changes them.
  /// state_dict().clone() keeps the values of now, for example the best ones.
  StateDict state_dict() const;
  /// Copies values into the model. Everything is checked first. The Error lists every entry that
  /// is missing, unexpected or of another shape, and nothing has changed then.
  LoadReport load_state_dict(const StateDict& values, const LoadOptions& options = {});
  /// Adds the writes and problems of load_state_dict() to a plan, which may hold other loads too.
  /// The module must live until plan.commit().
  LoadReport plan_load(LoadPlan& plan, const StateDict& values, const LoadOptions& options = {});

  /// Sets the training flag of this module and of all modules inside it, whatever was set there
  /// before, as in PyTorch. Only modes of statistics and freezes survive it.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const;
  /// Sets the training flag of this module alone.
  void set_training(bool training) noexcept;
  /// Drops every parameter's gradient, or fills it with 0.
  void zero_grad(const ZeroGradOptions& options = {});
  /// Calls f with every module once: those inside a module first, then the module itself.
  void apply(const std::function<void(Module&)>& f);
  /// Sets requires_grad of every parameter. Buffers and modes do not change.
  void requires_grad_(bool requires_grad);
  /// Converts floating-point parameters, their gradients and floating-point buffers in place.
  void to(DType dtype);

  /// The class's name, for printing and messages.
  virtual std::string kind() const { return detail::class_name(typeid(*this)); }
  /// The text between the parentheses when the module is printed.
  virtual std::string extra_repr() const { return ""; }

  /// Constructs a module with this one's options. Its state is a new one. nn::clone() calls this
  /// function of a class that overrides it. Other classes are default-constructed.
  virtual std::shared_ptr<Module> make_like() const;

 protected:
  friend void detail::copy_all(const Module& from, Module& to);
  /// Copies what is neither an option nor a tensor: the training flag and the buffers' freezes. A
  /// class with more of it overrides this function and calls that of its base. `from` has the same
  /// class as this module.
  virtual void copy_settings(const Module& from);

  /// Runs f as a call of this module and returns its result. Every operator() uses this.
  /// The outermost call is a unit: updates of running statistics inside it are applied when it
  /// returns. If a call throws, its updates are dropped, also if its caller catches the exception.
  /// Throws Error if the module was moved from, or if f calls a module that is not registered below
  /// the outermost one (see nn::external()). The first outermost call that builds a graph also
  /// checks that every trainable tensor that the result depends on is registered, unless it comes
  /// from `inputs`; without inputs there is no such check. An Error gets this module's name.
  template <class F, std::derived_from<Tensor>... Inputs>
  auto call(F f, const Inputs&... inputs) const -> decltype(f()) {
    const std::string& name = own_name();
    detail::CallScope scope(*this);
    try {
      if constexpr (std::is_void_v<decltype(f())>) {
        f();
        scope.finish();
      } else {
        decltype(auto) y = f();
        if constexpr (sizeof...(inputs) > 0 && std::is_convertible_v<decltype(y), const Tensor&>) {
          const Tensor* const given[] = {&inputs...};
          scope.check_leaves(y, given);
        }
        scope.finish();
        return y;
      }
    } catch (Error& error) {
      if (!name.empty()) error.enter(name);
      throw;
    }
  }
  /// Throws Error if this module was moved from.
  void check_usable() const { own_name(); }
  /// Runs f outside a call. An Error from f gets the path of this module in its model.
  template <class F>
  auto located(F f) const -> decltype(f()) {
    try {
      return f();
    } catch (Error& error) {
      if (const std::string where = path(); !where.empty()) error.enter(where);
      throw;
    }
  }

  // These throw Error unless the name is unique in this module, not empty and without a dot.

  /// An undefined value registers an absent parameter, which is neither listed nor trained.
  Parameter& parameter(std::string_view name, Tensor value);
  Buffer& buffer(std::string_view name, const Tensor& value);

  /// Moves a module in. Throws Error if it contains this module; it is not moved then.
  template <std::derived_from<Module> M>
  M& child(std::string_view name, M&& module) {
    NewName names = check_child(name, module);
    return add_child(std::move(names), std::make_shared<M>(std::forward<M>(module)));
  }
  /// Constructs a module in place, for a class that cannot be moved: child<Net>("net", args...).
  template <class M, class... Args>
  requires(!(std::same_as<std::remove_cvref_t<Args>, M> || ...)) M& child(std::string_view name,
                                                                          Args&&... args) {
    auto module = std::make_shared<M>(std::forward<Args>(args)...);
    NewName names = check_child(name, *module);
    return add_child(std::move(names), std::move(module));
  }
  /// Registers a module a second time, under another name or in another module. Throws Error if it
  /// contains this module.
  template <std::derived_from<Module> M>
  M& child(std::string_view name, M& shared) {
    share(name, shared);
    return shared;
  }
  /// Registers a module of any class.
  Module& child(std::string_view name, std::shared_ptr<Module> module);
  /// A default-constructed module of the same class, or module.make_like() if the class overrides
  /// it. Throws Error if the class has neither.
  static std::shared_ptr<Module> new_like(const Module& module);
  /// Moves all children of another module into this one, under these names. Throws Error if one of
  /// them contains this module, or if a name is taken; nothing is moved then.
  void take_children(Module& other, const std::vector<std::string>& names);
  /// Replaces child i and keeps its name. Throws Error if the module contains this one; it is not
  /// moved then. Only a container whose children are bound to no member may do this: a member that
  /// refers to the old module would dangle.
  template <std::derived_from<Module> M>
  M& replace_child(std::size_t i, M&& module) {
    std::string name = child_name(i);
    check_not_inside("replace", name, module);
    auto made = std::make_shared<M>(std::forward<M>(module));
    M& reference = *made;
    replace_child(i, std::move(name), std::move(made), factory_of<M>());
    return reference;
  }
  std::size_t child_count() const;
  const std::string& child_name(std::size_t i) const;
  Module& child_at(std::size_t i) const;

  /// This module's own state in the order in which it is saved: its parameters, then its buffers.
  /// The children's state is not included. A layer with more state overrides this function.
  virtual std::vector<StateTensor> own_state() const;
  /// Before matching names, a load calls this function of each module. The module may create
  /// tensors that appear in `values` below its `path` but are not in `state` yet, and appends them
  /// to `state`. The plan owns these tensors; its commit() adds them to the module.
  virtual void make_state(std::vector<StateTensor>&, const std::string& /*path*/,
                          const StateDict& /*values*/, LoadPlan&) {}

 private:
  friend class cairn::Buffer;
  friend class detail::CallScope;
  struct State;
  // The name of an item that is being made. It is taken already, and free again if the item is not
  // registered. `key` is for this module's list, and `own` for a child, which knows its name, too:
  // both exist before anything is moved in, because nothing may fail after that.
  class CAIRN_API NewName {
   public:
    NewName(State& holder, std::string_view name);
    NewName(NewName&& other) noexcept
        : key(std::move(other.key)), own(std::move(other.own)), holder_(other.release()) {}
    ~NewName();
    State* release() noexcept { return std::exchange(holder_, nullptr); }

    std::string key, own;

   private:
    State* holder_;
  };

  NewName check_child(std::string_view name, const Module& module);
  using Factory = std::shared_ptr<Module> (*)();  // default-constructs a module
  template <class M>
  static constexpr Factory factory_of() {
    if constexpr (std::is_default_constructible_v<M> && !detail::overrides_make_like<M>) {
      return []() -> std::shared_ptr<Module> { return std::make_shared<M>(); };
    } else {
      return nullptr;
    }
  }
  void check_not_inside(const char* what, std::string_view name, const Module& module) const;
  void register_child(NewName&& name, std::shared_ptr<Module> module, Factory factory) noexcept;
  template <class M>
  M& add_child(NewName&& name, std::shared_ptr<M> module) noexcept {
    M& reference = *module;
    register_child(std::move(name), std::move(module), factory_of<M>());
    return reference;
  }
  void replace_child(std::size_t i, std::string name, std::shared_ptr<Module> module,
                     Factory factory) noexcept;
  void share(std::string_view name, Module& module);
  State& state() const;
  const std::string& own_name() const;
  std::string path() const;  // under which it was first registered
  StateTensor state_of(const Buffer& buffer) const;
  void check_registered_below(const Module& root) const;
  void check_leaves(const Tensor& y, std::span<const Tensor* const> inputs) const;
  template <class F>
  void walk(const std::string& prefix, F visit) const;

  std::unique_ptr<State> state_;
};

/// Copies parameters and buffers to a model that has the same names and shapes, for example from a
/// student to its mean teacher. The Error lists every difference, and nothing has changed then.
CAIRN_API void copy_state(const Module& from, Module& to);

/// The tree of modules with their options, as text.
CAIRN_API std::string to_string(const Module& module);

}  // namespace cairn::nn

template <std::derived_from<cairn::nn::Module> M>
struct fmt::formatter<M> : cairn::detail::Printed<cairn::nn::Module> {};
