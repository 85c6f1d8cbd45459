// Inserting and erasing dimensions, and the number of elements.
#include <cairn/core/shape.h>

namespace cairn {

void DimList::insert(int64_t d, int64_t value) {
  check(d >= 0 && d <= size_, "shape: {} has no place {} for a new dimension", *this, d);
  push_back(value);
  std::rotate(values_.begin() + d, values_.begin() + size_ - 1, values_.begin() + size_);
}

void DimList::erase(int64_t d) {
  std::copy(begin() + index(d) + 1, end(), values_.begin() + static_cast<int64_t>(index(d)));
  --size_;
}

int64_t Shape::numel(const char* op) const {
  int64_t count = 1;
  bool overflow = false, any_zero = false;
  for (const int64_t d : *this) {
    check(d >= 0, "{}: negative dimension in {}", op, *this);
    // Strides are products of the sizes other than 0, so these must not overflow either.
    overflow |= __builtin_mul_overflow(count, std::max<int64_t>(d, 1), &count);
    any_zero |= d == 0;
  }
  check(!overflow, "{}: the sizes of {} multiply to more than 2^63", op, *this);
  return any_zero ? 0 : count;
}

}  // namespace cairn
