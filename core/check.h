// check() is the one way to report misuse. Misuse throws Error; memory that cannot be had throws
// std::bad_alloc, as everywhere in C++.
#pragma once

#include <cairn/core/format.h>
#include <cairn/core/ref.h>

#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>

namespace cairn {

/// What is thrown for misuse.
/// Reads "op 'module.path': what was given -> what was expected -> what to do".
/// After a throw nothing has changed.
class CAIRN_API Error : public std::exception {
 public:
  /// From "op: what is wrong"; without a colon there is no op. Where there is no memory left for
  /// the message, its beginning is kept.
  explicit Error(std::string_view message) noexcept;
  Error(const Error& other) noexcept;
  Error& operator=(const Error& other) noexcept;
  ~Error() override;

  const char* what() const noexcept override;

  /// Puts a name in front of the path. Each module call that an Error passes does so; if there is
  /// no memory left for it, the message stays as it was.
  void enter(std::string_view slot) noexcept;

 private:
  struct Text;

  detail::Ref<Text> text_;  // shared, so that copying cannot throw
  char plain_[120] = {};    // the message where text_ is empty
};

/// What is thrown where a block of Cairn's own cannot be had; what the standard library throws
/// passes through as it is. After a throw nothing has changed.
class CAIRN_API OutOfMemory : public std::bad_alloc {
 public:
  /// Reads "op: cannot allocate N bytes". The text lies in the object itself.
  OutOfMemory(const char* op, std::size_t bytes) noexcept;
  const char* what() const noexcept override { return text_; }

 private:
  char text_[120];
};

namespace detail {

[[noreturn]] CAIRN_API void fail(fmt::string_view message, fmt::format_args args);

/// v as a message shows it: a NaN without its sign, which means nothing.
template <class T>
decltype(auto) shown(const T& v) {
  if constexpr (std::is_floating_point_v<T>) {
    return v != v ? static_cast<T>(__builtin_fabs(v)) : T{v};
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
