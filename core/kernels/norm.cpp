// Two loop orders serve every layout. If channels are dense in all operands, the innermost loop is
// over channels. Otherwise it is over the positions of one line.
//
// The loops over a dense block are vectorised for the CPU. The others are compiled once.
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/kernels/norm.h>

#include <array>
#include <cmath>
#include <cstddef>

namespace cairn::kernels {
namespace {

using detail::vectorised;

// ---- one block ----

// How many channels are summed at the same time, at most. Their sums are on the stack.
constexpr int64_t max_channels = 1024;

// How many rows of channels are visited at the same time. What belongs to a channel, such as its
// sums, is then read and written once for all of them.
constexpr int64_t rows_together = 4;

// A block of one line, or the same block of several neighbouring lines.
struct Block {
  int64_t line, lines, index, row, rows, position, positions;

  Block(const NormSizes& n, int64_t line_, int64_t lines_, int64_t index_)
      : line(line_), lines(lines_), index(index_) {
    position = index % n.row_pieces * n.piece;
    positions = std::min(n.piece, n.positions - position);
    row = n.rows_merged ? index / n.row_pieces * n.block_rows : line / n.channels;
    rows = n.rows_merged ? std::min(n.block_rows, n.rows - row) : 1;
  }
  template <class T>
  T* first(const NormSizes& n, const NormData<T>& x) const {
    return x.data + row * x.row_stride + line % n.channels * x.channel_stride +
           position * x.position_stride;
  }
};

template <class T>
struct Strided {
  T* data;
  int64_t stride;
  T& operator[](int64_t i) const { return data[i * stride]; }
};

// One operand's values in a block, with the strides of three nested loops.
template <class T>
struct BlockData {
  T* data;
  int64_t row_stride, outer_stride, inner_stride;

  // Returns what the inner loop indexes. A plain pointer lets the compiler vectorise a dense loop.
  template <bool dense>
  auto inner(int64_t row, int64_t outer) const {
    T* const first = data + row * row_stride + outer * outer_stride;
    if constexpr (dense) {
      return first;
    } else {
      return Strided<T>{first, inner_stride};
    }
  }
};

// The neighbours of an inner loop at `outer`, one for each of the rows that are visited together.
template <class T, std::size_t... R>
std::array<T*, sizeof...(R)> together(const BlockData<T>& x, int64_t row, int64_t outer,
                                      std::index_sequence<R...>) {
  return {x.template inner<true>(row, outer + static_cast<int64_t>(R))...};
}

// y = f(i)(x...) for the index i of the inner loop, over `outers` outer ones.
template <bool dense, class F, class T, class... In>
[[gnu::always_inline]] inline void map_block(int64_t rows, int64_t outers, int64_t inners, F f,
                                             const BlockData<T> y, const BlockData<In>... x) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t outer = 0; outer < outers; ++outer) {
      const auto map_run = [&](const auto out, const auto... in) {
        for (int64_t i = 0; i < inners; ++i) {
          out[i] = static_cast<T>(f(i)(static_cast<double>(in[i])...));
        }
      };
      map_run(y.template inner<dense>(row, outer), x.template inner<dense>(row, outer)...);
    }
  }
}

// y = f(c)(x...) for each channel c. The channels are dense.
template <class F, class T, class... In>
[[gnu::always_inline]] inline void map_channels(const Block& b, F f, const BlockData<T> y,
                                                const BlockData<In>... x) {
  for (int64_t row = 0; row < b.rows; ++row) {
    int64_t p = 0;
    [&]<std::size_t... R>(std::index_sequence<R...> each) {
      for (; p + rows_together <= b.positions; p += rows_together) {
        const auto map_rows = [&](const auto out, const auto... in) {
          CAIRN_INDEPENDENT_ITERATIONS
          for (int64_t c = 0; c < b.lines; ++c) {
            const auto of_channel = f(c);
            const std::array<T, rows_together> values{
                [&]<std::size_t r>(std::integral_constant<std::size_t, r>) {
                  return static_cast<T>(of_channel(static_cast<double>(in[r][c])...));
                }(std::integral_constant<std::size_t, R>())...};
            ((out[R][c] = values[R]), ...);
          }
        };
        map_rows(together(y, row, p, each), together(x, row, p, each)...);
      }
    }
    (std::make_index_sequence<rows_together>());
    const auto rest = [&](BlockData<T> out, BlockData<In>... in) {
      map_block<true>(1, b.positions - p, b.lines, f, out, in...);
    };
    rest({y.template inner<true>(row, p), 0, y.outer_stride, 1},
         {x.template inner<true>(row, p), 0, x.outer_stride, 1}...);
  }
}

