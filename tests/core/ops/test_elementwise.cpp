// Functions of one element and of two: what their numbers (test_golden.cpp) do not show. Integers,
// numbers on either side, masks, and errors.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("relu, clamp, maximum, minimum: NaN stays NaN") {
  const Tensor x = tensor({NAN, -1, 1});
  CHECK(equal(relu(x), tensor({NAN, 0, 1})));
  CHECK(equal(clamp(x, 0, 0.5), tensor({NAN, 0, 0.5})));
  CHECK(equal(clamp(tensor({1, 5}), NAN, 2), tensor({NAN, NAN})));
  CHECK(equal(clamp(tensor({1, 5}), 0, NAN), tensor({NAN, NAN})));
  CHECK(equal(maximum(x, 0), tensor({NAN, 0, 1})));
  CHECK(equal(minimum(tensor({5, NAN, 5}), x), tensor({NAN, NAN, 1})));
}

TEST_CASE("maximum, minimum: equals share the gradient") {
  const Tensor a = tensor({1, 2}, {.requires_grad = true}),
               b = tensor({1, 3}, {.requires_grad = true});
  sum(maximum(a, b)).backward();
  CHECK(equal(a.grad(), tensor({0.5, 0})));
  CHECK(equal(b.grad(), tensor({0.5, 1})));
}

TEST_CASE("clamp: the gradient passes between the bounds, and not at them") {
  const Tensor x = tensor({-2, -1, 0, 1, 2}, {.requires_grad = true});
  sum(clamp(x, -1, 1)).backward();
  CHECK(equal(x.grad(), tensor({0, 0, 1, 0, 0})));
}

TEST_CASE("a number may stand on either side, and takes the tensor's dtype") {
  const Tensor x = tensor({1, 2, 4});
  CHECK(equal(x + 1, tensor({2, 3, 5})));
  CHECK(equal(1 + x, tensor({2, 3, 5})));
  CHECK(equal(x - 1, tensor({0, 1, 3})));
  CHECK(equal(1 - x, tensor({0, -1, -3})));
  CHECK(equal(x * 2.5, tensor({2.5, 5, 10})));
  CHECK(equal(2 / x, tensor({2, 1, 0.5})));
  CHECK(equal(x / 2, tensor({0.5, 1, 2})));
  CHECK(equal(-x, tensor({-1, -2, -4})));
  CHECK(equal(maximum(2, x), tensor({2, 2, 4})));
  CHECK(equal(minimum(x, 2), tensor({1, 2, 2})));
  CHECK(equal(pow(x, 2), tensor({1, 4, 16})));
  CHECK(equal(pow(2, x), tensor({2, 4, 16})));
  CHECK((x + 0.1).dtype() == DType::float32);
  CHECK((x.to(DType::float64) + 0.1F).dtype() == DType::float64);
  CHECK((tensor({1}, i64) + 1.0).dtype() == DType::int64);
}

TEST_CASE("shapes broadcast from the right") {
  const Tensor column = tensor({{1}, {2}}), row = tensor({10, 20, 30});
  CHECK(equal(column + row, tensor({{11, 21, 31}, {12, 22, 32}})));
  CHECK(equal(row - column, tensor({{9, 19, 29}, {8, 18, 28}})));
  CHECK(equal(column * tensor(3), tensor({{3}, {6}})));
  CHECK((zeros({0, 3}) + row).shape() == Shape{0, 3});
  CHECK((zeros({3, 0}) + zeros({1})).shape() == Shape{3, 0});
}

TEST_CASE("int64: arithmetic wraps, division is true and never traps") {
  const Tensor x = tensor({INT64_MAX, INT64_MIN, 7, 0}, i64);
  CHECK(equal(x + 1, tensor({INT64_MIN, INT64_MIN + 1, 8, 1}, i64)));
  CHECK(equal(x - 1, tensor({INT64_MAX - 1, INT64_MAX, 6, -1}, i64)));
  CHECK(equal(x * 2, tensor({-2, 0, 14, 0}, i64)));
  CHECK(equal(-x, tensor({-INT64_MAX, INT64_MIN, -7, 0}, i64)));
  CHECK(equal(abs(x), tensor({INT64_MAX, INT64_MIN, 7, 0}, i64)));
  CHECK(equal(square(tensor({int64_t{1} << 32, -3}, i64)), tensor({0, 9}, i64)));
  CHECK(equal(tensor({7, 1, INT64_MIN, 0}, i64) / tensor({2, 0, -1, 0}, i64),
              tensor({3.5, INFINITY, 0x1p63, NAN})));
  CHECK(equal(7 / tensor({2}, i64), tensor({3.5})));
}

