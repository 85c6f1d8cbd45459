// Control of the statistics of all batch norms in a model, or of those that a predicate chooses:
// modes, snapshots, estimates, named records and micro-batches. A call that throws has changed
// nothing. A single layer can be passed as the model. A call that would reach no layer throws
// Error, unless its last argument is {.allow_none = true}.
#pragma once

#include <cairn/nn/batch_norm.h>

#include <functional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cairn::detail {

/// Calls the functions of `at_end` at the end of a scope, also when an exception leaves it. They
/// must not throw.
struct CAIRN_API StatsScope {
  StatsScope() = default;
  ~StatsScope();
  StatsScope(const StatsScope&) = delete;
  StatsScope& operator=(const StatsScope&) = delete;

  std::vector<std::function<void()>> at_end;
};

}  // namespace cairn::detail

namespace cairn::nn {

/// Says whether a layer is chosen. An empty predicate chooses all layers.
using StatsPredicate = std::function<bool(const std::string& path, BatchNorm& layer)>;

struct StatsOptions {
  bool allow_none = false;  ///< a model without a batch norm, or a predicate that chooses none
};

// ---- modes ----

/// Sets the mode of every chosen layer and returns their number. Throws Error if the mode is frozen
/// and chosen layers have no record. The Error names them, and no mode has changed then.
CAIRN_API int64_t set_stats_mode(Module& model, StatsMode mode,
                                 const StatsPredicate& predicate = {},
                                 const StatsOptions& options = {});

/// Sets the selected record of every layer to (0, 1, 0), including frozen buffers. Skips layers
/// without a record.
CAIRN_API void reset_running_stats(Module& model, const StatsOptions& options = {});

/// set_stats_mode() for a scope. Its end restores the mode and the freezes of each chosen layer,
/// whatever was set inside. Layers registered inside keep their settings. Values are not restored:
/// updates made inside stay. A layer that got its record inside keeps it if the record was updated
/// or assigned. Guards nest and also restore after an exception. The model may be moved or
/// destroyed in the scope.
class CAIRN_API StatsGuard : detail::StatsScope {
 public:
  /// Throws Error as set_stats_mode() does.
  [[nodiscard]] StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate = {},
                           const StatsOptions& options = {});
};

// ---- values ----

/// Copies of the records of a model, by layer.
struct StatsSnapshot {
  struct Record {
    std::string name;
    Tensor mean, var, count;
  };
  struct Layer {
    std::string path;
    std::vector<Record> records;
  };
  std::vector<Layer> layers;  ///< the layers that have a record
};

/// Copies every record of every layer that has one.
CAIRN_API StatsSnapshot snapshot_stats(const Module& model);

/// Writes a snapshot back, bit for bit, including frozen buffers. Layers and records that are not
/// in the snapshot do not change, nor do modes, freezes and selected names. The Error lists every
/// layer of the snapshot that the model lacks, or that has no record or another number of channels.
CAIRN_API void restore_stats(Module& model, const StatsSnapshot& snapshot);

/// Copies the records of `from` to `to`. Both models must have records at the same paths and with
/// the same numbers of channels. The Error lists every difference.
CAIRN_API void copy_stats(const Module& from, Module& to);

}  // namespace cairn::nn

namespace cairn::detail {

/// Puts the next batch into `x` and returns true, or returns false if there is none.
using NextBatch = std::function<bool(Tensor& x)>;

CAIRN_API void estimate_running_stats(nn::Module& model, const NextBatch& next,
                                      const nn::StatsOptions& options);

/// The input of a batch: the tensor itself, or the first element of a tuple.
template <class Batch>
Tensor input_of(const Batch& batch) {
  if constexpr (std::is_convertible_v<const Batch&, const Tensor&>) {
    return batch;
  } else {
    return std::get<0>(batch);
  }
}

template <class Batches>
concept BatchSource = std::ranges::input_range<Batches> || requires(Batches& batches) {
  *batches();
};

/// Returns f(next), where `next` reads from a range of batches, or from a function that returns a
/// std::optional of the next batch.
template <class Batches, class F>
auto with_batches(Batches&& batches, F f) {
  if constexpr (std::ranges::input_range<Batches>) {
    auto it = std::ranges::begin(batches);
    bool first = true;
    return f([&](Tensor& x) {
      if (!std::exchange(first, false)) ++it;
      if (it == std::ranges::end(batches)) return false;
      x = input_of(*it);
      return true;
    });
  } else {
    return f([&](Tensor& x) {
      auto batch = batches();
      if (!batch) return false;
      x = input_of(*batch);
      return true;
    });
  }
}

}  // namespace cairn::detail

