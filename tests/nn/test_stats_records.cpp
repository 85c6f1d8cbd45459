// Several named records a layer, and micro-batches that are recorded as one.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/random.h>

#include <fmt/format.h>

#include <stdexcept>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

Tensor input(int64_t n = 8) {
  manual_seed(11);
  return randn({n, 3}) * 2 + 1;
}

std::vector<std::string> names(const StateDict& dict) {
  std::vector<std::string> all;
  for (const auto& [name, value] : dict) all.push_back(name);
  return all;
}

}  // namespace

TEST_CASE("select_stats: the members show the selected record, and only it moves") {
  TwoNorms m;
  m(input());
  const Record main = record_of(m.first);
  select_stats(m, "adversarial", {.create = true});
  CHECK(m.first.selected_stats() == "adversarial");
  CHECK(record_of(m.first) == initial_record(3));
  m(input() + 5);
  const Record adversarial = record_of(m.first);
  CHECK(adversarial.count == 1);
  select_stats(m, "main");
  CHECK(record_of(m.first) == main);
  select_stats(m, "adversarial");
  CHECK(record_of(m.first) == adversarial);
}

TEST_CASE("select_stats: eval, frozen, reset and copy_ go by the selected record") {
  BatchNorm1d bn(3, {.eps = 0});
  bn(input());
  bn.eval();
  select_stats(bn, "other", {.create = true});
  CHECK(equal(bn(input()), input()));
  bn.running_mean.copy_(ones({3}));
  CHECK(equal(bn(input()), input() - 1));
  bn.reset_running_stats();
  CHECK(record_of(bn) == initial_record(3));
  select_stats(bn, "main");
  CHECK(bn.num_batches_tracked.item<int>() == 1);
}

TEST_CASE("select_stats: mode and freezes belong to the layer") {
  BatchNorm1d bn(3);
  bn.running_mean.freeze();
  select_stats(bn, "other", {.create = true});
  CHECK(bn.running_mean.frozen());
  bn(input());
  CHECK(record_of(bn).mean == initial_record(3).mean);
  CHECK_FALSE(record_of(bn).var == initial_record(3).var);
  bn.set_stats_mode(StatsMode::hold);
  select_stats(bn, "main");
  CHECK(bn.stats_mode() == StatsMode::hold);
}

TEST_CASE("select_stats: a message about a buffer names the record that it shows") {
  Sequential m{BatchNorm1d(3)};
  select_stats(m, "night", {.create = true});
  CHECK_ERROR_MENTIONS(m.at<BatchNorm>(0).running_var.copy_(full({3}, -1)),
                       "0.records.night.running_var:", "-1 at channel 0 is no variance");
  select_stats(m, "main");
  CHECK_ERROR_MENTIONS(m.at<BatchNorm>(0).running_var.copy_(full({3}, -1)),
                       "0.running_var:", "-1 at channel 0 is no variance");
}

TEST_CASE("select_stats: a tensor taken before shows the record that was selected then") {
  BatchNorm1d bn(3);
  const Tensor main = bn.running_mean;
  select_stats(bn, "night", {.create = true});
  const Tensor night = bn.running_mean;
  bn(input());
  CHECK(equal(main, zeros({3})));
  CHECK(equal(night, bn.running_mean));
  CHECK_FALSE(equal(night, main));
}

TEST_CASE("select_stats: a printed layer shows a record that is not main") {
  BatchNorm1d bn(2);
  select_stats(bn, "clean", {.create = true});
  CHECK(fmt::format("{}", bn) ==
        "BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=true, stats=track, record=clean)");
}

TEST_CASE("select_stats: a name that is no part of a path is an error") {
  BatchNorm1d bn(2);
  CHECK_ERROR_MENTIONS(select_stats(bn, ""), "select_stats:", "'' is empty or has a dot");
  CHECK_ERROR_MENTIONS(SelectStats(bn, "a.b"), "SelectStats:", "'a.b' is empty or has a dot");
  CHECK(bn.state_dict().size() == 5);
}

TEST_CASE("select_stats: a name that some layers lack names these layers, and selects nothing") {
  TwoNorms m;
  add_stats(m.rest, "night");
  CHECK_ERROR_MENTIONS(select_stats(m, "night"), "'first'", "'main', 'night'", "add_stats");
  CHECK_ERROR_MENTIONS(select_stats(m, "nigth"), "'first', 'rest.1'", "'main', 'night'");
  CHECK_ERROR_MENTIONS(SelectStats(m, "nigth"), "SelectStats:", "'first', 'rest.1'");
  CHECK(m.second().selected_stats() == "main");
  CHECK(stats_names(m) == std::vector<std::string>{"main", "night"});
  CHECK(stats_names(m.first) == std::vector<std::string>{"main"});
  select_stats(m.rest, "night");
  CHECK(m.second().selected_stats() == "night");
}

