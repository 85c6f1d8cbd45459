// I want a convolutional network although the library has no convolution: patches by slices, one
// matrix product, and pooling by a maximum over a reshaped image.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>

using namespace cairn;

// x (N, C, H, W), weight (out, C * k * k), bias (out) -> (N, out, H - k + 1, W - k + 1)
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t k) {
  const int64_t h = x.size(2) - k + 1, w = x.size(3) - k + 1;
  std::vector<Tensor> shifted;
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < k; ++j) {
      shifted.push_back(x.slice(2, i, i + h).slice(3, j, j + w));
    }
  }
  const Tensor patches = stack(shifted, 2).flatten(1, 2);  // (N, C * k * k, H, W)
  return linear(patches.permute({0, 2, 3, 1}), weight, bias).permute({0, 3, 1, 2});
}

// The largest of each 2 x 2 square.
Tensor pool(const Tensor& x) {
  return x.reshape({x.size(0), x.size(1), x.size(2) / 2, 2, x.size(3) / 2, 2}).amax({3, 5});
}

struct Conv : nn::Module {
  Conv(int64_t in, int64_t out, int64_t kernel)
      : k(kernel),
        weight(parameter("weight",
                         randn({out, in * k * k}) / std::sqrt(static_cast<double>(in * k * k)))),
        bias(parameter("bias", zeros({out}))) {}
  Tensor forward(const Tensor& x) override { return convolve(x, weight, bias, k); }

  int64_t k;
  Parameter& weight;
  Parameter& bias;
};

struct Net : nn::Module {
  Conv& conv1 = child("conv1", Conv(1, 6, 3));
  nn::BatchNorm2d& norm = child("norm", nn::BatchNorm2d(6));
  Conv& conv2 = child("conv2", Conv(6, 8, 3));
  nn::Linear& fc = child("fc", nn::Linear(8, 2));
  Tensor forward(const Tensor& x) override {
    return fc(conv2(pool(norm(conv1(x)).relu())).relu().amax({2, 3}));
  }
};

// 10 x 10 images of a horizontal (0) or a vertical (1) line of four pixels, under noise.
Tensor images(const Tensor& labels) {
  Tensor x = 0.2 * randn({labels.size(0), 1, 10, 10});
  for (int64_t n = 0; n < labels.size(0); ++n) {
    const Tensor where = randint(0, 7, {2});
    const int64_t i = where.at<int64_t>({0}), j = where.at<int64_t>({1});
    const bool vertical = labels.at<int64_t>({n}) == 1;
    x.select(0, n).slice(1, i, i + (vertical ? 4 : 1)).slice(2, j, j + (vertical ? 1 : 4)).add_(1);
  }
  return x;
}

int main() {
  manual_seed(0);
  // One output value, term by term.
  const Tensor x = randn({2, 3, 6, 5}), w = randn({4, 27}), y = convolve(x, w, zeros({4}), 3);
  double sum = 0;
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        sum += x.at<double>({1, c, 2 + i, 1 + j}) * w.at<double>({3, (c * 3 + i) * 3 + j});
      }
    }
  }
  expect(std::abs(y.at<double>({1, 3, 2, 1}) - sum) < 1e-4, "the convolution is wrong");

  Net model;
  optim::SGD opt(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  for (int step = 0; step < 400; ++step) {
    const Tensor labels = randint(0, 2, {32});
    opt.zero_grad();
    cross_entropy(model(images(labels)), labels).backward();
    opt.step();
  }
  model.eval();
  const NoGrad guard;
  const Tensor labels = randint(0, 2, {200});
  const double right =
      (model(images(labels)).argmax(1) == labels).to(DType::float64).mean().item<double>();
  fmt::print("accuracy {:.3f}\n", right);
  expect(right > 0.9, "the accuracy is only {}", right);
}
