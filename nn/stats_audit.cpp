// Each layer is examined alone. The unit of a distance is √(var + eps) of the record, by which
// eval() divides.
#include <cairn/nn/internal/stats_layers.h>
#include <cairn/nn/stats_audit.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cairn::nn {
namespace {

// The mean and the unbiased variance of each channel, as in a record.
struct Channels {
  std::vector<double> mean, var;
};

Channels channels_of(const Tensor& mean, const Tensor& var, double factor = 1) {
  Channels channels{mean.to_vector<double>(), var.to_vector<double>()};
  for (double& v : channels.var) v *= factor;
  return channels;
}

// Skips channels whose distance is not finite; classify_channels() lists them.
std::optional<StatsDistance> distance(const Channels& other, const Channels& record, double eps) {
  std::optional<StatsDistance> largest;
  for (std::size_t c = 0; c < record.mean.size(); ++c) {
    const double unit = std::sqrt(record.var[c] + eps);
    const double by_mean = std::abs(other.mean[c] - record.mean[c]) / unit;
    const double by_deviation = std::abs(std::sqrt(other.var[c] + eps) / unit - 1);
    const double size = std::max(by_mean, by_deviation);
    if (!std::isfinite(by_mean) || !std::isfinite(by_deviation)) continue;
    if (!largest || size > largest->size) largest = {size, static_cast<int64_t>(c)};
  }
  return largest;
}

// Adds each channel to the list of those that are not finite, dead or vanishing, if it is one.
void classify_channels(LayerAudit& audit, const Channels& channels, double eps) {
  const auto add = [](std::vector<int64_t>& to, std::size_t channel) {
    const auto c = static_cast<int64_t>(channel);
    if (std::ranges::find(to, c) == to.end()) to.push_back(c);
  };
  for (std::size_t c = 0; c < channels.mean.size(); ++c) {
    const double v = channels.var[c];
    if (!std::isfinite(channels.mean[c]) || !std::isfinite(v)) {
      add(audit.non_finite, c);
    } else if (v == 0) {
      add(audit.dead, c);
    } else if (v < eps) {
      add(audit.vanishing, c);
    }
  }
}

// "channel 2", "channels 0, 3 and 5", "channels 0, 1, 2 and 61 more".
std::string channel_list(const std::vector<int64_t>& channels) {
  if (channels.size() == 1) return fmt::format("channel {}", channels[0]);
  const bool all = channels.size() <= 4;
  const auto shown =
      channels.begin() + (all ? static_cast<std::ptrdiff_t>(channels.size()) - 1 : 3);
  const std::string first = fmt::format("channels {}", fmt::join(channels.begin(), shown, ", "));
  return all ? fmt::format("{} and {}", first, channels.back())
             : fmt::format("{} and {} more", first, channels.size() - 3);
}

constexpr double max_gap = 0.5;             // standard deviations
constexpr double max_initial_share = 0.05;  // of the initial values 0 and 1 in a record

struct Findings {
  StatsAudit audit;

