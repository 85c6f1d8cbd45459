// The only iteration over elements. Kernels say what happens to one element (map) or to a run of
// them (fold, for_each_row); strides, broadcasting and threads are dealt with here.
#pragma once

#include <cairn/core/ops/internal.h>
#include <cairn/core/parallel.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cairn::detail {

// ---- one dtype at run time to one type at compile time ----

/// f(T{}) with T the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F f) {
  switch (dtype) {
    case DType::float32:
      return f(float{});
    case DType::float64:
      return f(double{});
    default:
      return f(int64_t{});
  }
}
/// The same for what is made for floating tensors only.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F f) {
  return dtype == DType::float64 ? f(double{}) : f(float{});
}

/// f over numbers where integers wrap, as PyTorch's do; in C++ that takes unsigned arithmetic.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::integral<T>) {
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return f(a, b);
  }
}
inline constexpr auto plus = [](auto a, auto b) { return wrapping(a, b, std::plus<>()); };
inline constexpr auto minus = [](auto a, auto b) { return wrapping(a, b, std::minus<>()); };
inline constexpr auto times = [](auto a, auto b) { return wrapping(a, b, std::multiplies<>()); };

// ---- element by element ----

/// How N operands of one shape lie in memory, in as few dimensions as will do.
template <std::size_t N>
struct Plan {
  using Offsets = std::array<int64_t, N>;  // one number an operand, in elements

  std::size_t rank = 0;
  std::array<int64_t, Shape::max_rank> sizes{};
  std::array<Offsets, Shape::max_rank> strides{};

  /// Adds a dimension, outer ones first; joins it to the one before where no operand has a gap.
  void add(int64_t size, const Offsets& stride) {
    if (size == 1) return;
    if (rank > 0 && follows(strides[rank - 1], size, stride)) {
      sizes[rank - 1] *= size;
      strides[rank - 1] = stride;
    } else {
      sizes[rank] = size;
      strides[rank++] = stride;
    }
  }

  int64_t count() const {
    int64_t n = 1;
    for (std::size_t d = 0; d < rank; ++d) n *= sizes[d];
    return n;
  }

  /// Calls run(offsets, n, stride) for the runs of elements along the innermost dimension that
  /// make up [begin, end) of all elements in order.
  template <class Run>
  void visit(int64_t begin, int64_t end, Run run) const {
    if (begin == end) return;  // a size may be 0
    const std::size_t inner = rank == 0 ? 0 : rank - 1;
    const int64_t width = rank == 0 ? 1 : sizes[inner];
    std::array<int64_t, Shape::max_rank> at{};  // the indices of element `begin`
    Offsets offset{};
    int64_t rest = begin;
    for (std::size_t d = rank; d-- > 0; rest /= sizes[d]) {
      at[d] = rest % sizes[d];
      move(offset, strides[d], at[d]);
    }
    while (begin < end) {
      const int64_t n = std::min(width - at[inner], end - begin);
      run(offset, n, strides[inner]);
      begin += n;
      move(offset, strides[inner], -at[inner]);  // back to the start of the row,
      at[inner] = 0;
      for (std::size_t d = inner; d-- > 0;) {  // and on to the next one
        move(offset, strides[d], 1);
        if (++at[d] < sizes[d]) break;
        move(offset, strides[d], -at[d]);
        at[d] = 0;
      }
    }
  }

 private:
  static bool follows(const Offsets& outer, int64_t size, const Offsets& stride) {
    for (std::size_t k = 0; k < N; ++k) {
      if (outer[k] != stride[k] * size) return false;
    }
    return true;
  }
  static void move(Offsets& offset, const Offsets& stride, int64_t steps) {
    for (std::size_t k = 0; k < N; ++k) offset[k] += stride[k] * steps;
  }
};

/// The plan of an output and the inputs that broadcast to it.
template <class... In>
Plan<1 + sizeof...(In)> plan_of(const View& out, const In&... in) {
  const std::array<Strides, 1 + sizeof...(In)> all{
      out.strides, broadcast_strides(in.shape, in.strides, out.shape)...};
  Plan<1 + sizeof...(In)> plan;
  for (int64_t d = 0; d < out.shape.size(); ++d) {
    typename Plan<1 + sizeof...(In)>::Offsets stride{};
    for (std::size_t k = 0; k < all.size(); ++k) stride[k] = all[k][d];
    plan.add(out.shape[d], stride);
  }
  return plan;
}

/// One run: out[i] = f(in[i]...), all dense, which the compiler can vectorise.
template <class F, class Out, class... In>
void map_dense(F& f, int64_t n, Out* out, const In*... in) {
  for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
}

