// Tensors that cannot be made.
#include "support/world.h"

#include <cairn/core/random.h>
#include <cairn/nn/init.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no tensor is made of what cannot be one") {
  static constexpr BadCall calls[] = {
      {"tensor: ragged list: an item of shape [1] beside one of shape [2]",
       [](World&) {
         tensor({{1, 2}, {3}});
       }},
      {"tensor: ragged list: an item of shape [1] beside one of shape []",
       [](World&) {
         tensor({1, {2}});
       }},
      {"tensor: ragged list: an item of shape [1] beside one of shape [0]",
       [](World&) {
         tensor({{}, {1}});
       }},
      {"tensor: lists nest at most 4 deep; use from_data() and reshape()",
       [](World&) { tensor({{{{{1}}}}}); }},
      {"tensor: 2.5 is no int64; give a whole number, or a floating dtype",
       [](World&) {
         tensor({1, 2.5}, i64);
       }},
      {"tensor: nan is no int64; give a whole number, or a floating dtype",
       [](World&) { tensor(NAN, i64); }},
      {"tensor: -inf is no int64; give a whole number, or a floating dtype",
       [](World&) { tensor(-INFINITY, i64); }},
      {"tensor: 1e+300 is no int64; give a whole number, or a floating dtype",
       [](World&) { tensor(1e300, i64); }},
      {"tensor: 1.8446744073709552e+19 is no int64; give a whole number, or a floating dtype",
       [](World&) { tensor(UINT64_MAX, i64); }},
      {"requires_grad_: int64 [2] cannot take a gradient, only float32 and float64 can; use .to()",
       [](World&) {
         tensor({1, 2}, {.dtype = DType::int64, .requires_grad = true});
       }},
      {"zeros: negative dimension in [2, -1]",
       [](World&) {
         zeros({2, -1});
       }},
      {"ones: negative dimension in [-9223372036854775808]", [](World&) { ones({INT64_MIN}); }},
      {"empty: the sizes of [9223372036854775807, 2] multiply to more than 2^63",
       [](World&) {
         empty({INT64_MAX, 2});
       }},
      {"empty: the sizes of [4611686018427387904, 8, 0] multiply to more than 2^63",
       [](World&) {
         empty({int64_t{1} << 62, 8, 0});
       }},
      {"empty: [2305843009213693952, 3] float64 takes more than 2^63 bytes",
       [](World&) {
         empty({int64_t{1} << 61, 3}, f64);
       }},
      {"full: [9223372036854775807] float32 takes more than 2^63 bytes",
       [](World&) { full({INT64_MAX}, 1); }},
      {"shape: more than 8 dimensions are not supported",
       [](World&) {
         zeros({1, 1, 1, 1, 1, 1, 1, 1, 1});
       }},
      {"requires_grad_: int64 [2] cannot take a gradient, only float32 and float64 can; use .to()",
       [](World&) { zeros({2}, {.dtype = DType::int64, .requires_grad = true}); }},
      {"full: 2.5 is no int64; give a whole number, or a floating dtype",
       [](World&) { full({2}, 2.5, i64); }},
      {"full: 1.8446744073709552e+19 is no int64; give a whole number, or a floating dtype",
       [](World&) { full({2}, UINT64_MAX, i64); }},
      {"full_like: 0.5 is no int64; give a whole number, or a floating dtype",
       [](World& w) { full_like(w.i, 0.5); }},
      {"eye: negative dimension in [-1, -1]", [](World&) { eye(-1); }},
      {"eye: the sizes of [9223372036854775807, 9223372036854775807] multiply to more than 2^63",
       [](World&) { eye(INT64_MAX); }},
      {"from_data: 4 values for the shape [3], which takes 3",
       [](World&) {
         from_data(std::vector<float>{1, 2, 3, 4}, {3});
       }},
      {"from_data: 0 values for the shape [2, 3], which takes 6",
       [](World&) {
         from_data(std::vector<int64_t>{}, {2, 3});
       }},
      {"from_data: negative dimension in [-1]",
       [](World&) { from_data(std::vector<double>{1}, {-1}); }},
      {"from_data: the sizes of [9223372036854775807, 9223372036854775807] multiply to more than "
       "2^63",
       [](World&) {
         from_data(std::vector<double>{1}, {INT64_MAX, INT64_MAX});
       }},
      {"from_blob: a null pointer for the shape [2]; give memory for 2 values",
       [](World&) { from_blob<float>(nullptr, {2}); }},
      {"from_blob: negative dimension in [1, -1]",
       [](World&) {
         double value = 1;
         from_blob(&value, {1, -1});
       }},
      {"from_blob: the sizes of [9223372036854775807, 4] multiply to more than 2^63",
       [](World&) {
         double value = 1;
         from_blob(&value, {INT64_MAX, 4});
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no sequence is made that leads nowhere or has no end") {
  static constexpr BadCall calls[] = {
      {"arange: from 0 to 1 in steps of -1; the step must lead from begin to end",
       [](World&) { arange(0, 1, -1); }},
      {"arange: from 0 to 1 in steps of 0; the step must lead from begin to end",
       [](World&) { arange(0, 1, 0); }},
      {"arange: from 1 to 0 in steps of 1; the step must lead from begin to end",
       [](World&) { arange(1, 0); }},
      {"arange: from 0 to nan in steps of 1; all three must be finite",
       [](World&) { arange(NAN); }},
      {"arange: from 0 to inf in steps of 1; all three must be finite",
       [](World&) { arange(0, INFINITY); }},
      {"arange: from 0 to 1 in steps of nan; all three must be finite",
       [](World&) { arange(0, 1, -NAN); }},
      {"arange: from -1e+308 to 1e+308 in steps of 1e-300: more than 2^63 values",
       [](World&) { arange(-1e308, 1e308, 1e-300); }},
      {"arange: from -1e+308 to 1e+308 in steps of 1: more than 2^63 values",
       [](World&) { arange(-1e308, 1e308); }},
      {"arange: cannot allocate 4000000000000000064 bytes (3725290298.5 GiB)",
       [](World&) { arange(1e18); }},
      {"arange: from 0 to -3 in steps of 1; the step must lead from begin to end",
       [](World&) { arange(-3, i64); }},
      {"arange: from 0 to 5 in steps of 0; the step must lead from begin to end",
       [](World&) { arange(0, 5, 0, i64); }},
      {"arange: from 0 to 5.5 in steps of 1 for an int64 tensor; give whole numbers, or a floating "
       "dtype",
       [](World&) { arange(5.5, i64); }},
      {"arange: from -9223372036854775808 to 9223372036854775807 in steps of 1: more than 2^63 "
       "values",
       [](World&) { arange(INT64_MIN, INT64_MAX, 1, i64); }},
      {"arange: from 0 to -9223372036854775808 in steps of -1: more than 2^63 values",
       [](World&) { arange(0, INT64_MIN, -1, i64); }},
      {"arange: [9223372036854775807] int64 takes more than 2^63 bytes",
       [](World&) { arange(INT64_MAX, i64); }},
      {"linspace: -1 values; the number must not be negative", [](World&) { linspace(0, 1, -1); }},
      {"linspace: -9223372036854775808 values; the number must not be negative",
       [](World&) { linspace(0, 1, INT64_MIN); }},
      {"linspace: [9223372036854775807] float32 takes more than 2^63 bytes",
       [](World&) { linspace(0, 1, INT64_MAX); }},
      {"randperm: -3 numbers; the number must not be negative", [](World&) { randperm(-3); }},
      {"randperm: [9223372036854775807] int64 takes more than 2^63 bytes",
       [](World&) { randperm(INT64_MAX); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: memory that cannot be had names the op and the bytes") {
  static constexpr BadCall calls[] = {
      {"zeros: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) { zeros({int64_t{1} << 50}); }},
      {"ones_like: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World& w) { ones_like(w.scalar.expand({int64_t{1} << 50})); }},
      {"clone: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World& w) { w.scalar.expand({int64_t{1} << 50}).clone(); }},
      {"add: cannot allocate 18014398509482048 bytes (16777216.0 GiB)",
       [](World& w) { w.scalar.expand({int64_t{1} << 52}) + 1; }},
      {"to: cannot allocate 36028797018964032 bytes (33554432.0 GiB)",
       [](World& w) { w.scalar.expand({int64_t{1} << 52}).to(DType::float64); }},
      {"arange: cannot allocate 4000000000000064 bytes (3725290.3 GiB)",
       [](World&) { arange(1e15); }},
      {"linspace: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) { linspace(0, 1, int64_t{1} << 50); }},
      {"one_hot: cannot allocate 36028797018964032 bytes (33554432.0 GiB)",
       [](World& w) { one_hot(w.labels, int64_t{1} << 50); }},
      {"rand: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) { rand({int64_t{1} << 50}); }},
      {"randint: cannot allocate 9007199254741056 bytes (8388608.0 GiB)",
       [](World&) { randint(0, 2, {int64_t{1} << 50}); }},
      {"empty: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) { nn::Linear(1, int64_t{1} << 50); }},
      {"ones: cannot allocate 4503599627370560 bytes (4194304.0 GiB)",
       [](World&) { nn::BatchNorm1d(int64_t{1} << 50); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: strides that do not fit a shape") {
  static constexpr BadCall calls[] = {
      {"from_blob: strides [1] for the shape [2, 2]; give one for each dimension",
       [](World&) {
         float v[4] = {};
         from_blob(v, {2, 2}, {.strides = {1}});
       }},
      {"from_blob: strides [-1] for the shape [2]; none may be negative",
       [](World&) {
         float v[4] = {};
         from_blob(v, {2}, {.strides = {-1}});
       }},
  };
  check_bad_calls(calls);
}
