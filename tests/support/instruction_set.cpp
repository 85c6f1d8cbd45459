// CAIRN_TEST_INSTRUCTION_SET=baseline, v3 or v4 makes the whole program use that set.
#include <cairn/core/check.h>
#include <cairn/core/internal/vectorised.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

using cairn::detail::InstructionSet;

static const bool chosen = [] {
  const char* const name = std::getenv("CAIRN_TEST_INSTRUCTION_SET");
  if (name == nullptr) return false;
  try {
    const std::string_view text = name;
    cairn::check(text == "baseline" || text == "v3" || text == "v4",
                 "CAIRN_TEST_INSTRUCTION_SET is '{}'; give baseline, v3 or v4", text);
    cairn::detail::set_instruction_set(text == "baseline" ? InstructionSet::baseline
                                       : text == "v3"     ? InstructionSet::v3
                                                          : InstructionSet::v4);
  } catch (const cairn::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(1);
  }
  return true;
}();
