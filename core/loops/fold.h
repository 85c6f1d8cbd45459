// Loops that fold many elements into one, and a loop over the rows along one dimension.
#pragma once

#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace cairn::detail {

/// The dimensions of x that are kept, and those that are folded away.
struct FoldPlan {
  Plan<1> kept, folded;

  FoldPlan(const View& x, const DimMask& fold) {
    for (int64_t d = 0; d < x.shape.size(); ++d) {
      (fold[static_cast<std::size_t>(d)] ? folded : kept).add(x.shape[d], {x.strides[d]});
    }
  }
};

/// Folds a dense run of n values, of which the first has this index. Several accumulators share the
/// work, so that no addition waits for the last one.
template <class T, class Acc>
Acc fold_run(const T* run, int64_t n, int64_t index, const Acc& zero) {
  constexpr int64_t lanes = 16;
  return vectorised([=](auto) {
    std::array<Acc, lanes> lane;
    lane.fill(zero);
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      for (std::size_t k = 0; k < lanes; ++k) {
        const auto j = i + static_cast<int64_t>(k);
        lane[k].add(run[j], index + j);
      }
    }
    Acc total = zero;
    for (const Acc& part : lane) total.merge(part);
    for (; i < n; ++i) total.add(run[i], index + i);
    return total;
  });
}

/// Folds the values [begin, end) of one output. An accumulator has add(value, index) and
/// merge(other).
template <class T, class Acc>
Acc fold_range(const T* x, const Plan<1>& folded, int64_t begin, int64_t end, const Acc& zero) {
  constexpr int64_t long_enough = 32;  // for several accumulators
  Acc total = zero;
  int64_t index = begin;
  const auto fold = [&](const Offsets<1>& offset, int64_t n, const Offsets<1>& stride) {
    const T* const run = x + offset[0];
    if (stride[0] == 1 && n >= long_enough) {
      total.merge(fold_run(run, n, index, zero));
    } else {
      for (int64_t i = 0; i < n; ++i) total.add(run[i * stride[0]], index + i);
    }
    index += n;
  };
  if (folded.rank <= 1) {  // the usual case: many short lines
    fold({begin * folded.strides[0][0]}, end - begin, folded.strides[0]);
  } else {
    folded.visit(begin, end, fold);
  }
  return total;
}

/// Folds the values [begin, end) of neighbouring outputs, whose values are dense, into acc. Several
/// rows of values are folded together, so that each accumulator is read and written once for all.
template <class T, class Acc>
void fold_columns(const T* x, const Plan<1>& folded, int64_t begin, int64_t end, int64_t columns,
                  Acc* acc) {
  int64_t index = begin;
  folded.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
    vectorised([=, rows = x + offset[0], step = stride[0]](auto) {
      int64_t i = 0;
      for (; i + 4 <= n; i += 4) {
        const T* const row = rows + i * step;
        CAIRN_INDEPENDENT_ITERATIONS
        for (int64_t k = 0; k < columns; ++k) {
          Acc a = acc[k];
          a.add(row[k], index + i);
          a.add(row[k + step], index + i + 1);
          a.add(row[k + 2 * step], index + i + 2);
          a.add(row[k + 3 * step], index + i + 3);
          acc[k] = a;
        }
      }
      for (; i < n; ++i) {
        const T* const row = rows + i * step;
        CAIRN_INDEPENDENT_ITERATIONS
        for (int64_t k = 0; k < columns; ++k) acc[k].add(row[k], index + i);
      }
    });
    index += n;
  });
}

/// fold_into() for outputs whose neighbours are dense, such as those of a sum over rows. Memory is
/// read in order: a block of rows at a time, over a band of columns. Blocks are merged in order.
template <class T, class Acc, class Out, class Finish>
void fold_into_columns(const T* x, const FoldPlan& plan, Out* out, const Acc& zero,
                       const Finish& finish) {
  constexpr int64_t band = 2048, block = 1 << 18;  // columns, and elements of a block
  const int64_t columns = plan.kept.sizes[plan.kept.rank - 1], count = plan.folded.count();
  const int64_t outputs = plan.kept.count(), bands = (columns - 1) / band + 1;
  const int64_t rows = std::max<int64_t>(1, block / std::min(columns, band));
  const int64_t blocks = std::max<int64_t>(1, (count + rows - 1) / rows);
  std::vector<Acc> parts(blocks > 1 ? static_cast<std::size_t>(outputs * blocks) : 0, zero);

  const auto fold_unit = [&](int64_t unit) {
    const int64_t b = unit % blocks, first = unit / blocks % bands * band;
    const int64_t output = unit / blocks / bands * columns + first;
    const int64_t width = std::min(band, columns - first);
    const T* const values = x + plan.kept.offset(output)[0];
    const auto fold = [&](Acc* acc) {
      fold_columns(values, plan.folded, b * rows, std::min((b + 1) * rows, count), width, acc);
    };
    if (blocks > 1) return fold(parts.data() + b * outputs + output);
    alignas(Acc) std::byte memory[band * sizeof(Acc)];
    auto* const acc = reinterpret_cast<Acc*>(memory);
    std::uninitialized_fill_n(acc, width, zero);
    fold(acc);
    std::transform(acc, acc + width, out + output, finish);
  };
  const int64_t units = outputs / columns * bands * blocks;
  const int64_t work = std::max<int64_t>(1, std::min(rows, count) * std::min(columns, band));
  parallel_for(units, std::max<int64_t>(1, grain_elements / work), [&](int64_t unit, int64_t end) {
    for (; unit < end; ++unit) fold_unit(unit);
  });
  if (blocks == 1) return;
  for (int64_t i = 0; i < outputs; ++i) {
    Acc total = parts[static_cast<std::size_t>(i)];
    for (int64_t b = 1; b < blocks; ++b)
      total.merge(parts[static_cast<std::size_t>(b * outputs + i)]);
    out[i] = finish(total);
  }
}

