#include "support/approx.h"
#include "support/gradcheck.h"

#include <cairn/core/random.h>
#include <cairn/nn/loss.h>

#include <cmath>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

TEST_CASE("mse loss: mean, sum and each") {
  const Tensor x = tensor({{1, 2}, {3, 4}}), t = tensor({{0, 2}, {5, 1}});
  CHECK(MSELoss()(x, t).item<float>() == 3.5f);
  CHECK(MSELoss({.reduction = Reduction::sum})(x, t).item<float>() == 14);
  CHECK(equal(MSELoss({.reduction = Reduction::none})(x, t), tensor({{1, 0}, {4, 9}})));
}

TEST_CASE("mse loss: the gradients are 2 (x - t) / n and its negative") {
  Tensor x = tensor({1, 2}, {.requires_grad = true}), t = tensor({0, 4}, {.requires_grad = true});
  MSELoss()(x, t).backward();
  CHECK(equal(x.grad(), tensor({1, -2})));
  CHECK(equal(t.grad(), tensor({-1, 2})));
  x.zero_grad();
  MSELoss({.reduction = Reduction::sum})(x, t).backward();
  CHECK(equal(x.grad(), tensor({2, -4})));
}

TEST_CASE("mse loss: gradients of both sides in every reduction, also broadcast") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const MSELoss same({.reduction = reduction});
    const MSELoss wide({.reduction = reduction, .broadcast = true});
    CAPTURE(same.extra_repr());
    CHECK(gradcheck([&](auto& in) { return same(in[0], in[1]); },
                    {randn({2, 3}, f64), randn({3, 2}, f64).t()}));
    CHECK(gradcheck([&](auto& in) { return wide(in[0], in[1]); },
                    {randn({2, 3}, f64), randn({3}, f64)}));
    CHECK(gradcheck([&](auto& in) { return wide(in[0], in[1]); },
                    {randn({2, 1}, f64), randn({1, 3}, f64)}));
  }
}

TEST_CASE("mse loss: shapes may differ if broadcasting is asked for") {
  const Tensor x = tensor({{1, 2}, {3, 4}}), t = tensor({{1}, {2}});
  CHECK(MSELoss({.broadcast = true})(x, t).item<float>() == 1.5f);
}

TEST_CASE("mse loss: of no values the mean is NaN and the sum 0") {
  const Tensor none = zeros({0, 3}, {.requires_grad = true});
  CHECK(std::isnan(MSELoss()(none, none).item<float>()));
  CHECK(MSELoss({.reduction = Reduction::sum})(none, none).item<float>() == 0);
  CHECK(MSELoss({.reduction = Reduction::none})(none, none).shape() == Shape{0, 3});
  MSELoss()(none, zeros({0, 3})).backward();
  CHECK(none.grad().shape() == Shape{0, 3});
}

TEST_CASE("mse loss: a mean over 2^24 values is right to float precision") {
  // A float that counts up by 1 stops at 2^24; by 0.01, of which it holds 0.00999999977..., it goes
  // astray much earlier.
  const int64_t n = int64_t{1} << 24;
  const Tensor x = full({n}, 0.1), t = zeros({n});
  const double each = static_cast<double>(0.1f * 0.1f);
  CHECK(std::abs(MSELoss()(x, t).item<double>() - each) <= 1.2e-7 * each);
  const double sum = static_cast<double>(n) * each;
  CHECK(std::abs(MSELoss({.reduction = Reduction::sum})(x, t).item<double>() - sum) <=
        1.2e-7 * sum);
}
