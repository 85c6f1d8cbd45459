// Which statistics normalise, and when the record moves: the layer's truth table.
#include "nn/two_channels.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/layers.h>

#include <fmt/format.h>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;
using namespace cairn::test::two_channels;

// ---- the table ----

TEST_CASE(
    "batch_norm: track normalises by the batch and records it in train(), by the record in "
    "eval()") {
  BatchNorm1d bn(2, exact);
  CHECK(bn.stats_mode() == StatsMode::track);
  CHECK(bn.has_record());
  CHECK(equal(bn(batch()), by_batch()));
  CHECK(record_of(bn) == after_one);
  bn.reset_running_stats();
  CHECK(record_of(bn) == initial);
  bn.eval();
  CHECK(equal(bn(batch()), batch()));
  CHECK(record_of(bn) == initial);
}

TEST_CASE("batch_norm: running_var uses the unbiased variance, the output the biased one") {
  BatchNorm1d bn(2, {.eps = 0, .momentum = 1});
  CHECK(equal(bn(batch()), by_batch()));
  CHECK(close(bn.running_var, tensor({4.0 / 3, 16.0 / 3})));
}

TEST_CASE("batch_norm: hold normalises by the batch in train() and by the last record in eval()") {
  BatchNorm1d bn(2, exact);
  SUBCASE("by its mode") { bn.set_stats_mode(StatsMode::hold); }
  SUBCASE("under PyTorch's name") { bn.track_running_stats(false); }
  CHECK(bn.stats_mode() == StatsMode::hold);
  CHECK(bn.has_record());
  CHECK(equal(bn(batch()), by_batch()));
  CHECK(record_of(bn) == initial);
  bn.eval();
  CHECK(equal(bn(batch()), batch()));
  bn.track_running_stats(true);
  CHECK(bn.stats_mode() == StatsMode::track);
  bn.train();
  bn(batch());
  CHECK(record_of(bn) == after_one);
}

TEST_CASE(
    "batch_norm: frozen normalises by the record in train() and in eval(), and records nothing") {
  BatchNorm1d bn(2, exact);
  bn.set_stats_mode(StatsMode::frozen);
  CHECK(bn.stats_mode() == StatsMode::frozen);
  for (const bool training : {true, false}) {
    bn.train(training);
    CHECK(equal(bn(batch()), batch()));
    CHECK(record_of(bn) == initial);
  }
  bn.set_stats_mode(StatsMode::track);
  bn.train();
  CHECK(equal(bn(batch()), by_batch()));
}

TEST_CASE("batch_norm: one value a channel is enough where the record normalises") {
  BatchNorm1d bn(2, exact);
  bn.set_stats_mode(StatsMode::frozen);
  CHECK(equal(bn(tensor({{3, 4}})), tensor({{3, 4}})));
  bn.set_stats_mode(StatsMode::track);
  bn.eval();
  CHECK(equal(bn(tensor({{3, 4}})), tensor({{3, 4}})));
}

TEST_CASE("batch_norm: the mode is sticky; the parent's train() and eval() do not undo it") {
  for (const StatsMode mode : {StatsMode::track, StatsMode::hold, StatsMode::frozen}) {
    Sequential m{BatchNorm1d(2, exact)};
    auto& bn = m.at<BatchNorm1d>(0);
    bn.set_stats_mode(mode);
    m.eval();
    CHECK(bn.stats_mode() == mode);
    m.train();
    CHECK(bn.stats_mode() == mode);
    m(batch());
    CHECK(record_of(bn) == (mode == StatsMode::track ? after_one : initial));
  }
}

TEST_CASE("batch_norm: a printed layer shows its mode") {
  BatchNorm1d bn(2);
  bn.set_stats_mode(StatsMode::frozen);
  CHECK(fmt::format("{}", bn) ==
        "BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=true, stats=frozen)");
  bn.set_stats_mode(StatsMode::hold);
  CHECK(fmt::format("{}", bn) ==
        "BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=true, stats=hold)");
  CHECK(fmt::format("{} {} {}", StatsMode::track, StatsMode::hold, StatsMode::frozen) ==
        "track hold frozen");
}

TEST_CASE("batch_norm: NoGrad and frozen parameters say nothing about recording") {
  BatchNorm1d bn(2, exact);
  bn.requires_grad_(false);
  {
    const NoGrad guard;
    bn(batch());
  }
  CHECK(record_of(bn) == after_one);
}

// ---- built without a record ----

