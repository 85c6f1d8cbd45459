// Comparing tensors, and errors, so that a test that fails says where and by how much.
#pragma once

#include <cairn/core/ops.h>

#include <doctest/doctest.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace cairn::test {

/// What a comparison found: nothing, or a sentence that CHECK prints.
struct Outcome {
  std::string failure;
  explicit operator bool() const { return failure.empty(); }
};
inline doctest::String toString(const Outcome& outcome) { return outcome.failure.c_str(); }

/// |actual - expected| <= absolute + relative |expected|
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// The relative error of an op that rounds a few times: four units in the last place.
inline constexpr Tolerance few_roundings_float{.relative = 4 * 1.2e-7};
inline constexpr Tolerance few_roundings_double{.relative = 4 * 2.3e-16};

/// Same shape, same dtype and every element within the tolerance; NaN is close to NaN alone.
/// A failure reads "[2, 3] differs at [0, 1]: 3 where 2 is expected (1 of 6 elements)".
Outcome close(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance);

/// The same, to a few roundings of the dtype.
Outcome close(const Tensor& actual, const Tensor& expected);

/// The same, to the last bit (0 and -0 are equal).
Outcome equal(const Tensor& actual, const Tensor& expected);

/// Does the call throw cairn::Error, and does its text hold each of these?
Outcome throws_error(const std::function<void()>& call,
                     std::initializer_list<std::string_view> mentioned);

inline constexpr TensorOptions f32{.dtype = DType::float32};
inline constexpr TensorOptions f64{.dtype = DType::float64};
inline constexpr TensorOptions i64{.dtype = DType::int64};

}  // namespace cairn::test

/// The expression throws cairn::Error, and its text mentions each of these: the op, the shapes and
/// what else matters here. Whole texts are compared in tests/bad_input, once each.
#define CHECK_ERROR_MENTIONS(expression, ...) \
  CHECK(cairn::test::throws_error([&] { static_cast<void>(expression); }, {__VA_ARGS__}))