/// One run with any strides. A dense operand beside one that stands still is vectorised too.
template <class F, class Out, class... In, std::size_t... K>
void map_run(F& f, int64_t n, const std::array<int64_t, 1 + sizeof...(In)>& stride,
             std::index_sequence<K...>, Out* out, const In*... in) {
  if (stride[0] == 1 && ((stride[K + 1] == 1) && ...)) return map_dense(f, n, out, in...);
  if constexpr (sizeof...(In) == 2) {
    const auto [a, b] = std::tuple(in...);
    if (stride[0] == 1 && stride[1] == 1 && stride[2] == 0) {
      for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], *b);
      return;
    }
    if (stride[0] == 1 && stride[1] == 0 && stride[2] == 1) {
      for (int64_t i = 0; i < n; ++i) out[i] = f(*a, b[i]);
      return;
    }
  }
  for (int64_t i = 0; i < n; ++i) out[i * stride[0]] = f(in[i * stride[K + 1]]...);
}

/// out = f(in...) element by element; the inputs broadcast to the output.
template <class Out, class... In, class F>
void map_into(F f, const View& out, const std::conditional_t<true, View, In>&... in) {
  if (out.contiguous && ((in.contiguous && in.numel == out.numel) && ...)) {
    parallel_for(out.numel, grain_elements, [&](int64_t begin, int64_t end) {
      map_dense(f, end - begin, out.as<Out>() + begin, (in.template as<In>() + begin)...);
    });
    return;
  }
  if (out.numel == 0) return;
  const auto plan = plan_of(out, in...);
  parallel_for(out.numel, grain_elements, [&](int64_t begin, int64_t end) {
    plan.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
      [&]<std::size_t... K>(std::index_sequence<K...> each) {
        map_run(f, n, stride, each, out.as<Out>() + offset[0],
                (in.template as<In>() + offset[K + 1])...);
      }
      (std::index_sequence_for<In...>{});
    });
  });
}

/// The inputs' common dtype. Throws Error naming both where they differ.
template <class... X>
DType common_dtype([[maybe_unused]] const char* op, const Tensor& x, const X&... rest) {
  check_defined(op, x, rest...);
  (check(rest.dtype() == x.dtype(),
         "{}: dtypes {} of {} and {} of {} do not mix; convert one, e.g. with .to(x.dtype())", op,
         x.dtype(), x.shape(), rest.dtype(), rest.shape()),
   ...);
  return x.dtype();
}

/// The shape the inputs broadcast to.
template <class... X>
Shape common_shape([[maybe_unused]] const char* op, const Tensor& x, const X&... rest) {
  Shape shape = x.shape();
  ((shape = broadcast(op, shape, rest.shape())), ...);
  return shape;
}

/// A new tensor, f of the inputs; its dtype is that of what f returns.
template <class F, class... X>
Tensor map(const char* op, F f, const Tensor& x, const X&... rest) {
  const DType dtype = common_dtype(op, x, rest...);
  const Shape shape = common_shape(op, x, rest...);
  return dispatch(dtype, [&]<class T>(T) {
    using Out = decltype(f(T{}, (static_cast<void>(rest), T{})...));
    Tensor y = new_tensor(op, shape, dtype_of<Out>);
    map_into<Out, T, std::conditional_t<true, T, X>...>(f, y.view_of(), x.view_of(),
                                                        rest.view_of()...);
    return y;
  });
}

/// The same for what is defined on floating numbers: the result has the inputs' dtype.
template <class F, class... X>
Tensor map_floating(const char* op, F f, const Tensor& x, const X&... rest) {
  const DType dtype = common_dtype(op, x, rest...);
  check_floating(op, x);
  Tensor y = new_tensor(op, common_shape(op, x, rest...), dtype);
  dispatch_floating(dtype, [&]<class T>(T) {
    map_into<T, T, std::conditional_t<true, T, X>...>(
        [&f](auto... v) { return static_cast<T>(f(v...)); }, y.view_of(), x.view_of(),
        rest.view_of()...);
  });
  return y;
}

/// One formula, read twice: over numbers, in one fused pass; or over tensors, in recorded ops,
/// when gradients are enabled and the result may itself be differentiated. It is how a backward
/// closure is both fast and differentiable.
template <class F, class... X>
Tensor formula(const char* op, F f, const Tensor& x, const X&... rest) {
  return is_grad_enabled() ? f(x, rest...) : map_floating(op, f, x, rest...);
}

// ---- many elements to one ----

/// The dimensions of x that are kept, and those that are folded away.
struct FoldPlan {
  Plan<1> kept, folded;

  FoldPlan(const View& x, const std::array<bool, Shape::max_rank>& fold) {
    for (int64_t d = 0; d < x.shape.size(); ++d) {
      (fold[static_cast<std::size_t>(d)] ? folded : kept).add(x.shape[d], {x.strides[d]});
    }
  }
};

