// Two orders serve every layout. Where positions lie dense (N, C, L contiguous), a channel's lines
// are walked one by one. Where channels lie dense ((N, C), or channels last), positions are, with a
// running value for each channel. Either way memory is read in order.
#include <cairn/core/internal/parallel.h>
#include <cairn/core/kernels/batch_norm.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace cairn::kernels {
namespace {

using detail::grain_elements;
using detail::parallel_for;

constexpr int64_t positions_a_block = 512;  // of a sum by position: fixed, whatever the threads

template <class T>
bool channels_dense(const ChannelSizes& n, const ChannelData<T>& x) {
  return x.channel_stride == 1 && n.channels > 1 && (n.columns == 1 || x.column_stride != 1);
}

template <class T>
T* line(const ChannelData<T>& x, int64_t row, int64_t channel) {
  return x.data + row * x.row_stride + channel * x.channel_stride;
}

// The channels at position p of rows * columns.
template <class T>
T* at_position(const ChannelSizes& n, const ChannelData<T>& x, int64_t p) {
  return x.data + p / n.columns * x.row_stride + p % n.columns * x.column_stride;
}

// first[c] and second[c] are the sums of the two values that term(c)(in...) returns.
template <class Term, class T, class... Rest>
void channel_sums(const ChannelSizes& n, double* first, double* second, double* workspace,
                  Term term, const ChannelData<const T>& x, const Rest&... rest) {
  if (channels_dense(n, x) && (channels_dense(n, rest) && ...)) {
    const int64_t positions = n.rows * n.columns;
    const int64_t blocks = (positions + positions_a_block - 1) / positions_a_block;
    parallel_for(blocks, std::max<int64_t>(1, grain_elements / (positions_a_block * n.channels)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t b = begin; b < end; ++b) {
                     double* const u = workspace + 2 * b * n.channels;
                     double* const v = u + n.channels;
                     std::fill(u, v + n.channels, 0.0);
                     const int64_t stop = std::min((b + 1) * positions_a_block, positions);
                     for (int64_t p = b * positions_a_block; p < stop; ++p) {
                       const auto add = [&](const T* in, const auto*... more) {
                         for (int64_t c = 0; c < n.channels; ++c) {
                           const auto [s, t] = term(c)(in[c], more[c]...);
                           u[c] += s;
                           v[c] += t;
                         }
                       };
                       add(at_position(n, x, p), at_position(n, rest, p)...);
                     }
                   }
                 });
    std::fill_n(first, n.channels, 0.0);
    std::fill_n(second, n.channels, 0.0);
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t c = 0; c < n.channels; ++c) {
        first[c] += workspace[2 * b * n.channels + c];
        second[c] += workspace[(2 * b + 1) * n.channels + c];
      }
    }
    return;
  }
  const int64_t values = std::max<int64_t>(1, n.rows * n.columns);
  parallel_for(
      n.channels, std::max<int64_t>(1, grain_elements / values), [&](int64_t begin, int64_t end) {
        constexpr std::size_t lanes = 8;  // sums that do not wait for each other
        for (int64_t c = begin; c < end; ++c) {
          std::array<double, lanes> u{}, v{};
          const auto value = term(c);
          for (int64_t r = 0; r < n.rows; ++r) {
            const auto add = [&](const T* in, const auto*... more) {
              const auto at = [&](int64_t i, std::size_t k) {
                const auto [s, t] = value(in[i * x.column_stride], more[i * rest.column_stride]...);
                u[k] += s;
                v[k] += t;
              };
              int64_t i = 0;
              for (; i + static_cast<int64_t>(lanes) <= n.columns; i += lanes) {
                for (std::size_t k = 0; k < lanes; ++k) at(i + static_cast<int64_t>(k), k);
              }
              for (std::size_t k = 0; i < n.columns; ++i, ++k) at(i, k);
            };
            add(line(x, r, c), line(rest, r, c)...);
          }
          first[c] = second[c] = 0;
          for (std::size_t k = 0; k < lanes; ++k) {
            first[c] += u[k];
            second[c] += v[k];
          }
        }
      });
}

