// The rules of backward() and grad().
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

#include <stdexcept>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

int64_t memory_in_use() { return memory_stats().in_use; }

}  // namespace

// ---- backward ----

TEST_CASE("backward: gradients of leaves accumulate") {
  const Tensor x = leaf({1, 2});
  sum(x * x).backward();
  CHECK(equal(x.grad(), tensor({2, 4})));
  sum(3 * x).backward();
  CHECK(equal(x.grad(), tensor({5, 7})));
}

TEST_CASE("backward: a handle of a gradient sees later sums") {
  const Tensor x = leaf({1, 2});
  sum(x).backward();
  const Tensor g = x.grad();
  sum(x).backward();
  CHECK(equal(g, tensor({2, 2})));
}

TEST_CASE("backward: two leaves never share the bytes of a gradient") {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  const Tensor dy = tensor({1, 1});
  (x + y).backward(dy);
  x.grad().fill_(7);
  CHECK(equal(y.grad(), tensor({1, 1})));
  CHECK(equal(dy, tensor({1, 1})));
}

TEST_CASE("backward: a diamond sums what arrives on both ways, before going on") {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  int calls = 0;
  Tensor z = y * 2 + y * y;  // dz/dx = (2 + 2y) 2x = 120
  Tensor watched = y;
  watched.register_hook([&](const Tensor& g) {
    ++calls;
    CHECK(g.item<float>() == 20);
  });
  z.backward();
  CHECK(x.grad().item<float>() == 120);
  CHECK(calls == 1);
}

TEST_CASE("backward: an expanded or broadcast input gets the sum of its uses") {
  const Tensor x = leaf({1, 2, 3}), b = leaf(0);
  sum(x.expand({4, 3}) * 2 + b).backward();
  CHECK(equal(x.grad(), tensor({8, 8, 8})));
  CHECK(b.grad().item<float>() == 12);
}

TEST_CASE("backward: with a gradient the output may have any shape") {
  const Tensor x = leaf({1, 2});
  (x * x).backward(tensor({10, 100}));
  CHECK(equal(x.grad(), tensor({20, 400})));
}

TEST_CASE("backward: {} means a gradient of 1") {
  const Tensor x = leaf(2);
  const Tensor y = x * x;
  y.backward({}, {.retain_graph = true});
  y.backward({}, {});
  CHECK(x.grad().item<float>() == 8);
}

TEST_CASE("backward: a single value of any rank needs no gradient") {
  const Tensor x = leaf({{2}});
  (x * x).backward();
  CHECK(equal(x.grad(), tensor({{4}})));
}

TEST_CASE("backward: on a leaf its gradient is dy") {
  const Tensor x = leaf(5);
  x.backward();
  x.backward(tensor(2));
  CHECK(x.grad().item<float>() == 3);
}

TEST_CASE("backward: the gradient's shape and dtype must be the output's") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  CHECK_ERROR_MENTIONS(y.backward(ones({3})), "backward:", "[3] float32", "[2] float32");
  CHECK_ERROR_MENTIONS(y.backward(ones({2}, f64)), "backward:", "[2] float64", "[2] float32");
  CHECK_FALSE(x.grad().defined());
  y.backward(ones({2}));  // and the graph is not spent
  CHECK(equal(x.grad(), tensor({2, 4})));
}

// ---- spending the graph ----

TEST_CASE("spent graph: a second backward is an error, with retain_graph it is none") {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  y.backward({}, {.retain_graph = true});
  y.backward();
  CHECK(x.grad().item<float>() == 12);
  CHECK_ERROR_MENTIONS(y.backward(), "backward:", "freed", "'mul'");
  CHECK(x.grad().item<float>() == 12);
}

TEST_CASE("spent graph: a shared prefix is spent by the first, even if it saved nothing") {
  const Tensor x = leaf(3);
  const Tensor shared = x + 1;
  const Tensor a = shared * 2, b = shared * 3;
  a.backward();
  CHECK_ERROR_MENTIONS(b.backward(), "backward:", "freed", "'add'");
  CHECK(x.grad().item<float>() == 2);
  CHECK_ERROR_MENTIONS(grad({b}, {x}), "grad:", "freed", "'add'");
}

