// Random lives of a layer against the reference of the specification.
//
// A failure prints the life and its seed. With CAIRN_SEED=17 in the environment that life alone is
// lived; with CAIRN_LIVES=10000, so many.
#include "support/norm_life.h"
#include "support/seeds.h"

#include <doctest/doctest.h>

using namespace cairn::test;

TEST_CASE("batch_norm: random lives of a layer go as the specification says") {
  const auto [first, count, usual] = seeds("CAIRN_LIVES", 1000);
  std::map<std::string, int64_t> events;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Life life(seed);
    std::string failure;
    try {
      life.live();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    INFO("CAIRN_SEED=" << seed << "\n" << life.history());
    REQUIRE(failure == "");
    for (const auto& [event, times] : life.events()) events[event] += times;
    if (count == 1) MESSAGE("one life");
  }
  if (!usual) {
    MESSAGE(fmt::format("{} lives: {}", count, events));
    return;
  }
  // A kind of step that was hardly taken proves nothing.
  for (const std::string event :
       {"AccumulateStats", "SelectStats",    "StatsGuard", "assign",
        "backward",        "estimate",       "eval",       "forward",
        "freeze",          "load",           "mode",       "move",
        "not finite",      "pooled",         "recorded",   "refused",
        "replaced",        "requires_grad_", "reset",      "restore",
        "select",          "snapshot",       "throw",      "track_running_stats",
        "train",           "unfreeze"}) {
    CAPTURE(event);
    CHECK(events[event] >= 100);
  }
}
