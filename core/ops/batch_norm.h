// Batch normalisation in parts: the forward and what it measured come first; whoever keeps a record
// moves it afterwards, in a step that cannot fail. The functional batch_norm and the modules are
// both made of these.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// What a forward in training measured of each channel.
struct Moments {
  Tensor mean, rest, var;  // float64 (C); the mean is mean + rest, the variance biased
  int64_t count = 0;       // values a channel
};

struct Affine {
  const Tensor& weight;  // (C) or undefined
  const Tensor& bias;
};

/// Normalises input (N, C, *) by its own moments and reports them. Throws Error for one value a
/// channel. An empty input gives an empty output, and moments of count 0.
Tensor normalize_by_batch(const char* op, const Tensor& input, const Affine& affine, double eps,
                          Moments& moments);

/// Normalises input by a record, mean and var (C); left undefined they are 0 and 1. The record is
/// kept by value: that it moves later does not harm this gradient.
Tensor normalize_by_record(const char* op, const Tensor& input, const Tensor& mean,
                           const Tensor& var, const Affine& affine, double eps);

/// Throws Error unless momentum is in [0, 1].
void check_momentum(const char* op, double momentum);
/// Throws Error unless eps is finite and not negative.
void check_eps(const char* op, double eps);

/// `sum` becomes the moments of its values and of those of `more`, as if measured at once, however
/// far the means are from 0.
void merge(Moments& sum, const Moments& more) noexcept;

/// running <- (1 - share) running + share * factor * measured, in double; a share of 1 replaces
/// what was there, finite or not. Cannot fail; counts as a write.
void blend(const Tensor& running, double share, const Tensor& measured, double factor) noexcept;

/// What makes a biased variance of `count` values unbiased.
inline double unbias(int64_t count) {
  return static_cast<double>(count) / static_cast<double>(count - 1);
}

}  // namespace cairn::detail
