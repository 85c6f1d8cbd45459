#include "support/approx.h"
#include "support/golden.h"
#include "support/gradcheck.h"
#include "support/rows.h"

#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/init.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>

#include <fmt/format.h>

#include <cmath>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

// FNV-1a of the bytes.
int64_t checksum(const Tensor& x) {
  const std::vector<float> weights = x.to_vector<float>();
  uint64_t value = 0xcbf29ce484222325;
  for (const std::byte b : std::as_bytes(std::span(weights))) {
    value = (value ^ std::to_integer<uint64_t>(b)) * 0x100000001b3;
  }
  return static_cast<int64_t>(value);
}

// Are these the names and values that the file has under `prefix`, in its order?
void check_drawn(const Module& model, const std::string& prefix) {
  std::vector<std::string> names, expected;
  for (const auto& [path, tensor] : model.state_dict()) {
    const std::string name = prefix + path;
    CAPTURE(name);
    CHECK(equal(tensor, golden("linear", name)));
    names.push_back(name);
  }
  for (const auto& [name, tensor] : golden("linear")) {
    if (name.starts_with(prefix)) expected.push_back(name);
  }
  CHECK(names == expected);
}

struct Sizes {
  int64_t in, out;
};

}  // namespace

TEST_CASE("linear: the same seed draws PyTorch's weights, to the last bit") {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{42}, (uint64_t{1} << 63) + 11}) {
    for (const Sizes& s :
         {Sizes{1, 1}, {10, 5}, {7, 3}, {64, 2}, {0, 4}, {3, 0}, {1, 17}, {31, 1}}) {
      const std::string name = fmt::format("seed{}/{}to{}", seed, s.in, s.out);
      check_row(name, [&] {
        manual_seed(seed);
        const Linear layer(s.in, s.out);
        CHECK(equal(layer.weight, golden("linear", name + "/weight")));
        CHECK(equal(layer.bias, golden("linear", name + "/bias")));
      });
    }
  }
}

TEST_CASE("linear: so do large ones, by a checksum") {
  for (const Sizes& s : {Sizes{300, 700}, {784, 129}, {1, 5000}, {4097, 1}}) {
    const std::string name = fmt::format("checksum/{}to{}", s.in, s.out);
    check_row(name, [&] {
      manual_seed(1);
      const Linear layer(s.in, s.out);
      CHECK(checksum(layer.weight) == golden("linear", name + "/weight").item<int64_t>());
      CHECK(checksum(layer.bias) == golden("linear", name + "/bias").item<int64_t>());
    });
  }
}

TEST_CASE("linear: without a bias none is drawn") {
  manual_seed(7);
  const Linear layer(4, 3, {.bias = false}), next(2, 1);
  CHECK_FALSE(layer.bias.defined());
  CHECK(equal(layer.weight, golden("linear", "without_bias/weight")));
  CHECK(equal(next.weight, golden("linear", "without_bias/next")));
}

TEST_CASE("linear: in = 0 draws a bias too, as PyTorch does, so the next layer's weights agree") {
  manual_seed(0);
  const Linear none(0, 3), next(2, 2);
  CHECK(equal(none.bias, zeros({3})));
  // torch.manual_seed(0); nn.Linear(0, 3); nn.Linear(2, 2).weight
  CHECK(equal(next.weight, tensor({{-0.5203874707221985, -0.27234524488449097},
                                   {0.1896158903837204, -0.014010033570230007}})));
}

TEST_CASE("linear: layers in Sequential's braces are drawn in order, under PyTorch's names") {
  manual_seed(3);
  check_drawn(Sequential{Linear(4, 6), BatchNorm1d(6), ReLU(), Linear(6, 2)}, "sequential/");
}

TEST_CASE("linear: so are layers that push_back() adds") {
  manual_seed(3);
  Sequential model;
  model.push_back(Linear(4, 6));
  model.push_back(BatchNorm1d(6));
  model.push_back(ReLU());
  model.push_back(Linear(6, 2));
  check_drawn(model, "sequential/");
}

