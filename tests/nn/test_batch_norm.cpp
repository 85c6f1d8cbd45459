// Which statistics normalise, and when the record moves: the layer's truth table.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>

#include <fmt/format.h>

#include <array>
#include <limits>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// Two channels; means 2 and 6, biased variances 1 and 4, unbiased 4/3 and 16/3.
Tensor batch() { return tensor({{1, 4}, {1, 4}, {3, 8}, {3, 8}}); }

// eps so small that y is ±1 by the batch.
Tensor by_batch() { return tensor({{-1, -1}, {-1, -1}, {1, 1}, {1, 1}}); }
// By a record of (0, 1) it is x itself.
const BatchNormOptions exact{.eps = 0};
const BatchNormOptions exact_untracked{.eps = 0, .track_running_stats = false};

const Record initial = initial_record(2);
// 0.1 of the batch in float: 0.2f, 0.6f, 0.9 + 0.4/3, 0.9 + 1.6/3.
const Record after_one{
    {0.2f, 0.6f},
    {static_cast<float>(0.9 + 0.1 * 4 / 3), static_cast<float>(0.9 + 0.1 * 16 / 3)},
    1};

}  // namespace

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
  CHECK_ERROR(bn(tensor({{1, 2}})),
              "BatchNorm1d: without a record the batch normalises, in eval() too, and needs more "
              "than 1 value per channel, got input [1, 2]; use a larger batch, or "
              "track_running_stats(true) and eval()");
  bn.train();
  CHECK_ERROR(bn(tensor({{1, 2}})),
              "BatchNorm1d: without a record the batch normalises, in eval() too, and needs more "
              "than 1 value per channel, got input [1, 2]; use a larger batch, or "
              "track_running_stats(true) and eval()");
}

TEST_CASE("batch_norm: built untracked, state_dict() holds weight and bias only") {
  BatchNorm1d bn(2, exact_untracked);
  CHECK(bn.state_dict().size() == 2);
  CHECK(bn.named_buffers().empty());
  CHECK_ERROR(bn.load_state_dict(BatchNorm1d(2).state_dict()),
              "load_state_dict: nothing was loaded, because\n"
              "  running_mean: the layer keeps no record; turn it on with "
              "track_running_stats(true)\n"
              "  running_var: the layer keeps no record; turn it on with "
              "track_running_stats(true)\n"
              "  num_batches_tracked: the layer keeps no record; turn it on with "
              "track_running_stats(true)");
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
  CHECK_ERROR(
      bn.set_stats_mode(StatsMode::frozen),
      "BatchNorm1d: frozen normalises by the record, and this layer has none; turn tracking "
      "on first");
  CHECK(bn.stats_mode() == StatsMode::hold);
  bn.set_stats_mode(StatsMode::hold);
  bn.track_running_stats(false);
  bn.reset_running_stats();
  CHECK_FALSE(bn.has_record());
  CHECK_ERROR(bn.running_mean.copy_(zeros({2})),
              "running_mean: the layer keeps no record; turn it on with track_running_stats(true)");
}

// ---- each buffer by hand ----

TEST_CASE("batch_norm: each buffer is frozen for itself") {
  for (const std::array<bool, 3> frozen : {std::array{true, false, false},
                                           {false, true, false},
                                           {false, false, true},
                                           {true, true, false},
                                           {true, true, true}}) {
    CAPTURE(frozen[0]);
    CAPTURE(frozen[1]);
    CAPTURE(frozen[2]);
    BatchNorm1d bn(2, exact);
    if (frozen[0]) bn.running_mean.freeze();
    if (frozen[1]) bn.running_var.requires_grad_(false);
    if (frozen[2]) bn.num_batches_tracked.freeze();
    bn(batch());
    CHECK(record_of(bn).mean == (frozen[0] ? initial : after_one).mean);
    CHECK(record_of(bn).var == (frozen[1] ? initial : after_one).var);
    // It counts while any of the two moves, and it is not frozen itself.
    CHECK(record_of(bn).count == ((frozen[0] && frozen[1]) || frozen[2] ? 0 : 1));
    bn.running_mean.unfreeze();
    bn.running_var.unfreeze();
    bn.num_batches_tracked.unfreeze();
    bn.reset_running_stats();
    bn(batch());
    CHECK(record_of(bn) == after_one);
  }
}