  template <class... Args>
  void add(const std::string& name, fmt::format_string<Args...> text, Args&&... args) {
    audit.problems.push_back(name + ": " + fmt::format(text, std::forward<Args>(args)...));
  }
};

// Adds a problem for each of these figures that can make eval() worse than train(). The gap was
// measured from so many `values` per channel.
void add_problems(Findings& findings, const std::string& name, const LayerAudit& a,
                  const Statistics& s, bool model_trains, int64_t values) {
  if (a.training != model_trains) {
    findings.add(name, "it is in {} while the model is in {}", a.training ? "train()" : "eval()",
                 model_trains ? "train()" : "eval()");
  }
  if (!a.has_record) {
    findings.add(name, "it keeps no record, so eval normalises by the batch it is given");
    return;
  }
  const char* const subject =
      a.mode == StatsMode::frozen ? "train and eval normalise" : "eval normalises";
  if (!a.moved) findings.add(name, "{} by a record that never moved", subject);
  if (!a.non_finite.empty()) {
    findings.add(name, "{} by a record that is not finite at {}", subject,
                 channel_list(a.non_finite));
  }
  if (!a.dead.empty())
    findings.add(name, "{}: the variance is 0, so nothing gets through but bias",
                 channel_list(a.dead));
  if (!a.vanishing.empty()) {
    findings.add(name, "{}: the variance is below eps, which then does the normalising",
                 channel_list(a.vanishing));
  }
  const Record& r = *s.selected;
  if (a.moved && r.initial_share > max_initial_share && !r.assigned) {
    findings.add(name, "after {} {} {:.0f} % of the record is still what it began as, 0 and 1",
                 a.count, a.count == 1 ? "batch" : "batches", 100 * r.initial_share);
  }
  if (a.mode == StatsMode::track && s.mean.frozen() != s.var.frozen()) {
    const bool mean = s.mean.frozen();
    findings.add(name, "{} is frozen by hand while {} moves", mean ? "running_mean" : "running_var",
                 mean ? "running_var" : "running_mean");
  }
  if (a.mode != StatsMode::track && a.drift && a.drift->size > 0) {
    findings.add(name, "its mode is {}, and yet the record has moved since the snapshot", a.mode);
  }
  // The mean of n values has a standard error of 1/√n standard deviations.
  if (a.gap && a.gap->size > std::max(max_gap, 4 / std::sqrt(static_cast<double>(values)))) {
    findings.add(name,
                 "{} by a record that is {:.2g} of its standard deviations away from the "
                 "given batches, at channel {}",
                 subject, a.gap->size, a.gap->channel);
  }
}

const StatsSnapshot::Record* find(const StatsSnapshot& snapshot, const std::string& path,
                                  const std::string& record) {
  for (const auto& layer : snapshot.layers) {
    if (layer.path != path) continue;
    for (const auto& r : layer.records) {
      if (r.name == record) return &r;
    }
  }
  return nullptr;
}

// `measured` holds one update for each record, with the merged moments of all batches.
StatsAudit audit(const Module& model, const StatsSnapshot& snapshot,
                 const std::vector<Update>& measured, const StatsOptions& options) {
  some_layers_of("audit_stats", const_cast<Module&>(model), options);
  Findings findings;
  for (const auto& [path, module] : model.named_modules()) {
    const auto* const layer = dynamic_cast<const BatchNorm*>(&module);
    if (layer == nullptr) continue;
    const Statistics& s = *Statistics::of(*layer);
    LayerAudit a{.path = path,
                 .mode = s.mode,
                 .training = layer->is_training(),
                 .has_record = s.has_record,
                 .record = s.selected->name,
                 .count = s.count.item<int64_t>(),
                 .moved = false};
    int64_t values = 0;
    if (s.has_record) {
      const Channels record = channels_of(s.mean, s.var);
      const auto is = [](double v) { return [v](double w) { return v == w; }; };
      a.moved = a.count != 0 || !std::ranges::all_of(record.mean, is(0)) ||
                !std::ranges::all_of(record.var, is(1));
      classify_channels(a, record, s.eps);
      if (const auto* earlier = find(snapshot, path, a.record)) {
        check(earlier->mean.shape() == s.mean.shape(),
              "audit_stats: the snapshot's record of '{}' has channels {}, the layer {}", path,
              earlier->mean.shape(), s.mean.shape());
        a.drift = distance(record, channels_of(earlier->mean, earlier->var), s.eps);
      }
      const auto update = std::ranges::find(measured, s.selected, &Update::record);
      if (update != measured.end() && update->moments.count > 1) {
        const detail::Moments& m = update->moments;
        values = m.count;
        const Channels batches = channels_of(m.mean, m.var, detail::unbias(m.count));
        a.gap = distance(batches, record, s.eps);
        classify_channels(a, batches, s.eps);
      }
    }
    add_problems(findings, path.empty() ? layer->kind() : path, a, s, model.is_training(), values);
    findings.audit.layers.push_back(std::move(a));
  }
  return std::move(findings.audit);
}

}  // namespace

StatsAudit audit_stats(const Module& model, const StatsSnapshot& snapshot,
                       const StatsOptions& options) {
  return audit(model, snapshot, {}, options);
}

std::string to_string(const StatsAudit& report) {
  std::size_t width = 5;
  for (const LayerAudit& a : report.layers) width = std::max(width, a.path.size());
  const auto number = [](const std::optional<StatsDistance>& d) {
    return d ? fmt::format("{:.2g}", d->size) : std::string("-");
  };
  std::string text;
  const auto add_row = [&](const auto&... cells) {
    text += fmt::format("{:<{}}  {:<6}  {:<5}  {:<11}  {:>7}  {:<5}  {:>7}  {:>7}  {}\n", cells...);
  };
  add_row("layer", width, "mode", "flag", "record", "batches", "moved", "drift", "gap", "channels");
  for (const LayerAudit& a : report.layers) {
    std::string channels;
    const auto count = [&](const std::vector<int64_t>& some, const char* what) {
      if (some.empty()) return;
      channels += fmt::format("{}{} {}", channels.empty() ? "" : ", ", some.size(), what);
    };
    count(a.non_finite, "not finite");
    count(a.dead, "dead");
    count(a.vanishing, "vanishing");
    add_row(a.path, width, to_string(a.mode), a.training ? "train" : "eval",
            a.has_record ? a.record : "none", a.count, a.moved ? "yes" : "no", number(a.drift),
            number(a.gap), channels.empty() ? "ok" : channels);
  }
  text += report.problems.empty() ? "\nNothing looks wrong." : "\nWhat looks wrong:";
  for (const std::string& problem : report.problems) text += "\n  " + problem;
  return text;
}

}  // namespace cairn::nn

namespace cairn::detail {

nn::StatsAudit audit_stats(nn::Module& model, const nn::StatsSnapshot& snapshot,
                           const NextBatch& next, const nn::StatsOptions& options) {
  nn::some_layers_of("audit_stats", model, options);  // before the pass
  const auto pool = std::make_shared<nn::MergingPool>(nullptr);
  nn::run_pass(model, next, pool);
  return nn::audit(model, snapshot, pool->updates, options);
}

}  // namespace cairn::detail
