#include "support/layout.h"

#include <cairn/core/ops.h>

#include <utility>

namespace cairn::test {

const char* name_of(Layout layout) {
  constexpr const char* names[] = {"contiguous", "transposed", "strided", "expanded"};
  return names[static_cast<std::size_t>(layout)];
}

Tensor laid_out(Shape shape, Layout layout, DType dtype) {
  if (shape.empty()) return empty(shape, {.dtype = dtype});
  if (layout == Layout::transposed && shape.size() > 1) {
    std::swap(shape[-1], shape[-2]);
    return empty(shape, {.dtype = dtype}).transpose(-1, -2);
  }
  if (layout == Layout::strided) {
    shape[-1] = 2 * shape[-1] + 1;
    return empty(shape, {.dtype = dtype}).slice(-1, 1, shape[-1], 2);
  }
  if (layout == Layout::expanded && shape[0] > 0) shape[0] = 1;
  return empty(shape, {.dtype = dtype});
}

Tensor copy_in(Layout layout, const Tensor& x) {
  Tensor y = laid_out(x.shape(), layout, x.dtype());
  return y.copy_(y.shape() == x.shape() ? x : x.slice(0, 0, 1));
}

}  // namespace cairn::test
