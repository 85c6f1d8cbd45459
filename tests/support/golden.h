// Expected numbers that PyTorch computed: tests/golden/<file>.txt, beside the script that wrote it.
#pragma once

#include <cairn/core/state_dict.h>

#include <string>

namespace cairn::test {

/// A tensor of tests/golden/<file>.txt. Throws Error if there is no such file, line or number.
Tensor golden(const std::string& file, const std::string& name);

/// All of the file, in its order.
const StateDict& golden(const std::string& file);

}  // namespace cairn::test
