// What changes a layer's statistics cannot fail; what is needed for it is made before.
#include <cairn/core/internal/writing.h>
#include <cairn/nn/internal/statistics.h>

#include <algorithm>
#include <utility>

namespace cairn::nn {

Statistics::Statistics(Buffer& mean_, Buffer& var_, Buffer& count_, const BatchNormOptions& options)
    : built_without(!options.track_running_stats),
      momentum(options.momentum),
      eps(options.eps),
      mean(mean_),
      var(var_),
      count(count_) {
  records.push_back(std::make_shared<Record>("main", mean.numel(), mean.dtype()));
  select(records.front());
  if (built_without) {
    mode = StatsMode::hold;
    has_record = false;
  }
}

const std::shared_ptr<Statistics>& Statistics::of(const BatchNorm& layer) {
  check(layer.statistics_ != nullptr, "{}: it was moved from", layer.kind_);
  return layer.statistics_;
}

// ---- modes ----

void Statistics::set_mode(StatsMode next) noexcept {
  if (next == StatsMode::track) has_record = true;
  if (next == StatsMode::hold && built_without && !has_content()) has_record = false;
  mode = next;
}

Statistics::Settings Statistics::settings() const noexcept {
  return {mode, has_record, mean.frozen(), var.frozen(), count.frozen()};
}

void Statistics::restore(const Settings& settings) noexcept {
  const auto freeze = [](Buffer& b, bool frozen) { frozen ? b.freeze() : b.unfreeze(); };
  mode = settings.mode;
  has_record = settings.has_record || has_content();
  freeze(mean, settings.mean_frozen);
  freeze(var, settings.var_frozen);
  freeze(count, settings.count_frozen);
}

bool Statistics::has_content() const noexcept {
  return updated ||
         std::ranges::any_of(records, [](const auto& record) { return record->assigned; });
}

// ---- updates ----

Update Statistics::update(const std::shared_ptr<Record>& record,
                          const detail::Moments& moments) noexcept {
  return {.layer = weak_from_this(),
          .record = record,
          .moments = moments,
          .momentum = momentum,
          .mean_frozen = mean.frozen(),
          .var_frozen = var.frozen(),
          .count_frozen = count.frozen(),
          .pool = pool};
}

void Statistics::take(const EstimatingPool& estimated) noexcept {
  if (mean.frozen() && var.frozen()) return;
  for (const auto& [record, estimate] : estimated.estimates) {
    if (std::ranges::find(records, record) == records.end()) continue;  // another layer's
    if (*estimate->count.view_of().as<int64_t>() == 0) continue;        // every batch was empty
    if (!mean.frozen()) detail::write_values(record->mean, estimate->mean.view_of());
    if (!var.frozen()) detail::write_values(record->var, estimate->var.view_of());
    if (!count.frozen()) detail::write_values(record->count, estimate->count.view_of());
    record->weight_of_initial = 0;
    updated = has_record = true;
  }
}

// ---- records ----

void Statistics::reset(const Tensor& zero, const Tensor& one) noexcept {
  detail::write_values(selected->mean, zero.view_of());
  detail::write_values(selected->var, one.view_of());
  detail::write_values(selected->count, zero.view_of());
  selected->weight_of_initial = 1;
}

std::shared_ptr<Record> Statistics::find(std::string_view name) const noexcept {
  for (const auto& record : records) {
    if (record->name == name) return record;
  }
  return nullptr;
}

std::shared_ptr<Record> Statistics::find_or_make(std::string_view name, LoadPlan& plan) {
  if (auto record = find(name)) return record;
  auto record = std::make_shared<Record>(std::string(name), mean.numel(), mean.dtype());
  plan.then([layer = shared_from_this(), made = std::list{record}]() mutable {
    if (layer->find(made.front()->name)) return;  // planned twice
    layer->records.splice(layer->records.end(), made);
  });
  return record;
}

void Statistics::select(std::shared_ptr<Record> record) noexcept {
  selected = std::move(record);
  detail::hold(mean, selected->mean);
  detail::hold(var, selected->var);
  detail::hold(count, selected->count);
}

}  // namespace cairn::nn
