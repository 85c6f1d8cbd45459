// A forward's every check and its output come first; then mean, var and count move together, in a
// tail that cannot fail.
#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/core/ops/batch_norm.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/internal/statistics.h>

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace cairn::nn {

std::string to_string(StatsMode mode) {
  switch (mode) {
    case StatsMode::track:
      return "track";
    case StatsMode::hold:
      return "hold";
    default:
      return "frozen";
  }
}

namespace {

using detail::without_sign;

// The first member: what it is made from is checked here, with affine and without.
Tensor initial_weight(const char* kind, int64_t num_features, const BatchNormOptions& options) {
  check(num_features >= 0, "{}: num_features is {}; it must not be negative", kind, num_features);
  detail::check_eps(kind, without_sign(options.eps));
  if (options.momentum) detail::check_momentum(kind, without_sign(*options.momentum));
  return options.affine ? ones({num_features}) : Tensor();
}

void check_variance(const char* name, const Tensor& values) {
  const auto v = values.to_vector<double>();
  for (std::size_t c = 0; c < v.size(); ++c) {
    check(v[c] >= 0, "{}: {} at channel {} is no variance", name, without_sign(v[c]), c);
  }
}

void check_count(const char* name, const Tensor& values) {
  const auto count = values.item<int64_t>();
  check(count >= 0 && count < std::numeric_limits<int64_t>::max(), "{}: {} is no number of batches",
        name, count);
}

}  // namespace

BatchNorm::BatchNorm(const char* kind, const Ranks& ranks, int64_t num_features,
                     const BatchNormOptions& options)
    : weight(parameter("weight", initial_weight(kind, num_features, options))),
      bias(parameter("bias", options.affine ? zeros({num_features}) : Tensor())),
      running_mean(buffer("running_mean", zeros({num_features}))),
      running_var(buffer("running_var", ones({num_features}), check_variance)),
      num_batches_tracked(
          buffer("num_batches_tracked", zeros({}, {.dtype = DType::int64}), check_count)),
      kind_(kind),
      ranks_(ranks),
      num_features_(num_features),
      options_(options),
      statistics_(detail::no_bad_alloc(kind, [&] {
        return std::make_shared<Statistics>(running_mean, running_var, num_batches_tracked,
                                            options);
      })) {}

const std::shared_ptr<Statistics>& Statistics::of(const BatchNorm& layer) {
  check(layer.statistics_ != nullptr, "{}: it was moved from", layer.kind_);
  return layer.statistics_;
}

Statistics& BatchNorm::statistics() const { return *Statistics::of(*this); }

Tensor BatchNorm::forward(const Tensor& x) {
  const Statistics& s = statistics();
  detail::check_defined(kind_, x);
  check(x.dim() >= ranks_.lowest && x.dim() <= ranks_.highest,
        "{}: expected input {}, got rank {} {}", kind_, ranks_.shapes, x.dim(), x.shape());
  check(x.size(1) == num_features_, "{}: input {} has {} channels, the layer {}", kind_, x.shape(),
        x.size(1), num_features_);
  const bool batch_normalises = is_training() ? s.mode != StatsMode::frozen : !s.bound;
  return batch_normalises ? by_batch(x)
                          : detail::normalize_by_record(kind_, x, running_mean, running_var,
                                                        {weight, bias}, options_.eps);
}

Tensor BatchNorm::by_batch(const Tensor& x) {
  Statistics& s = statistics();
  const bool records = is_training() && s.mode == StatsMode::track;
  check(s.bound || x.numel() == 0 || x.numel() > num_features_,
        "{}: without a record the batch normalises, in eval() too, and needs more than 1 value per "
        "channel, got input {}; use a larger batch, or track_running_stats(true) and eval()",
        kind_, x.shape());
  check(!records || x.dtype() == running_mean.dtype(),
        "{}: dtypes {} of the input and {} of the record do not mix; use .to({})", kind_, x.dtype(),
        running_mean.dtype(), running_mean.dtype());
  detail::Moments moments;
  Tensor y = detail::normalize_by_batch(kind_, x, {weight, bias}, options_.eps, moments);
  if (options_.check_finite && moments.count > 0) {
    const double largest = records && running_mean.dtype() == DType::float32
                               ? std::numeric_limits<float>::max()
                               : std::numeric_limits<double>::max();
    for (int64_t c = 0; c < num_features_; ++c) {
      const double m = without_sign(moments.mean.at<double>({c}));
      const double v = without_sign(moments.var.at<double>({c}));
      check(std::isfinite(m) && std::isfinite(v),
            "{}: the batch has mean {} and variance {} at channel {}; look for what is not finite "
            "in its input",
            kind_, m, v, c);
      check(std::abs(m) <= largest && v * detail::unbias(moments.count) <= largest,
            "{}: the batch has mean {} and variance {} at channel {}, too large for a record of "
            "{}; scale its input down, or use .to(float64)",
            kind_, m, v, c, running_mean.dtype());
    }
  }
  if (records) {
    s.make_room();
    s.record(moments);  // cannot fail
  }
  return y;
}

StatsMode BatchNorm::stats_mode() const { return statistics().mode; }
bool BatchNorm::has_record() const { return statistics().bound; }
const std::string& BatchNorm::selected_stats() const {
  const Statistics& s = statistics();
  return s.records[s.selected].name;
}

void BatchNorm::set_stats_mode(StatsMode mode) {
  Statistics& s = statistics();
  check(mode != StatsMode::frozen || s.bound,
        "{}: frozen normalises by the record, and this layer has none; turn tracking on first",
        kind_);
  s.set_mode(mode);
}

void BatchNorm::track_running_stats(bool track) {
  set_stats_mode(track ? StatsMode::track : StatsMode::hold);
}

void BatchNorm::reset_running_stats() {
  if (statistics().bound) statistics().reset(zeros({}), ones({}));
}

std::string BatchNorm::extra_repr() const {
  const Statistics& s = statistics();
  return detail::no_bad_alloc(kind_, [&] {
    std::string text =
        fmt::format("{}, eps={}, momentum={}, affine={}, stats={}", num_features_, options_.eps,
                    options_.momentum ? fmt::format("{}", *options_.momentum) : "none",
                    options_.affine, s.bound ? to_string(s.mode) : "hold (no record)");
    if (s.selected != 0) text += ", record=" + selected_stats();
    return text;
  });
}

// ---- named records ----

std::vector<std::pair<std::string, Buffer*>> BatchNorm::record_buffers() const {
  std::vector<std::pair<std::string, Buffer*>> buffers;
  for (const Statistics::Record& r : statistics().records) {
    if (r.owned[0] == nullptr) continue;
    const std::string prefix = "records." + r.name + ".";
    buffers.emplace_back(prefix + "running_mean", r.mean);
    buffers.emplace_back(prefix + "running_var", r.var);
    buffers.emplace_back(prefix + "num_batches_tracked", r.count);
  }
  return buffers;
}

// A record is made for each name in "<path>.records.<name>.<buffer>".
void BatchNorm::make_records(const std::string& path, const StateDict& values) {
  Statistics& s = statistics();
  if (!s.bound) return;
  const std::string prefix = detail::join(path, "records.");
  for (const auto& [key, value] : values) {
    if (!key.starts_with(prefix)) continue;
    const std::size_t dot = key.find('.', prefix.size());
    const std::string name = key.substr(prefix.size(), dot - prefix.size());
    if (dot != std::string::npos && !name.empty()) s.draft(name);
  }
}

void BatchNorm::settle_records(bool keep) noexcept {
  if (statistics_) statistics_->settle(keep);
}

BatchNorm1d::BatchNorm1d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm1d", {2, 3, "(N, C) or (N, C, L)"}, num_features, options) {}

BatchNorm2d::BatchNorm2d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm2d", {4, 4, "(N, C, H, W)"}, num_features, options) {}

BatchNorm3d::BatchNorm3d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm3d", {5, 5, "(N, C, D, H, W)"}, num_features, options) {}

}  // namespace cairn::nn
