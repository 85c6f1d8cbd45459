// A forward's every check and its output come first; then mean, var and count move together, in a
// tail that cannot fail.
#include <cairn/core/ops/batch_norm.h>
#include <cairn/core/ops/internal.h>
#include <cairn/nn/batch_norm.h>

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace cairn::nn {

struct BatchNorm::Statistics {
  StatsMode mode = StatsMode::track;
  bool has_record = true;
  bool built_without = false;  // by track_running_stats = false
  bool moved = false;          // has a forward moved the record?
};

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
      statistics_(std::make_shared<Statistics>()) {
  if (!options.track_running_stats) {
    statistics_->mode = StatsMode::hold;
    statistics_->built_without = true;
    bind_record(false);
  }
}

BatchNorm::Statistics& BatchNorm::statistics() const {
  check(statistics_ != nullptr, "{}: it was moved from", kind_);
  return *statistics_;
}

Tensor BatchNorm::forward(const Tensor& x) {
  const Statistics& s = statistics();
  check(x.dim() >= ranks_.lowest && x.dim() <= ranks_.highest,
        "{}: expected input {}, got rank {} {}", kind_, ranks_.shapes, x.dim(), x.shape());
  check(x.size(1) == num_features_, "{}: input {} has {} channels, the layer {}", kind_, x.shape(),
        x.size(1), num_features_);
  const bool batch_normalises = is_training() ? s.mode != StatsMode::frozen : !s.has_record;
  return batch_normalises ? by_batch(x)
                          : detail::normalize_by_record(kind_, x, running_mean, running_var,
                                                        {weight, bias}, options_.eps);
}

Tensor BatchNorm::by_batch(const Tensor& x) {
  const bool records = is_training() && statistics().mode == StatsMode::track;
  check(statistics().has_record || x.numel() == 0 || x.numel() > num_features_,
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
  if (records && moments.count > 0) move_record(moments);
  return y;
}

// The tail of a forward: every check is behind it.
void BatchNorm::move_record(const detail::Moments& moments) noexcept {
  const bool mean_moves = !running_mean.frozen(), var_moves = !running_var.frozen();
  if (!mean_moves && !var_moves) return;
  const detail::View& count = num_batches_tracked.tensor().view_of();
  const int64_t after = *count.as<int64_t>() + 1;
  const double share = options_.momentum.value_or(1.0 / static_cast<double>(after));
  if (mean_moves) detail::blend(running_mean, share, moments.mean, 1);
  if (var_moves) detail::blend(running_var, share, moments.var, detail::unbias(moments.count));
  if (!num_batches_tracked.frozen()) {
    *count.as<int64_t>() = after;
    ++count.storage->version;
  }
  statistics_->moved = true;
}

StatsMode BatchNorm::stats_mode() const { return statistics().mode; }
bool BatchNorm::has_record() const { return statistics().has_record; }

void BatchNorm::set_stats_mode(StatsMode mode) {
  Statistics& s = statistics();
  check(mode != StatsMode::frozen || s.has_record,
        "{}: frozen normalises by the record, and this layer has none; turn tracking on first",
        kind_);
  if (mode == StatsMode::track) bind_record(true);
  const bool has_content = s.moved || running_mean.assigned() || running_var.assigned() ||
                           num_batches_tracked.assigned();
  if (mode == StatsMode::hold && s.built_without && !has_content) bind_record(false);
  s.mode = mode;
}

void BatchNorm::track_running_stats(bool track) {
  set_stats_mode(track ? StatsMode::track : StatsMode::hold);
}

void BatchNorm::bind_record(bool exists) {
  statistics().has_record = exists;
  for (Buffer* b : {&running_mean, &running_var, &num_batches_tracked}) {
    b->listed_ = exists;
  }
}

void BatchNorm::reset_running_stats() {
  if (!statistics().has_record) return;
  const Tensor zero = zeros({}), one = ones({});
  detail::write_values(running_mean, zero.view_of());  // from here nothing can fail
  detail::write_values(running_var, one.view_of());
  detail::write_values(num_batches_tracked, zero.view_of());
}

std::string BatchNorm::extra_repr() const {
  const Statistics& s = statistics();
  return fmt::format("{}, eps={}, momentum={}, affine={}, stats={}", num_features_, options_.eps,
                     options_.momentum ? fmt::format("{}", *options_.momentum) : "none",
                     options_.affine, s.has_record ? to_string(s.mode) : "hold (no record)");
}

BatchNorm1d::BatchNorm1d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm1d", {2, 3, "(N, C) or (N, C, L)"}, num_features, options) {}

BatchNorm2d::BatchNorm2d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm2d", {4, 4, "(N, C, H, W)"}, num_features, options) {}

BatchNorm3d::BatchNorm3d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm3d", {5, 5, "(N, C, D, H, W)"}, num_features, options) {}

}  // namespace cairn::nn
