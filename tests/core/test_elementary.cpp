// exp, log and their kin for float against the standard library's functions for double.
#include "support/approx.h"

#include <cairn/core/internal/parallel.h>
#include <cairn/core/kernels/elementary.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <vector>

using namespace cairn;
using namespace cairn::test;

namespace {

// How far y is from the true value, in units in the last place of a float of the true value's size.
double error_in_ulps(float y, double truth) {
  const auto nearest = static_cast<float>(truth);
  if (std::isnan(truth)) return std::isnan(y) ? 0 : HUGE_VAL;
  if (std::isinf(nearest) || std::isinf(y)) return y == nearest ? 0 : HUGE_VAL;
  if (truth == 0) return y == 0 && std::signbit(y) == std::signbit(truth) ? 0 : HUGE_VAL;
  int exponent = 0;
  std::frexp(truth, &exponent);
  constexpr int least = std::numeric_limits<float>::min_exponent;
  const double ulp = std::ldexp(1, std::max(exponent, least) - std::numeric_limits<float>::digits);
  return std::abs(static_cast<double>(y) - truth) / ulp;
}

struct Worst {
  double error = 0;
  float at = 0;
};

// Checks the largest error, in units in the last place, over floats of all sizes, NaN and infinity
// included. CAIRN_ALL_FLOATS tries every float.
template <class F, class Truth>
void check_floats(const char* name, double allowed, F f, Truth truth) {
  const uint64_t step = std::getenv("CAIRN_ALL_FLOATS") != nullptr ? 1 : 4999;
  constexpr uint64_t parts = 256, part_floats = (uint64_t{1} << 32) / parts;
  std::vector<Worst> worst(parts);
  detail::parallel_for(parts, 1, [&](int64_t part, int64_t end) {
    for (; part < end; ++part) {
      Worst& here = worst[static_cast<std::size_t>(part)];
      const uint64_t first = static_cast<uint64_t>(part) * part_floats;
      for (uint64_t bits = first; bits < first + part_floats; bits += step) {
        const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
        const double error = error_in_ulps(f(x), truth(static_cast<double>(x)));
        if (error > here.error) here = {error, x};
      }
    }
  });
  const Worst largest = *std::max_element(
      worst.begin(), worst.end(), [](const Worst& a, const Worst& b) { return a.error < b.error; });
  INFO(std::string(name) << " is off by " << largest.error << " at " << largest.at);
  CHECK(largest.error < allowed);
}

}  // namespace

TEST_CASE("elementary: float functions are within 0.6 units in the last place, exp within 1.1") {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  check_floats(
      "exp", 1.1, [](float v) { return kernels::exp(v); }, [](double v) { return std::exp(v); });
  check_floats(
      "log", 0.6, [](float v) { return kernels::log(v); }, [](double v) { return std::log(v); });
  check_floats(
      "expm1", 0.6, [](float v) { return kernels::expm1(v); },
      [](double v) { return std::expm1(v); });
  check_floats(
      "log1p", 0.6, [](float v) { return kernels::log1p(v); },
      [](double v) { return std::log1p(v); });
  check_floats(
      "tanh", 0.6, [](float v) { return kernels::tanh(v); }, [](double v) { return std::tanh(v); });
  check_floats(
      "sigmoid", 0.6, [](float v) { return kernels::sigmoid(v); }, sigmoid);
}
