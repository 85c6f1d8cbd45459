// Batch normalisation layers: which statistics normalise, and when the running ones are updated.
// A record is one named set of running statistics: mean, variance and count.
//
//   StatsMode | train(): normalises by | train(): updates  | eval(): normalises by
//   track     | the batch              | mean, var, count  | the record
//   hold      | the batch              | nothing           | the record as last updated
//   frozen    | the record             | nothing           | the record
//
// The mode is sticky: train() and eval() never change it. A layer built with
// track_running_stats = false has no record until tracking is turned on. Its mode is hold, and the
// batch normalises in eval() too. Its buffers read 0, 1 and 0 and are not in state_dict().
#pragma once

#include <cairn/nn/module.h>

#include <optional>

namespace cairn::nn {

struct Statistics;

enum class StatsMode : unsigned char { track, hold, frozen };
CAIRN_API std::string to_string(StatsMode mode);

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< nullopt: the average of all batches
  bool affine = true;
  bool track_running_stats = true;
  bool check_finite = false;  ///< throw if a statistic is not finite in the record's dtype
};

/// The base class of the three batch norms, which differ only in the ranks that they accept.
///   y = (x - mean) / sqrt(var + eps) * weight + bias
/// Shape: x (N, C, *) -> y (N, C, *); weight, bias, running_mean and running_var (C).
/// The variance is biased (1/n) in y and unbiased (1/(n-1)) in running_var. mean, var and count
/// are updated together, after the output exists, or not at all. num_features may be 0.
/// Throws Error for another rank, C or dtype, and if the batch normalises with one value a channel.
/// Source: Ioffe & Szegedy 2015, Alg. 1; agrees with torch.nn.BatchNorm*d while tracking.
class CAIRN_API BatchNorm : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  StatsMode stats_mode() const;
  /// track gives a layer without a record one at (0, 1, 0). hold takes it away again from a layer
  /// built with track_running_stats = false, as long as nothing was updated or assigned. frozen
  /// throws Error for a layer without a record.
  void set_stats_mode(StatsMode mode);
  /// Sets StatsMode::track or StatsMode::hold. The name is PyTorch's.
  void track_running_stats(bool track);
  /// Sets the selected record to (0, 1, 0), including frozen buffers. Without a record it does
  /// nothing.
  void reset_running_stats();
  /// Does the layer have a record, by which eval() normalises? A layer built with
  /// track_running_stats = false has none until tracking is turned on.
  bool has_record() const;
  /// The name of the selected record, which the buffers show. nn::select_stats() selects it.
  const std::string& selected_stats() const;

  Parameter& weight;  ///< undefined if affine is false
  Parameter& bias;    ///< undefined if affine is false
  Buffer& running_mean;
  Buffer& running_var;
  Buffer& num_batches_tracked;

 protected:
  struct Ranks {
    int64_t lowest, highest;
    const char* shapes;
  };
  BatchNorm(const char* kind, const Ranks& ranks, int64_t num_features,
            const BatchNormOptions& options);
  template <class Layer>
  std::shared_ptr<Module> make() const {
    return std::make_shared<Layer>(num_features_, options_);
  }

 private:
  friend struct Statistics;

  Statistics& statistics() const;
  Tensor normalize_by_batch(const Tensor& x);
  void check_finite(const Tensor& mean, const Tensor& var, double unbias, bool updates) const;
  std::vector<StateTensor> own_state() const override;
  void make_state(std::vector<StateTensor>& state, const std::string& path, const StateDict& values,
                  LoadPlan& plan) override;
  void copy_settings(const Module& from) override;

  const char* kind_;
  Ranks ranks_;
  int64_t num_features_;
  BatchNormOptions options_;
  std::shared_ptr<Statistics> statistics_;
};

/// For (N, C) or (N, C, L).
class CAIRN_API BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t num_features, const BatchNormOptions& options = {});
  std::shared_ptr<Module> make_like() const override;
};

/// For (N, C, H, W).
class CAIRN_API BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t num_features, const BatchNormOptions& options = {});
  std::shared_ptr<Module> make_like() const override;
};

/// For (N, C, D, H, W).
class CAIRN_API BatchNorm3d : public BatchNorm {
 public:
  explicit BatchNorm3d(int64_t num_features, const BatchNormOptions& options = {});
  std::shared_ptr<Module> make_like() const override;
};

}  // namespace cairn::nn

template <>
struct fmt::formatter<cairn::nn::StatsMode> : cairn::detail::Printed<cairn::nn::StatsMode> {};
