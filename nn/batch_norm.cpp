// A forward checks everything and computes its output; then it updates mean, variance and count
// together, which cannot fail.
#include <cairn/core/ops.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/internal/call.h>
#include <cairn/nn/internal/statistics.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace cairn::nn {

std::string to_string(StatsMode mode) {
  constexpr const char* names[] = {"track", "hold", "frozen"};
  return names[static_cast<std::size_t>(mode)];
}

namespace {

// This initialises the first member, so it checks all options before anything else happens.
Tensor initial_weight(const char* kind, int64_t num_features, const BatchNormOptions& options) {
  check(num_features >= 0, "{}: num_features is {}; it must not be negative", kind, num_features);
  detail::check_eps(kind, options.eps);
  if (options.momentum) detail::check_momentum(kind, *options.momentum);
  return options.affine ? ones({num_features}) : Tensor();
}

void check_variance(const char* name, const Tensor& values) {
  const auto v = values.to_vector<double>();
  for (std::size_t c = 0; c < v.size(); ++c) {
    check(v[c] >= 0, "{}: {} at channel {} is no variance", name, v[c], c);
  }
}

void check_count(const char* name, const Tensor& values) {
  const auto count = values.item<int64_t>();
  check(count >= 0 && count < std::numeric_limits<int64_t>::max(), "{}: {} is no number of batches",
        name, count);
}

// Appends the tensors of a record to the layer's state.
void append_record(std::vector<StateTensor>& state, Record& r, bool listed) {
  const char* const unlisted =
      listed ? nullptr : "the layer keeps no record; turn it on with track_running_stats(true)";
  const std::string prefix = r.name == "main" ? "" : "records." + r.name + ".";
  state.push_back({prefix + "running_mean", r.mean, nullptr, unlisted, &r.assigned});
  state.push_back({prefix + "running_var", r.var, check_variance, unlisted, &r.assigned});
  state.push_back({prefix + "num_batches_tracked", r.count, check_count, unlisted, &r.assigned});
}

}  // namespace

BatchNorm::BatchNorm(const char* kind, const Ranks& ranks, int64_t num_features,
                     const BatchNormOptions& options)
    : weight(parameter("weight", initial_weight(kind, num_features, options))),
      bias(parameter("bias", options.affine ? zeros({num_features}) : Tensor())),
      running_mean(buffer("running_mean", zeros({num_features}))),
      running_var(buffer("running_var", ones({num_features}))),
      num_batches_tracked(buffer("num_batches_tracked", zeros({}, {.dtype = DType::int64}))),
      kind_(kind),
      ranks_(ranks),
      num_features_(num_features),
      options_(options),
      statistics_(
          std::make_shared<Statistics>(running_mean, running_var, num_batches_tracked, options)) {}

Statistics& BatchNorm::statistics() const { return *Statistics::of(*this); }

// ---- forward ----

Tensor BatchNorm::forward(const Tensor& x) {
  const Statistics& s = statistics();
  x.impl(kind_);  // throws if it is undefined
  check(x.dim() >= ranks_.lowest && x.dim() <= ranks_.highest,
        "{}: expected input {}, got rank {} {}", kind_, ranks_.shapes, x.dim(), x.shape());
  check(x.size(1) == num_features_, "{}: input {} has {} channels, the layer {}", kind_, x.shape(),
        x.size(1), num_features_);
  const bool by_batch = is_training() ? s.mode != StatsMode::frozen : !s.has_record;
  return by_batch ? normalize_by_batch(x)
                  : detail::normalize_by_record(kind_, x, running_mean, running_var, weight, bias,
                                                options_.eps);
}

Tensor BatchNorm::normalize_by_batch(const Tensor& x) {
  Statistics& s = statistics();
  const bool updates = is_training() && s.mode == StatsMode::track;
  const bool enough = x.numel() == 0 || x.numel() > num_features_;
  check(enough || s.has_record,
        "{}: without a record the batch normalises, in eval() too, and needs more than 1 value per "
        "channel, got input {}; use a larger batch, or track_running_stats(true) and eval()",
        kind_, x.shape());
  check(enough,
        "{}: training needs more than 1 value per channel, got input {}; use eval(), a larger "
        "batch, or StatsMode::frozen",
        kind_, x.shape());
  check(!updates || x.dtype() == running_mean.dtype(),
        "{}: dtypes {} of the input and {} of the record do not mix; use .to({})", kind_, x.dtype(),
        running_mean.dtype(), running_mean.dtype());
  detail::Moments moments;
  Tensor y = detail::normalize_by_batch(kind_, x, weight, bias, options_.eps, moments);
  if (options_.check_finite && moments.count > 0) {
    check_finite(moments.mean, moments.var, detail::unbias(moments.count), updates);
  }
  if (updates) {
    s.make_room();
    make_room_for_update();
    submit(s.update(s.selected, moments));  // cannot fail; a pool collects the update
  }
  return y;
}

