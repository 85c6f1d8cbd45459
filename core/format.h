// fmt formatters for Cairn's types: `fmt::print("{}", x)`.
// Includes only fmt/core.h, since every user's file includes this header.
#pragma once

#include <cairn/core/export.h>

#include <fmt/core.h>

#include <concepts>
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

/// Formats a type that has to_string(), with the width and alignment of a string.
template <class T>
struct Printed : TextFormatter {
  auto format(const T& value, fmt::format_context& to) const {
    return write(*this, to_string(value), to);
  }
};

}  // namespace detail
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
