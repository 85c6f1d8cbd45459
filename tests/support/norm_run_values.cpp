// The forwards and gradients of a run, and how everything is compared.
#include "support/layout.h"
#include "support/norm_run.h"

#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace cairn::test {

using namespace cairn::nn;

namespace {

using Numbers = ReferenceNorm::Numbers;
using Batch = ReferenceNorm::Batch;

// |x| at most, of those that are finite.
double largest(const Numbers& values) {
  double most = 0;
  for (const double v : values) {
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  }
  return most;
}

// Whether a sum of infinities is NaN depends on its order.
void compare(const std::string& what, double actual, double expected, double tolerance) {
  if (std::isfinite(expected) ? std::abs(actual - expected) <= tolerance : !std::isfinite(actual)) {
    return;
  }
  throw Difference(fmt::format("{}: {} where {} is expected, give or take {:.1e}", what, actual,
                               expected, tolerance));
}

// The values of each channel of x (N, C, *).
Batch by_channel(const Tensor& x) {
  const std::vector<double> values = x.to_vector<double>();
  const auto channels = static_cast<std::size_t>(x.size(1));
  std::size_t inner = 1;
  for (int64_t d = 2; d < x.dim(); ++d) inner *= static_cast<std::size_t>(x.size(d));
  Batch batch(channels);
  for (std::size_t i = 0; i < values.size(); ++i) {
    batch[i / inner % channels].push_back(values[i]);
  }
  return batch;
}

// ---- tolerances ----
//
// u is the unit roundoff of the layer's dtype, 2⁻⁵³ that of double, in which sums are taken. A sum
// of n numbers of size A is off by (n + 8) 2⁻⁵³ n A at most, so a mean by d A, d = (n + 8) 2⁻⁵³; of
// what is rounded to the dtype k times, each time below A, k u A is lost. Where a difference to the
// mean m is taken, X = max|x| bounds what its error is relative to: it is no smaller for a variance
// that is.

double unit(DType dtype) { return dtype == DType::float32 ? 0x1p-24 : 0x1p-53; }
double of_sums(std::size_t n) { return static_cast<double>(n + 8) * 0x1p-53; }

}  // namespace

// Numbers around 0, or around what is far from it; one channel may be constant, and seldom not
// finite.
Tensor NormRun::some_values(const Shape& shape, bool finite) {
  const double offset = one_of({0.0, 0.0, 1.0, -100.0}), spread = one_of({1.0, 1.0, 0.1, 10.0});
  const uint64_t constant = one_in(10) ? below(channels_) : channels_;
  std::vector<double> values;
  const int64_t inner = shape.numel() / std::max<int64_t>(1, shape[0] * shape[1]);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const bool varies = static_cast<uint64_t>(i / inner % shape[1]) != constant;
    values.push_back(offset + (varies ? spread * uniform(-2, 2) : 0));
  }
  if (!finite && !values.empty() && one_in(60)) {
    const double inf = std::numeric_limits<double>::infinity();
    values[below(values.size())] = one_of({inf, -inf, std::nan("")});
    ++events_["not finite"];
  }
  Tensor x = from_data(values, shape).to(dtype_);
  if (one_in(3)) return x;
  if (one_in(2)) {
    const Layout layout = one_of({Layout::transposed, Layout::strided, Layout::expanded});
    return copy_in(layout, x).expand(shape);
  }
  // Channels last and other orders of the dimensions in memory.
  Dims order, back(shape.begin(), shape.end());
  for (int64_t d = 0; d < x.dim(); ++d) {
    order.push_back(d);
    std::swap(order[d], order[static_cast<int64_t>(below(static_cast<uint64_t>(d) + 1))]);
  }
  for (int64_t d = 0; d < x.dim(); ++d) back[order[d]] = d;
  return x.permute(order).contiguous().permute(back);
}

// Of a shape that the layer takes; empty, or of one value a channel, now and then.
Tensor NormRun::some_input() {
  const auto c = static_cast<int64_t>(channels_);
  const int64_t inner = dims_ == 1 ? static_cast<int64_t>(below(2)) : dims_;
  std::vector<int64_t> shape{static_cast<int64_t>(one_in(12) ? below(2) : 1 + below(5)), c};
  for (int64_t d = 0; d < inner; ++d) {
    shape.push_back(static_cast<int64_t>(one_in(30) ? 0 : 1 + below(3)));
  }
  return some_values(Shape(shape.begin(), shape.end()), false);
}

