// A pass of batches through a model that measures its statistics. Internal.
#pragma once

#include <cairn/nn/internal/statistics.h>
#include <cairn/nn/stats.h>

namespace cairn::nn {

/// While it lives the model is in train(), and its layers that have a record are in `track`, record
/// at once and weigh batches as their momentum says; afterwards all is as it was.
class StatsPass {
 public:
  struct Saved {
    std::shared_ptr<Statistics> statistics;
    StatsMode mode;
    Statistics::Pool* pool;
    bool estimating;
  };

  explicit StatsPass(Module& model);
  ~StatsPass();
  StatsPass(const StatsPass&) = delete;
  StatsPass& operator=(const StatsPass&) = delete;

  /// Calls the model without gradients with every batch, and counts them.
  static int64_t run(Module& model, const detail::NextBatch& next);

  const std::vector<Saved>& layers() const { return layers_; }

 private:
  std::vector<std::pair<Module*, bool>> flags_;
  std::vector<Saved> layers_;
};

}  // namespace cairn::nn
