// Hooks: when they are called, what they may do, and that one that throws changes nothing.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

#include <stdexcept>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

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
  HookHandle copy = first;
  first.remove();
  copy.remove();
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
  CHECK_ERROR_MENTIONS(sum(x * w).backward(), "backward:", "[3] float32", "[2] float32");
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  hook.remove();
  x.register_hook([](const Tensor& g) { return g.to(DType::float64); });
  CHECK_ERROR_MENTIONS(sum(x * w).backward(), "backward:", "[2] float64", "[2] float32");
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
  CHECK_ERROR_MENTIONS(z.backward(), "backward:", "within a backward");
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

TEST_CASE("hooks: what one adds or removes counts from the next walk on, as in PyTorch") {
  Tensor x = leaf(3);
  std::string calls;
  HookHandle second;
  x.register_hook([&](const Tensor&) {
    calls += "a";
    second.remove();
    if (calls == "a") x.register_hook([&](const Tensor&) { calls += "c"; });
  });
  second = x.register_hook([&](const Tensor&) { calls += "b"; });
  (x * x).backward();
  CHECK(calls == "ab");
  (x * x).backward();
  CHECK(calls == "abac");
}

TEST_CASE("hooks: one that throws, wherever it is and however it is reached, changes no .grad") {
  for (const bool on_leaf : {true, false}) {
    for (const bool create_graph : {false, true}) {
      for (const bool by_grad : {false, true}) {
        for (const bool has_grad : {false, true}) {
          INFO("leaf " << on_leaf << ", create_graph " << create_graph << ", grad() " << by_grad
                       << ", .grad before " << has_grad);
          Tensor x = leaf({1, 2}), w = leaf({3, 4}), b = leaf({5, 6});
          const Tensor before = tensor({7, 8});
          if (has_grad) x.set_grad(before);
          if (has_grad) w.set_grad(before.clone());
          Tensor inner = x * w;
          Tensor y = sum(inner + b);
          (on_leaf ? x : inner).register_hook([](const Tensor&) {
            throw std::runtime_error("stop");
          });
          const auto walk = [&] {
            if (by_grad) {
              grad({y}, {w, b, x}, {.create_graph = create_graph});
            } else {
              y.backward({}, {.create_graph = create_graph});
            }
          };
          CHECK_THROWS_WITH_AS(walk(), "stop", std::runtime_error);
          CHECK(x.grad().handle().get() == (has_grad ? before.handle().get() : nullptr));
          CHECK(w.grad().defined() == has_grad);
          if (has_grad) CHECK(equal(w.grad(), before));
          if (has_grad) CHECK(equal(before, tensor({7, 8})));
          CHECK_FALSE(b.grad().defined());
        }
      }
    }
  }
}

TEST_CASE("hooks: a leaf's may add to the gradient of a leaf whose own hooks have run") {
  for (const bool create_graph : {false, true}) {
    Tensor x = leaf({2}), w = leaf({3});
    x.set_grad(tensor({1}));
    const auto add_to_x = [&](const Tensor&) {
      const GradMode enabled(true);
      (x * 100).sum().backward({}, {.create_graph = create_graph});
    };
    HookHandle hook = w.register_hook(add_to_x);
    (x * w).sum().backward({}, {.create_graph = create_graph});
    CHECK(x.grad().item<float>() == 104);
    CHECK(w.grad().item<float>() == 2);
    x.zero_grad(), w.zero_grad();  // under create_graph they hold the graph
  }
}

TEST_CASE("hooks: one may let go of a leaf that is waiting for its gradient") {
  const int64_t before = memory_stats().in_use;
  {
    Tensor w = leaf({3}), x = leaf({2});
    Tensor y = (x * w).sum();
    w.register_hook([&](const Tensor&) { x = Tensor(); });
    y.backward({}, {.create_graph = true});
    CHECK_FALSE(x.defined());
    CHECK(w.grad().defined());
    w.zero_grad();
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("ScopedHook: removes its hook at the end of the scope") {
  const Tensor x = ones({2}, {.requires_grad = true});
  int calls = 0;
  {
    Tensor leaf = x;
    const ScopedHook hook = leaf.register_hook([&](const Tensor&) { ++calls; });
    x.sum().backward();
  }
  x.sum().backward();
  CHECK(calls == 1);
}
