// The batch norms of a model, and a pass of batches that measures their statistics.
#pragma once

#include <cairn/nn/internal/statistics.h>
#include <cairn/nn/stats.h>

namespace cairn::nn {

/// A batch norm of a model.
struct StatsLayer {
  std::string path;
  std::shared_ptr<Statistics> statistics;
};

/// Those that the predicate takes.
std::vector<StatsLayer> layers_of(Module& model, const StatsPredicate& predicate = {});
std::vector<StatsLayer> layers_of(const Module& model);

/// The path as messages name it; a layer that is a model itself has an empty one.
std::string quoted(const std::string& path);

/// Calls the model with every batch, in train() and without gradients, and counts the batches.
/// Layers that have a record are in `track`, and `pool` takes their updates. Afterwards training
/// flags, modes and pools are as before.
int64_t run_pass(Module& model, const detail::NextBatch& next, const std::shared_ptr<Pool>& pool);

}  // namespace cairn::nn
