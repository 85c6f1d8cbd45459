// gemm() does every matrix product: a small one in a loop of ours, another one by CBLAS.
#include <cairn/core/internal/blas.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/kernels/product.h>

#include <cblas.h>

#include <algorithm>
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

// Up to this many multiplications a loop of ours is faster than a call of OpenBLAS (measured).
constexpr int64_t small_limit = 1 << 13;

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
// it gets one thread, and in_pieces() splits the product.
void keep_to_one_thread() {
  [[maybe_unused]] static const bool once = [] {
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
    return true;
  }();
}

// How a product is cut: into rows x cols pieces, which threads compute. The cut depends on the
// shape alone, so that any number of threads gives the same bits.
struct Cut {
  int64_t rows, cols;
};

// Each piece packs its rows of a and its columns of b again, so pieces are few and as square as can
// be (docs/performance.md).
Cut cut(int64_t rows, int64_t cols, int64_t products) {
  Cut cut{1, 1};
  for (int64_t worth = int64_t{1} << 25; products >= worth; worth <<= 5) {  // 2, 4, 8, ... pieces
    (rows / cut.rows >= cols / cut.cols ? cut.rows : cut.cols) *= 2;
  }
  return cut;
}

template <class T>
void in_pieces(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
               bool accumulate, int64_t products) {
  keep_to_one_thread();
  const Cut pieces = cut(c.rows, c.cols, products);
  const auto size = [](int64_t length, int64_t count) {
    constexpr int64_t whole = 64;  // a multiple of every kernel's tile
    return ((length - 1) / count / whole + 1) * whole;
  };
  const int64_t height = size(c.rows, pieces.rows), width = size(c.cols, pieces.cols);
  detail::parallel_for(pieces.rows * pieces.cols, 1, [&](int64_t piece, int64_t end) {
    for (; piece < end; ++piece) {
      const int64_t i = piece / pieces.cols * height, j = piece % pieces.cols * width;
      if (i >= c.rows || j >= c.cols) continue;
      auto part_a = a;
      auto part_b = b;
      auto part_c = c;
      part_a.data += i * a.row_stride;
      part_b.data += j * b.col_stride;
      part_c.data += i * c.row_stride + j;
      part_a.rows = part_c.rows = std::min(height, c.rows - i);
      part_b.cols = part_c.cols = std::min(width, c.cols - j);
      cblas_call(part_a, part_b, part_c, accumulate);
    }
  });
}

}  // namespace

template <class T>
void gemm(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool accumulate) {
  const int64_t products = c.rows * c.cols * a.cols;
  const bool callable = fits_int(std::max({a.row_stride, a.col_stride, b.row_stride, b.col_stride,
                                           c.row_stride, a.rows, a.cols, b.cols}));
  if constexpr (std::floating_point<T>) {
    if (products > small_limit && callable) {
      in_pieces(a, b, c, accumulate, products);
      return;
    }
  }
  kernels::small_product(a, b, c, accumulate);
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
