// I want a deep residual network whose blocks begin as the identity, so that it trains however deep
// it is.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

// relu(x + f(x)); f begins as 0, since the scale of its last norm does.
struct Block : nn::Module {
  explicit Block(int64_t width)
      : fc1(child("fc1", nn::Linear(width, width, {.bias = false}))),
        norm1(child("norm1", nn::BatchNorm1d(width))),
        fc2(child("fc2", nn::Linear(width, width, {.bias = false}))),
        norm2(child("norm2", nn::BatchNorm1d(width))) {
    const NoGrad guard;
    norm2.weight.zero_();
  }
  Tensor forward(const Tensor& x) override { return relu(x + norm2(fc2(norm1(fc1(x)).relu()))); }

  nn::Linear& fc1;
  nn::BatchNorm1d& norm1;
  nn::Linear& fc2;
  nn::BatchNorm1d& norm2;
};

struct ResNet : nn::Module {
  nn::Linear& stem = child("stem", nn::Linear(2, 16));
  nn::Sequential& blocks = child("blocks", nn::Sequential());
  nn::Linear& head = child("head", nn::Linear(16, 1));

  explicit ResNet(int depth) {
    for (int i = 0; i < depth; ++i) blocks.push_back(Block(16));
  }
  Tensor forward(const Tensor& x) override { return head(blocks(stem(x).relu())); }
};

int main() {
  manual_seed(5);
  ResNet model(12);
  const nn::MSELoss criterion;

  const Tensor features = rand({8, 16});  // not negative, so relu changes nothing
  expect(allclose(model.blocks(features), features, 0, 0), "a new block is not the identity");
  expect(model.named_parameters().size() == 4 + 12 * 6, "there are {} parameters",
         model.named_parameters().size());

  optim::SGD opt(model.parameters(), {.lr = 0.02, .momentum = 0.9});
  double first = 0, last = 0;
  for (int step = 0; step < 500; ++step) {
    const Tensor x = 2 * rand({64, 2}) - 1;
    const Tensor y = sin(3 * x.slice(1, 0, 1)) * cos(3 * x.slice(1, 1, 2));
    const Tensor loss = criterion(model(x), y);
    opt.zero_grad();
    loss.backward();
    opt.step();
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  for (const auto& [name, p] : model.named_parameters()) {
    expect(p.grad().defined() && p.grad().abs().sum().item<double>() > 0, "no gradient reached {}",
           name);
  }
  fmt::print("{} blocks: loss {:.4f} at first, {:.4f} at last\n", model.blocks.size(), first, last);
  expect(last < 0.06, "the loss is still {}", last);
}
