// Batch normalisation: a forward that fails has not happened.
#include "support/world.h"

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no layer is made of what cannot be") {
  static constexpr BadCall calls[] = {
      {"BatchNorm1d: num_features is -1; it must not be negative",
       [](World&) { nn::BatchNorm1d(-1); }},
      {"BatchNorm1d: num_features is -9223372036854775808; it must not be negative",
       [](World&) { nn::BatchNorm1d(INT64_MIN); }},
      {"BatchNorm2d: eps is -1e-05; it must be finite and not negative",
       [](World&) { nn::BatchNorm2d(2, {.eps = -1e-5}); }},
      {"BatchNorm3d: eps is nan; it must be finite and not negative",
       [](World&) { nn::BatchNorm3d(2, {.eps = -NAN}); }},
      {"BatchNorm1d: eps is inf; it must be finite and not negative",
       [](World&) { nn::BatchNorm1d(2, {.eps = INFINITY}); }},
      {"BatchNorm1d: momentum is 1.5; it must be in [0, 1]",
       [](World&) { nn::BatchNorm1d(2, {.momentum = 1.5}); }},
      {"BatchNorm1d: momentum is -0.1; it must be in [0, 1]",
       [](World&) { nn::BatchNorm1d(2, {.momentum = -0.1}); }},
      {"BatchNorm1d: momentum is nan; it must be in [0, 1]",
       [](World&) { nn::BatchNorm1d(2, {.momentum = -NAN}); }},
      {"BatchNorm1d: momentum is inf; it must be in [0, 1]",
       [](World&) { nn::BatchNorm1d(2, {.momentum = INFINITY}); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no forward that fails moves the record") {
  static constexpr BadCall calls[] = {
      {"BatchNorm1d '0': expected input (N, C) or (N, C, L), got rank 1 [4]",
       [](World& w) { w.norm(zeros({4})); }},
      {"BatchNorm1d '0': expected input (N, C) or (N, C, L), got rank 4 [4, 4, 2, 2]",
       [](World& w) {
         w.norm(zeros({4, 4, 2, 2}));
       }},
      {"BatchNorm2d: expected input (N, C, H, W), got rank 2 [4, 2]",
       [](World&) {
         nn::BatchNorm2d(2)(zeros({4, 2}));
       }},
      {"BatchNorm3d: expected input (N, C, D, H, W), got rank 4 [4, 2, 3, 3]",
       [](World& w) { nn::BatchNorm3d(2)(w.images); }},
      {"BatchNorm1d '0': input [4, 5] has 5 channels, the layer 4",
       [](World& w) {
         w.norm(zeros({4, 5}));
       }},
      {"BatchNorm1d '0': input [0, 5] has 5 channels, the layer 4",
       [](World& w) {
         w.norm(zeros({0, 5}));
       }},
      {"BatchNorm1d: input [0, 5] has 5 channels, the layer 3",
       [](World& w) {
         w.bare(zeros({0, 5}));
       }},
      {"BatchNorm1d: input [4, 2] has 2 channels, the layer 3",
       [](World&) {
         nn::BatchNorm1d(3, {.affine = false, .track_running_stats = false})(zeros({4, 2}));
       }},
      {"BatchNorm1d '0': training needs more than 1 value per channel, got input [1, 4]; use "
       "eval(), a larger batch, or StatsMode::frozen",
       [](World& w) {
         w.norm(zeros({1, 4}));
       }},
      {"BatchNorm1d '0': training needs more than 1 value per channel, got input [1, 4, 1]; use "
       "eval(), a larger batch, or StatsMode::frozen",
       [](World& w) {
         w.norm(zeros({1, 4, 1}));
       }},
      {"BatchNorm1d: without a record the batch normalises, in eval() too, and needs more than 1 "
       "value per channel, got input [1, 3]; use a larger batch, or track_running_stats(true) and "
       "eval()",
       [](World& w) {
         w.bare(zeros({1, 3}));
       }},
      {"BatchNorm1d: without a record the batch normalises, in eval() too, and needs more than 1 "
       "value per channel, got input [1, 3]; use a larger batch, or track_running_stats(true) and "
       "eval()",
       [](World&) {
         nn::BatchNorm1d bn(3, {.track_running_stats = false});
         bn.eval();
         bn(zeros({1, 3}));
       }},
      {"BatchNorm1d '0': dtypes float64 of the input and float32 of the record do not mix; use "
       ".to(float32)",
       [](World& w) {
         w.norm(zeros({4, 4}, f64));
       }},
      {"BatchNorm1d '0': dtypes int64 of the input and float32 of the record do not mix; use "
       ".to(float32)",
       [](World& w) {
         w.norm(zeros({4, 4}, i64));
       }},
      {"BatchNorm1d: dtypes float32 of weight [4] and float64 of the input [4, 4] do not mix; "
       "convert one, e.g. with .to(x.dtype())",
       [](World&) {
         nn::BatchNorm1d bn(4);
         bn.eval();
         bn(zeros({4, 4}, f64));
       }},
      {"BatchNorm1d '0': the tensor is undefined (default-constructed or moved from); assign one "
       "first",
       [](World& w) { w.norm(w.moved_from_tensor); }},
      {"BatchNorm1d: the batch has mean nan and variance nan at channel 0; look for what is not "
       "finite in its input",
       [](World&) {
         nn::BatchNorm1d(1, {.check_finite = true})(tensor({{1}, {NAN}}));
       }},
      {"BatchNorm1d: the batch has mean inf and variance nan at channel 0; look for what is not "
       "finite in its input",
       [](World&) {
         nn::BatchNorm1d(1, {.check_finite = true})(tensor({{1}, {INFINITY}}));
       }},
      {"BatchNorm1d: the batch has mean 0 and variance 1.0000000300949327e+60 at channel 0, too "
       "large for a record of float32; scale its input down, or use .to(float64)",
       [](World&) {
         nn::BatchNorm1d(1, {.check_finite = true})(tensor({{-1e30}, {1e30}}));
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no record is written that cannot be one") {
  static constexpr BadCall calls[] = {
      {"1.0.running_mean: [5] given, the model has [4]",
       [](World& w) { w.norm.running_mean.copy_(zeros({5})); }},
      {"1.0.running_mean: [4, 1] given, the model has [4]",
       [](World& w) {
         w.norm.running_mean.copy_(zeros({4, 1}));
       }},
      {"1.0.running_mean: an undefined tensor given, the model has [4]",
       [](World& w) { w.norm.running_mean.copy_(Tensor()); }},
      {"1.0.running_var: [] given, the model has [4]",
       [](World& w) { w.norm.running_var.copy_(zeros({})); }},
      {"1.0.running_var: -1 at channel 2 is no variance",
       [](World& w) {
         w.norm.running_var.copy_(tensor({1, 1, -1, 1}));
       }},
      {"1.0.running_var: nan at channel 1 is no variance",
       [](World& w) {
         w.norm.running_var.copy_(tensor({1, NAN, 1, 1}));
       }},
      {"1.0.num_batches_tracked: -1 is no number of batches",
       [](World& w) { w.norm.num_batches_tracked.copy_(tensor(-1)); }},
      {"1.0.num_batches_tracked: 2.700000047683716 is no int64; give whole numbers",
       [](World& w) { w.norm.num_batches_tracked.copy_(tensor(2.7)); }},
      {"1.0.num_batches_tracked: nan is no int64; give whole numbers",
       [](World& w) { w.norm.num_batches_tracked.copy_(tensor(-NAN)); }},
      {"1.0.num_batches_tracked: inf is no int64; give whole numbers",
       [](World& w) { w.norm.num_batches_tracked.copy_(tensor(INFINITY)); }},
      {"1.0.num_batches_tracked: 9223372036854775807 is no number of batches",
       [](World& w) { w.norm.num_batches_tracked.copy_(tensor(INT64_MAX, i64)); }},
      {"1.0.num_batches_tracked: [1] given, the model has []",
       [](World& w) { w.norm.num_batches_tracked.copy_(zeros({1})); }},
      {"1.0.running_mean: a buffer is never trained by gradient; make it a Parameter",
       [](World& w) { w.norm.running_mean.requires_grad_(true); }},
      {"running_mean: the layer keeps no record; turn it on with track_running_stats(true)",
       [](World& w) { w.bare.running_mean.copy_(zeros({3})); }},
      {"BatchNorm1d: frozen normalises by the record, and this layer has none; turn tracking on "
       "first",
       [](World& w) { w.bare.set_stats_mode(nn::StatsMode::frozen); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: the functional form refuses the same and moves nothing") {
  static constexpr BadCall calls[] = {
      {"batch_norm: expected input (N, C, *), got rank 1 [4]",
       [](World&) { batch_norm(zeros({4}), zeros({4}), ones({4})); }},
      {"batch_norm: expected input (N, C, *), got rank 0 []",
       [](World& w) { batch_norm(w.scalar, {}, {}, {}, {}, {.training = true}); }},
      {"batch_norm: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { batch_norm(w.i, {}, {}, {}, {}, {.training = true}); }},
      {"batch_norm: without training it needs running_mean and running_var",
       [](World& w) { batch_norm(w.x, {}, {}); }},
      {"batch_norm: give both running_mean and running_var, or neither",
       [](World& w) { batch_norm(w.x, zeros({3}), {}); }},
      {"batch_norm: give both running_mean and running_var, or neither",
       [](World& w) { batch_norm(w.x, {}, ones({3}), {}, {}, {.training = true}); }},
      {"batch_norm: running_mean [2] does not match input [2, 3] with 3 channels",
       [](World& w) { batch_norm(w.x, zeros({2}), ones({3})); }},
      {"batch_norm: running_var [3, 1] does not match input [2, 3] with 3 channels",
       [](World& w) {
         batch_norm(w.x, zeros({3}), ones({3, 1}));
       }},
      {"batch_norm: running_mean [2] does not match input [2, 3] with 3 channels",
       [](World& w) { batch_norm(w.x, zeros({2}), ones({2}), {}, {}, {.training = true}); }},
      {"batch_norm: running_mean [2] does not match input [0, 3] with 3 channels",
       [](World& w) { batch_norm(w.none, zeros({2}), ones({2}), {}, {}, {.training = true}); }},
      {"batch_norm: weight [2] does not match input [2, 3] with 3 channels",
       [](World& w) { batch_norm(w.x, zeros({3}), ones({3}), ones({2})); }},
      {"batch_norm: bias [2] does not match input [2, 3] with 3 channels",
       [](World& w) {
         batch_norm(w.x, zeros({3}), ones({3}), ones({3}), ones({2}), {.training = true});
       }},
      {"batch_norm: dtypes float64 of running_mean [3] and float32 of the input [2, 3] do not mix; "
       "convert one, e.g. with .to(x.dtype())",
       [](World& w) { batch_norm(w.x, zeros({3}, f64), ones({3})); }},
      {"batch_norm: dtypes int64 of running_var [3] and float32 of the input [2, 3] do not mix; "
       "convert one, e.g. with .to(x.dtype())",
       [](World& w) { batch_norm(w.x, zeros({3}), ones({3}, i64), {}, {}, {.training = true}); }},
      {"batch_norm: dtypes float64 of weight [3] and float32 of the input [2, 3] do not mix; "
       "convert one, e.g. with .to(x.dtype())",
       [](World& w) { batch_norm(w.x, zeros({3}), ones({3}), ones({3}, f64)); }},
      {"batch_norm: dtypes float64 of bias [3] and float32 of the input [2, 3] do not mix; convert "
       "one, e.g. with .to(x.dtype())",
       [](World& w) { batch_norm(w.x, {}, {}, ones({3}), ones({3}, f64), {.training = true}); }},
      {"batch_norm: training needs more than 1 value per channel, got input [1, 3]; use a larger "
       "batch, or training = false",
       [](World&) {
         batch_norm(zeros({1, 3}), {}, {}, {}, {}, {.training = true});
       }},
      {"batch_norm: momentum is 1.5; it must be in [0, 1]",
       [](World& w) { batch_norm(w.x, {}, {}, {}, {}, {.training = true, .momentum = 1.5}); }},
      {"batch_norm: momentum is nan; it must be in [0, 1]",
       [](World& w) { batch_norm(w.x, {}, {}, {}, {}, {.training = true, .momentum = -NAN}); }},
      {"batch_norm: eps is -1; it must be finite and not negative",
       [](World& w) { batch_norm(w.x, {}, {}, {}, {}, {.training = true, .eps = -1}); }},
      {"batch_norm: eps is nan; it must be finite and not negative",
       [](World& w) { batch_norm(w.x, zeros({3}), ones({3}), {}, {}, {.eps = NAN}); }},
      {"batch_norm: running_mean [3] requires a gradient, which it cannot get; use detach()",
       [](World& w) { batch_norm(w.x, w.leaf, ones({3}), {}, {}, {.training = true}); }},
      {"batch_norm: [3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) {
         batch_norm(w.x, w.wide[0].expand({3}), ones({1}).expand({3}), {}, {}, {.training = true});
       }},
      {"batch_norm: [4] is a buffer, which is written by its owner, by copy_() on the "
       "buffer and by loading",
       [](World& w) {
         batch_norm(ones({2, 4}), w.norm.running_mean, w.norm.running_var, {}, {},
                    {.training = true});
       }},
  };
  check_bad_calls(calls);
}
