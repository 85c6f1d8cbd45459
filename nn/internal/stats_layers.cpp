#include <cairn/core/autograd.h>
#include <cairn/nn/internal/call.h>
#include <cairn/nn/internal/stats_layers.h>

namespace cairn::nn {

std::vector<StatsLayer> layers_of(Module& model, const StatsPredicate& predicate) {
  std::vector<StatsLayer> layers;
  for (auto& [path, module] : model.named_modules()) {
    auto* const layer = dynamic_cast<BatchNorm*>(&module);
    if (layer == nullptr || (predicate && !predicate(path, *layer))) continue;
    layers.push_back({path, Statistics::of(*layer)});
  }
  return layers;
}

std::vector<StatsLayer> layers_of(const Module& model) {
  return layers_of(const_cast<Module&>(model));
}

std::vector<StatsLayer> some_layers_of(const char* op, Module& model, const StatsOptions& options,
                                       const StatsPredicate& predicate) {
  std::vector<StatsLayer> layers = layers_of(model, predicate);
  if (!layers.empty() || options.allow_none) return layers;
  const std::vector<StatsLayer> all = layers_of(model);
  check(!all.empty(), "{}: {} has no batch norm; use {{.allow_none = true}} if that is meant", op,
        model.kind());
  check(false,
        "{}: the predicate chooses none of the batch norms {}; use {{.allow_none = true}} if that "
        "is meant",
        op, quoted(all));
  return layers;
}

std::string quoted(const std::string& path) {
  return path.empty() ? "the layer itself" : "'" + path + "'";
}

std::string quoted(const std::vector<StatsLayer>& layers) {
  std::string text;
  for (const StatsLayer& l : layers) text += (text.empty() ? "" : ", ") + quoted(l.path);
  return text;
}

int64_t run_pass(Module& model, const detail::NextBatch& next, const std::shared_ptr<Pool>& pool) {
  std::vector<StatsLayer> layers = layers_of(model);
  std::erase_if(layers, [](const StatsLayer& l) { return !l.statistics->has_record; });
  detail::StatsScope scope;
  for (auto& [path, module] : model.named_modules()) {
    scope.at_end.emplace_back(
        [m = &module, training = module.is_training()] { m->set_training(training); });
  }
  for (const auto& [path, s] : layers) {
    scope.at_end.emplace_back([layer = s, mode = s->mode, before = s->pool] {
      layer->mode = mode;
      layer->pool = before;
    });
  }
  model.train();
  for (const auto& [path, s] : layers) {
    s->mode = StatsMode::track;
    s->pool = pool;
  }
  const NoGrad no_grad;
  const SeparateUnits units;  // a pass inside a forward is not part of it
  int64_t batches = 0;
  for (Tensor x; next(x); ++batches) model(x);
  return batches;
}

}  // namespace cairn::nn
