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

TEST_CASE("cat and stack: parts that do not fit, and none, are errors") {
  CHECK_ERROR(cat({x, zeros({2, 2})}),
              "cat: [2, 2] beside [2, 3] along dimension 0: the other dimensions must agree");
  CHECK_ERROR(cat({x, zeros({3})}),
              "cat: [3] beside [2, 3] along dimension 0: the other dimensions must agree");
  CHECK_ERROR(cat({x, zeros({2, 3}, f64)}),
              "cat: dtypes float32 and float64 do not mix; convert one, e.g. with .to(x.dtype())");
  CHECK_ERROR(cat({}), "cat: no tensors");
  CHECK_ERROR(stack({}), "stack: no tensors");
  CHECK_ERROR(stack({x, zeros({2})}), "stack: [2] beside [2, 3]; all shapes must be equal");
  CHECK_ERROR(cat({zeros({0}), x}, 2), "cat: dimension 2 is out of range for rank 2");
  CHECK_ERROR(cat({tensor(1), tensor(2)}), "cat: dimension 0 is out of range for rank 0");
}

TEST_CASE("cat: [0] joins anything, and [0] alone stays [0]") {
  CHECK(equal(cat({zeros({0}), x}), x));
  CHECK(cat({zeros({0}), zeros({0})}).shape() == Shape{0});
}

TEST_CASE("index_select: a scalar is picked once") {
  CHECK_ERROR(index_select(tensor(7), 0, tensor({0, 0}, i64)),
              "index_select: 2 indices into a scalar, which takes 1");
  CHECK_ERROR(index_select(tensor(7), 0, tensor(1, i64)), "gather: index 1 is not in [0, 1)");
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

TEST_CASE("index_select and gather: a bad index is an error that names it") {
  CHECK_ERROR(index_select(x, 1, tensor({0, 3}, i64)), "index_select: index 3 is not in [0, 3)");
  CHECK_ERROR(index_select(x, 1, tensor({-1}, i64)), "index_select: index -1 is not in [0, 3)");
  CHECK_ERROR(index_select(x, 1, tensor({{0}}, i64)),
              "index_select: the index [1, 1] is not of rank 1");
  CHECK_ERROR(index_select(x, 1, tensor({0})),
              "index_select: the index is float32; use .to(DType::int64)");
  CHECK_ERROR(index_select(x, 2, tensor({0}, i64)),
              "index_select: dimension 2 is out of range for rank 2");
  CHECK_ERROR(gather(x, 1, tensor({{3}, {0}}, i64)), "gather: index 3 is not in [0, 3)");
  CHECK_ERROR(
      gather(x, 1, tensor({0}, i64)),
      "gather: index [1] into [2, 3] along 1: the ranks must agree, and the other sizes fit");
  CHECK_ERROR(
      gather(x, 1, zeros({3, 1}, i64)),
      "gather: index [3, 1] into [2, 3] along 1: the ranks must agree, and the other sizes fit");
}

TEST_CASE("one_hot: int64 rows with a 1 at the label") {
  CHECK(equal(one_hot(tensor({2, 0}, i64), 3), tensor({{0, 0, 1}, {1, 0, 0}}, i64)));
  CHECK(one_hot(tensor({{1}}, i64), 2).shape() == Shape{1, 1, 2});
  CHECK(one_hot(zeros({0}, i64), 4).shape() == Shape{0, 4});
  CHECK_ERROR(one_hot(tensor({3}, i64), 3), "one_hot: index 3 is not in [0, 3)");
  CHECK_ERROR(one_hot(tensor({1}), 3), "one_hot: the index is float32; use .to(DType::int64)");
  CHECK_ERROR(one_hot(tensor({0}, i64), -1), "one_hot: -1 classes");
}
