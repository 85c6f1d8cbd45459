// I want to use a trained model where the inputs are scaled and shifted, by re-estimating its batch
// norm statistics there, without labels; and afterwards to go back.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

struct Net : nn::Module {
  nn::BatchNorm1d& norm1 = child("norm1", nn::BatchNorm1d(4));
  nn::Linear& fc1 = child("fc1", nn::Linear(4, 16));
  nn::BatchNorm1d& norm2 = child("norm2", nn::BatchNorm1d(16));
  nn::Linear& fc2 = child("fc2", nn::Linear(16, 2));
  Tensor forward(const Tensor& x) override { return fc2(norm2(fc1(norm1(x))).relu()); }
};

Tensor labels_of(const Tensor& x) { return x.slice(1, 0, 2).sum({1}) > x.slice(1, 2, 4).sum({1}); }

// The other domain: other units and another offset for each feature.
Tensor in_other_domain(const Tensor& x) {
  return x * tensor({0.2, 3.0, 0.5, 1.5}) + tensor({2.0, -4.0, 1.0, 6.0});
}

Tensor logits(Net& model, const Tensor& x) {
  const NoGrad guard;
  model.eval();
  return model(x);
}

double accuracy(Net& model, const Tensor& x, const Tensor& y) {
  return (logits(model, x).argmax(1) == y).to(DType::float64).mean().item<double>();
}

int main() {
  manual_seed(2);
  Net model;
  optim::SGD opt(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  for (int step = 0; step < 600; ++step) {
    const Tensor x = randn({64, 4});
    opt.zero_grad();
    cross_entropy(model(x), labels_of(x)).backward();
    opt.step();
  }

  const Tensor x = randn({1000, 4}), y = labels_of(x), x_other = in_other_domain(x);
  const double source = accuracy(model, x, y), lost = accuracy(model, x_other, y);
  const Tensor logits_before = logits(model, x), weight_before = model.fc1.weight.detach().clone();

  const auto snapshot = nn::snapshot_stats(model);
  std::vector<Tensor> batches;
  batches.reserve(20);
  for (int i = 0; i < 20; ++i) batches.push_back(in_other_domain(randn({64, 4})));
  nn::estimate_running_stats(model, batches);
  const double adapted = accuracy(model, x_other, y);
  const Tensor mean = model.norm1.running_mean.clone();

  nn::restore_stats(model, snapshot);
  fmt::print(
      "accuracy: {:.3f} at home, {:.3f} in the other domain, {:.3f} there with its own "
      "statistics\n",
      source, lost, adapted);

  expect(source > 0.92, "the accuracy at home is only {}", source);
  expect(lost < 0.8, "the other domain should be hard without its own statistics, not {}", lost);
  expect(adapted > 0.9, "the accuracy with re-estimated statistics is only {}", adapted);
  expect(allclose(mean, cat(batches).mean({0}), 1e-5, 1e-5),
         "the estimated mean is not the mean of all batches");
  expect(allclose(logits(model, x), logits_before, 0, 0), "going back changed the logits");
  expect(allclose(model.fc1.weight, weight_before, 0, 0), "re-estimating changed the weights");
}
