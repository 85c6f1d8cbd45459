// The affine layer: its weight is drawn first, then its bias.
#include <cairn/core/ops.h>
#include <cairn/nn/init.h>
#include <cairn/nn/linear.h>

#include <fmt/format.h>

#include <cmath>

namespace cairn::nn {

static Tensor empty_weight(int64_t in, int64_t out) {
  check(in >= 0 && out >= 0, "Linear: in_features {} and out_features {} must not be negative", in,
        out);
  const Shape shape{out, in};
  shape.numel("Linear");  // throws if there would be too many values
  return empty(shape);
}

Linear::Linear(int64_t in, int64_t out, const LinearOptions& options)
    : weight(parameter("weight", empty_weight(in, out))),
      bias(parameter("bias", options.bias ? empty({out}) : Tensor())) {
  // The draws come last, so that a constructor that throws does not advance the generator.
  init::kaiming_uniform_(weight);
  // PyTorch draws the bias for in = 0 too, from U(0, 0). The draws of later layers depend on it.
  if (options.bias) init::uniform_(bias, in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(in)));
}

Tensor Linear::forward(const Tensor& x) {
  check_usable();
  return linear(x, weight, bias);
}

std::shared_ptr<Module> Linear::make_like() const {
  return std::make_shared<Linear>(weight.size(1), weight.size(0), LinearOptions{bias.defined()});
}

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}", weight.size(1), weight.size(0),
                     bias.defined());
}

}  // namespace cairn::nn
