// When are running statistics updated? Three short cases, each with its numbers.
#include <cairn/cairn.h>

using namespace cairn;

// Both norms always normalise by the current batch and never update their running statistics.
struct SimpleModel : nn::Module {
  nn::BatchNorm1d& batchnorm1 =
      child("batchnorm1", nn::BatchNorm1d(10, {.track_running_stats = false}));
  nn::Linear& linear = child("linear", nn::Linear(10, 5));
  nn::BatchNorm1d& batchnorm2 =
      child("batchnorm2", nn::BatchNorm1d(5, {.track_running_stats = false}));

  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

// 32 examples of 10 features, with a mean of 3 and a variance of 4.
Tensor batch() { return 3 + 2 * randn({32, 10}); }

// Prints the values of the first four channels.
void show(const char* name, const Tensor& values) {
  fmt::print("  {:<23}", name);
  for (const double v : values.slice(0, 0, 4).to_vector<double>()) fmt::print(" {:8.5f}", v);
  fmt::print("{}\n", values.numel() > 4 ? " ..." : "");
}

void show_record(const nn::BatchNorm1d& bn) {
  show("running_mean", bn.running_mean);
  show("running_var", bn.running_var);
  fmt::print("  {:<23} {:>8}\n", "num_batches_tracked", bn.num_batches_tracked.item<int>());
}

void untracked() {
  fmt::print("(a) Two batches in train(), through an untracked layer and its tracked twin\n\n");
  nn::BatchNorm1d quiet(10, {.track_running_stats = false});
  nn::BatchNorm1d twin(10);  // tracks, as PyTorch's does
  for (int i = 0; i < 2; ++i) {
    const Tensor x = batch();
    quiet(x);
    twin(x);
  }
  fmt::print("  untracked: the mean stays 0, the variance stays 1\n");
  show_record(quiet);
  fmt::print("\n  tracked: each batch moves both a tenth of the way towards its own\n");
  show_record(twin);
}

void frozen_by_hand() {
  fmt::print("\n(b) A tracked layer whose three buffers were frozen by hand\n\n");
  nn::BatchNorm1d bn(10);
  bn(batch());
  bn.running_mean.freeze();
  bn.running_var.freeze();
  bn.num_batches_tracked.freeze();
  fmt::print("  before\n");
  show_record(bn);

  for (int i = 0; i < 2; ++i) mse_loss(bn(batch()), randn({32, 10})).backward();
  fmt::print("\n  after two more batches: unchanged\n");
  show_record(bn);
  fmt::print("\n  but weight and bias still learn: their gradients have arrived\n");
  show("weight.grad", bn.weight.grad());
  show("bias.grad", bn.bias.grad());
}

void whole_model() {
  fmt::print("\n(c) SimpleModel learns, and its running statistics stay as they are\n\n");
  SimpleModel model;
  const nn::MSELoss criterion;
  optim::SGD sgd(model.parameters(), {.lr = 0.01});
  const Tensor x = batch(), target = randn({32, 5});

  const auto step = [&] {
    sgd.zero_grad();
    const Tensor loss = criterion(model(x), target);
    loss.backward();
    sgd.step();
    return loss.item<float>();
  };
  const auto show_model = [&] {
    show("batchnorm1.weight", model.batchnorm1.weight);
    show("batchnorm2.weight", model.batchnorm2.weight);
    show("batchnorm1.running_mean", model.batchnorm1.running_mean);
    show("batchnorm2.running_mean", model.batchnorm2.running_mean);
  };

  fmt::print("  before the first step\n");
  show_model();
  float loss = step();
  fmt::print("\n  after it: both scales (weight) have changed, both running means have not\n");
  show_model();

  fmt::print("\n  and the loss falls\n");
  fmt::print("  step 1    loss {:.4f}\n", loss);
  for (int done = 2; done <= 100; ++done) {
    loss = step();
    if (done % 25 == 0) fmt::print("  step {:<4} loss {:.4f}\n", done, loss);
  }
}

int main() {
  manual_seed(0);
  untracked();
  frozen_by_hand();
  whole_model();
}