TEST_CASE("add_stats: adds a record where it is missing, and selects nothing") {
  TwoNorms m;
  m(input());
  add_stats(m.first, "night");
  select_stats(m.first, "night");
  m.first.running_mean.copy_(ones({3}));
  add_stats(m, "night");  // the first layer has it already
  CHECK(m.first.running_mean.at<float>({0}) == 1);
  CHECK(m.second().selected_stats() == "main");
  select_stats(m, "night");
  CHECK(record_of(m.second()) == initial_record(2));
}

TEST_CASE("select_stats: a layer without a record takes the name for the time when it has one") {
  Sequential m{BatchNorm1d(3), BatchNorm1d(3, {.track_running_stats = false})};
  add_stats(m.at<BatchNorm1d>(0), "night");
  select_stats(m, "night");
  CHECK(m.at<BatchNorm1d>(1).selected_stats() == "night");
}

TEST_CASE("erase_stats: erases an unselected record; a guard then leaves the selection alone") {
  TwoNorms m;
  add_stats(m, "night");
  {
    const SelectStats guard(m, "night");
    CHECK_ERROR_MENTIONS(erase_stats(m, "night"), "'first', 'rest.1'", "select another");
  }
  select_stats(m, "night");
  {
    const SelectStats guard(m, "main");
    erase_stats(m, "night");
  }
  CHECK(m.first.selected_stats() == "main");
  CHECK(stats_names(m) == std::vector<std::string>{"main"});
  CHECK_FALSE(m.state_dict().contains("first.records.night.running_mean"));
}

TEST_CASE("rename_stats: the values stay, selected or not") {
  TwoNorms m;
  select_stats(m, "night", {.create = true});
  m(input());
  const Record before = record_of(m.first);
  add_stats(m.rest, "day");
  CHECK_ERROR_MENTIONS(rename_stats(m, "night", "day"), "rename_stats:", "'rest.1' already");
  CHECK_ERROR_MENTIONS(rename_stats(m, "night", "main"), "'first', 'rest.1' already");
  CHECK_ERROR_MENTIONS(rename_stats(m, "night", "a.b"), "'a.b' is empty or has a dot");
  rename_stats(m, "night", "dusk");
  CHECK(m.first.selected_stats() == "dusk");
  CHECK(record_of(m.first) == before);
  CHECK(m.state_dict().contains("first.records.dusk.running_mean"));
}

TEST_CASE("copy_stats: copies one record to another, in frozen buffers too") {
  TwoNorms m;
  m(input());
  m.first.running_mean.freeze();
  CHECK_ERROR_MENTIONS(copy_stats(m, "main", "night"), "copy_stats:", "'first', 'rest.1'");
  copy_stats(m, "main", "night", {.create = true});
  const Record main = record_of(m.first);
  m(input() + 5);
  select_stats(m, "night");
  CHECK(record_of(m.first) == main);
  copy_stats(m, "main", "night");
  CHECK_FALSE(record_of(m.first) == main);
}

TEST_CASE("select_stats: in state_dict the plain names mean main, whatever is selected") {
  Sequential m{BatchNorm1d(3, {.affine = false})};
  auto& bn = m.at<BatchNorm>(0);
  m(input());
  const Tensor main = bn.running_mean.clone();
  select_stats(m, "adv", {.create = true});
  m(input() * 3);
  const StateDict dict = m.state_dict();
  CHECK(names(dict) ==
        std::vector<std::string>{"0.running_mean", "0.running_var", "0.num_batches_tracked",
                                 "0.records.adv.running_mean", "0.records.adv.running_var",
                                 "0.records.adv.num_batches_tracked"});
  CHECK(equal(dict.at("0.running_mean"), main));
  CHECK(equal(dict.at("0.records.adv.running_mean"), bn.running_mean));
}

TEST_CASE("load_state_dict: records are loaded into their names, and made where there were none") {
  TwoNorms a, b;
  select_stats(a, "adv", {.create = true});
  a(input());
  const Record adv = record_of(a.first);
  select_stats(a, "main");
  a(input() * 2);
  b.load_state_dict(a.state_dict());
  CHECK(record_of(b.first) == record_of(a.first));
  select_stats(b, "adv", {.create = true});
  CHECK(record_of(b.first) == adv);
  CHECK(b.first.num_batches_tracked.item<int>() == 1);
  // Into main while another is selected.
  TwoNorms c;
  select_stats(c, "adv", {.create = true});
  c.load_state_dict(a.state_dict());
  CHECK(record_of(c.first) == adv);
}

TEST_CASE("load_state_dict: a part of a record is an error, and then no record was made") {
  TwoNorms m;
  StateDict dict = m.state_dict();
  dict["first.records.adv.running_mean"] = zeros({3});
  dict["first.records.adv.running_var"] = full({3}, -1);
  CHECK_ERROR_MENTIONS(m.load_state_dict(dict), "load_state_dict:",
                       "first.records.adv.running_var: -1 at channel 0 is no variance",
                       "first.records.adv.num_batches_tracked: missing");
  CHECK(m.state_dict().size() == dict.size() - 2);
  BatchNorm1d untracked(3, {.track_running_stats = false});
  StateDict entries = untracked.state_dict();
  entries["records.adv.running_mean"] = zeros({3});
  CHECK_ERROR_MENTIONS(untracked.load_state_dict(entries),
                       "load_state_dict:", "records.adv.running_mean: the model has no such entry");
}

