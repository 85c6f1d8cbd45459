// The rules of backward(), grad(), hooks and the graph's life.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

#include <stdexcept>
#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

int64_t memory_in_use() { return memory_stats().in_use; }

constexpr const char* no_graph =
    "backward: the output [] has no graph: nothing it was computed from requires a gradient, or it "
    "was computed under NoGrad";

std::string spent_at(const std::string& op) {
  return "backward: the graph was already spent at '" + op +
         "' by an earlier backward(); keep it there with retain_graph = true";
}

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

TEST_CASE("backward: a single value of any rank needs no gradient, several do") {
  const Tensor x = leaf({{2}});
  (x * x).backward();
  CHECK(equal(x.grad(), tensor({{4}})));
  const Tensor y = leaf({1, 2}) * 2;
  CHECK_ERROR(y.backward(),
              "backward: the output [2] is not a single value; give a gradient of that shape, or "
              "take sum() or mean() first");
}

TEST_CASE("backward: on a leaf its gradient is dy") {
  const Tensor x = leaf(5);
  x.backward();
  x.backward(tensor(2));
  CHECK(x.grad().item<float>() == 3);
}

TEST_CASE("backward: without a graph it is an error") {
  CHECK_ERROR(tensor(1).backward(), no_graph);
  const Tensor x = leaf(1);
  CHECK_ERROR(x.detach().backward(), no_graph);
  const NoGrad guard;
  CHECK_ERROR((x * 2).backward(), no_graph);
}

TEST_CASE("backward: the gradient's shape and dtype must be the output's") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  CHECK_ERROR(y.backward(ones({3})),
              "backward: the gradient is [3] float32, the output [2] float32; they must agree");
  CHECK_ERROR(y.backward(ones({2}, f64)),
              "backward: the gradient is [2] float64, the output [2] float32; they must agree");
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
  CHECK_ERROR(y.backward(), spent_at("mul"));
  CHECK(x.grad().item<float>() == 12);
}

TEST_CASE("spent graph: a shared prefix is spent by the first, even if it saved nothing") {
  const Tensor x = leaf(3);
  const Tensor shared = x + 1;
  const Tensor a = shared * 2, b = shared * 3;
  a.backward();
  CHECK_ERROR(b.backward(), spent_at("add"));
  CHECK(x.grad().item<float>() == 2);
  CHECK_ERROR(grad({b}, {x}),
              "grad: the graph was already spent at 'add' by an earlier backward(); keep it there "
              "with retain_graph = true");
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
  CHECK_ERROR(y.backward(), spent_at("sum"));
  CHECK_ERROR(sum(before).backward(), spent_at("mul"));  // what it never reached, too
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
  CHECK_ERROR(grad({y}, {x, unused}, {.retain_graph = true}),
              "grad: the outputs do not depend on input 1, [2]; set allow_unused = true to get an "
              "undefined gradient for it");
  const auto g = grad({y}, {x, unused}, {.allow_unused = true});
  CHECK(g[0].item<float>() == 6);
  CHECK_FALSE(g[1].defined());
}

TEST_CASE("grad: what it is given is checked") {
  const Tensor x = leaf(3);
  CHECK_ERROR(grad({}, {x}), "grad: 0 outputs and 1 inputs; give at least one of each");
  CHECK_ERROR(grad({x * x}, {}), "grad: 1 outputs and 0 inputs; give at least one of each");
  CHECK_ERROR(grad({x * x}, {tensor({1})}), "grad: the input [1] does not require a gradient");
  CHECK_ERROR(grad({x * x}, {x}, {.grad_outputs = {Tensor(), Tensor()}}),
              "grad: 2 grad_outputs for 1 outputs; give one each, or none");
}

// ---- hooks ----

TEST_CASE(
    "hooks: one that returns a tensor replaces the gradient, one that returns none does not") {
  Tensor x = leaf(3);
  Tensor y = x * 2;
  std::vector<float> seen;
  y.register_hook([](const Tensor& g) { return g * 10; });
  y.register_hook([&](const Tensor& g) { seen.push_back(g.item<float>()); });
  y.register_hook([&](const Tensor& g) {
    seen.push_back(g.item<float>());
    return Tensor();
  });
  (y * 1).backward();
  CHECK(x.grad().item<float>() == 20);
  CHECK(seen == std::vector<float>{10, 10});
}

TEST_CASE("hooks: a leaf's sees the sum once, and before it is accumulated") {
  Tensor x = leaf(3);
  x.set_grad(tensor(100));
  std::vector<float> seen;
  x.register_hook([&](const Tensor& g) {
    seen.push_back(g.item<float>());
    return g * 2;
  });
  (x * x + x).backward();
  CHECK(seen == std::vector<float>{7});
  CHECK(x.grad().item<float>() == 114);
  CHECK(grad({x * x}, {x})[0].item<float>() == 12);
}

TEST_CASE("hooks: a handle removes its hook, twice without harm, and outlives the tensor") {
  Tensor x = leaf(3);
  int calls = 0;
  HookHandle first = x.register_hook([&](const Tensor&) { calls += 1; });
  HookHandle second = x.register_hook([&](const Tensor&) { calls += 10; });
  first.remove();
  first.remove();
  (x * x).backward();
  CHECK(calls == 10);
  x = Tensor();
  second.remove();
}

