// I want several threads to evaluate one model at once, and several to train models of their own.
#include <cairn/cairn.h>

#include "expect.h"

#include <memory>
#include <thread>

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(6, 24));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(24));
  nn::Linear& fc2 = child("fc2", nn::Linear(24, 1));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

const int steps = 200;

// Draws no random numbers, so that the order of the threads does not matter.
double fit(Net& model, const Tensor& x, const Tensor& y) {
  model.train();
  optim::SGD opt(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  double loss = 0;
  for (int step = 0; step < steps; ++step) {
    const Tensor error = mse_loss(model(x), y);
    opt.zero_grad();
    error.backward();
    opt.step();
    loss = error.item<double>();
  }
  return loss;
}

Tensor predict(Net& model, const Tensor& x) {
  const NoGrad guard;  // of this thread
  return model(x);
}

int main() {
  manual_seed(0);
  const std::size_t count = 4;
  const Tensor x = randn({128, 6}), y = sin(x.sum({1}, true));

  // Each thread trains its own model. The one at the end is trained alone, from the same weights.
  Net alone;
  std::vector<std::unique_ptr<Net>> models;
  for (std::size_t i = 0; i < count; ++i) {
    models.push_back(std::make_unique<Net>());
    nn::copy_state(alone, *models[i]);
  }
  std::vector<double> losses(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] { losses[i] = fit(*models[i], x, y); });
  }
  for (std::thread& thread : threads) thread.join();
  const double loss = fit(alone, x, y);
  expect(loss < 0.1, "the loss is still {}", loss);
  for (std::size_t i = 0; i < count; ++i) {
    expect(losses[i] == loss, "thread {} ended with loss {}, not {}", i, losses[i], loss);
    expect(allclose(models[i]->fc2.weight, alone.fc2.weight, 0, 0),
           "thread {} ended with other weights", i);
  }

  // All threads evaluate one model.
  alone.eval();
  const Tensor x_test = randn({64, 6}), expected = predict(alone, x_test);
  std::vector<int> wrong(count);
  threads.clear();
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      for (int repeat = 0; repeat < 100; ++repeat) {
        if (!allclose(predict(alone, x_test), expected, 0, 0)) ++wrong[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < count; ++i) {
    expect(wrong[i] == 0, "thread {} had {} other results", i, wrong[i]);
  }
  expect(alone.norm.num_batches_tracked.item<int>() == steps, "evaluation updated the statistics");
  fmt::print("{} threads, the same loss {:.4f} in each\n", count, loss);
}
