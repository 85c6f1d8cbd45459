// fmt formatters for Cairn's types: `fmt::print("{}", x)`.
// Includes only fmt/core.h, since every user's file includes this header.
#pragma once

#include <cairn/core/export.h>

#include <fmt/core.h>

#include <concepts>
#include <iosfwd>
#include <string>

namespace cairn {

class DimList;
class Shape;
class Strides;
class Dims;
class Tensor;
enum class DType : unsigned char;

/// "[2, 3]"
CAIRN_API std::string to_string(const DimList& list);
/// "float32"
CAIRN_API std::string to_string(DType dtype);
/// The values as nested lists, summarised when there are more than a thousand.
CAIRN_API std::string to_string(const Tensor& x);

namespace detail {

using TextFormatter = fmt::formatter<fmt::string_view>;

CAIRN_API auto write(const TextFormatter& spec, const std::string& text, fmt::format_context& to)
    -> fmt::format_context::iterator;

struct PrintedType {};

/// Formats a type that has to_string(), with the width and alignment of a string.
template <class T>
struct Printed : TextFormatter, PrintedType {
  auto format(const T& value, fmt::format_context& to) const {
    return write(*this, to_string(value), to);
  }
};

CAIRN_API std::ostream& put(std::ostream& to, const std::string& text);

}  // namespace detail

/// std::cout << x prints what fmt::print("{}", x) prints.
template <class T>
requires std::derived_from<fmt::formatter<T>, detail::PrintedType> std::ostream& operator<<(
    std::ostream& to, const T& value) {
  return detail::put(to, to_string(value));
}
namespace nn {
using cairn::operator<<;
}
namespace optim {
using cairn::operator<<;
}

}  // namespace cairn

template <>
struct fmt::formatter<cairn::DimList> : cairn::detail::Printed<cairn::DimList> {};
template <>
struct fmt::formatter<cairn::Shape> : fmt::formatter<cairn::DimList> {};
template <>
struct fmt::formatter<cairn::Strides> : fmt::formatter<cairn::DimList> {};
template <>
struct fmt::formatter<cairn::Dims> : fmt::formatter<cairn::DimList> {};
template <>
struct fmt::formatter<cairn::DType> : cairn::detail::Printed<cairn::DType> {};
template <std::derived_from<cairn::Tensor> T>
struct fmt::formatter<T> : cairn::detail::Printed<cairn::Tensor> {};
