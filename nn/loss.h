// Losses: modules that take a target besides the input, and hold no state.
#pragma once

#include <cairn/core/ops.h>
#include <cairn/nn/module.h>

namespace cairn::nn {

using cairn::MSELossOptions;

/// The mean or the sum of (x - target)², or each value; see mse_loss().
class CAIRN_API MSELoss : public Module {
 public:
  explicit MSELoss(const MSELossOptions& options = {}) : options_(options) {}

  Tensor operator()(const Tensor& x, const Tensor& target) const {
    return call([&] { return mse_loss(x, target, options_); }, x, target);
  }
  std::string extra_repr() const override;
  std::shared_ptr<Module> make_like() const override;

 private:
  MSELossOptions options_;
};

}  // namespace cairn::nn
