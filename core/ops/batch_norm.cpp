// Batch normalisation: the norm with one group for each channel. It checks every operand first.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/norms.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>

namespace cairn {
namespace detail {
namespace {

void check_channels(const char* op, const Tensor& x, const Tensor& t, const char* name) {
  if (!t.defined()) return;
  check(t.shape() == Shape{x.shape()[1]}, "{}: {} {} does not match input {} with {} channels", op,
        name, t.shape(), x.shape(), x.shape()[1]);
  check(t.dtype() == x.dtype(),
        "{}: dtypes {} of {} {} and {} of the input {} do not mix; convert one, e.g. with "
        ".to(x.dtype())",
        op, t.dtype(), name, t.shape(), x.dtype(), x.shape());
}

void check_input(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 double eps) {
  check_defined(op, x);
  check(x.dim() >= 2, "{}: expected input (N, C, *), got rank {} {}", op, x.dim(), x.shape());
  check_floating(op, x);
  check_channels(op, x, weight, "weight");
  check_channels(op, x, bias, "bias");
  check_eps(op, eps);
}

// Throws Error unless a training forward may update `running`.
void check_running(const char* op, const Tensor& x, const Tensor& running, const char* name) {
  if (!running.defined()) return;
  check_channels(op, x, running, name);
  check(!running.requires_grad(),
        "{}: {} {} requires a gradient, which it cannot get; use detach()", op, name,
        running.shape());
  check_writable(op, running);
}

// Returns a copy in double. If `values` is undefined, each channel gets `fallback`.
Tensor in_double(const char* op, const Tensor& values, int64_t channels, double fallback) {
  if (!values.defined()) return full({channels}, fallback, {.dtype = DType::float64});
  Tensor y = new_tensor(op, {channels}, DType::float64);
  write_values(y, values.view_of());
  return y;
}

}  // namespace

Tensor normalize_by_batch(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          double eps, Moments& moments) {
  check_input(op, x, weight, bias, eps);
  return normalize_groups(op, x, {.rows_merged = true}, weight, bias, eps, moments);
}

Tensor normalize_by_record(const char* op, const Tensor& x, const Tensor& mean, const Tensor& var,
                           const Tensor& weight, const Tensor& bias, double eps) {
  check_input(op, x, weight, bias, eps);
  check_channels(op, x, mean, "running_mean");
  check_channels(op, x, var, "running_var");
  return normalize_groups_by(op, x, {.rows_merged = true}, in_double(op, mean, x.shape()[1], 0),
                             in_double(op, var, x.shape()[1], 1), weight, bias, eps);
}

}  // namespace detail

// NOLINTNEXTLINE(performance-unnecessary-value-param): a handle by value is written through
Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormFunctionOptions& options) {
  constexpr const char* op = "batch_norm";
  detail::check_defined(op, x);
  check(running_mean.defined() == running_var.defined(),
        "{}: give both running_mean and running_var, or neither", op);
  if (!options.training) {
    check(running_mean.defined(), "{}: without training it needs running_mean and running_var", op);
    return detail::normalize_by_record(op, x, running_mean, running_var, weight, bias, options.eps);
  }
  detail::check_momentum(op, options.momentum);
  detail::check_input(op, x, weight, bias, options.eps);
  detail::check_running(op, x, running_mean, "running_mean");
  detail::check_running(op, x, running_var, "running_var");
  check(x.numel() == 0 || x.numel() > x.size(1),
        "{}: training needs more than 1 value per channel, got input {}; use a larger batch, or "
        "training = false",
        op, x.shape());
  detail::Moments moments;
  Tensor y =
      detail::normalize_groups(op, x, {.rows_merged = true}, weight, bias, options.eps, moments);
  if (running_mean.defined() && moments.count > 0) {
    detail::blend(running_mean, options.momentum, moments.mean, 1);
    detail::blend(running_var, options.momentum, moments.var, detail::unbias(moments.count));
  }
  return y;
}

}  // namespace cairn
