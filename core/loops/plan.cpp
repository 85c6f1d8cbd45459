// The walks over the memory of several operands.
#include <cairn/core/internal/parallel.h>
#include <cairn/core/loops/plan.h>

#include <cstring>

namespace cairn::detail {

template <std::size_t N>
auto Plan<N>::offset(int64_t index) const -> Offsets {
  Offsets offset{};
  for (std::size_t d = rank; d-- > 0; index /= sizes[d])
    shift(offset, strides[d], index % sizes[d]);
  return offset;
}

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

namespace {

// The elements along two dimensions of a plan, cut into tiles, at each place of the other ones. An
// input that is transposed is dense along `rows`, and the output along `columns`. A walk over whole
// rows would read one value from each cache line of that input, and find the line gone when it
// comes back for the next one. Within a tile each line is used up while it is in the cache.
template <std::size_t N>
class Tiles {
 public:
  Tiles(const Plan<N>& plan, std::size_t rows)
      : row_count_(plan.sizes[rows]),
        column_count_(plan.sizes[plan.rank - 1]),
        row_stride_(plan.strides[rows]),
        column_stride_(plan.strides[plan.rank - 1]) {
    for (std::size_t d = 0; d + 1 < plan.rank; ++d) {
      if (d != rows) others_.add(plan.sizes[d], plan.strides[d]);
    }
  }

  int64_t count() const { return others_.count() * across(row_count_) * across(column_count_); }

  void visit(int64_t begin, int64_t end, RunFunction<N> run) const {
    for (; begin < end; ++begin) {
      const int64_t column = begin % across(column_count_) * tile_side;
      const int64_t rest = begin / across(column_count_);
      const int64_t row = rest % across(row_count_) * tile_side;
      Offsets<N> offset = others_.offset(rest / across(row_count_));
      shift(offset, row_stride_, row);
      shift(offset, column_stride_, column);
      run(offset, std::min(tile_side, column_count_ - column), column_stride_,
          std::min(tile_side, row_count_ - row), row_stride_);
    }
  }

 private:
  static int64_t across(int64_t length) { return (length - 1) / tile_side + 1; }

  Plan<N> others_;
  int64_t row_count_, column_count_;
  Offsets<N> row_stride_, column_stride_;
};

// The dimension along which a transposed input is dense, if the elements are to be visited in
// tiles; else the last dimension.
template <std::size_t N>
std::size_t tiled_dimension(const Plan<N>& plan) {
  constexpr int64_t enough = 16;  // rows and columns
  if (plan.rank < 2) return plan.rank;
  const std::size_t last = plan.rank - 1;
  if (plan.strides[last][0] != 1 || plan.sizes[last] < enough) return last;
  for (std::size_t k = 1; k < N; ++k) {
    if (plan.strides[last][k] <= 1) continue;
    for (std::size_t d = 0; d < last; ++d) {
      if (plan.strides[d][k] == 1 && plan.sizes[d] >= enough) return d;
    }
  }
  return last;
}

}  // namespace

template <std::size_t N>
void for_each_run(const std::array<const View*, N>& operands, RunFunction<N> run) {
  const View& out = *operands[0];
  typename Plan<N>::Offsets stride{};
  if (all_dense(operands)) {
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
  const std::size_t rows = tiled_dimension(plan);
  if (rows + 1 < plan.rank) {
    const Tiles<N> tiles(plan, rows);
    constexpr int64_t grain = grain_elements / (tile_side * tile_side);
    return parallel_for(tiles.count(), grain,
                        [&](int64_t begin, int64_t end) { tiles.visit(begin, end, run); });
  }
  parallel_for(out.numel, grain_elements,
               [&](int64_t begin, int64_t end) { plan.visit(begin, end, run); });
}

// Four rows of four floats, or two of two doubles, are transposed in registers. Vectors of 16 bytes
// exist on every x86-64, and wider ones would gain nothing: memory bounds a large transposition.
template <class T>
void transpose_tile(const T* from, int64_t stride, int64_t rows, int64_t columns, T* to) {
  using Vector [[gnu::vector_size(16)]] = T;
  constexpr int64_t width = 16 / sizeof(T);
  const auto load = [](const T* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
  };
  const auto store = [](T* p, Vector v) { std::memcpy(p, &v, sizeof v); };
  for (int64_t j = 0; j + width <= columns; j += width) {
    for (int64_t i = 0; i + width <= rows; i += width) {
      const T* const x = from + i + j * stride;
      T* const y = to + i * tile_side + j;
      const Vector a = load(x), b = load(x + stride);
      if constexpr (width == 2) {
        store(y, __builtin_shufflevector(a, b, 0, 2));
        store(y + tile_side, __builtin_shufflevector(a, b, 1, 3));
      } else {
        const Vector c = load(x + 2 * stride), d = load(x + 3 * stride);
        const Vector ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
        const Vector cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
        const Vector ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
        const Vector cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        store(y, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
        store(y + tile_side, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
        store(y + 2 * tile_side, __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5));
        store(y + 3 * tile_side, __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7));
      }
    }
  }
  const int64_t whole_rows = rows - rows % width, whole_columns = columns - columns % width;
  for (int64_t i = 0; i < rows; ++i) {  // what no whole block covers
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      to[i * tile_side + j] = from[i + j * stride];
    }
  }
}

template void transpose_tile(const float*, int64_t, int64_t, int64_t, float*);
template void transpose_tile(const double*, int64_t, int64_t, int64_t, double*);
template void transpose_tile(const int64_t*, int64_t, int64_t, int64_t, int64_t*);
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
