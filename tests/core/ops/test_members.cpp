// Members of Tensor that are ops: each gives what the function of its name gives.
#include "support/approx.h"

#include <cairn/core/ops.h>

using namespace cairn;
using test::equal;

TEST_CASE("members: each says what the function of its name says") {
  const Tensor x = tensor({{0.5, 2, 0.25}, {3, 1, 1.5}});
  const Tensor p = tensor({2, -1, 0.5});
  CHECK(equal(x.sum(), sum(x)));
  CHECK(equal(x.sum({1}, true), sum(x, {1}, true)));
  CHECK(equal(x.mean(), mean(x)));
  CHECK(equal(x.mean({0}, true), mean(x, {0}, true)));
  CHECK(equal(x.var(), var(x)));
  CHECK(equal(x.var({1}, {.correction = 0}), var(x, {1}, {.correction = 0})));
  CHECK(equal(x.amax({0}, true), amax(x, {0}, true)));
  CHECK(equal(x.amin({1}), amin(x, {1})));
  CHECK(equal(x.argmax(1, true), argmax(x, 1, true)));
  CHECK(equal(x.matmul(p), matmul(x, p)));
  CHECK(equal(x.exp(), exp(x)));
  CHECK(equal(x.log(), log(x)));
  CHECK(equal(x.sqrt(), sqrt(x)));
  CHECK(equal((-x).abs(), abs(-x)));
  CHECK(equal((-x).sign(), sign(-x)));
  CHECK(equal(x.square(), square(x)));
  CHECK(equal(x.pow(3), pow(x, 3)));
  CHECK(equal(x.pow(p), pow(x, p)));
  CHECK(equal(x.sin(), sin(x)));
  CHECK(equal(x.cos(), cos(x)));
  CHECK(equal(x.tanh(), tanh(x)));
  CHECK(equal(x.sigmoid(), sigmoid(x)));
  CHECK(equal((x - 1).relu(), relu(x - 1)));
  CHECK(equal(x.clamp(0.5, 2), clamp(x, 0.5, 2)));
  CHECK(equal(x.softmax(0), softmax(x, 0)));
  CHECK(equal(x.log_softmax(1), log_softmax(x, 1)));
}
