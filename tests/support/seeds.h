// Which seeds a test over random cases goes through. CAIRN_SEED=17 in the environment asks for that
// one alone; a variable of the test's own, CAIRN_NORM_RUNS=10000, for so many.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace cairn::test {

struct Seeds {
  uint64_t first, count;
  bool usual;  ///< nothing was asked for
};

inline Seeds seeds(const char* count_variable, uint64_t usual) {
  const auto number = [](const char* text) { return std::strtoull(text, nullptr, 10); };
  if (const char* const seed = std::getenv("CAIRN_SEED")) return {number(seed), 1, false};
  if (const char* const count = std::getenv(count_variable)) return {0, number(count), false};
  return {0, usual, true};
}

}  // namespace cairn::test
