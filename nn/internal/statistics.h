// The running statistics of one batch norm layer: its records, and what decides which of them is
// updated. They lie on the heap, so that the guards of nn/stats.h can point to them while the layer
// moves or dies.
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

  /// With one record, "main", which the layer's buffers show from now on.
  Statistics(Buffer& mean, Buffer& var, Buffer& count, const BatchNormOptions& options);
  /// Throws Error if the layer was moved from.
  static const std::shared_ptr<Statistics>& of(const BatchNorm& layer);

  // ---- modes ----
  /// Refuses nothing: that frozen needs a record is checked before.
  void set_mode(StatsMode next) noexcept;
  Settings settings() const noexcept;
  /// A layer that has got a record since keeps it if it has content.
  void restore(const Settings& settings) noexcept;
  /// Was anything ever updated, assigned or loaded? Then turning tracking off keeps the record.
  bool has_content() const noexcept;

  // ---- updates ----
  /// Makes the room that an update of the selected record needs; may throw.
  void make_room() {
    if (pool != nullptr) pool->make_room(selected);
  }
  /// The update of a record by these moments, with the settings of this moment.
  Update update(const std::shared_ptr<Record>& record, const detail::Moments& moments) noexcept;
  /// Makes each of its records what a pool has estimated, frozen buffers apart.
  void take(const EstimatingPool& estimated) noexcept;

  // ---- records ----
  std::shared_ptr<Record> find(std::string_view name) const noexcept;
  /// The record of this name; if there is none, a new one, which the plan adds to the layer.
  std::shared_ptr<Record> find_or_make(std::string_view name, LoadPlan& plan);
  /// The selected record becomes (0, 1, 0), frozen buffers too.
  void reset(const Tensor& zero, const Tensor& one) noexcept;
  /// The layer's buffers show this record from now on, and forwards use and update it.
  void select(std::shared_ptr<Record> record) noexcept;

  StatsMode mode = StatsMode::track;
  bool has_record = true;  // false: the batch normalises, and the buffers only answer
  bool built_without;
  bool updated = false;  // by a forward, at any time
  std::optional<double> momentum;
  double eps;
  Buffer &mean, &var, &count;                  // the layer's, which hold the freezes
  std::list<std::shared_ptr<Record>> records;  // "main" first
  std::shared_ptr<Record> selected;
  std::shared_ptr<Pool> pool;
};

}  // namespace cairn::nn
