// Several threads: each on a graph of its own, with tensors that they share.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

}  // namespace

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
