#include <cairn/core/autograd.h>
#include <cairn/optim/optimizer.h>

namespace cairn::optim {

void Optimizer::zero_grad(const ZeroGradOptions& options) {
  const NoGrad guard;
  for (Tensor& p : parameters()) {
    Tensor g = p.grad();
    if (options.set_to_none || !g.defined()) {
      p.set_grad({});
    } else {
      g.zero_();
    }
  }
}

}  // namespace cairn::optim
