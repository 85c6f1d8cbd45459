// Matrix products and linear layers.
#include "support/approx.h"

#include <cairn/core/random.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Σ a[i][k] b[k][j], one by one, in double.
Tensor by_hand(const Tensor& a, const Tensor& b) {
  const int64_t n = a.size(0), k = a.size(1), m = b.size(1);
  const auto u = a.to_vector<double>(), v = b.to_vector<double>();
  std::vector<double> y;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += u[static_cast<std::size_t>(i * k + p)] * v[static_cast<std::size_t>(p * m + j)];
      }
      y.push_back(sum);
    }
  }
  return from_data(y, {n, m}).to(a.dtype());
}

}  // namespace

TEST_CASE("matmul: ranks 1 and 2") {
  const Tensor a = tensor({{1, 2, 3}, {4, 5, 6}}), v = tensor({1, 10, 100});
  CHECK(equal(matmul(a, a.t()), tensor({{14, 32}, {32, 77}})));
  CHECK(equal(matmul(a.t(), a), tensor({{17, 22, 27}, {22, 29, 36}, {27, 36, 45}})));
  CHECK(equal(matmul(a, v), tensor({321, 654})));
  CHECK(equal(matmul(tensor({1, 10}), a), tensor({41, 52, 63})));
  CHECK(equal(matmul(v, v), tensor(10101)));
}

TEST_CASE("matmul: batches, and batches that broadcast") {
  const Tensor a = arange(12).view({2, 2, 3}), b = tensor({{1, 0}, {0, 1}, {1, 1}});
  const Tensor y = matmul(a, b);
  CHECK(equal(y, tensor({{{2, 3}, {8, 9}}, {{14, 15}, {20, 21}}})));
  CHECK(equal(matmul(a, stack({b, b * 2})), stack({y[0], y[1] * 2})));
  CHECK(equal(matmul(a[1], stack({b, b * 2})), stack({y[1], y[1] * 2})));
  CHECK(equal(matmul(a, tensor({1, 1, 1})), sum(a, {2})));
  CHECK(matmul(zeros({3, 1, 2, 4}), zeros({5, 4, 6})).shape() == Shape{3, 5, 2, 6});
}

TEST_CASE("matmul: no terms give 0, no rows give none") {
  CHECK(equal(matmul(zeros({2, 0}), zeros({0, 3})), zeros({2, 3})));
  CHECK(matmul(zeros({0, 4}), zeros({4, 3})).shape() == Shape{0, 3});
  CHECK(matmul(zeros({5, 0, 4}), zeros({4, 3})).shape() == Shape{5, 0, 3});
  CHECK(equal(matmul(zeros({0}), zeros({0})), tensor(0)));
}

TEST_CASE("matmul: int64 wraps and stays int64") {
  const Tensor a = tensor({{INT64_MAX, 1}}, i64), b = tensor({{1}, {1}}, i64);
  CHECK(equal(matmul(a, b), tensor({{INT64_MIN}}, i64)));
}

TEST_CASE("matmul: large and small products agree with sums by hand, in any layout") {
  manual_seed(1);
  for (const int64_t n : {1, 3, 8, 9, 33, 150}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      CAPTURE(n);
      const Tensor a = randn({n, n + 1}, {.dtype = dtype}),
                   b = randn({n + 1, n + 2}, {.dtype = dtype});
      const Tensor expected = by_hand(a, b);
      // A sum of n products of about 1 rounds n times: √n on average, 8 times that at most.
      const double rounding = dtype == DType::float32 ? 1.2e-7 : 2.3e-16;
      const Tolerance t{.absolute = 8 * static_cast<double>(n + 1) * rounding};
      CHECK(close(matmul(a, b), expected, t));
      CHECK(close(matmul(a.t().contiguous().t(), b), expected, t));
      CHECK(close(matmul(a, b.t().contiguous().t()), expected, t));
      Tensor gaps = zeros({n, 2 * n + 2}, {.dtype = dtype});
      gaps.slice(1, 0, 2 * n + 2, 2).copy_(a);  // dense in neither direction
      CHECK(close(matmul(gaps.slice(1, 0, 2 * n + 2, 2), b), expected, t));
      CHECK(close(matmul(a, b[0].unsqueeze(0).expand({n + 1, n + 2})),
                  by_hand(a, b[0].unsqueeze(0).expand({n + 1, n + 2}).clone()), t));
    }
  }
}

TEST_CASE("linear: x Wᵀ + b for any rank") {
  const Tensor w = tensor({{1, 2, 3}, {4, 5, 6}}), b = tensor({10, 20});
  CHECK(equal(linear(tensor({{1, 1, 1}, {1, 0, 0}}), w, b), tensor({{16, 35}, {11, 24}})));
  CHECK(equal(linear(tensor({1, 1, 1}), w), tensor({6, 15})));
  CHECK(equal(linear(ones({2, 2, 3}), w, b), tensor({{{16, 35}, {16, 35}}, {{16, 35}, {16, 35}}})));
  CHECK(linear(zeros({0, 3}), w, b).shape() == Shape{0, 2});
  CHECK(equal(linear(zeros({2, 0}), zeros({2, 0}), b), tensor({{10, 20}, {10, 20}})));
  CHECK(linear(zeros({4, 0, 3}), w, b).shape() == Shape{4, 0, 2});
}
