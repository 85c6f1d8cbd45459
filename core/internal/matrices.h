// Tensors as the matrices that blas::gemm() multiplies.
#pragma once

#include <cairn/core/internal/blas.h>
#include <cairn/core/tensor.h>

namespace cairn::detail {

/// The last two dimensions of x. `offset` counts elements, to one matrix of a batch.
template <class T>
blas::Matrix<T> matrix(const View& x, int64_t offset = 0) {
  const int64_t r = x.shape.size() - 2;
  return {x.as<T>() + offset, x.shape[r], x.shape[r + 1], x.strides[r], x.strides[r + 1]};
}

/// x itself if gemm() can read its matrices in place, transposed ones too; else a copy.
inline Tensor readable(const Tensor& x) {
  return blas::is_dense(matrix<const float>(x.view_of())) ? x : x.detach().clone();
}

}  // namespace cairn::detail
