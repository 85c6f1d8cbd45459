// These functions use shapes and strides only, no tensors, and no heap memory unless they throw.
#include <cairn/core/internal/shapes.h>

#include <algorithm>

namespace cairn::detail {

Strides contiguous_strides(const Shape& shape) {
  Strides strides(shape.begin(), shape.end());
  int64_t step = 1;
  for (int64_t d = shape.size() - 1; d >= 0; --d) {
    strides[d] = step;
    step *= std::max<int64_t>(shape[d], 1);
  }
  return strides;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  if (shape.numel() == 0) return true;
  int64_t step = 1;
  for (int64_t d = shape.size() - 1; d >= 0; --d) {
    if (shape[d] != 1 && strides[d] != step) return false;
    step *= shape[d];
  }
  return true;
}

Shape broadcast(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  Shape result = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  const int64_t offset = result.size() - shorter.size();
  for (int64_t d = 0; d < shorter.size(); ++d) {
    int64_t& wide = result[offset + d];
    check(wide == shorter[d] || wide == 1 || shorter[d] == 1,
          "{}: shapes {} and {} do not broadcast; dimensions, aligned at the right, must be equal "
          "or 1",
          op, a, b);
    if (wide == 1) wide = shorter[d];
  }
  return result;
}

Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target) {
  Strides result(target.begin(), target.end());
  const int64_t offset = target.size() - shape.size();
  for (int64_t d = 0; d < target.size(); ++d) {
    const bool stretched = d < offset || (shape[d - offset] == 1 && target[d] != 1);
    result[d] = stretched ? 0 : strides[d - offset];
  }
  return result;
}

bool broadcasts_to(const Shape& shape, const Shape& target) {
  const int64_t offset = target.size() - shape.size();
  bool fits = offset >= 0;
  for (int64_t d = 0; fits && d < shape.size(); ++d) {
    fits = shape[d] == target[offset + d] || shape[d] == 1;
  }
  return fits;
}

int64_t wrap_dim(const char* op, int64_t d, const Shape& shape) {
  const int64_t rank = shape.size(), wrapped = d < 0 ? d + rank : d;
  if (wrapped < 0 || wrapped >= rank) [[unlikely]] {
    check(rank > 0, "{}: a scalar has no dimension {}, nor any other", op, d);
    check(false, "{}: {} has no dimension {}; give one from {} to {}", op, shape, d, -rank,
          rank - 1);
  }
  return wrapped;
}

int64_t wrap_dim_or_scalar(const char* op, int64_t d, const Shape& shape) {
  if (!shape.empty()) return wrap_dim(op, d, shape);
  check(d == 0 || d == -1, "{}: a scalar has no dimension {}; give 0 or -1", op, d);
  return 0;
}

int64_t new_dim(const char* op, int64_t d, const Shape& shape) {
  const int64_t rank = shape.size(), place = d < 0 ? d + rank + 1 : d;
  check(place >= 0 && place <= rank,
        "{}: {} has no place {} for a new dimension; give one from {} to {}", op, shape, d,
        -rank - 1, rank);
  check(rank < Shape::max_rank, "{}: {} has {} dimensions already, which is the most there can be",
        op, shape, rank);
  return place;
}

DimMask dim_mask(const char* op, const Dims& dims, const Shape& shape) {
  DimMask mask{};
  for (const int64_t d : dims) {
    bool& seen = mask[static_cast<std::size_t>(wrap_dim_or_scalar(op, d, shape))];
    check(!seen, "{}: dimension {} of {} stands twice in {}; give each once", op, d, shape, dims);
    seen = true;
  }
  return mask;
}

}  // namespace cairn::detail
