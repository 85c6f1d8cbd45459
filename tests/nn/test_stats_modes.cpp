// Modes for a model, a part of it, and a scope.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/random.h>
#include <cairn/nn/stats_audit.h>

#include <optional>
#include <stdexcept>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

Tensor input() {
  manual_seed(7);
  return randn({8, 3});
}

const BatchNormOptions untracked{.track_running_stats = false};

}  // namespace

TEST_CASE("set_stats_mode: it sets every batch norm below, or those that a predicate takes") {
  TwoNorms m;
  set_stats_mode(m, StatsMode::hold);
  CHECK(m.first.stats_mode() == StatsMode::hold);
  CHECK(m.second().stats_mode() == StatsMode::hold);
  set_stats_mode(m, StatsMode::frozen,
                 [](const std::string& path, const auto&) { return path == "rest.1"; });
  CHECK(m.first.stats_mode() == StatsMode::hold);
  CHECK(m.second().stats_mode() == StatsMode::frozen);
  set_stats_mode(m, StatsMode::track,
                 [](auto&, BatchNorm& layer) { return layer.weight.numel() == 3; });
  CHECK(m.first.stats_mode() == StatsMode::track);
  CHECK(m.second().stats_mode() == StatsMode::frozen);
  set_stats_mode(m.first, StatsMode::hold);  // a layer is a model of one
  CHECK(m.first.stats_mode() == StatsMode::hold);
}

TEST_CASE(
    "set_stats_mode: frozen where there is no record is an error that names every such layer") {
  Sequential m{BatchNorm1d(3), BatchNorm1d(3, untracked), Sequential{BatchNorm1d(3, untracked)}};
  CHECK_ERROR_MENTIONS(set_stats_mode(m, StatsMode::frozen),
                       "set_stats_mode:", "none in '1', '2.0'");
  CHECK_ERROR_MENTIONS(StatsGuard(m, StatsMode::frozen), "StatsGuard:", "none in '1', '2.0'");
  CHECK(m.at<BatchNorm>(0).stats_mode() == StatsMode::track);
  BatchNorm1d alone(3, untracked);
  CHECK_ERROR_MENTIONS(set_stats_mode(alone, StatsMode::frozen),
                       "set_stats_mode:", "none in the layer itself");
}

TEST_CASE("set_stats_mode: a predicate may leave out what has no record, and may throw") {
  Sequential m{BatchNorm1d(3), BatchNorm1d(3, untracked), BatchNorm1d(3)};
  const auto mode = [&](int64_t i) { return m.at<BatchNorm>(i).stats_mode(); };
  const auto throws = [](const std::string& path, auto&) -> bool {
    if (path == "2") throw std::runtime_error("on purpose");
    return true;
  };
  CHECK_THROWS_AS(set_stats_mode(m, StatsMode::hold, throws), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(StatsGuard(m, StatsMode::hold, throws)), std::runtime_error);
  CHECK(mode(0) == StatsMode::track);
  set_stats_mode(m, StatsMode::frozen,
                 [](auto&, const BatchNorm& layer) { return layer.has_record(); });
  CHECK(mode(0) == StatsMode::frozen);
  CHECK(mode(1) == StatsMode::hold);
  CHECK(mode(2) == StatsMode::frozen);
}

TEST_CASE("reset_running_stats: every record of a model is (0, 1, 0) again, frozen or not") {
  TwoNorms m;
  m(input());
  m.first.running_mean.freeze();
  reset_running_stats(m);
  CHECK(record_of(m.first) == initial_record(3));
  CHECK(record_of(m.second()) == initial_record(2));
}

TEST_CASE("StatsGuard: modes and freezes are restored layer by layer, values are not") {
  TwoNorms m;
  m.second().set_stats_mode(StatsMode::frozen);
  m.first.running_var.freeze();
  {
    const StatsGuard guard(m, StatsMode::track);
    CHECK(m.second().stats_mode() == StatsMode::track);
    m.first.running_var.unfreeze();
    m.first.running_mean.freeze();
    m.second().set_stats_mode(StatsMode::hold);
    m(input());
  }
  CHECK(m.first.stats_mode() == StatsMode::track);
  CHECK(m.second().stats_mode() == StatsMode::frozen);
  CHECK(m.first.running_var.frozen());
  CHECK_FALSE(m.first.running_mean.frozen());
  CHECK(m.first.num_batches_tracked.item<int>() == 1);
}

TEST_CASE("StatsGuard: nothing moves under hold, and the next forward records as ever") {
  TwoNorms m, plain;
  copy_state(m, plain);
  const Tensor x = input();
  {
    const StatsGuard guard(m, StatsMode::hold);
    CHECK(equal(m(x), plain(x)));
    CHECK(record_of(m.first) == initial_record(3));
  }
  m(x);
  CHECK(record_of(m.first) == record_of(plain.first));
  CHECK(record_of(m.second()) == record_of(plain.second()));
}

TEST_CASE("StatsGuard: guards nest, and an exception restores as well") {
  TwoNorms m;
  const StatsGuard outer(m, StatsMode::hold);
  try {
    const StatsGuard inner(m, StatsMode::frozen, [](auto& path, auto&) { return path == "first"; });
    CHECK(m.first.stats_mode() == StatsMode::frozen);
    CHECK(m.second().stats_mode() == StatsMode::hold);
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
  }
  CHECK(m.first.stats_mode() == StatsMode::hold);
}

TEST_CASE("StatsGuard: a record first bound inside stays only if something was recorded") {
  for (const bool records : {false, true}) {
    BatchNorm1d bn(3, untracked);
    {
      const StatsGuard guard(bn, StatsMode::track);
      CHECK(bn.has_record());
      if (records) bn(input());
    }
    CHECK(bn.has_record() == records);
    CHECK(bn.stats_mode() == StatsMode::hold);
    CHECK(bn.state_dict().size() == (records ? 5 : 2));
  }
}

