// The order and rounding of PyTorch's own draws, so that a seed gives the same weights.
#include <cairn/core/ops.h>
#include <cairn/core/random.h>
#include <cairn/nn/init.h>

#include <cmath>

namespace cairn::nn::init {

Tensor uniform(const Shape& shape, double bound) {
  Tensor x = empty(shape);
  default_generator().fill_uniform(x, -bound, bound);
  return x;
}

Tensor kaiming_uniform(const Shape& shape) {
  check(shape.size() == 2, "kaiming_uniform: a weight is (out, in), got {}", shape);
  if (shape[1] == 0) return zeros(shape);
  // Not simply 1/√in: these are PyTorch's steps, whose rounding decides the last bit.
  const double a = std::sqrt(5.0);
  const double gain = std::sqrt(2.0 / (1.0 + a * a));
  const double deviation = gain / std::sqrt(static_cast<double>(shape[1]));
  return uniform(shape, std::sqrt(3.0) * deviation);
}

}  // namespace cairn::nn::init
