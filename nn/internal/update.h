// Updates of running statistics, as values. A forward measures moments and makes an Update, which
// holds all that is needed to update the record later. apply() cannot fail: what it needs is
// allocated before.
#pragma once

#include <cairn/core/internal/norms.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn::nn {

struct Statistics;
struct Pool;

/// One named set of running statistics.
struct Record {
  /// Mean 0, variance 1, count 0.
  Record(std::string name, int64_t channels, DType dtype);

  std::string name;
  Tensor mean, var, count;
  bool assigned = false;     // was it ever written by copy_(), a load or a restored snapshot?
  double initial_share = 1;  // the weight that the initial 0 and 1 still have in mean and var
};

/// One forward's update of a record, with the layer's settings at the time of that forward.
struct Update {
  std::weak_ptr<Statistics> layer = {};  // apply() notes there that a record was updated
  std::shared_ptr<Record> record = {};
  detail::Moments moments = {};
  std::optional<double> momentum = {};  // nullopt: the record is the average of all batches
  bool mean_frozen = false, var_frozen = false, count_frozen = false;
  std::shared_ptr<Pool> pool = {};  // if not null, apply() adds the update to it

  /// The update of an empty batch changes nothing.
  void apply() const noexcept;
};

/// Collects updates instead of writing them into their records.
struct Pool {
  virtual ~Pool() = default;
  /// Allocates what add() needs for an update of this record. May throw.
  virtual void make_room(const std::shared_ptr<Record>& record) = 0;
  virtual void add(const Update& update) noexcept = 0;
};

/// Merges the updates of each record into one update, as if their batches had been one batch.
struct MergingPool : Pool {
  explicit MergingPool(std::shared_ptr<Pool> outer_) : outer(std::move(outer_)) {}
  void make_room(const std::shared_ptr<Record>& record) override;
  void add(const Update& update) noexcept override;

  std::shared_ptr<Pool> outer;  // of the enclosing scope, which gets the merged updates
  std::vector<Update> updates;  // one per record
};

/// Estimates each record from scratch. Every batch has the same weight. Freezes are ignored.
struct EstimatingPool : Pool {
  void make_room(const std::shared_ptr<Record>& record) override;
  void add(const Update& update) noexcept override;

  // Each record and its estimate.
  std::vector<std::pair<std::shared_ptr<Record>, std::shared_ptr<Record>>> estimates;
};

}  // namespace cairn::nn
