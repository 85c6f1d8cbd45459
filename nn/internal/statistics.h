// The running statistics of one batch norm layer: its records, and the settings that decide how
// they are updated. They are on the heap, so that the guards of nn/stats.h can refer to them when
// the layer is moved or destroyed.
#pragma once

#include <cairn/core/load_plan.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/internal/update.h>

#include <list>
#include <memory>
#include <optional>
#include <string_view>

namespace cairn::nn {

struct Statistics : std::enable_shared_from_this<Statistics> {
  /// What a StatsGuard restores.
  struct Settings {
    StatsMode mode;
    bool has_record, mean_frozen, var_frozen, count_frozen;
  };

  /// Creates the record "main" and selects it.
  Statistics(Buffer& mean, Buffer& var, Buffer& count, const BatchNormOptions& options);
  /// Throws Error if the layer was moved from.
  static const std::shared_ptr<Statistics>& of(const BatchNorm& layer);

  // ---- modes ----
  /// The caller has checked that there is a record if `next` is frozen.
  void set_mode(StatsMode next) noexcept;
  Settings settings() const noexcept;
  /// A layer that has got a record in the meantime keeps it if the record was written.
  void restore(const Settings& settings) noexcept;
  /// Was any record ever updated, assigned or loaded? Turning tracking off keeps it then.
  bool was_written() const noexcept;

  // ---- updates ----
  /// Allocates what an update of the selected record needs. May throw.
  void make_room() {
    if (pool != nullptr) pool->make_room(selected);
  }
  /// The update of this record by these moments, with the layer's present settings.
  Update update(const std::shared_ptr<Record>& record, const detail::Moments& moments) noexcept;
  /// Writes each estimate into its record, except into frozen buffers.
  void write_estimates(const EstimatingPool& estimated) noexcept;

  // ---- records ----
  std::shared_ptr<Record> find(std::string_view name) const noexcept;
  /// The record of this name. If there is none, a new record, which plan.commit() adds.
  std::shared_ptr<Record> find_or_make(std::string_view name, LoadPlan& plan);
  /// Sets the selected record to (0, 1, 0), including frozen buffers.
  void reset(const Tensor& zero, const Tensor& one) noexcept;
  /// Takes over the mode, the set of records and which is selected, but not their values.
  void copy_settings(const Statistics& from);
  /// Makes the layer's buffers show this record. Forwards then use and update it.
  void select(std::shared_ptr<Record> record) noexcept;

  StatsMode mode = StatsMode::track;
  bool has_record = true;  // false: the batch normalises, and the buffers read 0, 1 and 0
  bool built_untracked;    // was the layer constructed with track_running_stats = false?
  bool updated = false;    // was any record ever updated or estimated?
  std::optional<double> momentum;
  double eps;
  Buffer &mean, &var, &count;                  // the layer's buffers, which hold the freezes
  std::list<std::shared_ptr<Record>> records;  // "main" first
  std::shared_ptr<Record> selected;
  std::shared_ptr<Pool> pool;
};

}  // namespace cairn::nn
