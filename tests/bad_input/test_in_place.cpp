// Writes that must not happen.
#include "support/world.h"

#include <cairn/core/autograd.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: nothing is written that does not fit") {
  static constexpr BadCall calls[] = {
      {"add_: [4] does not broadcast to [2, 3], the shape that is written; dimensions, aligned at "
       "the right, must be equal or 1",
       [](World& w) { w.x.add_(zeros({4})); }},
      {"sub_: [3, 2] does not broadcast to [2, 3], the shape that is written; dimensions, aligned "
       "at the right, must be equal or 1",
       [](World& w) {
         w.x.sub_(zeros({3, 2}));
       }},
      {"mul_: [4, 2, 3, 3] does not broadcast to [2, 3], the shape that is written; dimensions, "
       "aligned at the right, must be equal or 1",
       [](World& w) { w.x.mul_(w.images); }},
      {"div_: [2, 3] does not broadcast to [], the shape that is written; dimensions, aligned at "
       "the right, must be equal or 1",
       [](World& w) { w.scalar.div_(w.x); }},
      {"copy_: [4] does not broadcast to [2, 3], the shape that is written; dimensions, aligned at "
       "the right, must be equal or 1",
       [](World& w) { w.x.copy_(zeros({4})); }},
      {"copy_: [1, 2, 3] does not broadcast to [2, 3], the shape that is written; dimensions, "
       "aligned at the right, must be equal or 1",
       [](World& w) {
         w.x.copy_(zeros({1, 2, 3}));
       }},
      {"copy_: [2, 3] does not broadcast to [0, 3], the shape that is written; dimensions, aligned "
       "at the right, must be equal or 1",
       [](World& w) { w.none.copy_(w.x); }},
      {"add_: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.x += w.d; }},
      {"sub_: dtypes float32 of [2, 3] and int64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.x.sub_(w.i); }},
      {"mul_: dtypes int64 of [2, 3] and float32 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.i *= w.x; }},
      {"div_: dtypes float32 of [2, 3] and float64 of [2, 3] do not mix; convert one, e.g. with "
       ".to(x.dtype())",
       [](World& w) { w.x /= w.d; }},
      {"div_: int64 [2, 3] cannot hold a true quotient; use x / y, which gives float32",
       [](World& w) { w.i.div_(w.i); }},
      {"div_: int64 [2, 3] cannot hold a true quotient; use x / y, which gives float32",
       [](World& w) { w.i /= 2; }},
      {"add_: 0.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i.add_(0.5); }},
      {"sub_: nan beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i -= NAN; }},
      {"mul_: 1.8446744073709552e+19 beside an int64 tensor [2, 3]; convert the tensor with "
       ".to(DType::float32)",
       [](World& w) { w.i.mul_(UINT64_MAX); }},
      {"fill_: 2.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i.fill_(2.5); }},
      {"fill_: -inf beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i.fill_(-INFINITY); }},
      {"clamp_: 2.5 beside an int64 tensor [2, 3]; convert the tensor with .to(DType::float32)",
       [](World& w) { w.i.clamp_(0, 2.5); }},
  };
  check_bad_calls(calls);
}

TEST_CASE(
    "bad input: nothing is written behind the graph's back, or where one value stands for "
    "several") {
  static constexpr BadCall calls[] = {
      {"add_: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { w.leaf.add_(1); }},
      {"copy_: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { w.leaf.copy_(w.x[0]); }},
      {"zero_: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { w.leaf.zero_(); }},
      {"clamp_: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { w.leaf.clamp_(0, 1); }},
      {"mutable_data: a leaf [3] that requires a gradient is written in place; use NoGrad",
       [](World& w) { w.leaf.mutable_data<float>(); }},
      {"fill_: [] is a view of a tensor in a graph; apply the op to the whole tensor, to a "
       "clone(), or use NoGrad",
       [](World& w) { w.leaf[0].fill_(1); }},
      {"mul_: [3] is a view of a tensor in a graph; apply the op to the whole tensor, to a "
       "clone(), or use NoGrad",
       [](World& w) { w.each[0].mul_(2); }},
      {"mutable_data: [2, 3] is in a graph, which cannot see what is written; use NoGrad",
       [](World& w) { w.each.mutable_data<float>(); }},
      {"copy_: [3] is a view of a tensor in a graph; apply the op to the whole tensor, to a "
       "clone(), or use NoGrad",
       [](World& w) { w.x[0].copy_(w.leaf); }},
      {"add_: [2, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) { w.wide.add_(1); }},
      {"copy_: [2, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) { w.wide.copy_(w.x); }},
      {"fill_: [2, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) { w.wide.fill_(1); }},
      {"clamp_: [2, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) { w.wide.clamp_(0, 1); }},
      {"mutable_data: [2, 3] is expanded: one value stands for several elements; write to a "
       "clone()",
       [](World& w) { w.wide.mutable_data<float>(); }},
      {"zero_: [4] is a buffer, which is written by its owner, by copy_() on the buffer "
       "and by loading",
       [](World& w) {
         Tensor mean = w.norm.running_mean;
         mean.zero_();
       }},
      {"add_: [4] is a buffer, which is written by its owner, by copy_() on the buffer "
       "and by loading",
       [](World& w) {
         Tensor mean = w.norm.running_mean.detach();
         mean += 1;
       }},
      {"copy_: [] is a buffer, which is written by its owner, by copy_() on the buffer "
       "and by loading",
       [](World& w) { w.norm.running_var[0].copy_(w.scalar); }},
      {"mul_: [1] is a buffer, which is written by its owner, by copy_() on the buffer "
       "and by loading",
       [](World& w) { w.net.state_dict().at("1.0.running_mean").slice(0, 0, 1).mul_(2); }},
      {"mutable_data: [] is a buffer, which is written by its owner, by copy_() on the "
       "buffer and by loading",
       [](World& w) {
         Tensor count = w.norm.num_batches_tracked;
         count.mutable_data<int64_t>();
       }},
      {"clamp_: [4] is a buffer, which is written by its owner, by copy_() on the buffer "
       "and by loading",
       [](World& w) {
         const NoGrad guard;
         Tensor mean = w.norm.running_mean;
         mean.clamp_(0, 1);
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: const memory is not written to") {
  static constexpr BadCall calls[] = {
      {"add_: [2] lies in const memory given to from_blob(); write to a clone()",
       [](World&) {
         static const float v[2] = {1, 2};
         Tensor t = from_blob(v, {2});
         t.add_(1);
       }},
      {"parameter: [2] lies in const memory given to from_blob(); take a clone()",
       [](World& w) {
         static const float v[2] = {1, 2};
         w.open.parameter("p", from_blob(v, {2}));
       }},
  };
  check_bad_calls(calls);
}
