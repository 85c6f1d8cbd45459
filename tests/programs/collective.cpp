// I want to train in parallel by hand: each thread has a copy of the model and a share of the
// batch, and all of them step by the mean of their gradients.
#include <cairn/cairn.h>

#include "expect.h"

#include <barrier>
#include <memory>
#include <thread>

using namespace cairn;

struct Net : nn::Module {
  nn::Linear& fc1 = child("fc1", nn::Linear(4, 32));
  nn::BatchNorm1d& norm = child("norm", nn::BatchNorm1d(32));
  nn::Linear& fc2 = child("fc2", nn::Linear(32, 1));
  Tensor forward(const Tensor& x) override { return fc2(norm(fc1(x)).relu()); }
};

// Mean of tensors that `count` threads bring, the same for each of them.
class AllMean {
 public:
  explicit AllMean(std::size_t count) : parts_(count), barrier_(static_cast<int>(count)) {}

  Tensor operator()(std::size_t rank, const Tensor& x) {
    parts_[rank] = x.detach();
    barrier_.arrive_and_wait();  // all have brought theirs
    Tensor sum = parts_[0].clone();
    for (std::size_t i = 1; i < parts_.size(); ++i) sum += parts_[i];
    barrier_.arrive_and_wait();  // all have read
    return sum / static_cast<double>(parts_.size());
  }

 private:
  std::vector<Tensor> parts_;
  std::barrier<> barrier_;
};

int main() {
  manual_seed(0);
  const std::size_t count = 4;
  const int64_t share = 32;
  const int steps = 100;
  const Tensor x = randn({128, 4}), y = x.abs().sum({1}, true);

  Net reference;
  std::vector<std::unique_ptr<Net>> replicas;
  for (std::size_t rank = 0; rank < count; ++rank) {
    replicas.push_back(std::make_unique<Net>());
    nn::copy_state(reference, *replicas[rank]);
  }
  const auto loss_of = [&](Net& model, std::size_t rank) {
    const int64_t begin = static_cast<int64_t>(rank) * share;
    return mse_loss(model(x.slice(0, begin, begin + share)), y.slice(0, begin, begin + share));
  };

  AllMean all_mean(count);
  std::vector<double> losses(count);
  const auto work = [&](std::size_t rank) {
    Net& model = *replicas[rank];
    optim::SGD opt(model.parameters(), {.lr = 0.05, .momentum = 0.9});
    for (int step = 0; step < steps; ++step) {
      const Tensor loss = loss_of(model, rank);
      opt.zero_grad();
      loss.backward();
      for (Tensor p : model.parameters()) p.set_grad(all_mean(rank, p.grad()));
      opt.step();
      losses[rank] = loss.item<double>();
    }
    model.norm.running_mean.copy_(all_mean(rank, model.norm.running_mean));
  };
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < count; ++rank) threads.emplace_back(work, rank);
  for (std::thread& thread : threads) thread.join();

  // The same in one thread: the shares one after another, their gradients accumulated.
  optim::SGD opt(reference.parameters(), {.lr = 0.05, .momentum = 0.9});
  for (int step = 0; step < steps; ++step) {
    opt.zero_grad();
    const nn::AccumulateStats guard(reference);
    for (std::size_t rank = 0; rank < count; ++rank) {
      (loss_of(reference, rank) / static_cast<double>(count)).backward();
    }
    opt.step();
  }

  fmt::print("{} threads: loss of the first share {:.4f}\n", count, losses[0]);
  for (std::size_t rank = 0; rank < count; ++rank) {
    expect(losses[rank] < 0.3, "the loss of thread {} is still {}", rank, losses[rank]);
    const std::vector<Tensor> one = replicas[rank]->parameters(), first = replicas[0]->parameters();
    const std::vector<Tensor> serial = reference.parameters();
    for (std::size_t i = 0; i < one.size(); ++i) {
      expect(allclose(one[i], first[i], 0, 0), "the copies of parameter {} differ", i);
      expect(allclose(one[i], serial[i], 1e-2, 1e-3), "parameter {} is not the serial one", i);
    }
    expect(allclose(replicas[rank]->norm.running_mean, reference.norm.running_mean, 1e-2, 1e-3),
           "the mean of the running means is not that of the whole batch");
  }
}
