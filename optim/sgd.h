// Stochastic gradient descent.
#pragma once

#include <cairn/optim/optimizer.h>

#include <optional>

namespace cairn::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// The options of one group. It inherits those that are not given.
struct SGDGroupOptions {
  std::optional<double> lr = {};
  std::optional<double> momentum = {};
  std::optional<double> dampening = {};
  std::optional<double> weight_decay = {};
  std::optional<bool> nesterov = {};
  std::optional<bool> maximize = {};
};

/// The names, the state and the arithmetic of SGD. OptimizerOf calls it.
struct CAIRN_API SGDRule {
  using Options = SGDOptions;
  using GroupOptions = SGDGroupOptions;
  static constexpr const char* name = "SGD";  ///< begins every Error
  static constexpr StateName state_names[] = {{"momentum_buffer"}};

  /// Calls f(name, option) for every option, by PyTorch's names.
  template <class O, class F>
  static void each_option(O& options, F f);
  /// Throws Error unless the options are in range.
  static void check_options(std::size_t group, const Options& o);
  /// Do the options use this state?
  static bool uses(const Options& o, std::size_t state);
  /// Takes a step for one parameter. Everything has been checked. A state in use exists; if
  /// `first`, it was just created and is 0.
  static void update(const Options& o, const Tensor& param, const Tensor& grad,
                     std::span<const Tensor> state, bool first) noexcept;
};

/// Stochastic gradient descent. For each parameter p with gradient g:
///   if maximize: g = -g
///   g = g + weight_decay * p
///   if momentum: b = momentum * b + (1 - dampening) * g    (b = g at the first step)
///                g = nesterov ? g + momentum * b : b
///   p = p - lr * g
/// A parameter without a gradient does not change. It is not decayed either.
/// Source: Sutskever et al. 2013; agrees with torch.optim.SGD.
class SGD : public OptimizerOf<SGDRule> {
 public:
  /// Creates the first group. Throws Error as add_group() does.
  explicit SGD(const std::vector<Tensor>& params, const SGDOptions& options = {})
      : OptimizerOf(params, options) {}
};

}  // namespace cairn::optim