TEST_CASE("batch_norm: reset, copy_() and loading write a frozen buffer too") {
  BatchNorm1d bn(2, exact), other(2, exact);
  other(batch());
  for (Buffer* b : {&bn.running_mean, &bn.running_var, &bn.num_batches_tracked}) b->freeze();
  bn.load_state_dict(other.state_dict());
  CHECK(record_of(bn) == after_one);
  bn.reset_running_stats();
  CHECK(record_of(bn) == initial);
  bn.running_mean.copy_(tensor({5, 6}));
  CHECK(record_of(bn).mean == std::vector<double>{5, 6});
  CHECK(bn.running_mean.frozen());
}

TEST_CASE("batch_norm: with all buffers frozen the gradient still reaches weight and bias") {
  BatchNorm1d bn(2, exact);
  for (Buffer* b : {&bn.running_mean, &bn.running_var, &bn.num_batches_tracked}) b->freeze();
  for (int i = 0; i < 2; ++i) {
    bn.zero_grad();
    sum(bn(batch()) * batch()).backward();
    CHECK(record_of(bn) == initial);
    CHECK(equal(bn.weight.grad(), tensor({4, 8})));  // Σ g xhat: -1 -1 +3 +3, -4 -4 +8 +8
    CHECK(equal(bn.bias.grad(), tensor({8, 24})));
  }
}

TEST_CASE("batch_norm: without momentum the record is the average of all batches") {
  BatchNorm1d bn(1, {.momentum = std::nullopt});
  for (const double mean : {1.0, 3.0, 8.0}) bn(tensor({{mean - 1}, {mean + 1}}));
  CHECK(close(bn.running_mean, tensor({4})));
  CHECK(close(bn.running_var, tensor({2})));
  CHECK(bn.num_batches_tracked.item<int64_t>() == 3);
}

TEST_CASE("batch_norm: the average with a frozen count takes 1 / (count before + 1)") {
  BatchNorm1d bn(1, {.momentum = std::nullopt});
  bn.num_batches_tracked.copy_(tensor(3, i64));
  bn.num_batches_tracked.freeze();
  for (int i = 0; i < 2; ++i) bn(tensor({{7}, {9}}));
  CHECK(equal(bn.running_mean, tensor({3.5})));  // 0 -> 8/4 -> 2 + (8 - 2)/4
  CHECK(bn.num_batches_tracked.item<int64_t>() == 3);
}

TEST_CASE("batch_norm: momentum 0 records nothing but the count, momentum 1 the last batch") {
  BatchNorm1d still(2, {.momentum = 0}), last(2, {.momentum = 1});
  for (auto* bn : {&still, &last}) bn->operator()(batch());
  CHECK(record_of(still) == Record{{0, 0}, {1, 1}, 1});
  CHECK(record_of(last).mean == std::vector<double>{2, 6});
}

// ---- a forward happens, or it does not ----

