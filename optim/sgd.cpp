// Each step is prepared whole, checks and memory included, and then applied without failing.
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/optim/sgd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>

namespace cairn::optim {
namespace {

using detail::without_sign;

void check_options(std::size_t group, const SGDOptions& o) {
  const auto check_number = [group](const char* name, double value) {
    check(std::isfinite(value) && value >= 0,
          "SGD: group {}: {} is {}; it must be finite and not negative", group, name,
          without_sign(value));
  };
  check_number("lr", o.lr);
  check_number("momentum", o.momentum);
  check_number("weight_decay", o.weight_decay);
  check(std::isfinite(o.dampening), "SGD: group {}: dampening is {}; it must be finite", group,
        without_sign(o.dampening));
  check(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
        "SGD: group {}: nesterov needs momentum > 0 and dampening 0, got {} and {}", group,
        o.momentum, o.dampening);
}

void check_parameter(std::size_t group, std::size_t i, const Tensor& p) {
  check(p.defined(), "SGD: group {}: parameter {} is undefined", group, i);
  check(!p.view_of().storage->guarded,
        "SGD: group {}: parameter {} {} is a buffer, which is never trained", group, i, p.shape());
  check(p.is_leaf(), "SGD: group {}: parameter {} {} is no leaf: an op computed it", group, i,
        p.shape());
  check(is_floating(p.dtype()),
        "SGD: group {}: parameter {} {} is {}; only float32 and float64 are trained", group, i,
        p.shape(), p.dtype());
}

void check_momentum_buffer(std::size_t group, std::size_t i, const Tensor& b, const Tensor& p) {
  if (!b.defined()) return;
  check(b.shape() == p.shape() && is_floating(b.dtype()),
        "SGD: group {}: momentum buffer {} is {} {}, the parameter {} {}", group, i, b.shape(),
        b.dtype(), p.shape(), p.dtype());
}

// Throws Error unless every parameter can be moved, and stands here once.
void check_groups(const std::vector<SGD::Group>& groups) {
  std::unordered_set<const void*> seen;
  for (std::size_t k = 0; k < groups.size(); ++k) {
    check_options(k, groups[k]);
    const std::vector<Tensor>&params = groups[k].params, &buffers = groups[k].momentum_buffers;
    check(!params.empty(), "SGD: group {}: no parameters", k);
    check(params.size() == buffers.size(),
          "SGD: group {}: {} parameters but {} momentum_buffers; use add_group() for more", k,
          params.size(), buffers.size());
    for (std::size_t i = 0; i < params.size(); ++i) {
      const Tensor& p = params[i];
      check_parameter(k, i, p);
      check_momentum_buffer(k, i, buffers[i], p);
      check(seen.insert(&p.impl()).second, "SGD: group {}: parameter {} {} is there twice", k, i,
            p.shape());
    }
  }
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& params, const SGDOptions& options) {
  add_group(params, options);
}

void SGD::add_group(const std::vector<Tensor>& params, const SGDOptions& options) {
  detail::no_bad_alloc("SGD", [&] {
    std::vector<Group> groups = groups_;
    groups.push_back({options, params, std::vector<Tensor>(params.size())});
    check_groups(groups);
    groups_ = std::move(groups);
  });
}

std::vector<Tensor> SGD::parameters() const {
  std::vector<Tensor> all;
  for (const Group& group : groups_)
    all.insert(all.end(), group.params.begin(), group.params.end());
  return all;
}

namespace {

// One parameter's step, prepared: what is left to do cannot fail.
struct Move {
  const SGDOptions& options;
  const Tensor& param;
  Tensor grad;
  Tensor& slot;   // where the momentum buffer is kept
  Tensor buffer;  // the one to use: kept, converted or new; undefined without momentum
  bool first;     // there was none

