// Saving, loading and converting a module's state. All three use own_state().
#include <cairn/core/internal/writing.h>
#include <cairn/nn/internal/module_state.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_set>

namespace cairn::nn {

using detail::join;

// Throws Error unless all values are whole numbers: a conversion to int64 would turn 2.7 into 2.
static void check_whole(const std::string& path, const Tensor& values) {
  for (const double v : values.to_vector<double>()) {
    check(Scalar(v).is_whole(), "{}: {} is no int64; give whole numbers", path, v);
  }
}

Tensor StateTensor::accepted(const std::string& path, const Tensor& values) const {
  cairn::check(
      values.defined() && values.shape() == tensor.shape(), "{}: {} given, the model has {}", path,
      values.defined() ? to_string(values.shape()) : "an undefined tensor", tensor.shape());
  if (!is_floating(tensor.dtype()) && is_floating(values.dtype())) check_whole(path, values);
  Tensor converted = values.detach().to(tensor.dtype());
  if (check != nullptr) check(path.c_str(), converted);
  return converted;
}

// How many letters must be inserted, erased or changed to make a into b (Levenshtein 1966).
static std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// "; did you mean 'fc1.bias'?", if one of the missing names is like this one.
static std::string suggestion(const std::string& name, const std::vector<std::string>& missing) {
  constexpr std::size_t most = 1000;  // so that the cost of a message stays bounded
  std::size_t nearest = std::max<std::size_t>(2, name.size() / 4) + 1;
  std::string found;
  for (std::size_t i = 0; i < std::min(missing.size(), most); ++i) {
    const std::size_t distance = edit_distance(name, missing[i]);
    if (distance >= nearest) continue;
    nearest = distance;
    found = "; did you mean '" + missing[i] + "'?";
  }
  return found;
}

std::vector<StateTensor> Module::own_state() const {
  std::vector<StateTensor> tensors;
  for (const auto& [name, p] : state().parameters) {
    if (p->defined()) tensors.push_back({.name = name, .tensor = *p});
  }
  for (const auto& [name, b] : state().buffers) {
    tensors.push_back({.name = name, .tensor = b->tensor()});
  }
  return tensors;
}

// The entry of this buffer in own_state(), with the full path as its name.
StateTensor Module::state_of(const Buffer& buffer) const {
  for (StateTensor& t : own_state()) {
    if (&t.tensor.impl() != &buffer.tensor().impl()) continue;
    t.name = join(state().name->path(), t.name);
    return t;
  }
  return {.name = "buffer", .unlisted = "it is no part of its module's state"};
}

StateDict Module::state_dict() const {
  StateDict dict;
  walk("", [&](const std::string& path, const Module& module) {
    for (const StateTensor& t : module.own_state()) {
      if (t.unlisted == nullptr) dict[join(path, t.name)] = t.tensor.detach();
    }
  });
  return dict;
}

LoadReport Module::load_state_dict(const StateDict& values, const LoadOptions& options) {
  LoadPlan plan;
  LoadReport report = plan_load(plan, values, options);
  plan.check("load_state_dict");
  plan.commit();
  return report;
}

LoadReport Module::plan_load(LoadPlan& plan, const StateDict& values, const LoadOptions& options) {
  std::map<Module*, std::vector<StateTensor>> states;  // one entry per module
  walk("", [&](const std::string& path, Module& module) {
    const auto [state, is_new] = states.try_emplace(&module);
    if (is_new) state->second = module.own_state();
    module.make_state(state->second, path, values, plan);
  });

  LoadReport report;
  std::unordered_set<std::string> known;
  std::map<std::string, const char*> unlisted;
  walk("", [&](const std::string& path, Module& module) {
    for (const StateTensor& t : states.at(&module)) {
      const std::string full = join(path, t.name);
      if (t.unlisted != nullptr) {
        unlisted.emplace(full, t.unlisted);
        continue;
      }
      known.insert(full);
      if (!values.contains(full)) {
        report.missing.push_back(full);
        continue;
      }
      try {
        plan.write(t.tensor, t.accepted(full, values.at(full)));
        if (t.assigned != nullptr) plan.then([assigned = t.assigned] { *assigned = true; });
      } catch (const Error& error) {
        plan.problem(error.what());
      }
    }
  });
  for (const auto& [name, tensor] : values) {
    if (!known.contains(name)) report.unexpected.push_back(name);
  }
  if (!options.strict) return report;
  for (const std::string& name : report.missing) plan.problem(name + ": missing");
  for (const std::string& name : report.unexpected) {
    const auto found = unlisted.find(name);
    plan.problem(name + ": " +
                 (found == unlisted.end()
                      ? "the model has no such entry" + suggestion(name, report.missing)
                      : found->second));
  }
  return report;
}

void copy_state(const Module& from, Module& to) { to.load_state_dict(from.state_dict()); }

void Module::to(DType dtype) {
  check(is_floating(dtype), "to: a model's parameters cannot be {}", dtype);
  struct Change {
    Tensor tensor, values, grad;
  };
  std::vector<Change> changes;
  for (const auto& [path, module] : named_modules()) {
    for (const StateTensor& t : module.own_state()) {
      if (!is_floating(t.tensor.dtype()) || t.tensor.dtype() == dtype) continue;
      const Tensor grad = t.tensor.grad();
      changes.push_back(
          {t.tensor, t.tensor.detach().to(dtype), grad.defined() ? grad.detach().to(dtype) : grad});
    }
  }
  for (const Change& c : changes) detail::replace_values(c.tensor, c.values, c.grad);
}

}  // namespace cairn::nn
