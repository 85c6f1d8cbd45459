// check() is the one way to report misuse; Error is the one type that is thrown.
#pragma once

#include <cairn/core/format.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace cairn {

/// What is thrown for bad input and for memory that cannot be had.
/// Reads "op 'module.path': what was given -> what was expected -> what to do".
/// After a throw nothing has changed.
class CAIRN_API Error : public std::exception {
 public:
  /// From "op: what is wrong"; without a colon there is no op. Where there is no memory left for
  /// the message, its beginning is kept.
  explicit Error(std::string_view message) noexcept;

  /// Made without allocating. 0 bytes: nobody knows how many were asked for.
  static Error out_of_memory(const char* op, std::size_t bytes = 0) noexcept;

  const char* what() const noexcept override;

  /// Puts a module's slot in front of the path. Each Module::operator() that an Error passes does
  /// so; if there is no memory left for it, the message stays as it was.
  void enter(std::string_view slot) noexcept;

 private:
  struct Text;
  Error() = default;

  std::shared_ptr<const Text> text_;  // shared, so that copying cannot throw
  char plain_[120] = {};              // the message where text_ is empty
};

namespace detail {
[[noreturn]] CAIRN_API void fail(fmt::string_view message, fmt::format_args args);
}  // namespace detail

/// Throws Error with the formatted message unless `ok`.
/// The message begins with the op: check(n > 0, "linear: input {} is empty", shape).
template <class... Args>
void check(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (!ok) [[unlikely]] {
    detail::fail(message, fmt::make_format_args(args...));
  }
}

namespace detail {

/// v for a message: a NaN prints with its sign, which means nothing.
CAIRN_API double without_sign(double v);

/// f(), with the standard library's own failures to allocate turned into Error. Around every public
/// function that uses its containers.
template <class F>
auto no_bad_alloc(const char* op, F f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw Error::out_of_memory(op);
  }
}

}  // namespace detail
}  // namespace cairn