// Returns the sums of f(x...). The partial sums of the lanes do not depend on each other.
template <bool dense, class F, class... T>
[[gnu::always_inline]] inline Sums sum_line(const Block& b, F f, const BlockData<T>... x) {
  constexpr int64_t lanes = 8;
  std::array<double, lanes> first{}, second{};
  Sums total{};
  const auto add_run = [&](const auto... in) {
    int64_t i = 0;
    for (; i + lanes <= b.positions; i += lanes) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const Sums s = f(static_cast<double>(in[i + static_cast<int64_t>(lane)])...);
        first[lane] += s.first;
        second[lane] += s.second;
      }
    }
    for (; i < b.positions; ++i) total += f(static_cast<double>(in[i])...);
  };
  for (int64_t row = 0; row < b.rows; ++row) add_run(x.template inner<dense>(row, 0)...);
  for (std::size_t lane = 0; lane < lanes; ++lane) total += {first[lane], second[lane]};
  return total;
}

// Sets sums[c * stride] to the sums of f(line, position)(x...) for each channel c. If `dense`, so
// are the channels.
template <bool dense, class F, class... T>
[[gnu::always_inline]] inline void sum_channels(const Block& b, F f, Sums* sums, int64_t stride,
                                                const BlockData<T>... x) {
  double first[max_channels], second[max_channels];
  std::fill_n(first, b.lines, 0.0);
  std::fill_n(second, b.lines, 0.0);
  for (int64_t row = 0; row < b.rows; ++row) {
    int64_t p = 0;
    if constexpr (dense) {
      [&]<std::size_t... R>(std::index_sequence<R...> each) {
        for (; p + rows_together <= b.positions; p += rows_together) {
          const auto add_rows = [&](const auto... in) {
            for (int64_t c = 0; c < b.lines; ++c) {
              Sums s{first[c], second[c]};
              const auto add = [&]<std::size_t r>(std::integral_constant<std::size_t, r>) {
                s += f(b.line + c,
                       b.position + p + static_cast<int64_t>(r))(static_cast<double>(in[r][c])...);
              };
              (add(std::integral_constant<std::size_t, R>()), ...);
              first[c] = s.first;
              second[c] = s.second;
            }
          };
          add_rows(together(x, row, p, each)...);
        }
      }
      (std::make_index_sequence<rows_together>());
    }
    for (; p < b.positions; ++p) {
      const auto add_row = [&](const auto... in) {
        for (int64_t c = 0; c < b.lines; ++c) {
          const Sums s = f(b.line + c, b.position + p)(static_cast<double>(in[c])...);
          first[c] += s.first;
          second[c] += s.second;
        }
      };
      add_row(x.template inner<dense>(row, p)...);
    }
  }
  for (int64_t c = 0; c < b.lines; ++c) sums[c * stride] = {first[c], second[c]};
}

// ---- all blocks ----

// Is the inner loop over channels? If positions are dense, too, it is over positions.
template <class... T>
bool channels_inside(const NormSizes& n, const NormData<T>&... x) {
  return n.channels > 1 && ((x.channel_stride == 1 && x.position_stride != 1) && ...);
}

// Calls f(block, dense, data...) for each block, in the order of memory. If `by_channel`, the block
// of a line and those of its neighbours in the same row come together. Otherwise each comes alone.
template <class F, class... T>
void for_each_block(const NormSizes& n, GroupRange groups, bool by_channel, F f,
                    const NormData<T>&... x) {
  const bool dense = (((by_channel ? x.channel_stride : x.position_stride) == 1) && ...);
  const int64_t first = groups.begin * n.group_lines, last = groups.end * n.group_lines;
  const int64_t row = first / n.channels, rows = (last - 1) / n.channels + 1 - row;
  const int64_t units = by_channel ? rows : last - first, pieces = n.row_pieces;
  const int64_t values = n.line_rows() * n.positions / n.line_blocks;
  const int64_t grain = detail::grain_elements / (by_channel ? values * n.channels : values);
  const auto run = [&](int64_t u, int64_t end) {
    for (; u < end; ++u) {
      const int64_t unit = u / pieces % units, index = u / pieces / units * pieces + u % pieces;
      int64_t line = by_channel ? std::max(first, (row + unit) * n.channels) : first + unit;
      const int64_t stop = by_channel ? std::min(last, (row + unit + 1) * n.channels) : line + 1;
      for (; line < stop; line += max_channels) {
        const Block b(n, line, std::min(max_channels, stop - line), index);
        f(b, dense,
          BlockData<T>{b.first(n, x), x.row_stride, by_channel ? x.position_stride : 0,
                       by_channel ? x.channel_stride : x.position_stride}...);
      }
    }
  };
  detail::parallel_for(units * n.line_blocks, std::max<int64_t>(1, grain), run);
}

