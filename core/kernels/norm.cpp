// Two orders of loops serve every layout. Where channels lie dense in all operands, the innermost
// loop is over channels. Else it is over the positions of one line.
//
// The loops over a block are functions that are not inlined: they then have the registers to
// themselves, and are vectorised.
#include <cairn/core/internal/parallel.h>
#include <cairn/core/kernels/norm.h>

#include <array>
#include <cmath>
#include <cstddef>

namespace cairn::kernels {
namespace {

// ---- one block ----

// So many channels are summed together at most, on the stack.
constexpr int64_t most_channels = 256;

// A block of a line, or of several lines next to each other in a row.
struct Block {
  int64_t line, lines, index, row, rows, position, positions;

  Block(const NormSizes& n, int64_t line_, int64_t lines_, int64_t index_)
      : line(line_), lines(lines_), index(index_) {
    position = index % n.row_pieces() * n.piece();
    positions = std::min(n.piece(), n.positions - position);
    row = n.rows_merged ? index / n.row_pieces() * n.block_rows() : line / n.channels;
    rows = n.rows_merged ? std::min(n.block_rows(), n.rows - row) : 1;
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

// An operand's values in a block: the outer and the inner loop in each row.
template <class T>
struct Walk {
  T* data;
  int64_t row_stride, outer_stride, inner_stride;

  // What the inner loop indexes: a pointer, if it is known to be dense.
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

// y = f(inner)(x...)
template <bool dense, class F, class T, class... In>
[[gnu::noinline]] void map_block(int64_t rows, int64_t outers, int64_t inners, F f, const Walk<T> y,
                                 const Walk<In>... x) {
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

// The sums of f(x...). Several partial sums do not wait for each other.
template <bool dense, class F, class... T>
[[gnu::noinline]] Sums sum_line(const Block& b, F f, const Walk<T>... x) {
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
    for (; i < b.positions; ++i) {
      const Sums s = f(static_cast<double>(in[i])...);
      total.first += s.first;
      total.second += s.second;
    }
  };
  for (int64_t row = 0; row < b.rows; ++row) add_run(x.template inner<dense>(row, 0)...);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    total.first += first[lane];
    total.second += second[lane];
  }
  return total;
}

// sums[c * stride] = the sums of f(line, position)(x...) of each channel.
template <bool dense, class F, class... T>
[[gnu::noinline]] void sum_channels(const Block& b, F f, Sums* sums, int64_t stride,
                                    const Walk<T>... x) {
  std::array<double, most_channels> first{}, second{};
  for (int64_t row = 0; row < b.rows; ++row) {
    for (int64_t p = 0; p < b.positions; ++p) {
      const auto add_run = [&](const auto... in) {
        for (int64_t c = 0; c < b.lines; ++c) {
          const Sums s = f(b.line + c, b.position + p)(static_cast<double>(in[c])...);
          first[static_cast<std::size_t>(c)] += s.first;
          second[static_cast<std::size_t>(c)] += s.second;
        }
      };
      add_run(x.template inner<dense>(row, p)...);
    }
  }
  for (int64_t c = 0; c < b.lines; ++c) {
    sums[c * stride] = {first[static_cast<std::size_t>(c)], second[static_cast<std::size_t>(c)]};
  }
}

// ---- all blocks ----

// Is the inner loop over channels, where memory allows either?
template <class... T>
bool channels_inside(const NormSizes& n, const NormData<T>&... x) {
  return n.channels > 1 && ((x.channel_stride == 1 && x.position_stride != 1) && ...);
}

// Calls f(block, dense, walks...) for the blocks of each line; if `by_channel`, for all channels of
// a row together that belong to the groups. Blocks come in the order of memory.
template <class F, class... T>
void each_block(const NormSizes& n, GroupRange groups, bool by_channel, F f,
                const NormData<T>&... x) {
  const bool dense = (((by_channel ? x.channel_stride : x.position_stride) == 1) && ...);
  const int64_t first = groups.begin * n.group_lines, last = groups.end * n.group_lines;
  const int64_t row = first / n.channels, rows = (last - 1) / n.channels + 1 - row;
  const int64_t units = by_channel ? rows : last - first, pieces = n.row_pieces();
  const int64_t values = n.line_rows() * n.positions / n.line_blocks();
  const int64_t grain = detail::grain_elements / (by_channel ? values * n.channels : values);
  const auto run = [&](int64_t u, int64_t end) {
    for (; u < end; ++u) {
      const int64_t unit = u / pieces % units, index = u / pieces / units * pieces + u % pieces;
      int64_t line = by_channel ? std::max(first, (row + unit) * n.channels) : first + unit;
      const int64_t stop = by_channel ? std::min(last, (row + unit + 1) * n.channels) : line + 1;
      for (; line < stop; line += most_channels) {
        const Block b(n, line, std::min(most_channels, stop - line), index);
        f(b, dense,
          Walk<T>{b.first(n, x), x.row_stride, by_channel ? x.position_stride : 0,
                  by_channel ? x.channel_stride : x.position_stride}...);
      }
    }
  };
  detail::parallel_for(units * n.line_blocks(), std::max<int64_t>(1, grain), run);
}

// sums = those of f(line, position)(x...) over each block. What f returns may depend on the
// position only if `by_channel`.
template <class F, class... T>
void sum(const NormSizes& n, GroupRange groups, bool by_channel, Sums* sums, F f,
         const NormData<T>&... x) {
  const int64_t blocks = n.line_blocks();
  const auto run = [&](const Block& b, bool dense, const auto... walk) {
    Sums* const out = sums + b.line * blocks + b.index;
    if (by_channel) {
      dense ? sum_channels<true>(b, f, out, blocks, walk...)
            : sum_channels<false>(b, f, out, blocks, walk...);
    } else {
      *out = dense ? sum_line<true>(b, f(b.line, 0), walk...)
                   : sum_line<false>(b, f(b.line, 0), walk...);
    }
  };
  each_block(n, groups, by_channel, run, x...);
}

// y = f(line)(x...)
template <class F, class T, class... In>
void map(const NormSizes& n, GroupRange groups, F f, const NormData<T>& y,
         const NormData<In>&... x) {
  const bool by_channel = channels_inside(n, y, x...);
  const auto run = [&](const Block& b, bool dense, const auto... walk) {
    const auto moving = [f, line = b.line](int64_t c) { return f(line + c, 0); };
    const auto fixed = [value = f(b.line, 0)](int64_t) { return value; };
    by_channel ? map_block<true>(b.rows, b.positions, b.lines, moving, walk...)
    : dense    ? map_block<true>(b.rows, 1, b.positions, fixed, walk...)
               : map_block<false>(b.rows, 1, b.positions, fixed, walk...);
  };
  each_block(n, groups, by_channel, run, y, x...);
}

// An operand with one number a position.
NormData<const double> by_position(const double* numbers) { return {numbers, 0, 0, 1}; }

}  // namespace

template <class T>
void NormKernels<T>::moments(const NormSizes& n, GroupRange groups, const NormLines& lines,
                             const In& x) {
  for (int64_t group = groups.begin; group < groups.end; ++group) {
    const int64_t line = group * n.group_lines;
    const auto first = static_cast<double>(*Block(n, line, 1, 0).first(n, x));
    std::fill_n(lines.m + line, n.group_lines, std::isfinite(first) ? first : 0);
  }
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l]](double v) {
      const double d = v - m;
      return Sums{d, d * d};
    };
  };
  sum(n, groups, channels_inside(n, x), lines.sums, value, x);
}

