// Batch normalisation as it is specified, on plain numbers: what random runs of a layer are
// compared with.
//
// It knows nothing of tensors, layouts and dtypes: a batch is the list of values of each channel.
// Everything is in double, sums in long double. What throws Error in the layer throws Refused here,
// before anything has changed.
//
// Where the specification is silent, this is what was taken:
// - The buffers of a layer without a record refuse copy_().
// - A reset or restored record counts as recorded: turning tracking off keeps it.
// - Selecting in a layer without a record names the one that tracking will bind.
// - What AccumulateStats pooled goes by the freezes at its end. It is recorded if the layer has
//   lost its record since, too; that is bound again then.
// - Estimating writes at once, under AccumulateStats too; empty batches add nothing to it.
// - A share of 1 replaces what was recorded, finite or not.
// - check_finite asks it of every forward that the batch normalises, recorded or not.
// - A load in which a record of the layer is missing is refused, as any missing name is.
#pragma once

#include <cairn/nn/batch_norm.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cairn::test {

struct ReferenceNorm {
  using Numbers = std::vector<double>;
  using Batch = std::vector<Numbers>;
  struct Refused {};

  struct Record {
    Numbers mean, var;
    int64_t count = 0;
  };
  using Records = std::vector<std::pair<std::string, Record>>;  // in the order in which they came

  /// What normalises: y = weight (x - centre) scale + bias.
  struct Statistics {
    Numbers centre, scale;
    bool by_batch;
  };
  struct Gradients {
    Batch x;
    Numbers weight, bias;
  };

  /// What a guard restores.
  struct Settings {
    nn::StatsMode mode;
    bool has_record, mean_frozen, var_frozen, count_frozen;
  };

  ReferenceNorm(std::size_t channels_, const nn::BatchNormOptions& options_);

  // ---- one call of the layer each ----
  Statistics forward(const Batch& x);
  Batch output(const Statistics& used, const Batch& x) const;
  Gradients gradients(const Statistics& used, const Batch& x, const Batch& dy) const;
  void set_mode(nn::StatsMode mode);
  void assign_mean(const Numbers& values);
  void assign_var(const Numbers& values);
  void assign_count(int64_t value);
  void reset();

  // ---- one call for a model each ----
  void select(const std::string& name);
  void estimate(const std::vector<Batch>& batches);
  Records snapshot() const { return set.has_record ? records : Records(); }
  void restore(const Records& values);
  std::vector<std::string> names() const;
  void load(const ReferenceNorm& saved);

  // ---- scopes; StatsGuard and SelectStats keep what they restore with the caller ----
  void leave_guard(const Settings& before);
  void begin_accumulating() { pools.emplace_back(); }
  void end_accumulating(bool by_exception);

  bool by_batch() const {
    return !set.has_record || (training && set.mode != nn::StatsMode::frozen);
  }
  bool records_batches() const { return training && set.mode == nn::StatsMode::track; }
  /// Would a forward read or move the record?
  bool uses_record() const { return !by_batch() || records_batches(); }

  Record& shown() { return at(selected); }

  std::size_t channels;
  nn::BatchNormOptions options;
  Numbers weight, bias;
  bool training = true;
  Settings set;
  Records records;
  std::string selected = "main";
  bool content = false;                             ///< was anything ever recorded or assigned?
  std::vector<std::map<std::string, Batch>> pools;  ///< of the open AccumulateStats

 private:
  Record initial() const { return {Numbers(channels, 0.0), Numbers(channels, 1.0), 0}; }
  Record& at(const std::string& name);
  bool has(const std::string& name) const;
  void record(const std::string& name, const Batch& x);
};

}  // namespace cairn::test
