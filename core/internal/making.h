// How ops make tensors.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// A tensor whose values are not set. OutOfMemory names `op`.
Tensor new_tensor(const char* op, const Shape& shape, DType dtype);

/// x's values under other dimensions; `offset` counts elements from x's first. Not recorded.
Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset = 0);

/// A number as a tensor of x's dtype. Throws Error for a fraction beside an int64 tensor.
Tensor like(const char* op, Scalar value, const Tensor& x);

/// x, or x as float32 if it is int64.
Tensor floating(const char* op, const Tensor& x);

/// The sum over the dimensions in which `shape` was broadcast to x's.
Tensor sum_to(const char* op, const Tensor& x, const Shape& shape);

/// Is this handle the only one, is its storage nobody else's, and is each element one value?
bool is_sole_owner(const Tensor& x);

/// x if nobody else can see its values, else a copy.
Tensor owned(Tensor x);

}  // namespace cairn::detail
