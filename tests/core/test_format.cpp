// What tensors look like when they are printed.

#include "support/approx.h"

#include <cairn/core/format.h>

#include <fmt/format.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("format: scalars") {
  CHECK(fmt::format("{}", tensor(2.5)) == "tensor(2.5000)");
  CHECK(fmt::format("{}", tensor(3)) == "tensor(3.)");
  CHECK(fmt::format("{}", tensor(-7, i64)) == "tensor(-7, dtype=int64)");
  CHECK(fmt::format("{}", tensor(INT64_MAX, i64)) == "tensor(9223372036854775807, dtype=int64)");
  CHECK(fmt::format("{}", tensor(0.1, f64)) == "tensor(0.1000, dtype=float64)");
  CHECK(fmt::format("{}", tensor(NAN)) == "tensor(nan)");
}

TEST_CASE("format: vectors and matrices are aligned in columns") {
  CHECK(fmt::format("{}", tensor({1, -2.5, 100})) == "tensor([  1.0000,  -2.5000, 100.0000])");
  CHECK(fmt::format("{}", tensor({1, 2, 3})) == "tensor([1., 2., 3.])");
  CHECK(fmt::format("{}", tensor({{1, 20}, {-300, 4}}, i64)) ==
        "tensor([[   1,   20],\n"
        "        [-300,    4]], dtype=int64)");
  CHECK(fmt::format("{}", tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}})) ==
        "tensor([[[1., 2.],\n"
        "         [3., 4.]],\n"
        "\n"
        "        [[5., 6.],\n"
        "         [7., 8.]]])");
}

TEST_CASE("format: views print their own values") {
  CHECK(fmt::format("{}", tensor({{1, 2}, {3, 4}}, i64).t()) ==
        "tensor([[1, 3],\n"
        "        [2, 4]], dtype=int64)");
}

TEST_CASE("format: nan and inf stand among the others, which decide the width") {
  CHECK(fmt::format("{}", tensor({1, NAN, -INFINITY})) == "tensor([  1.,  nan, -inf])");
  CHECK(fmt::format("{}", tensor({0.5, INFINITY})) == "tensor([0.5000,    inf])");
}

TEST_CASE("format: numbers far apart or far from 1 are written with exponents") {
  CHECK(fmt::format("{}", tensor({1e-7, 2.0})) == "tensor([1.0000e-07, 2.0000e+00])");
  CHECK(fmt::format("{}", tensor(1e12)) == "tensor(1.0000e+12)");
  CHECK(fmt::format("{}", tensor({0.0, 0.25})) == "tensor([0.0000, 0.2500])");
  CHECK(fmt::format("{}", zeros({2})) == "tensor([0., 0.])");
}

TEST_CASE("format: empty tensors show their shape, however large the other sizes are") {
  CHECK(fmt::format("{}", zeros({0})) == "tensor([], shape=[0])");
  CHECK(fmt::format("{}", zeros({0, 3}, i64)) == "tensor([], shape=[0, 3], dtype=int64)");
  CHECK(fmt::format("{}", zeros({2, 0})) == "tensor([], shape=[2, 0])");
  CHECK(fmt::format("{}", zeros({int64_t{1} << 40, 0})) == "tensor([], shape=[1099511627776, 0])");
}

TEST_CASE("format: more than a thousand elements are summarised") {
  CHECK(fmt::format("{}", arange(1001, i64)) ==
        "tensor([   0,    1,    2, ...,  998,  999, 1000], shape=[1001], dtype=int64)");
  CHECK(fmt::format("{}", arange(2000).view({1000, 2})) ==
        "tensor([[   0.,    1.],\n"
        "        [   2.,    3.],\n"
        "        [   4.,    5.],\n"
        "        ...,\n"
        "        [1994., 1995.],\n"
        "        [1996., 1997.],\n"
        "        [1998., 1999.]], shape=[1000, 2])");
  CHECK(fmt::format("{}", arange(1000)).find("...") == std::string::npos);
}

TEST_CASE("format: requires_grad is shown, also of what was computed") {
  const Tensor x = tensor({1, 2}, {.requires_grad = true});
  CHECK(fmt::format("{}", x) == "tensor([1., 2.], requires_grad=true)");
  CHECK(fmt::format("{}", x * 2) == "tensor([2., 4.], requires_grad=true)");
  CHECK(fmt::format("{}", tensor(1, {.dtype = DType::float64, .requires_grad = true})) ==
        "tensor(1., dtype=float64, requires_grad=true)");
}

TEST_CASE("format: shapes, dtypes and undefined tensors, with a width too") {
  CHECK(fmt::format("{}", Shape{2, 3}) == "[2, 3]");
  CHECK(fmt::format("{}", DType::float32) == "float32");
  CHECK(fmt::format("{}", Tensor()) == "tensor(undefined)");
  CHECK(fmt::format("{:>8}|{:<9}|", Shape{2, 3}, DType::int64) == "  [2, 3]|int64    |");
}
