// What training minimises.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("mse_loss: mean, sum and none") {
  const Tensor x = tensor({{1, 2}, {3, 4}}), t = tensor({{0, 2}, {5, 1}});
  CHECK(equal(mse_loss(x, t), tensor(3.5)));
  CHECK(equal(mse_loss(x, t, {.reduction = Reduction::sum}), tensor(14)));
  CHECK(equal(mse_loss(x, t, {.reduction = Reduction::none}), tensor({{1, 0}, {4, 9}})));
  CHECK(equal(mse_loss(x.t(), t.t()), tensor(3.5)));
}

TEST_CASE("mse_loss: the gradient is 2 (x - t) / n, the target's its negative") {
  const Tensor x = tensor({1, 4}, {.requires_grad = true}),
               t = tensor({0, 6}, {.requires_grad = true});
  mse_loss(x, t).backward();
  CHECK(equal(x.grad(), tensor({1, -2})));
  CHECK(equal(t.grad(), tensor({-1, 2})));
}

TEST_CASE("mse_loss: broadcast allows shapes that differ") {
  const Tensor x = tensor({{0}, {1}, {2}, {3}}), t = tensor({0, 10, 20, 30});
  CHECK(mse_loss(x, t, {.reduction = Reduction::none, .broadcast = true}).shape() == Shape{4, 4});
  CHECK(equal(mse_loss(x, t, {.reduction = Reduction::sum, .broadcast = true}), tensor(4936)));
  CHECK(equal(mse_loss(x, t, {.broadcast = true}), tensor(308.5)));
}

TEST_CASE("mse_loss: the mean of nothing is NaN, the sum 0") {
  CHECK(std::isnan(mse_loss(zeros({0}), zeros({0})).item<float>()));
  CHECK(mse_loss(zeros({0}), zeros({0}), {.reduction = Reduction::sum}).item<float>() == 0);
}

TEST_CASE("cross_entropy: the mean of -log softmax at the label") {
  const Tensor logits = tensor({{0, 0}, {std::log(3), 0}}), labels = tensor({0, 1}, i64);
  CHECK(close(cross_entropy(logits, labels), tensor((std::log(2) + std::log(4)) / 2)));
  CHECK(close(cross_entropy(tensor({{1000, 0}}), tensor({1}, i64)), tensor(1000)));
  CHECK(std::isnan(cross_entropy(zeros({0, 3}), zeros({0}, i64)).item<float>()));
}
