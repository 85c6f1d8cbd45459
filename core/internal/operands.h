// What an op checks of its operands.
#pragma once

#include <cairn/core/internal/shapes.h>
#include <cairn/core/tensor.h>

#include <span>

namespace cairn::detail {

[[noreturn]] void fail_undefined(const char* op, std::span<const bool> defined);

/// Throws Error unless all are defined. An op checks this first.
inline void check_defined(const char* op, const Tensor& x) { x.impl(op); }
template <class... X>
void check_defined(const char* op, const Tensor& x, const X&... rest) {
  if (!(x.defined() && ... && rest.defined())) [[unlikely]] {
    const bool defined[] = {x.defined(), rest.defined()...};
    fail_undefined(op, defined);
  }
}

/// Throws Error unless x is floating.
void check_floating(const char* op, const Tensor& x);

/// Throws Error for a fraction beside an int64 tensor.
void check_number(const char* op, Scalar value, const Tensor& x);

/// Throws Error unless every value of the int64 `index` is in [0, n). The message calls it `what`.
void check_indices(const char* op, const char* what, const Tensor& index, int64_t n);

/// Throws Error naming both dtypes and shapes.
[[noreturn]] void fail_dtypes(const char* op, const Tensor& a, const Tensor& b);

/// The inputs' common dtype. Throws Error naming both where they differ.
template <class... X>
DType common_dtype(const char* op, const Tensor& x, const X&... rest) {
  check_defined(op, x, rest...);
  [[maybe_unused]] const auto require = [&](const Tensor& y) {
    if (y.dtype() != x.dtype()) [[unlikely]]
      fail_dtypes(op, x, y);
  };
  (require(rest), ...);
  return x.dtype();
}

/// The shape to which the inputs broadcast.
template <class... X>
Shape common_shape([[maybe_unused]] const char* op, const Tensor& x, const X&... rest) {
  Shape shape = x.shape();
  ((shape = broadcast(op, shape, rest.shape())), ...);
  return shape;
}

}  // namespace cairn::detail
