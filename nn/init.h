// Initial values of parameters, drawn from the default generator. The same seed gives PyTorch's
// values. Each function takes a handle to a tensor and writes into it.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::nn::init {

/// Fills x from U(-bound, bound).
CAIRN_API void uniform_(Tensor x, double bound);

/// Fills a weight (out, in, *) from U(±1/√fan_in): PyTorch's kaiming_uniform_ with a = √5. fan_in
/// is the product of all sizes but the first. Source: He et al. 2015. Throws Error if the rank is
/// below 2.
CAIRN_API void kaiming_uniform_(Tensor weight);

}  // namespace cairn::nn::init
