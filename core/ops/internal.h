// What the ops share and users do not see: making, writing and owning tensors.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>

namespace cairn::detail {

[[noreturn]] void fail_undefined(const char* op, std::span<const bool> defined);

/// Throws Error unless all are defined. What an op does first.
inline void check_defined(const char* op, const Tensor& x) { x.impl(op); }
template <class... X>
void check_defined(const char* op, const Tensor& x, const X&... rest) {
  if (!(x.defined() && ... && rest.defined())) [[unlikely]] {
    const bool defined[] = {x.defined(), rest.defined()...};
    fail_undefined(op, defined);
  }
}

/// A tensor whose values are not set. `op` is named if there is no memory for it.
Tensor new_tensor(const char* op, const Shape& shape, DType dtype);

/// Other dimensions of x's values; `offset` counts elements from x's first. Not recorded.
Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset = 0);

/// Where a new dimension d of `shape` goes, counted from the front. Throws Error naming `op` if
/// there is no such place, or no room for one more.
int64_t new_dim(const char* op, int64_t d, const Shape& shape);

/// Throws Error for a fraction beside an int64 tensor.
void check_number(const char* op, Scalar value, const Tensor& x);

/// A number as a tensor of x's dtype. Throws Error as check_number().
Tensor like(const char* op, Scalar value, const Tensor& x);

/// x, or x as float32 if it is int64: what exp() and its kind start from.
Tensor floating(const char* op, const Tensor& x);

/// Throws Error unless x is floating.
void check_floating(const char* op, const Tensor& x);

/// Throws Error unless every value of the int64 `index` is in [0, n). `what` it is called.
void check_indices(const char* op, const char* what, const Tensor& index, int64_t n);

/// The sum over the dimensions in which `shape` was broadcast to x's.
Tensor sum_to(const char* op, const Tensor& x, const Shape& shape);

// ---- writing ----

/// Does an element stand for several (an expanded tensor)?
bool overlaps_itself(const View& view);

/// Checks that x may be written in place, with values that are `tracked` or not.
void check_writable(const char* op, const Tensor& x, bool tracked = false);

/// The same for writing that no graph can follow: by pointer, by a random generator.
void check_raw_write(const char* op, const Tensor& x);

/// x's values become y's, broadcast and converted; counts as a write. Checks nothing, cannot fail.
void write_values(const Tensor& x, const View& y) noexcept;

/// x += y for equal shapes and dtypes; counts as a write. Checks nothing, cannot fail.
void accumulate(const Tensor& x, const Tensor& y) noexcept;

// ---- owning ----

/// Is this handle the only one, its storage nobody else's, and each element one value?
bool is_sole_owner(const Tensor& x);

/// x if nobody else can see its values, else a copy.
Tensor owned(Tensor x);

}  // namespace cairn::detail
