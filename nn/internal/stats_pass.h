// A pass of batches through a model that measures its statistics.
#pragma once

#include <cairn/nn/internal/statistics.h>
#include <cairn/nn/stats.h>

namespace cairn::nn {

/// While it lives the model is in train(), and its layers that have a record are in `track`, with
/// no pool but the one that they are given. Afterwards all is as it was.
class StatsPass {
 public:
  struct Layer {
    std::shared_ptr<Statistics> statistics;
    StatsMode mode;              // before the pass
    std::shared_ptr<Pool> pool;  // before the pass
  };

  explicit StatsPass(Module& model);
  ~StatsPass();
  StatsPass(const StatsPass&) = delete;
  StatsPass& operator=(const StatsPass&) = delete;

  /// Calls the model without gradients with every batch, and counts them.
  static int64_t run(Module& model, const detail::NextBatch& next);

  const std::vector<Layer>& layers() const { return layers_; }

 private:
  std::vector<std::pair<Module*, bool>> flags_;
  std::vector<Layer> layers_;
};

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

}  // namespace cairn::nn
