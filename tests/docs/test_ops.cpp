// The ops of docs/ops.md: each block of C++ there is included here, and differentiated twice.
#include "support/gradcheck.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::test;

namespace {

#include "ops/gradients_that_share_work.inc"
#include "ops/with_a_loop_of_its_own.inc"
#include "ops/written_with_other_ops.inc"

const Tensor x = tensor({{1, -2, 3}, {0.5, 4, -1}}, f64), z = tensor({2, 5, 7}, f64);

}  // namespace

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