/// Folds the values begin..end of one output. An accumulator has add(value, index) and
/// merge(other); dense runs are spread over several, so that additions need not wait in a row.
template <class T, class Acc>
Acc fold_range(const T* x, const Plan<1>& folded, int64_t begin, int64_t end, const Acc& zero) {
  constexpr int64_t lanes = 8;
  Acc total = zero;
  int64_t index = begin;
  folded.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
    const T* const run = x + offset[0];
    int64_t i = 0;
    if (stride[0] == 1 && n >= 2 * lanes) {
      std::array<Acc, lanes> lane;
      lane.fill(zero);
      for (; i + lanes <= n; i += lanes) {
        for (std::size_t k = 0; k < lanes; ++k) {
          const auto j = i + static_cast<int64_t>(k);
          lane[k].add(run[j], index + j);
        }
      }
      for (const Acc& part : lane) total.merge(part);
    }
    for (; i < n; ++i) total.add(run[i * stride[0]], index + i);
    index += n;
  });
  return total;
}

/// Folds neighbouring outputs together where the folded values lie far apart (a sum over rows),
/// so that memory is read in order.
template <class T, class Acc, class Out, class Finish>
void fold_columns(const T* x, const Plan<1>& folded, int64_t count, int64_t columns, Out* out,
                  const Acc& zero, const Finish& finish) {
  constexpr int64_t tile = 64;
  std::array<Acc, tile> acc;
  for (int64_t first = 0; first < columns; first += tile) {
    const auto width = static_cast<std::size_t>(std::min(tile, columns - first));
    std::fill_n(acc.begin(), width, zero);
    int64_t index = 0;
    folded.visit(0, count, [&](const auto& offset, int64_t n, const auto& stride) {
      for (int64_t i = 0; i < n; ++i, ++index) {
        const T* const row = x + first + offset[0] + i * stride[0];
        for (std::size_t k = 0; k < width; ++k) acc[k].add(row[k], index);
      }
    });
    for (std::size_t k = 0; k < width; ++k) out[first + static_cast<int64_t>(k)] = finish(acc[k]);
  }
}

/// out[...] = finish(the fold of x over the marked dimensions, starting from `zero`).
/// Long folds of lines are cut into blocks, and columns into bands, that depend on the shape alone;
/// the blocks are merged in order.
template <class T, class Acc, class Out, class Finish>
void fold_into(const View& x, const std::array<bool, Shape::max_rank>& dims, Out* out,
               const Acc& zero, Finish finish) {
  const FoldPlan plan(x, dims);
  const Plan<1>&kept = plan.kept, &folded = plan.folded;
  const int64_t outputs = kept.count(), count = folded.count();
  if (outputs == 0) return;
  const int64_t worth = grain_elements / std::max<int64_t>(count, 1);

  const bool lines_dense = folded.rank == 0 || folded.strides[folded.rank - 1][0] == 1;
  if (!lines_dense && kept.rank > 0 && kept.strides[kept.rank - 1][0] == 1) {
    constexpr int64_t band = 64;  // narrower ones would read each cache line again and again
    parallel_for(outputs, std::max(band, worth), [&](int64_t begin, int64_t end) {
      Out* result = out + begin;
      kept.visit(begin, end, [&](const auto& offset, int64_t n, const auto&) {
        fold_columns(x.as<T>() + offset[0], folded, count, n, result, zero, finish);
        result += n;
      });
    });
    return;
  }

  constexpr int64_t block = 1 << 16;
  const int64_t blocks = count / block + (count % block != 0);
  std::vector<Acc> parts = no_bad_alloc("reduce", [&] {
    return std::vector<Acc>(blocks > 1 ? static_cast<std::size_t>(blocks) : 0, zero);
  });
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
  // With several blocks a line, it is the blocks that run in parallel, and `parts` serves one line.
  const int64_t lines_a_chunk = blocks > 1 ? outputs : std::max<int64_t>(1, worth);
  parallel_for(outputs, lines_a_chunk, [&](int64_t begin, int64_t end) {
    Out* result = out + begin;
    kept.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
      for (int64_t i = 0; i < n; ++i)
        *result++ = finish(line(x.as<T>() + offset[0] + i * stride[0]));
    });
  });
}

/// Calls f(in, in_step, out, out_step, n) for every line of x and y along dimension d.
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

namespace cairn {

/// where() over numbers, so that a formula reads the same over numbers and over tensors.
template <Arithmetic A, Arithmetic B>
constexpr std::common_type_t<A, B> where(bool condition, A a, B b) {
  return condition ? static_cast<std::common_type_t<A, B>>(a)
                   : static_cast<std::common_type_t<A, B>>(b);
}

}  // namespace cairn
