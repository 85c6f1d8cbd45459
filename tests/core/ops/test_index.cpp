// Joining tensors and picking values by index.
#include "support/approx.h"

#include <cairn/core/autograd.h>

using namespace cairn;
using namespace cairn::test;

namespace {
const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
}

TEST_CASE("cat and stack: along any dimension, views and empty parts included") {
  CHECK(equal(cat({x, x.slice(0, 0, 1)}), tensor({{1, 2, 3}, {4, 5, 6}, {1, 2, 3}})));
  CHECK(
      equal(cat({x.t(), tensor({{7}, {8}, {9}})}, -1), tensor({{1, 4, 7}, {2, 5, 8}, {3, 6, 9}})));
  CHECK(equal(cat({zeros({0, 3}), x}), x));
  CHECK(equal(stack({x[0], x[1]}, 1), x.t()));
  CHECK(equal(stack({tensor(1), tensor(2)}), tensor({1, 2})));
  CHECK(stack({x, x}, -1).shape() == Shape{2, 3, 2});
  CHECK(cat({tensor({1}, i64), tensor({2}, i64)}).dtype() == DType::int64);
}

TEST_CASE("cat: [0] joins anything, and [0] alone stays [0]") {
  CHECK(equal(cat({zeros({0}), x}), x));
  CHECK(cat({zeros({0}), zeros({0})}).shape() == Shape{0});
}

TEST_CASE("index_select and gather: pick by int64 indices, repeats included") {
  CHECK(equal(index_select(x, 1, tensor({2, 0, 2}, i64)), tensor({{3, 1, 3}, {6, 4, 6}})));
  CHECK(index_select(x, 0, zeros({0}, i64)).shape() == Shape{0, 3});
  CHECK(equal(gather(x, 1, tensor({{2}, {0}}, i64)), tensor({{3}, {4}})));
  CHECK(equal(gather(x, 0, tensor({{1, 0}}, i64)), tensor({{4, 2}})));
  CHECK(equal(gather(x.t(), 0, tensor({{2, 1}}, i64)), tensor({{3, 5}})));
}

TEST_CASE("index_select and gather: what is picked twice gets both gradients") {
  const Tensor y = tensor({1, 2, 3}, {.requires_grad = true});
  sum(index_select(y, 0, tensor({1, 1, 2}, i64)) * tensor({1, 10, 100})).backward();
  CHECK(equal(y.grad(), tensor({0, 11, 100})));
}

TEST_CASE("one_hot: int64 rows with a 1 at the label") {
  CHECK(equal(one_hot(tensor({2, 0}, i64), 3), tensor({{0, 0, 1}, {1, 0, 0}}, i64)));
  CHECK(one_hot(tensor({{1}}, i64), 2).shape() == Shape{1, 1, 2});
  CHECK(one_hot(zeros({0}, i64), 4).shape() == Shape{0, 4});
}
