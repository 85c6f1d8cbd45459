// Writing in place to tensors in a graph: the gradients, and the views taken before.
#include "support/approx.h"

#include <cairn/core/autograd.h>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

TEST_CASE("in a graph: the gradient is that of the twin") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 5});
  Tensor y = x * 2;
  y.mul_(w);  // 2xw
  y += x;
  y -= w;
  y /= 2;
  CHECK(equal(y, tensor({2, 8.5})));
  sum(y).backward();
  CHECK(equal(x.grad(), tensor({3.5, 5.5})));  // w + 1/2
  CHECK(equal(w.grad(), tensor({0.5, 1.5})));  // x - 1/2
}

TEST_CASE("in a graph: x.mul_(w) with x outside joins the graph, and keeps x's old value") {
  const Tensor w = leaf({3, 4});
  Tensor x = tensor({1, 2});
  x.mul_(w);
  CHECK_FALSE(x.is_leaf());
  sum(x).backward();
  CHECK(equal(w.grad(), tensor({1, 2})));
}

TEST_CASE("in a graph: x.div_(w) needs the old x") {
  const Tensor w = leaf({2, 4});
  Tensor x = tensor({8, 8});
  x /= w;
  sum(x).backward();
  CHECK(equal(w.grad(), tensor({-2, -0.5})));  // -x / w²
}

TEST_CASE("in a graph: what is overwritten gets no gradient") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  Tensor y = x * 2;
  y.copy_(w);
  sum(y).backward();
  CHECK(equal(x.grad(), zeros({2})));
  CHECK(equal(w.grad(), ones({2})));
  Tensor z = x * 2;
  z.zero_();
  sum(z + x).backward();
  CHECK(equal(x.grad(), ones({2})));
}

TEST_CASE("in a graph: what was computed before keeps the value's old place") {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  const Tensor before = y + 1;  // saves nothing
  y.mul_(10);
  sum(before + y).backward();
  CHECK(equal(x.grad(), tensor({22, 22})));
}

TEST_CASE("in a graph: clamp_ passes the gradient where the old value lay between") {
  const Tensor x = leaf({-2, 0.5, 2});
  Tensor y = x * 1;
  y.clamp_(0, 1);
  sum(y).backward();
  CHECK(equal(x.grad(), tensor({0, 1, 0})));
}

TEST_CASE("in a graph: hooks stay with the old value, a retained gradient is the new one's") {
  const Tensor x = leaf(3);
  Tensor y = x * 2;
  y.retain_grad();
  float seen = 0;
  y.register_hook([&](const Tensor& g) { seen = g.item<float>(); });
  y.mul_(5);
  (y * 1).backward();
  CHECK(seen == 5);
  CHECK(y.grad().item<float>() == 1);
  CHECK(x.grad().item<float>() == 10);
}

TEST_CASE("in a graph: a view taken before an in-place op is refused afterwards") {
  const Tensor x = leaf({{1, 2}, {3, 4}});
  Tensor y = x * 1;
  const Tensor view = y[0];
  y.mul_(3);
  CHECK_ERROR_MENTIONS(view * 2, "mul:", "[2]", "shares its values", "in-place op has changed");
  sum(y[0] * 2).backward();
  CHECK(equal(x.grad(), tensor({{6, 6}, {0, 0}})));
}

TEST_CASE("in a graph: backward() from a view taken before an in-place op is refused") {
  const Tensor x = leaf({{1, 2}, {3, 4}});
  Tensor y = x * 1;
  const Tensor view = y[0];
  y.mul_(3);
  CHECK_ERROR_MENTIONS(view.backward(ones({2})), "backward:", "[2]", "shares its values");
  CHECK_ERROR_MENTIONS(grad({view}, {x}, {.grad_outputs = {ones({2})}}), "grad:", "[2]",
                       "shares its values");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("in a graph: what a detach()ed alias of it changed is not written as if it had not") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  Tensor y = x * 1;
  y.detach().add_(w);
  CHECK_ERROR_MENTIONS(y.mul_(w), "mul_:", "[2]", "in-place op has changed");
  CHECK(equal(y, tensor({4, 6})));
}

TEST_CASE("in a graph: a view of an untracked tensor that then joined a graph is refused") {
  const Tensor w = leaf({1, 2});
  Tensor x = zeros({2, 2});
  const Tensor view = x[0];
  x.add_(w);
  CHECK_THROWS_AS(sum(view * w), Error);
}
