// Named records. Each call first checks all layers and allocates what it needs. Then it changes the
// layers, which cannot fail.
#include <cairn/nn/internal/stats_layers.h>
#include <cairn/nn/stats.h>

#include <algorithm>

namespace cairn::nn {
namespace {

using Layers = std::vector<StatsLayer>;

void check_name(const char* op, std::string_view name) {
  check(!name.empty() && name.find('.') == std::string_view::npos,
        "{}: a record's name is part of a path; '{}' is empty or has a dot", op, name);
}

void check_not_main(const char* op, std::string_view name) {
  check(name != "main", "{}: every layer keeps its record 'main'; name another one", op);
}

std::vector<std::string> names_in(const Layers& layers) {
  std::vector<std::string> names;
  for (const StatsLayer& l : layers) {
    if (!l.statistics->has_record) continue;
    for (const auto& r : l.statistics->records) {
      if (std::ranges::find(names, r->name) == names.end()) names.push_back(r->name);
    }
  }
  return names;
}

// The names as messages show them.
std::string quoted_names(const Layers& layers) {
  std::string text;
  for (const std::string& name : names_in(layers))
    text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

template <class F>
Layers layers_where(const Layers& layers, F f) {
  Layers some;
  for (const StatsLayer& l : layers) {
    if (f(*l.statistics)) some.push_back(l);
  }
  return some;
}

// Throws Error unless all layers that keep records have one of this name.
void check_all_have(const char* op, const Layers& layers, std::string_view name) {
  const Layers without = layers_where(
      layers, [name](const Statistics& s) { return s.has_record && s.find(name) == nullptr; });
  check(without.empty(),
        "{}: there is no record '{}' in {}; the records are {}; add it with add_stats(), or with "
        "{{.create = true}}",
        op, name, quoted(without), quoted_names(layers));
}

// The layers that have a record of this name. Throws Error if there is none.
Layers layers_with(const char* op, const Layers& layers, std::string_view name) {
  Layers with =
      layers_where(layers, [name](const Statistics& s) { return s.find(name) != nullptr; });
  check(!with.empty(), "{}: no layer has a record '{}'; the records are {}", op, name,
        quoted_names(layers));
  return with;
}

// A layer that keeps no record at present gets the record, too, for the time when it does.
void select_in(const Layers& layers, const char* op, std::string_view name, bool create) {
  check_name(op, name);
  if (!create) check_all_have(op, layers, name);
  LoadPlan plan;  // adds the records that are missing
  std::vector<std::shared_ptr<Record>> records;
  records.reserve(layers.size());
  for (const StatsLayer& l : layers) records.push_back(l.statistics->find_or_make(name, plan));
  plan.check(op);
  plan.commit();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].statistics->select(std::move(records[i]));
  }
}

}  // namespace

void select_stats(Module& model, std::string_view name, const SelectStatsOptions& options) {
  constexpr const char* op = "select_stats";
  select_in(some_layers_of(op, model, {options.allow_none}), op, name, options.create);
}

SelectStats::SelectStats(Module& model, std::string_view name, const SelectStatsOptions& options) {
  constexpr const char* op = "SelectStats";
  const Layers layers = some_layers_of(op, model, {options.allow_none});
  for (const StatsLayer& l : layers) {
    at_end.emplace_back([layer = std::weak_ptr(l.statistics), before = l.statistics->selected] {
      const auto s = layer.lock();
      if (s && s->find(before->name) == before) s->select(before);
    });
  }
  select_in(layers, op, name, options.create);
}

void add_stats(Module& model, std::string_view name, const StatsOptions& options) {
  constexpr const char* op = "add_stats";
  const Layers layers = some_layers_of(op, model, options);
  check_name(op, name);
  LoadPlan plan;
  for (const StatsLayer& l : layers) l.statistics->find_or_make(name, plan);
  plan.check(op);
  plan.commit();
}

std::vector<std::string> stats_names(const Module& model) { return names_in(layers_of(model)); }

void erase_stats(Module& model, std::string_view name) {
  constexpr const char* op = "erase_stats";
  check_not_main(op, name);
  const Layers layers = layers_with(op, some_layers_of(op, model, {}), name);
  const Layers showing =
      layers_where(layers, [name](const Statistics& s) { return s.selected->name == name; });
  check(showing.empty(), "{}: the record '{}' is selected in {}; select another one first", op,
        name, quoted(showing));
  for (const StatsLayer& l : layers) l.statistics->records.remove(l.statistics->find(name));
}

void rename_stats(Module& model, std::string_view from, std::string_view to) {
  constexpr const char* op = "rename_stats";
  check_not_main(op, from);
  check_name(op, to);
  const Layers all = some_layers_of(op, model, {}), layers = layers_with(op, all, from);
  const Layers taken =
      layers_where(all, [to](const Statistics& s) { return s.find(to) != nullptr; });
  check(taken.empty(), "{}: there is a record '{}' in {} already", op, to, quoted(taken));
  std::vector<std::string> names(layers.size(), std::string(to));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].statistics->find(from)->name.swap(names[i]);
  }
}

void copy_stats(Module& model, std::string_view from, std::string_view to,
                const SelectStatsOptions& options) {
  constexpr const char* op = "copy_stats";
  const Layers layers = layers_where(some_layers_of(op, model, {options.allow_none}),
                                     [](const Statistics& s) { return s.has_record; });
  check_name(op, to);
  check_all_have(op, layers, from);
  if (!options.create) check_all_have(op, layers, to);
  LoadPlan plan;
  for (const StatsLayer& l : layers) {
    const std::shared_ptr<Record> source = l.statistics->find(from);
    const std::shared_ptr<Record> target = l.statistics->find_or_make(to, plan);
    plan.write(target->mean, source->mean);
    plan.write(target->var, source->var);
    plan.write(target->count, source->count);
    plan.then([source, target] {
      target->assigned = source->assigned;
      target->initial_share = source->initial_share;
    });
  }
  plan.check(op);
  plan.commit();
}

}  // namespace cairn::nn
