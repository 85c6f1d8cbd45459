// What a model's statistics look like, and what is wrong with them: the answer to "why is eval so
// much worse than train?".
#pragma once

#include <cairn/nn/stats.h>

#include <optional>
#include <string>
#include <vector>

namespace cairn::nn {

/// How far other statistics lie from a record, at the channel where that is most: by their mean or
/// by their standard deviation, whichever differs more, in standard deviations of the record.
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
  std::string record = {};                  ///< the selected one's name
  int64_t count = 0;                        ///< num_batches_tracked
  bool moved = false;                       ///< is the record anything but (0, 1, 0)?
  std::optional<StatsDistance> drift = {};  ///< of the record, from the snapshot's
  std::optional<StatsDistance> gap = {};    ///< of the given batches, as one, from the record
  std::vector<int64_t> non_finite = {};     ///< channels whose mean or variance is not finite
  std::vector<int64_t> dead = {};           ///< channels whose variance is 0, in record or batches
  std::vector<int64_t> vanishing = {};      ///< other channels whose variance is below eps
};

/// Prints as a table that ends with what looks wrong.
struct StatsAudit {
  std::vector<LayerAudit> layers;
  std::vector<std::string> problems;  ///< "<path>: what looks wrong"
};

/// Looks at every batch norm of a model: at its record, at how far it has drifted from a snapshot,
/// and, given batches (any that estimate_running_stats() takes), at the gap between them and the
/// record. For that each batch goes through the model in train() once, all layers that have a
/// record normalising by the batch; no record is updated, and all is as it was afterwards.
CAIRN_API StatsAudit audit_stats(const Module& model, const StatsSnapshot& snapshot = {});

CAIRN_API std::string to_string(const StatsAudit& audit);

}  // namespace cairn::nn

namespace cairn::detail {
CAIRN_API nn::StatsAudit audit_stats(nn::Module& model, const nn::StatsSnapshot& snapshot,
                                     const NextBatch& next);
}  // namespace cairn::detail

namespace cairn::nn {

template <detail::BatchSource Batches>
StatsAudit audit_stats(Module& model, const StatsSnapshot& snapshot, Batches&& batches) {
  return detail::with_batches(std::forward<Batches>(batches), [&](const detail::NextBatch& next) {
    return detail::audit_stats(model, snapshot, next);
  });
}
inline StatsAudit audit_stats(Module& model, const StatsSnapshot& snapshot,
                              std::initializer_list<Tensor> batches) {
  return audit_stats(model, snapshot, std::span(batches));
}
template <detail::BatchSource Batches>
StatsAudit audit_stats(Module& model, Batches&& batches) {
  return audit_stats(model, StatsSnapshot(), std::forward<Batches>(batches));
}

}  // namespace cairn::nn

template <>
struct fmt::formatter<cairn::nn::StatsAudit> : cairn::detail::Printed<cairn::nn::StatsAudit> {};
