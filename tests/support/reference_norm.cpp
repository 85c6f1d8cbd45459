#include "support/reference_norm.h"

#include <algorithm>
#include <cmath>

namespace cairn::test {

namespace {

using Numbers = ReferenceNorm::Numbers;
using Batch = ReferenceNorm::Batch;

double sum(const Numbers& values) {
  long double total = 0;
  for (const double v : values) total += v;
  return static_cast<double>(total);
}

double mean_of(const Numbers& x) { return sum(x) / static_cast<double>(x.size()); }

// Σ(x - m)²/n
double variance_of(const Numbers& x) {
  const double m = mean_of(x);
  Numbers squares;
  for (const double v : x) squares.push_back((v - m) * (v - m));
  return mean_of(squares);
}

double unbiased(const Numbers& x) {
  const auto n = static_cast<double>(x.size());
  return variance_of(x) * n / (n - 1);
}

bool is_variance(double v) { return v >= 0; }

void append(Batch& to, const Batch& x) {
  to.resize(x.size());
  for (std::size_t c = 0; c < x.size(); ++c) to[c].insert(to[c].end(), x[c].begin(), x[c].end());
}

// What a forward that normalises by the batch asks of it.
void check_batch(const Batch& x, bool finite) {
  for (const Numbers& values : x) {
    if (values.size() == 1) throw ReferenceNorm::Refused();
    if (finite && !values.empty() && !std::isfinite(variance_of(values))) {
      throw ReferenceNorm::Refused();
    }
  }
}

}  // namespace

ReferenceNorm::ReferenceNorm(std::size_t channels_, const nn::BatchNormOptions& options_)
    : channels(channels_), options(options_), weight(channels_, 1.0), bias(channels_, 0.0) {
  const bool tracks = options.track_running_stats;
  set = {tracks ? nn::StatsMode::track : nn::StatsMode::hold, tracks, false, false, false};
  records.emplace_back("main", initial());
}

// ---- the layer ----

ReferenceNorm::Statistics ReferenceNorm::forward(const Batch& x) {
  if (by_batch()) check_batch(x, options.check_finite);
  Statistics used{{}, {}, by_batch()};
  for (std::size_t c = 0; c < channels; ++c) {
    if (used.by_batch && x[c].empty()) return used;
    const double var = used.by_batch ? variance_of(x[c]) : shown().var[c];
    used.centre.push_back(used.by_batch ? mean_of(x[c]) : shown().mean[c]);
    used.scale.push_back(1 / std::sqrt(var + options.eps));
  }
  if (!records_batches()) return used;
  if (pools.empty()) {
    record(selected, x);
  } else {
    append(pools.back()[selected], x);
  }
  return used;
}

Batch ReferenceNorm::output(const Statistics& used, const Batch& x) const {
  Batch y = x;
  for (std::size_t c = 0; c < channels; ++c) {
    for (double& v : y[c]) v = weight[c] * (v - used.centre[c]) * used.scale[c] + bias[c];
  }
  return y;
}

ReferenceNorm::Gradients ReferenceNorm::gradients(const Statistics& used, const Batch& x,
                                                  const Batch& dy) const {
  Gradients d{x, Numbers(channels, 0.0), Numbers(channels, 0.0)};
  for (std::size_t c = 0; c < channels; ++c) {
    if (used.scale.empty()) continue;
    const auto n = static_cast<double>(x[c].size());
    const double m = used.centre[c], s = used.scale[c];
    Numbers products;
    for (std::size_t i = 0; i < x[c].size(); ++i) products.push_back(dy[c][i] * (x[c][i] - m));
    const double q = sum(products);
    d.weight[c] = q * s;
    d.bias[c] = sum(dy[c]);
    for (std::size_t i = 0; i < x[c].size(); ++i) {
      const double around = d.bias[c] / n + (x[c][i] - m) * s * s * q / n;
      d.x[c][i] = weight[c] * s * (dy[c][i] - (used.by_batch ? around : 0));
    }
  }
  return d;
}

void ReferenceNorm::record(const std::string& name, const Batch& x) {
  if (x[0].empty() || (set.mean_frozen && set.var_frozen)) return;
  Record& r = at(name);
  const double a = options.momentum.value_or(1 / (static_cast<double>(r.count) + 1));
  const auto blend = [a](double& v, double measured) {
    v = (a == 1 ? 0 : (1 - a) * v) + a * measured;
  };
  for (std::size_t c = 0; c < channels; ++c) {
    if (!set.mean_frozen) blend(r.mean[c], mean_of(x[c]));
    if (!set.var_frozen) blend(r.var[c], unbiased(x[c]));
  }
  if (!set.count_frozen) ++r.count;
  content = set.has_record = true;
}

void ReferenceNorm::set_mode(nn::StatsMode mode) {
  if (mode == nn::StatsMode::frozen && !set.has_record) throw Refused();
  if (mode == nn::StatsMode::track) set.has_record = true;
  if (mode == nn::StatsMode::hold && !options.track_running_stats && !content) {
    set.has_record = false;
  }
  set.mode = mode;
}

void ReferenceNorm::assign_mean(const Numbers& values) {
  if (!set.has_record || values.size() != channels) throw Refused();
  shown().mean = values;
  content = true;
}

void ReferenceNorm::assign_var(const Numbers& values) {
  if (!set.has_record || values.size() != channels) throw Refused();
  if (!std::all_of(values.begin(), values.end(), is_variance)) throw Refused();
  shown().var = values;
  content = true;
}

void ReferenceNorm::assign_count(int64_t value) {
  if (!set.has_record) throw Refused();
  shown().count = value;
  content = true;
}

void ReferenceNorm::reset() {
  if (set.has_record) shown() = initial();
}

// ---- the model ----

ReferenceNorm::Record& ReferenceNorm::at(const std::string& name) {
  return std::find_if(records.begin(), records.end(), [&](auto& r) { return r.first == name; })
      ->second;
}

bool ReferenceNorm::has(const std::string& name) const {
  return std::any_of(records.begin(), records.end(), [&](auto& r) { return r.first == name; });
}

void ReferenceNorm::select(const std::string& name) {
  if (!has(name)) records.emplace_back(name, initial());
  selected = name;
}

void ReferenceNorm::estimate(const std::vector<Batch>& batches) {
  if (!set.has_record || batches.empty()) throw Refused();
  for (const Batch& x : batches) check_batch(x, options.check_finite);
  if (set.mean_frozen && set.var_frozen) return;
  Record fresh = initial();
  for (const Batch& x : batches) fresh.count += !x[0].empty();
  if (fresh.count == 0) return;
  for (std::size_t c = 0; c < channels; ++c) {
    Numbers means, variances;
    for (const Batch& x : batches) {
      if (x[c].empty()) continue;
      means.push_back(mean_of(x[c]));
      variances.push_back(unbiased(x[c]));
    }
    if (!set.mean_frozen) shown().mean[c] = mean_of(means);
    if (!set.var_frozen) shown().var[c] = mean_of(variances);
  }
  if (!set.count_frozen) shown().count = fresh.count;
  content = true;
}

void ReferenceNorm::restore(const Records& values) {
  if (!values.empty() && !set.has_record) throw Refused();
  for (const auto& [name, value] : values) {
    if (!has(name)) records.emplace_back(name, initial());
    at(name) = value;
    content = true;
  }
}

std::vector<std::string> ReferenceNorm::names() const {
  std::vector<std::string> all;
  if (options.affine) all = {"weight", "bias"};
  if (!set.has_record) return all;
  for (const auto& [name, value] : records) {
    const std::string prefix = name == "main" ? "" : "records." + name + ".";
    for (const char* buffer : {"running_mean", "running_var", "num_batches_tracked"}) {
      all.push_back(prefix + buffer);
    }
  }
  return all;
}

void ReferenceNorm::load(const ReferenceNorm& saved) {
  if (saved.set.has_record != set.has_record) throw Refused();
  const Records values = saved.snapshot();
  for (const auto& [name, value] : records) {
    if (set.has_record && !saved.has(name)) throw Refused();
  }
  for (const auto& [name, value] : values) {
    if (!std::all_of(value.var.begin(), value.var.end(), is_variance)) throw Refused();
  }
  weight = saved.weight;
  bias = saved.bias;
  restore(values);
}

// ---- scopes ----

void ReferenceNorm::leave_guard(const Settings& before) {
  const bool keeps_record = before.has_record || (set.has_record && content);
  set = before;
  set.has_record = keeps_record;
}

void ReferenceNorm::end_accumulating(bool by_exception) {
  const auto pooled = std::move(pools.back());
  pools.pop_back();
  if (by_exception) return;
  for (const auto& [name, x] : pooled) {
    if (pools.empty()) {
      record(name, x);
    } else {
      append(pools.back()[name], x);
    }
  }
}

}  // namespace cairn::test
