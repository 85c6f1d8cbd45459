// Losses of what does not belong together.
#include "support/world.h"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no loss of what does not belong together") {
  static constexpr BadCall calls[] = {
      {"mse_loss: input [4, 1] and target [4] differ; reshape one, or set broadcast = true",
       [](World&) {
         mse_loss(zeros({4, 1}), zeros({4}));
       }},
      {"mse_loss: shapes [2, 3] and [2] do not broadcast; dimensions, aligned at the right, must "
       "be equal or 1",
       [](World& w) { mse_loss(w.x, zeros({2}), {.broadcast = true}); }},
      {"mse_loss: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. "
       "with .to(x.dtype())",
       [](World& w) { mse_loss(w.x, w.d); }},
      {"mse_loss: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { mse_loss(w.i, w.i); }},
      {"mse_loss: dtypes float32 of [2, 3] and int64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { mse_loss(w.x, w.i); }},
      {"mse_loss: input [2, 3] and target [3, 4] differ; reshape one, or set broadcast = true",
       [](World& w) { nn::MSELoss()(w.x, w.turned); }},
      {"mse_loss 'loss': dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, "
       "e.g. with .to(x.dtype())",
       [](World& w) { w.loss(w.x, w.d); }},
      {"MSELoss: it has no forward(x); call it with its own arguments",
       [](World& w) { nn::MSELoss().forward(w.x); }},
      {"cross_entropy: logits [2, 3] and labels [4]; expected (N, C) and (N)",
       [](World& w) { cross_entropy(w.x, w.labels); }},
      {"cross_entropy: logits [] and labels [4]; expected (N, C) and (N)",
       [](World& w) { cross_entropy(w.scalar, w.labels); }},
      {"cross_entropy: logits [2, 3] and labels [2, 1]; expected (N, C) and (N)",
       [](World& w) {
         cross_entropy(w.x, zeros({2, 1}, i64));
       }},
      {"cross_entropy: label 3 at position 1 is out of range; logits [2, 3] have 3 classes, "
       "counted from 0",
       [](World& w) {
         cross_entropy(w.x, tensor({0, 3}, i64));
       }},
      {"cross_entropy: label -1 at position 0 is out of range; logits [2, 3] have 3 classes, "
       "counted from 0",
       [](World& w) {
         cross_entropy(w.x, tensor({-1, 0}, i64));
       }},
      {"cross_entropy: label 9223372036854775807 at position 1 is out of range; logits [2, 3] have "
       "3 classes, counted from 0",
       [](World& w) {
         cross_entropy(w.x, tensor({0, INT64_MAX}, i64));
       }},
      {"cross_entropy: the label tensor [2] is float32; use .to(DType::int64)",
       [](World& w) { cross_entropy(w.x, zeros({2})); }},
  };
  check_bad_calls(calls);
}
