// The generator: PyTorch's uniform numbers, states that come back, and fair integers.
#include "support/approx.h"
#include "support/golden.h"

#include <cairn/core/ops.h>
#include <cairn/core/random.h>
#include <cairn/nn/linear.h>

#include <algorithm>
#include <functional>
#include <thread>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor drawn(const std::string& name) { return golden("draws", name); }

// A draw from the seed that the file's were made from: its numbers, and the one after them.
void check_draw(const std::string& name, const std::function<Tensor()>& draw,
                const Tolerance& tolerance = {}) {
  CAPTURE(name);
  manual_seed(42);
  CHECK(close(draw(), drawn(name), tolerance));
  CHECK(equal(rand({1}), drawn(name + "/next")));
}

// Radius and angle are computed in double, where the functions are right to an ulp or two, and
// rounded. From 16 numbers on PyTorch approximates them in float32, and was found to be off by up
// to 1e-6.
Tolerance rounded(DType dtype, int64_t n) {
  if (dtype == DType::float64) return {.relative = 8 * 2.3e-16, .absolute = 8 * 2.3e-16};
  return {.relative = 1.2e-7, .absolute = n < 16 ? 0 : 1e-6};
}

}  // namespace

TEST_CASE("rand, randint, randperm: PyTorch's numbers for PyTorch's seeds, bit for bit") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const std::string suffix = " " + std::string(to_string(dtype));
    for (const int64_t n : {0, 1, 2, 15, 16, 17, 33}) {
      check_draw("rand " + std::to_string(n) + suffix, [&] { return rand({n}, {.dtype = dtype}); });
    }
    check_draw("rand 5x7x20, the end" + suffix, [&] {
      return rand({5, 7, 20}, {.dtype = dtype})[4][6].clone();
    });
  }
  using Range = std::pair<int64_t, int64_t>;
  for (const auto& [low, high] : {Range{0, 1},
                                  {-2, 3},
                                  {0, (1 << 28) - 1},
                                  {0, 1 << 28},
                                  {-5, int64_t{1} << 40},
                                  {INT64_MIN, INT64_MAX}}) {
    check_draw("randint " + std::to_string(low) + " " + std::to_string(high),
               [low = low, high = high] {
                 return randint(low, high, {2, 4});
               });
  }
  for (const int64_t n : {0, 1, 2, 10, 100}) {
    check_draw("randperm " + std::to_string(n), [n] { return randperm(n); });
  }
}

TEST_CASE("randn: PyTorch's numbers for PyTorch's seeds, to rounding") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const int64_t n : {0, 1, 2, 15, 16, 17, 33}) {
      check_draw(
          "randn " + std::to_string(n) + " " + std::string(to_string(dtype)),
          [&] { return randn({n}, {.dtype = dtype}); }, rounded(dtype, n));
    }
  }
}

TEST_CASE("draws of every kind, one after the other, are PyTorch's") {
  const std::function<Tensor()> draws[] = {
      [] { return rand({3}); },          [] { return randn({5}); },
      [] { return randint(0, 9, {4}); }, [] { return randn({1}); },
      [] { return randn({3}, f64); },    [] { return randn({17}); },
      [] { return rand({2}, f64); },     [] { return randn({2}); },
      [] { return randperm(6); },        [] { return nn::Linear(3, 2).weight.detach(); },
      [] { return rand({1}); }};
  manual_seed(42);
  int i = 0;
  for (const auto& draw : draws) {
    const std::string name = "sequence/" + std::to_string(i++);
    CAPTURE(name);
    const Tensor expected = drawn(name), actual = draw();
    CHECK(close(actual, expected, rounded(actual.dtype(), actual.numel())));
  }
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

TEST_CASE("state: can be kept and set, and continues where it was, between two of a pair too") {
  for (const int64_t before : {0, 2, 3, 700}) {
    const Tensor first = randn({before});
    const Tensor state = default_generator().state();
    const Tensor x = randn({3}), y = rand({3}), z = randperm(5);
    CHECK_FALSE(equal(default_generator().state(), state));
    default_generator().set_state(state);
    CHECK(equal(default_generator().state(), state));
    CHECK(equal(randn({3}), x));
    CHECK(equal(rand({3}), y));
    CHECK(equal(randperm(5), z));
    Generator other;
    other.set_state(state);
    Tensor w = empty({3});
    other.fill_normal(w);
    CHECK(equal(w, x));
  }
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
}

TEST_CASE("a generator may be used from several threads: draws are whole runs of its sequence") {
  constexpr int count = 4;
  const auto drawn_by = [](Generator& generator, int kind) {
    Tensor x = empty({1000}, {.dtype = kind < 2 ? DType::float32 : DType::int64});
    if (kind == 0) generator.fill_uniform(x, 0, 1);
    if (kind == 1) generator.fill_normal(x);
    if (kind == 2) generator.fill_integers(x, 0, INT64_MAX);
    if (kind == 3) generator.fill_permutation(x);
    return x;
  };
  for (int kind = 0; kind < 4; ++kind) {
    CAPTURE(kind);
    Generator generator(5), reference(5);
    std::vector<Tensor> drawn(count, Tensor());
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (Tensor& x : drawn) {
      threads.emplace_back([&] {
        x = drawn_by(generator, kind);
        static_cast<void>(generator.state());
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < count; ++i) {
      const Tensor expected = drawn_by(reference, kind);
      CHECK(std::count_if(drawn.begin(), drawn.end(), [&](const Tensor& x) {
              return static_cast<bool>(equal(x, expected));
            }) == 1);
    }
    CHECK(equal(generator.state(), reference.state()));
  }
}
