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
  CHECK(equal(x.argmin(1), argmin(x, 1)));
  CHECK(equal(x.std({1}), sqrt(var(x, {1}))));
  CHECK(equal(x.prod({1}), prod(x, {1})));
  CHECK(equal(x.norm(1, {0}), norm(x, 1, {0})));
  CHECK(equal(x.logsumexp({0}), logsumexp(x, {0})));
  CHECK(equal(x.cumsum(1), cumsum(x, 1)));
  CHECK(equal(x.add(p), x + p));
  CHECK(equal(x.add(2), x + 2));
  CHECK(equal(x.sub(p), x - p));
  CHECK(equal(x.sub(2), x - 2));
  CHECK(equal(x.mul(p), x * p));
  CHECK(equal(x.mul(2), x * 2));
  CHECK(equal(x.div(p), x / p));
  CHECK(equal(x.div(2), x / 2));
  CHECK(equal(x.remainder(p), x % p));
  CHECK(equal(x.remainder(2), x % 2));
  CHECK(equal(x.maximum(p), maximum(x, p)));
  CHECK(equal(x.maximum(1), maximum(x, 1)));
  CHECK(equal(x.minimum(p), minimum(x, p)));
  CHECK(equal(x.minimum(1), minimum(x, 1)));
  CHECK(equal(x.logical_and(p), logical_and(x, p)));
  CHECK(equal(x.logical_or(p), logical_or(x, p)));
  CHECK(equal(x.logical_xor(p), logical_xor(x, p)));
  CHECK(equal(x.logical_not(), logical_not(x)));
  CHECK(equal(x.isnan(), isnan(x)));
  CHECK(equal(x.isinf(), isinf(x)));
  CHECK(equal(x.isfinite(), isfinite(x)));
  CHECK(equal(x.neg(), -x));
  CHECK(equal(x.expm1(), expm1(x)));
  CHECK(equal(x.log1p(), log1p(x)));
  CHECK(equal(x.rsqrt(), rsqrt(x)));
  CHECK(equal(x.reciprocal(), reciprocal(x)));
  CHECK(equal(x.floor(), floor(x)));
  CHECK(equal(x.erf(), erf(x)));
  CHECK(equal((x - 1).leaky_relu(0.2), leaky_relu(x - 1, 0.2)));
  CHECK(equal(x.gelu(), gelu(x)));
  CHECK(equal(x.silu(), silu(x)));
  CHECK(equal(x.softplus(2, 1), softplus(x, 2, 1)));
  const Tensor at = tensor({1, 0}, {.dtype = DType::int64});
  CHECK(equal(x.index_select(1, at), index_select(x, 1, at)));
  CHECK(equal(x.gather(1, at.reshape({2, 1})), gather(x, 1, at.reshape({2, 1}))));
  CHECK(equal(x.chunk(2, 1)[1], chunk(x, 2, 1)[1]));
}
