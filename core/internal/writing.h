// How values are written: what must be checked before, and the one counted way to do it.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::detail {

/// Does an element stand for several, as in an expanded tensor?
bool overlaps_itself(const View& view);

/// Throws Error unless x may be written in place. `tracked`: the new values require a gradient.
void check_writable(const char* op, const Tensor& x, bool tracked = false);

/// The same for a write that no graph can follow: by pointer, or by a random generator.
void check_raw_write(const char* op, const Tensor& x);

/// Counts a write to x and returns its view. Every write to a tensor that others may have saved
/// begins here: a saved tensor whose storage was written to is refused. Checks nothing.
inline const View& begin_write(const Tensor& x) noexcept {
  const View& view = x.view_of();
  ++view.storage->version;
  return view;
}
/// The same; returns the first element.
template <class T>
T* begin_write(const Tensor& x) noexcept {
  return begin_write(x).template as<T>();
}

/// x's values become y's, broadcast and converted. Checks nothing and cannot fail.
void write_values(const Tensor& x, const View& y) noexcept;

/// x += y for equal shapes and dtypes. Checks nothing and cannot fail.
void accumulate(const Tensor& x, const Tensor& y) noexcept;

}  // namespace cairn::detail
