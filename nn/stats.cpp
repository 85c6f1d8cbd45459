// Sets the modes, selected records and pools of a model, for good or for a scope. Each call first
// checks all layers and allocates what it needs. Then it changes the layers, which cannot fail.
#include <cairn/core/ops.h>
#include <cairn/nn/internal/stats_layers.h>
#include <cairn/nn/stats.h>

#include <exception>

namespace cairn::nn {

// ---- modes ----

namespace {

std::vector<StatsLayer> layers_to_set(const char* op, Module& model, StatsMode mode,
                                      const StatsPredicate& predicate) {
  std::vector<StatsLayer> layers = layers_of(model, predicate);
  std::string paths;
  for (const StatsLayer& l : layers) {
    if (mode != StatsMode::frozen || l.statistics->has_record) continue;
    paths += (paths.empty() ? "" : ", ") + quoted(l.path);
  }
  check(paths.empty(),
        "{}: frozen normalises by the record, and there is none in {}; turn tracking on first, or "
        "leave them out with a predicate",
        op, paths);
  return layers;
}

}  // namespace

void set_stats_mode(Module& model, StatsMode mode, const StatsPredicate& predicate) {
  for (const StatsLayer& l : layers_to_set("set_stats_mode", model, mode, predicate)) {
    l.statistics->set_mode(mode);
  }
}

void reset_running_stats(Module& model) {
  const std::vector<StatsLayer> layers = layers_of(model);
  const Tensor zero = zeros({}), one = ones({});
  for (const StatsLayer& l : layers) {
    if (l.statistics->has_record) l.statistics->reset(zero, one);
  }
}

StatsGuard::StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate) {
  const std::vector<StatsLayer> layers = layers_to_set("StatsGuard", model, mode, predicate);
  for (const StatsLayer& l : layers) {
    at_end.emplace_back([layer = std::weak_ptr(l.statistics), before = l.statistics->settings()] {
      if (const auto s = layer.lock()) s->restore(before);
    });
  }
  for (const StatsLayer& l : layers) l.statistics->set_mode(mode);
}

// ---- named records ----

namespace {

void select_in(const std::vector<StatsLayer>& layers, const char* op, std::string_view name) {
  check(!name.empty() && name.find('.') == std::string_view::npos,
        "{}: a record's name is part of a path; '{}' is empty or has a dot", op, name);
  LoadPlan plan;  // adds the records that are missing
  std::vector<std::shared_ptr<Record>> records;
  records.reserve(layers.size());
  for (const StatsLayer& l : layers) records.push_back(l.statistics->find_or_make(name, plan));
  plan.check(op);
  plan.commit();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].statistics->select(std::move(records[i]));
  }
}

}  // namespace

void select_stats(Module& model, std::string_view name) {
  select_in(layers_of(model), "select_stats", name);
}

SelectStats::SelectStats(Module& model, std::string_view name) {
  const std::vector<StatsLayer> layers = layers_of(model);
  for (const StatsLayer& l : layers) {
    at_end.emplace_back([layer = std::weak_ptr(l.statistics), before = l.statistics->selected] {
      if (const auto s = layer.lock()) s->select(before);
    });
  }
  select_in(layers, "SelectStats", name);
}

// ---- micro-batches ----

AccumulateStats::AccumulateStats(Module& model) {
  const std::vector<StatsLayer> layers = layers_of(model);
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
          for (const Update& u : pool->updates) s->update(u.record, u.moments).apply();
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
