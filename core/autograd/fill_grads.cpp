// Filling gradients with 0, for zero_grad({.set_to_none = false}).
#include <cairn/core/autograd.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>

namespace cairn {

void detail::fill_grads(std::span<const Tensor> tensors) {
  const NoGrad guard;
  std::vector<std::pair<Tensor, Tensor>> kept;  // tensors and the gradients that they keep
  for (const Tensor& x : tensors) {
    Tensor g = x.grad();
    if (!g.defined()) continue;
    if (g.requires_grad() || overlaps_itself(g.view_of())) {
      // A graph may need the values of a gradient that was made with create_graph. One value of an
      // expanded gradient, such as the gradient of sum(), may stand for several elements.
      g = empty_like(g);
    } else {
      check_writable("zero_grad", g);
    }
    kept.emplace_back(x, g);
  }
  for (auto& [x, g] : kept) x.zero_grad();  // from here on nothing can fail
  for (auto& [x, g] : kept) {
    write([]<class T>(T) { return T{0}; }, {g}, {g});
    x.set_grad(g);
  }
}

}  // namespace cairn
