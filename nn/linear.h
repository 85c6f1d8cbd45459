// The affine layer, with PyTorch's weights for the same seed.
#pragma once

#include <cairn/nn/module.h>

namespace cairn::nn {

struct LinearOptions {
  bool bias = true;
};

/// y = x Wᵀ + b.
/// Shape: x (*, in) -> y (*, out); weight (out, in), bias (out).
/// Both are drawn from U(±1/√in) with the default generator, the weight first.
/// Throws Error if a size is negative, or x has another number of features.
/// Source: agrees with torch.nn.Linear, including the drawn weights.
class CAIRN_API Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});

  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;
  std::shared_ptr<Module> make_like() const override;

  Parameter& weight;
  Parameter& bias;  ///< undefined if options.bias is false
};

}  // namespace cairn::nn
