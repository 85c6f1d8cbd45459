// What a layer refuses, and that a forward which throws leaves its record as it was.
#include "nn/two_channels.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/layers.h>

#include <cmath>
#include <limits>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;
using namespace cairn::test::two_channels;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// ---- a forward happens, or it does not ----

TEST_CASE("batch_norm: a forward that throws leaves the record as it was, to the last bit") {
  const auto check_with = [](BatchNorm& bn, const Tensor& x,
                             std::initializer_list<std::string_view> mentioned) {
    const Record before = record_of(bn);
    const auto version = bn.running_mean.tensor().view_of().storage->version;
    CHECK(throws_error([&] { bn(x); }, mentioned));
    CHECK(record_of(bn) == before);
    CHECK(bn.running_mean.tensor().view_of().storage->version == version);
  };
  BatchNorm1d bn1(2);
  BatchNorm2d bn2(2);
  BatchNorm3d bn3(2);
  bn1(batch());
  check_with(bn1, zeros({4}), {"BatchNorm1d:", "rank 1", "[4]"});
  check_with(bn1, zeros({1, 2, 3, 4}), {"BatchNorm1d:", "rank 4", "[1, 2, 3, 4]"});
  check_with(bn2, zeros({8, 2, 4}), {"BatchNorm2d:", "rank 3", "[8, 2, 4]"});
  check_with(bn3, zeros({8, 2, 4, 4}), {"BatchNorm3d:", "rank 4", "[8, 2, 4, 4]"});
  check_with(bn1, zeros({4, 3}), {"BatchNorm1d:", "[4, 3]", "3 channels"});
  check_with(bn1, zeros({0, 5}), {"BatchNorm1d:", "[0, 5]", "5 channels"});
  check_with(bn1, zeros({1, 2}), {"BatchNorm1d:", "more than 1 value", "[1, 2]"});
  check_with(bn1, zeros({1, 2, 1}), {"BatchNorm1d:", "more than 1 value", "[1, 2, 1]"});
  check_with(bn1, zeros({4, 2}, f64),
             {"BatchNorm1d:", "float64 of the input", "float32 of the record"});
  check_with(bn1, zeros({4, 2}, i64),
             {"BatchNorm1d:", "int64 of the input", "float32 of the record"});
  check_with(bn1, Tensor(), {"BatchNorm1d:", "is undefined"});
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
  CHECK_ERROR_MENTIONS(bn(zeros({4, 3})), "BatchNorm1d:", "[4, 3]", "3 channels");
  CHECK_ERROR_MENTIONS(bn(zeros({0, 3})), "BatchNorm1d:", "[0, 3]", "3 channels");
  CHECK_ERROR_MENTIONS(bn(zeros({4, 2}, i64)), "BatchNorm1d:", "not defined", "int64 [4, 2]");
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
  CHECK_ERROR_MENTIONS(m(tensor({{1, 4}, {1, not_a_number}})),
                       "BatchNorm1d '1':", "mean nan and variance nan at channel 1");
  CHECK_ERROR_MENTIONS(m(tensor({{1, 4}, {std::numeric_limits<double>::infinity(), 2}})),
                       "BatchNorm1d '1':", "mean inf and variance nan at channel 0");
  CHECK(record_of(bn) == initial);
  m(batch());
  CHECK(record_of(bn).count == 1);
}

TEST_CASE("batch_norm: check_finite refuses what the record's dtype does not hold") {
  BatchNorm1d bn(1, {.check_finite = true});
  CHECK_ERROR_MENTIONS(bn(tensor({{-1e30}, {1e30}})),
                       "BatchNorm1d:", "mean 0 and variance 1.0000000300949327e+60 at channel 0",
                       "too large for a record of float32");
  CHECK(record_of(bn) == Record{{0}, {1}, 0});
  bn.track_running_stats(false);
  CHECK(equal(bn(tensor({{-1e30}, {1e30}})), tensor({{-1}, {1}})));  // nothing is recorded
}

// ---- checks ----

TEST_CASE("batch_norm: options out of range are refused at construction") {
  CHECK_ERROR_MENTIONS(BatchNorm1d(-1, {.affine = false, .track_running_stats = false}),
                       "BatchNorm1d:", "num_features is -1");
  CHECK(BatchNorm1d(0)(zeros({3, 0})).shape() == Shape{3, 0});
}

TEST_CASE("batch_norm: a record that is none is refused, naming the channel, and nothing changes") {
  BatchNorm1d bn(2);
  CHECK_ERROR_MENTIONS(bn.running_var.copy_(tensor({1, -0.5})),
                       "running_var:", "-0.5 at channel 1 is no variance");
  CHECK_ERROR_MENTIONS(bn.running_var.copy_(tensor({not_a_number, 1})),
                       "running_var:", "nan at channel 0 is no variance");
  CHECK_ERROR_MENTIONS(bn.num_batches_tracked.copy_(tensor(-1, i64)),
                       "num_batches_tracked:", "-1 is no number of batches");
  CHECK_ERROR_MENTIONS(
      bn.num_batches_tracked.copy_(tensor(std::numeric_limits<int64_t>::max(), i64)),
      "num_batches_tracked:", "9223372036854775807 is no number of batches");
  CHECK_ERROR_MENTIONS(bn.running_mean.copy_(zeros({3})), "running_mean:", "[3]", "[2]");
  StateDict state;
  for (const auto& [name, value] : BatchNorm1d(2).state_dict()) state[name] = value.clone();
  state["running_var"] = tensor({1, not_a_number});
  CHECK_ERROR_MENTIONS(bn.load_state_dict(state),
                       "load_state_dict:", "running_var: nan at channel 1 is no variance");
  CHECK(record_of(bn) == initial);
  bn.running_var.copy_(tensor({0, std::numeric_limits<double>::infinity()}));  // these are
}
