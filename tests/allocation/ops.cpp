// Every op of the table, forward and backward: whatever allocation fails, nothing has happened.
#include "allocation/every_allocation.h"
#include "core/ops/table.h"

#include <cairn/core/autograd.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// The operands of a line of the table, those that can be are leaves that require a gradient.
Tensors operands(const Op& op) {
  Tensors inputs;
  for (const Operand& operand : op.operands) {
    const int64_t n = operand.shape.numel();
    Tensor x =
        linspace(operand.low, operand.high, n + 1, f64).slice(0, 0, n).reshape(operand.shape);
    inputs.push_back(x.clone().to(operand.dtype));
    if (is_floating(operand.dtype)) inputs.back().requires_grad_(true);
  }
  return inputs;
}

// An op, its inputs and its output.
struct World {
  const Op& op;
  Tensors inputs;
  Tensor y;

  explicit World(const Op& its_op) : op(its_op), inputs(operands(op)) {}
  void forward() { y = op.f(inputs); }
  Tensor head() const { return y * y; }  // so that a gradient of each order depends on the values
  Tensors leaves() const {
    Tensors result;
    for (const Tensor& x : inputs) {
      if (x.requires_grad()) result.push_back(x);
    }
    return result;
  }
  Bits gradients() const {
    Bits bits;
    for (const Tensor& x : leaves()) bits << values(x.grad());
    return bits;
  }
};

}  // namespace

TEST_CASE("every op: its forward happens or it does not, whatever allocation fails") {
  int64_t failures = 0;
  for (const Op& op : table()) {
    const Tried tried = fail_every_allocation(op.name, [&] {
      auto w = std::make_shared<World>(op);
      return Trial{[w] { w->forward(); }, [w] { return state(w->inputs) << state(w->y); },
                   [w] {
                     Bits bits = values(w->y);
                     w->forward();
                     w->head().sum().backward();
                     return bits << values(w->y) << w->gradients();
                   }};
    });
    CHECK(tried);
    failures += tried.failures;
  }
  MESSAGE(failures << " allocations failed");
}

TEST_CASE("every op: its backward happens or it does not, whatever allocation fails") {
  int64_t failures = 0;
  for (const Op& op : table()) {
    for (const BackwardOptions& options :
         {BackwardOptions{}, {.retain_graph = true}, {.create_graph = true}}) {
      const Tried tried = fail_every_allocation(op.name, [&] {
        auto w = std::make_shared<World>(op);
        w->forward();
        w->y = w->head().sum();
        return Trial{[w, options] { w->y.backward({}, options); },
                     [w] { return state(w->inputs) << state(w->y); },
                     [w, options] {
                       if (!options.retain_graph && !options.create_graph) {
                         w->forward();
                         w->y = w->head().sum();
                       }
                       w->y.backward({}, options);
                       Bits bits = w->gradients();
                       for (const Tensor& x : w->leaves()) Tensor(x).zero_grad();
                       return bits;
                     }};
      });
      CHECK(tried);
      failures += tried.failures;
    }
  }
  MESSAGE(failures << " allocations failed");
}