void NormRun::forward() {
  Tensor x = some_input();
  bool wrong = one_in(10);
  if (wrong) {
    switch (below(3)) {
      case 0:
        x = cat({x, x.slice(1, 0, 1)}, 1);
        break;
      case 1:
        x = x.flatten(dims_ == 1 ? 0 : 2, -1);
        break;
      default:
        x = x.to(dtype_ == DType::float32 ? DType::float64 : DType::float32);
        wrong = options_.affine || reference_->uses_record();
    }
  }
  const bool records_graph = !one_in(5), wants_dx = !one_in(3);
  Tensor y;
  Batch values;
  ReferenceNorm::Statistics used;
  std::string text = fmt::format("forward {}, strides {}", x.shape(), x.strides());
  if (!records_graph) text += ", NoGrad";
  Tensor input = x.detach();
  if (wants_dx) input.requires_grad_(true);
  if (x.numel() < 40) text += fmt::format(": {}", fmt::join(x.to_vector<double>(), " "));
  const bool done = both(
      text,
      [&] {
        const GradMode mode(records_graph);
        y = (*layer_)(input);
      },
      [&] {
        if (wrong) throw ReferenceNorm::Refused();
        values = by_channel(x);
        used = reference_->forward(values);
      });
  if (!done) return;
  if (x.numel() > 0 && reference_->records_batches()) {
    ++events_[reference_->pools.empty() ? "recorded" : "pooled"];
  }
  for (const Numbers& v : values) largest_ = std::max(largest_, largest(v));
  same("shape of y", y.shape(), x.shape());
  compare_output(y, values, used);
  const bool affine = options_.affine;
  same("y.requires_grad()", y.requires_grad(),
       records_graph && (wants_dx || (affine && (trains_weight_ || trains_bias_))));
  if (!y.requires_grad()) return;
  const Tensor dy = some_values(x.shape(), true).to(x.dtype());
  pending_.push_back({input, y, dy, used, reference_->gradients(used, values, by_channel(dy)),
                      reference_->weight, affine && trains_weight_, affine && trains_bias_});
}

void NormRun::compare_output(const Tensor& y, const Batch& x,
                             const ReferenceNorm::Statistics& used) const {
  const Batch actual = by_channel(y), expected = reference_->output(used, x);
  const double u = unit(y.dtype());
  for (std::size_t c = 0; c < channels_; ++c) {
    if (x[c].empty()) continue;
    // y = γ(x - m)s + β: four roundings of what is as large as its two terms, and the error of m
    // (and of v, where it is relative to |x - m| only).
    const double gs = std::abs(reference_->weight[c] * used.scale[c]);
    Numbers distances;
    for (const double v : x[c]) distances.push_back(v - used.centre[c]);
    const double tolerance = 4 * u * (gs * largest(distances) + std::abs(reference_->bias[c])) +
                             4 * of_sums(x[c].size()) * gs * largest(x[c]);
    for (std::size_t i = 0; i < x[c].size(); ++i) {
      compare(fmt::format("y of value {} in channel {}", i, c), actual[c][i], expected[c][i],
              tolerance);
    }
  }
}

// At once or some steps later, whatever has become of the layer's statistics.
void NormRun::backward() {
  if (pending_.empty()) return;
  const std::size_t which = below(pending_.size());
  const Pending p = pending_[which];
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(which));
  log(fmt::format("backward {}", p.x.shape()));
  ++events_["backward"];
  layer_->zero_grad();
  Tensor(p.y).backward(p.dy);
  const Batch x = by_channel(p.x), dy = by_channel(p.dy);
  const double u = unit(p.x.dtype());
  const auto gradient = [](const Tensor& of) {
    if (!of.grad().defined()) throw Difference("a gradient is missing");
    return of.grad();
  };
  for (std::size_t c = 0; c < channels_; ++c) {
    const auto n = static_cast<double>(x[c].size());
    const double d = of_sums(x[c].size());
    const double s = p.used.scale.empty() ? 0 : p.used.scale[c];
    Numbers distances;
    for (const double v : x[c]) distances.push_back(v - p.used.centre[c]);
    const double X = largest(x[c]), D = largest(distances), G = largest(dy[c]);
    if (p.trains_bias) {
      const double expected = p.expected.bias[c];  // one rounding of a sum
      compare(fmt::format("dbias of channel {}", c),
              gradient(layer_->bias).at<double>({int64_t(c)}), expected,
              u * std::abs(expected) + d * n * G);
    }
    if (p.trains_weight) {  // q s, with the errors of m in q = Σg(x - m) and of v in s
      const double expected = p.expected.weight[c];
      compare(fmt::format("dweight of channel {}", c),
              gradient(layer_->weight).at<double>({int64_t(c)}), expected,
              2 * u * std::abs(expected) + 4 * d * n * G * s * (D + X));
    }
    if (p.x.requires_grad() && !x[c].empty()) {
      // γs[g - Σg/n - (x - m)s²q/n]: its terms are below G, G and D s² D G; a few roundings of
      // each, and the errors of m and v, X s times as large where x - m cancels.
      const double gs = std::abs(p.gamma[c]) * s, around = 1 + D * s;
      const double tolerance =
          8 * u * gs * G * (2 + D * s * D * s) + 16 * d * gs * G * (1 + X * s) * around * around;
      const Batch actual = by_channel(gradient(p.x));
      for (std::size_t i = 0; i < x[c].size(); ++i) {
        compare(fmt::format("dx of value {} in channel {}", i, c), actual[c][i], p.expected.x[c][i],
                tolerance);
      }
    }
  }
}

