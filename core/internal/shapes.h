// Computations with shapes and strides for ops.
#pragma once

#include <cairn/core/shape.h>

#include <array>
#include <cstdint>

namespace cairn::detail {

/// One flag for each dimension.
using DimMask = std::array<bool, Shape::max_rank>;

/// The strides of a dense row-major tensor.
Strides contiguous_strides(const Shape& shape);

/// Are these the strides of a dense row-major tensor? Dimensions of size 1 do not matter.
bool is_contiguous(const Shape& shape, const Strides& strides);

/// The shape to which two operands broadcast, by NumPy's rule: sizes are aligned at the right, and
/// 1 stretches. Throws Error naming `op` and both shapes.
Shape broadcast(const char* op, const Shape& a, const Shape& b);

/// The strides that read a tensor of `shape` as if it had the shape `target`: 0 where it stretches.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target);

/// Does `shape` broadcast to exactly `target`?
bool broadcasts_to(const Shape& shape, const Shape& target);

/// Dimension d of `shape`, counted from the front. Throws Error naming `op` if there is none.
int64_t wrap_dim(const char* op, int64_t d, const Shape& shape);

/// The same, but a scalar accepts 0 and -1, as in reductions.
int64_t wrap_dim_or_scalar(const char* op, int64_t d, const Shape& shape);

/// The place of a new dimension d of `shape`, counted from the front. Throws Error naming `op` if
/// there is no such place, or if `shape` has the highest rank already.
int64_t new_dim(const char* op, int64_t d, const Shape& shape);

/// The mask of `dims`. Throws Error if one of them appears twice.
DimMask dim_mask(const char* op, const Dims& dims, const Shape& shape);

}  // namespace cairn::detail
