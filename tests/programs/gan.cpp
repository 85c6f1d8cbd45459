// I want to train a generator against a discriminator, with a penalty on the discriminator's
// gradient, until its samples are distributed like the real ones.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>

using namespace cairn;

Tensor real_samples(int64_t n) { return 2 + 0.5 * randn({n, 1}); }

struct GeneratorNet : nn::Module {
  nn::Linear& hidden = child("hidden", nn::Linear(1, 16));
  nn::Linear& out = child("out", nn::Linear(16, 1));

  Tensor forward(const Tensor& z) override { return out(hidden(z).relu()) + z; }
  Tensor sample(int64_t n) { return (*this)(randn({n, 1})); }
};

int main() {
  manual_seed(1);
  GeneratorNet generator;
  nn::Sequential discriminator{nn::Linear(1, 32), nn::ReLU(), nn::Linear(32, 1)};
  optim::SGD opt_g(generator.parameters(), {.lr = 0.02});
  optim::SGD opt_d(discriminator.parameters(), {.lr = 0.1});

  for (int step = 0; step < 1500; ++step) {
    // The discriminator: large for real samples, small for generated ones.
    const Tensor real = real_samples(64).requires_grad_();
    const Tensor fake = generator.sample(64).detach();
    const Tensor score = discriminator(real);
    const Tensor slope = grad({score.sum()}, {real}, {.create_graph = true})[0];
    const Tensor loss_d =
        mean(softplus(-score)) + mean(softplus(discriminator(fake))) + 0.1 * mean(square(slope));
    opt_d.zero_grad();
    loss_d.backward();
    opt_d.step();

    // The generator: its samples should be scored as real.
    opt_g.zero_grad();
    mean(softplus(-discriminator(generator.sample(64)))).backward();
    opt_g.step();
  }

  const NoGrad guard;
  const Tensor samples = generator.sample(4096);
  const double mean = samples.mean().item<double>();
  const double deviation = std::sqrt(samples.var().item<double>());
  fmt::print("generated: mean {:.3f}, deviation {:.3f}; real: mean 2, deviation 0.5\n", mean,
             deviation);
  expect(std::abs(mean - 2) < 0.3, "the generated mean is {}, not 2", mean);
  expect(std::abs(deviation - 0.5) < 0.3, "the generated deviation is {}, not 0.5", deviation);
}
