// How ops create tensors.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// A contiguous tensor whose values are not set. Error and OutOfMemory name `op`.
Tensor new_tensor(const char* op, const Shape& shape, DType dtype);

/// A view of x that begins `offset` elements after x does. It does not join a graph.
Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset = 0);

/// Makes y the result of `op`, which other ops computed: its node gets this name, and it is no
/// view, because no other tensor shows its values.
Tensor as_result(const char* op, const Tensor& y);

/// `value` as a scalar tensor of x's dtype. Throws Error for a fraction if x is int64.
Tensor like(const char* op, Scalar value, const Tensor& x);

/// x, or x as float32 if it is int64.
Tensor floating(const char* op, const Tensor& x);

/// Sums x to `shape`. Throws Error naming `op` unless `shape` broadcasts to x's shape.
Tensor sum_to(const char* op, const Tensor& x, const Shape& shape);

/// Is this the only handle, does no other tensor use its storage, and is it not expanded?
bool is_sole_owner(const Tensor& x);

/// x if it is contiguous and is_sole_owner(), else a copy.
Tensor owned(Tensor x);

}  // namespace cairn::detail
