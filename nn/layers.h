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
  template <std::derived_from<Module>... M>
  requires(sizeof...(M) > 0) explicit Sequential(M&&... modules) {
    (push_back(std::move(modules)), ...);
  }

  template <std::derived_from<Module> M>
  M& push_back(M&& module) {
    return child(std::to_string(size()), std::move(module));
  }
  template <std::derived_from<Module> M>
  M& push_back(std::string_view name, M&& module) {
    return child(name, std::move(module));
  }

  std::size_t size() const { return child_count(); }
  /// Throws Error out of range; negative i counts from the end.
  Module& operator[](int64_t i) { return child_at(index(i)); }
  const Module& operator[](int64_t i) const { return child_at(index(i)); }
  /// The same as an M: seq.at<nn::BatchNorm1d>(0). Throws Error for a module of another type.
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

 private:
  std::size_t index(int64_t i) const;
  [[noreturn]] void fail_type(int64_t i, const std::type_info& wanted) const;
};

}  // namespace cairn::nn