TEST_CASE("StatsGuard: a record that was lost inside is there again") {
  BatchNorm1d bn(3, untracked);
  bn.track_running_stats(true);
  {
    const StatsGuard guard(bn, StatsMode::hold);
    CHECK_FALSE(bn.has_record());
  }
  CHECK(bn.has_record());
  CHECK(bn.stats_mode() == StatsMode::track);
}

TEST_CASE("StatsGuard: it follows a model that moves, and one that dies") {
  auto m = std::make_optional<Sequential>();
  m->push_back(BatchNorm1d(3));
  {
    const StatsGuard guard(*m, StatsMode::hold);
    Sequential moved(std::move(*m));
    m.reset();
    m.emplace(std::move(moved));
    m->push_back(BatchNorm1d(3));  // registered inside: keeps what it has
    CHECK(m->at<BatchNorm>(0).stats_mode() == StatsMode::hold);
  }
  CHECK(m->at<BatchNorm>(0).stats_mode() == StatsMode::track);
  {
    const StatsGuard guard(*m, StatsMode::hold);
    m.reset();
  }
}

TEST_CASE("StatsGuard: the gradient under a guard is the gradient of its mode") {
  BatchNorm1d bn(3);
  bn(input());
  const auto gradient = [&](auto&& around) {
    Tensor x = input().requires_grad_(true);
    around([&] { bn(x).square().sum().backward(); });
    return x.grad();
  };
  const Tensor guarded = gradient([&](auto f) {
    const StatsGuard guard(bn, StatsMode::frozen);
    f();
  });
  bn.eval();
  CHECK(equal(guarded, gradient([](auto f) { f(); })));
}

TEST_CASE("set_stats_mode: returns how many layers it set") {
  TwoNorms m;
  CHECK(set_stats_mode(m, StatsMode::hold) == 2);
  const auto first = [](const std::string& path, BatchNorm&) { return path == "first"; };
  CHECK(set_stats_mode(m, StatsMode::track, first) == 1);
}

TEST_CASE("statistics: a call that reaches no layer is an Error, unless that is allowed") {
  Sequential none{Linear(3, 3)};
  const auto nobody = [](const std::string&, BatchNorm&) { return false; };
  TwoNorms m;
  const std::vector<Tensor> batches{zeros({4, 3})};
  CHECK_ERROR_MENTIONS(set_stats_mode(none, StatsMode::hold), "Sequential", "no batch norm");
  CHECK_ERROR_MENTIONS(set_stats_mode(m, StatsMode::hold, nobody), "'first', 'rest.1'");
  CHECK_ERROR_MENTIONS(StatsGuard(none, StatsMode::hold), "StatsGuard:", "no batch norm");
  CHECK_ERROR_MENTIONS(StatsGuard(m, StatsMode::hold, nobody), "'first', 'rest.1'");
  CHECK_ERROR_MENTIONS(select_stats(none, "main"), "select_stats:", "no batch norm");
  CHECK_ERROR_MENTIONS(SelectStats(none, "main"), "SelectStats:", "no batch norm");
  CHECK_ERROR_MENTIONS(add_stats(none, "night"), "add_stats:", "no batch norm");
  CHECK_ERROR_MENTIONS(AccumulateStats{none}, "AccumulateStats:", "no batch norm");
  CHECK_ERROR_MENTIONS(reset_running_stats(none), "reset_running_stats:", "no batch norm");
  CHECK_ERROR_MENTIONS(estimate_running_stats(none, batches), "estimate_running_stats:");
  CHECK_ERROR_MENTIONS(audit_stats(none), "audit_stats:", "no batch norm");
  CHECK_ERROR_MENTIONS(audit_stats(none, batches), "audit_stats:", "no batch norm");

  CHECK(set_stats_mode(none, StatsMode::hold, {}, {.allow_none = true}) == 0);
  CHECK(set_stats_mode(m, StatsMode::hold, nobody, {.allow_none = true}) == 0);
  { const StatsGuard guard(none, StatsMode::hold, {}, {.allow_none = true}); }
  select_stats(none, "main", {.allow_none = true});
  { const SelectStats guard(none, "main", {.allow_none = true}); }
  add_stats(none, "night", {.allow_none = true});
  { const AccumulateStats guard(none, {.allow_none = true}); }
  reset_running_stats(none, {.allow_none = true});
  estimate_running_stats(none, batches, {.allow_none = true});
  CHECK(audit_stats(none, StatsSnapshot(), {.allow_none = true}).layers.empty());
  CHECK(audit_stats(none, batches, {.allow_none = true}).layers.empty());
}

TEST_CASE("statistics: where no layer has a record, reset does nothing and estimate is an Error") {
  Sequential m{BatchNorm1d(3, {.track_running_stats = false})};
  const std::vector<Tensor> batches{zeros({4, 3})};
  reset_running_stats(m);
  CHECK_ERROR_MENTIONS(estimate_running_stats(m, batches), "no layer keeps a record", "'0'");
  estimate_running_stats(m, batches, {.allow_none = true});
}

TEST_CASE("set_stats_mode: a nested layer's own message has its path") {
  Sequential m{Sequential{BatchNorm1d(3, {.track_running_stats = false}), ReLU()}};
  m.push_back(Sequential{BatchNorm1d(3, {.track_running_stats = false}), ReLU()});
  auto& nested = m.at<Sequential>(2).at<BatchNorm1d>(0);
  CHECK_ERROR_MENTIONS(nested.set_stats_mode(StatsMode::frozen), "BatchNorm1d '2.0':", "frozen");
}
