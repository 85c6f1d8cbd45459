// The passes over memory that the norms make, on raw pointers and sizes.
//
// A norm sees its input as (rows, channels, positions). A line is the positions of one row and
// channel; where rows are merged, it is those of one channel in all rows. So many lines next to
// each other are a group, which has one mean and one variance.
//
// All arithmetic is in double and is rounded once. A line is summed in blocks that depend on the
// sizes alone, so the result does not depend on the number of threads. A pass works on a range of
// groups.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cairn::kernels {

struct NormSizes {
  int64_t rows, channels, positions;
  bool rows_merged;
  int64_t group_lines;

  int64_t lines() const { return rows_merged ? channels : rows * channels; }
  int64_t line_rows() const { return rows_merged ? rows : 1; }
  int64_t groups() const { return lines() / group_lines; }
  int64_t group_values() const { return group_lines * line_rows() * positions; }

  /// A block is several rows of few positions, or a piece of the many positions of one row.
  int64_t block_values() const { return std::clamp<int64_t>((1 << 17) / channels, 512, 8192); }
  int64_t block_rows() const {
    return std::clamp<int64_t>(block_values() / positions, 1, line_rows());
  }
  int64_t piece() const { return positions < 2 * block_values() ? positions : block_values(); }
  int64_t row_pieces() const { return (positions - 1) / piece() + 1; }
  int64_t line_blocks() const { return ((line_rows() - 1) / block_rows() + 1) * row_pieces(); }
};

struct GroupRange {
  int64_t begin, end;
};

/// One operand of these sizes.
template <class T>
struct NormData {
  T* data;
  int64_t row_stride, channel_stride, position_stride;
};

/// Two sums over a block of a line. Those of line l begin at l * line_blocks().
struct Sums {
  double first, second;
};
/// The sums over a line, from those over its blocks.
inline Sums line_sums(const NormSizes& n, const Sums* sums, int64_t line) {
  Sums total{};
  for (int64_t i = line * n.line_blocks(); i < (line + 1) * n.line_blocks(); ++i) {
    total.first += sums[i].first;
    total.second += sums[i].second;
  }
  return total;
}

/// What the passes know of each line, under the names of the derivation in core/ops/norm.cpp.
struct NormLines {
  double *m, *s, *a, *b, *mean_h, *k;        // of each line
  double *gamma = nullptr, *beta = nullptr;  // of each position, where they are not of the line
  Sums* sums;
};

template <class T>
struct NormKernels {
  using In = NormData<const T>;
  using Out = NormData<T>;

  /// Sets m of each line to an origin, the first value of the line's group, and the sums to those
  /// of d = x - m and of d².
  static void moments(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& x);

  /// y = (x - m) a + b, or y = (x - m) a gamma + beta.
  static void apply(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& x,
                    const Out& y);

  /// Sets the sums to those of g and g (x - m), or of g gamma and g gamma (x - m).
  static void products(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& g,
                       const In& x);

  /// dx = h - mean_h - k (x - m) with h = a g, or h = a g gamma.
  static void input_gradient(const NormSizes& n, GroupRange groups, const NormLines& lines,
                             const In& g, const In& x, const Out& dx);

  /// Sets the sums to those of g and g (x - m) s, for each position over all rows of the one
  /// channel: they are the sums of transposed(n).
  static void position_products(const NormSizes& n, const NormLines& lines, const In& g,
                                const In& x);
};

/// The positions of one channel, seen as channels whose positions are the rows.
inline NormSizes transposed(const NormSizes& n) { return {1, n.positions, n.rows, true, 1}; }

}  // namespace cairn::kernels
