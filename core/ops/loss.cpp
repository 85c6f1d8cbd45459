// Loss functions. Each returns one value, a mean, unless its options say otherwise.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/loops/fold.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn {

namespace {

constexpr auto squared_error = [](auto u, auto v) { return (u - v) * (u - v); };

// The mean or the sum of the squared errors. Dense operands are read once, and nothing is kept.
Tensor reduced_error(const Tensor& x, const Tensor& target, bool is_mean) {
  constexpr const char* op = "mse_loss";
  const detail::View &a = x.view_of(), &b = target.view_of();
  const bool dense = a.shape == b.shape && a.contiguous && b.contiguous;
  if (!dense || a.dtype != b.dtype || !is_floating(a.dtype)) {
    const Tensor each = detail::map_floating(op, squared_error, x, target);
    return is_mean ? mean(each) : sum(each);
  }
  Tensor y = detail::new_tensor(op, {}, a.dtype);
  detail::dispatch_floating(a.dtype, [&]<class T>(T) {
    const double total = detail::sum_of(squared_error, a.numel, a.as<const T>(), b.as<const T>());
    *y.view_of().as<T>() = static_cast<T>(is_mean ? total / static_cast<double>(a.numel) : total);
  });
  return y;
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, const MSELossOptions& options) {
  constexpr const char* op = "mse_loss";
  detail::check_defined(op, x, target);
  check(options.broadcast || x.shape() == target.shape(),
        "{}: input {} and target {} differ; reshape one, or set broadcast = true", op, x.shape(),
        target.shape());
  const bool is_mean = options.reduction == Reduction::mean;
  const Tensor y = options.reduction == Reduction::none
                       ? detail::map_floating(op, squared_error, x, target)
                       : reduced_error(x, target, is_mean);
  // d(x-t)²/dx = 2 (x-t), divided by n for the mean. dy is one value unless nothing is reduced.
  const auto count = static_cast<double>(detail::broadcast(op, x.shape(), target.shape()).numel());
  const double scale = is_mean ? 2 / count : 2;
  const auto gradient = [scale](auto& dy, auto& a, auto& b) {
    return detail::formula(
        op, [scale](auto g, auto u, auto v) { return g * scale * (u - v); }, dy, a, b);
  };
  return record(op, y, wrt(x, gradient, x, target), wrt(target, gradient, target, x));
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
