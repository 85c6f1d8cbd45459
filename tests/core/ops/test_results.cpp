// The result of an op may be written in place, also if the op ended in a reshape.
#include "core/ops/table.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <set>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("every op: its fresh result can be written in place, with the right gradient") {
  const std::set<std::string> views{"view",
                                    "flatten",
                                    "flatten of a scalar",
                                    "transpose",
                                    "t",
                                    "permute",
                                    "unsqueeze",
                                    "squeeze",
                                    "squeeze -1",
                                    "expand",
                                    "select",
                                    "select 1",
                                    "slice",
                                    "slice to nothing",
                                    "slice beyond the ends",
                                    "reshape",
                                    "flatten of dimension 0",
                                    "contiguous"};
  for (const Op& op : table()) {
    if (views.contains(op.name)) continue;
    CAPTURE(op.name);
    std::vector<Tensor> inputs, leaves;
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      inputs.push_back(make(op.operands[k], k, op.operands[k].shape));
      if (inputs.back().dtype() == DType::int64) continue;
      inputs.back().requires_grad_(true);
      leaves.push_back(inputs.back());
    }
    Tensor y = op.f(inputs);
    if (!y.requires_grad()) continue;
    const GradOptions options{.allow_unused = true};
    const std::vector<Tensor> expected = grad({sum(square(op.f(inputs) + 1))}, leaves, options);
    y += 1;
    std::vector<Tensor> given;
    try {
      given = grad({sum(square(y))}, leaves, options);
    } catch (const Error& error) {  // the op keeps its output; see tests/core/test_lifetimes.cpp
      CHECK(std::string(error.what()).find("written to after the forward") != std::string::npos);
      continue;
    }
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      REQUIRE(given[i].defined() == expected[i].defined());
      if (given[i].defined()) CHECK(close(given[i], expected[i]));
    }
  }
}

TEST_CASE("in place: a residual connection of rank 3, and results that a reshape made") {
  const Tensor x = arange(24).reshape({2, 3, 4}).requires_grad_(true);
  const Tensor w = ones({4, 4}, {.requires_grad = true});
  Tensor h = linear(x, w);
  h += x;
  sum(h).backward();
  CHECK(equal(w.grad(), full({4, 4}, 1) * x.detach().sum({0, 1})));
  const auto write = [](Tensor y) { y += 1; };
  write(matmul(x, ones({4})));
  write(matmul(ones({3}), x));
  write(matmul(x, w));
  write(logsumexp(x, {1}));
  write(gather(x.sum(), 0, zeros({}, {.dtype = DType::int64})));
  write(index_select(x.sum(), 0, zeros({1}, {.dtype = DType::int64})));
  write(x.transpose(0, 1).reshape({24}));
  write(x.transpose(0, 1).flatten());
  CHECK_ERROR_MENTIONS(write(x.reshape({24})), "add_:", "view");  // shows x itself
}
