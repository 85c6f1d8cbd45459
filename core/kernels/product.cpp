// A panel of b, as wide as one vector of the largest set, is copied and filled up with zeros. Its
// rows are then dense, whatever b's strides and width are, and stay in the first cache. A tile of
// c, four rows of a panel's width, stays in registers.
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/kernels/product.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

/// Keeps g++ from unrolling a loop of one vector before it has vectorised the loop.
#ifdef __clang__
#define CAIRN_ONE_VECTOR
#else
#define CAIRN_ONE_VECTOR _Pragma("GCC unroll 1")
#endif

namespace cairn::kernels {
namespace {

using blas::Matrix;
using detail::At;
using detail::InstructionSet;

template <class T>
constexpr int64_t width = 64 / sizeof(T);  // of a panel and of a tile
constexpr int64_t height = 4;              // of a tile
constexpr int64_t depth = 256;             // of a panel, at most

// One tile: c = a panel, for `height` rows of a.
template <InstructionSet set, class T>
[[gnu::always_inline]] inline void multiply_tile(At<set> at, const std::array<const T*, height>& a,
                                                 int64_t a_stride, const T* panel, int64_t count,
                                                 T (&c)[height][width<T>]) {
  T sum[height][width<T>] = {};
  for (int64_t p = 0; p < count; ++p, panel += width<T>) {
    for (std::size_t i = 0; i < height; ++i) {
      const T x = a[i][p * a_stride];
      CAIRN_ONE_VECTOR
      for (int64_t j = 0; j < width<T>; ++j)
        sum[i][j] = detail::multiply_add(at, x, panel[j], sum[i][j]);
    }
  }
  std::copy_n(&sum[0][0], height * width<T>, &c[0][0]);
}

// Copies up to `width` values in pieces of fixed sizes. A loop, or a call, would take longer.
template <class T>
[[gnu::always_inline]] inline void copy_row(const T* from, int64_t count, T* to) {
  [&]<int64_t... piece>(std::integer_sequence<int64_t, piece...>) {
    const auto copy = [&]<int64_t n>(std::integral_constant<int64_t, n>) {
      if ((count & n) == 0) return;
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
      from += n;
      to += n;
    };
    (copy(std::integral_constant<int64_t, piece>()), ...);
  }
  (std::integer_sequence<int64_t, 16, 8, 4, 2, 1>());
}

// c = a panel, or c += a panel, for all rows of c, whose columns are those of the panel.
template <class T>
void multiply_panel(const Matrix<const T>& a, const T* panel, const Matrix<T>& c, bool accumulate) {
  detail::vectorised([=](auto at) {
    for (int64_t i = 0; i < c.rows; i += height) {
      const int64_t rows = std::min(height, c.rows - i);
      std::array<const T*, height> row;
      for (int64_t r = 0; r < height; ++r)  // a tile that is not full computes its last row again
        row[static_cast<std::size_t>(r)] = a.data + (i + std::min(r, rows - 1)) * a.row_stride;
      T tile[height][width<T>];
      multiply_tile(at, row, a.col_stride, panel, a.cols, tile);
      for (int64_t r = 0; r < rows; ++r) {
        T* const out = c.data + (i + r) * c.row_stride;
        if (accumulate) {
          for (int64_t j = 0; j < c.cols; ++j) tile[r][j] += out[j];
        }
        copy_row(tile[r], c.cols, out);
      }
    }
  });
}

template <class T>
void copy_panel(const Matrix<const T>& b, T* panel) {
  if (b.cols < width<T>) std::fill_n(panel, b.rows * width<T>, T{});
  for (int64_t p = 0; p < b.rows; ++p) {
    const T* const row = b.data + p * b.row_stride;
    T* const to = panel + p * width<T>;
    if (b.col_stride == 1) {
      copy_row(row, b.cols, to);
    } else {
      for (int64_t j = 0; j < b.cols; ++j) to[j] = row[j * b.col_stride];
    }
  }
}

// Every element of c is the product of a row of a and a column of b, both dense. For a few rows or
// a few columns, such as one sample, copying a panel would cost more than the products.
template <class T>
void dot_products(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
                  bool accumulate) {
  detail::vectorised([=](auto at) {
    for (int64_t i = 0; i < c.rows; ++i) {
      for (int64_t j = 0; j < c.cols; ++j) {
        const T* const x = a.data + i * a.row_stride;
        const T* const y = b.data + j * b.col_stride;
        T lane[width<T>] = {};
        int64_t p = 0;
        for (; p + width<T> <= a.cols; p += width<T>) {
          CAIRN_ONE_VECTOR
          for (int64_t k = 0; k < width<T>; ++k)
            lane[k] = detail::multiply_add(at, x[p + k], y[p + k], lane[k]);
        }
        T total{};
        for (; p < a.cols; ++p) total = detail::multiply_add(at, x[p], y[p], total);
        for (int64_t n = width<T> / 2; n > 0; n /= 2) {
          for (int64_t k = 0; k < n; ++k) lane[k] += lane[k + n];
        }
        T& out = c.data[i * c.row_stride + j];
        out = (accumulate ? out : T{}) + (lane[0] + total);
      }
    }
  });
}

}  // namespace

template <class T>
void small_product(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
                   bool accumulate) {
  if (std::min(c.rows, c.cols) < height && a.col_stride == 1 && b.row_stride == 1) {
    return dot_products(a, b, c, accumulate);
  }
  T panel[depth * width<T>];
  for (int64_t p = 0; p == 0 || p < a.cols; p += depth) {
    const int64_t count = std::min(depth, a.cols - p);
    for (int64_t j = 0; j < c.cols; j += width<T>) {
      const int64_t cols = std::min(width<T>, c.cols - j);
      copy_panel<T>(
          {b.data + p * b.row_stride + j * b.col_stride, count, cols, b.row_stride, b.col_stride},
          panel);
      multiply_panel<T>({a.data + p * a.col_stride, a.rows, count, a.row_stride, a.col_stride},
                        panel, {c.data + j, c.rows, cols, c.row_stride, 1}, accumulate || p > 0);
    }
  }
}

template void small_product(const Matrix<const float>&, const Matrix<const float>&,
                            const Matrix<float>&, bool);
template void small_product(const Matrix<const double>&, const Matrix<const double>&,
                            const Matrix<double>&, bool);
template void small_product(const Matrix<const uint64_t>&, const Matrix<const uint64_t>&,
                            const Matrix<uint64_t>&, bool);

}  // namespace cairn::kernels
