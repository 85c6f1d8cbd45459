// Matrix products. Their gradients are matrix products, too.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/matrices.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn {

using blas::Matrix;
using detail::matrix;
using detail::readable;
using detail::View;

namespace {

// The C++ type in which products are computed. Integers wrap, so they are unsigned.
template <class T>
using Factor = std::conditional_t<std::integral<T>, uint64_t, T>;

// (n, k) x (k, m) -> (n, m)
Tensor product_of_two(const Tensor& left, const Tensor& right, DType dtype) {
  Tensor y = detail::new_tensor("matmul", {left.size(0), right.size(1)}, dtype);
  detail::dispatch(dtype, [&]<class T>(T) {
    blas::gemm(matrix<const Factor<T>>(left.view_of()), matrix<const Factor<T>>(right.view_of()),
               matrix<Factor<T>>(y.view_of()), false);
  });
  return y;
}

// (..., n, k) x (..., k, m) -> (..., n, m). The leading dimensions broadcast.
Tensor product_of_batches(const Tensor& left, const Tensor& right, DType dtype) {
  const auto batch = [](const Tensor& x) { return Shape(x.shape().begin(), x.shape().end() - 2); };
  const int64_t n = left.size(-2), k = left.size(-1), m = right.size(-1);
  Shape shape = detail::broadcast("matmul", batch(left), batch(right));
  const auto batch_strides = [&](const Tensor& x) {
    const Strides& s = x.strides();
    return detail::broadcast_strides(batch(x), Strides(s.begin(), s.end() - 2), shape);
  };
  detail::Plan<2> batches;
  const Strides left_step = batch_strides(left), right_step = batch_strides(right);
  for (int64_t d = 0; d < shape.size(); ++d) batches.add(shape[d], {left_step[d], right_step[d]});
  const int64_t count = shape.numel();
  shape.push_back(n);
  shape.push_back(m);
  Tensor y = detail::new_tensor("matmul", shape, dtype);
  const View& out = y.view_of();
  detail::dispatch(dtype, [&]<class T>(T) {
    detail::parallel_for(count, blas::worth_a_thread(n * m * k), [&](int64_t at, int64_t end) {
      batches.visit(at, end, [&](const auto& offset, int64_t run, const auto& stride) {
        for (int64_t i = 0; i < run; ++i, ++at) {
          blas::gemm(matrix<const Factor<T>>(left.view_of(), offset[0] + i * stride[0]),
                     matrix<const Factor<T>>(right.view_of(), offset[1] + i * stride[1]),
                     matrix<Factor<T>>(out, at * n * m), false);
        }
      });
    });
  });
  return y;
}

Tensor product(const Tensor& a, const Tensor& b) {
  const DType dtype = detail::common_dtype("matmul", a, b);
  const Tensor left = readable(a), right = readable(b);
  const bool two = a.dim() == 2 && b.dim() == 2;
  const Tensor y =
      two ? product_of_two(left, right, dtype) : product_of_batches(left, right, dtype);
  const auto da = [](auto& dy, auto& factor) {  // dA (n,k) = dY (n,m) · Bᵀ (m,k)
    return product(dy, factor.transpose(-2, -1));
  };
  const auto db = [](auto& dy, auto& factor) {  // dB (k,m) = Aᵀ (k,n) · dY (n,m)
    return product(factor.transpose(-2, -1), dy);
  };
  return record("matmul", y, wrt(a, da, b), wrt(b, db, a));
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  detail::check_defined("matmul", a, b);
  check(a.dim() > 0 && b.dim() > 0, "matmul: {} times {}: a scalar is no matrix; multiply with *",
        a.shape(), b.shape());
  const int64_t columns = a.size(-1), rows = b.size(b.dim() == 1 ? 0 : -2);
  check(columns == rows, "matmul: {} times {}: {} columns on the left, {} rows on the right",
        a.shape(), b.shape(), columns, rows);
  if (a.dim() == 1) {
    return detail::as_result("matmul", matmul(a.unsqueeze(0), b).squeeze(b.dim() == 1 ? 0 : -2));
  }
  if (b.dim() == 1) return detail::as_result("matmul", matmul(a, b.unsqueeze(1)).squeeze(-1));
  if (a.dim() > 2 && b.dim() == 2) {  // one large product instead of many small ones
    Shape shape = a.shape();
    shape[-1] = b.size(1);
    return detail::as_result("matmul", product(a.flatten(0, -2), b).reshape(shape));
  }
  return product(a, b);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  detail::check_defined("linear", x, weight);
  check(weight.dim() == 2, "linear: weight {}; expected (out, in)", weight.shape());
  const int64_t out = weight.size(0), in = weight.size(1);
  check(x.dim() > 0, "linear: the input is a scalar, weight {} (out, in) expects {} features",
        weight.shape(), in);
  check(x.size(-1) == in, "linear: input {} has {} features, weight {} (out, in) expects {}",
        x.shape(), x.size(-1), weight.shape(), in);
  check(!bias.defined() || bias.shape() == Shape{out},
        "linear: bias {}, weight {} (out, in) expects [{}]",
        bias.defined() ? bias.shape() : Shape(), weight.shape(), out);
  if (x.dim() != 2) {
    Shape shape = x.shape();
    shape[-1] = out;
    const int64_t rows = in == 0 ? Shape(shape.begin(), shape.end() - 1).numel() : x.numel() / in;
    return detail::as_result("linear", linear(x.reshape({rows, in}), weight, bias).reshape(shape));
  }
  const DType dtype = detail::common_dtype("linear", x, weight);
  detail::check_floating("linear", x);
  if (bias.defined()) detail::common_dtype("linear", x, bias);

  Tensor y = detail::new_tensor("linear", {x.size(0), out}, dtype);
  if (bias.defined()) detail::write_values(y, bias.view_of());
  const Tensor rows = readable(x), columns = readable(weight);
  detail::dispatch_floating(dtype, [&]<class T>(T) {
    Matrix<const T> w = matrix<const T>(columns.view_of());
    std::swap(w.rows, w.cols);
    std::swap(w.row_stride, w.col_stride);
    blas::gemm(matrix<const T>(rows.view_of()), w, matrix<T>(y.view_of()), bias.defined());
  });
  const auto dx = [](auto& dy, auto& w) { return product(dy, w); };  // dX (N,in) = dY · W (out,in)
  const auto dw = [](auto& dy, auto& v) { return product(dy.t(), v); };  // dW = dYᵀ (out,N) · X
  const auto db = [](auto& dy) { return dy; };  // the engine sums it over N
  return record("linear", y, wrt(x, dx, weight), wrt(weight, dw, x), wrt(bias, db));
}

}  // namespace cairn