namespace cairn::nn {

// ---- estimating ----

/// Estimates every selected record from scratch, for example for AdaBN or after averaging weights.
/// Calls the model with every batch, in train() and StatsMode::track, without gradients. Every
/// batch has the same weight; momentum is not used. Training flags and modes are restored at the
/// end. Skips layers without a record, layers that no batch reached, and frozen buffers. `batches`
/// is a range of tensors or of tuples that begin with a tensor, or a function that returns a
/// std::optional of either. Throws Error if there is no batch, or if no layer has a record; with
/// allow_none it then returns without a call of the model. After an exception, also one that
/// `batches` throws, every record is as it was.
template <detail::BatchSource Batches>
void estimate_running_stats(Module& model, Batches&& batches, const StatsOptions& options = {}) {
  detail::with_batches(std::forward<Batches>(batches), [&](const detail::NextBatch& next) {
    detail::estimate_running_stats(model, next, options);
  });
}
template <std::same_as<Tensor> T>
void estimate_running_stats(Module&, const T&) = delete;  // one batch stands in braces, {x}
inline void estimate_running_stats(Module& model, std::initializer_list<Tensor> batches,
                                   const StatsOptions& options = {}) {
  estimate_running_stats(model, std::span(batches), options);
}

// ---- named records ----

// Each layer begins with the record "main". Weight, bias, mode and freezes belong to the layer, not
// to a record. In state_dict() the plain names mean "main"; other records have names such as
// "<layer>.records.<name>.running_mean". A name must not be empty or have a dot.

struct SelectStatsOptions {
  bool create = false;      ///< add the record where it is missing
  bool allow_none = false;  ///< a model without a batch norm
};

/// Selects the record of this name in every layer: the buffers show it, and forwards use and update
/// it. Throws Error if a layer that keeps records has none of this name. The Error names these
/// layers and the records that there are.
CAIRN_API void select_stats(Module& model, std::string_view name,
                            const SelectStatsOptions& options = {});

/// select_stats() for a scope. Its end selects each layer's previous record again, unless that was
/// erased. Layers registered inside keep theirs.
class CAIRN_API SelectStats : detail::StatsScope {
 public:
  [[nodiscard]] SelectStats(Module& model, std::string_view name,
                            const SelectStatsOptions& options = {});
};

/// Adds a record of this name, at (0, 1, 0), to every layer that has none, and selects nothing.
CAIRN_API void add_stats(Module& model, std::string_view name, const StatsOptions& options = {});

/// The names of the records, each once, "main" first. Empty if no layer keeps a record.
CAIRN_API std::vector<std::string> stats_names(const Module& model);

/// Erases the record of this name from every layer that has it. Throws Error if no layer has it, if
/// a layer has selected it, and for "main".
CAIRN_API void erase_stats(Module& model, std::string_view name);

/// Renames the record in every layer that has it. Throws Error if no layer has it, if a layer has
/// one of the new name, and for "main".
CAIRN_API void rename_stats(Module& model, std::string_view from, std::string_view to);

/// Copies the values of one record to another in every layer that keeps records, including frozen
/// buffers. Throws Error if a layer lacks one of them; with create, `to` is added.
CAIRN_API void copy_stats(Module& model, std::string_view from, std::string_view to,
                          const SelectStatsOptions& options = {});

// ---- micro-batches ----

/// Pools the updates of a scope, for each layer and record. The end of the scope updates each
/// record once, as by one batch of all those values, with the layer's momentum and freezes at that
/// time. If an exception leaves the scope, it updates nothing. A nested scope adds its pooled
/// updates to those of the enclosing scope.
class CAIRN_API AccumulateStats : detail::StatsScope {
 public:
  [[nodiscard]] explicit AccumulateStats(Module& model, const StatsOptions& options = {});
};

}  // namespace cairn::nn
