// Leaves: .grad, requires_grad_(), detach() and NoGrad.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

TEST_CASE("retain_grad: an op's output keeps its gradient only if asked to") {
  const Tensor x = leaf(3);
  Tensor y = x * 2, z = y * y;
  z.backward({}, {.retain_graph = true});
  CHECK_FALSE(y.grad().defined());
  y.retain_grad();
  z.backward({}, {.retain_graph = true});
  CHECK(y.grad().item<float>() == 12);
  z.backward();
  CHECK(y.grad().item<float>() == 24);
}

TEST_CASE("set_grad: replaces, zero_grad: drops") {
  Tensor x = leaf({1, 2});
  x.set_grad(tensor({5, 6}));
  sum(x).backward();
  CHECK(equal(x.grad(), tensor({6, 7})));
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("requires_grad_: turns a leaf on and off") {
  Tensor x = tensor({1, 2});
  CHECK_FALSE((x * 2).requires_grad());
  x.requires_grad_();
  CHECK((x * 2).requires_grad());
  CHECK(x.is_leaf());
  CHECK_FALSE((x * 2).is_leaf());
  x.requires_grad_(false);
  CHECK_FALSE((x * 2).requires_grad());
}

TEST_CASE("detach: cuts the graph and shares the values") {
  Tensor x = leaf({1, 2});
  const Tensor d = x.detach();
  CHECK_FALSE(d.requires_grad());
  CHECK(d.data<float>() == x.data<float>());
  sum(x * x.detach()).backward();
  CHECK(equal(x.grad(), tensor({1, 2})));
}

TEST_CASE("NoGrad: holds for its scope and its thread, and nests") {
  const Tensor x = leaf(3);
  {
    const NoGrad guard;
    CHECK_FALSE(is_grad_enabled());
    { const NoGrad inner; }
    CHECK_FALSE((x * x).requires_grad());
    bool elsewhere = false;
    std::thread([&] { elsewhere = is_grad_enabled(); }).join();
    CHECK(elsewhere);
  }
  CHECK(is_grad_enabled());
}

TEST_CASE("to: gradients pass between float32 and float64, not through int64") {
  const Tensor x = leaf({1, 2});
  sum(square(x.to(DType::float64))).backward();
  CHECK(equal(x.grad(), tensor({2, 4})));
  CHECK_FALSE(x.to(DType::int64).requires_grad());
}
