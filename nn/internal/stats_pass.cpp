#include <cairn/core/autograd.h>
#include <cairn/nn/internal/stats_pass.h>

namespace cairn::nn {

StatsPass::StatsPass(Module& model) {
  for (auto& [path, module] : model.named_modules()) {
    flags_.emplace_back(&module, module.is_training());
  }
  for (const StatsLayer& l : layers_of(model)) {
    if (!l.statistics->has_record) continue;
    layers_.push_back({l.statistics, l.statistics->mode, l.statistics->pool});
  }
  model.train();
  for (const Layer& l : layers_) {
    l.statistics->mode = StatsMode::track;
    l.statistics->pool = nullptr;
  }
}

StatsPass::~StatsPass() {
  for (auto& [module, training] : flags_) module->set_training(training);
  for (const Layer& l : layers_) {
    l.statistics->mode = l.mode;
    l.statistics->pool = l.pool;
  }
}

int64_t StatsPass::run(Module& model, const detail::NextBatch& next) {
  const NoGrad no_grad;
  int64_t batches = 0;
  for (Tensor x; next(x); ++batches) model(x);
  return batches;
}

}  // namespace cairn::nn
