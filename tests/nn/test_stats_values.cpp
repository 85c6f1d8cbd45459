// Snapshots, copies and estimates of a model's records.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/random.h>

#include <cmath>
#include <limits>
#include <list>
#include <optional>
#include <span>
#include <stdexcept>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

std::vector<Tensor> batches(int n = 3) {
  manual_seed(3);
  std::vector<Tensor> xs;
  xs.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) xs.push_back(randn({5 + i, 3}) * (i + 1.0) + i);
  return xs;
}

// What estimating is, written down: the mean of the batches' means and of their unbiased variances.
Record averaged(const std::vector<Tensor>& xs) {
  Tensor mean = zeros({xs[0].size(1)}, f64), var = zeros_like(mean);
  for (const Tensor& x : xs) {
    const Tensor v = x.to(DType::float64);
    mean = mean + v.mean({0}) / static_cast<double>(xs.size());
    var = var + cairn::var(v, {0}) / static_cast<double>(xs.size());
  }
  return {mean.to_vector<double>(), var.to_vector<double>(), static_cast<int64_t>(xs.size())};
}

// Rounded once a batch to float, by at most 6e-8 of values up to 3.
void check_close(const Record& a, const Record& b) {
  const auto near = [](const std::vector<double>& x, const std::vector<double>& y) {
    const Shape shape{static_cast<int64_t>(x.size())};
    return close(from_data(x, shape), from_data(y, shape), {.relative = 1e-6, .absolute = 1e-6});
  };
  CHECK(near(a.mean, b.mean));
  CHECK(near(a.var, b.var));
  CHECK(a.count == b.count);
}

}  // namespace

TEST_CASE("snapshot_stats: a restored model has the very same bits, whatever moved since") {
  TwoNorms m;
  m(batches()[0]);
  const StatsSnapshot s = snapshot_stats(m);
  const Record first = record_of(m.first), second = record_of(m.second());
  m(batches()[1]);
  m.first.running_mean.freeze();
  m.first.set_stats_mode(StatsMode::hold);
  CHECK_FALSE(record_of(m.first) == first);
  restore_stats(m, s);
  CHECK(record_of(m.first) == first);
  CHECK(record_of(m.second()) == second);
  CHECK(m.first.running_mean.frozen());
  CHECK(m.first.stats_mode() == StatsMode::hold);
}

TEST_CASE("restore_stats: a record that is not finite comes back as it was") {
  BatchNorm1d bn(2);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  bn(tensor({{nan, 1}, {2, 3}}));
  const StatsSnapshot s = snapshot_stats(bn);
  bn.reset_running_stats();
  restore_stats(bn, s);
  CHECK(std::isnan(bn.running_var.at<double>({0})));
}

TEST_CASE("restore_stats: a snapshot with an undefined tensor is refused") {
  BatchNorm1d bn(3);
  StatsSnapshot s = snapshot_stats(bn);
  s.layers[0].records[0].var = {};
  CHECK_ERROR_MENTIONS(restore_stats(bn, s),
                       "restore_stats:", "the layer itself: a tensor of its record is undefined");
}

TEST_CASE("restore_stats: every layer that does not fit is listed, and nothing is written") {
  Sequential small{BatchNorm1d(3), BatchNorm1d(2), BatchNorm1d(4)};
  Sequential other{BatchNorm1d(3), BatchNorm1d(3), BatchNorm1d(4, {.track_running_stats = false}),
                   BatchNorm1d(1)};
  small[0](batches()[0]);
  CHECK_ERROR_MENTIONS(
      copy_stats(small, other), "copy_stats:", "'1': a record of shapes [2], [2] and []",
      "'2': the layer keeps no record", "'3': the other model has no record there");
  CHECK_ERROR_MENTIONS(restore_stats(other[0], snapshot_stats(small)),
                       "restore_stats:", "'0': the model has no batch norm there",
                       "'1': the model has no batch norm there",
                       "'2': the model has no batch norm there");
  CHECK(record_of(other.at<BatchNorm>(0)) == initial_record(3));
}

TEST_CASE("copy_stats: the records of one model become another's, their dtypes stay") {
  TwoNorms a, b;
  b.to(DType::float64);
  a(batches()[0]);
  copy_stats(a, b);
  CHECK(record_of(a.first) == record_of(b.first));
  CHECK(record_of(a.second()) == record_of(b.second()));
  CHECK(b.first.running_mean.dtype() == DType::float64);
}

