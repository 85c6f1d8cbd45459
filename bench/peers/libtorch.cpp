// The work of budgets.cpp in PyTorch's C++ API.
#include <torch/torch.h>

#include "support/subject.h"

namespace {

torch::nn::BatchNorm1d untracked(int64_t channels) {
  return torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(channels).track_running_stats(false));
}

struct SimpleModel : torch::nn::Module {
  torch::nn::BatchNorm1d batchnorm1 = register_module("batchnorm1", untracked(10));
  torch::nn::Linear linear = register_module("linear", torch::nn::Linear(10, 5));
  torch::nn::BatchNorm1d batchnorm2 = register_module("batchnorm2", untracked(5));
  torch::Tensor forward(const torch::Tensor& x) { return batchnorm2(linear(batchnorm1(x))); }
};

struct Stage {
  SimpleModel model;
  torch::nn::MSELoss criterion;
  torch::optim::SGD sgd{model.parameters(), torch::optim::SGDOptions(0.01)};
  torch::Tensor x = torch::randn({32, 10}), target = torch::randn({32, 5});
  torch::Tensor w = torch::tensor(1.001F, torch::requires_grad());

  void step() {
    sgd.zero_grad();
    criterion(model.forward(x), target).backward();
    sgd.step();
  }
  template <class Factor>
  void chain(const Factor& factor) {
    w.mutable_grad().reset();
    torch::Tensor z = w;
    for (int64_t i = 0; i < bench::chain_length; ++i) z = z * factor;
    z.backward();
  }
};

bench::Subject prepare() {
  torch::set_num_threads(1);
  const auto stage = std::make_shared<Stage>();
  return {[=] { stage->step(); }, [=] { stage->chain(stage->w); }, [=] { stage->chain(1.001); }};
}

void one_gradient() {
  const torch::Tensor x = torch::tensor(3.0F, torch::requires_grad());
  (x * x).backward();
  std::cout << x.grad() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return bench::answer(argc > 1 ? argv[1] : "", prepare, one_gradient, "torch/torch.h");
}