TEST_CASE("hooks: one may remove itself") {
  Tensor x = leaf(3);
  HookHandle handle;
  int calls = 0;
  handle = x.register_hook([&](const Tensor&) {
    ++calls;
    handle.remove();
  });
  (x * x).backward();
  (x * x).backward();
  CHECK(calls == 1);
}

TEST_CASE("hooks: a replacement of another shape or dtype is an error that changes nothing") {
  Tensor x = leaf({1, 2}), w = leaf({3, 4});
  HookHandle hook = x.register_hook([](const Tensor&) { return zeros({3}); });
  CHECK_ERROR(sum(x * w).backward(),
              "backward: a hook returned a gradient [3] float32 in place of [2] float32; they must "
              "agree");
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  hook.remove();
  x.register_hook([](const Tensor& g) { return g.to(DType::float64); });
  CHECK_ERROR(sum(x * w).backward(),
              "backward: a hook returned a gradient [2] float64 in place of [2] float32; they must "
              "agree");
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("hooks: a leaf's that throws leaves every grad unchanged") {
  Tensor x = leaf({1, 2}), w = leaf({3, 4});
  sum(x * w).backward();
  w.register_hook([](const Tensor&) { throw std::runtime_error("stop"); });
  CHECK_THROWS_AS(sum(x * w).backward(), std::runtime_error);
  CHECK(equal(x.grad(), tensor({3, 4})));
  CHECK(equal(w.grad(), tensor({1, 2})));
}

TEST_CASE("hooks: a backward over the same graph from within one is an error") {
  const Tensor x = leaf(3);
  Tensor y = x * x;
  const Tensor z = y * 2;
  y.register_hook([&](const Tensor&) { z.backward(); });
  CHECK_ERROR(z.backward(), "backward: called from within a backward() over the same graph");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("hooks: a backward over another graph from within one is fine") {
  const Tensor x = leaf(3), other = leaf(5);
  const Tensor another = other * other;  // gradients are off within, unless by create_graph
  Tensor y = x * x;
  y.register_hook([&](const Tensor&) { another.backward(); });
  y.backward();
  CHECK(x.grad().item<float>() == 6);
  CHECK(other.grad().item<float>() == 10);
}

TEST_CASE("hooks: only a tensor that requires a gradient takes one") {
  CHECK_ERROR(tensor({1, 2}).register_hook([](const Tensor&) {}),
              "register_hook: [2] does not require a gradient");
}

// ---- .grad ----

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

// ---- depth ----

TEST_CASE("a chain of a million nodes builds, runs backward and dies without recursion") {
  const Tensor x = leaf(1);
  Tensor y = x;
  for (int i = 0; i < 1'000'000; ++i) y = y + 0;
  y.backward();
  CHECK(x.grad().item<float>() == 1);
}

TEST_CASE("a chain of a million nodes dies without a backward, and without its head") {
  const int64_t before = memory_in_use();
  {
    Tensor y = leaf(1);
    for (int i = 0; i < 1'000'000; ++i) y = y * 1;
  }
  CHECK(memory_in_use() == before);
}

TEST_CASE("a chain of a million views and hooks dies without recursion") {
  Tensor y = leaf({1, 2});
  for (int i = 0; i < 1'000'000; ++i) y = y.reshape({2});
  y.retain_grad();
  y = Tensor();
}

// ---- what a graph keeps alive ----

TEST_CASE("the graph keeps no values that no gradient needs") {
  const int64_t before = memory_in_use();
  const Tensor w = leaf(2);
  Tensor y = w * 3;
  {
    Tensor large = ones({1000, 1000}, {.requires_grad = true});
    y = y + sum(large);
  }
  CHECK(memory_in_use() - before < 1000);
  y.backward();
  CHECK(w.grad().item<float>() == 3);
}

TEST_CASE("an input that needs no gradient has nothing saved for it") {
  Tensor data = ones({2}), w = leaf({3, 4});
  const Tensor y = data + w, z = w * data;
  w.detach().fill_(0);  // only data is saved, for w's gradient
  sum(y + z).backward();
  CHECK(equal(w.grad(), tensor({2, 2})));
}

// ---- threads ----

TEST_CASE("threads: separate graphs run side by side") {
  std::vector<float> results(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      const Tensor x = leaf(static_cast<int>(t));
      for (int i = 0; i < 200; ++i) sum(x * x).backward();
      results[t] = x.grad().item<float>();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(results == std::vector<float>{0, 400, 800, 1200});
}

TEST_CASE("threads: several evaluate with one weight, with and without gradients of their own") {
  const Tensor w = leaf({{1, 2}, {3, 4}});
  std::vector<float> values(4), gradients(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < values.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const Tensor x = leaf({{1, 1}});
        gradients[t] = grad({sum(linear(x, w))}, {x})[0].at<float>({0, 1});
        const NoGrad guard;
        values[t] = sum(linear(x, w)).item<float>();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(values == std::vector<float>(4, 10));
  CHECK(gradients == std::vector<float>(4, 6));
  CHECK_FALSE(w.grad().defined());
}
