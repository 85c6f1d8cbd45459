// The steps of a run, but for forwards and the comparisons.
#include "support/norm_run.h"

#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace cairn::test {

using namespace cairn::nn;

namespace {

// Thrown on purpose, to leave some scopes.
struct Leave {
  int scopes;
};

}  // namespace

NormRun::NormRun(uint64_t seed) : random_(seed), layer_(make_layer()), reference_(of_options()) {
  log(fmt::format("{}", *layer_));
  if (options_.check_finite) log("checks that statistics are finite");
  if (dtype_ == DType::float64) layer_->to(dtype_);
}

void NormRun::go() {
  compare_state();
  steps(10 + below(40));
}

std::unique_ptr<BatchNorm> NormRun::make_layer() {
  dims_ = one_of({1, 1, 2, 3});
  channels_ = 1 + below(4);
  dtype_ = one_in(3) ? DType::float32 : DType::float64;
  options_ = {.eps = one_of({1e-5, 1e-3, 0.1}),
              .momentum = one_of<std::optional<double>>({0.1, 0.1, {}, 0.37, 1.0, 0.0}),
              .affine = !one_in(4),
              .track_running_stats = !one_in(3),
              .check_finite = one_in(4)};
  return same_options();
}

std::unique_ptr<BatchNorm> NormRun::same_options() const {
  const auto c = static_cast<int64_t>(channels_);
  if (dims_ == 1) return std::make_unique<BatchNorm1d>(c, options_);
  if (dims_ == 2) return std::make_unique<BatchNorm2d>(c, options_);
  return std::make_unique<BatchNorm3d>(c, options_);
}

// ---- steps ----

void NormRun::steps(uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) step();
}

void NormRun::step() {
  switch (below(23)) {
    case 0: {
      const bool training = !one_in(3);
      both(
          training ? "train" : "eval", [&] { layer_->train(training); },
          [&] { reference_->training = training; });
      break;
    }
    case 1: {
      const StatsMode mode = some_mode();
      const bool whole_model = one_in(2);
      both(
          fmt::format("mode {}", mode),
          [&] { whole_model ? void(set_stats_mode(*layer_, mode)) : layer_->set_stats_mode(mode); },
          [&] { reference_->set_mode(mode); });
      break;
    }
    case 2: {
      const bool tracks = one_in(2);
      both(
          fmt::format("track_running_stats {}", tracks),
          [&] { layer_->track_running_stats(tracks); },
          [&] { reference_->set_mode(tracks ? StatsMode::track : StatsMode::hold); });
      break;
    }
    case 3:
      both(
          "reset",
          [&] { one_in(2) ? layer_->reset_running_stats() : reset_running_stats(*layer_); },
          [&] { reference_->reset(); });
      break;
    case 4: {
      const std::string name = some_record();
      both(
          "select " + name, [&] { select_stats(*layer_, name, {.create = true}); },
          [&] { reference_->select(name); });
      break;
    }
    case 5:
      if (!snapshot_ || one_in(2)) {
        both(
            "snapshot", [&] { snapshot_ = snapshot_stats(*layer_); },
            [&] { snapshot_records_ = reference_->snapshot(); });
      } else {
        both(
            "restore", [&] { restore_stats(*layer_, *snapshot_); },
            [&] { reference_->restore(snapshot_records_); });
      }
      break;
    case 6:
      assign();
      break;
    case 7:
    case 8:
      freeze();
      break;
    case 9:
      learn();
      break;
    case 10:
      estimate();
      break;
    case 11:
      load();
      break;
    case 12:
      one_in(3) ? replace_layer() : move();
      break;
    case 13:
    case 14:
      if (depth_ < 4) scope();
      break;
    case 15:
      if (depth_ > 0 && one_in(2)) {
        log("throw");
        ++events_["throw"];
        throw Leave{static_cast<int>(1 + below(depth_))};
      }
      break;
    case 16:
    case 17:
      backward();
      break;
    default:
      forward();
  }
  compare_state();
  estimated_ = {};
}

void NormRun::assign() {
  const auto c = static_cast<int64_t>(channels_);
  const int64_t size = one_in(8) ? c + 1 : c;
  std::vector<double> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(uniform(0, 3));
  const bool negative = one_in(8);
  if (negative) values[below(values.size())] = one_of({-1.0, std::nan("")});
  const Tensor given = from_data(values, {size});
  const Numbers taken = given.to(dtype_).to_vector<double>();
  switch (below(3)) {
    case 0:
      both(
          fmt::format("assign mean {}", fmt::join(values, " ")),
          [&] { layer_->running_mean.copy_(given); }, [&] { reference_->assign_mean(taken); });
      break;
    case 1:
      both(
          fmt::format("assign var {}", fmt::join(values, " ")),
          [&] { layer_->running_var.copy_(given); }, [&] { reference_->assign_var(taken); });
      break;
    default: {
      const auto count = static_cast<int64_t>(below(20));
      both(
          fmt::format("assign count {}", count),
          [&] { layer_->num_batches_tracked.copy_(tensor(count)); },
          [&] { reference_->assign_count(count); });
    }
  }
}

