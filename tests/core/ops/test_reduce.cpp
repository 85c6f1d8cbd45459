// Many values to one.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

using namespace cairn;
using namespace cairn::test;

namespace {
const Tensor x = tensor({{1, 5, 3}, {4, 2, 9}});
}

TEST_CASE("sum, mean: of all, of some dimensions, with keepdim") {
  CHECK(equal(sum(x), tensor(24)));
  CHECK(equal(sum(x, {0}), tensor({5, 7, 12})));
  CHECK(equal(sum(x, {-1}, true), tensor({{9}, {15}})));
  CHECK(equal(sum(x, {0, 1}), tensor(24)));
  CHECK(equal(mean(x), tensor(4)));
  CHECK(equal(mean(x, {1}), tensor({3, 5})));
  CHECK(equal(mean(x, {0}, true), tensor({{2.5, 3.5, 6}})));
  CHECK(equal(x.t().sum({0}), tensor({9, 15})));
  CHECK(equal(sum(x.slice(1, 0, 3, 2), {1}), tensor({4, 13})));
  CHECK(equal(sum(tensor({{1}, {2}}).expand({2, 100}), {1}), tensor({100, 200})));
}

TEST_CASE("sum: a mean over 2^24 values is right to float precision") {
  const int64_t n = 1 << 24;
  const Tensor values = full({n}, 0.1F);
  // A running float sum stops at 2^21 or so; in double the mean comes back to the last bit.
  CHECK(mean(values).item<float>() == 0.1F);
  CHECK(mean(values.view({1 << 12, 1 << 12}), {0})[5].item<float>() == 0.1F);
  CHECK(mse_loss(values, zeros({n})).item<float>() ==
        static_cast<float>(static_cast<double>(0.1F) * static_cast<double>(0.1F)));
}

TEST_CASE("var: divides by count - correction, and forgets no digit of a large mean") {
  CHECK(equal(var(x, {1}), tensor({4, 13})));
  CHECK(close(var(x, {1}, {.correction = 0, .keepdim = true}), tensor({{8}, {26}}) / 3));
  CHECK(equal(var(tensor({1e6, 1e6 + 1, 1e6 + 2})), tensor(1)));
  CHECK(var(x).item<float>() == 8);
  CHECK(std::isnan(var(tensor({1})).item<float>()));
  CHECK(std::isnan(var(zeros({0})).item<float>()));
}

TEST_CASE("var: no correction is too large or too small") {
  CHECK(var(tensor({1, 2, 4}), {0}, {.correction = 3}).item<float>() == INFINITY);
  CHECK(var(tensor({1, 2, 4}), {0}, {.correction = INT64_MAX}).item<float>() == INFINITY);
  // torch.tensor([1., 2, 4]).var(0, correction=-2**63).item()
  CHECK(
      close(var(tensor({1, 2, 4}), {0}, {.correction = INT64_MIN}), tensor(5.059609965936393e-19)));
}

TEST_CASE("amax, amin, argmax: the first largest wins, NaN before all") {
  CHECK(equal(amax(x, {1}), tensor({5, 9})));
  CHECK(equal(amin(x, {0}, true), tensor({{1, 2, 3}})));
  CHECK(equal(amax(x, {0, 1}), tensor(9)));
  CHECK(equal(argmax(x, 1), tensor({1, 2}, i64)));
  CHECK(equal(argmax(x, 0, true), tensor({{1, 0, 1}}, i64)));
  CHECK(equal(argmax(tensor({3, 7, 7, 1}), 0), tensor(1, i64)));
  const Tensor nans = tensor({{1, NAN, 3}, {NAN, NAN, 5}});
  CHECK(equal(amax(nans, {1}), tensor({NAN, NAN})));
  CHECK(equal(amin(nans, {0}), tensor({NAN, NAN, 3})));
  CHECK(equal(argmax(nans, 1), tensor({1, 0}, i64)));
}

