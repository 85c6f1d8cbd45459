// How operands lie in memory, and in which order their elements are visited.
#pragma once

#include <cairn/core/internal/shapes.h>
#include <cairn/core/tensor_impl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace cairn::detail {

/// How N operands of one shape lie in memory, in as few dimensions as possible.
template <std::size_t N>
struct Plan {
  using Offsets = std::array<int64_t, N>;  // one number for each operand, in elements

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

  /// Visits the elements [begin, end) in order, as runs along the innermost dimension. Calls
  /// run(offsets, n, stride) for each run.
  template <class Run>
  void visit(int64_t begin, int64_t end, Run run) const {
    if (begin == end) return;  // sizes, which may be 0, are divisors below
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

}  // namespace cairn::detail
