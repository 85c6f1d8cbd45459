// The audit says in figures and in words why eval() is worse than train().
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/random.h>
#include <cairn/nn/stats_audit.h>

#include <fmt/format.h>

#include <limits>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

using Problems = std::vector<std::string>;

std::vector<Tensor> batches(double mean = 0) {
  manual_seed(5);
  std::vector<Tensor> xs;
  xs.reserve(40);
  for (int i = 0; i < 40; ++i) xs.push_back(randn({32, 3}) + mean);
  return xs;
}

}  // namespace

TEST_CASE("audit_stats: a trained model with a fitting record has nothing wrong") {
  BatchNorm1d bn(3);
  for (const Tensor& x : batches()) bn(x);
  const StatsAudit audit = audit_stats(bn, batches());
  REQUIRE(audit.layers.size() == 1);
  const LayerAudit& a = audit.layers[0];
  CHECK(a.path.empty());
  CHECK(a.mode == StatsMode::track);
  CHECK(a.training);
  CHECK(a.has_record);
  CHECK(a.record == "main");
  CHECK(a.count == 40);
  CHECK(a.moved);
  CHECK_FALSE(a.drift.has_value());
  CHECK(a.gap.value().size < 0.2);
  CHECK(a.non_finite.empty());
  CHECK(audit.problems.empty());
}

TEST_CASE("audit_stats: a record that never moved is named, with its path") {
  Sequential m{Linear(3, 3), BatchNorm1d(3)};
  CHECK(audit_stats(m).problems == Problems{"1: eval normalises by a record that never moved"});
  set_stats_mode(m, StatsMode::frozen);
  CHECK(audit_stats(m).problems ==
        Problems{"1: train and eval normalise by a record that never moved"});
  BatchNorm1d alone(3);
  CHECK(audit_stats(alone).problems ==
        Problems{"BatchNorm1d: eval normalises by a record that never moved"});
}

TEST_CASE("audit_stats: a layer that no batch reached has no gap") {
  struct Half : Module {
    BatchNorm1d& used = child("used", BatchNorm1d(3));
    BatchNorm1d& idle = child("idle", BatchNorm1d(3));
    Tensor forward(const Tensor& x) override { return used(x); }
  } m;
  const StatsAudit audit = audit_stats(m, batches());
  CHECK(audit.layers[0].gap.has_value());
  CHECK_FALSE(audit.layers[1].gap.has_value());
}

TEST_CASE("audit_stats: drift is counted in standard deviations of the snapshot") {
  BatchNorm1d bn(2, {.eps = 0});
  bn.running_var.copy_(tensor({4, 9}));
  const StatsSnapshot then = snapshot_stats(bn);
  bn.running_mean.copy_(tensor({1, -9}));
  const StatsAudit audit = audit_stats(bn, then);
  CHECK(audit.layers[0].drift.value().size == doctest::Approx(3));
  CHECK(audit.layers[0].drift.value().channel == 1);
  CHECK(audit.problems.empty());  // in track that is what a record does
  bn.set_stats_mode(StatsMode::hold);
  CHECK(audit_stats(bn, then).problems ==
        Problems{"BatchNorm1d: its mode is hold, and yet the record has moved since the snapshot"});
  restore_stats(bn, then);
  bn.running_var.copy_(tensor({4, 36}));
  CHECK(audit_stats(bn, then).layers[0].drift.value().size == doctest::Approx(1));
}

TEST_CASE("audit_stats: the gap is that of all batches as one, and nothing is recorded") {
  TwoNorms m;
  estimate_running_stats(m, batches());
  m.eval();
  m.rest.train();
  const Record first = record_of(m.first);
  const StatsAudit audit = audit_stats(m, {}, batches(2));
  CHECK(audit.layers[0].gap.value().size == doctest::Approx(2).epsilon(0.1));
  CHECK(record_of(m.first) == first);
  CHECK_FALSE(m.is_training());
  CHECK(m.rest.is_training());
  m.rest.eval();
  const Problems problems = audit_stats(m, batches(2)).problems;
  REQUIRE(problems.size() == 1);  // the second norm sees what the first has normalised
  CHECK(problems[0].starts_with("first: eval normalises by a record that is "));
  CHECK(problems[0].ends_with(
            " of its standard deviations away from the given batches, at channel 0") ==
        (audit.layers[0].gap.value().channel == 0));
}

