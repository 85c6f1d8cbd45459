// The generator: PyTorch's uniform numbers, states that come back, and fair integers.
#include "support/approx.h"

#include <cairn/core/ops.h>
#include <cairn/core/random.h>

#include <algorithm>
#include <thread>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("rand: PyTorch's numbers for PyTorch's seeds, bit for bit") {
  // torch.manual_seed(42); torch.rand(4), and the same in float64 (PyTorch 2.15)
  manual_seed(42);
  CHECK(equal(rand({4}), tensor({0.882269263, 0.915003955, 0.38286376, 0.959305644})));
  manual_seed(42);
  CHECK(rand({4}, f64).to_vector<double>() ==
        std::vector<double>{0.05815448596142969, 0.06291016742457756, 0.12358607277440903,
                            0.05258016436107704});
}

TEST_CASE("manual_seed: the same seed gives the same numbers") {
  for (const auto draw : {+[] { return rand({5}); }, +[] { return randn({5}); },
                          +[] { return randint(0, 1000, {5}); }, +[] { return randperm(5); }}) {
    manual_seed(7);
    const Tensor first = draw(), second = draw();
    manual_seed(7);
    CHECK(equal(draw(), first));
    CHECK(equal(draw(), second));
  }
}

TEST_CASE("state: can be kept and set, and continues where it was") {
  const Tensor state = default_generator().state();
  const Tensor x = randn({3});
  CHECK_FALSE(equal(default_generator().state(), state));
  default_generator().set_state(state);
  CHECK(equal(randn({3}), x));
}

TEST_CASE("set_state: what no state() has given is an error that changes nothing") {
  const Tensor before = default_generator().state();
  CHECK_ERROR(default_generator().set_state(zeros({3}, i64)),
              "set_state: [3] int64 is no state of a generator; give what state() gave");
  CHECK_ERROR(default_generator().set_state(zeros({625})),
              "set_state: [625] float32 is no state of a generator; give what state() gave");
  CHECK(equal(default_generator().state(), before));
}

TEST_CASE("rand and randn: as many as asked, in the range, with the right moments") {
  manual_seed(3);
  const int64_t n = 100'000;
  const Tensor u = rand({n}, f64), z = randn({n}, f64);
  CHECK(amin(u, {0}).item<double>() >= 0);
  CHECK(amax(u, {0}).item<double>() < 1);
  // Five standard errors: of the means 1/√(12 n) and 1/√n, of the variances √(1/180n) and √(2/n).
  CHECK(close(mean(u), tensor(0.5, f64), {.absolute = 5 * 0.00092}));
  CHECK(close(var(u), tensor(1.0 / 12, f64), {.absolute = 5 * 0.00024}));
  CHECK(close(mean(z), tensor(0, f64), {.absolute = 5 * 0.0032}));
  CHECK(close(var(z), tensor(1, f64), {.absolute = 5 * 0.0045}));
  CHECK(rand({0}).shape() == Shape{0});
  CHECK(randn({}).dim() == 0);
  CHECK(randn({3}).numel() == 3);
  CHECK(rand_like(u).dtype() == DType::float64);
  CHECK(randn_like(u).shape() == Shape{n});
}

TEST_CASE("randint: every integer of the range, none outside, all of int64 too") {
  manual_seed(3);
  const Tensor x = randint(-2, 3, {10'000});
  CHECK(x.dtype() == DType::int64);
  for (int64_t v = -2; v < 3; ++v) {  // 2000 each, give or take five standard deviations of 40
    CHECK(close(sum(x == v).to(DType::float64), tensor(2000, f64), {.absolute = 200}));
  }
  CHECK(equal(randint(4, 5, {3}), full({3}, 4, i64)));
  CHECK_NOTHROW(randint(INT64_MIN, INT64_MAX, {3}));
  CHECK_ERROR(randint(3, 3, {1}), "randint: nothing lies in [3, 3)");
}

TEST_CASE("randperm: each number once, in an order that varies") {
  manual_seed(3);
  const Tensor p = randperm(100);
  std::vector<int64_t> values = p.to_vector<int64_t>();
  CHECK_FALSE(std::is_sorted(values.begin(), values.end()));
  std::sort(values.begin(), values.end());
  CHECK(equal(from_data(values, {100}), arange(100, i64)));
  CHECK(randperm(0).shape() == Shape{0});
  CHECK(equal(randperm(1), zeros({1}, i64)));
  CHECK_THROWS_AS(randperm(-1), Error);
}

TEST_CASE("random numbers are floating, and requires_grad is honoured") {
  CHECK(rand({2}, {.requires_grad = true}).requires_grad());
  CHECK(randn({2}, {.dtype = DType::float64, .requires_grad = true}).requires_grad());
  CHECK_ERROR(rand({2}, i64), "rand: int64 cannot hold such numbers; make it float32 or float64");
}

TEST_CASE("a generator may be used from several threads: draws are whole runs of its sequence") {
  Generator generator(5), reference(5);
  std::vector<Tensor> drawn(4, Tensor());
  std::vector<std::thread> threads;
  threads.reserve(drawn.size());
  for (Tensor& x : drawn) {
    threads.emplace_back([&] {
      x = empty({1000});
      generator.fill_uniform(x, 0, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 4; ++i) {
    Tensor expected = empty({1000});
    reference.fill_uniform(expected, 0, 1);
    CHECK(std::count_if(drawn.begin(), drawn.end(), [&](const Tensor& x) {
            return static_cast<bool>(equal(x, expected));
          }) == 1);
  }
}
