// The affine layer: its weight is drawn first, then its bias.
#include <cairn/core/ops.h>
#include <cairn/nn/init.h>
#include <cairn/nn/linear.h>

#include <fmt/format.h>

#include <cmath>

namespace cairn::nn {

namespace {

Tensor initial_weight(int64_t in, int64_t out) {
  check(in >= 0 && out >= 0, "Linear: in_features {} and out_features {} must not be negative", in,
        out);
  return init::kaiming_uniform({out, in});
}

Tensor initial_bias(int64_t in, int64_t out) {
  // PyTorch draws for in = 0 too, within 0: the layers that follow depend on it.
  return init::uniform({out}, in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(in)));
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, const LinearOptions& options)
    : weight(parameter("weight", initial_weight(in, out))),
      bias(parameter("bias", options.bias ? initial_bias(in, out) : Tensor())) {}

Tensor Linear::forward(const Tensor& x) {
  check_usable();
  return linear(x, weight, bias);
}

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}", weight.size(1), weight.size(0),
                     bias.defined());
}

}  // namespace cairn::nn
