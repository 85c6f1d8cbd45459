// Numbers that cannot be drawn: the generator stays where it was.
#include "support/world.h"

#include <cairn/core/random.h>
#include <cairn/nn/init.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: nothing is drawn that cannot be") {
  static constexpr BadCall calls[] = {
      {"rand: int64 [2] cannot hold fractions; make it float32 or float64",
       [](World&) { rand({2}, i64); }},
      {"randn: int64 [2] cannot hold fractions; make it float32 or float64",
       [](World&) { randn({2}, i64); }},
      {"rand_like: int64 [2, 3] cannot hold fractions; make it float32 or float64",
       [](World& w) { rand_like(w.i); }},
      {"randn_like: int64 [2, 3] cannot hold fractions; make it float32 or float64",
       [](World& w) { randn_like(w.i); }},
      {"rand: negative dimension in [-2]", [](World&) { rand({-2}); }},
      {"rand: the sizes of [2305843009213693952, 16] multiply to more than 2^63",
       [](World&) {
         rand({int64_t{1} << 61, 16});
       }},
      {"rand: int64 [2] cannot hold fractions; make it float32 or float64",
       [](World&) { rand({2}, {.dtype = DType::int64, .requires_grad = true}); }},
      {"randint: there is nothing in [3, 3); low must be less than high",
       [](World&) { randint(3, 3, {1}); }},
      {"randint: there is nothing in [9223372036854775807, -9223372036854775808); low must be less "
       "than high",
       [](World&) { randint(INT64_MAX, INT64_MIN, {1}); }},
      {"randint: negative dimension in [-1]", [](World&) { randint(0, 2, {-1}); }},
      {"randint: the sizes of [9223372036854775807, 9223372036854775807] multiply to more than "
       "2^63",
       [](World&) {
         randint(INT64_MIN, INT64_MAX, {INT64_MAX, INT64_MAX});
       }},
      {"fill_uniform: [1, 0) is no range of finite numbers",
       [](World& w) { default_generator().fill_uniform(w.x, 1, 0); }},
      {"fill_uniform: [nan, 1) is no range of finite numbers",
       [](World& w) { default_generator().fill_uniform(w.x, -NAN, 1); }},
      {"fill_uniform: [-1e+308, 1e+308) is no range of finite numbers",
       [](World& w) { default_generator().fill_uniform(w.x, -1e308, 1e308); }},
      {"fill_uniform: int64 [2, 3] cannot hold fractions; make it float32 or float64",
       [](World& w) { default_generator().fill_uniform(w.i, 0, 1); }},
      {"fill_uniform: [3, 4] is not contiguous; fill a new tensor and copy_() it",
       [](World& w) { default_generator().fill_uniform(w.turned, 0, 1); }},
      {"fill_uniform: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { default_generator().fill_uniform(w.leaf, 0, 1); }},
      {"fill_normal: [2, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) { default_generator().fill_normal(w.wide); }},
      {"fill_normal: [2, 3] is in a graph, which cannot see what is written; use NoGrad",
       [](World& w) { default_generator().fill_normal(w.each); }},
      {"fill_normal: int64 [2, 3] cannot hold fractions; make it float32 or float64",
       [](World& w) { default_generator().fill_normal(w.i); }},
      {"fill_integers: there is nothing in [2, 2); low must be less than high",
       [](World& w) { default_generator().fill_integers(w.i, 2, 2); }},
      {"fill_integers: the tensor [2, 3] is float32, not int64",
       [](World& w) { default_generator().fill_integers(w.x, 0, 2); }},
      {"fill_permutation: the tensor [2, 3] is float32, not int64",
       [](World& w) { default_generator().fill_permutation(w.x); }},
      {"fill_integers: [3, 2] is not contiguous; fill a new tensor and copy_() it",
       [](World& w) {
         Tensor turned = w.i.transpose(0, 1);
         default_generator().fill_integers(turned, 0, 2);
       }},
      {"fill_normal: [4] is a buffer, which is written by its owner, by copy_() on the "
       "buffer and by loading",
       [](World& w) {
         Tensor mean = w.norm.running_mean;
         default_generator().fill_normal(mean);
       }},
      {"set_state: [3] int64 is no state of a generator; give what state() gave",
       [](World&) { default_generator().set_state(zeros({3}, i64)); }},
      {"set_state: [625] float32 is no state of a generator; give what state() gave",
       [](World&) { default_generator().set_state(zeros({625})); }},
      {"set_state: [627] int64 is no state of a generator; give what state() gave",
       [](World&) { default_generator().set_state(full_like(default_generator().state(), -1)); }},
      {"set_state: [627] int64 is no state of a generator; give what state() gave",
       [](World&) { default_generator().set_state(full_like(default_generator().state(), 625)); }},
      {"set_state: [627] int64 is no state of a generator; give what state() gave",
       [](World&) {
         Tensor state = default_generator().state();
         state.slice(0, 0, 1).fill_(INT64_MAX);
         default_generator().set_state(state);
       }},
      {"fill_uniform: [1, -1) is no range of finite numbers",
       [](World& w) { nn::init::uniform_(w.x, -1); }},
      {"fill_uniform: [-inf, inf) is no range of finite numbers",
       [](World& w) { nn::init::uniform_(w.x, INFINITY); }},
      {"fill_uniform: int64 [2, 3] cannot hold fractions; make it float32 or float64",
       [](World& w) { nn::init::uniform_(w.i, 1); }},
      {"kaiming_uniform_: a weight is (out, in, *), got [4]",
       [](World&) { nn::init::kaiming_uniform_(zeros({4})); }},
      {"kaiming_uniform_: the tensor is undefined (default-constructed or moved from); assign one "
       "first",
       [](World& w) { nn::init::kaiming_uniform_(w.moved_from_tensor); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no probability") {
  static constexpr BadCall calls[] = {
      {"bernoulli: [2, 3] has a value that is no probability; give 0 to 1",
       [](World& w) { bernoulli(w.x); }},
  };
  check_bad_calls(calls);
}
