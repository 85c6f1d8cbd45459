// clone(): the copy shares nothing with the original and behaves like it.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/random.h>
#include <cairn/nn/clone.h>
#include <cairn/nn/loss.h>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

Tensor input() {
  manual_seed(3);
  return randn({8, 3}) + 1;
}

}  // namespace

TEST_CASE("clone: a user's model is copied with its state, settings and records") {
  TwoNorms m;
  m(input());
  add_stats(m, "night");
  select_stats(m.first, "night");
  m(input() + 3);
  m.first.set_stats_mode(StatsMode::frozen);
  m.second().running_var.freeze();
  m.rest.eval();
  m.first.weight.requires_grad_(false);
  const Tensor draw = default_generator().state();
  TwoNorms copy = clone(m);
  CHECK(equal(default_generator().state(), draw));
  CHECK(record_of(copy.first) == record_of(m.first));
  CHECK(copy.first.selected_stats() == "night");
  CHECK(stats_names(copy) == std::vector<std::string>{"main", "night"});
  CHECK(copy.first.stats_mode() == StatsMode::frozen);
  CHECK(copy.second().running_var.frozen());
  CHECK_FALSE(copy.second().running_mean.frozen());
  CHECK(copy.is_training());
  CHECK_FALSE(copy.rest.is_training());
  CHECK_FALSE(copy.first.weight.requires_grad());
  CHECK(copy.first.bias.requires_grad());
  CHECK(equal(copy(input()), m(input())));
  select_stats(copy, "main");
  select_stats(m, "main");
  CHECK(record_of(copy.first) == record_of(m.first));

  const Record before = record_of(m.first);
  copy.first.set_stats_mode(StatsMode::track);
  copy(input() + 9);
  copy.first.bias.zero_grad();
  {
    const NoGrad guard;
    for (Tensor p : copy.parameters()) p.fill_(7);
  }
  CHECK(record_of(m.first) == before);
  CHECK(equal(m.first.weight, ones({3})));
}

TEST_CASE("clone: layers with options and containers of them") {
  Sequential m{Linear(3, 4, {.bias = false}), BatchNorm1d(4, {.track_running_stats = false}),
               ReLU(), Flatten({.start_dim = 0}), Sequential{}};
  m.push_back("own", TwoNorms());
  Sequential copy = clone(m);
  CHECK(to_string(copy) == to_string(m));
  const StateDict a = m.state_dict(), b = copy.state_dict();
  CHECK(a.size() == b.size());
  for (const auto& [name, value] : a) {
    CHECK(equal(b.at(name), value));
    CHECK(b.at(name).view_of().data != value.view_of().data);
  }
  const Linear linear = clone(Linear(2, 3));
  CHECK(linear.weight.shape() == Shape{3, 2});
  CHECK(to_string(clone(MSELoss({.reduction = Reduction::sum}))) == "MSELoss(reduction=sum)");
  CHECK(to_string(clone(BatchNorm3d(2, {.momentum = {}}))) ==
        to_string(BatchNorm3d(2, {.momentum = {}})));
}

TEST_CASE("clone: a converted model is copied in its dtype, and a late record too") {
  Sequential m{BatchNorm1d(3, {.track_running_stats = false})};
  m.to(DType::float64);
  m.at<BatchNorm1d>(0).track_running_stats(true);
  m(input().to(DType::float64));
  Sequential copy = clone(m);
  CHECK(copy.at<BatchNorm1d>(0).weight.dtype() == DType::float64);
  CHECK(record_of(copy.at<BatchNorm1d>(0)) == record_of(m.at<BatchNorm1d>(0)));
}

TEST_CASE("clone: shared modules and parameters stay shared") {
  struct Tied : Sequential {
    Linear& first = child("first", Linear(3, 3));
    Linear& again = child("again", first);
  } m;
  Tied copy = clone(m);
  CHECK(&copy.first == &copy.again);
  CHECK(equal(copy(input()), m(input())));
  Sequential outer;
  outer.push_back(std::move(m));
  CHECK(clone(outer).parameters().size() == 2);
}

TEST_CASE("clone: gradients are not copied") {
  Linear m(3, 1);
  sum(m(input())).backward();
  CHECK_FALSE(clone(m).weight.grad().defined());
}

TEST_CASE("clone: what a fresh model does not match is an Error") {
  struct Wide : Module {
    explicit Wide(int64_t n = 1) : fc(child("fc", Linear(n, n))) {}
    Linear& fc;
  };
  CHECK_ERROR_MENTIONS(clone(Wide(2)), "clone:", "Wide", "'fc.weight'", "copy_state");
  struct Given : Module {
    explicit Given(int64_t) {}
  };
  Sequential holder;
  holder.push_back(Given(2));
  CHECK_ERROR_MENTIONS(clone(holder), "clone:", "Given", "copy_state");
  const Wide wide;
  CHECK_ERROR_MENTIONS(clone(static_cast<const Module&>(wide)), "clone:", "Wide", "Module");
}
