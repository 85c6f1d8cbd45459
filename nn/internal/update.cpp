// How an update changes its record, or the pool that collects it.
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/nn/internal/statistics.h>

#include <algorithm>

namespace cairn::nn {

Record::Record(std::string name_, int64_t channels, DType dtype)
    : name(std::move(name_)),
      mean(zeros({channels}, {.dtype = dtype})),
      var(ones({channels}, {.dtype = dtype})),
      count(zeros({}, {.dtype = DType::int64})) {
  for (const Tensor* t : {&mean, &var, &count}) detail::mark_as_buffer(*t);
}

void Update::apply() const noexcept {
  if (moments.count == 0) return;
  if (pool != nullptr) return pool->add(*this);
  if (mean_frozen && var_frozen) return;
  const int64_t after = *record->count.view_of().as<int64_t>() + 1;
  const double share = momentum.value_or(1.0 / static_cast<double>(after));
  if (!mean_frozen) detail::blend(record->mean, share, moments.mean, 1);
  if (!var_frozen) detail::blend(record->var, share, moments.var, detail::unbias(moments.count));
  if (!count_frozen) *detail::begin_write<int64_t>(record->count) = after;
  record->initial_share *= 1 - share;
  if (const auto statistics = layer.lock()) {
    statistics->updated = true;
    statistics->has_record = true;  // tracking may have been turned off while this was in a pool
  }
}

// ---- pools ----

void MergingPool::make_room(const std::shared_ptr<Record>& record) {
  if (outer != nullptr) outer->make_room(record);
  if (std::ranges::find(updates, record, &Update::record) != updates.end()) return;
  const Tensor zero = zeros(record->mean.shape(), {.dtype = DType::float64});
  Update empty{.record = record};
  empty.moments = {zero, zero.clone(), zero.clone(), 0};
  updates.push_back(std::move(empty));
}

void MergingPool::add(const Update& update) noexcept {
  detail::merge(std::ranges::find(updates, update.record, &Update::record)->moments,
                update.moments);
}

void EstimatingPool::make_room(const std::shared_ptr<Record>& record) {
  for (const auto& [known, estimate] : estimates) {
    if (known == record) return;
  }
  estimates.emplace_back(
      record, std::make_shared<Record>(record->name, record->mean.numel(), record->mean.dtype()));
}

void EstimatingPool::add(const Update& update) noexcept {
  for (const auto& [record, estimate] : estimates) {
    if (record == update.record) Update{.record = estimate, .moments = update.moments}.apply();
  }
}

}  // namespace cairn::nn
