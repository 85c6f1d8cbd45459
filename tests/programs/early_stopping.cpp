// I want to fit a small network to noisy data, stop when it no longer improves on data that it has
// not seen, and keep the best weights.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

// y = sin(3x) with noise.
std::pair<Tensor, Tensor> samples(int64_t n) {
  const Tensor x = 2 * rand({n, 1}) - 1;
  const Tensor noise = 0.2 * randn({n, 1});
  return {x, sin(3 * x) + noise};
}

// state_dict() shares the model's memory, so what is to be kept has to be copied.
StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [name, value] : state) copy[name] = value.detach().clone();
  return copy;
}

int main() {
  manual_seed(3);
  const auto [x, y] = samples(32);
  const auto [x_val, y_val] = samples(256);

  nn::Sequential model{nn::Linear(1, 32), nn::ReLU(), nn::Linear(32, 32), nn::ReLU(),
                       nn::Linear(32, 1)};
  const nn::MSELoss criterion;
  optim::SGD opt(model.parameters(), {.lr = 0.05, .momentum = 0.9});

  const int max_epochs = 1000, patience = 40;
  double best = 1e30;
  int best_epoch = 0, epoch = 0;
  StateDict best_state;

  for (; epoch < max_epochs && epoch - best_epoch < patience; ++epoch) {
    model.train();
    const Tensor order = randperm(x.size(0));
    for (int64_t begin = 0; begin < x.size(0); begin += 8) {
      const Tensor batch = order.slice(0, begin, begin + 8);
      opt.zero_grad();
      criterion(model(index_select(x, 0, batch)), index_select(y, 0, batch)).backward();
      opt.step();
    }

    model.eval();
    const NoGrad guard;
    const double loss = criterion(model(x_val), y_val).item<double>();
    if (loss < best) {
      best = loss;
      best_epoch = epoch;
      best_state = copy_of(model.state_dict());
    }
  }

  const NoGrad guard;
  const double last = criterion(model(x_val), y_val).item<double>();
  model.load_state_dict(best_state);
  const double restored = criterion(model(x_val), y_val).item<double>();
  fmt::print("stopped after {} epochs: loss {:.4f}, best {:.4f}\n", epoch, last, best);

  expect(epoch < max_epochs, "training did not stop early");
  expect(best < 0.2, "the best loss is {}, the noise alone gives 0.04", best);
  expect(last > best, "the last weights should be worse than the best ones");
  expect(restored == best, "the restored model has loss {}, not {}", restored, best);
}
