// What moves parameters.
#pragma once

#include <cairn/core/state_dict.h>

#include <vector>

namespace cairn::optim {

struct ZeroGradOptions {
  bool set_to_none = true;  ///< false keeps the gradients and fills them with 0
};

/// Base of the optimizers.
class CAIRN_API Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Moves every parameter that has a gradient; no gradient is changed. Everything is checked
  /// first: on an Error nothing has moved.
  virtual void step() = 0;

  /// Drops every parameter's gradient.
  void zero_grad(const ZeroGradOptions& options = {});

  /// What the optimizer has learnt and how it is set, as tensors; they are copies.
  virtual StateDict state_dict() const = 0;
  /// Throws Error if the dictionary is not of an optimizer over as many parameters of the same
  /// shapes, listing every difference; then nothing has changed.
  virtual void load_state_dict(const StateDict& values) = 0;

 protected:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// All parameters, group by group.
  virtual std::vector<Tensor> parameters() const = 0;
};

}  // namespace cairn::optim
