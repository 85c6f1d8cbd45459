#include "support/approx.h"

#include <fmt/format.h>

#include <cmath>

namespace cairn::test {
namespace {

bool near(double actual, double expected, const Tolerance& t) {
  if (std::isnan(actual) || std::isnan(expected)) return std::isnan(actual) && std::isnan(expected);
  if (actual == expected) return true;  // infinities too
  return std::abs(actual - expected) <= t.absolute + t.relative * std::abs(expected);
}

// Where the k-th element in row-major order stands.
Dims index_of(int64_t k, const Shape& shape) {
  Dims index(shape.begin(), shape.end());
  for (int64_t d = shape.size(); d-- > 0; k /= shape[d]) index[d] = k % shape[d];
  return index;
}

// Compares as T, which holds every value of the dtype.
template <class T, class Near>
Outcome compare(const Tensor& actual, const Tensor& expected, Near is_near) {
  const std::vector<T> a = actual.to_vector<T>(), e = expected.to_vector<T>();
  std::size_t first = 0, count = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (is_near(a[i], e[i])) continue;
    first = i;
    ++count;
  }
  if (count == 0) return {};
  return {fmt::format("{} differs at {}: {} where {} is expected ({} of {} elements)",
                      actual.shape(), index_of(static_cast<int64_t>(first), actual.shape()),
                      a[first], e[first], count, a.size())};
}

}  // namespace

Outcome close(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (actual.shape() != expected.shape() || actual.dtype() != expected.dtype()) {
    return {fmt::format("{} {} where {} {} is expected", actual.dtype(), actual.shape(),
                        expected.dtype(), expected.shape())};
  }
  if (actual.dtype() == DType::int64) return compare<int64_t>(actual, expected, std::equal_to<>());
  return compare<double>(actual, expected,
                         [&](double a, double e) { return near(a, e, tolerance); });
}

Outcome close(const Tensor& actual, const Tensor& expected) {
  return close(actual, expected,
               actual.dtype() == DType::float64 ? few_roundings_double : few_roundings_float);
}

Outcome equal(const Tensor& actual, const Tensor& expected) {
  return close(actual, expected, Tolerance{});
}

Outcome throws_error(const std::function<void()>& call,
                     std::initializer_list<std::string_view> mentioned) {
  try {
    call();
  } catch (const Error& error) {
    const std::string_view text = error.what();
    for (const std::string_view what : mentioned) {
      if (text.find(what) == std::string_view::npos)
        return {fmt::format("'{}' does not mention '{}'", text, what)};
    }
    return {};
  } catch (const std::exception& error) {
    return {fmt::format("no cairn::Error, but '{}'", error.what())};
  }
  return {"it does not throw"};
}

}  // namespace cairn::test