void BatchNorm::check_finite(const Tensor& mean, const Tensor& var, double unbias,
                             bool updates) const {
  const double largest = updates && running_mean.dtype() == DType::float32
                             ? std::numeric_limits<float>::max()
                             : std::numeric_limits<double>::max();
  for (int64_t c = 0; c < num_features_; ++c) {
    const double m = mean.at<double>({c}), v = var.at<double>({c});
    check(std::isfinite(m) && std::isfinite(v),
          "{}: the batch has mean {} and variance {} at channel {}; look for what is not finite "
          "in its input",
          kind_, m, v, c);
    check(std::abs(m) <= largest && v * unbias <= largest,
          "{}: the batch has mean {} and variance {} at channel {}, too large for a record of "
          "{}; scale its input down, or use .to(float64)",
          kind_, m, v, c, running_mean.dtype());
  }
}

// ---- modes ----

StatsMode BatchNorm::stats_mode() const { return statistics().mode; }
bool BatchNorm::has_record() const { return statistics().has_record; }
const std::string& BatchNorm::selected_stats() const { return statistics().selected->name; }

void BatchNorm::set_stats_mode(StatsMode mode) {
  Statistics& s = statistics();
  located([&] {
    check(mode != StatsMode::frozen || s.has_record,
          "{}: frozen normalises by the record, and this layer has none; turn tracking on first",
          kind_);
  });
  s.set_mode(mode);
}

void BatchNorm::track_running_stats(bool track) {
  set_stats_mode(track ? StatsMode::track : StatsMode::hold);
}

void BatchNorm::reset_running_stats() {
  if (statistics().has_record) statistics().reset(zeros({}), ones({}));
}

std::string BatchNorm::extra_repr() const {
  const Statistics& s = statistics();
  std::string text =
      fmt::format("{}, eps={}, momentum={}, affine={}, stats={}", num_features_, options_.eps,
                  options_.momentum ? fmt::format("{}", *options_.momentum) : "none",
                  options_.affine, s.has_record ? to_string(s.mode) : "hold (no record)");
  if (s.selected != s.records.front()) text += ", record=" + s.selected->name;
  return text;
}

// ---- state ----

// Lists every record, "main" under the names of the buffers. The buffers' own entries go, because
// the buffers show the selected record, which need not be "main".
std::vector<StateTensor> BatchNorm::own_state() const {
  const Statistics& s = statistics();
  std::vector<StateTensor> state = Module::own_state();
  std::erase_if(state, [](const StateTensor& t) {
    return t.name == "running_mean" || t.name == "running_var" || t.name == "num_batches_tracked";
  });
  for (const auto& record : s.records) append_record(state, *record, s.has_record);
  return state;
}

// Creates a record for each new name in the keys "<path>.records.<name>.<buffer>".
void BatchNorm::make_state(std::vector<StateTensor>& state, const std::string& path,
                           const StateDict& values, LoadPlan& plan) {
  Statistics& s = statistics();
  if (!s.has_record) return;
  const std::string prefix = detail::join(path, "records.");
  for (const auto& [key, value] : values) {
    if (!key.starts_with(prefix)) continue;
    const std::size_t dot = key.find('.', prefix.size());
    if (dot == std::string::npos || dot == prefix.size()) continue;
    const std::string name = key.substr(prefix.size(), dot - prefix.size());
    const bool known = std::ranges::find(state, "records." + name + ".running_mean",
                                         &StateTensor::name) != state.end();
    if (!known && name != "main") append_record(state, *s.find_or_make(name, plan), true);
  }
}

void BatchNorm::copy_settings(const Module& from) {
  Module::copy_settings(from);
  statistics().copy_settings(static_cast<const BatchNorm&>(from).statistics());
}

std::shared_ptr<Module> BatchNorm1d::make_like() const { return make<BatchNorm1d>(); }

BatchNorm1d::BatchNorm1d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm1d", {2, 3, "(N, C) or (N, C, L)"}, num_features, options) {}

std::shared_ptr<Module> BatchNorm2d::make_like() const { return make<BatchNorm2d>(); }

BatchNorm2d::BatchNorm2d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm2d", {4, 4, "(N, C, H, W)"}, num_features, options) {}

std::shared_ptr<Module> BatchNorm3d::make_like() const { return make<BatchNorm3d>(); }

BatchNorm3d::BatchNorm3d(int64_t num_features, const BatchNormOptions& options)
    : BatchNorm("BatchNorm3d", {5, 5, "(N, C, D, H, W)"}, num_features, options) {}

}  // namespace cairn::nn
