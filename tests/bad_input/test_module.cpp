// Models that cannot be built, and calls deep inside them.
#include "support/world.h"

#include <cairn/nn/clone.h>
#include <cairn/nn/nan_guard.h>

using namespace cairn;
using namespace cairn::test;

namespace {

struct Log : nn::Module {
  Tensor forward(const Tensor& x) override { return x.log(); }
};

struct CallsAnother : nn::Module {
  nn::Linear& other;
  explicit CallsAnother(nn::Linear& linear) : other(linear) {}
  Tensor forward(const Tensor& x) override { return other(x); }
};

}  // namespace

TEST_CASE("bad input: no name is given that cannot be one") {
  static constexpr BadCall calls[] = {
      {"parameter: the name '' is empty or has a dot",
       [](World& w) { w.open.parameter("", zeros({1})); }},
      {"parameter: the name 'a.b' is empty or has a dot",
       [](World& w) { w.open.parameter("a.b", zeros({1})); }},
      {"parameter: the name 'w' is taken in this module",
       [](World& w) { w.open.parameter("w", zeros({1})); }},
      {"parameter: the name 'b' is taken in this module",
       [](World& w) { w.open.parameter("b", zeros({1})); }},
      {"buffer: the name '' is empty or has a dot",
       [](World& w) { w.open.buffer("", zeros({1})); }},
      {"buffer: the name 'fc' is taken in this module",
       [](World& w) { w.open.buffer("fc", zeros({1})); }},
      {"buffer: the name 'running.mean' is empty or has a dot",
       [](World& w) { w.open.buffer("running.mean", zeros({1})); }},
      {"child: the name 'w' is taken in this module",
       [](World& w) { w.open.child("w", nn::ReLU()); }},
      {"child: the name '.' is empty or has a dot",
       [](World& w) { w.open.child(".", nn::ReLU()); }},
      {"child: the name 'fc' is taken in this module",
       [](World& w) { w.open.child<nn::Flatten>("fc"); }},
      {"child: the name '0' is taken in this module",
       [](World& w) { w.net.push_back("0", nn::ReLU()); }},
      {"child: the name 'a.b' is empty or has a dot",
       [](World& w) { w.net.push_back("a.b", nn::ReLU()); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: nothing is registered that a module cannot hold") {
  static constexpr BadCall calls[] = {
      {"parameter: int64 [2, 3] cannot take a gradient, only float32 and float64 can; make it a "
       "buffer",
       [](World& w) { w.open.parameter("p", w.i); }},
      {"parameter: [2, 3] was computed by an op in a graph; use detach()",
       [](World& w) { w.open.parameter("p", w.each); }},
      {"parameter: a buffer [4] is never trained by gradient; take a clone()",
       [](World& w) { w.open.parameter("p", w.norm.running_mean.tensor()); }},
      {"parameter: [2, 3] is expanded: one value stands for several elements; take a clone()",
       [](World& w) { w.open.parameter("p", w.wide); }},
      {"buffer: 'p' is undefined; give it its first values",
       [](World& w) { w.open.buffer("p", Tensor()); }},
      {"child: 'net' is a module that is registered nowhere; move it in: child(\"net\", "
       "std::move(module))",
       [](World& w) { w.open.child("net", w.net); }},
      {"child: 'open' is a module that holds this one; none is part of itself",
       [](World& w) { w.open.child("open", w.open); }},
      {"child: 'up' is a module that holds this one; none is part of itself",
       [](World& w) { w.twig.child("up", w.branch); }},
      {"child: 'up' is a module that holds this one; none is part of itself",
       [](World& w) { w.twig.child("up", std::move(w.open)); }},
      {"child: 'up' is a module that holds this one; none is part of itself",
       [](World& w) { w.twig.child("up", std::move(w.branch)); }},
      {"child: 'me' is a module that holds this one; none is part of itself",
       [](World& w) { w.open.child("me", std::move(w.open)); }},
      {"child: '3' is a module that holds this one; none is part of itself",
       [](World& w) { w.inner.push_back(std::move(w.net)); }},
      {"child: '2' is a module that holds this one; none is part of itself",
       [](World& w) { w.net.push_back(std::move(w.net)); }},
      {"Linear: it was moved from",
       [](World& w) { w.open.child("p", std::move(w.moved_from_linear)); }},
      {"Linear: it was moved from", [](World& w) { w.open.child("p", w.moved_from_linear); }},
      {"child: the name 'fc' is taken in this module",
       [](World& w) { w.open.child("fc", std::move(w.net)); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: an Error inside a model names the path") {
  static constexpr BadCall calls[] = {
      {"linear '0': input [4, 7] has 7 features, weight [4, 3] (out, in) expects 3",
       [](World& w) {
         w.net(zeros({4, 7}));
       }},
      {"linear '0': the input is a scalar, weight [4, 3] (out, in) expects 3 features",
       [](World& w) { w.net(w.scalar); }},
      {"linear '0': dtypes float64 of [2, 3] and float32 of [4, 3] do not mix; convert one, e.g. "
       "with .to(x.dtype())",
       [](World& w) { w.net(w.d); }},
      {"linear '0': dtypes int64 of [2, 3] and float32 of [4, 3] do not mix; convert one, e.g. "
       "with .to(x.dtype())",
       [](World& w) { w.net(w.i); }},
      {"linear '0': the first tensor is undefined (default-constructed or moved from); assign one "
       "first",
       [](World& w) { w.net(Tensor()); }},
      {"BatchNorm1d '1.0': training needs more than 1 value per channel, got input [1, 4]; use "
       "eval(), a larger batch, or StatsMode::frozen",
       [](World& w) {
         w.net(zeros({1, 3}));
       }},
      {"BatchNorm1d '1.0': input [4, 3] has 3 channels, the layer 4",
       [](World& w) {
         w.inner(zeros({4, 3}));
       }},
      {"linear '2': input [4, 4, 2] has 2 features, weight [2, 4] (out, in) expects 4",
       [](World& w) {
         w.last(zeros({4, 4, 2}));
       }},
      {"BatchNorm1d '1.0': training needs more than 1 value per channel, got input [1, 4, 1]; use "
       "eval(), a larger batch, or StatsMode::frozen",
       [](World& w) {
         w.inner(zeros({1, 4, 1}));
       }},
      {"BatchNorm1d '1.0': expected input (N, C) or (N, C, L), got rank 4 [4, 4, 2, 2]",
       [](World& w) {
         w.inner(zeros({4, 4, 2, 2}));
       }},
      {"BatchNorm1d '0': input [4, 3] has 3 channels, the layer 4",
       [](World& w) {
         w.norm(zeros({4, 3}));
       }},
      {"linear '2': input [4, 3] has 3 features, weight [2, 4] (out, in) expects 4",
       [](World& w) {
         w.last(zeros({4, 3}));
       }},
      {"flatten 'flatten': [2, 3] has no dimension 3; give one from -2 to 1",
       [](World& w) { w.flatten(w.x); }},
      {"Sequential: there is no module 2 of 2", [](World& w) { w.net[2]; }},
      {"Sequential: there is no module -9223372036854775808 of 2",
       [](World& w) { w.net[INT64_MIN]; }},
      {"Sequential: module 0 is a Linear, not a ReLU", [](World& w) { w.net.at<nn::ReLU>(0); }},
      {"Sequential: there is no module 0 of 0", [](World&) { nn::Sequential()[0]; }},
      {"Forgetful: its forward used a trainable tensor [3] that is not registered; make it a "
       "member with parameter(\"name\", ...), or its module with child(\"name\", ...)",
       [](World& w) {
         struct Forgetful : Open {
           Tensor scale = ones({3}, {.requires_grad = true});
           Tensor forward(const Tensor& v) override { return v * scale; }
         } m;
         m(w.x);
       }},
      {"Silent: it has no forward(x); call it with its own arguments",
       [](World& w) {
         struct Silent : nn::Module {
         } m;
         m(w.x);
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: a module that cannot be, is moved from or cannot be converted says so") {
  static constexpr BadCall calls[] = {
      {"Linear: in_features -1 and out_features 2 must not be negative",
       [](World&) { nn::Linear(-1, 2); }},
      {"Linear: in_features 1 and out_features -2 must not be negative",
       [](World&) { nn::Linear(1, -2); }},
      {"Linear: in_features -9223372036854775808 and out_features 9223372036854775807 must not be "
       "negative",
       [](World&) { nn::Linear(INT64_MIN, INT64_MAX); }},
      {"Linear: the sizes of [2, 9223372036854775807] multiply to more than 2^63",
       [](World&) { nn::Linear(INT64_MAX, 2); }},
      {"to: a model's parameters cannot be int64", [](World& w) { w.net.to(DType::int64); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear(w.x); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.forward(w.x); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.parameters(); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.load_state_dict({}); }},
      {"ReLU: it was moved from",
       [](World&) {
         Open holder;
         nn::ReLU& inside = holder.child("inside", nn::ReLU());
         const nn::ReLU taken(std::move(inside));
         holder.load_state_dict({});
       }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.zero_grad(); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.requires_grad_(false); }},
      {"Linear: it was moved from", [](World& w) { copy_state(w.moved_from_linear, w.net); }},
      {"Linear: it was moved from", [](World& w) { copy_state(w.net, w.moved_from_linear); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.train(); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.state_dict(); }},
      {"Linear: it was moved from", [](World& w) { w.moved_from_linear.to(DType::float64); }},
      {"Sequential: it was moved from", [](World& w) { w.moved_from_sequential(w.x); }},
      {"Sequential: it was moved from", [](World& w) { w.moved_from_sequential[0]; }},
      {"Sequential: it was moved from", [](World& w) { to_string(w.moved_from_sequential); }},
      {"BatchNorm2d: it was moved from", [](World& w) { w.moved_from_batch_norm(w.images); }},
      {"BatchNorm2d: it was moved from", [](World& w) { w.moved_from_batch_norm.stats_mode(); }},
      {"BatchNorm2d: it was moved from",
       [](World& w) { w.moved_from_batch_norm.forward(w.images); }},
      {"BatchNorm2d: it was moved from",
       [](World& w) { w.moved_from_batch_norm.reset_running_stats(); }},
      {"Linear: the sizes of [9223372036854775807, 9223372036854775807] multiply to more than 2^63",
       [](World&) { nn::Linear(INT64_MAX, INT64_MAX); }},
      {"MSELoss: it was moved from", [](World& w) { w.moved_from_loss(w.x, w.x); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: what containers, clones and guards refuse") {
  static constexpr BadCall calls[] = {
      {"Sequential: extend() by itself; give another one",
       [](World& w) { w.net.extend(std::move(w.net)); }},
      {"child: the name 'head' is taken in this module",
       [](World&) {
         nn::Sequential a, b;
         a.push_back("head", nn::ReLU());
         b.push_back("head", nn::ReLU());
         a.extend(std::move(b));
       }},
      {"child: '3' is a module that holds this one; none is part of itself",
       [](World&) {
         nn::Sequential outer;
         nn::Sequential& inside = outer.push_back(nn::Sequential());
         nn::Sequential top;
         top.push_back(std::move(outer));
         inside.push_back(nn::ReLU());
         inside.push_back(nn::ReLU());
         inside.push_back(nn::ReLU());
         inside.extend(std::move(top));
       }},
      {"replace: '0' is a module that holds this one; none is part of itself",
       [](World& w) { w.inner.replace(0, std::move(w.net)); }},
      {"Sequential: there is no module 9 of 3", [](World& w) { w.inner.replace(9, nn::ReLU()); }},
      {"child: 'p' is a null pointer; give it a module",
       [](World& w) { w.open.child("p", std::shared_ptr<nn::Module>()); }},
      {"apply: the function is empty; give one that can be called",
       [](World& w) { w.net.apply(nullptr); }},
      {"clone: a new Open differs from this one in its own tensors; override make_like(), or "
       "construct a "
       "second model and use nn::copy_state()",
       [](World& w) { nn::clone(w.open); }},
      {"clone: a Linear is given as its base class Module; give it as what it is",
       [](World& w) { nn::clone(static_cast<const nn::Module&>(w.last)); }},
      {"CallsAnother: its forward called a Linear that is not registered in it, so that train(), "
       "state_dict() and parameters() do not reach it; make it a member with child(\"name\", ...), "
       "or call it as nn::external(module)(x) if it is meant to stay apart",
       [](World& w) {
         CallsAnother model(w.last);
         model(w.x);
       }},
      {"log '1': the output [2, 3] is not finite: -inf at [0, 0]; its inputs are [2, 3] (finite)",
       [](World& w) {
         nn::Sequential model{nn::ReLU(), Log()};
         const nn::NanGuard guard;
         model(w.x - 1);
       }},
  };
  check_bad_calls(calls);
}
