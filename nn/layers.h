// Layers without parameters, and the container Sequential.
#pragma once

#include <cairn/nn/module.h>

namespace cairn::nn {

/// max(x, 0).
class CAIRN_API ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

struct FlattenOptions {
  int64_t start_dim = 1;
  int64_t end_dim = -1;
};

/// Joins dimensions start_dim..end_dim: (N, C, H, W) -> (N, C*H*W).
class CAIRN_API Flatten : public Module {
 public:
  explicit Flatten(const FlattenOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;
  std::shared_ptr<Module> make_like() const override;

 private:
  FlattenOptions options_;
};

/// A module by value or by reference.
template <class M>
concept ModuleArgument = std::derived_from<std::remove_cvref_t<M>, Module>;

/// Calls its modules one after another. They are named 0, 1, ... unless a name is given.
/// Construct it with braces: Sequential{Linear(4, 8), ReLU(), Linear(8, 1)}. C++ then evaluates the
/// arguments in order, and the layers draw their weights in PyTorch's order. With parentheses the
/// order is unspecified. Sequential{Sequential{...}} is a move, not a nested Sequential; use
/// push_back() to nest a single one.
class CAIRN_API Sequential : public Module {
 public:
  Sequential() = default;
  template <ModuleArgument... M>
  requires(sizeof...(M) > 0) explicit Sequential(M&&... modules) {
    (push_back(std::forward<M>(modules)), ...);
  }

  template <std::derived_from<Module> M>
  M& push_back(M&& module) {
    return child(std::to_string(size()), std::forward<M>(module));
  }
  template <std::derived_from<Module> M>
  M& push_back(std::string_view name, M&& module) {
    return child(name, std::forward<M>(module));
  }
  template <std::derived_from<Module> M>
  M& push_back(M&) = delete;  // write std::move(layer), or construct the module here
  template <std::derived_from<Module> M>
  M& push_back(std::string_view, M&) = delete;  // write std::move(layer), or construct it here

  /// Moves the modules of another Sequential, which is empty then, to the end. Numbers are given
  /// anew; other names stay. Throws Error if a name is taken; nothing is moved then.
  void extend(Sequential&& other);
  void extend(const Sequential&) = delete;  // write std::move(net), or nn::clone(net)
  /// Replaces module i by another one, which takes its name. References to the old one are invalid
  /// then. Throws Error if i is out of range.
  template <std::derived_from<Module> M>
  M& replace(int64_t i, M&& module) {
    return replace_child(index(i), std::forward<M>(module));
  }
  template <std::derived_from<Module> M>
  M& replace(int64_t, M&) = delete;  // write std::move(layer), or construct the module here

  std::size_t size() const { return child_count(); }
  /// Module i; a negative i counts from the end. Throws Error if i is out of range.
  Module& operator[](int64_t i) { return child_at(index(i)); }
  const Module& operator[](int64_t i) const { return child_at(index(i)); }
  /// Module i as an M: seq.at<nn::BatchNorm1d>(0). Throws Error if it has another type.
  template <std::derived_from<Module> M>
  M& at(int64_t i) {
    auto* const module = dynamic_cast<M*>(&(*this)[i]);
    if (module == nullptr) fail_type(i, typeid(M));
    return *module;
  }
  template <std::derived_from<Module> M>
  const M& at(int64_t i) const {
    return const_cast<Sequential*>(this)->at<M>(i);
  }

  Tensor forward(const Tensor& x) override;
  std::shared_ptr<Module> make_like() const override;

 private:
  std::size_t index(int64_t i) const;
  [[noreturn]] void fail_type(int64_t i, const std::type_info& wanted) const;
};

}  // namespace cairn::nn