TEST_CASE("audit_stats: channels that are dead, vanishing or not finite are counted and named") {
  BatchNorm1d bn(6);
  const float inf = std::numeric_limits<float>::infinity();
  bn.running_var.copy_(tensor({0, 1e-9, 1, 0, 2, 0}));
  bn.running_mean.copy_(tensor({0, 0, 0, 0, inf, 0}));
  const StatsAudit audit = audit_stats(bn);
  CHECK(audit.layers[0].dead == std::vector<int64_t>{0, 3, 5});
  CHECK(audit.layers[0].vanishing == std::vector<int64_t>{1});
  CHECK(audit.layers[0].non_finite == std::vector<int64_t>{4});
  CHECK(audit.problems ==
        Problems{"BatchNorm1d: eval normalises by a record that is not finite at channel 4",
                 "BatchNorm1d: channels 0, 3 and 5: the variance is 0, so nothing gets through but "
                 "bias",
                 "BatchNorm1d: channel 1: the variance is below eps, which then does the "
                 "normalising"});
}

TEST_CASE("audit_stats: a channel that is constant in the batches is dead, whatever the record") {
  BatchNorm1d bn(3);
  for (const Tensor& x : batches()) bn(x);
  std::vector<Tensor> xs = batches();
  for (Tensor& x : xs) x.select(1, 1).fill_(7);
  CHECK(audit_stats(bn, xs).layers[0].dead == std::vector<int64_t>{1});
}

TEST_CASE("audit_stats: flags, layers without a record, half frozen and young records are named") {
  Sequential m{BatchNorm1d(3, {.track_running_stats = false}), BatchNorm1d(3), BatchNorm1d(3)};
  m(batches()[0]);
  m.eval();
  m[2].train();
  m.at<BatchNorm>(1).running_var.freeze();
  CHECK(audit_stats(m).problems ==
        Problems{"0: it keeps no record, so eval normalises by the batch it is given",
                 "1: after 1 batch 90 % of the record is still what it began as, 0 and 1",
                 "1: running_var is frozen by hand while running_mean moves",
                 "2: it is in train() while the model is in eval()",
                 "2: after 1 batch 90 % of the record is still what it began as, 0 and 1"});
  estimate_running_stats(m, batches());
  m.eval();
  CHECK(audit_stats(m).problems.size() == 2);
}

TEST_CASE("audit_stats: it prints as a table that ends in plain words") {
  Sequential m{BatchNorm1d(3), Linear(3, 2), BatchNorm1d(2, {.track_running_stats = false})};
  select_stats(m, "adv", {.create = true});
  m.eval();
  CHECK(fmt::format("{}", audit_stats(m)) ==
        "layer  mode    flag   record       batches  moved    drift      gap  channels\n"
        "0      track   eval   adv                0  no           -        -  ok\n"
        "2      hold    eval   none               0  no           -        -  ok\n"
        "\n"
        "What looks wrong:\n"
        "  0: eval normalises by a record that never moved\n"
        "  2: it keeps no record, so eval normalises by the batch it is given");
  const StatsAudit fine = audit_stats(Linear(2, 2), StatsSnapshot(), {.allow_none = true});
  CHECK(fmt::format("{}", fine).ends_with("\n\nNothing looks wrong."));
}

TEST_CASE("audit_stats: a snapshot of other channels, and a broken batch, are errors") {
  Sequential m{BatchNorm1d(3)}, other{BatchNorm1d(2)};
  CHECK_ERROR_MENTIONS(audit_stats(m, snapshot_stats(other)), "audit_stats:", "record of '0'",
                       "[2]", "[3]");
  m.eval();
  CHECK_ERROR_MENTIONS(audit_stats(m, std::vector<Tensor>{ones({4, 2})}),
                       "BatchNorm1d '0':", "[4, 2]", "2 channels");
  CHECK_FALSE(m.is_training());
}
