// Draws in PyTorch's order and with its rounding, so that a seed gives the same weights.
#include <cairn/core/autograd.h>
#include <cairn/core/random.h>
#include <cairn/nn/init.h>

#include <cmath>

namespace cairn::nn::init {

void uniform_(Tensor x, double bound) {
  const NoGrad guard;
  default_generator().fill_uniform(x, -bound, bound);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): a handle by value is written through
void kaiming_uniform_(Tensor weight) {
  weight.impl("kaiming_uniform_");  // throws if it is undefined
  check(weight.dim() >= 2, "kaiming_uniform_: a weight is (out, in, *), got {}", weight.shape());
  if (weight.numel() == 0) return;
  const int64_t fan_in = weight.numel() / weight.size(0);
  // The bound is 1/√fan_in. These are PyTorch's steps to it, because their rounding decides the
  // last bit.
  const double a = std::sqrt(5.0);
  const double gain = std::sqrt(2.0 / (1.0 + a * a));
  const double deviation = gain / std::sqrt(static_cast<double>(fan_in));
  uniform_(weight, std::sqrt(3.0) * deviation);
}

}  // namespace cairn::nn::init
