// Whole trainings end where PyTorch's end: tests/golden/training.py has the same three models.
#include "support/approx.h"
#include "support/golden.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

Sequential perceptron() { return Sequential{Linear(4, 8), ReLU(), Linear(8, 3)}; }

Sequential normalised() {
  Sequential model;  // the same order of drawing, one by one
  model.push_back(Linear(5, 6));
  model.push_back(BatchNorm1d(6, {.momentum = std::nullopt}));
  model.push_back(ReLU());
  model.push_back(Linear(6, 2));
  model.push_back(BatchNorm1d(2, {.affine = false}));
  return model;
}

Sequential images() {
  return Sequential{BatchNorm2d(2),
                    ReLU(),
                    Flatten(),
                    Linear(18, 7, {.bias = false}),
                    BatchNorm1d(7, {.momentum = 0.3}),
                    ReLU(),
                    Linear(7, 4)};
}

using Loss = Tensor (*)(const Tensor&, const Tensor&);

Tensor squares(const Tensor& y, const Tensor& target) { return mse_loss(y, target); }

// |actual - expected| <= share of the largest |expected|
Outcome close_to(const Tensor& actual, const Tensor& expected, double share) {
  const Tensor flat = expected.to(DType::float64).flatten();
  const double largest = flat.abs().amax({0}).item<double>();
  return close(is_floating(actual.dtype()) ? actual.to(DType::float64) : actual, expected,
               {.absolute = share * largest});
}

void check_training(const std::string& name, Sequential (*model_of)(), Loss loss_of,
                    const optim::SGDOptions& options) {
  const auto number = [&](const std::string& of) { return golden("training", name + "/" + of); };
  for (const DType dtype : {DType::float64, DType::float32}) {
    CAPTURE(dtype);
    manual_seed(42);
    Sequential model = model_of();
    for (const auto& [path, values] : model.state_dict()) {
      const std::string what = "initial/" + path;
      CAPTURE(what);
      CHECK(equal(values, number(what)));
    }
    model.to(dtype);
    optim::SGD optimizer(model.parameters(), options);
    const auto as = [&](const Tensor& x) { return is_floating(x.dtype()) ? x.to(dtype) : x; };
    const Tensor x = as(number("x")), target = as(number("target"));
    // Our rounding grows as PyTorch's does, whose float32 ends `gap` away from its float64; ours
    // may be a few times as unlucky. In float64 every rounding is 2^29 times smaller.
    const double gap = number("gap").item<double>();
    const double share = 4 * gap * (dtype == DType::float32 ? 1 : 0x1p-29);
    const Tensor losses = number("losses");
    for (int64_t step = 0; step < losses.numel(); ++step) {
      CAPTURE(step);
      optimizer.zero_grad();
      const Tensor loss = loss_of(model(x[step % 3]), target[step % 3]);
      loss.backward();
      optimizer.step();
      CHECK(close_to(loss.detach(), losses[step], share));
    }
    for (const auto& [path, values] : model.state_dict()) {
      const std::string what = "final/" + path;
      CAPTURE(what);
      CHECK(close_to(values, number(what), share));
    }
  }
}

}  // namespace

TEST_CASE("training: a perceptron with momentum ends where PyTorch's does") {
  check_training("perceptron", perceptron, squares, {.lr = 0.05, .momentum = 0.9});
}

TEST_CASE("training: a cumulative record, Nesterov and decay end where PyTorch's do") {
  check_training("normalised", normalised, squares,
                 {.lr = 0.05, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true});
}

TEST_CASE("training: a classifier of normalised images ends where PyTorch's does") {
  check_training("images", images, cross_entropy,
                 {.lr = 0.1, .momentum = 0.5, .dampening = 0.2, .weight_decay = 0.001});
}