TEST_CASE("select_stats: snapshots, copies and to() see every record") {
  TwoNorms a, b;
  select_stats(a, "adv", {.create = true});
  a(input());
  const StatsSnapshot s = snapshot_stats(a);
  const Record adv = record_of(a.first);
  copy_stats(a, b);
  select_stats(b, "adv", {.create = true});
  CHECK(record_of(b.first) == adv);
  reset_running_stats(a);
  restore_stats(a, s);
  CHECK(record_of(a.first) == adv);
  a.to(DType::float64);
  CHECK(record_of(a.first) == adv);
  CHECK(a.first.running_mean.dtype() == DType::float64);
  CHECK(a.state_dict().at("first.running_mean").dtype() == DType::float64);
}

TEST_CASE("SelectStats: what each layer showed is shown again, after an exception too") {
  TwoNorms m;
  select_stats(m.rest, "other", {.create = true});
  try {
    const SelectStats guard(m, "adv", {.create = true});
    const SelectStats inner(m, "third", {.create = true});
    CHECK(m.second().selected_stats() == "third");
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
  }
  CHECK(m.first.selected_stats() == "main");
  CHECK(m.second().selected_stats() == "other");
}

TEST_CASE("AccumulateStats: micro-batches are recorded as the one batch they are") {
  const Tensor x = randn({24, 3}, f64) + tensor({0, 100, 1e9}, f64);  // far from 0, too
  for (const std::optional<double> momentum : {std::optional<double>(0.1), {}}) {
    BatchNorm1d pooled(3, {.momentum = momentum}), whole(3, {.momentum = momentum});
    pooled.to(DType::float64);
    whole.to(DType::float64);
    for (int round = 0; round < 2; ++round) {
      {
        const AccumulateStats guard(pooled);
        int64_t begin = 0;
        for (const int64_t n : {2, 9, 3, 10}) {
          pooled(x.slice(0, begin, begin + n));
          begin += n;
        }
        CHECK(pooled.num_batches_tracked.item<int>() == round);
      }
      whole(x);
      CHECK(pooled.num_batches_tracked.item<int>() == round + 1);
      CHECK(close(pooled.running_mean, whole.running_mean, {.relative = 1e-12}));
      CHECK(close(pooled.running_var, whole.running_var, {.relative = 1e-12}));
    }
  }
}

TEST_CASE("AccumulateStats: left by an exception, it records nothing") {
  TwoNorms m;
  try {
    const AccumulateStats guard(m);
    m(input());
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
  }
  CHECK(record_of(m.first) == initial_record(3));
  m(input());
  CHECK(m.first.num_batches_tracked.item<int>() == 1);
}

TEST_CASE("AccumulateStats: hold pools nothing, freezes hold, each record has a pool of its own") {
  TwoNorms m;
  m.second().set_stats_mode(StatsMode::hold);
  m.first.running_var.freeze();
  {
    const AccumulateStats guard(m);
    m(input());
    const SelectStats other(m, "adv", {.create = true});
    m(input() + 1);
    m(input() + 1);
  }
  CHECK(record_of(m.second()) == initial_record(2));
  CHECK(m.first.num_batches_tracked.item<int>() == 1);
  CHECK(record_of(m.first).var == initial_record(3).var);
  const Record main = record_of(m.first);
  select_stats(m, "adv", {.create = true});
  CHECK(m.first.num_batches_tracked.item<int>() == 1);
  CHECK_FALSE(record_of(m.first) == main);
}

TEST_CASE("AccumulateStats: nested ones give what they pooled to the one around") {
  BatchNorm1d nested(3), flat(3);
  {
    const AccumulateStats outer(nested);
    nested(input(4));
    {
      const AccumulateStats inner(nested);
      nested(input(6));
      nested(input(2));
    }
    CHECK(nested.num_batches_tracked.item<int>() == 0);
  }
  {
    const AccumulateStats guard(flat);
    for (const int64_t n : {4, 6, 2}) flat(input(n));
  }
  CHECK(nested.num_batches_tracked.item<int>() == 1);
  CHECK(close(nested.running_mean, flat.running_mean));
  CHECK(close(nested.running_var, flat.running_var));
}

TEST_CASE(
    "AccumulateStats: a record that was bound and lost inside stays if something was pooled") {
  BatchNorm1d bn(3, {.track_running_stats = false});
  {
    const AccumulateStats guard(bn);
    const StatsGuard track(bn, StatsMode::track);
    bn(input());
  }
  CHECK(bn.has_record());
  CHECK(bn.stats_mode() == StatsMode::hold);
  CHECK(bn.num_batches_tracked.item<int>() == 1);
}

TEST_CASE("AccumulateStats: an empty scope, and a model that dies in it, record nothing") {
  BatchNorm1d bn(3);
  { const AccumulateStats guard(bn); }
  CHECK(record_of(bn) == initial_record(3));
  auto gone = std::make_unique<BatchNorm1d>(3);
  const AccumulateStats guard(*gone);
  (*gone)(input());
  gone.reset();
}