  template <class T>
  void apply() const noexcept {
    using detail::begin_write;
    using detail::Elements;
    using detail::map_into;
    using V = Elements<const T>;
    const detail::View &p = begin_write(param), &g = grad.view_of();
    const T sign = options.maximize ? T{-1} : T{1};
    const auto lr = static_cast<T>(options.lr), decay = static_cast<T>(options.weight_decay);
    if (!buffer.defined()) {
      map_into([=](T v, T dv) { return v - lr * (sign * dv + decay * v); }, Elements<T>{p}, V{p},
               V{g});
    } else {
      const detail::View& b = begin_write(buffer);
      const auto mu = static_cast<T>(options.momentum), tau = static_cast<T>(options.dampening);
      if (first) {
        map_into([=](T v, T dv) { return sign * dv + decay * v; }, Elements<T>{b}, V{p}, V{g});
      } else {
        map_into([=](T m, T v, T dv) { return mu * m + (1 - tau) * (sign * dv + decay * v); },
                 Elements<T>{b}, V{b}, V{p}, V{g});
      }
      if (options.nesterov) {
        map_into([=](T v, T dv, T m) { return v - lr * (sign * dv + decay * v + mu * m); },
                 Elements<T>{p}, V{p}, V{g}, V{b});
      } else {
        map_into([=](T v, T m) { return v - lr * m; }, Elements<T>{p}, V{p}, V{b});
      }
    }
  }
};

}  // namespace

void SGD::step() {
  detail::no_bad_alloc("SGD", [&] {
    const NoGrad guard;
    check_groups(groups_);
    std::vector<Move> moves;
    for (Group& group : groups_) {
      for (std::size_t i = 0; i < group.params.size(); ++i) {
        const Tensor& p = group.params[i];
        detail::check_writable("SGD", p);
        if (!p.grad().defined()) continue;
        Tensor& slot = group.momentum_buffers[i];
        Tensor buffer;
        if (group.momentum != 0) {
          if (slot.defined()) detail::check_writable("SGD", slot);
          buffer = slot.defined() ? slot.to(p.dtype()) : empty_like(p);
        }
        moves.push_back({group, p, p.grad(), slot, buffer, !slot.defined()});
      }
    }
    for (const Move& move : moves) {  // from here on nothing can fail
      detail::dispatch_floating(move.param.dtype(), [&]<class T>(T) { move.apply<T>(); });
      if (move.buffer.defined()) move.slot = move.buffer;
    }
  });
}

namespace {

// The names and values of a group's options, for saving and loading alike.
template <class Options, class F>
void each_option(Options& o, F f) {
  f("lr", o.lr);
  f("momentum", o.momentum);
  f("dampening", o.dampening);
  f("weight_decay", o.weight_decay);
  f("nesterov", o.nesterov);
  f("maximize", o.maximize);
}

}  // namespace

StateDict SGD::state_dict() const {
  return detail::no_bad_alloc("SGD", [&] {
    StateDict dict;
    std::size_t index = 0;
    for (std::size_t k = 0; k < groups_.size(); ++k) {
      each_option(groups_[k], [&](const char* name, const auto& value) {
        dict[fmt::format("groups.{}.{}", k, name)] = full({}, value, {.dtype = DType::float64});
      });
      for (const Tensor& b : groups_[k].momentum_buffers) {
        if (b.defined()) dict[fmt::format("state.{}.momentum_buffer", index)] = b.clone();
        ++index;
      }
    }
    return dict;
  });
}

void SGD::load_state_dict(const StateDict& values) {
  detail::no_bad_alloc("SGD", [&] {
    const NoGrad guard;
    std::vector<Group> groups = groups_;
    std::string problems;
    std::size_t index = 0;
    std::unordered_set<std::string> known;
    for (std::size_t k = 0; k < groups.size(); ++k) {
      Group& group = groups[k];
      each_option(group, [&]<class T>(const char* name, T& option) {
        const std::string path = fmt::format("groups.{}.{}", k, name);
        known.insert(path);
        const Tensor value = values.contains(path) ? values.at(path) : Tensor();
        if (value.defined() && value.numel() == 1) {
          option = value.item<T>();
        } else {
          problems += fmt::format("\n  {}: missing, or not one number", path);
        }
      });
      for (std::size_t i = 0; i < group.params.size(); ++i, ++index) {
        const std::string path = fmt::format("state.{}.momentum_buffer", index);
        known.insert(path);
        group.momentum_buffers[i] = {};
        if (!values.contains(path)) continue;  // that parameter has not stepped yet
        const Tensor& b = values.at(path);
        if (b.defined() && b.shape() == group.params[i].shape()) {
          group.momentum_buffers[i] = b.detach().to(group.params[i].dtype()).clone();
        } else {
          problems += fmt::format("\n  {}: {} given, the parameter is {}", path,
                                  b.defined() ? to_string(b.shape()) : "an undefined tensor",
                                  group.params[i].shape());
        }
      }
    }
    for (const auto& [name, value] : values) {
      if (!known.contains(name)) {
        problems += fmt::format("\n  {}: there is no such group, parameter or option", name);
      }
    }
    check(problems.empty(), "SGD: the state was not loaded, because{}", problems);
    check_groups(groups);
    groups_ = std::move(groups);
  });
}

}  // namespace cairn::optim
