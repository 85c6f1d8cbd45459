// The three element types, and numbers as operands.
#pragma once

#include <cairn/core/check.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace cairn {

/// float32 and float64 carry gradients; int64 is for indices, masks and counts.
enum class DType : unsigned char { float32, float64, int64 };

template <class T>
concept Arithmetic = std::is_arithmetic_v<T>;

/// A C++ type that a tensor stores.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, int64_t>;

template <Element T>
inline constexpr DType dtype_of = std::same_as<T, float>    ? DType::float32
                                  : std::same_as<T, double> ? DType::float64
                                                            : DType::int64;

constexpr bool is_floating(DType dtype) { return dtype != DType::int64; }
constexpr int64_t element_size(DType dtype) { return dtype == DType::float32 ? 4 : 8; }

/// Converts any value, without undefined behaviour. A floating number that an integer cannot hold,
/// or NaN, becomes the smallest integer, as on x86; integers wrap.
template <Arithmetic To, Arithmetic From>
constexpr To convert(From value) {
  if constexpr (std::integral<To> && std::floating_point<From> && !std::same_as<To, bool>) {
    using Limits = std::numeric_limits<To>;
    constexpr auto low = static_cast<From>(Limits::min());
    constexpr auto end =
        2 * static_cast<From>(uint64_t{1} << (Limits::digits - 1));  // max + 1, exactly
    return value >= low && value < end ? static_cast<To>(value) : Limits::min();
  } else {
    return static_cast<To>(value);
  }
}

/// A number that is an operand of an op, which converts it to the tensor's dtype. An integer that
/// int64 cannot hold is kept as a double.
class Scalar {
 public:
  template <Arithmetic T>
  Scalar(T value)  // NOLINT(google-explicit-constructor): a number converts implicitly
      : integral_(std::integral<T>) {
    if constexpr (std::integral<T>) {
      whole_ = static_cast<int64_t>(value);
      integral_ = value < T{} || whole_ >= 0;  // else it wrapped
    }
    if (!integral_) real_ = static_cast<double>(value);
  }

  template <Arithmetic T>
  T to() const {
    // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the analyzer cannot copy a union
    return integral_ ? convert<T>(whole_) : convert<T>(real_);
  }
  /// Returns whether int64 holds the value exactly.
  bool is_whole() const { return integral_ || real_ == static_cast<double>(to<int64_t>()); }

 private:
  bool integral_;
  union {
    int64_t whole_;
    double real_;
  };
};

}  // namespace cairn
