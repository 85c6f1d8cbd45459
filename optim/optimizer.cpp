#include <cairn/core/ops/internal.h>
#include <cairn/optim/optimizer.h>

namespace cairn::optim {

void Optimizer::zero_grad(const ZeroGradOptions& options) {
  const NoGrad guard;
  for (Tensor& p : parameters()) {
    Tensor g = p.grad();
    if (options.set_to_none || !g.defined()) {
      p.set_grad({});
    } else if (g.requires_grad() || detail::overlaps_itself(g.view_of())) {
      p.set_grad(zeros_like(g));  // made with create_graph: its values are that graph's too
    } else {
      g.zero_();
    }
  }
}

}  // namespace cairn::optim
