// What moves a record cannot fail: whatever may throw, making room included, comes before.
#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/nn/internal/statistics.h>

#include <algorithm>

namespace cairn::nn {

Statistics::Statistics(Buffer& mean_, Buffer& var_, Buffer& count_, const BatchNormOptions& options)
    : built_without(!options.track_running_stats),
      momentum(options.momentum),
      eps(options.eps),
      mean(mean_),
      var(var_),
      count(count_) {
  records.push_back({.name = "main", .mean = &mean, .var = &var, .count = &count});
  if (built_without) {
    mode = StatsMode::hold;
    bind(false);
  }
}

void Statistics::set_mode(StatsMode next) noexcept {
  if (next == StatsMode::track) bind(true);
  if (next == StatsMode::hold && built_without && !has_content()) bind(false);
  mode = next;
}

void Statistics::bind(bool exists) noexcept {
  bound = exists;
  for (const Record& r : records) {
    for (Buffer* b : {r.mean, r.var, r.count}) b->listed_ = exists;
  }
}

Statistics::Settings Statistics::settings() const noexcept {
  return {mode, bound, mean.frozen(), var.frozen(), count.frozen()};
}

void Statistics::restore(const Settings& settings) noexcept {
  mode = settings.mode;
  bind(settings.bound || has_content());
  mean.frozen_ = settings.mean_frozen;
  var.frozen_ = settings.var_frozen;
  count.frozen_ = settings.count_frozen;
}

bool Statistics::has_content() const noexcept {
  return moved || std::any_of(records.begin(), records.end(), [](const Record& r) {
           return r.mean->assigned() || r.var->assigned() || r.count->assigned();
         });
}

// ---- recording ----

void Statistics::Pool::reserve(std::size_t record, int64_t channels) {
  if (outer != nullptr) outer->reserve(record, channels);
  if (moments.size() <= record) moments.resize(record + 1);
  if (moments[record].mean.defined()) return;
  const Tensor zero = zeros({channels}, {.dtype = DType::float64});
  moments[record] = {.mean = zero, .rest = zero.clone(), .var = zero.clone(), .count = 0};
}

void Statistics::record(std::size_t index, const detail::Moments& moments) noexcept {
  if (moments.count == 0) return;
  if (pool != nullptr) {
    detail::merge(pool->moments[index], moments);
  } else {
    move(records[index], moments);
  }
}

void Statistics::move(Record& r, const detail::Moments& moments) noexcept {
  const bool mean_moves = !mean.frozen(), var_moves = !var.frozen();
  if (!mean_moves && !var_moves) return;
  const Tensor& n = r.count->stored();
  const int64_t after = estimating ? ++r.estimated : n.item<int64_t>() + 1;
  const double equal = 1.0 / static_cast<double>(after);
  const double share = estimating ? equal : momentum.value_or(equal);
  r.initial *= 1 - share;
  if (mean_moves) detail::blend(r.mean->stored(), share, moments.mean, 1);
  if (var_moves) {
    detail::blend(r.var->stored(), share, moments.var, detail::unbias(moments.count));
  }
  if (!count.frozen()) {
    *detail::begin_write<int64_t>(n) = after;
  }
  moved = true;
  if (!bound) bind(true);  // tracking was turned off while this waited in a pool
}

void Statistics::begin_estimate() noexcept {
  estimating = true;
  for (Record& r : records) r.estimated = 0;
}

void Statistics::assign(std::size_t index, const Tensor& m, const Tensor& v,
                        const Tensor& n) noexcept {
  const Record& r = records[index];
  r.mean->assign(r.mean->stored(), m);
  r.var->assign(r.var->stored(), v);
  r.count->assign(r.count->stored(), n);
}

void Statistics::reset(const Tensor& zero, const Tensor& one) noexcept {
  Record& r = records[selected];
  r.initial = 1;
  detail::write_values(r.mean->stored(), zero.view_of());
  detail::write_values(r.var->stored(), one.view_of());
  detail::write_values(r.count->stored(), zero.view_of());
}

// ---- named records ----

std::optional<std::size_t> Statistics::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].name == name) return i;
  }
  return std::nullopt;
}

void Statistics::draft(std::string_view name) {
  if (find(name)) return;
  Record made{
      .name = std::string(name), .mean = nullptr, .var = nullptr, .count = nullptr, .draft = true};
  const auto make = [&](std::size_t i, const Buffer& of, const Tensor& value) {
    const std::string& path = of.name_;
    const std::size_t slot = path.rfind('.') + 1;  // 0 where there is no dot
    const std::string own = path.substr(0, slot) + "records." + made.name + "." + path.substr(slot);
    made.owned[i] = std::make_unique<Buffer>(own, value, of.check_);
    made.owned[i]->listed_ = bound;
    return made.owned[i].get();
  };
  const TensorOptions options{.dtype = mean.dtype()};
  made.mean = make(0, mean, zeros(mean.shape(), options));
  made.var = make(1, var, ones(var.shape(), options));
  made.count = make(2, count, zeros({}, {.dtype = DType::int64}));
  records.push_back(std::move(made));
}

void Statistics::settle(bool keep) noexcept {
  if (!keep) std::erase_if(records, [](const Record& r) { return r.draft; });
  for (Record& r : records) r.draft = false;
}

void Statistics::select(std::size_t index) noexcept {
  selected = index;
  const Record& r = records[index];
  mean.shown_ = &r.mean->stored();
  var.shown_ = &r.var->stored();
  count.shown_ = &r.count->stored();
}

}  // namespace cairn::nn
