// The statistics of all batch norm layers of a model: when they are updated and which ones
// normalise, for the whole model, a part of it, or a scope; and what else can be done with them.
// Every call here does all of its work or, after a throw, none. A layer is itself a model of one
// layer.
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

/// Calls functions at the end of a scope, after an exception too. They must not throw.
struct CAIRN_API StatsScope {
  StatsScope() = default;
  ~StatsScope();
  StatsScope(const StatsScope&) = delete;
  StatsScope& operator=(const StatsScope&) = delete;

  std::vector<std::function<void()>> at_end;
};

}  // namespace cairn::detail

namespace cairn::nn {

/// Chooses layers by path and layer; an empty one takes all.
using StatsPredicate = std::function<bool(const std::string& path, BatchNorm& layer)>;

// ---- modes ----

/// Sets the mode of every layer that the predicate takes. Throws Error naming each layer that has
/// no record where the mode is frozen; then no mode has changed.
CAIRN_API void set_stats_mode(Module& model, StatsMode mode, const StatsPredicate& predicate = {});

/// Every layer's selected record back to (0, 1, 0), frozen buffers too. Layers without a record
/// are left out.
CAIRN_API void reset_running_stats(Module& model);

/// set_stats_mode() for a scope. At its end each layer that was in the model at its beginning has
/// the mode, and its three buffers the freezes, that it had then, whatever was set inside; layers
/// registered inside keep what they have. A record's values are never restored: updates made inside
/// stay, and so does a record that a layer got inside, if it was updated. Guards nest, work after
/// an exception, and follow a model that moves or dies under them.
class CAIRN_API StatsGuard : detail::StatsScope {
 public:
  /// Throws Error as set_stats_mode() does.
  [[nodiscard]] StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate = {});
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
  std::vector<Layer> layers;  ///< those that have a record
};

/// Every record of every layer that has one.
CAIRN_API StatsSnapshot snapshot_stats(const Module& model);

/// Writes a snapshot back, bit for bit, frozen buffers too. Layers and records that it does not
/// hold stay as they are; modes, freezes and the selected names are not touched. Throws Error
/// listing every layer that the model lacks, or that has no record or other channels.
CAIRN_API void restore_stats(Module& model, const StatsSnapshot& snapshot);

/// Makes the records of `to` equal to those of `from`. Throws Error listing every difference: both
/// must have records in layers of the same paths and channels.
CAIRN_API void copy_stats(const Module& from, Module& to);

}  // namespace cairn::nn

namespace cairn::detail {

/// Puts the next batch into `x`, or says that there is none.
using NextBatch = std::function<bool(Tensor& x)>;

CAIRN_API void estimate_running_stats(nn::Module& model, const NextBatch& next);

/// The input of a batch: a tensor, or the first of a tuple.
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

/// f(next) over a range of batches, or a function that gives a std::optional of the next one.
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

/// Estimates every selected record anew from batches of inputs, as for AdaBN or after averaging
/// weights: one pass in train() and track, without gradients, in which each batch weighs the same.
/// Momentum does not count. Training flags and modes are as before afterwards. Layers without a
/// record, layers that no batch reached, and frozen buffers are left out. Batches are any range of
/// tensors or of tuples that begin with one, or a function that returns a std::optional of either.
/// An exception, also one that the batches throw, or no batch at all (an Error) leaves every
/// record as it was.
template <detail::BatchSource Batches>
void estimate_running_stats(Module& model, Batches&& batches) {
  detail::with_batches(std::forward<Batches>(batches), [&](const detail::NextBatch& next) {
    detail::estimate_running_stats(model, next);
  });
}
inline void estimate_running_stats(Module& model, std::initializer_list<Tensor> batches) {
  estimate_running_stats(model, std::span(batches));
}

// ---- named records ----

/// Every layer shows, uses and updates its record of this name from now on. One that has none gets
/// one, at (0, 1, 0). Each layer begins with "main". Weight, bias, mode and freezes belong to the
/// layer and stay. In state_dict() the plain names mean "main"; the others stand under
/// "<layer>.records.<name>.running_mean" and so on. Throws Error for an empty or dotted name.
CAIRN_API void select_stats(Module& model, std::string_view name);

/// select_stats() for a scope. At its end each layer that was there at its beginning shows what it
/// showed then.
class CAIRN_API SelectStats : detail::StatsScope {
 public:
  [[nodiscard]] SelectStats(Module& model, std::string_view name);
};

// ---- micro-batches ----

/// While it lives, the updates that forwards in `track` make are pooled, for each layer and record.
/// At its end each record is updated once, as by one batch of all those values, with the momentum
/// and freezes that the layer has then. Left by an exception, it updates nothing. Nested ones give
/// what they pooled to the one around.
class CAIRN_API AccumulateStats : detail::StatsScope {
 public:
  [[nodiscard]] explicit AccumulateStats(Module& model);
};

}  // namespace cairn::nn
