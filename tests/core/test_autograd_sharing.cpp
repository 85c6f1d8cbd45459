// What graphs, walks and handles may share, and what they must not.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>
#include <cairn/core/random.h>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

TEST_CASE("backward: under create_graph, too, no two leaves share a gradient") {
  Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor seed = tensor({1, 1});
  (a + b).backward(seed, {.create_graph = true});
  a.grad().detach().mul_(5);
  CHECK(equal(a.grad(), tensor({5, 5})));
  CHECK(equal(b.grad(), tensor({1, 1})));
  CHECK(equal(seed, tensor({1, 1})));
}

TEST_CASE("backward: a hook may walk another graph to the same leaf") {
  Tensor x = leaf({2}), inner;
  Tensor doubled = x * 2;
  doubled.register_hook([&](const Tensor&) {  // x * x has sent its part to x by now
    const GradMode recording(true);
    inner = grad({(x * 7).sum()}, {x})[0];
  });
  (x * x + doubled).sum().backward();
  CHECK(equal(inner, tensor({7})));
  CHECK(equal(x.grad(), tensor({6})));

  x.zero_grad();
  Tensor tripled = x * 3;
  tripled.register_hook([&](const Tensor&) {
    const GradMode recording(true);
    (x * 100).sum().backward();
  });
  (x * x + tripled).sum().backward();
  CHECK(equal(x.grad(), tensor({107})));
}

TEST_CASE("backward: a leaf frozen since the forward keeps its gradient") {
  Tensor x = leaf({2}), w = leaf({3});
  const Tensor y = (x * w).sum();
  x.requires_grad_(false);
  y.backward();
  CHECK_FALSE(x.grad().defined());
  CHECK(equal(w.grad(), tensor({2})));
}

TEST_CASE("backward: a leaf that died since the forward gets no gradient and leaks nothing") {
  const int64_t before = memory_stats().in_use;
  {
    Tensor y;
    {
      Tensor x = leaf({2});
      y = (x * x).sum();
    }
    y.backward({}, {.create_graph = true});
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("in place: a former leaf may join a graph and die before backward()") {
  Tensor w = leaf({3}), y;
  {
    Tensor x = leaf({2});
    y = (x * 5).sum();
    x.requires_grad_(false);
    x.add_(w);
  }
  y.backward();
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("in place: .grad and its retention stay with the tensor") {
  Tensor x = leaf({2});
  Tensor y = x * 3;
  y.retain_grad();
  (y * 4).sum().backward({}, {.retain_graph = true});
  y.mul_(2);
  CHECK(equal(y.grad(), tensor({4})));
  y.sum().backward();
  CHECK(equal(y.grad(), tensor({5})));
}

TEST_CASE("in place: a view taken before its base joined a graph is refused, untracked too") {
  Tensor x = zeros({4}), w = leaf({1, 2, 3, 4});
  Tensor v = x.view({2, 2});
  x.add_(w);
  CHECK_ERROR_MENTIONS(v * 2, "mul:", "[2, 2]", "shares its values", "in-place op has changed");
  CHECK_ERROR_MENTIONS(v.fill_(0), "fill_:", "[2, 2]", "in-place op has changed");
  const NoGrad guard;
  CHECK(equal(v * 2, tensor({{2, 4}, {6, 8}})));
}

TEST_CASE("grad: what does not lead to an input is not computed") {
  Tensor x = leaf({2}), w = leaf({3});
  Tensor v = w * 1;
  int calls = 0;
  v.register_hook([&](const Tensor&) { ++calls; });
  CHECK(equal(grad({(x * v).sum()}, {x})[0], tensor({3})));
  CHECK(calls == 0);
}

TEST_CASE("gather: the second order keeps the indices it was recorded with") {
  Tensor x = leaf({1, 2, 3}), index = tensor({2, 0}, i64);
  const Tensor picked = square(gather(x, 0, index)).sum();
  const Tensor g = grad({picked}, {x}, {.create_graph = true})[0];
  index.fill_(1);
  CHECK_ERROR_MENTIONS(g.sum().backward(), "scatter_add:", "[2]", "was written to");
}
