// Dimensions, strides, broadcasting.
#include "support/approx.h"

#include <cairn/core/internal/shapes.h>

#include <array>
#include <span>
#include <vector>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("Shape: prints, compares, indexes and iterates") {
  const Shape s{2, 3};
  CHECK(to_string(s) == "[2, 3]");
  CHECK(to_string(Shape{}) == "[]");
  CHECK(s == Shape{2, 3});
  CHECK(s != Shape{3, 2});
  CHECK(s != Shape{2, 3, 1});
  CHECK(s[0] == 2);
  CHECK(s[-1] == 3);
  const std::vector<int> dims{4, 5};
  CHECK(Shape(dims.begin(), dims.end()) == Shape{4, 5});
  int64_t sum = 0;
  for (const int64_t d : s) sum += d;
  CHECK(sum == 5);
}

TEST_CASE("Shape: inserts and erases") {
  Shape s{2, 4};
  s.insert(1, 3);
  CHECK(s == Shape{2, 3, 4});
  s.insert(3, 5);
  CHECK(s == Shape{2, 3, 4, 5});
  s.erase(0);
  CHECK(s == Shape{3, 4, 5});
  s.erase(2);
  CHECK(s == Shape{3, 4});
}

TEST_CASE("Shape: counts its elements, with any 0 none") {
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{2, 3, 4}.numel() == 24);
  CHECK(Shape{int64_t{1} << 62, 1, 0}.numel() == 0);
  CHECK((Shape{INT64_MAX}).numel() == INT64_MAX);
}

TEST_CASE(
    "contiguous_strides and is_contiguous: sizes of 1 do not matter, without elements nothing "
    "does") {
  CHECK(detail::contiguous_strides({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(detail::contiguous_strides({2, 0, 4}) == Strides{4, 4, 1});
  CHECK(detail::is_contiguous({2, 3}, {3, 1}));
  CHECK_FALSE(detail::is_contiguous({2, 3}, {1, 2}));
  CHECK(detail::is_contiguous({1, 3, 1}, {77, 1, 99}));
  CHECK(detail::is_contiguous({0, 4}, {9, 2}));
  CHECK(detail::is_contiguous({}, {}));
}

TEST_CASE("broadcast: aligned at the right, 1 stretches, to 0 as well") {
  CHECK(detail::broadcast("op", {2, 3}, {3}) == Shape{2, 3});
  CHECK(detail::broadcast("op", {2, 1}, {4, 1, 3}) == Shape{4, 2, 3});
  CHECK(detail::broadcast("op", {}, {2}) == Shape{2});
  CHECK(detail::broadcast("op", {1}, {0}) == Shape{0});
  CHECK(detail::broadcast_strides({3, 1}, {1, 1}, {2, 3, 4}) == Strides{0, 1, 0});
}

TEST_CASE("dimension numbers count from either end, and none stands twice") {
  CHECK(detail::wrap_dim("op", -1, {4, 5, 6}) == 2);
  const auto mask = detail::dim_mask("op", {0, -1}, {4, 5, 6});
  CHECK((mask[0] && !mask[1] && mask[2]));
}

TEST_CASE("Shape, Strides, Dims: are distinct types, and ranges of integers serve as a list") {
  static_assert(!std::is_convertible_v<Strides, Shape> && !std::is_convertible_v<Shape, Strides>);
  static_assert(!std::is_convertible_v<Shape, Dims> && !std::is_convertible_v<Dims, Shape>);
  static_assert(!std::is_convertible_v<std::vector<double>, Shape>);
  const std::vector<int> sizes{2, 3};
  const std::array<int64_t, 2> order{1, 0};
  CHECK(zeros(sizes).shape() == Shape{2, 3});
  CHECK(zeros(std::span(sizes)).permute(order).shape() == Shape{3, 2});
  const unsigned list[] = {4};
  CHECK(ones(list).shape() == Shape{4});
}
