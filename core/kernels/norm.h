// The norms' passes over memory. A line is summed in blocks that depend on the sizes alone, so the
// result does not depend on the number of threads. All arithmetic is in double and is rounded once.
//
// An input has rows, channels and positions. If rows are merged, a line is one channel of all rows.
// Otherwise a line is one channel of one row. A group is `group_lines` neighbouring lines, and has
// one mean and one variance. Each pass works on a range of groups.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cairn::kernels {

/// The sizes of an input, and those of the blocks. They are computed once, since each takes a
/// division, which costs as much as many elements of a small input.
struct NormSizes {
  NormSizes(int64_t rows_, int64_t channels_, int64_t positions_, bool rows_merged_,
            int64_t group_lines_)
      : rows(rows_),
        channels(channels_),
        positions(positions_),
        rows_merged(rows_merged_),
        group_lines(group_lines_) {
    if (rows * channels * positions == 0) return;  // nothing is to be cut
    const int64_t block_values = std::clamp<int64_t>((1 << 17) / channels, 512, 8192);
    block_rows = std::clamp<int64_t>(block_values / positions, 1, line_rows());
    piece = positions < 2 * block_values ? positions : block_values;
    row_pieces = (positions - 1) / piece + 1;
    line_blocks = ((line_rows() - 1) / block_rows + 1) * row_pieces;
  }

  int64_t rows, channels, positions;
  bool rows_merged;
  int64_t group_lines;
  // A block is several rows with few positions, or a piece of one row with many positions.
  int64_t block_rows = 1, piece = 1, row_pieces = 1, line_blocks = 1;

  int64_t lines() const { return rows_merged ? channels : rows * channels; }
  int64_t line_rows() const { return rows_merged ? rows : 1; }
  int64_t groups() const { return lines() / group_lines; }
  int64_t group_values() const { return group_lines * line_rows() * positions; }
};

struct GroupRange {
  int64_t begin, end;
};

/// One tensor of these sizes.
template <class T>
struct NormData {
  T* data;
  int64_t row_stride, channel_stride, position_stride;
};

/// Two sums over a block of a line. The blocks of line l begin at index l * line_blocks.
struct Sums {
  double first, second;

  Sums& operator+=(const Sums& more) {
    first += more.first;
    second += more.second;
    return *this;
  }
};
/// Adds up the sums over the blocks of a line.
inline Sums line_sums(const NormSizes& n, const Sums* sums, int64_t line) {
  Sums total{};
  for (int64_t i = line * n.line_blocks; i < (line + 1) * n.line_blocks; ++i) total += sums[i];
  return total;
}

/// The numbers of the lines, under the names of the derivation in core/ops/norm.cpp.
struct NormLines {
  double *m = nullptr, *s = nullptr, *a = nullptr, *b = nullptr;  // of each line
  double *mean_h = nullptr, *k = nullptr;                         // of each line
  double *gamma = nullptr, *beta = nullptr;                       // of each position, or null
  Sums* sums = nullptr;
};

template <class T>
struct NormKernels {
  using In = NormData<const T>;
  using Out = NormData<T>;

  /// Sets m of each line to the first value of its group, or to 0 if that value is not finite.
  /// Sets the sums to those of d = x - m and of d².
  static void measure(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& x);

  /// y = (x - m) a + b, or y = (x - m) a gamma + beta.
  static void apply(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& x,
                    const Out& y);

  /// Sets the sums to those of g and g (x - m), or of g gamma and g gamma (x - m).
  static void products(const NormSizes& n, GroupRange groups, const NormLines& lines, const In& g,
                       const In& x);

  /// dx = h - mean_h - k (x - m) with h = a g, or h = a g gamma.
  static void input_gradient(const NormSizes& n, GroupRange groups, const NormLines& lines,
                             const In& g, const In& x, const Out& dx);

  /// Sets the sums, in the order of transposed(n), to those of g and g (x - m) s over the rows at
  /// each position. There is one channel.
  static void position_products(const NormSizes& n, const NormLines& lines, const In& g,
                                const In& x);
};

/// For an input of one channel: takes its positions as channels, and its rows as positions.
inline NormSizes transposed(const NormSizes& n) { return {1, n.positions, n.rows, true, 1}; }

}  // namespace cairn::kernels
