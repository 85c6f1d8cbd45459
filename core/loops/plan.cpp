// The walks over the memory of several operands.
#include <cairn/core/internal/parallel.h>
#include <cairn/core/loops/plan.h>

namespace cairn::detail {

template <std::size_t N>
void Plan<N>::visit(int64_t begin, int64_t end, RunFunction<N> run) const {
  if (begin == end) return;  // sizes, which may be 0, are divisors below
  const std::size_t inner = rank == 0 ? 0 : rank - 1, outer = rank < 2 ? 0 : rank - 2;
  const int64_t width = rank == 0 ? 1 : sizes[inner];
  std::array<int64_t, Shape::max_rank> at{};  // the indices of element `begin`
  Offsets offset{};
  int64_t rest = begin;
  for (std::size_t d = rank; d-- > 0; rest /= sizes[d]) {
    at[d] = rest % sizes[d];
    shift(offset, strides[d], at[d]);
  }
  while (true) {
    const bool whole = rank > 1 && at[inner] == 0 && end - begin >= width;
    const int64_t n = whole ? width : std::min(width - at[inner], end - begin);
    const int64_t rows = whole ? std::min(sizes[outer] - at[outer], (end - begin) / width) : 1;
    run(offset, n, strides[inner], rows, strides[outer]);
    begin += n * rows;
    if (begin == end) return;
    shift(offset, strides[inner], -at[inner]);  // back to the start of the row,
    at[inner] = 0;
    shift(offset, strides[outer], rows);  // and on to the next one
    at[outer] += rows;
    for (std::size_t d = outer; d > 0 && at[d] == sizes[d]; --d) {
      shift(offset, strides[d], -at[d]);
      at[d] = 0;
      shift(offset, strides[d - 1], 1);
      ++at[d - 1];
    }
  }
}

template <std::size_t N>
void for_each_run(const std::array<const View*, N>& operands, RunFunction<N> run) {
  const View& out = *operands[0];
  const bool dense = std::all_of(operands.begin(), operands.end(), [&](const View* v) {
    return v->contiguous && v->numel == out.numel;
  });
  typename Plan<N>::Offsets stride{};
  if (dense) {
    stride.fill(1);
    parallel_for(out.numel, grain_elements, [&](int64_t begin, int64_t end) {
      typename Plan<N>::Offsets offset{};
      offset.fill(begin);
      run(offset, end - begin, stride);
    });
    return;
  }
  std::array<Strides, N> all;
  for (std::size_t k = 0; k < N; ++k) {
    all[k] = broadcast_strides(operands[k]->shape, operands[k]->strides, out.shape);
  }
  Plan<N> plan;
  for (int64_t d = 0; d < out.shape.size(); ++d) {
    for (std::size_t k = 0; k < N; ++k) stride[k] = all[k][d];
    plan.add(out.shape[d], stride);
  }
  parallel_for(out.numel, grain_elements,
               [&](int64_t begin, int64_t end) { plan.visit(begin, end, run); });
}

template struct Plan<1>;
template struct Plan<2>;
template struct Plan<3>;
template struct Plan<4>;
template struct Plan<5>;
template void for_each_run(const std::array<const View*, 2>&, RunFunction<2>);
template void for_each_run(const std::array<const View*, 3>&, RunFunction<3>);
template void for_each_run(const std::array<const View*, 4>&, RunFunction<4>);
template void for_each_run(const std::array<const View*, 5>&, RunFunction<5>);

}  // namespace cairn::detail
