// The functions that change a layer's statistics cannot fail. Their callers allocate beforehand.
#include <cairn/core/internal/writing.h>
#include <cairn/nn/internal/statistics.h>

#include <algorithm>
#include <utility>

namespace cairn::nn {

Statistics::Statistics(Buffer& mean_, Buffer& var_, Buffer& count_, const BatchNormOptions& options)
    : built_untracked(!options.track_running_stats),
      momentum(options.momentum),
      eps(options.eps),
      mean(mean_),
      var(var_),
      count(count_) {
  records.push_back(std::make_shared<Record>("main", mean.numel(), mean.dtype()));
  select(records.front());
  if (built_untracked) {
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
  if (next == StatsMode::hold && built_untracked && !was_written()) has_record = false;
  mode = next;
}

Statistics::Settings Statistics::settings() const noexcept {
  return {mode, has_record, mean.frozen(), var.frozen(), count.frozen()};
}

void Statistics::restore(const Settings& settings) noexcept {
  const auto freeze = [](Buffer& b, bool frozen) { frozen ? b.freeze() : b.unfreeze(); };
  mode = settings.mode;
  has_record = settings.has_record || was_written();
  freeze(mean, settings.mean_frozen);
  freeze(var, settings.var_frozen);
  freeze(count, settings.count_frozen);
}

bool Statistics::was_written() const noexcept {
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

void Statistics::write_estimates(const EstimatingPool& estimated) noexcept {
  if (mean.frozen() && var.frozen()) return;
  for (const auto& [record, estimate] : estimated.estimates) {
    if (std::ranges::find(records, record) == records.end()) continue;  // another layer's
    if (*estimate->count.view_of().as<int64_t>() == 0) continue;        // every batch was empty
    if (!mean.frozen()) detail::write_values(record->mean, estimate->mean.view_of());
    if (!var.frozen()) detail::write_values(record->var, estimate->var.view_of());
    if (!count.frozen()) detail::write_values(record->count, estimate->count.view_of());
    record->initial_share = 0;
    updated = has_record = true;
  }
}

// ---- records ----

void Statistics::reset(const Tensor& zero, const Tensor& one) noexcept {
  detail::write_values(selected->mean, zero.view_of());
  detail::write_values(selected->var, one.view_of());
  detail::write_values(selected->count, zero.view_of());
  selected->initial_share = 1;
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
  plan.then([layer = shared_from_this(), added = std::list{record}]() mutable {
    if (const auto same = layer->find(added.front()->name)) {  // added since the plan was made
      detail::write_values(same->mean, added.front()->mean.view_of());
      detail::write_values(same->var, added.front()->var.view_of());
      detail::write_values(same->count, added.front()->count.view_of());
      same->assigned = true;
      return;
    }
    layer->records.splice(layer->records.end(), added);
  });
  return record;
}

void Statistics::copy_settings(const Statistics& from) {
  LoadPlan plan;  // adds the records that are missing
  for (const auto& other : from.records) {
    const std::shared_ptr<Record> record = find_or_make(other->name, plan);
    record->assigned = other->assigned;
    record->initial_share = other->initial_share;
  }
  plan.check("clone");
  plan.commit();
  select(find(from.selected->name));
  mode = from.mode;
  has_record = from.has_record;
  updated = from.updated;
}

void Statistics::select(std::shared_ptr<Record> record) noexcept {
  selected = std::move(record);
  detail::hold(mean, selected->mean);
  detail::hold(var, selected->var);
  detail::hold(count, selected->count);
}

}  // namespace cairn::nn
