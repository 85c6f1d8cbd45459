// The members of OptimizerOf. Each optimizer's source file instantiates them.
//
// A step or a load first makes all checks and allocates all memory. Its writes cannot fail.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/optim/optimizer.h>

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>

namespace cairn::optim {

// ---- checks ----

inline void check_not_negative(const char* optimizer, std::size_t group, const char* option,
                               double value) {
  check(std::isfinite(value) && value >= 0,
        "{}: group {}: {} is {}; it must be finite and not negative", optimizer, group, option,
        value);
}

inline void check_parameter(const char* optimizer, std::size_t group, std::size_t i,
                            const Tensor& p) {
  check(p.defined(), "{}: group {}: parameter {} is undefined", optimizer, group, i);
  check(!p.view_of().storage->guarded,
        "{}: group {}: parameter {} {} is a buffer, which is never trained", optimizer, group, i,
        p.shape());
  check(p.is_leaf(), "{}: group {}: parameter {} {} is no leaf: an op computed it", optimizer,
        group, i, p.shape());
  check(is_floating(p.dtype()),
        "{}: group {}: parameter {} {} is {}; only float32 and float64 are trained", optimizer,
        group, i, p.shape(), p.dtype());
  detail::check_writable(optimizer, p);
}

template <class Rule>
void OptimizerOf<Rule>::check_in_use() const {
  check(!groups_.empty(), "{}: this optimizer was moved from; use the one that it was moved to",
        Rule::name);
}

template <class Rule>
void OptimizerOf<Rule>::add(const std::vector<Tensor>& params, const Options& options) {
  const NoGrad guard;
  const std::size_t k = groups_.size();
  Rule::check_options(k, options);
  check(!params.empty(), "{}: group {}: no parameters", Rule::name, k);
  std::unordered_set<const void*> seen;
  for (const Group& group : groups_) {
    for (const Tensor& p : group.params_) seen.insert(&p.impl());
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    check_parameter(Rule::name, k, i, params[i]);
    check(seen.insert(&params[i].impl()).second, "{}: group {}: parameter {} {} is there twice",
          Rule::name, k, i, params[i].shape());
  }
  groups_.push_back(Group(options, params));
}

template <class Rule>
void OptimizerOf<Rule>::add_group(const std::vector<Tensor>& params, const GroupOptions& options) {
  check_in_use();
  Options resolved = built_with_;
  Rule::each_option(options, [&](std::string_view name, const auto& value) {
    Rule::each_option(resolved, [&](std::string_view other, auto& option) {
      if constexpr (std::is_same_v<decltype(*value),
                                   const std::remove_reference_t<decltype(option)>&>) {
        if (value && other == name) option = *value;
      }
    });
  });
  add(params, resolved);
}

template <class Rule>
double& OptimizerOf<Rule>::lr(std::size_t group) {
  check(group < group_count(), "{}: there is no group {}", Rule::name, group);
  return groups_[group].lr;
}

// ---- a step ----

inline Shape state_shape(const StateName& state, const Tensor& p) {
  return state.single ? Shape() : p.shape();
}
inline DType state_dtype(const StateName& state, const Tensor& p) {
  return state.single ? DType::float64 : p.dtype();
}

template <class Rule>
void OptimizerOf<Rule>::step() {
  check_in_use();
  const NoGrad guard;
  struct Missing {
    const Tensor& param;
    Tensor& state;
    Tensor value;
  };
  std::vector<Missing> missing;  // in the order of the parameters; usually the first step's alone
  for (std::size_t k = 0; k < groups_.size(); ++k) {
    Group& group = groups_[k];
    Rule::check_options(k, group);
    for (std::size_t i = 0; i < group.params_.size(); ++i) {
      const Tensor& p = group.params_[i];
      check_parameter(Rule::name, k, i, p);
      if (!p.grad().defined()) continue;
      for (std::size_t s = 0; s < group.state_[i].size(); ++s) {
        if (!Rule::uses(group, s)) continue;
        Tensor& state = group.state_[i][s];
        const StateName& name = Rule::state_names[s];
        const DType dtype = state_dtype(name, p);
        if (!state.defined()) {
          missing.push_back({p, state, zeros(state_shape(name, p), {.dtype = dtype})});
        } else if (state.dtype() != dtype) {  // the model was converted
          missing.push_back({p, state, state.to(dtype)});
        }
      }
    }
  }

  auto next = missing.begin();  // from here on nothing can fail
  for (Group& group : groups_) {
    for (std::size_t i = 0; i < group.params_.size(); ++i) {
      const Tensor& p = group.params_[i];
      bool first = false;  // was a state just created?
      for (; next != missing.end() && &next->param == &p; ++next) {
        first = first || !next->state.defined();
        std::swap(next->state, next->value);
      }
      const Tensor gradient = p.grad();
      if (gradient.defined()) Rule::update(group, p, gradient, group.state_[i], first);
    }
  }
}

template <class Rule>
void OptimizerOf<Rule>::zero_grad(const ZeroGradOptions& options) {
  check_in_use();
  std::vector<Tensor> filled;  // dropping gradients needs no memory
  for (Group& group : groups_) {
    for (Tensor& p : group.params_) options.set_to_none ? p.zero_grad() : filled.push_back(p);
  }
  detail::fill_grads(filled);
}

// ---- saving and loading ----

inline std::string option_key(std::size_t group, const char* name) {
  return fmt::format("groups.{}.{}", group, name);
}
inline std::string state_key(std::size_t param, const StateName& state) {
  return fmt::format("state.{}.{}", param, state.name);
}

template <Arithmetic T>
Tensor save_option(T option) {
  return full({}, option, {.dtype = DType::float64});
}
/// Sets the option to `value`. Adds a problem unless that is one number.
template <Arithmetic T>
void load_option(T& option, const std::string& key, const Tensor* value, LoadPlan& plan) {
  if (value != nullptr && value->defined() && value->numel() == 1) {
    option = value->item<T>();
  } else {
    plan.problem(key + ": missing, or not one number");
  }
}

/// Returns a copy of `value` as a state of p. A missing value means that p has taken no step yet.
inline Tensor load_state(const StateName& state, const Tensor& p, const std::string& key,
                         const Tensor* value, LoadPlan& plan) {
  if (value == nullptr) return {};
  const Shape shape = state_shape(state, p);
  if (value->defined() && value->shape() == shape) {
    return value->detach().to(state_dtype(state, p)).clone();
  }
  plan.problem(fmt::format("{}: {} given, expected {}", key,
                           value->defined() ? to_string(value->shape()) : "an undefined tensor",
                           shape));
  return {};
}

template <class Rule>
StateDict OptimizerOf<Rule>::state_dict() const {
  check_in_use();
  StateDict dict;
  std::size_t index = 0;  // of the parameter, counted over all groups
  for (std::size_t k = 0; k < groups_.size(); ++k) {
    Rule::each_option(groups_[k], [&](const char* name, const auto& option) {
      dict[option_key(k, name)] = save_option(option);
    });
    for (const auto& state : groups_[k].state_) {
      for (std::size_t s = 0; s < state.size(); ++s) {
        if (state[s].defined()) dict[state_key(index, Rule::state_names[s])] = state[s].clone();
      }
      ++index;
    }
  }
  return dict;
}

template <class Rule>
void OptimizerOf<Rule>::load_state_dict(const StateDict& values) {
  LoadPlan plan;
  plan_load(plan, values);
  plan.check(Rule::name);
  plan.commit();
}

template <class Rule>
void OptimizerOf<Rule>::plan_load(LoadPlan& plan, const StateDict& values) {
  check_in_use();
  const NoGrad guard;
  std::vector<Group> loaded = groups_;
  std::unordered_set<std::string> known;
  const auto find = [&](const std::string& key) {
    known.insert(key);
    return values.contains(key) ? &values.at(key) : nullptr;
  };
  std::size_t index = 0;
  for (std::size_t k = 0; k < loaded.size(); ++k) {
    Rule::each_option(loaded[k], [&](const char* name, auto& option) {
      const std::string key = option_key(k, name);
      load_option(option, key, find(key), plan);
    });
    try {
      Rule::check_options(k, loaded[k]);
    } catch (const Error& error) {
      plan.problem(error.what());
    }
    for (std::size_t i = 0; i < loaded[k].params_.size(); ++i, ++index) {
      for (std::size_t s = 0; s < std::size(Rule::state_names); ++s) {
        const StateName& state = Rule::state_names[s];
        const std::string key = state_key(index, state);
        loaded[k].state_[i][s] = load_state(state, loaded[k].params_[i], key, find(key), plan);
      }
    }
  }
  for (const auto& [key, value] : values) {
    if (known.contains(key)) continue;
    plan.problem(key + ": there is no such group, parameter or option");
  }
  plan.then([this, loaded]() mutable {
    for (std::size_t k = 0; k < groups_.size(); ++k) {
      static_cast<Options&>(groups_[k]) = loaded[k];
      groups_[k].state_.swap(loaded[k].state_);
    }
  });
}

}  // namespace cairn::optim
