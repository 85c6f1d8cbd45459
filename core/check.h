// check() throws Error for misuse. A failed allocation throws std::bad_alloc, as everywhere in C++.
#pragma once

#include <cairn/core/format.h>
#include <cairn/core/ref.h>

#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>

namespace cairn {

/// The exception for misuse.
/// Reads "op 'module.path': what was given -> what was expected -> what to do".
/// After a throw nothing has changed.
class CAIRN_API Error : public std::exception {
 public:
  /// Takes "op: what is wrong"; a message without ": " has no op. If no memory is left, only the
  /// first 119 characters are kept.
  explicit Error(std::string_view message) noexcept;
  Error(const Error& other) noexcept;
  Error& operator=(const Error& other) noexcept;
  ~Error() override;

  const char* what() const noexcept override;

  /// Puts `slot` in front of the module path. Each module call that the Error passes through does
  /// so. If no memory is left, the message stays as it is.
  void enter(std::string_view slot) noexcept;

 private:
  struct Text;

  detail::Ref<Text> text_;  // shared, so that copying cannot throw
  char plain_[120] = {};    // the message if text_ is empty
};

/// The exception for a block that Cairn's allocator cannot get. A std::bad_alloc of the standard
/// library passes through unchanged. After a throw nothing has changed.
class CAIRN_API OutOfMemory : public std::bad_alloc {
 public:
  /// Reads "op: cannot allocate N bytes", with the size in GiB if it is one or more. The text lies
  /// in the object itself.
  OutOfMemory(const char* op, std::size_t bytes) noexcept;
  const char* what() const noexcept override { return text_; }

 private:
  char text_[120];
};

namespace detail {

[[noreturn]] CAIRN_API void fail(fmt::string_view message, fmt::format_args args);

/// Returns v as messages show it: a NaN loses its sign, which means nothing.
template <class T>
decltype(auto) shown(const T& v) {
  if constexpr (std::is_floating_point_v<T>) {
    return __builtin_isnan(v) ? static_cast<T>(__builtin_fabs(v)) : T{v};
  } else {
    return (v);
  }
}

}  // namespace detail

/// Throws Error with the formatted message unless `ok`.
/// The message begins with the op: check(n > 0, "linear: input {} is empty", shape).
template <class... Args>
void check(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) [[unlikely]] {
    detail::fail(message, fmt::make_format_args(detail::shown(args)...));
  }
}

}  // namespace cairn
