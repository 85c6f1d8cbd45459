// exp, log and their kin for float, without a branch and without a call, so that the compiler
// vectorises a loop over them. All but exp() compute in double and round once. So a simple method
// is exact enough: every result is within 0.6 units in the last place of the true value, as
// tests/core/test_elementary.cpp shows. exp() is used most, computes in float and is within 1.1
// units. For double the standard library's functions serve.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace cairn::kernels {

/// exp(v) to 1e-9 of its size. A result that no float can hold is huge or tiny, not exact.
inline double exp_for_float(double v) {
  constexpr double most = 700;  // exp(700) is 1e304: infinite as a float, and finite here
  v = v > most ? most : v;
  v = v < -most ? -most : v;
  // v = n ln2 + r with |r| <= ln2 / 2. Adding 1.5 * 2^52 rounds to the nearest whole number n and
  // leaves n in the lowest bits of the sum.
  constexpr double ln2 = 0.693147180559945309417, round = 0x1.8p52;
  const double shifted = v * (1 / ln2) + round;
  const double r = v - (shifted - round) * ln2;
  double p = 1. / 40320;  // Taylor; the first term left out is r^9 / 9! < 3e-10
  for (const double c : {1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, 1. / 2, 1., 1.}) {
    p = c + r * p;
  }
  // 2^n p: n is added to the exponent. Shifting drops the other bits of the sum.
  return std::bit_cast<double>(std::bit_cast<uint64_t>(p) +
                               (std::bit_cast<uint64_t>(shifted) << 52));
}

/// log(v) to 1e-10 of its size. v is 0, or of a size that a float or 1 + a float can have.
inline double log_for_float(double v) {
  // v = 2^k m with sqrt(1/2) <= m < sqrt(2). The exponent of v / sqrt(1/2) is k.
  constexpr uint64_t sqrt_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
  const auto bits = std::bit_cast<uint64_t>(v);
  const uint64_t biased = (bits - sqrt_half + one) >> 52;  // k + 1023
  const double m = std::bit_cast<double>(bits - (biased << 52) + one);
  // As the mantissa of a number of size 2^52 a whole number becomes a double without a conversion.
  const double k = std::bit_cast<double>(biased | 0x4330000000000000) - (0x1p52 + 1023);
  // log m = 2 artanh s with s = (m - 1) / (m + 1). The first term left out is s^12 / 13 < 6e-11.
  const double s = (m - 1) / (m + 1), q = s * s;
  const double series =
      1 + q * (1. / 3 + q * (1. / 5 + q * (1. / 7 + q * (1. / 9 + q * (1. / 11)))));
  constexpr double ln2 = 0.693147180559945309417;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double finite = k * ln2 + 2 * s * series;
  const double positive = v < infinity ? finite : v;
  const double other = v == 0 ? -infinity : std::numeric_limits<double>::quiet_NaN();
  return v > 0 ? positive : other;
}

/// exp(x) in float. The steps are those of exp_for_float().
inline float exp(float x) {
  constexpr float most = 89, least = -104;  // beyond them the result is infinite, or 0
  x = x > most ? most : x;
  x = x < least ? least : x;
  // ln2 in two parts. The first has 15 bits, so that its product with n is exact.
  constexpr float ln2_high = 0x1.62e4p-1F, ln2_low = 0x1.7f7d1cp-20F, round = 0x1.8p23F;
  const float shifted = x * 1.44269504F + round, n = shifted - round;
  const float r = (x - n * ln2_high) - n * ln2_low;
  float p = 1.F / 5040;
  for (const float c : {1.F / 720, 1.F / 120, 1.F / 24, 1.F / 6, 1.F / 2}) p = c + r * p;
  p = 1 + (r + r * r * p);
  // 2^n p in two steps, since 2^n itself may be too small for a float of full precision.
  const auto whole = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(round);
  const int32_t half = whole >> 1;
  const auto power = [](int32_t e) {
    return std::bit_cast<float>(static_cast<uint32_t>(e + 127) << 23);
  };
  return p * power(half) * power(whole - half);
}
inline float log(float x) { return static_cast<float>(log_for_float(x)); }
inline double exp(double x) { return std::exp(x); }
inline double log(double x) { return std::log(x); }

// Near 0 the differences below would lose digits: a few terms of the series take their place.

inline float expm1(float x) {
  const double v = x, series = v * (1 + v * (0.5 + v / 6));
  return static_cast<float>(std::abs(v) < 1e-4 ? series : exp_for_float(v) - 1);
}
inline float log1p(float x) {
  const double v = x, series = v * (1 - v / 2);
  return static_cast<float>(std::abs(v) < 1e-5 ? series : log_for_float(1 + v));
}
inline float tanh(float x) {
  const double v = x, series = v * (1 - v * v / 3);
  return static_cast<float>(std::abs(v) < 1e-3 ? series : 1 - 2 / (exp_for_float(2 * v) + 1));
}
inline float sigmoid(float x) {
  return static_cast<float>(1 / (1 + exp_for_float(-static_cast<double>(x))));
}

inline double expm1(double x) { return std::expm1(x); }
inline double log1p(double x) { return std::log1p(x); }
inline double tanh(double x) { return std::tanh(x); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace cairn::kernels
