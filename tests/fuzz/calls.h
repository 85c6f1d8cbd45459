// The calls of which a program consists.
#pragma once

#include "fuzz/program.h"

#include <vector>

namespace cairn::fuzz {

struct Call {
  const char* name;
  enum Kind {
    exact,    // the result depends on the operands' values alone, not on how they lie
    rounded,  // the same up to the order of additions
    effect,   // it depends on more than its operands, or changes more
  } kind;
  Tensor (*f)(Args& a);
};

// Each is one call of Cairn's: what fails must have changed nothing. Arguments are read into
// variables first, since C++ leaves their order open. A byte of a program is the number of a call,
// counted over both lists: after a change, seeds.py writes the corpus anew.
std::vector<Call> tensor_calls();
std::vector<Call> model_calls();

}  // namespace cairn::fuzz
