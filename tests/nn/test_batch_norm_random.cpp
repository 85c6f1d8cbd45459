// Random runs of a layer against the reference of the specification.
//
// A failure prints the run and its seed. CAIRN_SEED=17 in the environment makes that run alone;
// CAIRN_NORM_RUNS=10000 makes so many.
#include "support/norm_run.h"
#include "support/seeds.h"

#include <doctest/doctest.h>

using namespace cairn::test;

TEST_CASE("batch_norm: random runs of a layer go as the specification says") {
  const auto [first, count, usual] = seeds("CAIRN_NORM_RUNS", 1000);
  std::map<std::string, int64_t> events;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    NormRun run(seed);
    std::string failure;
    try {
      run.go();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    INFO("CAIRN_SEED=" << seed << "\n" << run.history());
    REQUIRE(failure == "");
    for (const auto& [event, times] : run.events()) events[event] += times;
    if (count == 1) MESSAGE("one run");
  }
  if (!usual) {
    MESSAGE(fmt::format("{} runs: {}", count, events));
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
