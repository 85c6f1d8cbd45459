// Lists the batch norms of a model, and runs batches through it to measure their statistics.
#pragma once

#include <cairn/nn/internal/statistics.h>
#include <cairn/nn/stats.h>

namespace cairn::nn {

/// One batch norm of a model.
struct StatsLayer {
  std::string path;
  std::shared_ptr<Statistics> statistics;
};

/// The batch norms that the predicate accepts. An empty predicate accepts all.
std::vector<StatsLayer> layers_of(Module& model, const StatsPredicate& predicate = {});
std::vector<StatsLayer> layers_of(const Module& model);

/// The same, and throws Error if there is none, unless the options allow it.
std::vector<StatsLayer> some_layers_of(const char* op, Module& model, const StatsOptions& options,
                                       const StatsPredicate& predicate = {});

/// The path as messages show it. A layer that is itself the model has an empty path.
std::string quoted(const std::string& path);
/// The paths of these layers, separated by commas.
std::string quoted(const std::vector<StatsLayer>& layers);

/// Calls the model with every batch, in train() and without gradients. Returns the number of
/// batches. Layers that have a record run in StatsMode::track, and `pool` collects their updates.
/// Training flags, modes and pools are restored at the end.
int64_t run_pass(Module& model, const detail::NextBatch& next, const std::shared_ptr<Pool>& pool);

}  // namespace cairn::nn