TEST_CASE("linear: so are models within models") {
  manual_seed(5);
  check_drawn(Sequential{Sequential{Linear(2, 3),
                                    Sequential{Linear(3, 3, {.bias = false}), BatchNorm1d(3)}},
                         Linear(3, 4), ReLU(), Sequential{Linear(4, 1), Linear(1, 2)}},
              "nested/");
}

TEST_CASE("linear: so are a module's members, in the order of their declaration") {
  struct Net : Module {
    Sequential& first = child(
        "0", Sequential{Linear(2, 3), Sequential{Linear(3, 3, {.bias = false}), BatchNorm1d(3)}});
    Linear& second = child("1", Linear(3, 4));
    Sequential& third = child("3", Sequential{Linear(4, 1), Linear(1, 2)});
  };
  manual_seed(5);
  check_drawn(Net(), "nested/");
}

TEST_CASE("linear: y = x Wᵀ + b, for inputs of rank 1 to 4") {
  Linear layer(2, 3);
  {
    const NoGrad guard;
    layer.weight.copy_(tensor({{1, 2}, {3, 4}, {5, 6}}));
    layer.bias.copy_(tensor({10, 20, 30}));
  }
  const Tensor x = tensor({1, -1}), y = tensor({9, 19, 29});  // small integers: exact
  CHECK(equal(layer(x), y));
  CHECK(equal(layer(x.expand({4, 2})), y.expand({4, 3})));
  CHECK(equal(layer(x.expand({2, 4, 2})), y.expand({2, 4, 3})));
  CHECK(equal(layer(x.expand({2, 3, 4, 2})), y.expand({2, 3, 4, 3})));
  CHECK(equal(layer(tensor({{1, 0}, {-1, 0}}).t()), tensor({{9, 19, 29}, {10, 20, 30}})));
}

TEST_CASE("linear: gradients for inputs of rank 1 to 4, also not contiguous") {
  Linear layer(3, 2);
  layer.to(DType::float64);
  const auto check_with = [&](const Tensor& x) {
    std::vector<Tensor> leaves = layer.parameters();
    leaves.push_back(x.detach().requires_grad_(true));
    CHECK(gradcheck([&] { return layer(leaves.back()); }, leaves));
  };
  check_with(randn({3}, f64));
  check_with(randn({4, 3}, f64));
  check_with(randn({3, 4}, f64).t());
  check_with(randn({2, 2, 3}, f64));
  check_with(randn({2, 3, 1, 2}, f64).transpose(1, 3));
}

TEST_CASE("linear: an empty batch gives an empty output and zero gradients") {
  Linear layer(3, 2);
  const Tensor y = layer(zeros({0, 3}));
  CHECK(y.shape() == Shape{0, 2});
  sum(y).backward();
  CHECK(equal(layer.weight.grad(), zeros({2, 3})));
  CHECK(equal(layer.bias.grad(), zeros({2})));
  CHECK(layer(zeros({4, 0, 3})).shape() == Shape{4, 0, 2});
}

TEST_CASE("linear: in = 0 gives the bias, which is zero; out = 0 gives nothing") {
  CHECK(equal(Linear(0, 4)(zeros({2, 0})), zeros({2, 4})));
  CHECK(Linear(3, 0)(zeros({2, 3})).shape() == Shape{2, 0});
}

TEST_CASE("init: the bound of kaiming_uniform_ counts the positions of a convolution's weight") {
  manual_seed(3);
  Tensor weight = empty({4, 2, 3, 3}), flat = empty({4, 18});
  nn::init::kaiming_uniform_(weight);
  manual_seed(3);
  nn::init::kaiming_uniform_(flat);
  CHECK(equal(weight.view({4, 18}), flat));
  CHECK(amax(abs(weight)).item<double>() <= 1 / std::sqrt(18.0));
}
