// What an op is given in tests: values in its domain, in any shape and layout.
#pragma once

#include "support/layout.h"

#include <cairn/core/ops.h>

#include <vector>

namespace cairn::test {

/// One input: where its values lie, and its shape. Values differ from each other and from those
/// of the next operand by a tenth of (high - low) / count at least, so that no two tie.
struct Operand {
  double low = -2.1, high = 1.9;
  Shape shape = {3, 4};
  Shape empty = {0, 4};  ///< the shape for the test of empty inputs
  bool broadcasts = true;
  DType dtype = DType::float64;

  /// The same values in a shape of one's own, which must be kept.
  Operand of(const Shape& its_shape, const Shape& its_empty) const {
    return {low, high, its_shape, its_empty, false, dtype};
  }
};

/// Away from 0 and from whole numbers, where some functions have kinks.
inline const Operand reals;
inline const Operand positive{.low = 0.4, .high = 2.4};
/// int64: 0, 1, ... n - 1 and again from 0.
inline Operand integers_below(double n) { return {.low = 0, .high = n, .dtype = DType::int64}; }

/// The k-th operand of an op. Its values are an even grid, in a scrambled order.
inline Tensor make(const Operand& operand, std::size_t k, const Shape& shape,
                   Layout layout = Layout::contiguous) {
  Tensor x = laid_out(shape, layout, operand.dtype);
  const int64_t n = x.numel();
  if (operand.dtype == DType::int64) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < n; ++i)
      values.push_back((i * 5 + 2) % static_cast<int64_t>(operand.high));
    return x.copy_(from_data(values, x.shape()));
  }
  const double spacing = (operand.high - operand.low) / static_cast<double>(n);
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<double>((i * 5 + 2) % n) + 0.5 + 0.3 * static_cast<double>(k);
    values.push_back(operand.low + at * spacing);
  }
  return x.copy_(from_data(values, x.shape()));
}

}  // namespace cairn::test
