// Shape, Strides and Dims: lists of at most eight numbers, without heap memory.
#pragma once

#include <cairn/core/check.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace cairn {

/// A contiguous range of integers, such as std::vector<int> or std::span<const int64_t>.
template <class R>
concept IntegerRange = requires(const R& range) {
  { *std::data(range) } -> std::convertible_to<int64_t>;
  { std::size(range) } -> std::convertible_to<std::size_t>;
  requires std::integral<std::remove_cvref_t<decltype(*std::data(range))>>;
};

namespace detail {
/// An element of a list of sizes: an integer of any type but bool. Other types do not convert.
struct ListedSize {
  template <std::integral T>
  requires(!std::same_as<T, bool>) constexpr ListedSize(T v)  // NOLINT(google-explicit-constructor)
      : value(static_cast<int64_t>(v)) {}
  constexpr operator int64_t() const { return value; }  // NOLINT(google-explicit-constructor)
  int64_t value;
};
}  // namespace detail

/// The base of Shape, Strides and Dims. Prints as [2, 3].
class CAIRN_API DimList {
 public:
  static constexpr int64_t max_rank = 8;

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + size_; }

  /// Negative d counts from the end. Throws Error out of range.
  int64_t operator[](int64_t d) const { return values_[index(d)]; }
  int64_t& operator[](int64_t d) { return values_[index(d)]; }

  /// Throws Error beyond max_rank.
  void push_back(int64_t value) {
    check(size_ < max_rank, "shape: more than {} dimensions are not supported", max_rank);
    values_[size_++] = value;
  }
  /// Puts `value` before dimension d, or at the end if d is size(). Throws Error out of range.
  void insert(int64_t d, int64_t value);
  void erase(int64_t d);

 protected:
  DimList() = default;
  template <class It>
  DimList(It first, It last) {
    for (; first != last; ++first) push_back(static_cast<int64_t>(*first));
  }
  bool equals(const DimList& other) const {
    if (size_ != other.size_) return false;
    for (std::size_t d = 0; d < size_; ++d) {  // inlined, unlike memcmp
      if (values_[d] != other.values_[d]) return false;
    }
    return true;
  }

 private:
  std::size_t index(int64_t d) const {
    const int64_t i = d < 0 ? d + size_ : d;
    check(i >= 0 && i < size_, "shape: {} has no dimension {}", *this, d);
    return static_cast<std::size_t>(i);
  }

  std::array<int64_t, max_rank> values_{};
  // One byte, so that a class may put its next members into the padding behind it.
  uint8_t size_ = 0;
};

/// The sizes of a tensor's dimensions, outermost first.
class CAIRN_API Shape : public DimList {
 public:
  /// The shape of a scalar.
  Shape() = default;
  Shape(std::initializer_list<detail::ListedSize> sizes) : DimList(sizes.begin(), sizes.end()) {}
  /// The shape of a vector: zeros(5).
  template <std::integral T>
  requires(!std::same_as<T, bool>) Shape(T size)  // NOLINT(google-explicit-constructor)
      : Shape({size}) {}
  template <std::same_as<bool> T>
  Shape(T) = delete;  // a bool is no size and no dimension
  template <IntegerRange R>
  Shape(const R& sizes)  // NOLINT(google-explicit-constructor): a vector converts to a shape
      : DimList(std::data(sizes), std::data(sizes) + std::size(sizes)) {}
  template <std::input_iterator It>
  Shape(It first, It last) : DimList(first, last) {}

  /// The number of elements. Throws Error naming `op` if a size is negative, or if the
  /// product of the sizes other than 0 is 2^63 or more.
  int64_t numel(const char* op = "shape") const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.equals(b); }
};

/// The distance between neighbours along each dimension, in elements.
class CAIRN_API Strides : public DimList {
 public:
  Strides() = default;
  Strides(std::initializer_list<detail::ListedSize> strides)
      : DimList(strides.begin(), strides.end()) {}
  template <std::input_iterator It>
  Strides(It first, It last) : DimList(first, last) {}

  friend bool operator==(const Strides& a, const Strides& b) { return a.equals(b); }
};

/// A list of dimensions, or of one index for each dimension.
class CAIRN_API Dims : public DimList {
 public:
  Dims() = default;
  Dims(std::initializer_list<detail::ListedSize> dims) : DimList(dims.begin(), dims.end()) {}
  template <IntegerRange R>
  Dims(const R& dims)  // NOLINT(google-explicit-constructor): as for Shape
      : DimList(std::data(dims), std::data(dims) + std::size(dims)) {}
  template <std::input_iterator It>
  Dims(It first, It last) : DimList(first, last) {}
  /// A list of one dimension: x.sum(1).
  template <std::integral T>
  requires(!std::same_as<T, bool>) Dims(T d)  // NOLINT(google-explicit-constructor)
      : Dims({d}) {}
  template <std::same_as<bool> T>
  Dims(T) = delete;  // a bool is no size and no dimension

  friend bool operator==(const Dims& a, const Dims& b) { return a.equals(b); }
};

}  // namespace cairn
