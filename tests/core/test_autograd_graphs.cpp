// The life of a graph: how deep and wide it may be, and what it keeps alive.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

#include <pthread.h>

#include <functional>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

int64_t memory_in_use() { return memory_stats().in_use; }

// Runs f in a thread where a thousand nested calls or two are the end.
void on_small_stack(std::function<void()> f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  const auto call = [](void* work) -> void* {
    (*static_cast<std::function<void()>*>(work))();
    return nullptr;
  };
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &attributes, call, &f) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace

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

TEST_CASE("a graph may be deep in every way, on a stack of 256 KiB") {
  constexpr int deep = 50'000;
  const int64_t before = memory_in_use();
  const auto chain = [](auto step) {
    Tensor y = leaf({0.5, 0.25});
    for (int i = 0; i < deep; ++i) y = step(y);
    return y;
  };
  on_small_stack([&] {  // each node keeps the value of the one before
    sum(chain([](const Tensor& y) { return sin(y); })).backward();
    chain([](const Tensor& y) { return sin(y); });
  });
  on_small_stack([&] {  // by way of its own output
    chain([](const Tensor& y) { return tanh(y); });
  });
  on_small_stack([&] {  // of writes in place
    Tensor y = leaf({0.5, 0.25}) * 1;
    for (int i = 0; i < deep; ++i) y.mul_(1);
    sum(y).backward();
  });
  on_small_stack([&] {  // of diamonds
    sum(chain([](const Tensor& y) { return y * 0.25 + y * 0.5; })).backward();
  });
  on_small_stack([&] {  // the gradient's graph hangs on the graph, and dies before it or after it
    for (const bool first : {true, false}) {
      Tensor x = leaf({0.5, 0.25}), y = x;
      for (int i = 0; i < deep; ++i) y = sin(y);
      Tensor g = grad({sum(y)}, {x}, {.create_graph = true})[0];
      (first ? y : g) = Tensor();
      if (first) sum(g).backward();
    }
  });
  CHECK(memory_in_use() == before);
}

TEST_CASE("a graph may be wide: one value used, or one op fed, ten thousand times") {
  const Tensor x = leaf(2);
  const Tensor doubled = x * 2;
  std::vector<Tensor> uses(10'000);
  for (Tensor& use : uses) use = doubled * 1;
  stack(uses).backward(ones({10'000}));
  CHECK(x.grad().item<float>() == 20'000);
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

TEST_CASE("backward() lets go of what was saved, node by node") {
  const Tensor x = leaf({1, 2});
  Tensor y = x;
  for (int i = 0; i < 100; ++i) y = sin(y);
  const Tensor total = sum(y);
  const int64_t kept = memory_in_use();
  y = Tensor();
  total.backward();
  // A value of two floats a node; the nodes themselves stay, so that a second walk is an error.
  CHECK(kept - memory_in_use() >= 98 * 8);
}

TEST_CASE("two graphs may share nodes; the one that is left keeps working") {
  const Tensor x = leaf({1, 2});
  Tensor shared = square(x);
  Tensor a = sum(shared * 2), b = sum(shared * 3);
  a.backward({}, {.retain_graph = true});
  a = shared = Tensor();
  b.backward();
  CHECK(equal(x.grad(), tensor({10, 20})));
}
