// What cannot be joined, and picks that reach outside.
#include "support/world.h"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: tensors that do not fit are not joined") {
  static constexpr BadCall calls[] = {
      {"cat: there are no tensors; give at least one", [](World&) { cat({}); }},
      {"stack: there are no tensors; give at least one", [](World&) { stack({}); }},
      {"cat: [2, 2] beside [2, 3] along dimension 0: the other dimensions must agree",
       [](World& w) {
         cat({w.x, zeros({2, 2})});
       }},
      {"cat: [3] beside [2, 3] along dimension 0: the other dimensions must agree",
       [](World& w) {
         cat({w.x, zeros({3})});
       }},
      {"cat: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) {
         cat({zeros({0}), w.x}, 2);
       }},
      {"cat: [3, 3] beside [2, 3] along dimension 1: the other dimensions must agree",
       [](World& w) {
         cat({w.x, zeros({3, 3})}, 1);
       }},
      {"cat: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) {
         cat({w.x, w.d});
       }},
      {"cat: a scalar has no dimension 0, nor any other",
       [](World& w) {
         cat({w.scalar, w.scalar});
       }},
      {"cat: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) {
         cat({w.x, w.x}, 2);
       }},
      {"cat: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) {
         cat({w.x, w.x}, INT64_MIN);
       }},
      {"cat: tensor 1 is undefined (default-constructed or moved from)",
       [](World& w) {
         cat({w.x, Tensor()});
       }},
      {"cat: [9223372036854775807] beside [9223372036854775807] along dimension 0: they are longer "
       "than 2^63",
       [](World& w) {
         cat({w.scalar.expand({INT64_MAX}), w.scalar.expand({INT64_MAX})});
       }},
      {"stack: [3, 4] beside [2, 3]; all shapes must be equal",
       [](World& w) {
         stack({w.x, w.turned});
       }},
      {"stack: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) {
         stack({w.x, w.d});
       }},
      {"stack: [2, 3] has no place 3 for a new dimension; give one from -3 to 2",
       [](World& w) {
         stack({w.x, w.x}, 3);
       }},
      {"stack: [2, 3] has no place -9223372036854775808 for a new dimension; give one from -3 to 2",
       [](World& w) {
         stack({w.x, w.x}, INT64_MIN);
       }},
      {"stack: tensor 0 is undefined (default-constructed or moved from)",
       [](World& w) {
         stack({w.moved_from_tensor, w.x});
       }},
      {"stack: [1, 1, 1, 1, 1, 1, 1, 2] has 8 dimensions already, which is the most there can be",
       [](World& w) {
         stack({w.deep, w.deep});
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: nothing is picked that is not there") {
  static constexpr BadCall calls[] = {
      {"index_select: index 3 is out of range; there are 3, counted from 0",
       [](World& w) {
         index_select(w.x, 1, tensor({0, 3}, i64));
       }},
      {"index_select: index -1 is out of range; there are 3, counted from 0",
       [](World& w) { index_select(w.x, 1, tensor({-1}, i64)); }},
      {"index_select: index -9223372036854775808 is out of range; there are 2, counted from 0",
       [](World& w) {
         index_select(w.x, 0, tensor({INT64_MIN, INT64_MAX}, i64));
       }},
      {"index_select: index 0 is out of range; there are 0, counted from 0",
       [](World& w) { index_select(w.none, 0, tensor({0}, i64)); }},
      {"index_select: index [2, 3] for [2, 3]; it must have rank 1",
       [](World& w) { index_select(w.x, 1, w.i); }},
      {"index_select: the index tensor [1] is float32; use .to(DType::int64)",
       [](World& w) { index_select(w.x, 1, tensor({0})); }},
      {"index_select: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { index_select(w.x, 2, w.labels); }},
      {"index_select: 2 indices into a scalar, which takes 1",
       [](World& w) { index_select(w.scalar, 0, zeros({2}, i64)); }},
      {"index_select: index 1 is out of range; there are 1, counted from 0",
       [](World& w) { index_select(w.scalar, 0, tensor(1, i64)); }},
      {"index_select: the index tensor [] is float32; use .to(DType::int64)",
       [](World& w) { index_select(w.scalar, 0, zeros({})); }},
      {"index_select: a scalar has no dimension 1; give 0 or -1",
       [](World& w) { index_select(w.scalar, 1, zeros({1}, i64)); }},
      {"gather: index 2 is out of range; there are 2, counted from 0",
       [](World& w) { gather(w.x, 0, w.i); }},
      {"gather: index -9223372036854775808 is out of range; there are 3, counted from 0",
       [](World& w) {
         gather(w.x, 1, tensor({{INT64_MIN}, {0}}, i64));
       }},
      {"gather: index [4] for [2, 3] along dimension 1: it must have as many dimensions, and be no "
       "larger along the others",
       [](World& w) { gather(w.x, 1, w.labels); }},
      {"gather: index [3, 1] for [2, 3] along dimension 1: it must have as many dimensions, and be "
       "no larger along the others",
       [](World& w) {
         gather(w.x, 1, zeros({3, 1}, i64));
       }},
      {"gather: the index tensor [2, 3] is float64; use .to(DType::int64)",
       [](World& w) { gather(w.x, 1, w.d); }},
      {"gather: [2, 3] has no dimension -3; give one from -2 to 1",
       [](World& w) { gather(w.x, -3, w.i); }},
      {"gather: index 1 is out of range; there are 1, counted from 0",
       [](World& w) { gather(w.scalar, 0, w.labels); }},
      {"gather: a scalar has no dimension 1; give 0 or -1",
       [](World& w) { gather(w.scalar, 1, zeros({}, i64)); }},
      {"one_hot: label 3 is out of range; there are 3, counted from 0",
       [](World&) { one_hot(tensor({3}, i64), 3); }},
      {"one_hot: label -1 is out of range; there are 3, counted from 0",
       [](World&) { one_hot(tensor({-1}, i64), 3); }},
      {"one_hot: label 1 is out of range; there are 0, counted from 0",
       [](World& w) { one_hot(w.labels, 0); }},
      {"one_hot: the label tensor [2, 3] is float32; use .to(DType::int64)",
       [](World& w) { one_hot(w.x, 3); }},
      {"one_hot: -1 classes for labels [4]; the number must not be negative",
       [](World& w) { one_hot(w.labels, -1); }},
      {"one_hot: the sizes of [4, 9223372036854775807] multiply to more than 2^63",
       [](World& w) { one_hot(w.labels, INT64_MAX); }},
      {"one_hot: [1, 1, 1, 1, 1, 1, 1, 1] has 8 dimensions already, which is the most there can be",
       [](World&) {
         one_hot(zeros({1, 1, 1, 1, 1, 1, 1, 1}, i64), 2);
       }},
  };
  check_bad_calls(calls);
}