/// Folds x over the marked dimensions, from `zero`, and sets each output to finish(its fold).
/// Long lines are cut into blocks, which depend on the shape alone. Blocks are merged in order.
template <class T, class Acc, class Out, class Finish>
void fold_into(const View& x, const DimMask& dims, Out* out, const Acc& zero, Finish finish) {
  const FoldPlan plan(x, dims);
  const Plan<1>&kept = plan.kept, &folded = plan.folded;
  const int64_t outputs = kept.count(), count = folded.count();
  if (outputs == 0) return;
  const int64_t grain = grain_elements / std::max<int64_t>(count, 1);

  const bool lines_dense = folded.rank == 0 || folded.strides[folded.rank - 1][0] == 1;
  if (!lines_dense && kept.rank > 0 && kept.strides[kept.rank - 1][0] == 1) {
    return fold_into_columns(x.as<T>(), plan, out, zero, finish);
  }

  constexpr int64_t block = 1 << 16;
  const int64_t blocks = count / block + (count % block != 0);
  std::vector<Acc> parts(blocks > 1 ? static_cast<std::size_t>(blocks) : 0, zero);
  const auto line = [&](const T* values) {
    if (blocks <= 1) return fold_range(values, folded, 0, count, zero);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        parts[static_cast<std::size_t>(b)] =
            fold_range(values, folded, b * block, std::min((b + 1) * block, count), zero);
      }
    });
    Acc total = parts.front();
    for (std::size_t b = 1; b < parts.size(); ++b) total.merge(parts[b]);
    return total;
  };
  // The blocks of a long line run in parallel. Long lines run one by one, since they share `parts`.
  const int64_t lines_a_chunk = blocks > 1 ? outputs : std::max<int64_t>(1, grain);
  parallel_for(outputs, lines_a_chunk, [&](int64_t begin, int64_t end) {
    Out* result = out + begin;
    kept.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
      for (int64_t i = 0; i < n; ++i)
        *result++ = finish(line(x.as<T>() + offset[0] + i * stride[0]));
    });
  });
}

/// Returns the sum of f(in[i]...) over n dense values, in double, without keeping the values of f.
template <class F, class... T>
double sum_of(F f, int64_t n, const T*... in) {
  constexpr int64_t block = 1 << 16, lanes = 16;
  std::vector<double> parts(static_cast<std::size_t>((n + block - 1) / block));
  parallel_for(n, block, [&](int64_t begin, int64_t end) {
    parts[static_cast<std::size_t>(begin / block)] = vectorised([=](auto) {
      std::array<double, lanes> lane{};
      int64_t i = begin;
      for (; i + lanes <= end; i += lanes) {
        for (std::size_t k = 0; k < lanes; ++k) {
          lane[k] += static_cast<double>(f(in[i + static_cast<int64_t>(k)]...));
        }
      }
      double total = 0;
      for (const double part : lane) total += part;
      for (; i < end; ++i) total += static_cast<double>(f(in[i]...));
      return total;
    });
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

/// Calls f(in, in_step, out, out_step, n) for every row of x and y along dimension d.
template <class T, class F>
void for_each_row(const View& x, const View& y, int64_t d, F f) {
  if (x.numel == 0) return;
  if (x.shape.empty()) return f(x.as<T>(), 1, y.as<T>(), 1, 1);
  Plan<2> plan;
  for (int64_t k = 0; k < x.shape.size(); ++k) {
    if (k != d) plan.add(x.shape[k], {x.strides[k], y.strides[k]});
  }
  const int64_t n = x.shape[d], x_step = x.strides[d], y_step = y.strides[d];
  parallel_for(plan.count(), std::max<int64_t>(1, grain_elements / n), [&](int64_t b, int64_t e) {
    plan.visit(b, e, [&](const auto& offset, int64_t rows, const auto& stride) {
      for (int64_t i = 0; i < rows; ++i) {
        f(x.as<T>() + offset[0] + i * stride[0], x_step, y.as<T>() + offset[1] + i * stride[1],
          y_step, n);
      }
    });
  });
}

}  // namespace cairn::detail
