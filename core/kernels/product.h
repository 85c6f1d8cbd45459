// The product of small matrices, for which a call of BLAS costs more than the arithmetic.
#pragma once

#include <cairn/core/internal/blas.h>

namespace cairn::kernels {

/// c = a b, or c += a b if `accumulate`, for a, b of any strides. The columns of c are dense.
template <class T>
void small_product(const blas::Matrix<const T>& a, const blas::Matrix<const T>& b,
                   const blas::Matrix<T>& c, bool accumulate);

}  // namespace cairn::kernels
