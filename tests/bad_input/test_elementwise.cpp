// Operands that do not go together.
#include "support/world.h"

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: shapes that do not broadcast, and dtypes that do not mix") {
  static constexpr BadCall calls[] = {
      {"add: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { w.x + zeros({2}); }},
      {"sub: shapes [0, 3] and [2, 3] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { w.none - w.x; }},
      {"mul: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World&) {
         zeros({2, 3}) * zeros({2});
       }},
      {"div: shapes [2, 3] and [4, 2, 3, 3] do not broadcast; dimensions, aligned at the right, "
       "must be equal or 1",
       [](World& w) { w.x / w.images; }},
      {"add: shapes [2, 3] and [3, 4] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { add(w.x, w.turned); }},
      {"maximum: shapes [2, 3] and [4] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { maximum(w.x, zeros({4})); }},
      {"minimum: shapes [4] and [2, 3] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { minimum(zeros({4}), w.x); }},
      {"pow: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { pow(w.x, zeros({2})); }},
      {"==: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { static_cast<void>(w.x == zeros({2})); }},
      {"<=: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { static_cast<void>(w.x <= zeros({2})); }},
      {"where: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { where(w.i, w.x, zeros({2})); }},
      {"where: shapes [4] and [2, 3] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World& w) { where(w.labels, w.x, w.x); }},
      {"allclose: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must "
       "be equal or 1",
       [](World& w) { allclose(w.x, zeros({2})); }},
      {"add: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.x + w.d; }},
      {"mul: dtypes int64 of [2, 3] and float32 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.i* w.x; }},
      {"div: dtypes float64 of [2, 3] and int64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.d / w.i; }},
      {"sub: dtypes float32 of [2, 3] and int64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { sub(w.x, w.i); }},
      {"<: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { static_cast<void>(w.x < w.d); }},
      {"!=: dtypes int64 of [2, 3] and float32 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { static_cast<void>(w.i != w.x); }},
      {"maximum: dtypes float32 of [2, 3] and int64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { maximum(w.x, w.i); }},
      {"minimum: dtypes float64 of [2, 3] and float32 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { minimum(w.d, w.x); }},
      {"pow: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { pow(w.x, w.d); }},
      {"where: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { where(w.i, w.x, w.d); }},
      {"where: the mask [2, 3] is float32; a comparison gives the int64 it wants",
       [](World& w) { where(w.x, w.x, w.x); }},
      {"where: the mask [2, 3] is float64; a comparison gives the int64 it wants",
       [](World& w) { where(w.d, w.x, 1); }},
      {"allclose: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. "
       "with .to(x.dtype())",
       [](World& w) { allclose(w.x, w.d); }},
      {"add: the sizes of [2, 9223372036854775807] multiply to more than 2^63",
       [](World& w) {
         w.scalar.expand({INT64_MAX}) + zeros({2, 1});
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: a number that int64 cannot hold stands beside no int64 tensor") {
  static constexpr BadCall calls[] = {
      {"add: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i + 0.5; }},
      {"sub: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { 0.5 - w.i; }},
      {"mul: nan beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i* NAN; }},
      {"div: 1e+300 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i / 1e300; }},
      {"add: 1.8446744073709552e+19 beside an int64 tensor [2, 3]; convert the tensor with "
       ".to(DType::float32)",
       [](World& w) { w.i + UINT64_MAX; }},
      {"==: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { static_cast<void>(w.i == 0.5); }},
      {">: 2.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { static_cast<void>(2.5 > w.i); }},
      {"maximum: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { maximum(w.i, 0.5); }},
      {"minimum: inf beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { minimum(INFINITY, w.i); }},
      {"pow: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { pow(w.i, 0.5); }},
      {"pow: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { pow(0.5, w.i); }},
      {"pow: int64 [2, 3] to a negative power; use .to(DType::float32)",
       [](World& w) { pow(w.i, -1); }},
      {"pow: int64 [2, 3] to a negative power; use .to(DType::float32)",
       [](World& w) { pow(w.i, INT64_MIN); }},
      {"pow: int64 [2, 3] to a negative power; use .to(DType::float32)",
       [](World& w) { pow(w.i, -w.i); }},
      {"clamp: 2.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { clamp(w.i, 0, 2.5); }},
      {"clamp: -0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { clamp(w.i, -0.5, 1); }},
      {"where: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { where(w.i, w.i, 0.5); }},
      {"where: nan beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { where(w.i, NAN, w.i); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: options and operands that have no meaning") {
  static constexpr BadCall calls[] = {
      {"softplus: beta is 0; it must be finite and positive", [](World& w) { softplus(w.x, 0); }},
      {"softplus: beta is inf; it must be finite and positive",
       [](World& w) { w.x.softplus(HUGE_VAL); }},
      {"remainder: int64 [2, 3] by [2, 3], which has a 0", [](World& w) { remainder(w.i, w.i); }},
      {"&: float32 [2, 3] and float32 [2, 3] are no masks; compare first, or use logical_and() and "
       "its like",
       [](World& w) { w.x& w.x.clone(); }},
  };
  check_bad_calls(calls);
}
