// Normalisation: what the norms share, and the steps that batch_norm and the layers are made of. A
// forward comes first and reports what it measured; whoever keeps running statistics updates them
// afterwards, in a step that cannot fail.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// The mean and variance of each group of values.
struct Moments {
  Tensor mean, mean_lo, var;  // float64 (groups); the mean is mean + mean_lo, var is biased
  int64_t count = 0;          // values a group
};

/// Which values of an input (N, C, *) share a mean and a variance.
struct NormGroups {
  bool rows_merged;          // a group has the values of all samples, not of one
  int64_t channels = 1;      // and so many channels next to each other
  bool by_position = false;  // weight and bias are (positions), not (C); C is 1
};

/// y = (x - mean) / sqrt(var + eps) * weight + bias with each group's own mean and var, which it
/// reports. Shape: x (N, C, *) -> y (N, C, *); weight and bias (C) or (positions), or undefined.
/// Checks nothing. An empty x gives an empty y, and moments of count 0.
Tensor normalize_groups(const char* op, const Tensor& x, const NormGroups& groups,
                        const Tensor& weight, const Tensor& bias, double eps, Moments& moments);

/// The same by given statistics, mean and var (groups) in float64, which are constants.
Tensor normalize_groups_by(const char* op, const Tensor& x, const NormGroups& groups,
                           const Tensor& mean, const Tensor& var, const Tensor& weight,
                           const Tensor& bias, double eps);

/// Normalises each channel of x (N, C, *) by its own moments and reports them.
/// Throws Error unless weight and bias are undefined or match x. An empty x gives an empty y, and
/// moments of count 0; one value a channel gives the bias.
Tensor normalize_by_batch(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          double eps, Moments& moments);

/// The same by given statistics, mean and var (C). Their values are copied, so a later write to
/// them does not harm the gradient.
Tensor normalize_by_record(const char* op, const Tensor& x, const Tensor& mean, const Tensor& var,
                           const Tensor& weight, const Tensor& bias, double eps);

/// Throws Error unless momentum is in [0, 1].
void check_momentum(const char* op, double momentum);
/// Throws Error unless eps is finite and not negative.
void check_eps(const char* op, double eps);

/// `sum` becomes the moments of its values and of those of `more`, as if measured at once, however
/// far the means are from 0. Writes into the tensors of `sum`, which must be its own.
void merge(Moments& sum, const Moments& more) noexcept;

/// running <- (1 - share) running + share * factor * measured, in double. A share of 1 replaces
/// what was there, finite or not. Counts as a write.
void blend(const Tensor& running, double share, const Tensor& measured, double factor) noexcept;

/// What makes a biased variance of `count` values unbiased.
inline double unbias(int64_t count) {
  return static_cast<double>(count) / static_cast<double>(count - 1);
}

}  // namespace cairn::detail
