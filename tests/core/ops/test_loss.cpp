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

TEST_CASE("mse_loss: shapes that differ are an error, unless broadcast allows it") {
  const Tensor x = zeros({4, 1}), t = ones({4});
  CHECK_ERROR(mse_loss(x, t),
              "mse_loss: input [4, 1] and target [4] differ; reshape one, or set "
              "broadcast = true");
  CHECK(mse_loss(x, t, {.reduction = Reduction::none, .broadcast = true}).shape() == Shape{4, 4});
  CHECK_ERROR(mse_loss(zeros({2}), zeros({3}), {.broadcast = true}),
              "mse_loss: shapes [2] and [3] do not broadcast; dimensions, aligned at the right, "
              "must be equal or 1");
}

TEST_CASE("mse_loss: the mean of nothing is NaN, the sum 0; int64 and mixed dtypes are errors") {
  CHECK(std::isnan(mse_loss(zeros({0}), zeros({0})).item<float>()));
  CHECK(mse_loss(zeros({0}), zeros({0}), {.reduction = Reduction::sum}).item<float>() == 0);
  CHECK_ERROR(mse_loss(tensor({1}, i64), tensor({1}, i64)),
              "mse_loss: not defined for int64 [1]; use .to(DType::float32) first");
  CHECK_ERROR(mse_loss(tensor({1}), tensor({1}, f64)),
              "mse_loss: dtypes float32 and float64 do not mix; convert one, e.g. with "
              ".to(x.dtype())");
}

TEST_CASE("cross_entropy: the mean of -log softmax at the label") {
  const Tensor logits = tensor({{0, 0}, {std::log(3), 0}}), labels = tensor({0, 1}, i64);
  CHECK(close(cross_entropy(logits, labels), tensor((std::log(2) + std::log(4)) / 2)));
  CHECK(close(cross_entropy(tensor({{1000, 0}}), tensor({1}, i64)), tensor(1000)));
  CHECK(std::isnan(cross_entropy(zeros({0, 3}), zeros({0}, i64)).item<float>()));
}

TEST_CASE("cross_entropy: bad labels and shapes are errors") {
  const Tensor logits = zeros({2, 3});
  CHECK_ERROR(cross_entropy(logits, tensor({0, 1, 2}, i64)),
              "cross_entropy: logits [2, 3] and labels [3]: expected (N, C) and (N)");
  CHECK_ERROR(cross_entropy(logits, tensor({0, 3}, i64)),
              "cross_entropy: index 3 is not in [0, 3)");
  CHECK_ERROR(cross_entropy(logits, tensor({0, 1})),
              "cross_entropy: the index is float32; use .to(DType::int64)");
}
