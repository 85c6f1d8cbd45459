// Stochastic gradient descent: every parameter with a gradient moves, or none does.
#pragma once

#include <cairn/optim/optimizer.h>

namespace cairn::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// Stochastic gradient descent. For each parameter p with gradient g:
///   if maximize: g = -g
///   g = g + weight_decay * p
///   if momentum: b = momentum * b + (1 - dampening) * g    (b = g at the first step)
///                g = nesterov ? g + momentum * b : b
///   p = p - lr * g
/// A parameter without a gradient is left alone, decay included.
/// Source: Sutskever et al. 2013; agrees with torch.optim.SGD.
class CAIRN_API SGD : public Optimizer {
 public:
  /// Parameters with options of their own, which may be changed between steps.
  struct Group : SGDOptions {
    std::vector<Tensor> params;
    std::vector<Tensor> momentum_buffers;  ///< one a parameter, undefined before its first step
  };

  /// Throws Error for an empty list, for what is no trainable leaf or stands there twice, for a
  /// buffer, and for options out of range, here and again at each step.
  explicit SGD(const std::vector<Tensor>& params, const SGDOptions& options = {});
  void add_group(const std::vector<Tensor>& params, const SGDOptions& options = {});

  std::vector<Group>& groups() { return groups_; }
  const std::vector<Group>& groups() const { return groups_; }

  void step() override;
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& values) override;

 private:
  std::vector<Tensor> parameters() const override;

  std::vector<Group> groups_;
};

}  // namespace cairn::optim
