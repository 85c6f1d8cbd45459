// Which instruction set the loops use.
#include <cairn/core/check.h>
#include <cairn/core/internal/vectorised.h>

namespace cairn::detail {
namespace {

// Asks for exactly the features that the functions of vectorised.h are compiled for.
InstructionSet best_set() noexcept {
#ifdef CAIRN_HAS_INSTRUCTION_SETS
  __builtin_cpu_init();  // a static constructor may come before the compiler's own
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return InstructionSet::baseline;
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return v4 ? InstructionSet::v4 : InstructionSet::v3;
#else
  return InstructionSet::baseline;
#endif
}

}  // namespace

InstructionSet choose_instruction_set() noexcept {
  const InstructionSet best = best_set();
  chosen_set.store(best, std::memory_order_relaxed);  // every thread finds the same
  return best;
}

void set_instruction_set(InstructionSet set) {
  check(set >= InstructionSet::baseline && set <= best_set(),
        "set_instruction_set: this CPU has no {}; its best is {}", to_string(set),
        to_string(best_set()));
  chosen_set.store(set, std::memory_order_relaxed);
}

const char* to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::v4:
      return "AVX-512";
    case InstructionSet::v3:
      return "AVX2 and FMA";
    default:
      break;
  }
#ifdef __x86_64__
  return "SSE2 (the x86-64 baseline)";
#else
  return "the compiler's baseline";
#endif
}

}  // namespace cairn::detail
