// Layers without parameters, and the container of layers.
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

 private:
  FlattenOptions options_;
};

/// Modules one after another, named 0, 1, ... unless given a name.
/// Write it with braces, Sequential{Linear(4, 8), ReLU(), Linear(8, 1)}: they are evaluated in
/// order, so that the layers draw their weights as PyTorch's do. In parentheses C++ leaves the
/// order open. Sequential{Sequential{...}} moves the one that it is given; to nest a single one,
/// push_back() it.
class CAIRN_API Sequential : public Module {
 public:
  Sequential() = default;
  template <class... M>
  requires(sizeof...(M) > 0 && (!std::is_lvalue_reference_v<M> && ...) &&
           (std::derived_from<M, Module> && ...)) explicit Sequential(M&&... modules) {
    (push_back(std::forward<M>(modules)), ...);
  }

  template <class M>
  requires(!std::is_lvalue_reference_v<M> &&
           std::derived_from<M, Module>) M& push_back(M&& module) {
    return push_back(std::to_string(modules_.size()), std::forward<M>(module));
  }
  template <class M>
  requires(!std::is_lvalue_reference_v<M> &&
           std::derived_from<M, Module>) M& push_back(std::string_view name, M&& module) {
    return detail::no_bad_alloc("push_back", [&]() -> M& {
      modules_.reserve(modules_.size() + 1);  // first: what is registered is also called
      M& slot = child(name, std::forward<M>(module));
      modules_.push_back(&slot);
      return slot;
    });
  }

  std::size_t size() const { return modules_.size(); }
  /// Throws Error out of range; negative i counts from the end.
  Module& operator[](int64_t i) const;

  Tensor forward(const Tensor& x) override;

 private:
  std::vector<Module*> modules_;  // the children, in order
};

}  // namespace cairn::nn