TEST_CASE("batch_norm: a forward that throws leaves the record as it was, to the last bit") {
  const auto check_with = [](BatchNorm& bn, const Tensor& x, const char* message) {
    const Record before = record_of(bn);
    const auto version = bn.running_mean.tensor().view_of().storage->version;
    CHECK_ERROR(bn(x), message);
    CHECK(record_of(bn) == before);
    CHECK(bn.running_mean.tensor().view_of().storage->version == version);
  };
  BatchNorm1d bn1(2);
  BatchNorm2d bn2(2);
  BatchNorm3d bn3(2);
  bn1(batch());
  check_with(bn1, zeros({4}), "BatchNorm1d: expected input (N, C) or (N, C, L), got rank 1 [4]");
  check_with(bn1, zeros({1, 2, 3, 4}),
             "BatchNorm1d: expected input (N, C) or (N, C, L), got rank 4 [1, 2, 3, 4]");
  check_with(bn2, zeros({8, 2, 4}),
             "BatchNorm2d: expected input (N, C, H, W), got rank 3 [8, 2, 4]");
  check_with(bn3, zeros({8, 2, 4, 4}),
             "BatchNorm3d: expected input (N, C, D, H, W), got rank 4 [8, 2, 4, 4]");
  check_with(bn1, zeros({4, 3}), "BatchNorm1d: input [4, 3] has 3 channels, the layer 2");
  check_with(bn1, zeros({0, 5}), "BatchNorm1d: input [0, 5] has 5 channels, the layer 2");
  check_with(bn1, zeros({1, 2}),
             "BatchNorm1d: training needs more than 1 value per channel, got input [1, 2]; use "
             "eval(), a larger batch, or StatsMode::frozen");
  check_with(bn1, zeros({1, 2, 1}),
             "BatchNorm1d: training needs more than 1 value per channel, got input [1, 2, 1]; use "
             "eval(), a larger batch, or StatsMode::frozen");
  check_with(bn1, zeros({4, 2}, f64),
             "BatchNorm1d: dtypes float64 of the input and float32 of the record do not mix; use "
             ".to(float32)");
  check_with(bn1, zeros({4, 2}, i64),
             "BatchNorm1d: dtypes int64 of the input and float32 of the record do not mix; use "
             ".to(float32)");
  check_with(bn1, Tensor(),
             "BatchNorm1d: the tensor is undefined (default-constructed or moved from); assign one "
             "first");
}

TEST_CASE(
    "batch_norm: a count moves with the record only, so the average is right after an error") {
  BatchNorm1d bn(1, {.momentum = std::nullopt});
  bn(tensor({{1}, {3}}));
  CHECK_THROWS_AS(bn(tensor({{5}})), Error);
  CHECK_THROWS_AS(bn(zeros({3, 2})), Error);
  bn(zeros({0, 1}));
  bn(tensor({{5}, {7}}));
  CHECK(close(bn.running_mean, tensor({4})));  // (2 + 6) / 2
  CHECK(bn.num_batches_tracked.item<int64_t>() == 2);
}

TEST_CASE(
    "batch_norm: an empty batch of the right shape gives an empty output and records nothing") {
  BatchNorm1d bn(2);
  BatchNorm2d bn2(2);
  for (const bool training : {true, false}) {
    bn.train(training);
    bn2.train(training);
    CHECK(bn(zeros({0, 2})).shape() == Shape{0, 2});
    CHECK(bn(zeros({3, 2, 0})).shape() == Shape{3, 2, 0});
    const Tensor x = zeros({0, 2, 4, 4}, {.requires_grad = true});
    const Tensor y = bn2(x);
    CHECK(y.shape() == Shape{0, 2, 4, 4});
    sum(y).backward();
    CHECK(x.grad().shape() == Shape{0, 2, 4, 4});
    CHECK(equal(bn2.weight.grad(), zeros({2})));
    CHECK(equal(bn2.bias.grad(), zeros({2})));
    CHECK(record_of(bn) == initial);
    CHECK(record_of(bn2) == initial);
  }
}

TEST_CASE("batch_norm: channels and dtype are checked also without affine and tracking") {
  BatchNorm1d bn(2, {.affine = false, .track_running_stats = false});
  CHECK_ERROR(bn(zeros({4, 3})), "BatchNorm1d: input [4, 3] has 3 channels, the layer 2");
  CHECK_ERROR(bn(zeros({0, 3})), "BatchNorm1d: input [0, 3] has 3 channels, the layer 2");
  CHECK_ERROR(bn(zeros({4, 2}, i64)),
              "BatchNorm1d: not defined for int64 [4, 2]; use .to(DType::float32) first");
  CHECK(bn(batch().to(DType::float64)).dtype() == DType::float64);  // nothing to disagree with
}

