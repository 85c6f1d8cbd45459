// The statistics of a whole model: all of its layers are set, selected, written or none is.
#include "allocation/every_allocation.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Net = nn::Sequential;

std::shared_ptr<Net> make() {
  manual_seed(1);
  auto net = std::make_shared<Net>(nn::BatchNorm1d(4), nn::Linear(4, 3), Net(nn::BatchNorm1d(3)));
  (*net)(randn({5, 4}));
  return net;
}

Bits all_of(const Net& net) { return state(net) << values(net.state_dict()); }
Bits values_of(const Net& net) { return values(net.state_dict()) << to_string(net); }

// Fails every allocation of call(net), which must leave what `unchanged` writes down.
template <class Call>
void fail_on(const char* name, Call call, Bits (*unchanged)(const Net&) = all_of) {
  const Tensor x = randn({6, 4});
  const Tried tried = fail_every_allocation(name, [&] {
    auto net = make();
    return Trial{[=] { call(*net); }, [=] { return unchanged(*net); },
                 [=] {
                   call(*net);
                   return values((*net)(x)) << values_of(*net);
                 },
                 true};
  });
  CHECK(tried);
  CHECK(tried.failures > 10);
}

}  // namespace

TEST_CASE("statistics of a model: set for all of its layers or none, whatever allocation fails") {
  fail_on("set_stats_mode", [](Net& m) { nn::set_stats_mode(m, nn::StatsMode::frozen); });
  fail_on("reset_running_stats", [](Net& m) { nn::reset_running_stats(m); });
  fail_on("select_stats",
          [](Net& m) { nn::select_stats(m, "a_name_that_is_long_enough", {.create = true}); });
  fail_on("add_stats", [](Net& m) { nn::add_stats(m, "a_name_that_is_long_enough"); });
  fail_on("stats_names", [](Net& m) { nn::stats_names(m); });
  fail_on("snapshot_stats", [](Net& m) { nn::snapshot_stats(m); });
  fail_on("audit_stats", [](Net& m) { to_string(nn::audit_stats(m)); });
  fail_on("StatsGuard", [](Net& m) { const nn::StatsGuard guard(m, nn::StatsMode::hold); });
  fail_on("SelectStats", [](Net& m) {
    const nn::SelectStats guard(m, "a_name_that_is_long_enough", {.create = true});
  });
  fail_on("AccumulateStats", [](Net& m) { nn::AccumulateStats guard(m); });
}

TEST_CASE("named records: erased, renamed and copied in all layers or none, whatever fails") {
  const auto fail_with_record = [](const char* name, auto call) {
    const Tried tried = fail_every_allocation(name, [&] {
      auto net = make();
      nn::add_stats(*net, "a_name_that_is_long_enough");
      return Trial{[=] { call(*net); }, [=] { return all_of(*net); },
                   [=] {
                     call(*net);
                     return values_of(*net);
                   },
                   true};
    });
    CHECK(tried);
  };
  fail_with_record("erase_stats", [](Net& m) { nn::erase_stats(m, "a_name_that_is_long_enough"); });
  fail_with_record("rename_stats", [](Net& m) {
    nn::rename_stats(m, "a_name_that_is_long_enough", "another_name_that_is_long_enough");
  });
  fail_with_record("copy_stats",
                   [](Net& m) { nn::copy_stats(m, "main", "a_name_that_is_long_enough"); });
}

TEST_CASE("statistics of a model: written to all of its layers or none, whatever fails") {
  const auto other = make();
  nn::select_stats(*other, "other", {.create = true});
  (*other)(ones({5, 4}) * tensor({1, 2, 3, 4}));
  const nn::StatsSnapshot snapshot = nn::snapshot_stats(*other);
  const StateDict dict = other->state_dict();
  fail_on("restore_stats", [&](Net& m) { nn::restore_stats(m, snapshot); });
  fail_on("copy_stats", [&](Net& m) { nn::copy_stats(*other, m); });
  fail_on("load_state_dict with records", [&](Net& m) { m.load_state_dict(dict); });
  const std::vector<Tensor> batches{randn({5, 4}), randn({7, 4})};
  // Records that have moved are written back, which their versions count.
  fail_on(
      "estimate_running_stats", [&](Net& m) { nn::estimate_running_stats(m, batches); }, values_of);
}

TEST_CASE("AccumulateStats: a forward that fails pools nothing, whatever allocation fails") {
  const Tensor x = randn({6, 3});
  const Tried tried = fail_every_allocation("pooled forward", [&] {
    auto bn = std::make_shared<nn::BatchNorm1d>(3);
    auto guard = std::make_shared<std::unique_ptr<nn::AccumulateStats>>(
        std::make_unique<nn::AccumulateStats>(*bn));
    return Trial{[=] { (*bn)(x); }, [=] { return state(*bn); },
                 [=] {
                   (*bn)(x * 2);
                   guard->reset();
                   return values(bn->state_dict());
                 },
                 true};
  });
  CHECK(tried);
  CHECK(tried.failures > 20);
}
