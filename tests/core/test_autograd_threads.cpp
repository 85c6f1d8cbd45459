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

TEST_CASE("threads: a graph may be built in one, walked in a second and die in a third") {
  Tensor x = leaf({1, 2, 3}), y;
  std::thread([&] { y = sum(x * x) + sum(exp(x)); }).join();
  std::thread([&] { y.backward({}, {.retain_graph = true}); }).join();
  std::thread([&] { y = Tensor(); }).join();
  CHECK(close(x.grad(), 2 * x.detach() + exp(x.detach())));
}

TEST_CASE("threads: separate graphs of leaves of their own may use one constant and one weight") {
  const Tensor w = leaf({{1, 2}, {3, 4}}), c = tensor({{5, 6}});
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (Tensor& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        Tensor x = leaf({{1, 1}});
        Tensor y = tanh(linear(x, w)) * c;
        y.mul_(c);
        const Tensor g = grad({sum(y)}, {x}, {.create_graph = true})[0];
        result = grad({sum(square(g))}, {x})[0];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& result : results) CHECK(equal(result, results[0]));
  CHECK_FALSE(w.grad().defined());
}
