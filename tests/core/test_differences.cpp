// Decisions of docs/differences.md that no other test shows.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>

#include <fmt/format.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("differences: what is an error in Cairn alone") {
  CHECK_ERROR_MENTIONS(pow(tensor({2, 1}, i64), tensor({-1, 2}, i64)), "pow:", "negative power");
  Tensor expanded = zeros({1}).expand({3});
  CHECK_ERROR_MENTIONS(expanded.fill_(1), "fill_:", "is expanded");
  CHECK_ERROR_MENTIONS(expanded.zero_(), "zero_:", "is expanded");
  Tensor x = zeros({2}, {.requires_grad = true});
  CHECK_ERROR_MENTIONS(x.set_grad(zeros({3})), "set_grad:", "[3]", "[2]");
  CHECK_ERROR_MENTIONS(where(tensor({1, 0}), x, x), "where:", "the mask [2] is float32");
  CHECK_ERROR_MENTIONS(linear(ones({2, 3}), ones({4, 3}), ones({1})), "linear:", "bias [1]");
  CHECK_ERROR_MENTIONS(gather(ones({2, 3}), 0, zeros({0}, i64)), "gather:", "index [0]");
  CHECK(gather(ones({2, 3}), 0, zeros({0, 3}, i64)).shape() == Shape{0, 3});
  CHECK_ERROR_MENTIONS(tensor({1.1}, i64), "tensor:", "1.1 is no int64");
  CHECK_ERROR_MENTIONS(x & zeros({2}), "float32");
}

TEST_CASE("differences: what is an error in PyTorch alone") {
  const Tensor n = arange(3, i64);
  const Tensor x = arange(3);
  CHECK(equal(softmax(n, 0), softmax(x, 0)));
  CHECK(equal(log_softmax(n, 0), log_softmax(x, 0)));
  CHECK(equal(gelu(n), gelu(x)));
  CHECK(equal(silu(n), silu(x)));
  CHECK(equal(softplus(n), softplus(x)));
  CHECK(equal(leaky_relu(n), leaky_relu(x)));
  CHECK(cross_entropy(n.reshape({1, 3}), tensor({0}, i64)).dtype() == DType::float32);
  CHECK(equal(2 / tensor({1, 4}, i64), tensor({2, 0.5})));
  CHECK(amax(zeros({0, 0}), 1).shape() == Shape{0});
  CHECK(argmin(zeros({0, 0}), 1).shape() == Shape{0});
  CHECK_ERROR_MENTIONS(amax(zeros({0, 2}), 0), "amax:", "no values");
  CHECK(one_hot(zeros({0}, i64), 0).shape() == Shape{0, 0});
  CHECK(std::isinf(maximum(x, 1e300)[0].item<float>()));
  CHECK(equal(minimum(x, 1e300), x));
  CHECK(equal(x / 1e300, zeros({3})));
  CHECK(equal(clamp(x, 1, 1e300), tensor({1, 1, 2})));
  Tensor overlapping = arange(4);
  overlapping.slice(0, 1, 4).add_(overlapping.slice(0, 0, 3));
  CHECK(equal(overlapping, tensor({0, 1, 3, 5})));
}

TEST_CASE("differences: values and strides") {
  CHECK((zeros({2, 3}).t() + 1).is_contiguous());
  const Tensor x = zeros({1}, {.requires_grad = true});
  CHECK(grad({abs(x)}, {x}, {.grad_outputs = {tensor({HUGE_VAL})}})[0].item<float>() == 0);
  CHECK_FALSE(std::signbit(pow(tensor(-0.0), 0.5).item<float>()));
  CHECK(std::isnan(var(zeros({0})).item<float>()));
  CHECK(std::isnan(var(zeros({1})).item<float>()));
  Tensor view;
  {
    const NoGrad guard;
    view = x.view({1, 1});
  }
  CHECK_FALSE(view.requires_grad());
}

TEST_CASE("differences: modules") {
  CHECK(fmt::format("{} {}", nn::ReLU(), nn::MSELoss()) == "ReLU() MSELoss(reduction=mean)");
  CHECK(fmt::format("{}", nn::BatchNorm1d(3)) ==
        "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=true, stats=track)");
  CHECK(nn::Linear(1, 1).kind() == "Linear");
  CHECK(equal(nn::Sequential()(ones({2})), ones({2})));
  CHECK(nn::BatchNorm1d(0)(zeros({4, 0})).shape() == Shape{4, 0});
}
