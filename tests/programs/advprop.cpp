// I want to train on clean and on attacked examples, with separate batch norm statistics for the
// two, so that the attack does not spoil the statistics of the clean ones.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(8, 32));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(32));
  nn::Linear& fc2 = child("fc2", nn::Linear(32, 2));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

// The label is 1 where the features sum to more than 0.
Tensor labels_of(const Tensor& x) { return x.sum({1}) > 0; }

// One step along the sign of the input's gradient. The forward does not update any statistics.
Tensor attack(Net& model, const Tensor& x, const Tensor& y) {
  const nn::StatsGuard guard(model, nn::StatsMode::hold);
  const Tensor input = x.detach().requires_grad_();
  const Tensor g = grad({cross_entropy(model(input), y)}, {input})[0];
  return x + 0.05 * g.sign();
}

double accuracy(Net& model, const Tensor& x, const Tensor& y) {
  const NoGrad guard;
  return (model(x).argmax(1) == y).to(DType::float64).mean().item<double>();
}

int main() {
  manual_seed(0);
  Net model;
  nn::add_stats(model, "adversarial");
  const int steps = 600;
  optim::SGD opt(model.parameters(), {.lr = 0.1, .momentum = 0.9});

  for (int step = 0; step < steps; ++step) {
    const Tensor x = randn({64, 8}), y = labels_of(x);
    const Tensor attacked = attack(model, x, y);
    opt.zero_grad();
    cross_entropy(model(x), y).backward();

    const Tensor mean = model.norm.running_mean.clone();
    {
      const nn::SelectStats guard(model, "adversarial");
      cross_entropy(model(attacked), y).backward();
    }
    expect(allclose(model.norm.running_mean, mean, 0, 0), "the attack reached the main statistics");
    opt.step();
  }

  model.eval();
  const Tensor x = randn({1000, 8}), y = labels_of(x);
  const Tensor attacked = attack(model, x, y);
  const Tensor main_var = model.norm.running_var.clone();
  const int main_count = model.norm.num_batches_tracked.item<int>();
  const double clean = accuracy(model, x, y);

  nn::select_stats(model, "adversarial");
  const Tensor other_var = model.norm.running_var.clone();
  const int other_count = model.norm.num_batches_tracked.item<int>();
  const double robust = accuracy(model, attacked, y);

  fmt::print("accuracy: clean {:.3f}, attacked {:.3f}; batches: {} and {}\n", clean, robust,
             main_count, other_count);
  expect(clean > 0.9, "the accuracy on clean examples is only {}", clean);
  expect(robust > 0.75, "the accuracy on attacked examples is only {}", robust);
  expect(main_count == steps && other_count == steps, "each record should have {} batches", steps);
  expect(!allclose(main_var, other_var, 1e-3), "the two records hold the same variances");
}
