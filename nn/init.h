// Initial values of parameters, drawn from the default generator; PyTorch's for the same seed. A
// parameter is taken as a handle, which is written through and keeps its identity.
#pragma once

#include <cairn/core/tensor.h>

namespace cairn::nn::init {

/// U(-bound, bound).
CAIRN_API void uniform_(Tensor x, double bound);

/// Weights (out, in, *): U(±1/√fan_in) with fan_in = in times the sizes behind it, as
/// kaiming_uniform with a = √5. Source: He et al. 2015. Throws Error below rank 2.
CAIRN_API void kaiming_uniform_(Tensor weight);

}  // namespace cairn::nn::init
