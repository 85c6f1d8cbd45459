// Copies and restores the values of a model's records, and estimates them from batches.
#include <cairn/core/ops.h>
#include <cairn/nn/internal/stats_layers.h>
#include <cairn/nn/stats.h>

#include <fmt/format.h>

#include <algorithm>

namespace cairn::nn {

StatsSnapshot snapshot_stats(const Module& model) {
  StatsSnapshot snapshot;
  for (const StatsLayer& l : layers_of(model)) {
    if (!l.statistics->has_record) continue;
    auto& records = snapshot.layers.emplace_back(StatsSnapshot::Layer{l.path, {}}).records;
    for (const auto& r : l.statistics->records) {
      records.push_back({r->name, r->mean.clone(), r->var.clone(), r->count.clone()});
    }
  }
  return snapshot;
}

namespace {

// The reason why a layer cannot take these records; empty if it can.
std::string mismatch(const Statistics& s, const StatsSnapshot::Layer& given) {
  if (!s.has_record) return "the layer keeps no record; turn it on with track_running_stats(true)";
  for (const StatsSnapshot::Record& r : given.records) {
    if (!r.mean.defined() || !r.var.defined() || !r.count.defined()) {
      return "a tensor of its record is undefined";
    }
    if (r.mean.shape() != s.mean.shape() || r.var.shape() != s.var.shape() ||
        r.count.shape() != s.count.shape()) {
      return fmt::format("a record of shapes {}, {} and {}, the layer's are {}, {} and {}",
                         r.mean.shape(), r.var.shape(), r.count.shape(), s.mean.shape(),
                         s.var.shape(), s.count.shape());
    }
  }
  return "";
}

void plan_records(LoadPlan& plan, Statistics& s, const StatsSnapshot::Layer& given) {
  for (const StatsSnapshot::Record& r : given.records) {
    const std::shared_ptr<Record> record = s.find_or_make(r.name, plan);
    plan.write(record->mean, r.mean);
    plan.write(record->var, r.var);
    plan.write(record->count, r.count);
    plan.then([record] { record->assigned = true; });
  }
}

void write_snapshot(const char* op, Module& model, const StatsSnapshot& snapshot, bool complete) {
  const std::vector<StatsLayer> layers = layers_of(model);
  LoadPlan plan;
  for (const StatsSnapshot::Layer& given : snapshot.layers) {
    const auto found = std::ranges::find(layers, given.path, &StatsLayer::path);
    const bool there = found != layers.end();
    const std::string reason =
        there ? mismatch(*found->statistics, given) : "the model has no batch norm there";
    if (reason.empty()) {
      plan_records(plan, *found->statistics, given);
    } else {
      plan.problem(quoted(given.path) + ": " + reason);
    }
  }
  for (const StatsLayer& l : layers) {
    if (complete && l.statistics->has_record &&
        std::ranges::find(snapshot.layers, l.path, &StatsSnapshot::Layer::path) ==
            snapshot.layers.end()) {
      plan.problem(quoted(l.path) + ": the other model has no record there");
    }
  }
  plan.check(op);
  plan.commit();
}

}  // namespace

void restore_stats(Module& model, const StatsSnapshot& snapshot) {
  write_snapshot("restore_stats", model, snapshot, false);
}

void copy_stats(const Module& from, Module& to) {
  write_snapshot("copy_stats", to, snapshot_stats(from), true);
}

}  // namespace cairn::nn

// ---- estimating ----

namespace cairn::detail {

void estimate_running_stats(nn::Module& model, const NextBatch& next,
                            const nn::StatsOptions& options) {
  constexpr const char* op = "estimate_running_stats";
  const auto layers = nn::some_layers_of(op, model, options);
  const bool any = std::ranges::any_of(layers, [](auto& l) { return l.statistics->has_record; });
  if (!any && options.allow_none) return;
  check(any, "{}: no layer keeps a record: {}; turn tracking on first", op, nn::quoted(layers));
  const auto pool = std::make_shared<nn::EstimatingPool>();
  check(nn::run_pass(model, next, pool) > 0, "{}: there is no batch to estimate from", op);
  for (const nn::StatsLayer& l : nn::layers_of(model))
    l.statistics->write_estimates(*pool);  // cannot fail
}

}  // namespace cairn::detail
