// The life of a graph: how deep and wide it may be, and what it keeps alive.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

int64_t memory_in_use() { return memory_stats().in_use; }

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
