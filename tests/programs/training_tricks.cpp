// I want the usual tricks: weight decay for the weights alone, a learning rate that warms up and
// falls, gradients from several micro-batches, and a limit on their norm.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>
#include <numbers>

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(4, 32));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(32));
  nn::Linear& fc2 = child("fc2", nn::Linear(32, 1));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

double gradient_norm(const std::vector<Tensor>& params) {
  double squares = 0;
  for (const Tensor& p : params) squares += p.grad().square().sum().item<double>();
  return std::sqrt(squares);
}

void limit_gradient_norm(const std::vector<Tensor>& params, double limit) {
  const double norm = gradient_norm(params);
  if (norm <= limit) return;
  for (Tensor p : params) p.set_grad(p.grad() * (limit / norm));
}

double learning_rate(int step, int steps) {
  const int warmup = 20;
  if (step < warmup) return 0.1 * (step + 1) / warmup;
  return 0.05 * (1 + std::cos(std::numbers::pi * (step - warmup) / (steps - warmup)));
}

int main() {
  manual_seed(0);
  Net model;
  std::vector<Tensor> weights, others;
  for (const auto& [name, p] : model.named_parameters()) {
    (p.dim() > 1 ? weights : others).push_back(p);
  }
  optim::SGD opt(weights, {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-3});
  opt.add_group(others, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0});

  const int steps = 600, parts = 4;
  const double limit = 0.5;
  double first = 0, last = 0;
  bool limited = false;
  for (int step = 0; step < steps; ++step) {
    for (auto& group : opt.groups()) group.lr = learning_rate(step, steps);
    opt.zero_grad();
    double loss = 0;
    {
      const nn::AccumulateStats guard(model);  // the four parts count as one batch
      for (int part = 0; part < parts; ++part) {
        const Tensor x = randn({16, 4});
        const Tensor error = mse_loss(model(x), x.abs().sum({1}, true)) / parts;
        error.backward();
        loss += error.item<double>();
      }
    }
    limited = limited || gradient_norm(model.parameters()) > limit;
    limit_gradient_norm(model.parameters(), limit);
    expect(gradient_norm(model.parameters()) < limit * 1.0001, "the gradient is too long");
    opt.step();
    last = loss;
    if (step == 0) first = loss;
  }
  fmt::print("loss {:.3f} at first, {:.3f} at last; {} batches in the statistics\n", first, last,
             model.norm.num_batches_tracked.item<int>());
  expect(limited, "no gradient was ever longer than {}", limit);
  expect(last < 0.8, "the loss is still {}", last);
  expect(model.norm.num_batches_tracked.item<int>() == steps, "a part counted as a batch");

  // Pooled parts give the statistics of the whole.
  nn::BatchNorm1d pooled(4), whole(4);
  const Tensor x = 5 + randn({64, 4});
  {
    const nn::AccumulateStats guard(pooled);
    for (int64_t i = 0; i < 64; i += 16) pooled(x.slice(0, i, i + 16));
  }
  whole(x);
  expect(allclose(pooled.running_mean, whole.running_mean) &&
             allclose(pooled.running_var, whole.running_var),
         "the parts have other statistics than the whole");

  // Where every gradient is 0, decay shrinks the weights and nothing else.
  Net still;
  for (Tensor p : still.parameters()) p.set_grad(zeros_like(p.detach()));
  optim::SGD decay({still.fc1.weight}, {.lr = 1, .weight_decay = 0.25});
  decay.add_group({still.fc1.bias}, {.lr = 1, .weight_decay = 0});
  const Tensor weight = still.fc1.weight.detach().clone(), bias = still.fc1.bias.detach().clone();
  decay.step();
  expect(allclose(still.fc1.weight, weight * 0.75), "decay did not shrink the weight");
  expect(allclose(still.fc1.bias, bias, 0, 0), "decay moved the bias");
}
