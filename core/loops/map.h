// Element by element: out[i] = f(in[i]...), for operands of any strides that broadcast.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace cairn::detail {

/// Returns f(a, b). Integers wrap, as in PyTorch. C++ defines this for unsigned integers only.
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

/// An operand of map_into(): a view whose elements are of type T.
template <class T>
struct Elements {
  const View& view;
  T* data() const { return view.as<T>(); }
};
template <class T>
Elements<T> elements(const Tensor& x) {
  return {x.view_of()};
}

template <class F, class Out, class... In>
void map_dense(const F& f, int64_t n, Out* out, const In*... in) {
  vectorised([=](auto) {
    CAIRN_INDEPENDENT_ITERATIONS
    for (int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
  });
}

/// The same if input C is one value.
template <std::size_t C, class F, class Out, class... In>
void map_with_constant(const F& f, int64_t n, Out* out, const In*... in) {
  const auto constant = *std::get<C>(std::tuple(in...));
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    vectorised([=](auto) {
      const auto value = [constant]<std::size_t k>(std::integral_constant<std::size_t, k>,
                                                   const auto* x, int64_t i) {
        if constexpr (k == C) {
          return constant;
        } else {
          return x[i];
        }
      };
      CAIRN_INDEPENDENT_ITERATIONS
      for (int64_t i = 0; i < n; ++i)
        out[i] = f(value(std::integral_constant<std::size_t, K>(), in, i)...);
    });
  }
  (std::index_sequence_for<In...>{});
}

/// One run. It is vectorised for dense operands, and for dense ones beside a constant.
template <class F, class Out, class... In, std::size_t... K>
void map_run(const F& f, int64_t n, const std::array<int64_t, 1 + sizeof...(In)>& stride,
             std::index_sequence<K...>, Out* out, const In*... in) {
  const auto only_constant = [&](std::size_t constant) {
    return stride[0] == 1 && ((stride[K + 1] == (K == constant ? 0 : 1)) && ...);
  };
  if (only_constant(sizeof...(In))) return map_dense(f, n, out, in...);
  if constexpr (sizeof...(In) > 1) {
    const bool done = ((only_constant(K) && (map_with_constant<K>(f, n, out, in...), true)) || ...);
    if (done) return;
  }
  for (int64_t i = 0; i < n; ++i) out[i * stride[0]] = f(in[i * stride[K + 1]]...);
}

/// An operand of several runs, the rows.
template <class T>
struct Rows {
  T* first;
  int64_t stride, row_stride;

  /// If the rows are a tile of a transposed operand, copies them to `buffer`, where they are dense.
  Rows dense(int64_t rows, int64_t n, void* buffer) const {
    if (row_stride != 1 || stride <= 1 || rows > tile_side || n > tile_side) return *this;
    auto* const copy = static_cast<std::remove_const_t<T>*>(buffer);
    transpose_tile<std::remove_const_t<T>>(first, stride, rows, n, copy);
    return {copy, 1, tile_side};
  }
};

template <class F, class Out, class... In>
void map_rows(const F& f, int64_t rows, int64_t n, const Rows<Out>& out, const Rows<In>&... in) {
  for (int64_t i = 0; i < rows; ++i) {
    map_run(f, n, {out.stride, in.stride...}, std::index_sequence_for<In...>(),
            out.first + i * out.row_stride, (in.first + i * in.row_stride)...);
  }
}

/// out = f(in...) element by element; the inputs broadcast to the output. An input is the output
/// itself or shares no element with it.
template <class F, class Out, class... In>
void map_into(F f, Elements<Out> out, Elements<In>... in) {
  constexpr std::size_t N = 1 + sizeof...(In);
  const std::array<const View*, N> operands = {&out.view, &in.view...};
  // Small dense operands are frequent. The walk would cost more than their few elements.
  if (out.view.numel <= grain_elements && all_dense(operands)) {
    return map_dense(f, out.view.numel, out.data(), in.data()...);
  }
  const auto run = [&](const Offsets<N>& offset, int64_t n, const Offsets<N>& stride, int64_t rows,
                       const Offsets<N>& row_stride) {
    constexpr std::size_t bytes = tile_side * tile_side * std::max({sizeof(In)...});
    alignas(alignment) std::byte buffers[sizeof...(In)][bytes];
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      const auto input = [&]<class T>(std::size_t k, T* first) {
        return Rows<T>{first + offset[k + 1], stride[k + 1], row_stride[k + 1]}.dense(rows, n,
                                                                                      buffers[k]);
      };
      map_rows(f, rows, n, Rows<Out>{out.data() + offset[0], stride[0], row_stride[0]},
               input(K, in.data())...);
    }
    (std::index_sequence_for<In...>{});
  };
  for_each_run(operands, RunFunction<N>(run));
}

/// Returns a new tensor with the values f(inputs...). Its dtype is that of f's results.
template <class F, class... X>
Tensor map(const char* op, F f, const Tensor& x, const X&... rest) {
  const DType dtype = common_dtype(op, x, rest...);
  const Shape shape = common_shape(op, x, rest...);
  return dispatch(dtype, [&]<class T>(T) {
    using Out = decltype(f(T{}, (static_cast<void>(rest), T{})...));
    Tensor y = new_tensor(op, shape, dtype_of<Out>);
    map_into(f, elements<Out>(y), elements<const T>(x), elements<const T>(rest)...);
    return y;
  });
}

/// The same for an op that is defined on floating numbers: the result has the inputs' dtype.
template <class F, class... X>
Tensor map_floating(const char* op, F f, const Tensor& x, const X&... rest) {
  const DType dtype = common_dtype(op, x, rest...);
  check_floating(op, x);
  Tensor y = new_tensor(op, common_shape(op, x, rest...), dtype);
  dispatch_floating(dtype, [&]<class T>(T) {
    map_into([&f](auto... v) { return static_cast<T>(f(v...)); }, elements<T>(y),
             elements<const T>(x), elements<const T>(rest)...);
  });
  return y;
}

/// Evaluates a formula. If gradients are enabled, f gets tensors and consists of recorded ops, so
/// the result can be differentiated. Otherwise f gets numbers, in one fused pass over memory.
template <class F, class... X>
Tensor formula(const char* op, F f, const Tensor& x, const X&... rest) {
  return is_grad_enabled() ? f(x, rest...) : map_floating(op, f, x, rest...);
}

}  // namespace cairn::detail

namespace cairn {

/// where() of numbers, for formulas that take numbers or tensors.
template <Arithmetic A, Arithmetic B>
constexpr std::common_type_t<A, B> where(bool condition, A a, B b) {
  return condition ? static_cast<std::common_type_t<A, B>>(a)
                   : static_cast<std::common_type_t<A, B>>(b);
}

}  // namespace cairn
