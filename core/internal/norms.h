// The interface of the norms, until the core has one.
#pragma once

#include <cairn/core/ops/batch_norm.h>

namespace cairn::detail {

inline Tensor normalize_by_batch(const char* op, const Tensor& x, const Tensor& weight,
                                 const Tensor& bias, double eps, Moments& moments) {
  return normalize_by_batch(op, x, Affine{weight, bias}, eps, moments);
}
inline Tensor normalize_by_record(const char* op, const Tensor& x, const Tensor& mean,
                                  const Tensor& var, const Tensor& weight, const Tensor& bias,
                                  double eps) {
  return normalize_by_record(op, x, mean, var, Affine{weight, bias}, eps);
}

}  // namespace cairn::detail