TEST_CASE("spent graph: its values are still there") {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  y.backward();
  CHECK(y.item<float>() == 9);
  CHECK(y.requires_grad());
}

TEST_CASE("an exception half-way leaves every grad as it was, and the graph is spent") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  sum(x * w).backward();
  Tensor before = x * 1;
  before.register_hook([](const Tensor&) { throw std::runtime_error("stop"); });
  const Tensor y = sum(before * w);  // w's gradient is complete when the hook throws
  CHECK_THROWS_WITH_AS(y.backward(), "stop", std::runtime_error);
  CHECK(equal(x.grad(), tensor({3, 4})));
  CHECK(equal(w.grad(), tensor({1, 2})));
  CHECK_ERROR_MENTIONS(y.backward(), "backward:", "freed", "'sum'");
  CHECK_ERROR_MENTIONS(sum(before).backward(), "backward:", "freed",
                       "'mul'");  // what it never reached, too
  CHECK(equal(w.grad(), tensor({1, 2})));
}

TEST_CASE("an exception half-way with retain_graph leaves the graph usable") {
  const Tensor x = leaf(2);
  Tensor y = x * x;
  HookHandle hook = y.register_hook([](const Tensor&) { throw std::runtime_error("stop"); });
  const Tensor z = y * 3;
  CHECK_THROWS_AS(z.backward({}, {.retain_graph = true}), std::runtime_error);
  hook.remove();
  z.backward();
  CHECK(x.grad().item<float>() == 12);
}

// ---- higher orders ----

TEST_CASE("create_graph: x³ -> 3x² -> 6x -> 6") {
  const Tensor x = tensor(2, {.dtype = DType::float64, .requires_grad = true});
  Tensor y = pow(x, 3);
  for (const double expected : {12.0, 12.0, 6.0}) {
    y = grad({y}, {x}, {.create_graph = true})[0];
    CHECK(y.item<double>() == expected);
  }
  CHECK(grad({y}, {x}, {.allow_unused = true})[0].item<double>() == 0);
}

TEST_CASE("create_graph: backward() leaves gradients that can be differentiated") {
  const Tensor x = leaf(3);
  (x * x * x).backward({}, {.create_graph = true});
  CHECK(x.grad().item<float>() == 27);
  CHECK(x.grad().requires_grad());
  const Tensor g = grad({x.grad()}, {x})[0];
  CHECK(g.item<float>() == 18);
}

TEST_CASE("create_graph: a gradient that holds the graph of its own leaf dies with it") {
  const int64_t before = memory_in_use();
  {
    const Tensor x = leaf(3);
    (x * x).backward({}, {.create_graph = true});
  }
  CHECK(memory_in_use() == before);
}

// ---- grad() ----

TEST_CASE("grad: touches no .grad") {
  const Tensor x = leaf(3), w = leaf(2);
  const auto g = grad({x * w}, {x});
  CHECK(g.size() == 1);
  CHECK(g[0].item<float>() == 2);
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("grad: several outputs with gradients of their own, and inputs within the graph") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x, z = y * 3;
  const auto g = grad({y, z}, {x, y}, {.grad_outputs = {tensor({1, 1}), tensor({10, 20})}});
  CHECK(equal(g[0], tensor({62, 244})));
  CHECK(equal(g[1], tensor({31, 61})));
}

TEST_CASE("grad: an input may be the output itself, or stand twice") {
  const Tensor x = leaf(3);
  const Tensor y = x * x;
  CHECK(grad({y}, {y}, {.retain_graph = true})[0].item<float>() == 1);
  const auto g = grad({y}, {x, x});
  CHECK(g[0].item<float>() == 6);
  CHECK(g[1].item<float>() == 6);
}

TEST_CASE("grad: an unused input is an error, or undefined with allow_unused") {
  const Tensor x = leaf(3), unused = leaf({1, 2});
  const Tensor y = x * x;
  CHECK_ERROR_MENTIONS(grad({y}, {x, unused}, {.retain_graph = true}),
                       "grad:", "do not depend on input 1", "[2]");
  const auto g = grad({y}, {x, unused}, {.allow_unused = true});
  CHECK(g[0].item<float>() == 6);
  CHECK_FALSE(g[1].defined());
}
