// Compiles a loop for several instruction sets, and runs the best one that the CPU has.
//
// A target belongs to a function, not to a file. So nothing outside of the loop is compiled for a
// CPU that may not be there. On other processors than x86-64 there is the baseline alone.
#pragma once

#include <atomic>
#include <cmath>
#include <concepts>
#include <type_traits>
#include <utility>

#if defined(__x86_64__) && defined(__GNUC__)
#define CAIRN_HAS_INSTRUCTION_SETS 1
#endif

/// Tells the compiler that no iteration of the next loop reads what another one writes. It can then
/// vectorise the loop even if an output is an input, too.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"  // a sanitizer may prevent vectorisation
#define CAIRN_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#else
#define CAIRN_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace cairn::detail {

/// What a loop is compiled for. v3 has AVX2 and fused multiply-add, v4 has AVX-512.
enum class InstructionSet : int { unknown, baseline, v3, v4 };

// Constant-initialised, so that the constructors of static objects may use tensors.
inline constinit std::atomic<InstructionSet> chosen_set{InstructionSet::unknown};

/// Asks the CPU for its best set, once.
InstructionSet choose_instruction_set() noexcept;

/// The set in use.
inline InstructionSet instruction_set() noexcept {
  const InstructionSet set = chosen_set.load(std::memory_order_relaxed);
  return set != InstructionSet::unknown ? set : choose_instruction_set();
}

/// Makes loops run with this set from now on, for tests. Throws Error if the CPU lacks it.
void set_instruction_set(InstructionSet set);

const char* to_string(InstructionSet set);

template <InstructionSet set>
using At = std::integral_constant<InstructionSet, set>;

/// a * b + c, fused and so more exact in a loop that is compiled for a set with that instruction.
/// Integers are never fused.
template <InstructionSet set, class T>
[[gnu::always_inline]] inline T multiply_add(At<set>, T a, T b, T c) {
  if constexpr (set > InstructionSet::baseline && std::floating_point<T>) {
    return std::fma(a, b, c);
  } else {
    return a * b + c;
  }
}

// The loop is called here and nowhere deeper, because clang's flatten inlines direct calls only.
#ifdef CAIRN_HAS_INSTRUCTION_SETS
template <class F>
[[gnu::flatten, gnu::noinline, gnu::target("avx2,fma")]] auto at_v3(F f) {
  return f(At<InstructionSet::v3>());
}
template <class F>
[[gnu::flatten, gnu::noinline, gnu::target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]] auto
at_v4(F f) {
  return f(At<InstructionSet::v4>());
}
#endif

/// Calls a loop, f(set), compiled for the set in use:
///   vectorised([=](auto) { for (int64_t i = 0; i < n; ++i) y[i] = 2 * x[i]; });
/// The loop is a lambda that holds by value what it needs: then no store can change what it holds.
/// It gives the same bits at every set, unless it passes the set to multiply_add().
template <class F>
[[gnu::always_inline]] inline auto vectorised(F f) {
#ifdef CAIRN_HAS_INSTRUCTION_SETS
  switch (instruction_set()) {
    case InstructionSet::v4:
      return at_v4(std::move(f));
    case InstructionSet::v3:
      return at_v3(std::move(f));
    default:
      break;
  }
#endif
  return f(At<InstructionSet::baseline>());
}

}  // namespace cairn::detail