TEST_CASE("batch_norm: built untracked, the batch normalises in train() and in eval()") {
  BatchNorm1d bn(2, exact_untracked);
  CHECK(bn.stats_mode() == StatsMode::hold);
  CHECK_FALSE(bn.has_record());
  for (const bool training : {true, false}) {
    bn.train(training);
    CHECK(equal(bn(batch()), by_batch()));
    CHECK(equal(bn(batch() + 10), by_batch()));
    CHECK(record_of(bn) == initial);  // the buffers still answer, and stay so
  }
  CHECK_ERROR_MENTIONS(bn(tensor({{1, 2}})), "BatchNorm1d:", "without a record", "[1, 2]");
  bn.train();
  CHECK_ERROR_MENTIONS(bn(tensor({{1, 2}})), "BatchNorm1d:", "without a record", "[1, 2]");
}

TEST_CASE("batch_norm: built untracked, state_dict() holds weight and bias only") {
  BatchNorm1d bn(2, exact_untracked);
  CHECK(bn.state_dict().size() == 2);
  CHECK(bn.named_buffers().empty());
  CHECK_ERROR_MENTIONS(bn.load_state_dict(BatchNorm1d(2).state_dict()),
                       "load_state_dict:", "running_mean: the layer keeps no record",
                       "running_var: the layer keeps no record",
                       "num_batches_tracked: the layer keeps no record");
}

TEST_CASE("batch_norm: built untracked, turning tracking on binds a record and starts recording") {
  BatchNorm1d bn(2, exact_untracked);
  bn(batch());
  bn.track_running_stats(true);
  CHECK(bn.has_record());
  CHECK(bn.stats_mode() == StatsMode::track);
  CHECK(record_of(bn) == initial);
  CHECK(bn.state_dict().size() == 5);
  bn.eval();
  CHECK(equal(bn(batch()), batch()));
  bn.train();
  bn(batch());
  CHECK(record_of(bn) == after_one);
}

TEST_CASE("batch_norm: built untracked, tracking off again is hold once something was recorded") {
  BatchNorm1d bn(2, exact_untracked);
  bn.track_running_stats(true);
  SUBCASE("by a forward") { bn(batch()); }
  SUBCASE("by loading") {
    BatchNorm1d other(2);
    other(batch());
    bn.load_state_dict(other.state_dict());
  }
  SUBCASE("by hand") {
    bn.running_mean.copy_(tensor({0.2, 0.6}));
    bn.running_var.copy_(from_data(std::vector<double>(after_one.var), {2}));
    bn.num_batches_tracked.copy_(tensor(1, i64));
  }
  bn.track_running_stats(false);
  CHECK(bn.stats_mode() == StatsMode::hold);
  CHECK(bn.has_record());
  CHECK(bn.state_dict().size() == 5);
  bn(batch() * 3);
  CHECK(record_of(bn) == after_one);
}

TEST_CASE("batch_norm: built untracked, one buffer set by hand is something recorded") {
  for (const std::string name : {"running_mean", "running_var", "num_batches_tracked"}) {
    CAPTURE(name);
    BatchNorm1d bn(2, exact_untracked);
    bn.track_running_stats(true);
    for (auto& [path, b] : bn.named_buffers()) {
      if (path == name) b.copy_(ones_like(b));
    }
    bn.track_running_stats(false);
    CHECK(bn.has_record());
  }
}

TEST_CASE(
    "batch_norm: built untracked, tracking off before anything was recorded is no record again") {
  BatchNorm1d bn(2, exact_untracked);
  bn.track_running_stats(true);
  bn.track_running_stats(false);
  CHECK_FALSE(bn.has_record());
  CHECK(bn.state_dict().size() == 2);
  bn.eval();
  CHECK(equal(bn(batch()), by_batch()));

  bn.track_running_stats(true);  // an empty batch records nothing
  bn.train();
  bn(zeros({0, 2}));
  bn.track_running_stats(false);
  CHECK_FALSE(bn.has_record());

  bn.track_running_stats(true);  // nor does a batch, if every buffer is frozen
  bn.running_mean.freeze();
  bn.running_var.freeze();
  bn(batch());
  bn.track_running_stats(false);
  CHECK_FALSE(bn.has_record());
}

TEST_CASE("batch_norm: without a record, frozen is refused, and hold and reset change nothing") {
  BatchNorm1d bn(2, exact_untracked);
  CHECK_ERROR_MENTIONS(bn.set_stats_mode(StatsMode::frozen), "BatchNorm1d:", "this layer has none");
  CHECK(bn.stats_mode() == StatsMode::hold);
  bn.set_stats_mode(StatsMode::hold);
  bn.track_running_stats(false);
  bn.reset_running_stats();
  CHECK_FALSE(bn.has_record());
  CHECK_ERROR_MENTIONS(bn.running_mean.copy_(zeros({2})), "running_mean:", "keeps no record");
}
