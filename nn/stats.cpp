// Each call looks at all layers first and makes what it needs; what changes them then cannot fail.
#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/nn/internal/statistics.h>
#include <cairn/nn/internal/stats_pass.h>
#include <cairn/nn/stats.h>

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace cairn::nn {
namespace {

struct Layer {
  std::string path;
  std::shared_ptr<Statistics> statistics;
};

std::vector<Layer> layers_of(const Module& model, const StatsPredicate& predicate = {}) {
  std::vector<Layer> layers;
  for (auto& [path, module] : model.named_modules()) {
    auto* const layer = dynamic_cast<BatchNorm*>(&module);
    if (layer == nullptr || (predicate && !predicate(path, *layer))) continue;
    layers.push_back({path, Statistics::of(*layer)});
  }
  return layers;
}

std::string quoted(const std::string& path) {
  return path.empty() ? "the layer itself" : "'" + path + "'";
}

std::vector<Layer> layers_to_set(const char* op, const Module& model, StatsMode mode,
                                 const StatsPredicate& predicate) {
  std::vector<Layer> layers = layers_of(model, predicate);
  std::string without;
  for (const Layer& l : layers) {
    if (mode != StatsMode::frozen || l.statistics->bound) continue;
    without += (without.empty() ? "" : ", ") + quoted(l.path);
  }
  check(without.empty(),
        "{}: frozen normalises by the record, and there is none in {}; turn tracking on first, or "
        "leave them out with a predicate",
        op, without);
  return layers;
}

}  // namespace

// ---- modes ----

void set_stats_mode(Module& model, StatsMode mode, const StatsPredicate& predicate) {
  constexpr const char* op = "set_stats_mode";
  detail::no_bad_alloc(op, [&] {
    for (const Layer& l : layers_to_set(op, model, mode, predicate)) l.statistics->set_mode(mode);
  });
}

void reset_running_stats(Module& model) {
  detail::no_bad_alloc("reset_running_stats", [&] {
    const std::vector<Layer> layers = layers_of(model);
    const Tensor zero = zeros({}), one = ones({});
    for (const Layer& l : layers) {
      if (l.statistics->bound) l.statistics->reset(zero, one);
    }
  });
}

struct StatsGuard::Saved {
  std::weak_ptr<Statistics> layer;
  Statistics::Settings settings;
};

StatsGuard::StatsGuard(Module& model, StatsMode mode, const StatsPredicate& predicate) {
  constexpr const char* op = "StatsGuard";
  detail::no_bad_alloc(op, [&] {
    const std::vector<Layer> layers = layers_to_set(op, model, mode, predicate);
    for (const Layer& l : layers) saved_.push_back({l.statistics, l.statistics->settings()});
    for (const Layer& l : layers) l.statistics->set_mode(mode);
  });
}

StatsGuard::~StatsGuard() {
  for (const Saved& saved : saved_) {
    if (const auto layer = saved.layer.lock()) layer->restore(saved.settings);
  }
}

// ---- values ----

StatsSnapshot snapshot_stats(const Module& model) {
  return detail::no_bad_alloc("snapshot_stats", [&] {
    StatsSnapshot snapshot;
    for (const Layer& l : layers_of(model)) {
      if (!l.statistics->bound) continue;
      auto& records = snapshot.layers.emplace_back(StatsSnapshot::Layer{l.path, {}}).records;
      for (const Statistics::Record& r : l.statistics->records) {
        records.push_back(
            {r.name, r.mean->stored().clone(), r.var->stored().clone(), r.count->stored().clone()});
      }
    }
    return snapshot;
  });
}

namespace {

// Why a layer, if there is one, cannot take these records; empty if it can.
std::string obstacle(const Statistics* s, const StatsSnapshot::Layer& given) {
  if (s == nullptr) return "the model has no batch norm there";
  if (!s->bound) return "the layer keeps no record; turn it on with track_running_stats(true)";
  for (const StatsSnapshot::Record& r : given.records) {
    if (!r.mean.defined() || !r.var.defined() || !r.count.defined()) {
      return "a tensor of its record is undefined";
    }
    if (r.mean.shape() != s->mean.shape() || r.var.shape() != s->var.shape() ||
        r.count.shape() != s->count.shape()) {
      return fmt::format("a record of shapes {}, {} and {}, the layer's are {}, {} and {}",
                         r.mean.shape(), r.var.shape(), r.count.shape(), s->mean.shape(),
                         s->var.shape(), s->count.shape());
    }
  }
  return "";
}

void write_snapshot(const char* op, Module& model, const StatsSnapshot& snapshot, bool complete) {
  const std::vector<Layer> layers = layers_of(model);
  std::vector<std::pair<Statistics*, const StatsSnapshot::Layer*>> pairs;
  std::string problems;
  const auto problem = [&](const std::string& path, const std::string& what) {
    problems += fmt::format("\n  {}: {}", quoted(path), what);
  };
  for (const StatsSnapshot::Layer& given : snapshot.layers) {
    const auto found = std::ranges::find(layers, given.path, &Layer::path);
    Statistics* const s = found == layers.end() ? nullptr : found->statistics.get();
    const std::string reason = obstacle(s, given);
    if (reason.empty()) {
      pairs.emplace_back(s, &given);
    } else {
      problem(given.path, reason);
    }
  }
  for (const Layer& l : layers) {
    const auto& given = snapshot.layers;
    if (complete && l.statistics->bound &&
        std::ranges::find(given, l.path, &StatsSnapshot::Layer::path) == given.end()) {
      problem(l.path, "the other model has no record there");
    }
  }
  check(problems.empty(), "{}: nothing was written, because{}", op, problems);

  try {
    for (const auto& [s, given] : pairs) {
      for (const auto& r : given->records) s->draft(r.name);
    }
  } catch (...) {
    for (const auto& [s, given] : pairs) s->settle(false);
    throw;
  }
  for (const auto& [s, given] : pairs) {  // from here nothing can fail
    s->settle(true);
    for (const auto& r : given->records) s->assign(*s->find(r.name), r.mean, r.var, r.count);
  }
}

}  // namespace

void restore_stats(Module& model, const StatsSnapshot& snapshot) {
  constexpr const char* op = "restore_stats";
  detail::no_bad_alloc(op, [&] { write_snapshot(op, model, snapshot, false); });
}

void copy_stats(const Module& from, Module& to) {
  constexpr const char* op = "copy_stats";
  detail::no_bad_alloc(op, [&] { write_snapshot(op, to, snapshot_stats(from), true); });
}

// ---- estimating ----

StatsPass::StatsPass(Module& model) {
  for (auto& [path, module] : model.named_modules()) {
    flags_.emplace_back(&module, module.is_training());
  }
  for (Layer& l : layers_of(model)) {
    if (!l.statistics->bound) continue;
    Statistics& s = *l.statistics;
    layers_.push_back({l.statistics, s.mode, s.pool, s.estimating});
  }
  model.train();
  for (Saved& l : layers_) {
    l.statistics->mode = StatsMode::track;
    l.statistics->pool = nullptr;
    l.statistics->estimating = false;
  }
}

StatsPass::~StatsPass() {
  for (auto& [module, training] : flags_) module->set_training(training);
  for (Saved& l : layers_) {
    l.statistics->mode = l.mode;
    l.statistics->pool = l.pool;
    l.statistics->estimating = l.estimating;
  }
}

int64_t StatsPass::run(Module& model, const detail::NextBatch& next) {
  const NoGrad no_grad;
  int64_t batches = 0;
  for (Tensor x; next(x); ++batches) model(x);
  return batches;
}

namespace {

// The values of every record, to go back to.
class Backup {
 public:
  explicit Backup(const StatsPass& pass) {
    for (const StatsPass::Saved& l : pass.layers()) {
      Values& values = layers_.emplace_back(Values{l.statistics, l.statistics->moved, {}, {}});
      for (const Statistics::Record& r : l.statistics->records) {
        values.initial.push_back(r.initial);
        for (const Buffer* b : {r.mean, r.var, r.count}) {
          values.tensors.push_back(b->stored().clone());
        }
      }
    }
  }
  void restore() const noexcept {
    for (const Values& v : layers_) {
      v.statistics->moved = v.moved;
      for (std::size_t i = 0; i < v.tensors.size(); ++i) {
        Statistics::Record& r = v.statistics->records[i / 3];
        r.initial = v.initial[i / 3];
        const Buffer* const b = std::array{r.mean, r.var, r.count}[i % 3];
        detail::write_values(b->stored(), v.tensors[i].view_of());
      }
    }
  }

 private:
  struct Values {
    std::shared_ptr<Statistics> statistics;
    bool moved;
    std::vector<double> initial;
    std::vector<Tensor> tensors;
  };
  std::vector<Values> layers_;
};

}  // namespace

// ---- named records ----

struct SelectStats::Saved {
  std::weak_ptr<Statistics> layer;
  std::size_t selected;
};

namespace {

void select_in(const std::vector<Layer>& layers, const char* op, std::string_view name) {
  check(!name.empty() && name.find('.') == name.npos,
        "{}: a record's name is part of a path; '{}' is empty or has a dot", op, name);
  try {
    for (const Layer& l : layers) l.statistics->draft(name);
  } catch (...) {
    for (const Layer& l : layers) l.statistics->settle(false);
    throw;
  }
  for (const Layer& l : layers) {  // from here nothing can fail
    l.statistics->settle(true);
    l.statistics->select(*l.statistics->find(name));
  }
}

}  // namespace

void select_stats(Module& model, std::string_view name) {
  constexpr const char* op = "select_stats";
  detail::no_bad_alloc(op, [&] { select_in(layers_of(model), op, name); });
}

SelectStats::SelectStats(Module& model, std::string_view name) {
  constexpr const char* op = "SelectStats";
  detail::no_bad_alloc(op, [&] {
    const std::vector<Layer> layers = layers_of(model);
    for (const Layer& l : layers) saved_.push_back({l.statistics, l.statistics->selected});
    select_in(layers, op, name);
  });
}

SelectStats::~SelectStats() {
  for (const Saved& saved : saved_) {
    if (const auto layer = saved.layer.lock()) layer->select(saved.selected);
  }
}

// ---- micro-batches ----

struct AccumulateStats::Pooled {
  std::weak_ptr<Statistics> layer;
  std::unique_ptr<Statistics::Pool> pool;  // where it lies is known to the layer
};

AccumulateStats::AccumulateStats(Module& model) : exceptions_(std::uncaught_exceptions()) {
  detail::no_bad_alloc("AccumulateStats", [&] {
    const std::vector<Layer> layers = layers_of(model);
    for (const Layer& l : layers) {
      auto pool = std::make_unique<Statistics::Pool>(Statistics::Pool{l.statistics->pool});
      layers_.push_back({l.statistics, std::move(pool)});
    }
    for (std::size_t i = 0; i < layers.size(); ++i)
      layers[i].statistics->pool = layers_[i].pool.get();
  });
}

AccumulateStats::~AccumulateStats() {
  const bool dropped = std::uncaught_exceptions() > exceptions_;
  for (const Pooled& p : layers_) {
    const auto layer = p.layer.lock();
    if (!layer) continue;
    layer->pool = p.pool->outer;
    for (std::size_t i = 0; !dropped && i < p.pool->moments.size(); ++i) {
      layer->record(i, p.pool->moments[i]);
    }
  }
}

}  // namespace cairn::nn

namespace cairn::detail {

void estimate_running_stats(nn::Module& model, const NextBatch& next) {
  constexpr const char* op = "estimate_running_stats";
  no_bad_alloc(op, [&] {
    nn::StatsPass pass(model);
    const nn::Backup before(pass);
    for (const nn::StatsPass::Saved& l : pass.layers()) l.statistics->begin_estimate();
    try {
      check(nn::StatsPass::run(model, next) > 0, "{}: there is no batch to estimate from", op);
    } catch (...) {
      before.restore();
      throw;
    }
  });
}

}  // namespace cairn::detail
