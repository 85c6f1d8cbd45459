// Matrix products. blas.cpp is the only file that knows CBLAS.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::blas {

/// A matrix in memory, read with any strides.
template <class T>
struct Matrix {
  T* data;
  int64_t rows, cols;
  int64_t row_stride, col_stride;
};

/// c = a b, or c += a b. Shape: a (n, k), b (k, m), c (n, m) with col_stride 1.
/// Transposed operands are read in place. The caller copies an operand that is not is_dense().
/// Never throws, never allocates.
template <class T>
void gemm(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool accumulate);

/// Are its rows or its columns dense, as gemm() needs?
template <class T>
bool is_dense(const Matrix<const T>& x) {
  return (x.col_stride == 1 && x.row_stride >= x.cols) ||
         (x.row_stride == 1 && x.col_stride >= x.rows);
}

/// How many pieces of work of so many multiplications are worth a thread's while together.
constexpr int64_t worth_a_thread(int64_t products) {
  constexpr int64_t enough = 1 << 21;
  return products < enough ? enough / (products > 0 ? products : 1) : 1;
}

std::string description();
std::string core();

}  // namespace cairn::blas
