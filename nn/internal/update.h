// Updates of running statistics. A forward measures moments and makes an Update, a value that holds
// everything that decides what becomes of the record. Applying it cannot fail: whatever may throw
// comes before.
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
  bool assigned = false;         // was it ever written by copy_(), a load or a restored snapshot?
  double weight_of_initial = 1;  // the share that 0 and 1, the initial values, still have in it
};

/// What one forward does to a record, with the layer's settings as they were when it measured.
struct Update {
  std::weak_ptr<Statistics> layer = {};  // learns that it has been updated
  std::shared_ptr<Record> record = {};
  detail::Moments moments = {};
  std::optional<double> momentum = {};  // nullopt: the record is the average of all batches
  bool mean_frozen = false, var_frozen = false, count_frozen = false;
  std::shared_ptr<Pool> pool = {};  // takes the update in the record's place, if there is one

  /// Moments of no values change nothing.
  void apply() const noexcept;
};

/// Takes updates in the place of the records that they are for.
struct Pool {
  virtual ~Pool() = default;
  /// Before an update of this record is added; may throw.
  virtual void make_room(const std::shared_ptr<Record>& record) = 0;
  virtual void add(const Update& update) noexcept = 0;
};

/// Merges the updates of each record into one, as if their values had been one batch.
struct MergingPool : Pool {
  explicit MergingPool(std::shared_ptr<Pool> outer_) : outer(std::move(outer_)) {}
  void make_room(const std::shared_ptr<Record>& record) override;
  void add(const Update& update) noexcept override;

  std::shared_ptr<Pool> outer;  // that of the scope around, which gets the merged updates
  std::vector<Update> updates;  // one a record
};

/// Estimates each record anew: every batch weighs the same, and nothing is frozen.
struct EstimatingPool : Pool {
  void make_room(const std::shared_ptr<Record>& record) override;
  void add(const Update& update) noexcept override;

  std::vector<std::pair<std::shared_ptr<Record>, std::shared_ptr<Record>>> estimates;  // of, new
};

}  // namespace cairn::nn
