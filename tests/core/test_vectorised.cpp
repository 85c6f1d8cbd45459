// The loops give the same bits at every instruction set, but for those that fuse multiplications
// and additions. Those agree to rounding.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/optim/sgd.h>

#include <functional>

using namespace cairn;
using namespace cairn::test;
using detail::InstructionSet;

namespace {

struct Restored {
  InstructionSet before = detail::instruction_set();
  ~Restored() { detail::set_instruction_set(before); }
};

// f()'s results at each set that this CPU has, the baseline first.
std::vector<std::vector<Tensor>> at_every_set(const std::function<std::vector<Tensor>()>& f) {
  const Restored restored;
  std::vector<std::vector<Tensor>> results;
  for (const auto set : {InstructionSet::baseline, InstructionSet::v3, InstructionSet::v4}) {
    try {
      detail::set_instruction_set(set);
    } catch (const Error& error) {
      CHECK(set != InstructionSet::baseline);
      CHECK(std::string(error.what()).starts_with("set_instruction_set: this CPU has no "));
      continue;
    }
    CHECK(detail::instruction_set() == set);
    results.push_back(f());
  }
  return results;
}

void check_same_bits(const std::function<std::vector<Tensor>()>& f) {
  const auto results = at_every_set(f);
  for (const auto& actual : results) {
    for (std::size_t i = 0; i < actual.size(); ++i) CHECK(equal(actual[i], results[0][i]));
  }
}

}  // namespace

TEST_CASE("vectorised: loops over elements and folds give the same bits at every set") {
  manual_seed(3);
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor x = randn({37, 65}, {.dtype = dtype}), y = randn({65}, {.dtype = dtype});
    check_same_bits([&] {
      return std::vector{x * y + 2,   x.t() - x.t() * 3, sum(x),       sum(x, {0}),
                         var(x, {1}), argmax(x, 0),      softmax(x, 1)};
    });
  }
}

TEST_CASE("vectorised: batch norm, its gradient and a step give the same bits at every set") {
  manual_seed(4);
  for (const Shape& shape : {Shape{64, 19}, Shape{8, 5, 33}}) {
    const Tensor x = randn(shape), target = randn(shape);
    check_same_bits([&] {
      nn::BatchNorm1d bn(shape[1]);
      optim::SGD sgd(bn.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01});
      const Tensor input = x.clone().requires_grad_(true);
      for (int i = 0; i < 2; ++i) {
        sum(square(bn(input) - target)).backward();
        sgd.step();
      }
      return std::vector<Tensor>{bn.weight, bn.bias, bn.running_mean, bn.running_var, input.grad()};
    });
  }
}

TEST_CASE("vectorised: small products agree at every set, whatever their layout") {
  manual_seed(5);
  for (const Shape& size : {Shape{1, 40, 70}, Shape{3, 9, 2}, Shape{5, 300, 4}, Shape{17, 23, 18},
                            Shape{4, 0, 3}, Shape{2, 600, 3}}) {
    for (const DType dtype : {DType::float32, DType::float64, DType::int64}) {
      const bool whole = dtype == DType::int64;
      const Tensor a = (randn({size[0], size[1]}) * (whole ? 100 : 1)).to(dtype);
      const Tensor b = (randn({size[1], size[2]}) * (whole ? 100 : 1)).to(dtype);
      const Tensor at = a.t().contiguous().t(), bt = b.t().contiguous().t();
      const Tensor expected = sum(a.unsqueeze(2) * b.unsqueeze(0), {1});
      const auto results = at_every_set([&] {
        return std::vector{matmul(a, b), matmul(at, b), matmul(a, bt), matmul(at, bt)};
      });
      const double atol = dtype == DType::float64 ? 1e-13 : 3e-5;  // sums of 600 products
      for (const auto& result : results) {
        for (const Tensor& y : result) {
          CHECK((whole ? bool(equal(y, expected)) : allclose(y, expected, 0, atol)));
        }
      }
    }
  }
}