// y = value(c)(in...) for every element.
template <class Value, class T, class... In>
void channel_map(const ChannelSizes& n, const ChannelData<T>& y, Value value, const In&... in) {
  if (channels_dense(n, y) && (channels_dense(n, in) && ...)) {
    parallel_for(n.rows * n.columns, std::max<int64_t>(1, grain_elements / n.channels),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p) {
                     const auto set = [&](T* out, const auto*... from) {
                       for (int64_t c = 0; c < n.channels; ++c) out[c] = value(c)(from[c]...);
                     };
                     set(at_position(n, y, p), at_position(n, in, p)...);
                   }
                 });
    return;
  }
  parallel_for(n.rows * n.channels, std::max<int64_t>(1, grain_elements / n.columns),
               [&](int64_t begin, int64_t end) {
                 for (int64_t k = begin; k < end; ++k) {
                   const int64_t r = k / n.channels, c = k % n.channels;
                   const auto set = [&](T* out, const auto*... from) {
                     const auto f = value(c);
                     if (y.column_stride == 1 && ((in.column_stride == 1) && ...)) {
                       for (int64_t i = 0; i < n.columns; ++i) out[i] = f(from[i]...);
                     } else {
                       for (int64_t i = 0; i < n.columns; ++i) {
                         out[i * y.column_stride] = f(from[i * in.column_stride]...);
                       }
                     }
                   };
                   set(line(y, r, c), line(in, r, c)...);
                 }
               });
}

struct Pair {
  double first, second;
};

}  // namespace

int64_t workspace_size(const ChannelSizes& n) {
  const int64_t blocks = (n.rows * n.columns + positions_a_block - 1) / positions_a_block;
  return 2 * n.channels * std::max<int64_t>(blocks, 1);
}

// One pass: the sums of d and d² with d = x - x₀, the channel's first value. Since x₀ is one of the
// n values, (x₀ - mean)² <= n·var: what cancels in Σd² - (Σd)²/n costs at most n rounding errors of
// a double, however far the mean is from 0. A constant channel has d = 0 throughout.
template <class T>
void channel_moments(const ChannelSizes& n, const ChannelData<const T>& x, double* mean,
                     double* rest, double* var, double* workspace) {
  const auto origin = [&x](int64_t c) {
    const auto first = static_cast<double>(*line(x, 0, c));
    return std::isfinite(first) ? first : 0.0;
  };
  channel_sums(
      n, mean, var, workspace,
      [&](int64_t c) {
        return [x0 = origin(c)](T v) {
          const double d = static_cast<double>(v) - x0;
          return Pair{d, d * d};
        };
      },
      x);
  const auto count = static_cast<double>(n.rows * n.columns);
  for (int64_t c = 0; c < n.channels; ++c) {
    const double sum = mean[c], squares = var[c];
    mean[c] = origin(c) + sum / count;
    rest[c] = std::isfinite(mean[c]) ? origin(c) - mean[c] + sum / count : 0;
    var[c] = (squares - sum * (sum / count)) / count;
    if (var[c] < 0) var[c] = 0;
  }
}

template <class T>
void channel_products(const ChannelSizes& n, const ChannelData<const T>& g,
                      const ChannelData<const T>& x, const double* mean, double* sum,
                      double* product, double* workspace) {
  channel_sums(
      n, sum, product, workspace,
      [mean](int64_t c) {
        return [m = mean[c]](T v, T dy) {
          const auto d = static_cast<double>(dy);
          return Pair{d, d * (static_cast<double>(v) - m)};
        };
      },
      x, g);
}

template <class T>
void channel_affine(const ChannelSizes& n, const ChannelData<const T>& x, const double* mean,
                    const double* scale, const double* shift, const ChannelData<T>& y) {
  channel_map(
      n, y,
      [=](int64_t c) {
        return [m = mean[c], a = scale[c], b = shift[c]](T v) {
          return static_cast<T>((static_cast<double>(v) - m) * a + b);
        };
      },
      x);
}

template <class T>
void channel_input_gradient(const ChannelSizes& n, const ChannelData<const T>& g,
                            const ChannelData<const T>& x, const double* mean, const double* scale,
                            const double* offset, const double* slope, const ChannelData<T>& dx) {
  channel_map(
      n, dx,
      [=](int64_t c) {
        return [m = mean[c], a = scale[c], b = offset[c], s = slope[c]](T dy, T v) {
          return static_cast<T>(a *
                                (static_cast<double>(dy) - b - (static_cast<double>(v) - m) * s));
        };
      },
      g, x);
}

#define CAIRN_KERNELS(T)                                                                          \
  template void channel_moments(const ChannelSizes&, const ChannelData<const T>&, double*,        \
                                double*, double*, double*);                                       \
  template void channel_products(const ChannelSizes&, const ChannelData<const T>&,                \
                                 const ChannelData<const T>&, const double*, double*, double*,    \
                                 double*);                                                        \
  template void channel_affine(const ChannelSizes&, const ChannelData<const T>&, const double*,   \
                               const double*, const double*, const ChannelData<T>&);              \
  template void channel_input_gradient(const ChannelSizes&, const ChannelData<const T>&,          \
                                       const ChannelData<const T>&, const double*, const double*, \
                                       const double*, const double*, const ChannelData<T>&);
CAIRN_KERNELS(float)
CAIRN_KERNELS(double)
#undef CAIRN_KERNELS

}  // namespace cairn::kernels