// Sets `sums` to the sums of f(line, position)(x...) over each block. If not `by_channel`, f gets
// position 0 for all positions.
template <class F, class... T>
void sum(const NormSizes& n, GroupRange groups, bool by_channel, Sums* sums, F f,
         const NormData<T>&... x) {
  const int64_t blocks = n.line_blocks;
  const auto run = [&](const Block& b, bool dense, const auto... data) {
    Sums* const out = sums + b.line * blocks + b.index;
    if (by_channel) {
      dense ? vectorised([=](auto) { sum_channels<true>(b, f, out, blocks, data...); })
            : sum_channels<false>(b, f, out, blocks, data...);
    } else {
      const auto value = f(b.line, 0);
      *out = dense ? vectorised([=](auto) { return sum_line<true>(b, value, data...); })
                   : sum_line<false>(b, value, data...);
    }
  };
  for_each_block(n, groups, by_channel, run, x...);
}

// y = f(line, 0)(x...)
template <class F, class T, class... In>
void map(const NormSizes& n, GroupRange groups, F f, const NormData<T>& y,
         const NormData<In>&... x) {
  const bool by_channel = channels_inside(n, y, x...);
  const auto run = [&](const Block& b, bool dense, const auto... data) {
    const auto by_line = [f, line = b.line](int64_t c) { return f(line + c, 0); };
    const auto constant = [value = f(b.line, 0)](int64_t) { return value; };
    if (by_channel) {
      vectorised([=](auto) { map_channels(b, by_line, data...); });
    } else if (dense) {
      vectorised([=](auto) { map_block<true>(b.rows, 1, b.positions, constant, data...); });
    } else {
      map_block<false>(b.rows, 1, b.positions, constant, data...);
    }
  };
  for_each_block(n, groups, by_channel, run, y, x...);
}

// Makes an operand that has one number for each position, the same in all lines.
NormData<const double> per_position(const double* numbers) { return {numbers, 0, 0, 1}; }

}  // namespace

template <class T>
void NormKernels<T>::measure(const NormSizes& n, GroupRange groups, const NormLines& lines,
                             const In& x) {
  for (int64_t group = groups.begin; group < groups.end; ++group) {
    const int64_t line = group * n.group_lines;
    const auto first = static_cast<double>(*Block(n, line, 1, 0).first(n, x));
    std::fill_n(lines.m + line, n.group_lines, std::isfinite(first) ? first : 0);
  }
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l]](double xi) {
      const double d = xi - m;
      return Sums{d, d * d};
    };
  };
  sum(n, groups, channels_inside(n, x), lines.sums, value, x);
}

template <class T>
void NormKernels<T>::apply(const NormSizes& n, GroupRange groups, const NormLines& lines,
                           const In& x, const Out& y) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l], b = lines.b[l]](double xi) { return (xi - m) * a + b; };
  };
  if (lines.gamma == nullptr) return map(n, groups, value, y, x);
  const auto weighted = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l]](double xi, double gamma, double beta) {
      return (xi - m) * a * gamma + beta;
    };
  };
  map(n, groups, weighted, y, x, per_position(lines.gamma), per_position(lines.beta));
}

template <class T>
void NormKernels<T>::products(const NormSizes& n, GroupRange groups, const NormLines& lines,
                              const In& g, const In& x) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l]](double gi, double xi, double gamma = 1) {
      return Sums{gi * gamma, gi * gamma * (xi - m)};
    };
  };
  if (lines.gamma == nullptr)
    return sum(n, groups, channels_inside(n, g, x), lines.sums, value, g, x);
  sum(n, groups, false, lines.sums, value, g, x, per_position(lines.gamma));
}

template <class T>
void NormKernels<T>::input_gradient(const NormSizes& n, GroupRange groups, const NormLines& lines,
                                    const In& g, const In& x, const Out& dx) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l], mean_h = lines.mean_h[l], k = lines.k[l]](
               double gi, double xi, double gamma = 1) {
      return a * gi * gamma - mean_h - k * (xi - m);
    };
  };
  if (lines.gamma == nullptr) return map(n, groups, value, dx, g, x);
  map(n, groups, value, dx, g, x, per_position(lines.gamma));
}

template <class T>
void NormKernels<T>::position_products(const NormSizes& n, const NormLines& lines, const In& g,
                                       const In& x) {
  const auto transpose = [](const In& in) {
    return In{in.data, 0, in.position_stride, in.row_stride};
  };
  const auto value = [lines](int64_t, int64_t row) {
    return [m = lines.m[row], s = lines.s[row]](double gi, double xi) {
      return Sums{gi, gi * (xi - m) * s};
    };
  };
  sum(transposed(n), {0, n.positions}, true, lines.sums, value, transpose(g), transpose(x));
}

template struct NormKernels<float>;
template struct NormKernels<double>;

}  // namespace cairn::kernels
