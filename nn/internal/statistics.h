// The statistics of one batch norm layer: its records, and who may move them. Internal.
// They lie on the heap, so that the layer may move under what points here: the guards of
// nn/stats.h.
#pragma once

#include <cairn/core/ops/batch_norm.h>
#include <cairn/nn/batch_norm.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::nn {

struct Statistics {
  /// One set of mean, variance and count. The first, "main", lies in the layer's members; the
  /// others own their buffers.
  struct Record {
    std::string name;
    Buffer *mean, *var, *count;
    std::array<std::unique_ptr<Buffer>, 3> owned = {};
    bool draft = false;     // made by a call that may yet fail
    int64_t estimated = 0;  // batches of the pass that estimates it
    double initial = 1;     // the share of it that recording has left of what it began as
  };

  /// Takes what would be recorded: the moments of several batches, as of one, for each record.
  struct Pool {
    Pool* outer;  // of the scope around
    std::vector<detail::Moments> moments = {};

    /// Makes room for a record's moments, here and further out; may throw.
    void reserve(std::size_t record, int64_t channels);
  };

  /// What a guard restores.
  struct Settings {
    StatsMode mode;
    bool bound, mean_frozen, var_frozen, count_frozen;
  };

  Statistics(Buffer& mean, Buffer& var, Buffer& count, const BatchNormOptions& options);
  static const std::shared_ptr<Statistics>& of(const BatchNorm& layer);

  /// Refuses nothing: that frozen needs a record is checked before.
  void set_mode(StatsMode mode) noexcept;
  void bind(bool exists) noexcept;
  Settings settings() const noexcept;
  /// A record that was bound since stays, if it has content.
  void restore(const Settings& settings) noexcept;
  /// Was anything ever recorded or loaded? Then the record stays.
  bool has_content() const noexcept;

  /// What record() needs under a pool; may throw.
  void make_room() {
    if (pool != nullptr) pool->reserve(selected, mean.numel());
  }
  /// The tail of a forward in `track`: every check is behind it. Moments of no values move nothing.
  void record(const detail::Moments& moments) noexcept { record(selected, moments); }
  void record(std::size_t index, const detail::Moments& moments) noexcept;
  /// From here on every record's first batch replaces it, and all weigh the same.
  void begin_estimate() noexcept;
  /// Writes values that were loaded.
  void assign(std::size_t index, const Tensor& mean, const Tensor& var,
              const Tensor& count) noexcept;
  /// The selected record back to (0, 1, 0), frozen buffers too.
  void reset(const Tensor& zero, const Tensor& one) noexcept;

  std::optional<std::size_t> find(std::string_view name) const noexcept;
  /// Makes a record at (0, 1, 0) if there is none of this name; may throw.
  void draft(std::string_view name);
  /// What was drafted is a record from now on, or gone.
  void settle(bool keep) noexcept;
  /// The members show this record from now on.
  void select(std::size_t index) noexcept;

  StatsMode mode = StatsMode::track;
  bool bound = true;  // is there a record?
  bool built_without;
  bool moved = false;  // did a forward ever record?
  std::optional<double> momentum;
  double eps;
  Buffer &mean, &var, &count;  // the layer's members, which hold the freezes
  std::vector<Record> records;
  std::size_t selected = 0;
  Pool* pool = nullptr;
  bool estimating = false;  // each batch weighs the same, whatever momentum says

 private:
  void move(Record& record, const detail::Moments& moments) noexcept;
};

}  // namespace cairn::nn