TEST_CASE("estimate_running_stats: each batch weighs the same, and momentum has no say") {
  for (const std::optional<double> momentum : {std::optional<double>(), {0.1}, {1.0}}) {
    BatchNorm1d bn(3, {.momentum = momentum});
    bn(batches()[2]);
    estimate_running_stats(bn, batches());
    check_close(record_of(bn), averaged(batches()));
    bn(batches()[0]);
    CHECK(bn.num_batches_tracked.item<int>() == 4);
  }
}

TEST_CASE("estimate_running_stats: it equals a cumulative pass after a reset") {
  TwoNorms m;
  TwoNorms cumulative;
  copy_state(m, cumulative);
  estimate_running_stats(m, batches());
  BatchNorm1d reference(3, {.momentum = std::nullopt});
  for (const Tensor& x : batches()) reference(x);
  CHECK(record_of(m.first) == record_of(reference));
}

TEST_CASE("estimate_running_stats: batches come from any range, of tuples too, or a function") {
  const std::vector<Tensor> xs = batches();
  const auto estimated = [&](auto&& source) {
    BatchNorm1d bn(3);
    estimate_running_stats(bn, source);
    return record_of(bn);
  };
  const Record expected = estimated(xs);
  CHECK(estimated(std::list<Tensor>(xs.begin(), xs.end())) == expected);
  CHECK(estimated(std::span(xs)) == expected);
  std::vector<std::pair<Tensor, Tensor>> labelled;
  labelled.reserve(xs.size());
  for (const Tensor& x : xs) labelled.emplace_back(x, ones({1}));
  CHECK(estimated(labelled) == expected);
  std::size_t next = 0;
  CHECK(estimated([&]() -> std::optional<Tensor> {
          if (next == xs.size()) return std::nullopt;
          return xs[next++];
        }) == expected);
  BatchNorm1d bn(3);
  estimate_running_stats(bn, {xs[0], xs[1], xs[2]});
  CHECK(record_of(bn) == expected);
}

TEST_CASE("estimate_running_stats: flags, modes and freezes are as before, without gradients") {
  TwoNorms m;
  m.eval();
  m.rest.train();
  m.first.set_stats_mode(StatsMode::frozen);
  m.second().set_stats_mode(StatsMode::hold);
  m.second().running_var.freeze();
  m.second().num_batches_tracked.freeze();
  estimate_running_stats(m, batches());
  CHECK_FALSE(m.is_training());
  CHECK_FALSE(m.first.is_training());
  CHECK(m.rest.is_training());
  CHECK(m.first.stats_mode() == StatsMode::frozen);
  CHECK(m.second().stats_mode() == StatsMode::hold);
  check_close(record_of(m.first), averaged(batches()));
  CHECK(record_of(m.second()).var == initial_record(2).var);
  CHECK(record_of(m.second()).count == 0);
  CHECK_FALSE(record_of(m.second()).mean == initial_record(2).mean);
  CHECK_FALSE(m.first.weight.grad().defined());
}

TEST_CASE("estimate_running_stats: layers without a record are left out") {
  Sequential m{BatchNorm1d(3), BatchNorm1d(3, {.track_running_stats = false})};
  estimate_running_stats(m, batches());
  CHECK(m.state_dict().size() == 7);
  check_close(record_of(m.at<BatchNorm>(0)), averaged(batches()));
}

TEST_CASE("estimate_running_stats: a failure, or no batch, leaves every record as it was") {
  TwoNorms m;
  m(batches()[0]);
  m.eval();
  const Record first = record_of(m.first), second = record_of(m.second());
  int left = 2;
  const auto broken = [&]() -> std::optional<Tensor> {
    if (left-- == 0) throw std::runtime_error("the disk is gone");
    return batches()[0];
  };
  CHECK_THROWS_AS(estimate_running_stats(m, broken), std::runtime_error);
  CHECK_ERROR_MENTIONS(estimate_running_stats(m, std::vector<Tensor>{}),
                       "estimate_running_stats:", "there is no batch");
  const std::vector<Tensor> wrong{batches()[0], ones({4, 2})};
  CHECK_ERROR_MENTIONS(estimate_running_stats(m, wrong), "BatchNorm1d 'first':", "[4, 2]",
                       "2 channels");
  CHECK(record_of(m.first) == first);
  CHECK(record_of(m.second()) == second);
  CHECK_FALSE(m.is_training());
  BatchNorm1d untracked(3, {.track_running_stats = false});
  untracked.track_running_stats(true);
  CHECK_THROWS(estimate_running_stats(untracked, wrong));
  untracked.track_running_stats(false);
  CHECK_FALSE(untracked.has_record());
}