void NormRun::estimate() {
  std::vector<Tensor> batches;
  std::vector<Batch> values;
  std::string text = "estimate";
  for (uint64_t i = below(4); i > 0; --i) {
    batches.push_back(some_input());
    values.push_back(by_channel(batches.back()));
    text += fmt::format(" {}", batches.back().shape());
    for (const Numbers& v : values.back()) {
      const double most = largest(v);
      largest_ = std::max(largest_, most);
      estimated_.mean = std::max(estimated_.mean, most);
      Numbers distances;
      for (const double x : v) distances.push_back(x - v[0]);
      estimated_.var = std::max(estimated_.var, 2 * std::pow(largest(distances), 2));
    }
  }
  both(
      text, [&] { estimate_running_stats(*layer_, batches); },
      [&] { reference_->estimate(values); });
}

// ---- the whole state ----

// The reference takes the layer's numbers over.
void NormRun::compare_record(const std::string& name, const Tensor& mean, const Tensor& var,
                             const Tensor& count, ReferenceNorm::Record& expected) const {
  const double u = unit(dtype_), d = 0x1p-41;  // fewer than 4000 values are ever pooled
  const Numbers m = mean.to_vector<double>(), v = var.to_vector<double>();
  for (std::size_t c = 0; c < channels_; ++c) {
    const double size = std::abs(expected.var[c]);
    compare(fmt::format("mean of channel {} in '{}'", c, name), m[c], expected.mean[c],
            2 * u * (std::abs(expected.mean[c]) + estimated_.mean) + d * largest_);
    compare(fmt::format("var of channel {} in '{}'", c, name), v[c], expected.var[c],
            2 * u * (size + estimated_.var) + 4 * d * size + d * largest_ * d * largest_);
  }
  same(fmt::format("count of '{}'", name), count.item<int64_t>(), expected.count);
  expected.mean = m;
  expected.var = v;
}

void NormRun::compare_state() const {
  ReferenceNorm& r = *reference_;
  same("is_training()", layer_->is_training(), r.training);
  same("stats_mode()", layer_->stats_mode(), r.set.mode);
  same("has_record()", layer_->has_record(), r.set.has_record);
  same("selected_stats()", layer_->selected_stats(), r.selected);
  same("mean frozen", layer_->running_mean.frozen(), r.set.mean_frozen);
  same("var frozen", layer_->running_var.frozen(), r.set.var_frozen);
  same("count frozen", layer_->num_batches_tracked.frozen(), r.set.count_frozen);
  const StateDict dict = layer_->state_dict();
  std::vector<std::string> names;
  for (const auto& [name, value] : dict) names.push_back(name);
  same("names in state_dict()", names, r.names());
  if (options_.affine) {
    same("weight", dict.at("weight").to_vector<double>(), r.weight);
    same("bias", dict.at("bias").to_vector<double>(), r.bias);
  }
  compare_record(r.selected, layer_->running_mean, layer_->running_var, layer_->num_batches_tracked,
                 r.shown());
  if (!r.set.has_record) return;
  for (auto& [name, record] : r.records) {
    const std::string prefix = name == "main" ? "" : "records." + name + ".";
    compare_record(name, dict.at(prefix + "running_mean"), dict.at(prefix + "running_var"),
                   dict.at(prefix + "num_batches_tracked"), record);
  }
}

}  // namespace cairn::test
