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
  CHECK_ERROR(tensor(1).retain_grad(), "retain_grad: [] does not require a gradient");
}

TEST_CASE("set_grad: replaces, zero_grad: drops") {
  Tensor x = leaf({1, 2});
  x.set_grad(tensor({5, 6}));
  sum(x).backward();
  CHECK(equal(x.grad(), tensor({6, 7})));
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  CHECK_ERROR(x.set_grad(zeros({3})),
              "set_grad: the gradient is [3] float32, the tensor [2] float32; they must agree");
  CHECK_ERROR(x.set_grad(zeros({2}, f64)),
              "set_grad: the gradient is [2] float64, the tensor [2] float32; they must agree");
  CHECK_FALSE(x.grad().defined());
  CHECK_ERROR(tensor({1}, i64).set_grad(tensor({1}, i64)),
              "set_grad: int64 cannot take a gradient");
}

TEST_CASE("requires_grad_: of leaves and floating tensors only") {
  Tensor x = tensor({1, 2});
  CHECK_FALSE((x * 2).requires_grad());
  x.requires_grad_();
  CHECK((x * 2).requires_grad());
  CHECK(x.is_leaf());
  CHECK_FALSE((x * 2).is_leaf());
  x.requires_grad_(false);
  CHECK_FALSE((x * 2).requires_grad());
  CHECK_ERROR(
      leaf({1, 2}).square().requires_grad_(false),
      "requires_grad_: [2] was computed from tensors that require a gradient; use detach()");
  CHECK_ERROR(tensor({1}, i64).requires_grad_(),
              "requires_grad_: int64 cannot take a gradient, only float32 and float64 can");
  CHECK_ERROR(tensor({1}, {.dtype = DType::int64, .requires_grad = true}),
              "requires_grad_: int64 cannot take a gradient, only float32 and float64 can");
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
