// The thread pool. No other code starts threads.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace cairn::detail {

/// Refers to a callable f(begin, end), without owning it.
class RangeFunction {
 public:
  template <class F>
  explicit RangeFunction(F& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, int64_t begin, int64_t end) {
          (*static_cast<F*>(object))(begin, end);
        }) {}
  void operator()(int64_t begin, int64_t end) const { call_(object_, begin, end); }

 private:
  void* object_;
  void (*call_)(void*, int64_t, int64_t);
};

/// Registers what fork() calls: `before` in the parent, then `in_parent` and `in_child`.
void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)());

/// The part of parallel_for() for several chunks.
void run_chunks(int64_t n, int64_t grain, RangeFunction f) noexcept;

/// Calls f(begin, end) for [0, n) in chunks of `grain`, on several threads if there are several
/// chunks. The chunks depend on n and grain alone, so that the number of threads does not change a
/// result. f must not throw.
template <class F>
void parallel_for(int64_t n, int64_t grain, F f) {
  if (n <= grain) {
    if (n > 0) f(int64_t{0}, n);
  } else {
    run_chunks(n, grain, RangeFunction(f));
  }
}

/// The elements in a chunk that are enough work to use a thread.
inline constexpr int64_t grain_elements = 1 << 15;

}  // namespace cairn::detail
