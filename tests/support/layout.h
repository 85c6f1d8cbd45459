// The ways in which a tensor may lie in memory.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::test {

enum class Layout { contiguous, transposed, strided, expanded };
inline constexpr Layout every_layout[] = {Layout::contiguous, Layout::transposed, Layout::strided,
                                          Layout::expanded};
const char* name_of(Layout layout);

/// Memory laid out so, values not set. What is to be expanded has one row, which the caller
/// repeats with expand(): x itself can then be written.
Tensor laid_out(Shape shape, Layout layout, DType dtype);

/// A copy of x laid out so; of what is to be expanded the first row.
Tensor copy_in(Layout layout, const Tensor& x);

}  // namespace cairn::test
