// Different threads train different models, and evaluate one shared model.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>
#include <cairn/optim/sgd.h>

#include <thread>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

Sequential net() { return Sequential{Linear(3, 8), BatchNorm1d(8), ReLU(), Linear(8, 2)}; }

Tensor input() { return linspace(-2, 3, 15).reshape({5, 3}); }

Tensor train(Sequential& model) {
  optim::SGD sgd(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  for (int i = 0; i < 30; ++i) {
    sgd.zero_grad();
    mse_loss(model(input()), linspace(0, 1, 10).reshape({5, 2})).backward();
    sgd.step();
  }
  model.eval();
  const NoGrad guard;
  return model(input());
}

template <class F>
void in_threads(std::size_t count, F f) {
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < count; ++t) threads.emplace_back(f, t);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("threads: models that are trained side by side come out as one trained alone") {
  manual_seed(1);
  Sequential alone = net();
  std::vector<Sequential> models;
  for (int t = 0; t < 4; ++t) copy_state(alone, models.emplace_back(net()));
  const Tensor expected = train(alone);
  std::vector<Tensor> results(models.size());
  in_threads(models.size(), [&](std::size_t t) { results[t] = train(models[t]); });
  for (const Tensor& result : results) CHECK(equal(result, expected));
}

TEST_CASE("threads: one model is evaluated by several, with gradients to their inputs or without") {
  manual_seed(1);
  Sequential model = net();
  train(model);
  const auto attack = [&] {  // the gradient of the model's input
    Tensor x = input().requires_grad_(true);
    return grad({sum(square(model(x)))}, {x})[0];
  };
  const auto evaluate = [&] {
    const NoGrad guard;
    return model(input());
  };
  const Tensor gradient = attack(), value = evaluate();
  std::vector<Tensor> gradients(4), values(4);
  in_threads(4, [&](std::size_t t) {
    for (int i = 0; i < 30; ++i) {
      gradients[t] = attack();
      values[t] = evaluate();
    }
  });
  for (const Tensor& g : gradients) CHECK(equal(g, gradient));
  for (const Tensor& y : values) CHECK(equal(y, value));
}
