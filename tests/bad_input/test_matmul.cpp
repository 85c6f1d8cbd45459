// Matrices that cannot be multiplied.
#include "support/world.h"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no product is formed of what does not fit") {
  static constexpr BadCall calls[] = {
      {"matmul: [2, 3] times [2, 3]: 3 columns on the left, 2 rows on the right",
       [](World& w) { matmul(w.x, w.x); }},
      {"matmul: [3] times [2, 3]: 3 columns on the left, 2 rows on the right",
       [](World& w) { matmul(zeros({3}), w.x); }},
      {"matmul: [2, 3] times [2]: 3 columns on the left, 2 rows on the right",
       [](World& w) { matmul(w.x, zeros({2})); }},
      {"matmul: [2, 3] times []: a scalar is no matrix; multiply with *",
       [](World& w) { matmul(w.x, w.scalar); }},
      {"matmul: [] times []: a scalar is no matrix; multiply with *",
       [](World& w) { matmul(w.scalar, w.scalar); }},
      {"matmul: [3] times [2]: 3 columns on the left, 2 rows on the right",
       [](World&) { matmul(zeros({3}), zeros({2})); }},
      {"matmul: shapes [2] and [5] do not broadcast; dimensions, aligned at the right, must be "
       "equal or 1",
       [](World&) {
         matmul(zeros({2, 3, 4}), zeros({5, 4, 6}));
       }},
      {"matmul: dtypes float32 of [2, 3] and float64 of [3, 2] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { matmul(w.x, w.d.t()); }},
      {"matmul: dtypes int64 of [2, 3] and float32 of [3, 2] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { matmul(w.i, w.x.t()); }},
      {"matmul: the sizes of [1099511627776, 1099511627776] multiply to more than 2^63",
       [](World&) {
         matmul(zeros({int64_t{1} << 40, 0}), zeros({0, int64_t{1} << 40}));
       }},
      {"matmul: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) {
         matmul(zeros({int64_t{1} << 50, 0}), zeros({0, 1}));
       }},
      {"linear: input [4, 7] has 7 features, weight [5, 10] (out, in) expects 10",
       [](World&) {
         linear(zeros({4, 7}), zeros({5, 10}));
       }},
      {"linear: the input is a scalar, weight [5, 10] (out, in) expects 10 features",
       [](World& w) {
         linear(w.scalar, zeros({5, 10}));
       }},
      {"linear: weight [3]; expected (out, in)", [](World& w) { linear(w.x, zeros({3})); }},
      {"linear: weight [1, 2, 3]; expected (out, in)",
       [](World& w) {
         linear(w.x, zeros({1, 2, 3}));
       }},
      {"linear: bias [4], weight [2, 3] (out, in) expects [2]",
       [](World& w) { linear(w.x, w.x, zeros({4})); }},
      {"linear: bias [2, 1], weight [2, 3] (out, in) expects [2]",
       [](World& w) {
         linear(w.x, w.x, zeros({2, 1}));
       }},
      {"linear: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { linear(w.i, w.i); }},
      {"linear: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { linear(w.x, w.d); }},
      {"linear: dtypes float32 of [2, 3] and float64 of [2] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { linear(w.x, w.x, zeros({2}, f64)); }},
      {"linear: dtypes float32 of [2, 3] and int64 of [2] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { linear(w.x, w.x, zeros({2}, i64)); }},
      {"linear: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) {
         linear(zeros({int64_t{1} << 50, 0}), zeros({1, 0}));
       }},
  };
  check_bad_calls(calls);
}
