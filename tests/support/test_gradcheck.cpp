// A check is worth what it can find.
#include "support/gradcheck.h"

#include <cairn/core/record.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {

// y = 2x², with a gradient of dy times what `slope` makes of x.
template <class F>
auto with_gradient(F slope) {
  return [slope](const std::vector<Tensor>& in) {
    const Tensor& x = in[0];
    return record("op", (2 * x * x).detach(),
                  wrt(
                      x, [slope](auto& dy, auto& v) { return dy * slope(v); }, x));
  };
}

const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, f64);

}  // namespace

TEST_CASE("gradcheck: right gradients pass, in any layout") {
  CHECK(gradcheck(with_gradient([](const Tensor& v) { return 4 * v; }), {x.clone()}));
  CHECK(gradcheck(with_gradient([](const Tensor& v) { return 4 * v; }), {x.clone().t()}));
  CHECK(gradcheck([](auto& in) { return in[0] * in[1]; }, {x.clone(), x.clone()}));
}

TEST_CASE("gradcheck: a wrong gradient is found, with the place") {
  const Outcome outcome = gradcheck(
      with_gradient([](const Tensor& v) { return where(v == 5, 19.99, 4 * v); }), {x.clone()});
  CHECK(outcome.failure.starts_with("the gradient of input 0: [2, 3] differs at [1, 1]: "));
  CHECK(outcome.failure.ends_with(" (1 of 6 elements)"));
}

TEST_CASE("gradcheck: a wrong gradient of the gradient is found") {
  const Outcome outcome =
      gradcheck(with_gradient([](const Tensor& v) { return 4 * v.detach(); }), {x.clone()});
  CHECK(outcome.failure.starts_with("the second gradient (the last input is dy) of input 0: "));
}

TEST_CASE("gradcheck: a recorded gradient that is not the fused one is found") {
  const Outcome outcome = gradcheck(
      with_gradient([](const Tensor& v) { return is_grad_enabled() ? 4.001 * v : 4 * v; }),
      {x.clone()});
  CHECK(outcome.failure.starts_with("the gradient with create_graph of input 0: "));
}

TEST_CASE("gradcheck: its inputs are left as they were") {
  const Tensor y = x.clone();
  CHECK(gradcheck([](auto& in) { return square(in[0]); }, {y}));
  CHECK(equal(y, x));
  CHECK_FALSE(y.requires_grad());
}

TEST_CASE("close: a failure says shape, first bad index and both values") {
  const Tensor y = tensor({{1, 2, 3}, {4, 7, 8}}, f64);
  CHECK(close(y, x, {.absolute = 1}).failure ==
        "[2, 3] differs at [1, 1]: 7 where 5 is expected (2 of 6 elements)");
  CHECK(close(y, x.t(), {}).failure == "float64 [2, 3] where float64 [3, 2] is expected");
  CHECK(equal(tensor({1, NAN}), tensor({1, NAN})));
  CHECK_FALSE(equal(tensor({1, NAN}), tensor({1, 2})));
  CHECK_FALSE(equal(tensor({INT64_MAX}, i64), tensor({INT64_MAX - 1}, i64)));
}
