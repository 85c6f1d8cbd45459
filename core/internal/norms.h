// What all norms share. A forward normalises and returns the moments that it measured. The owner of
// running statistics updates them afterwards, in a step that cannot fail.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// The mean and variance of each group of values.
struct Moments {
  Tensor mean, mean_lo, var;  // float64 (groups); the mean is mean + mean_lo, var is biased
  int64_t count = 0;          // values in a group
};

/// Which values of an input (N, C, *) share a mean and a variance.
struct NormGroups {
  bool rows_merged;          // a group contains all samples, instead of one
  int64_t channels = 1;      // adjacent channels in a group
  bool by_position = false;  // weight and bias are (positions) instead of (C); C is 1
};

/// y = (x - mean) / sqrt(var + eps) * weight + bias with the mean and var of each group, which
/// `moments` receives. Shape: x (N, C, *) -> y (N, C, *); weight and bias (C) or (positions), or
/// undefined. Checks nothing. An empty x gives an empty y, and moments of count 0.
Tensor normalize_groups(const char* op, const Tensor& x, const NormGroups& groups,
                        const Tensor& weight, const Tensor& bias, double eps, Moments& moments);

/// The same with the given mean and var (groups), float64, which get no gradient.
Tensor normalize_groups_by(const char* op, const Tensor& x, const NormGroups& groups,
                           const Tensor& mean, const Tensor& var, const Tensor& weight,
                           const Tensor& bias, double eps);

/// Normalises each channel of x (N, C, *) by its moments, which `moments` receives.
/// Throws Error unless weight and bias are undefined or match x. An empty x gives an empty y, and
/// moments of count 0. With one value in each channel, y is the bias.
Tensor normalize_by_batch(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          double eps, Moments& moments);

/// The same with the given mean and var (C). Their values are copied, so that a later write to them
/// does not change the gradient.
Tensor normalize_by_record(const char* op, const Tensor& x, const Tensor& mean, const Tensor& var,
                           const Tensor& weight, const Tensor& bias, double eps);

/// Throws Error unless momentum is in [0, 1].
void check_momentum(const char* op, double momentum);
/// Throws Error unless eps is finite and not negative.
void check_eps(const char* op, double eps);

/// Merges `more` into `sum`, as accurately as if all values had been measured together, however far
/// the means are from 0. Writes to the tensors of `sum`, which no other tensor may share.
void merge(Moments& sum, const Moments& more) noexcept;

/// running <- (1 - share) running + share * factor * measured, in double. A share of 1 replaces
/// the old values, even NaN. Shape: running and measured (C). Counts as a write.
void blend(const Tensor& running, double share, const Tensor& measured, double factor) noexcept;

/// The factor from the biased variance of `count` values to the unbiased one: n / (n - 1).
inline double unbias(int64_t count) {
  return static_cast<double>(count) / static_cast<double>(count - 1);
}

}  // namespace cairn::detail