TEST_CASE("int64: sign, relu, clamp, maximum and pow stay int64") {
  const Tensor x = tensor({-3, 0, 5}, i64);
  CHECK(equal(sign(x), tensor({-1, 0, 1}, i64)));
  CHECK(equal(relu(x), tensor({0, 0, 5}, i64)));
  CHECK(equal(clamp(x, -1, 4), tensor({-1, 0, 4}, i64)));
  CHECK(equal(maximum(x, 1), tensor({1, 1, 5}, i64)));
  CHECK(equal(minimum(x, 1), tensor({-3, 0, 1}, i64)));
  CHECK(equal(pow(x, 3), tensor({-27, 0, 125}, i64)));
  CHECK(equal(pow(x, 0), tensor({1, 1, 1}, i64)));
  CHECK(pow(tensor(3, i64), 41).item<int64_t>() == -420491770248316829);
}

TEST_CASE("int64: a function whose result is no integer gives float32") {
  const Tensor x = tensor({1, 4}, i64);
  CHECK(equal(sqrt(x), tensor({1, 2})));
  CHECK(equal(reciprocal(x), tensor({1, 0.25})));
  using Function = Tensor (*)(const Tensor&);
  for (const Function f : std::initializer_list<Function>{exp, expm1, log, log1p, rsqrt, sin, cos,
                                                          tanh, erf, sigmoid, gelu, silu}) {
    CHECK(close(f(x), f(x.to(DType::float32))));
  }
}

TEST_CASE("comparisons give an int64 mask, false beside NaN except for !=") {
  const Tensor x = tensor({1, 2, NAN}), y = tensor({2, 2, 2});
  CHECK(equal(x == y, tensor({0, 1, 0}, i64)));
  CHECK(equal(x != y, tensor({1, 0, 1}, i64)));
  CHECK(equal(x < y, tensor({1, 0, 0}, i64)));
  CHECK(equal(x <= 2, tensor({1, 1, 0}, i64)));
  CHECK(equal(x > y, tensor({0, 0, 0}, i64)));
  CHECK(equal(1.5 >= x, tensor({1, 0, 0}, i64)));
  CHECK(equal(2 == tensor({{1}, {2}}, i64), tensor({{0}, {1}}, i64)));
  CHECK_FALSE((tensor({1}, {.requires_grad = true}) < 2).requires_grad());
}

TEST_CASE("where: takes from either side, numbers too") {
  const Tensor mask = tensor({1, 0, 5}, i64), x = tensor({1, 2, 3});
  CHECK(equal(where(mask, x, -x), tensor({1, -2, 3})));
  CHECK(equal(where(mask, x, 9), tensor({1, 9, 3})));
  CHECK(equal(where(x > 1, 0, x), tensor({1, 0, 0})));
  CHECK(equal(where(tensor({{1}, {0}}, i64), x, tensor(7)), tensor({{1, 2, 3}, {7, 7, 7}})));
}

TEST_CASE("where: the side that is not taken gets 0, even beside an infinite slope") {
  const Tensor x = tensor({0, 4}, {.requires_grad = true});
  sum(where(x > 0, 2 * x, 0)).backward();
  CHECK(equal(x.grad(), tensor({0, 2})));
}

TEST_CASE("allclose: relative to the second, NaN close to nothing, infinities to themselves") {
  CHECK(allclose(tensor({100.0}), tensor({100.0009})));
  CHECK_FALSE(allclose(tensor({100.0}), tensor({100.002})));
  CHECK(allclose(tensor({1.0}), tensor({2.0}), 0, 1));
  CHECK_FALSE(allclose(tensor({NAN}), tensor({NAN})));
  CHECK(allclose(tensor({INFINITY}), tensor({INFINITY})));
  CHECK_FALSE(allclose(tensor({INFINITY}), tensor({-INFINITY})));
  CHECK_FALSE(allclose(tensor({1.0}), tensor({INFINITY})));
  CHECK(allclose(zeros({0}), zeros({0})));
  CHECK(allclose(zeros({2, 3}), zeros({3})));
  CHECK(allclose(tensor({3}, i64), tensor({3}, i64)));
}

