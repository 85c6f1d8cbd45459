// Modes, selected records and pools of a model, at once or for a scope. Each call looks at all
// layers first and makes what it needs; then it changes them, which cannot fail.
#include <cairn/core/ops.h>
#include <cairn/nn/internal/stats_pass.h>
#include <cairn/nn/stats.h>

#include <exception>

namespace cairn::nn {

std::vector<StatsLayer> layers_of(Module& model, const StatsPredicate& predicate) {
  std::vector<StatsLayer> layers;
  for (auto& [path, module] : model.named_modules()) {
    auto* const layer = dynamic_cast<BatchNorm*>(&module);
    if (layer == nullptr || (predicate && !predicate(path, *layer))) continue;
    layers.push_back({path, Statistics::of(*layer)});
  }
  return layers;
}

std::vector<StatsLayer> layers_of(const Module& model) {
  return layers_of(const_cast<Module&>(model));
}

std::string quoted(const std::string& path) {
  return path.empty() ? "the layer itself" : "'" + path + "'";
}

// ---- modes ----

namespace {

std::vector<StatsLayer> layers_to_set(const char* op, Module& model, StatsMode mode,
                                      const StatsPredicate& predicate) {
  std::vector<StatsLayer> layers = layers_of(model, predicate);
  std::string without;
  for (const StatsLayer& l : layers) {
    if (mode != StatsMode::frozen || l.statistics->has_record) continue;
    without += (without.empty() ? "" : ", ") + quoted(l.path);
  }
  check(without.empty(),
        "{}: frozen normalises by the record, and there is none in {}; turn tracking on first, or "
        "leave them out with a predicate",
        op, without);
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

struct StatsGuard::Saved {
  std::weak_ptr<Statistics> layer;
  Statistics::Settings settings;
};

StatsGuard::StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate) {
  const std::vector<StatsLayer> layers = layers_to_set("StatsGuard", model, mode, predicate);
  for (const StatsLayer& l : layers) saved_.push_back({l.statistics, l.statistics->settings()});
  for (const StatsLayer& l : layers) l.statistics->set_mode(mode);
}

StatsGuard::~StatsGuard() {
  for (const Saved& saved : saved_) {
    if (const auto layer = saved.layer.lock()) layer->restore(saved.settings);
  }
}

// ---- named records ----

struct SelectStats::Saved {
  std::weak_ptr<Statistics> layer;
  std::shared_ptr<Record> selected;
};

namespace {

void select_in(const std::vector<StatsLayer>& layers, const char* op, std::string_view name) {
  check(!name.empty() && name.find('.') == name.npos,
        "{}: a record's name is part of a path; '{}' is empty or has a dot", op, name);
  LoadPlan plan;  // adds the records that are missing
  std::vector<std::shared_ptr<Record>> records;
  for (const StatsLayer& l : layers) records.push_back(l.statistics->find_or_make(name, plan));
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
  for (const StatsLayer& l : layers) saved_.push_back({l.statistics, l.statistics->selected});
  select_in(layers, "SelectStats", name);
}

SelectStats::~SelectStats() {
  for (const Saved& saved : saved_) {
    if (const auto layer = saved.layer.lock()) layer->select(saved.selected);
  }
}

// ---- micro-batches ----

struct AccumulateStats::Pooled {
  std::weak_ptr<Statistics> layer;
  std::shared_ptr<MergingPool> pool;
};

AccumulateStats::AccumulateStats(Module& model) : exceptions_(std::uncaught_exceptions()) {
  const std::vector<StatsLayer> layers = layers_of(model);
  for (const StatsLayer& l : layers) {
    layers_.push_back({l.statistics, std::make_shared<MergingPool>(l.statistics->pool)});
  }
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i].statistics->pool = layers_[i].pool;
}

AccumulateStats::~AccumulateStats() {
  const bool dropped = std::uncaught_exceptions() > exceptions_;
  for (const Pooled& p : layers_) {
    const auto layer = p.layer.lock();
    if (!layer) continue;
    layer->pool = p.pool->outer;
    if (dropped) continue;
    for (const Update& u : p.pool->updates) layer->update(u.record, u.moments).apply();
  }
}

}  // namespace cairn::nn
