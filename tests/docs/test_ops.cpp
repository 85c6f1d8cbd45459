// docs/ops.md: each block of C++ there is included here. The ops of one's own are differentiated
// twice.
#include "support/gradcheck.h"

#include <cairn/cairn.h>

#include <vector>

using namespace cairn;
using namespace cairn::test;

namespace {

#include "ops/gradients_that_share_work.inc"
#include "ops/with_a_loop_of_its_own.inc"
#include "ops/written_with_other_ops.inc"

const Tensor x = tensor({{1, -2, 3}, {0.5, 4, -1}}, f64), z = tensor({2, 5, 7}, f64);

// What the lines of the list use.
struct Operands {
  Tensor a = tensor({{1, -2, 3}, {4, 5, 6}}), b = tensor({{2, 2, 2}, {1, 0, 1}});
  Tensor v = tensor({1, 2, 3});
  Tensor row = tensor({1, 0}, {.dtype = DType::int64});
  Tensor m = tensor({{1, 0, 1}, {0, 0, 2}}, {.dtype = DType::int64});
  Tensor y;
};

}  // namespace

TEST_CASE_FIXTURE(Operands,
                  "docs/ops.md: the list is compiled, and its last lines are as it says") {
  {
    float memory[] = {1, 2, 3, 4};
#include "ops/creating.inc"
    CHECK(equal(y, full({2, 3}, 7)));
  }
  {
#include "ops/drawing.inc"
    CHECK(y.shape() == a.shape());
  }
  {
#include "ops/arithmetic.inc"
    CHECK(equal(y, tensor({{1, 2, 3}, {1, 0, 6}})));
  }
  {
#include "ops/comparison_and_logic.inc"
    CHECK(y.sum().item<int>() == 6);
    CHECK_FALSE(same);
  }
  {
#include "ops/functions_of_one_operand.inc"
    CHECK(close(y, log1p(exp(a))));
  }
  {
#include "ops/reductions.inc"
    CHECK(close(y, log(softmax(a, 1))));
    CHECK(equal(average, tensor({2.5, 1.5, 4.5})));
    CHECK(variance.shape() == Shape{3});
  }
  {
#include "ops/linear_algebra.inc"
    CHECK(equal(y, a + v));
  }
  {
#include "ops/shape.inc"
    CHECK(equal(y, a));
    CHECK(parts.size() == 2);
  }
  {
#include "ops/joining_and_indexing.inc"
    CHECK(y.shape() == Shape{2, 3});
  }
  {
#include "ops/copies_and_writing_in_place.inc"
    CHECK(equal(y, zeros({2, 3}, f64)));
  }
  {
    Tensor mean3 = zeros({3}), var3 = ones({3});
#include "ops/losses_and_normalisation.inc"
    CHECK(y.shape() == a.shape());
    CHECK(mean3.sum().item<float>() != 0);
  }
}

TEST_CASE("docs/ops.md: written with other ops") {
  CHECK(close(length(tensor({3, 0}), tensor({4, 2})), tensor({5, 2})));
  CHECK(gradcheck([](auto& in) { return length(in[0], in[1]); }, {x.clone(), z.clone()}));
}

TEST_CASE("docs/ops.md: with a loop of its own") {
  const Tensor v = tensor({1, -2, 3}, {.requires_grad = true});
  const Tensor first = grad({cube(v).sum()}, {v}, {.create_graph = true})[0];
  CHECK(equal(cube(v.detach()), tensor({1, -8, 27})));
  CHECK(equal(first, tensor({3, 12, 27})));
  CHECK(equal(grad({first.sum()}, {v})[0], tensor({6, -12, 18})));
  CHECK(equal(cube(tensor({{1, 2}, {3, 4}}).t()), tensor({{1, 27}, {8, 64}})));
  CHECK_ERROR_MENTIONS(cube(x), "cube:", "float64 [2, 3]");
}

TEST_CASE("docs/ops.md: gradients that share work") {
  CHECK(close(share(tensor({1, 3}), tensor({1, 1})), tensor({0.5, 0.75})));
  CHECK(gradcheck([](auto& in) { return share(in[0], in[1]); }, {z.clone(), square(x)}));
}