TEST_CASE("argmax: the first largest also where lines are cut into lanes and blocks") {
  Tensor values = zeros({200'000});
  for (const int64_t i : {150'003, 70'001, 199'999}) values[i].fill_(1);
  CHECK(argmax(values, 0).item<int64_t>() == 70'001);
  values[150'000].fill_(NAN), values[160'000].fill_(NAN);
  CHECK(argmax(values, 0).item<int64_t>() == 150'000);
}

TEST_CASE("sum, argmax: columns that are cut into bands, and rows into blocks") {
  constexpr int64_t places = 2, rows = 600, columns = 2100;
  const Tensor x = arange(0, places * rows * columns).reshape({places, rows, columns}).remainder(7);
  const Tensor sums = sum(x, {1}), rows_outside = sum(x.permute({1, 0, 2}), {0});
  const Tensor largest = argmax(x, 1);
  for (const int64_t p : {0, 1}) {
    for (const int64_t c : {0, 1, 2047, 2048, 2099}) {
      const auto column = x.select(0, p).select(1, c).to_vector<int64_t>();
      CHECK(sums.at<int64_t>({p, c}) == std::accumulate(column.begin(), column.end(), int64_t{0}));
      CHECK(rows_outside.at<int64_t>({p, c}) == sums.at<int64_t>({p, c}));
      CHECK(largest.at<int64_t>({p, c}) == std::ranges::max_element(column) - column.begin());
    }
  }
}

TEST_CASE("amax: equal extremes share the gradient") {
  Tensor y = tensor({{2, 2, 1}, {3, 0, 0}}, {.requires_grad = true});
  sum(amax(y, {1})).backward();
  CHECK(equal(y.grad(), tensor({{0.5, 0.5, 0}, {1, 0, 0}})));
}

TEST_CASE("int64: sums wrap, extremes stay int64") {
  const Tensor i = tensor({{INT64_MAX, 1}, {2, 3}}, i64);
  CHECK(equal(sum(i, {1}), tensor({INT64_MIN, 5}, i64)));
  CHECK(equal(amax(i, {0}), tensor({INT64_MAX, 3}, i64)));
  CHECK(equal(argmax(i, 0), tensor({0, 1}, i64)));
  CHECK(close(softmax(tensor({0, 0}, i64), 0), tensor({0.5, 0.5})));
}

TEST_CASE("empty: the sum is 0, the mean NaN") {
  const Tensor e = zeros({0, 3});
  CHECK(equal(sum(e), tensor(0)));
  CHECK(equal(sum(e, {0}), zeros({3})));
  CHECK(equal(sum(e, {1}), zeros({0})));
  CHECK(std::isnan(mean(e).item<float>()));
  CHECK(equal(mean(e, {0}), full({3}, NAN)));
  CHECK(equal(logsumexp(e, {0}), full({3}, -INFINITY)));
  CHECK(softmax(e, 0).shape() == Shape{0, 3});
  CHECK(amax(e, {1}).shape() == Shape{0});
}

TEST_CASE("sum: no values of a huge size take no time and no memory") {
  constexpr int64_t huge = int64_t{1} << 60;
  CHECK(equal(sum(zeros({huge, 0}), {0}), zeros({0})));
  CHECK(equal(amax(zeros({0, INT64_MAX}), {1}), zeros({0})));
}

TEST_CASE("scalars reduce to themselves, along 0 and -1 too, which are one dimension") {
  CHECK(equal(sum(tensor(3)), tensor(3)));
  CHECK(equal(mean(tensor(3), {}), tensor(3)));
  CHECK(equal(amax(tensor(3), {}), tensor(3)));
  CHECK(equal(sum(tensor(3), {0}, true), tensor(3)));
}

TEST_CASE("softmax, log_softmax, logsumexp: large and infinite inputs do not overflow") {
  const Tensor large = tensor({{1000, 1000}, {-INFINITY, 0}, {-1000, 1000}});
  CHECK(equal(softmax(large, 1), tensor({{0.5, 0.5}, {0, 1}, {0, 1}})));
  CHECK(close(log_softmax(large, 1),
              tensor({{-std::log(2), -std::log(2)}, {-INFINITY, 0}, {-2000, 0}})));
  CHECK(close(logsumexp(large, {1}), tensor({1000 + std::log(2), 0.0, 1000.0})));
  CHECK(equal(logsumexp(tensor({-INFINITY, -INFINITY}), {0}), tensor(-INFINITY)));
  CHECK(equal(logsumexp(tensor({INFINITY, 1}), {0}), tensor(INFINITY)));
  CHECK(equal(softmax(tensor({NAN, 1}), 0), tensor({NAN, NAN})));
  CHECK(close(sum(softmax(x, 0), {0}), ones({3})));
}

TEST_CASE("prod: values and gradients are right where values are 0") {
  CHECK(equal(prod(tensor({2, 3, 4})), tensor(24)));
  CHECK(equal(prod(tensor({{1, 2, 3}, {4, 5, 6}}), {1}), tensor({6, 120})));
  CHECK(equal(prod(zeros({0})), tensor(1)));
  CHECK(equal(prod(tensor({2, 3}, {.dtype = DType::int64})), tensor(6, {.dtype = DType::int64})));
  const Tensor a = tensor({2, 0, 4}, {.requires_grad = true});
  CHECK(equal(grad({prod(a)}, {a})[0], tensor({0, 8, 0})));
  const Tensor two = tensor({0, 3, 0}, {.requires_grad = true});
  const Tensor g = grad({prod(two)}, {two}, {.create_graph = true})[0];
  CHECK(equal(g, zeros({3})));
  CHECK(equal(grad({g[0]}, {two})[0], tensor({0, 0, 3})));  // d²/dx0 dx2 = x1
}

TEST_CASE("norm: every order; at 0 the gradient is 0, in the second order too") {
  const Tensor v = tensor({3, -4});
  CHECK(norm(v).item<float>() == 5);
  CHECK(norm(v, 1).item<float>() == 7);
  CHECK(norm(v, HUGE_VAL).item<float>() == 4);
  CHECK(norm(v, -HUGE_VAL).item<float>() == 3);
  CHECK(norm(tensor({0, 2, 0}), 0).item<float>() == 1);
  CHECK(norm(full({3}, 1e30)).item<float>() == doctest::Approx(1.7320508e30));  // no overflow
  CHECK(norm(zeros({0})).item<float>() == 0);
  for (const double p : {1.0, 1.5, 2.0, 3.0}) {
    const Tensor a = zeros({2}, {.requires_grad = true});
    const Tensor g = grad({norm(a, p)}, {a}, {.create_graph = true})[0];
    CHECK(equal(g, zeros({2})));
    CHECK(equal(grad({sum(g * tensor({1, 2}))}, {a}, {.allow_unused = true})[0], zeros({2})));
  }
}

TEST_CASE("std: at 0 the gradient is 0") {
  const Tensor a = ones({3}, {.requires_grad = true});
  CHECK(equal(grad({a.std()}, {a})[0], zeros({3})));
  CHECK(tensor({1, 3}).std({}, {.correction = 0}).item<float>() == 1);
}

TEST_CASE("cumsum, argmin and chunk: values") {
  CHECK(equal(cumsum(tensor({{1, 2}, {3, 4}}), 0), tensor({{1, 2}, {4, 6}})));
  CHECK(equal(cumsum(tensor({{1, 2}, {3, 4}}), -1), tensor({{1, 3}, {3, 7}})));
  CHECK(argmin(tensor({2, 1, 1}), 0).item<int>() == 1);
  const auto parts = chunk(arange(5), 3);
  REQUIRE(parts.size() == 3);
  CHECK(equal(parts[2], tensor({4})));
  CHECK(chunk(arange(4), 3).size() == 2);  // as in PyTorch: pieces of equal size
  CHECK(chunk(zeros({0, 2}), 3).size() == 3);
}

TEST_CASE("mean and logsumexp of no values: the second order is 0, not NaN") {
  for (const bool use_mean : {true, false}) {
    const Tensor a = zeros({0, 2}, {.requires_grad = true});
    const Tensor w = ones({2}, {.requires_grad = true});
    const Tensor y = use_mean ? mean(a, {0}) : logsumexp(a, {0});
    const Tensor g = grad({sum(y * w)}, {a}, {.create_graph = true})[0];
    CHECK(equal(grad({sum(g)}, {w}, {.allow_unused = true})[0], zeros({2})));
  }
}