void NormRun::freeze() {
  Buffer* const buffers[] = {&layer_->running_mean, &layer_->running_var,
                             &layer_->num_batches_tracked};
  bool* const flags[] = {&reference_->set.mean_frozen, &reference_->set.var_frozen,
                         &reference_->set.count_frozen};
  const std::size_t which = below(3);
  Buffer& buffer = *buffers[which];
  bool& flag = *flags[which];
  switch (below(5)) {
    case 0:
      both(
          fmt::format("freeze {}", which), [&] { buffer.freeze(); }, [&] { flag = true; });
      break;
    case 1:
      both(
          fmt::format("freeze {} by requires_grad_(false)", which),
          [&] { buffer.requires_grad_(false); }, [&] { flag = true; });
      break;
    case 2:
      both(
          fmt::format("requires_grad_ {}", which), [&] { buffer.requires_grad_(true); },
          [&] { throw ReferenceNorm::Refused(); });
      break;
    default:
      both(
          fmt::format("unfreeze {}", which), [&] { buffer.unfreeze(); }, [&] { flag = false; });
  }
}

// What an optimizer and its user do to the parameters; it has no say in what is recorded.
void NormRun::learn() {
  if (!options_.affine) return;
  if (one_in(2)) {
    trains_weight_ = !one_in(4);
    trains_bias_ = !one_in(4);
    log(fmt::format("requires_grad_({}), requires_grad_({})", trains_weight_, trains_bias_));
    pending_.clear();
    layer_->weight.requires_grad_(trains_weight_);
    layer_->bias.requires_grad_(trains_bias_);
    return;
  }
  pending_.clear();  // their weight is another now
  const NoGrad guard;
  const Shape shape{static_cast<int64_t>(channels_)};
  for (auto [parameter, numbers] : {std::pair(&layer_->weight, &reference_->weight),
                                    std::pair(&layer_->bias, &reference_->bias)}) {
    for (double& v : *numbers) v = uniform(-2, 2);
    parameter->copy_(from_data(*numbers, shape));
    *numbers = parameter->to_vector<double>();
    log(fmt::format("parameter = {}", fmt::join(*numbers, " ")));
  }
}

// Saves, goes on, and loads.
void NormRun::load() {
  StateDict saved;
  for (const auto& [name, value] : layer_->state_dict()) saved[name] = value.clone();
  const ReferenceNorm as_saved = *reference_;
  log("save");
  if (one_in(2)) forward();
  compare_state();
  pending_.clear();  // their weight is written
  both(
      "load", [&] { layer_->load_state_dict(saved); }, [&] { reference_->load(as_saved); });
}

// A fresh layer takes over the state, as in another process.
void NormRun::replace_layer() {
  std::unique_ptr<BatchNorm> fresh = same_options();
  if (dtype_ == DType::float64) fresh->to(dtype_);
  const Reference reference = of_options();
  const bool tracks = one_in(2) || reference_->set.has_record;
  if (tracks) {
    fresh->track_running_stats(true);
    reference->set_mode(StatsMode::track);
  }
  if (both(
          "replaced", [&] { fresh->load_state_dict(layer_->state_dict()); },
          [&] { reference->load(*reference_); })) {
    pending_.clear();
    layer_ = std::move(fresh);  // the old one dies, perhaps under guards
    reference_ = reference;
    trains_weight_ = trains_bias_ = true;
  }
}

void NormRun::move() {
  log("move");
  ++events_["move"];
  const auto moved = [](BatchNorm& from, auto type) {
    using Layer = typename decltype(type)::type;
    return std::make_unique<Layer>(std::move(dynamic_cast<Layer&>(from)));
  };
  std::unique_ptr<BatchNorm> old = std::move(layer_);
  if (dims_ == 1) layer_ = moved(*old, std::type_identity<BatchNorm1d>());
  if (dims_ == 2) layer_ = moved(*old, std::type_identity<BatchNorm2d>());
  if (dims_ == 3) layer_ = moved(*old, std::type_identity<BatchNorm3d>());
}

// Opens a scope, takes steps in it, and leaves it, at its end or by an exception.
template <class Guard, class Open, class Begin, class End>
void NormRun::inside(const std::string& text, Open open, Begin begin, End end) {
  int leaving = 0;
  try {
    std::optional<Guard> guard;
    if (!both(
            text, [&] { open(guard); }, begin))
      return;
    ++depth_;
    compare_state();
    steps(below(8));
  } catch (const Leave& leave) {
    leaving = leave.scopes;
  }
  --depth_;
  log(leaving > 0 ? "left by the exception" : "end");
  end(leaving > 0);
  if (leaving > 1) throw Leave{leaving - 1};
}

// The reference that begins is the one that ends: the layer may be replaced inside.
void NormRun::scope() {
  const Reference it = reference_;
  switch (below(3)) {
    case 0: {
      const StatsMode mode = some_mode();
      const ReferenceNorm::Settings before = it->set;
      inside<StatsGuard>(
          fmt::format("StatsGuard {}", mode), [&](auto& guard) { guard.emplace(*layer_, mode); },
          [&] { it->set_mode(mode); }, [&](bool) { it->leave_guard(before); });
      break;
    }
    case 1: {
      const std::string name = some_record(), before = it->selected;
      inside<SelectStats>(
          "SelectStats " + name,
          [&](auto& guard) { guard.emplace(*layer_, name, SelectStatsOptions{.create = true}); },
          [&] { it->select(name); }, [&](bool) { it->selected = before; });
      break;
    }
    default:
      inside<AccumulateStats>(
          "AccumulateStats", [&](auto& guard) { guard.emplace(*layer_); },
          [&] { it->begin_accumulating(); },
          [&](bool by_exception) { it->end_accumulating(by_exception); });
  }
}

}  // namespace cairn::test