template <class T>
void NormKernels<T>::apply(const NormSizes& n, GroupRange groups, const NormLines& lines,
                           const In& x, const Out& y) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l], b = lines.b[l]](double v) { return (v - m) * a + b; };
  };
  if (lines.gamma == nullptr) return map(n, groups, value, y, x);
  const auto weighted = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l]](double v, double gamma, double beta) {
      return (v - m) * a * gamma + beta;
    };
  };
  map(n, groups, weighted, y, x, by_position(lines.gamma), by_position(lines.beta));
}

template <class T>
void NormKernels<T>::products(const NormSizes& n, GroupRange groups, const NormLines& lines,
                              const In& g, const In& x) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l]](double dy, double v, double gamma = 1) {
      return Sums{dy * gamma, dy * gamma * (v - m)};
    };
  };
  if (lines.gamma == nullptr)
    return sum(n, groups, channels_inside(n, g, x), lines.sums, value, g, x);
  sum(n, groups, false, lines.sums, value, g, x, by_position(lines.gamma));
}

template <class T>
void NormKernels<T>::input_gradient(const NormSizes& n, GroupRange groups, const NormLines& lines,
                                    const In& g, const In& x, const Out& dx) {
  const auto value = [lines](int64_t l, int64_t) {
    return [m = lines.m[l], a = lines.a[l], mean_h = lines.mean_h[l], k = lines.k[l]](
               double dy, double v, double gamma = 1) {
      return a * dy * gamma - mean_h - k * (v - m);
    };
  };
  if (lines.gamma == nullptr) return map(n, groups, value, dx, g, x);
  map(n, groups, value, dx, g, x, by_position(lines.gamma));
}

template <class T>
void NormKernels<T>::position_products(const NormSizes& n, const NormLines& lines, const In& g,
                                       const In& x) {
  const auto turned = [](const In& in) {
    return In{in.data, 0, in.position_stride, in.row_stride};
  };
  const auto value = [lines](int64_t, int64_t row) {
    return [m = lines.m[row], s = lines.s[row]](double dy, double v) {
      return Sums{dy, dy * (v - m) * s};
    };
  };
  sum(transposed(n), {0, n.positions}, true, lines.sums, value, turned(g), turned(x));
}

template struct NormKernels<float>;
template struct NormKernels<double>;

}  // namespace cairn::kernels