TEST_CASE("batch_norm: a batch that is not finite is recorded, or refused with check_finite") {
  const Tensor bad = tensor({{1, 4}, {1, not_a_number}});
  BatchNorm1d taken(2), refused(2, {.check_finite = true});
  taken(bad);
  CHECK(std::isnan(record_of(taken).mean[1]));
  CHECK(record_of(taken).mean[0] == 0.1f);
  CHECK(record_of(taken).count == 1);

  Sequential m{ReLU(), std::move(refused)};
  const auto& bn = m.at<BatchNorm1d>(1);
  CHECK_ERROR(
      m(tensor({{1, 4}, {1, not_a_number}})),
      "BatchNorm1d '1': the batch has mean nan and variance nan at channel 1; look for what "
      "is not finite in its input");
  CHECK_ERROR(
      m(tensor({{1, 4}, {std::numeric_limits<double>::infinity(), 2}})),
      "BatchNorm1d '1': the batch has mean inf and variance nan at channel 0; look for what "
      "is not finite in its input");
  CHECK(record_of(bn) == initial);
  m(batch());
  CHECK(record_of(bn).count == 1);
}

TEST_CASE("batch_norm: check_finite refuses what the record's dtype does not hold") {
  BatchNorm1d bn(1, {.check_finite = true});
  CHECK_ERROR(bn(tensor({{-1e30}, {1e30}})),
              "BatchNorm1d: the batch has mean 0 and variance 1.0000000300949327e+60 at channel 0, "
              "too large for a record of float32; scale its input down, or use .to(float64)");
  CHECK(record_of(bn) == Record{{0}, {1}, 0});
  bn.track_running_stats(false);
  CHECK(equal(bn(tensor({{-1e30}, {1e30}})), tensor({{-1}, {1}})));  // nothing is recorded
}

// ---- checks ----

TEST_CASE("batch_norm: options out of range are refused at construction") {
  CHECK_ERROR(BatchNorm1d(-1, {.affine = false, .track_running_stats = false}),
              "BatchNorm1d: num_features is -1; it must not be negative");
  CHECK(BatchNorm1d(0)(zeros({3, 0})).shape() == Shape{3, 0});
}

TEST_CASE("batch_norm: a record that is none is refused, naming the channel, and nothing changes") {
  BatchNorm1d bn(2);
  CHECK_ERROR(bn.running_var.copy_(tensor({1, -0.5})),
              "running_var: -0.5 at channel 1 is no variance");
  CHECK_ERROR(bn.running_var.copy_(tensor({not_a_number, 1})),
              "running_var: nan at channel 0 is no variance");
  CHECK_ERROR(bn.num_batches_tracked.copy_(tensor(-1, i64)),
              "num_batches_tracked: -1 is no number of batches");
  CHECK_ERROR(bn.num_batches_tracked.copy_(tensor(std::numeric_limits<int64_t>::max(), i64)),
              "num_batches_tracked: 9223372036854775807 is no number of batches");
  CHECK_ERROR(bn.running_mean.copy_(zeros({3})), "running_mean: [3] given, the model has [2]");
  StateDict state;
  for (const auto& [name, value] : BatchNorm1d(2).state_dict()) state[name] = value.clone();
  state["running_var"] = tensor({1, not_a_number});
  CHECK_ERROR(bn.load_state_dict(state),
              "load_state_dict: nothing was loaded, because\n"
              "  running_var: nan at channel 1 is no variance");
  CHECK(record_of(bn) == initial);
  bn.running_var.copy_(tensor({0, std::numeric_limits<double>::infinity()}));  // these are
}
