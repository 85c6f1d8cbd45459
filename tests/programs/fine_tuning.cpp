// I want to train a new head on a backbone that was trained for another task and must stay exactly
// as it is, its batch norm statistics included.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

struct Net : nn::Module {
  nn::Sequential& backbone =
      child("backbone", nn::Sequential{nn::Linear(4, 32), nn::BatchNorm1d(32), nn::ReLU(),
                                       nn::Linear(32, 32), nn::BatchNorm1d(32), nn::ReLU()});
  nn::Linear& head = child("head", nn::Linear(32, 2));
  Tensor forward(const Tensor& x) override { return head(backbone(x)); }
};

// The first task: do two products of features agree in sign? The second: is their sum large?
Tensor first_task(const Tensor& x) {
  return x.select(1, 0) * x.select(1, 1) * x.select(1, 2) * x.select(1, 3) > 0;
}
Tensor second_task(const Tensor& x) { return x.abs().sum({1}) > 3; }

void train(Net& model, optim::SGD& opt, Tensor (*task)(const Tensor&), int steps, double shift) {
  model.train();
  for (int step = 0; step < steps; ++step) {
    const Tensor x = shift + randn({64, 4});
    opt.zero_grad();
    cross_entropy(model(x), task(x)).backward();
    opt.step();
  }
}

double accuracy(Net& model, const Tensor& x, const Tensor& y) {
  const NoGrad guard;
  model.eval();
  return (model(x).argmax(1) == y).to(DType::float64).mean().item<double>();
}

int main() {
  manual_seed(1);
  Net model;
  optim::SGD opt(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  train(model, opt, first_task, 400, 0);

  StateDict before;
  for (const auto& [name, value] : model.backbone.state_dict()) {
    before[name] = value.detach().clone();
  }

  // Only the head learns; the backbone normalises by its running statistics, in train() too.
  nn::set_stats_mode(model.backbone, nn::StatsMode::frozen);
  model.backbone.requires_grad_(false);
  model.backbone.zero_grad();
  optim::SGD opt_head(model.head.parameters(), {.lr = 0.05, .momentum = 0.9});
  const Tensor x = 0.3 + randn({1000, 4}), y = second_task(x);
  const double untrained = accuracy(model, x, y);
  train(model, opt_head, second_task, 1000, 0.3);
  const double trained = accuracy(model, x, y);

  fmt::print("accuracy on the new task: {:.3f} before, {:.3f} after\n", untrained, trained);
  expect(untrained < 0.7, "the first head should not solve the second task");
  expect(trained > 0.8, "the accuracy on the new task is only {}", trained);
  for (const auto& [name, value] : model.backbone.state_dict()) {
    expect(allclose(value, before.at(name), 0, 0), "the backbone's {} has changed", name);
  }
  for (const auto& [name, p] : model.backbone.named_parameters()) {
    expect(!p.grad().defined(), "the backbone's {} was given a gradient", name);
  }
}
