// Writes to tensors: the checks before them, and begin_write(), which counts each of them.
#pragma once

#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/tensor.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <utility>

namespace cairn::detail {

struct Name;

/// Do several elements share one place in memory, as in an expanded tensor?
bool overlaps_itself(const View& view);

/// Throws Error unless x may be written in place. `tracked`: the new values require a gradient.
void check_writable(const char* op, const Tensor& x, bool tracked = false);

/// The same for a write that cannot join a graph: by a pointer, or by a random generator.
void check_raw_write(const char* op, const Tensor& x);

/// Counts a write to x and returns its view. Every write to a tensor that a node may have saved
/// begins with this call, so that backward() notices the write. Checks nothing.
inline const View& begin_write(const Tensor& x) noexcept {
  const View& view = x.view_of();
  ++view.storage->version;
  return view;
}
/// The same; returns the first element.
template <class T>
T* begin_write(const Tensor& x) noexcept {
  return begin_write(x).template as<T>();
}

/// Writes y's values to x, broadcast and converted. Checks nothing and cannot fail.
void write_values(const Tensor& x, const View& y) noexcept;

/// x += y for equal shapes and dtypes. Checks nothing and cannot fail.
void accumulate(const Tensor& x, const Tensor& y) noexcept;

/// The inner loop of write(). `at` points at the first elements of M outputs, then of N inputs.
template <class F, class T, std::size_t K, std::size_t... Out, std::size_t... In>
void write_run(F f, int64_t n, std::array<T*, K> at, const std::array<int64_t, K>& stride,
               std::index_sequence<Out...>, std::index_sequence<In...>) {
  constexpr std::size_t M = sizeof...(Out);
  if (std::all_of(stride.begin(), stride.end(), [](int64_t s) { return s == 1; })) {
    vectorised([=](auto) {
      CAIRN_INDEPENDENT_ITERATIONS
      for (int64_t i = 0; i < n; ++i) {
        const std::array<T, M> y{f(T{at[M + In][i]}...)};
        ((at[Out][i] = y[Out]), ...);
      }
    });
  } else {
    for (int64_t i = 0; i < n; ++i) {
      const std::array<T, M> y{f(T{at[M + In][i * stride[M + In]]}...)};
      ((at[Out][i * stride[Out]] = y[Out]), ...);
    }
  }
}

/// outputs = f(inputs) element by element, in one pass over memory, on several threads.
///   write([](auto p, auto g, auto b) { b += g; return std::array{p - b, b}; }, {p, b}, {p, g, b});
/// f takes one value of each input. It returns the value of the output, or a std::array with one
/// value for each output. All tensors have one shape and one floating dtype, which f's values have,
/// too; strides may differ. An input may also be an output; otherwise an output shares no memory
/// with another tensor. Counts as a write to each output. Checks nothing and cannot fail.
template <class F, std::size_t M, std::size_t N>
void write(F f, const std::reference_wrapper<const Tensor> (&outputs)[M],
           const std::reference_wrapper<const Tensor> (&inputs)[N]) noexcept {
  std::array<const View*, M + N> views{};
  for (std::size_t k = 0; k < M; ++k) views[k] = &begin_write(outputs[k]);
  for (std::size_t k = 0; k < N; ++k) views[M + k] = &inputs[k].get().view_of();
  const Plan<M + N> plan = plan_of(views);
  dispatch_floating(views[0]->dtype, [&]<class T>(T) {
    parallel_for(views[0]->numel, grain_elements, [&](int64_t begin, int64_t end) {
      plan.visit(begin, end, [&](const auto& offset, int64_t n, const auto& stride) {
        std::array<T*, M + N> at{};
        for (std::size_t k = 0; k < M + N; ++k) at[k] = views[k]->template as<T>() + offset[k];
        write_run(f, n, at, stride, std::make_index_sequence<M>(), std::make_index_sequence<N>());
      });
    });
  });
}

// ---- for modules ----

/// Gives x the storage of `values`, a new tensor of the same shape, and the gradient `grad`. The
/// dtype may change. Every handle to x sees the change. Cannot fail.
void replace_values(const Tensor& x, const Tensor& values, const Tensor& grad) noexcept;

/// Makes x a buffer: in-place ops on it throw Error, and only the functions above write to it.
void mark_as_buffer(const Tensor& x) noexcept;

/// Sets the name that messages give a parameter.
void set_name(const Tensor& parameter, std::shared_ptr<const Name> name) noexcept;

}  // namespace cairn::detail
