// gemm() does every matrix product: a small one in a plain loop, another one in bands by CBLAS.
#include <cairn/core/internal/blas.h>
#include <cairn/core/internal/parallel.h>

#include <cblas.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>

// Only OpenBLAS declares and defines these functions. With another CBLAS they are null.
// NOLINTBEGIN(readability-redundant-declaration)
extern "C" {
[[gnu::weak]] void openblas_set_num_threads(int threads);
[[gnu::weak]] char* openblas_get_config(void);
[[gnu::weak]] char* openblas_get_corename(void);
}
// NOLINTEND(readability-redundant-declaration)

namespace cairn::blas {
namespace {

// Up to this many multiplications a plain loop is faster than OpenBLAS (measured: the overhead of a
// call is about 4000 multiplications).
constexpr int64_t plain_limit = 1 << 13;

// Takes any strides and any element type. It computes eight columns at a time, whose sums are
// independent; the compiler vectorises them if b's rows are dense.
template <class T>
void plain_gemm(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
                bool accumulate) {
  constexpr int64_t tile = 8;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; j += tile) {
      const int64_t width = std::min(tile, c.cols - j);
      T* const out = c.data + i * c.row_stride + j;
      std::array<T, tile> sum{};
      const auto add_products = [&](int64_t n) {
        for (int64_t p = 0; p < a.cols; ++p) {
          const T x = a.data[i * a.row_stride + p * a.col_stride];
          const T* const row = b.data + p * b.row_stride + j * b.col_stride;
          for (int64_t k = 0; k < n; ++k) {
            sum[static_cast<std::size_t>(k)] += x * row[k * b.col_stride];
          }
        }
      };
      width == tile ? add_products(tile) : add_products(width);
      for (int64_t k = 0; k < width; ++k) {
        const T s = sum[static_cast<std::size_t>(k)];
        out[k] = accumulate ? out[k] + s : s;
      }
    }
  }
}

// BLAS takes int, and a leading dimension no less than the row length, even for a single row.
template <class T>
int leading(const Matrix<const T>& x, bool transposed) {
  return static_cast<int>(transposed ? std::max(x.col_stride, x.rows)
                                     : std::max(x.row_stride, x.cols));
}

template <class T>
void cblas_call(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
                bool accumulate) {
  const bool ta = a.col_stride != 1 || a.row_stride < a.cols;
  const bool tb = b.col_stride != 1 || b.row_stride < b.cols;
  const auto gemm = [] {
    if constexpr (std::same_as<T, float>) {
      return cblas_sgemm;
    } else {
      return cblas_dgemm;
    }
  }();
  gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
       static_cast<int>(c.rows), static_cast<int>(c.cols), static_cast<int>(a.cols), T{1}, a.data,
       leading(a, ta), b.data, leading(b, tb), accumulate ? T{1} : T{0}, c.data,
       static_cast<int>(c.row_stride));
}

bool fits_int(int64_t n) { return n <= std::numeric_limits<int>::max(); }

// OpenBLAS splits a product differently for each number of threads, which changes the last bits. So
// it gets one thread, and banded() splits the product.
void keep_to_one_thread() {
  [[maybe_unused]] static const bool once = [] {
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
    return true;
  }();
}

// Splits into bands by the shape alone, so that any number of threads gives the same bits.
template <class T>
void banded(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool accumulate,
            int64_t products) {
  keep_to_one_thread();
  const bool by_rows = c.rows >= c.cols;
  const int64_t length = by_rows ? c.rows : c.cols;
  const int64_t band = std::max<int64_t>(64, worth_a_thread(products / length));
  detail::parallel_for(length, band, [&](int64_t begin, int64_t end) {
    auto part_a = a;
    auto part_b = b;
    auto part_c = c;
    if (by_rows) {
      part_a.data += begin * a.row_stride;
      part_c.data += begin * c.row_stride;
      part_a.rows = part_c.rows = end - begin;
    } else {
      part_b.data += begin * b.col_stride;
      part_c.data += begin;
      part_b.cols = part_c.cols = end - begin;
    }
    cblas_call(part_a, part_b, part_c, accumulate);
  });
}

}  // namespace

template <class T>
void gemm(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool accumulate) {
  const int64_t products = c.rows * c.cols * a.cols;
  const bool callable = fits_int(std::max({a.row_stride, a.col_stride, b.row_stride, b.col_stride,
                                           c.row_stride, a.rows, a.cols, b.cols}));
  if constexpr (std::floating_point<T>) {
    if (products > plain_limit && callable) {
      banded(a, b, c, accumulate, products);
      return;
    }
  }
  plain_gemm(a, b, c, accumulate);
}

template void gemm(const Matrix<const float>&, const Matrix<const float>&, const Matrix<float>&,
                   bool);
template void gemm(const Matrix<const double>&, const Matrix<const double>&, const Matrix<double>&,
                   bool);
template void gemm(const Matrix<const uint64_t>&, const Matrix<const uint64_t>&,
                   const Matrix<uint64_t>&, bool);

std::string description() {
  return openblas_get_config != nullptr ? std::string(openblas_get_config()) + ", kept to 1 thread"
                                        : "CBLAS";
}
std::string core() {
  return openblas_get_corename != nullptr ? openblas_get_corename() : "unknown";
}

}  // namespace cairn::blas
