// Sets the modes and pools of a model, for good or for a scope. Each call first checks all layers
// and allocates what it needs. Then it changes the layers, which cannot fail.
#include <cairn/core/ops.h>
#include <cairn/nn/internal/call.h>
#include <cairn/nn/internal/stats_layers.h>
#include <cairn/nn/stats.h>

#include <exception>

namespace cairn::nn {

// ---- modes ----

namespace {

std::vector<StatsLayer> layers_to_set(const char* op, Module& model, StatsMode mode,
                                      const StatsPredicate& predicate,
                                      const StatsOptions& options) {
  std::vector<StatsLayer> layers = some_layers_of(op, model, options, predicate);
  if (mode != StatsMode::frozen) return layers;
  std::vector<StatsLayer> without;
  for (const StatsLayer& l : layers) {
    if (!l.statistics->has_record) without.push_back(l);
  }
  check(without.empty(),
        "{}: frozen normalises by the record, and there is none in {}; turn tracking on first, or "
        "leave them out with a predicate",
        op, quoted(without));
  return layers;
}

}  // namespace

int64_t set_stats_mode(Module& model, StatsMode mode, const StatsPredicate& predicate,
                       const StatsOptions& options) {
  const auto layers = layers_to_set("set_stats_mode", model, mode, predicate, options);
  for (const StatsLayer& l : layers) l.statistics->set_mode(mode);
  return static_cast<int64_t>(layers.size());
}

void reset_running_stats(Module& model, const StatsOptions& options) {
  const auto layers = some_layers_of("reset_running_stats", model, options);
  const Tensor zero = zeros({}), one = ones({});
  for (const StatsLayer& l : layers) {
    if (l.statistics->has_record) l.statistics->reset(zero, one);
  }
}

StatsGuard::StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate,
                       const StatsOptions& options) {
  const auto layers = layers_to_set("StatsGuard", model, mode, predicate, options);
  for (const StatsLayer& l : layers) {
    at_end.emplace_back([layer = std::weak_ptr(l.statistics), before = l.statistics->settings()] {
      if (const auto s = layer.lock()) s->restore(before);
    });
  }
  for (const StatsLayer& l : layers) l.statistics->set_mode(mode);
}

// ---- micro-batches ----

AccumulateStats::AccumulateStats(Module& model, const StatsOptions& options) {
  const std::vector<StatsLayer> layers = some_layers_of("AccumulateStats", model, options);
  std::vector<std::shared_ptr<Pool>> pools;
  for (const StatsLayer& l : layers) {
    const auto pool = std::make_shared<MergingPool>(l.statistics->pool);
    pools.push_back(pool);
    at_end.emplace_back(
        [layer = std::weak_ptr(l.statistics), pool, exceptions = std::uncaught_exceptions()] {
          const auto s = layer.lock();
          if (!s) return;
          s->pool = pool->outer;
          if (std::uncaught_exceptions() > exceptions) return;
          drain_into(*pool);  // updates made in the call that this scope is part of
          for (const Update& u : pool->updates) submit(s->update(u.record, u.moments));
        });
  }
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i].statistics->pool = pools[i];
}

}  // namespace cairn::nn

namespace cairn::detail {

StatsScope::~StatsScope() {
  for (const auto& f : at_end) f();
}

}  // namespace cairn::detail
