// How operands lie in memory, and in which order their elements are visited.
#pragma once

#include <cairn/core/internal/shapes.h>
#include <cairn/core/tensor_impl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cairn::detail {

template <std::size_t N>
using Offsets = std::array<int64_t, N>;  // one number for each operand, in elements

template <std::size_t N>
void shift(Offsets<N>& offset, const Offsets<N>& stride, int64_t steps) {
  for (std::size_t k = 0; k < N; ++k) offset[k] += stride[k] * steps;
}

/// Refers to a function run(offsets, n, strides, rows, row_strides), without owning it. So the walk
/// over the memory of N operands is compiled once, not once for every op. Only the loop over rows
/// is the op's own. A function run(offsets, n, strides) is called once for each row.
template <std::size_t N>
class RunFunction {
 public:
  template <class F>
  RunFunction(const F& f)  // NOLINT(google-explicit-constructor): takes a lambda's place
      : object_(&f),
        call_([](const void* object, Offsets<N> offset, int64_t n, const Offsets<N>& stride,
                 int64_t rows, const Offsets<N>& row_stride) {
          const F& run = *static_cast<const F*>(object);
          if constexpr (std::is_invocable_v<const F&, Offsets<N>, int64_t, Offsets<N>, int64_t,
                                            Offsets<N>>) {
            run(offset, n, stride, rows, row_stride);
          } else {
            for (; rows > 1; --rows, shift(offset, row_stride, 1)) run(offset, n, stride);
            run(offset, n, stride);
          }
        }) {}
  /// Calls the function for `rows` runs of n elements.
  void operator()(const Offsets<N>& offset, int64_t n, const Offsets<N>& stride, int64_t rows = 1,
                  const Offsets<N>& row_stride = {}) const {
    call_(object_, offset, n, stride, rows, row_stride);
  }

 private:
  const void* object_;
  void (*call_)(const void*, Offsets<N>, int64_t, const Offsets<N>&, int64_t, const Offsets<N>&);
};

/// How N operands of one shape lie in memory, in as few dimensions as possible.
template <std::size_t N>
struct Plan {
  using Offsets = detail::Offsets<N>;

  std::size_t rank = 0;
  std::array<int64_t, Shape::max_rank> sizes{};
  std::array<Offsets, Shape::max_rank> strides{};

  /// Adds a dimension. Outer ones come first. It is joined to the last one if no operand has a gap.
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

  /// The place of an element, of which 0 is the first.
  Offsets offset(int64_t index) const;

  /// Visits the elements [begin, end) in order, as runs along the innermost dimension. Calls
  /// run(offsets, n, stride) for each run.
  void visit(int64_t begin, int64_t end, RunFunction<N> run) const;

 private:
  static bool follows(const Offsets& outer, int64_t size, const Offsets& stride) {
    for (std::size_t k = 0; k < N; ++k) {
      if (outer[k] != stride[k] * size) return false;
    }
    return true;
  }
};

/// The plan of N operands of one shape.
template <std::size_t N>
Plan<N> plan_of(const std::array<const View*, N>& operands) {
  Plan<N> plan;
  typename Plan<N>::Offsets stride{};
  if (std::all_of(operands.begin(), operands.end(), [](auto* v) { return v->contiguous; })) {
    stride.fill(1);
    plan.add(operands[0]->numel, stride);
    return plan;
  }
  for (int64_t d = 0; d < operands[0]->shape.size(); ++d) {
    for (std::size_t k = 0; k < N; ++k) stride[k] = operands[k]->strides[d];
    plan.add(operands[0]->shape[d], stride);
  }
  return plan;
}

/// True if the operands have equally many elements, each densely in order.
template <std::size_t N>
bool all_dense(const std::array<const View*, N>& operands) {
  return std::all_of(operands.begin(), operands.end(), [&](const View* v) {
    return v->contiguous && v->numel == operands[0]->numel;
  });
}

/// The rows and columns of a tile, at most. Half of it is slower, and twice is no faster.
inline constexpr int64_t tile_side = 64;

/// Copies a tile that is dense along its rows' direction, so that each row of the copy is dense:
///   to[i * tile_side + j] = from[i + j * stride] for i < rows and j < columns
template <class T>
void transpose_tile(const T* from, int64_t stride, int64_t rows, int64_t columns, T* to);

/// Calls run for all elements of an output, operand 0, and of the inputs that broadcast to it, on
/// several threads. The order is that of the output, or goes by tiles if an input is transposed.
template <std::size_t N>
void for_each_run(const std::array<const View*, N>& operands, RunFunction<N> run);

}  // namespace cairn::detail
