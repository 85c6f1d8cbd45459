// backward() with chosen inputs and with several outputs, detach_(), and hooks after in-place ops.
#include "support/approx.h"

#include <cairn/core/autograd.h>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

TEST_CASE("backward: with inputs, only their .grad accumulates") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor h = a * b;
  sum(h * h).backward({}, {.retain_graph = true, .inputs = {a}});
  CHECK(equal(a.grad(), tensor({18, 64})));
  CHECK_FALSE(b.grad().defined());
  sum(h * 3).backward({}, {.retain_graph = true, .inputs = {h, b, h}});  // not a leaf, and twice
  CHECK(equal(h.grad(), tensor({3, 3})));
  CHECK(equal(b.grad(), tensor({3, 6})));
  CHECK(equal(a.grad(), tensor({18, 64})));
  sum(a * 2).backward({}, {.inputs = {b}});  // the output does not depend on it
  CHECK(equal(b.grad(), tensor({3, 6})));
  CHECK_ERROR_MENTIONS(sum(a).backward({}, {.inputs = {ones({3})}}), "backward:", "[3]",
                       "does not require a gradient");
  CHECK_ERROR_MENTIONS(sum(a).backward({}, {.inputs = {Tensor()}}), "backward:", "undefined");
}

TEST_CASE("grad: many inputs, of which some are results and some are given twice") {
  std::vector<Tensor> inputs, outputs;
  for (int64_t i = 0; i < 100; ++i) {
    const Tensor x = leaf({i});
    const Tensor h = x * x;
    inputs.insert(inputs.end(), {h, x, h});
    outputs.push_back(sum(h * 3));
  }
  const std::vector<Tensor> g = grad(outputs, inputs);
  for (int64_t i = 0; i < 100; ++i) {
    CHECK(equal(g[static_cast<std::size_t>(3 * i)], tensor({3})));
    CHECK(equal(g[static_cast<std::size_t>(3 * i + 1)], tensor({6 * i})));
    CHECK(equal(g[static_cast<std::size_t>(3 * i + 2)], tensor({3})));
  }
}

TEST_CASE("backward: several outputs at once") {
  const Tensor x = leaf({1, 2});
  const Tensor h = x * x;  // a part that both share, walked once
  backward({h * 2, sum(h)}, {tensor({1, 10}), Tensor()});
  CHECK(equal(x.grad(), tensor({6, 84})));
  backward({sum(x), sum(x)});
  CHECK(equal(x.grad(), tensor({8, 86})));
  CHECK_ERROR_MENTIONS(backward({sum(x)}, {ones({}), ones({})}), "backward:", "2 gradients for 1");
  CHECK_ERROR_MENTIONS(backward({}), "backward:", "no outputs");
}

TEST_CASE("detach_: the tensor leaves the graph, which stays whole") {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  y.retain_grad();
  const Tensor z = sum(y * y);
  CHECK(&y.detach_() == &y);
  CHECK(y.is_leaf());
  CHECK_FALSE(y.requires_grad());
  z.backward();
  CHECK(equal(x.grad(), tensor({8, 16})));
  y.add_(1);
  Tensor parameter = leaf({1});
  parameter.detach_();
  CHECK_FALSE(parameter.requires_grad());
  CHECK_ERROR_MENTIONS((x * 2)[0].detach_(), "detach_:", "is a view");
}

TEST_CASE("in place: hooks and retain_grad() after the op reach the new value") {
  const auto gives_slot = {+[](Tensor& a) { a.register_hook([](const Tensor&) {}); },
                           +[](Tensor& a) { a.retain_grad(); },
                           +[](Tensor& a) {
                             a.set_grad(ones({2}));
                             a.zero_grad();
                           }};
  for (const auto give : gives_slot) {
    Tensor a = leaf({1, 1}).clone();
    give(a);
    a.mul_(2);
    int calls = 0;
    a.register_hook([&](const Tensor& g) {
      ++calls;
      CHECK(equal(g, ones({2})));
    });
    a.retain_grad();
    a.sum().backward();
    CHECK(calls == 1);
    CHECK(equal(a.grad(), ones({2})));
  }
}

TEST_CASE("in place: a hook from before the op stays with the old value") {
  Tensor a = leaf({1, 1}).clone();
  Tensor seen;
  a.register_hook([&](const Tensor& g) { seen = g; });
  a.mul_(2);
  a.sum().backward();
  CHECK(equal(seen, full({2}, 2)));
}

TEST_CASE("spent graph: the message names the op that was called and gives the right advice") {
  const Tensor w = leaf({{1, 2}, {3, 4}});
  const Tensor loss = cross_entropy(w, tensor({0, 1}, {.dtype = DType::int64}));
  loss.backward();
  CHECK_ERROR_MENTIONS(loss.backward(), "'cross_entropy'", "retain_graph");
  CHECK_ERROR_MENTIONS((loss + sum(w)).backward(), "'cross_entropy'", "item() or detach()");
  CHECK_ERROR_MENTIONS((w > 0).sum().backward(), "has no graph", "comparisons");
}
