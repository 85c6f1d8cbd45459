// Threads change how long a result takes, never one bit of it.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/processors.h>
#include <cairn/core/machine.h>
#include <cairn/core/random.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

// Restores the number of threads.
struct Threads {
  int64_t before = num_threads();
  ~Threads() { set_num_threads(before); }
};

// f()'s result is the same for 1, 2 and 3 threads.
void check_same_bits(const char* name, const std::function<std::vector<Tensor>()>& f) {
  const Threads restored;
  set_num_threads(1);
  const std::vector<Tensor> expected = f();
  for (const int64_t n : {2, 3}) {
    set_num_threads(n);
    const std::vector<Tensor> actual = f();
    INFO(std::string(name) << " on " << n << " threads");
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(equal(actual[i], expected[i]));
  }
}

}  // namespace

TEST_CASE("threads: the number never changes a bit of a large result") {
  manual_seed(1);
  const int64_t n = 300;
  const Tensor x = randn({4 * n, 4 * n}), w = randn({n, n}), v = randn({n, n});
  check_same_bits("exp", [&] { return std::vector{exp(x)}; });
  check_same_bits("broadcast add", [&] { return std::vector{x.t() + x[0]}; });
  check_same_bits("sum", [&] { return std::vector{sum(x), sum(x, {0}), sum(x, {1}), sum(x.t())}; });
  check_same_bits("var", [&] { return std::vector{var(x), var(x, {0}), var(x, {1})}; });
  check_same_bits("amax", [&] { return std::vector{amax(x, {0, 1}), argmax(x, 1)}; });
  check_same_bits("softmax", [&] { return std::vector{softmax(x, 0), log_softmax(x, 1)}; });
  check_same_bits("matmul", [&] {
    return std::vector{matmul(w, v), matmul(w.t(), v.slice(1, 0, 70))};
  });
  check_same_bits("matmul in batches", [&] {
    const Tensor q = x.flatten().slice(0, 0, int64_t{64} * 32 * 48).view({64, 32, 48});
    return std::vector{matmul(q, q.transpose(1, 2)), matmul(q[0], q.transpose(1, 2))};
  });
  check_same_bits("linear", [&] { return std::vector{linear(w, v, v[0])}; });
}

TEST_CASE("threads: the number never changes a bit of batch norm and its gradients") {
  manual_seed(1);
  for (const Shape& shape : {Shape{5000, 40}, Shape{32, 40, 300}, Shape{16, 8, 40, 40}}) {
    const Tensor x = randn(shape).requires_grad_();
    const Tensor w = randn({shape[1]}).requires_grad_(), b = randn({shape[1]}).requires_grad_();
    const Tensor dy = randn(shape);
    check_same_bits("batch_norm", [&] {
      const Tensor y = batch_norm(x, {}, {}, w, b, {.training = true});
      auto results = grad({y}, {x, w, b}, {.grad_outputs = {dy}});
      results.push_back(y.detach());
      return results;
    });
  }
}

TEST_CASE("parallel_for: every index once, in chunks that depend on the sizes alone") {
  const Threads restored;
  for (const int64_t threads : {1, 2, 5}) {
    set_num_threads(threads);
    std::vector<std::atomic<int>> seen(1003);
    detail::parallel_for(1003, 10, [&](int64_t begin, int64_t end) {
      if (begin % 10 != 0 || end != std::min<int64_t>(begin + 10, 1003)) seen[0] += 100;
      for (int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& count) { return count == 1; }));
  }
  detail::parallel_for(0, 10, [](int64_t, int64_t) { FAIL("there is nothing to do"); });
}

TEST_CASE("parallel_for: works from within a chunk and from several threads at once") {
  const Threads restored;
  set_num_threads(3);
  std::atomic<int64_t> total{0};
  const auto nested = [&] {
    detail::parallel_for(100, 1, [&](int64_t, int64_t) {
      detail::parallel_for(100, 10, [&](int64_t begin, int64_t end) { total += end - begin; });
    });
  };
  std::thread other(nested);
  nested();
  other.join();
  CHECK(total == 20'000);
}

TEST_CASE("threads: the default is read from the environment and from the cgroup") {
  CHECK(detail::parse_threads("3") == 3);
  for (const char* text : {"", "0", "-1", "3 ", "4097", "three", "99999999999999999999"}) {
    CHECK(detail::parse_threads(text) == 0);
  }
  CHECK(detail::parse_quota("250000 100000") == 2);
  CHECK(detail::parse_quota("50000 100000") == 1);
  for (const char* text : {"max 100000", "", "100000", "0 100000", "100000 0"}) {
    CHECK(detail::parse_quota(text) == 0);
  }
  CHECK(detail::default_threads() >= 1);
}
