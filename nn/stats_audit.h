// Reports on a model's running statistics and on what looks wrong with them. It helps to answer
// "why is eval so much worse than train?".
#pragma once

#include <cairn/nn/stats.h>

#include <optional>
#include <string>
#include <vector>

namespace cairn::nn {

/// The distance of other statistics from a record, at the channel where it is largest. A channel's
/// distance is the difference of the means or of the standard deviations, whichever is larger, in
/// standard deviations of the record.
struct StatsDistance {
  double size;
  int64_t channel;
};

/// One batch norm and its selected record.
struct LayerAudit {
  std::string path = {};
  StatsMode mode = StatsMode::track;
  bool training = true;
  bool has_record = true;
  std::string record = {};                  ///< the name of the selected record
  int64_t count = 0;                        ///< num_batches_tracked
  bool moved = false;                       ///< is the record different from (0, 1, 0)?
  std::optional<StatsDistance> drift = {};  ///< of the record from the snapshot's record
  std::optional<StatsDistance> gap = {};    ///< of the merged batches from the record
  std::vector<int64_t> non_finite = {};     ///< channels whose mean or variance is not finite
  std::vector<int64_t> dead = {};       ///< channels of variance 0, in the record or the batches
  std::vector<int64_t> vanishing = {};  ///< other channels whose variance is below eps
};

/// Prints as a table, followed by the list of problems.
struct StatsAudit {
  std::vector<LayerAudit> layers;
  std::vector<std::string> problems;  ///< "<path>: what looks wrong"
};

/// Examines every batch norm of a model: its record, the drift of the record from a snapshot, and
/// the gap between given batches and the record. Batches are given as to estimate_running_stats().
/// To measure the gap, the model is called with each batch once, in train() and StatsMode::track.
/// No record is updated, and training flags and modes are restored at the end.
CAIRN_API StatsAudit audit_stats(const Module& model, const StatsSnapshot& snapshot = {},
                                 const StatsOptions& options = {});

CAIRN_API std::string to_string(const StatsAudit& audit);

}  // namespace cairn::nn

namespace cairn::detail {
CAIRN_API nn::StatsAudit audit_stats(nn::Module& model, const nn::StatsSnapshot& snapshot,
                                     const NextBatch& next, const nn::StatsOptions& options);
}  // namespace cairn::detail

namespace cairn::nn {

template <detail::BatchSource Batches>
StatsAudit audit_stats(Module& model, const StatsSnapshot& snapshot, Batches&& batches,
                       const StatsOptions& options = {}) {
  return detail::with_batches(std::forward<Batches>(batches), [&](const detail::NextBatch& next) {
    return detail::audit_stats(model, snapshot, next, options);
  });
}
inline StatsAudit audit_stats(Module& model, const StatsSnapshot& snapshot,
                              std::initializer_list<Tensor> batches,
                              const StatsOptions& options = {}) {
  return audit_stats(model, snapshot, std::span(batches), options);
}
template <detail::BatchSource Batches>
StatsAudit audit_stats(Module& model, Batches&& batches, const StatsOptions& options = {}) {
  return audit_stats(model, StatsSnapshot(), std::forward<Batches>(batches), options);
}
template <std::same_as<Tensor> T>
StatsAudit audit_stats(Module&, const T&) = delete;  // one batch stands in braces, {x}

}  // namespace cairn::nn

template <>
struct fmt::formatter<cairn::nn::StatsAudit> : cairn::detail::Printed<cairn::nn::StatsAudit> {};
