#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/nan_guard.h>

#include <cmath>
#include <thread>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

// log(x) in a module, so that there is a path.
struct Log : Module {
  Tensor forward(const Tensor& x) override { return x.log(); }
};

struct Net : Module {
  Sequential& body = child("body", Sequential{Linear(2, 2), Log()});
  Tensor forward(const Tensor& x) override { return body(x).sum(); }
};

Net net() {
  Net m;
  const NoGrad guard;
  m.body.at<Linear>(0).weight.copy_(tensor({{1, 0}, {0, 1}}));
  m.body.at<Linear>(0).bias.fill_(0);
  return m;
}

}  // namespace

TEST_CASE("nan guard: the first op with an output that is not finite is named, with its path") {
  Net m = net();
  const Tensor x = tensor({{1, 2}, {3, -1}});
  CHECK(std::isnan(m(x).item<float>()));  // without a guard nothing is said
  const NanGuard guard;
  CHECK_ERROR_MENTIONS(m(x), "log 'body.1':", "the output [2, 2] is not finite: nan at [1, 1]",
                       "its inputs are [2, 2] (finite)");
  CHECK_ERROR_MENTIONS(m(tensor({{1, NAN}})), "linear 'body.0':", "nan at [0, 1]",
                       "[1, 2] (nan at [0, 1]), [2, 2] (finite), [2] (finite)");
  CHECK(m(tensor({{1, 1}})).item<float>() == 0);
}

TEST_CASE("nan guard: the first op with a gradient that is not finite is named, with its path") {
  Net m = net();
  Tensor loss;
  const NanGuard guard;
  {
    const NoGrad no_grad;
    m.body.at<Linear>(0).weight.copy_(tensor({{1e-30, 0}, {0, 1e-30}}));
  }
  loss = m(tensor({{1, 1}})) * 1e30;  // d log v / dv = 1e30
  CHECK_ERROR_MENTIONS(loss.backward(), "log 'body.1':",
                       "the gradient of input 0, [1, 2], is not finite: inf at [0, 0]",
                       "the gradient of the output, [1, 2], is finite");
  for (const Tensor& p : m.parameters()) CHECK_FALSE(p.grad().defined());
}

TEST_CASE("nan guard: a gradient that arrives as NaN is told apart") {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  const Tensor y = x * 2;
  const NanGuard guard;
  CHECK_ERROR_MENTIONS(y.backward(tensor({1, NAN})), "mul:", "nan at [1]",
                       "the gradient of the output, [2], is not finite already: nan at [1]");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("nan guard: infinities may be allowed, integers and empty tensors are not examined") {
  const NanGuard guard({.allow_infinite = true});
  const Tensor x = zeros({3}, {.requires_grad = true});
  CHECK(std::isinf(x.log().sum().item<float>()));
  CHECK_ERROR_MENTIONS(x.log() * 0, "mul:", "nan at [0]");
  CHECK(zeros({0}).log().numel() == 0);
  CHECK(equal(arange(3, {.dtype = DType::int64}) * 2, tensor({0, 2, 4}, {.dtype = DType::int64})));
}

TEST_CASE("nan guard: it ends with its scope, nests, and watches its own thread alone") {
  const Tensor x = zeros({1});
  {
    const NanGuard outer;
    {
      const NanGuard inner({.allow_infinite = true});
      CHECK(std::isinf(x.log().item<float>()));
    }
    CHECK_ERROR_MENTIONS(x.log(), "log:", "-inf at [0]");
    std::thread([&] { CHECK(std::isinf(x.log().item<float>())); }).join();
  }
  CHECK(std::isinf(x.log().item<float>()));
}

TEST_CASE("nan guard: a gradient of second order is examined") {
  const Tensor x = tensor(0, {.requires_grad = true});
  const NanGuard guard;
  const Tensor g = grad({pow(x, 1.5)}, {x}, {.create_graph = true})[0];
  CHECK(g.item<float>() == 0);
  CHECK_ERROR_MENTIONS(grad({g}, {x}), "gradient of input", "is not finite");
}
