// I want to interrupt training, keep all of its state in memory, and continue later as if nothing
// had happened, to the last bit.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(3, 16));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(16));
  nn::Linear& fc2 = child("fc2", nn::Linear(16, 1));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

struct Training {
  Net model;
  optim::SGD opt{model.parameters(), {.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4}};

  std::vector<double> run(int steps) {
    std::vector<double> losses;
    for (int step = 0; step < steps; ++step) {
      const Tensor x = randn({32, 3});
      const Tensor loss = mse_loss(model(x), x.square().sum({1}, true));
      opt.zero_grad();
      loss.backward();
      opt.step();
      losses.push_back(loss.item<double>());
    }
    return losses;
  }
};

struct TrainingState {
  StateDict model, optimizer;
  Tensor generator;
};

// Copies, since the dictionaries may share the memory of what goes on changing.
StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [name, value] : state) copy[name] = value.detach().clone();
  return copy;
}

int main() {
  manual_seed(0);
  Training first;
  const double at_first = first.run(50).front();
  first.opt.groups()[0].lr = 0.02;  // a setting that is part of the state, too
  const TrainingState saved{copy_of(first.model.state_dict()), copy_of(first.opt.state_dict()),
                            default_generator().state()};
  const std::vector<double> losses = first.run(50);
  const Tensor drawn = rand({4});

  manual_seed(123);  // another run of the program: other weights, other numbers
  Training second;
  second.model.load_state_dict(saved.model);
  second.opt.load_state_dict(saved.optimizer);
  default_generator().set_state(saved.generator);
  const std::vector<double> resumed = second.run(50);

  fmt::print("loss {:.4f} at first, {:.4f} at the end; resumed: {:.4f}\n", at_first, losses.back(),
             resumed.back());
  expect(losses.back() < at_first / 2, "the loss has not fallen: {}", losses.back());
  expect(losses == resumed, "the resumed run had other losses");
  expect(second.opt.groups()[0].lr == 0.02, "the learning rate is {}", second.opt.groups()[0].lr);
  const StateDict expected = first.model.state_dict();
  for (const auto& [name, value] : second.model.state_dict()) {
    expect(allclose(value, expected.at(name), 0, 0), "{} is another after resuming", name);
  }
  expect(allclose(rand({4}), drawn, 0, 0), "the generator is elsewhere after resuming");
}
