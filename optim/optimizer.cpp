// What is common to the optimizers: an Error leaves every gradient as it was.
#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/optim/optimizer.h>

namespace cairn::optim {

void Optimizer::zero_grad(const ZeroGradOptions& options) {
  detail::no_bad_alloc("zero_grad", [&] {
    const NoGrad guard;
    std::vector<Tensor> params = parameters(), grads;
    for (const Tensor& p : params) {
      Tensor g = options.set_to_none ? Tensor() : p.grad();
      if (g.defined() && (g.requires_grad() || detail::overlaps_itself(g.view_of()))) {
        // Made with create_graph, its values are that graph's too; expanded, as sum()'s is then,
        // one value stands for several elements and is not to be written. Either is replaced.
        g = empty_like(g);
      } else if (g.defined()) {
        detail::check_writable("zero_grad", g);
      }
      grads.push_back(g);
    }
    const Tensor zero = zeros({});
    for (std::size_t i = 0; i < params.size(); ++i) {  // from here on nothing can fail
      if (grads[i].defined()) detail::write_values(grads[i], zero.view_of());
      params[i].set_grad(grads[i]);
    }
  });
}

}  // namespace cairn::optim
