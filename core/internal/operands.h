// Checks of the operands of an op.
#pragma once

#include <cairn/core/internal/shapes.h>
#include <cairn/core/tensor.h>

#include <span>

namespace cairn::detail {

[[noreturn]] void fail_undefined(const char* op, std::span<const bool> defined);

/// Throws Error unless all tensors are defined. Every op calls this first.
inline void check_defined(const char* op, const Tensor& x) { x.impl(op); }
template <class... X>
void check_defined(const char* op, const Tensor& x, const X&... others) {
  if (!(x.defined() && ... && others.defined())) [[unlikely]] {
    const bool defined[] = {x.defined(), others.defined()...};
    fail_undefined(op, defined);
  }
}

/// Throws Error unless x is floating.
void check_floating(const char* op, const Tensor& x);

/// Throws Error if `value` is a fraction and x is int64.
void check_number(const char* op, Scalar value, const Tensor& x);

/// Throws Error unless every index is int64 and in [0, n). The message calls an index `what`.
void check_indices(const char* op, const char* what, const Tensor& index, int64_t n);

/// Throws Error naming both dtypes and shapes.
[[noreturn]] void fail_dtypes(const char* op, const Tensor& a, const Tensor& b);

/// The dtype of all inputs. Throws Error naming both if two of them differ.
template <class... X>
DType common_dtype(const char* op, const Tensor& x, const X&... others) {
  check_defined(op, x, others...);
  [[maybe_unused]] const auto require = [&](const Tensor& y) {
    if (y.dtype() != x.dtype()) [[unlikely]]
      fail_dtypes(op, x, y);
  };
  (require(others), ...);
  return x.dtype();
}

/// The shape to which the inputs broadcast.
template <class... X>
Shape common_shape([[maybe_unused]] const char* op, const Tensor& x, const X&... others) {
  Shape shape = x.shape();
  ((shape = broadcast(op, shape, others.shape())), ...);
  return shape;
}

}  // namespace cairn::detail
