// Values and gradients where a formula taken literally would give something else.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor second_order(Tensor (*f)(const Tensor&), double at) {
  Tensor x = tensor({at}, {.requires_grad = true});
  const Tensor g = grad({f(x).sum()}, {x}, {.create_graph = true})[0];
  return grad({g.sum()}, {x})[0];
}

}  // namespace

TEST_CASE("clamp: high wins where low is above it") {
  CHECK(equal(clamp(tensor({0, 3, 9}), 5, 2), tensor({2, 2, 2})));
}

TEST_CASE("clamp, sign: an infinite gradient is no NaN where none passes") {
  for (Tensor (*f)(const Tensor&) : {+[](const Tensor& x) { return clamp(x, 0, 1); }, sign}) {
    Tensor x = tensor({2}, {.requires_grad = true});
    f(x).backward(tensor({INFINITY}));
    CHECK(equal(x.grad(), tensor({0})));
  }
}

TEST_CASE("abs: -0 becomes 0") { CHECK_FALSE(std::signbit(abs(tensor(-0.0)).item<float>())); }

TEST_CASE("silu, softplus, pow: the second order is finite far out and at 0") {
  const Tolerance tiny{.absolute = 1e-40};  // the true values are -3.6e-42 and 3.7e-44
  CHECK(close(second_order(silu, -100), tensor({0}), tiny));
  CHECK(close(second_order([](const Tensor& x) { return softplus(x); }, -100), tensor({0}), tiny));
  CHECK(equal(second_order([](const Tensor& x) { return pow(x, 0); }, 0), tensor({0})));
  CHECK(equal(second_order([](const Tensor& x) { return pow(x, 1); }, 0), tensor({0})));
}

TEST_CASE("sum, mean, amax, var: no dimensions mean all") {
  const Tensor x = tensor({{1, 2}, {3, 6}});
  CHECK(equal(sum(x, {}), tensor(12)));
  CHECK(equal(mean(x, {}), tensor(3)));
  CHECK(equal(amax(x, {}, true), tensor({{6}})));
  CHECK(equal(var(x, {}, {.correction = 0}), tensor(3.5)));
}

TEST_CASE("sum: columns and lines of any length, on any number of threads") {
  const Tensor tall = ones({70000, 3}), wide = ones({3, 70000});
  CHECK(equal(sum(tall, {0}), tensor({70000, 70000, 70000})));
  CHECK(equal(sum(wide, {1}), tensor({70000, 70000, 70000})));
  CHECK(equal(sum(ones({20000, 200}), {0}), full({200}, 20000)));
}

TEST_CASE("arange: int64 is exact beyond 2^53") {
  const int64_t big = (int64_t{1} << 53) + 1;
  CHECK(equal(arange(big, big + 2, 1, i64), from_data(std::vector{big, big + 1}, {2})));
}

TEST_CASE("slice: the second order of an empty one with a step is empty") {
  Tensor x = tensor({1, 2, 3}, {.requires_grad = true});
  const Tensor g = grad({(x * x).slice(0, 0, 0, 2).sum()}, {x}, {.create_graph = true})[0];
  CHECK(equal(grad({g.sum()}, {x})[0], tensor({0, 0, 0})));
}

TEST_CASE("batch_norm: with eps 0 a constant channel gives its bias, in each reading") {
  Tensor x = tensor({{1, 7}, {3, 7}, {5, 7}}, {.dtype = DType::float64, .requires_grad = true});
  const Tensor weight = tensor({2, 3}, f64), bias = tensor({0.5, -1}, f64);
  const auto y = [&] { return batch_norm(x, {}, {}, weight, bias, {.training = true, .eps = 0}); };
  CHECK(equal(y().slice(1, 1, 2), full({3, 1}, -1, f64)));
  const Tensor c = tensor({{1, 2}, {0, 5}, {4, 3}}, f64);
  const Tensor fused = grad({(y() * c).sum()}, {x})[0];
  const Tensor recorded = grad({(y() * c).sum()}, {x}, {.create_graph = true})[0].detach();
  CHECK(equal(fused.slice(1, 1, 2), zeros({3, 1}, f64)));
  CHECK(close(recorded, fused, {.relative = 1e-13, .absolute = 1e-15}));  // sums of three terms
}

TEST_CASE(
    "batch_norm: by the record, an input that its gradient does not need may be overwritten") {
  Tensor x = tensor({{1, 2}, {3, 4}}, {.requires_grad = true});
  Tensor h = x * 2;
  const Tensor y = batch_norm(h, zeros({2}), ones({2}), full({2}, 3), zeros({2}), {.eps = 0});
  h.fill_(0);
  y.sum().backward();
  CHECK(equal(x.grad(), full({2, 2}, 6)));
}
