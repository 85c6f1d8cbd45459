// Dimensions and strides: a list of at most eight numbers that never touches the heap.
#pragma once

#include <cairn/core/check.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace cairn {

/// The sizes of a tensor's dimensions, outermost first; prints as [2, 3].
/// Also serves as a list of strides or of dimension numbers (Strides, Dims).
class CAIRN_API Shape {
 public:
  static constexpr int64_t max_rank = 8;

  /// The shape of a scalar.
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), dims.end()) {}
  template <std::input_iterator It>
  Shape(It first, It last) {
    for (; first != last; ++first) push_back(static_cast<int64_t>(*first));
  }

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + size_; }

  /// Negative d counts from the end. Throws Error out of range.
  int64_t operator[](int64_t d) const { return dims_[index(d)]; }
  int64_t& operator[](int64_t d) { return dims_[index(d)]; }

  /// Throws Error beyond max_rank.
  void push_back(int64_t dim) {
    check(size_ < max_rank, "shape: more than {} dimensions are not supported", max_rank);
    dims_[static_cast<std::size_t>(size_++)] = dim;
  }
  void insert(int64_t d, int64_t dim);
  void erase(int64_t d);

  /// The number of elements. Throws Error naming `op` if a dimension is negative or the sizes,
  /// 0 aside, multiply to more than 2^63.
  int64_t numel(const char* op = "shape") const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.size_ != b.size_) return false;
    for (std::size_t d = 0; d < static_cast<std::size_t>(a.size_); ++d) {  // inline, unlike memcmp
      if (a.dims_[d] != b.dims_[d]) return false;
    }
    return true;
  }

 private:
  std::size_t index(int64_t d) const {
    const int64_t i = d < 0 ? d + size_ : d;
    check(i >= 0 && i < size_, "shape: {} has no dimension {}", *this, d);
    return static_cast<std::size_t>(i);
  }

  std::array<int64_t, max_rank> dims_{};
  int64_t size_ = 0;
};

using Strides = Shape;
using Dims = Shape;

}  // namespace cairn
