// The functional batch_norm. What its layers add, and its numerics, are tested in tests/nn.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {

// Channel 0: 1 2 3 4, channel 1: 10 10 10 10.
const Tensor x = tensor({{{1, 2}, {10, 10}}, {{3, 4}, {10, 10}}}, f64);

}  // namespace

TEST_CASE("batch_norm: by the batch, y = γ (x - m) / √(v + eps) + β with the biased variance") {
  const Tensor y = batch_norm(x, {}, {}, tensor({2, 3}, f64), tensor({5, 7}, f64),
                              {.training = true, .eps = 0.75});
  const double s = 1 / std::sqrt(1.25 + 0.75);
  CHECK(close(y, tensor({{{5 - 3 * s, 5 - s}, {7, 7}}, {{5 + s, 5 + 3 * s}, {7, 7}}}, f64)));
}

TEST_CASE("batch_norm: the record moves by momentum, its variance unbiased") {
  Tensor mean = tensor({0, 4}, f64), var = tensor({1, 2}, f64);
  batch_norm(x, mean, var, {}, {}, {.training = true, .momentum = 0.25});
  CHECK(close(mean, tensor({0.625, 5.5}, f64)));
  CHECK(close(var, tensor({0.75 + 0.25 * 5 / 3, 1.5}, f64)));
}

TEST_CASE("batch_norm: by the record, which then stays") {
  Tensor mean = tensor({1, 10}, f64), var = tensor({3, 8}, f64);
  const Tensor y = batch_norm(x, mean, var, {}, tensor({0, 1}, f64), {.eps = 1});
  CHECK(close(y, tensor({{{0, 0.5}, {1, 1}}, {{1, 1.5}, {1, 1}}}, f64)));
  CHECK(equal(mean, tensor({1, 10}, f64)));
  CHECK(equal(var, tensor({3, 8}, f64)));
}

TEST_CASE("batch_norm: dβ = Σg, dγ = s q, dx = γ s (g - Σg/n - (x - m) s² q/n), q = Σg (x - m)") {
  const Tensor v = tensor({{1}, {2}, {6}}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor w = tensor({2}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor b = tensor({5}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor g = tensor({{1}, {10}, {100}}, f64);
  const Tensor y = batch_norm(v, {}, {}, w, b, {.training = true, .eps = 0});
  const auto d = grad({y}, {v, w, b}, {.grad_outputs = {g}});
  // m = 3, v = 14/3, q = -2 - 10 + 300 = 288
  const double s = std::sqrt(3.0 / 14), q = 288, n = 3;
  const auto dx = [&](double gi, double xi) {
    return 2 * s * (gi - 111 / n - (xi - 3) * s * s * q / n);
  };
  const Tolerance t{.relative = 1e-14, .absolute = 1e-13};  // Σ dx = 0: terms of 100 cancel
  CHECK(close(d[0], tensor({{dx(1, 1)}, {dx(10, 2)}, {dx(100, 6)}}, f64), t));
  CHECK(close(d[1], tensor({s * q}, f64), t));
  CHECK(close(d[2], tensor({111}, f64), t));
}

TEST_CASE("batch_norm: by the record dx = γ s g, dγ = Σg (x - rm) s, dβ = Σg") {
  const Tensor v = tensor({{1}, {2}}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor w = tensor({3}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor b = tensor({5}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor y = batch_norm(v, tensor({-1}, f64), tensor({4}, f64), w, b, {.eps = 0});
  const auto d = grad({y}, {v, w, b}, {.grad_outputs = {tensor({{1}, {10}}, f64)}});
  CHECK(close(d[0], tensor({{1.5}, {15}}, f64)));
  CHECK(close(d[1], tensor({16}, f64)));
  CHECK(close(d[2], tensor({11}, f64)));
}

TEST_CASE("batch_norm: a record that moves after the forward does not harm its gradient") {
  const Tensor v = tensor({{1}, {2}}, {.dtype = DType::float64, .requires_grad = true});
  Tensor mean = tensor({0}, f64), var = tensor({4}, f64);
  const Tensor y = batch_norm(v, mean, var, {}, {}, {.eps = 0});
  batch_norm(v, mean, var, {}, {}, {.training = true, .momentum = 1});
  sum(y).backward();
  CHECK(close(v.grad(), tensor({{0.5}, {0.5}}, f64)));
}

TEST_CASE("batch_norm: every layout gives the same, forward, record and gradients") {
  manual_seed(2);
  const Tensor base = randn({4, 3, 5, 6}, f64), dy = randn({4, 3, 5, 6}, f64);
  Tensor spread = zeros({4, 3, 5, 12}, f64).slice(3, 0, 12, 2);
  spread.copy_(base);
  const auto run = [&](const Tensor& input, const Tensor& g) {
    Tensor mean = zeros({3}, f64), var = ones({3}, f64);
    const Tensor v = input.detach().requires_grad_();
    const Tensor y = batch_norm(v, mean, var, {}, {}, {.training = true});
    return std::vector{y.detach(), grad({y}, {v}, {.grad_outputs = {g}})[0], mean, var};
  };
  const auto channels_last = [](const Tensor& t) {
    return t.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  };
  const auto expected = run(base, dy);
  // 120 values a channel, in another order.
  const Tolerance t{.relative = 1e-13, .absolute = 1e-14};
  for (const Tensor& input :
       {channels_last(base), base.transpose(2, 3).contiguous().transpose(2, 3),
        base.transpose(0, 1).contiguous().transpose(0, 1), spread}) {
    for (const Tensor& g : {dy, channels_last(dy)}) {
      const auto actual = run(input, g);
      for (std::size_t i = 0; i < actual.size(); ++i) CHECK(close(actual[i], expected[i], t));
    }
  }
}

TEST_CASE("batch_norm: an empty batch gives an empty output, records nothing, and 0 for weights") {
  Tensor mean = zeros({3}), var = ones({3});
  const Tensor w = ones({3}, {.requires_grad = true});
  const Tensor y = batch_norm(zeros({0, 3}), mean, var, w, {}, {.training = true});
  CHECK(y.shape() == Shape{0, 3});
  CHECK(equal(mean, zeros({3})));
  CHECK(equal(var, ones({3})));
  sum(y).backward();
  CHECK(equal(w.grad(), zeros({3})));
}
