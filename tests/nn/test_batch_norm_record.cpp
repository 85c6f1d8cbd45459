// How a record is updated: freezing each buffer, momentum, and the average over all batches.
#include "nn/two_channels.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <array>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;
using namespace cairn::test::two_channels;

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