TEST_CASE("remainder: the result has the sign of the divisor") {
  CHECK(equal(tensor({5, -5, 5, -5}) % tensor({3, 3, -3, -3}), tensor({2, 1, -1, -2})));
  const TensorOptions whole{.dtype = DType::int64};
  CHECK(equal(tensor({5, -5, 5, -5}, whole) % tensor({3, 3, -3, -3}, whole),
              tensor({2, 1, -1, -2}, whole)));
  CHECK(equal(7 % tensor({4}), tensor({3})));
  CHECK((tensor(INT64_MIN, whole) % -1).item<int64_t>() == 0);
  CHECK_ERROR_MENTIONS(tensor({1}, whole) % 0, "remainder:", "[1]", "has a 0");
}

TEST_CASE("logic: masks combine, and floats are classified") {
  const Tensor x = tensor({-1, 0, 2, NAN, INFINITY});
  const TensorOptions mask{.dtype = DType::int64};
  CHECK(equal((x > -2) & (x < 1), tensor({1, 1, 0, 0, 0}, mask)));
  CHECK(equal((x < 0) | (x > 1), tensor({1, 0, 1, 0, 1}, mask)));
  CHECK(equal(!(x > 0), tensor({1, 1, 0, 1, 0}, mask)));
  CHECK(equal(logical_xor(x, 1 - x), tensor({0, 1, 0, 0, 0}, mask)));
  CHECK(equal(isnan(x), tensor({0, 0, 0, 1, 0}, mask)));
  CHECK(equal(isinf(x), tensor({0, 0, 0, 0, 1}, mask)));
  CHECK(equal(isfinite(x), tensor({1, 1, 1, 0, 0}, mask)));
  CHECK_ERROR_MENTIONS(x & x, "&:", "float32 [5]", "compare first");
}

TEST_CASE("allclose: compares in the tensors' dtype, and NaN with NaN if asked") {
  CHECK(allclose(tensor({NAN, 1}), tensor({NAN, 1}), 1e-5, 1e-8, true));
  CHECK_FALSE(allclose(tensor({NAN, 1}), tensor({NAN, 1})));
  CHECK_FALSE(allclose(tensor({NAN}), tensor({1}), 1e-5, 1e-8, true));
  const Tensor a = tensor({16777216}), b = tensor({16777217});  // equal as float32
  CHECK(allclose(a, b, 0, 0));
}

TEST_CASE("pow: mixed and third derivatives at the exponents 0 and 1") {
  const auto leaf = [](double v) {
    return tensor(v, {.dtype = DType::float64, .requires_grad = true});
  };
  const Tensor x = leaf(2), p = leaf(0);
  const Tensor dx = grad({pow(x, p)}, {x}, {.create_graph = true})[0];
  CHECK(grad({dx}, {p})[0].item<double>() == 0.5);  // 1/x
  const Tensor y = leaf(2), q = leaf(1);
  const Tensor first = grad({pow(y, q)}, {y}, {.create_graph = true})[0];
  const Tensor second = grad({first}, {y}, {.create_graph = true})[0];
  CHECK(grad({second}, {q})[0].item<double>() == 0.5);  // d/dp p(p-1) x^(p-2)
  const Tensor z = leaf(0);
  CHECK(grad({pow(z, leaf(0))}, {z})[0].item<double>() == 0);
}

TEST_CASE("div and pow: no intermediate value of a gradient overflows in float32") {
  const Tensor b = tensor({1e-39}, {.requires_grad = true});
  CHECK(grad({tensor({1}) / b}, {b}, {.grad_outputs = {zeros({1})}})[0].item<float>() == 0);
  const Tensor x = tensor({0.5}, {.requires_grad = true});
  const Tensor g = grad({pow(x, 1e38)}, {x}, {.grad_outputs = {full({1}, 1e10)}})[0];
  CHECK(g.item<float>() == 0);
}
