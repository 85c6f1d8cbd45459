// Loss functions. Each returns one value, a mean, unless its options say otherwise.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn {

Tensor mse_loss(const Tensor& x, const Tensor& target, const MSELossOptions& options) {
  detail::check_defined("mse_loss", x, target);
  check(options.broadcast || x.shape() == target.shape(),
        "mse_loss: input {} and target {} differ; reshape one, or set broadcast = true", x.shape(),
        target.shape());
  const Tensor each = detail::map_floating(
      "mse_loss", [](auto u, auto v) { return (u - v) * (u - v); }, x, target);
  const bool is_mean = options.reduction == Reduction::mean;
  const Tensor y = options.reduction == Reduction::none ? each : is_mean ? mean(each) : sum(each);
  // d(x-t)²/dx = 2 (x-t), divided by n for the mean. dy is one value unless nothing is reduced.
  const double scale = is_mean ? 2.0 / static_cast<double>(each.numel()) : 2.0;
  const auto gradient = [scale](auto& dy, auto& a, auto& b) {
    return detail::formula(
        "mse_loss", [scale](auto g, auto u, auto v) { return g * scale * (u - v); }, dy, a, b);
  };
  return record("mse_loss", y, wrt(x, gradient, x, target), wrt(target, gradient, target, x));
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  detail::check_defined("cross_entropy", logits, labels);
  check(logits.dim() == 2 && labels.shape() == Shape{logits.size(0)},
        "cross_entropy: logits {} and labels {}; expected (N, C) and (N)", logits.shape(),
        labels.shape());
  check(labels.dtype() == DType::int64,
        "cross_entropy: the label tensor {} is {}; use .to(DType::int64)", labels.shape(),
        labels.dtype());
  const auto classes = labels.to_vector<int64_t>();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    check(classes[i] >= 0 && classes[i] < logits.size(1),
          "cross_entropy: label {} at position {} is out of range; logits {} have {} classes, "
          "counted from 0",
          classes[i], i, logits.shape(), logits.size(1));
  }
  return detail::as_result("cross_entropy",
                           -mean(gather(log_softmax(logits, 1), 1, labels.unsqueeze(1))));
}

}  // namespace cairn
