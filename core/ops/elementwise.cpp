// Elementwise ops. Each op defines its value and, next to it, its gradient.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/kernels/elementary.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <cmath>
#include <numbers>

namespace cairn {

// With these names a formula can take numbers or tensors.
using kernels::exp, kernels::expm1, kernels::log, kernels::log1p, kernels::sigmoid, kernels::tanh;
using std::cos, std::erf, std::floor, std::pow, std::sin, std::sqrt;

using detail::floating;
using detail::formula;
using detail::like;
using detail::map;
using detail::map_floating;
using detail::minus;
using detail::plus;
using detail::times;

namespace {

// Returns a gradient function that applies a formula to dy and the saved tensors.
template <class G>
auto by_formula(const char* op, G gradient) {
  return [op, gradient](const Tensor& dy, const auto&... saved) {
    return formula(op, gradient, dy, saved...);
  };
}

// Records y = f(x). The gradient is a formula of dy and x. An int64 input becomes float32 first.
template <class F, class G>
Tensor unary(const char* op, const Tensor& input, F f, G gradient) {
  const Tensor x = floating(op, input);
  return record(op, map_floating(op, f, x), wrt(x, by_formula(op, gradient), x));
}

// The same with a gradient that is a formula of dy and y, so that x need not be saved.
template <class F, class G>
Tensor unary_by_output(const char* op, const Tensor& input, F f, G gradient) {
  const Tensor x = floating(op, input);
  const Tensor y = map_floating(op, f, x);
  return record(op, y, wrt(x, by_formula(op, gradient), y));
}

template <class T>
bool is_nan(T v) {
  return v != v;
}

// A number as a double, so that a gradient's intermediate values do not overflow in float32.
template <Arithmetic T>
double wide(T v) {
  return static_cast<double>(v);
}
const Tensor& wide(const Tensor& x) { return x; }

}  // namespace

// ---- two operands ----

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = map("add", plus, a, b);
  const auto pass = [](auto& dy) { return dy; };
  return record("add", y, wrt(a, pass), wrt(b, pass));
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Tensor y = map("sub", minus, a, b);
  return record("sub", y, wrt(a, [](auto& dy) { return dy; }),
                wrt(b, [](auto& dy) { return -dy; }));
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = map("mul", times, a, b);
  return record("mul", y,
                wrt(
                    a, [](auto& dy, auto& v) { return dy * v; }, b),
                wrt(
                    b, [](auto& dy, auto& u) { return dy * u; }, a));
}

Tensor div(const Tensor& a, const Tensor& b) {
  detail::common_dtype("div", a, b);
  if (a.dtype() == DType::int64) return div(floating("div", a), floating("div", b));
  Tensor y = map_floating(
      "div", [](auto u, auto v) { return u / v; }, a, b);
  const auto to_divisor = [](auto g, auto u, auto v) {  // -a/b²
    return -wide(g) * (wide(u) / wide(v)) / wide(v);
  };
  return record("div", y,
                wrt(
                    a, [](auto& dy, auto& v) { return dy / v; }, b),
                wrt(b, by_formula("div", to_divisor), a, b));
}

Tensor neg(const Tensor& x) {
  Tensor y = map(
      "neg", [](auto v) { return times(v, static_cast<decltype(v)>(-1)); }, x);
  return record("neg", y, wrt(x, [](auto& dy) { return -dy; }));
}

namespace {

// Returns the better of a and b, by element. Equal elements get half the gradient each.
template <class Better>
Tensor extreme(const char* op, const Tensor& a, const Tensor& b, Better better) {
  Tensor y = map(
      op, [better](auto u, auto v) { return is_nan(u) || (!is_nan(v) && better(u, v)) ? u : v; }, a,
      b);
  const auto gradient = by_formula(op, [better](auto g, auto mine, auto other) {
    return where(mine == other, g * 0.5, where(better(other, mine), 0, g));
  });
  return record(op, y, wrt(a, gradient, a, b), wrt(b, gradient, b, a));
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return extreme("maximum", a, b, [](auto u, auto v) { return u > v; });
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return extreme("minimum", a, b, [](auto u, auto v) { return u < v; });
}

namespace {

// a - b floor(a/b): a result other than 0 has the sign of b.
template <class T>
T remainder_of(T a, T b) {
  if constexpr (std::integral<T>) {
    if (b == -1) return 0;  // the smallest integer % -1 would overflow
    const T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else {
    const T r = std::fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  }
}

}  // namespace

Tensor remainder(const Tensor& a, const Tensor& b) {
  if (detail::common_dtype("remainder", a, b) == DType::int64) {
    check((b == 0).sum().item<int64_t>() == 0, "remainder: int64 {} by {}, which has a 0",
          a.shape(), b.shape());
  }
  Tensor y = map(
      "remainder", [](auto u, auto v) { return remainder_of(u, v); }, a, b);
  const auto to_divisor = [](auto g, auto u, auto v) { return -g * floor(u / v); };
  return record("remainder", y, wrt(a, [](auto& dy) { return dy; }),
                wrt(b, by_formula("remainder", to_divisor), a, b));
}
Tensor remainder(const Tensor& a, Scalar b) { return remainder(a, like("remainder", b, a)); }
Tensor remainder(Scalar a, const Tensor& b) { return remainder(like("remainder", a, b), b); }
Tensor operator%(const Tensor& a, const Tensor& b) { return remainder(a, b); }
Tensor operator%(const Tensor& a, Scalar b) { return remainder(a, b); }
Tensor operator%(Scalar a, const Tensor& b) { return remainder(a, b); }

namespace {

// Returns xᵖ for p >= 0, by repeated squaring. Overflow wraps.
int64_t int_pow(int64_t x, int64_t p) {
  int64_t y = 1;
  for (; p > 0; p /= 2, x = times(x, x)) {
    if (p % 2 == 1) y = times(y, x);
  }
  return y;
}

}  // namespace

Tensor pow(const Tensor& x, const Tensor& p) {
  if (detail::common_dtype("pow", x, p) == DType::int64) {
    check(p.numel() == 0 || p.flatten().amin({0}).item<int64_t>() >= 0,
          "pow: int64 {} to a negative power; use .to(DType::float32)", x.shape());
    return map(
        "pow", [](auto a, auto b) { return int_pow(int64_t(a), int64_t(b)); }, x, p);
  }
  Tensor y = map_floating(
      "pow", [](auto a, auto b) { return pow(a, b); }, x, p);
  const auto to_base = [](auto g, auto a, auto b) {  // p xᵖ⁻¹
    // For p = 0 it is 0, even if x is 0 or NaN, where x⁻¹ would make it or the next order NaN.
    const auto guarded = where(b == 0, 0, b - 1);
    const auto exponent = where(a == 0, guarded, where(a == a, b - 1, guarded));
    return g * (b * pow(wide(a), wide(exponent)));
  };
  const auto to_exponent = [](auto g, auto a, auto b, auto c) {  // xᵖ log x
    // 0ᵖ does not depend on p for p >= 0. Here log 0 would make this order or the next NaN.
    const auto base = where(a == 0, where(b >= 0, 1, a), a);
    return where(a == 0, where(b >= 0, 0, g), g) * c * log(base);
  };
  return record("pow", y, wrt(x, by_formula("pow", to_base), x, p),
                wrt(p, by_formula("pow", to_exponent), x, p, y));
}

Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
Tensor operator+(const Tensor& a, Scalar b) { return add(a, like("add", b, a)); }
Tensor operator+(Scalar a, const Tensor& b) { return add(like("add", a, b), b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor operator-(const Tensor& a, Scalar b) { return sub(a, like("sub", b, a)); }
Tensor operator-(Scalar a, const Tensor& b) { return sub(like("sub", a, b), b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor operator*(const Tensor& a, Scalar b) { return mul(a, like("mul", b, a)); }
Tensor operator*(Scalar a, const Tensor& b) { return mul(like("mul", a, b), b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator/(const Tensor& a, Scalar b) { return div(a, like("div", b, a)); }
Tensor operator/(Scalar a, const Tensor& b) { return div(like("div", a, b), b); }
Tensor operator-(const Tensor& x) { return neg(x); }

Tensor maximum(const Tensor& a, Scalar b) { return maximum(a, like("maximum", b, a)); }
Tensor maximum(Scalar a, const Tensor& b) { return maximum(like("maximum", a, b), b); }
Tensor minimum(const Tensor& a, Scalar b) { return minimum(a, like("minimum", b, a)); }
Tensor minimum(Scalar a, const Tensor& b) { return minimum(like("minimum", a, b), b); }
Tensor pow(const Tensor& x, Scalar p) { return pow(x, like("pow", p, x)); }
Tensor pow(Scalar x, const Tensor& p) { return pow(like("pow", x, p), p); }

// ---- one operand ----

Tensor floor(const Tensor& x) {
  constexpr auto value = []<class T>(T v) {
    if constexpr (std::floating_point<T>) return floor(v);
    return v;
  };
  return record("floor", map("floor", value, x), wrt(x, [](auto& dy) { return zeros_like(dy); }));
}

Tensor exp(const Tensor& x) {
  return unary_by_output(
      "exp", x, [](auto v) { return exp(v); }, [](auto g, auto y) { return g * y; });
}

Tensor expm1(const Tensor& x) {
  return unary_by_output(
      "expm1", x, [](auto v) { return expm1(v); }, [](auto g, auto y) { return g * (y + 1); });
}

Tensor log(const Tensor& x) {
  return unary(
      "log", x, [](auto v) { return log(v); }, [](auto g, auto v) { return g / v; });
}

Tensor log1p(const Tensor& x) {
  return unary(
      "log1p", x, [](auto v) { return log1p(v); }, [](auto g, auto v) { return g / (1 + v); });
}

Tensor sqrt(const Tensor& x) {
  return unary_by_output(
      "sqrt", x, [](auto v) { return sqrt(v); }, [](auto g, auto y) { return g / (2 * y); });
}

Tensor rsqrt(const Tensor& x) {
  return unary_by_output(
      "rsqrt", x, [](auto v) { return 1 / sqrt(v); },
      [](auto g, auto y) { return -0.5 * g * y * y * y; });
}

Tensor reciprocal(const Tensor& x) {
  return unary_by_output(
      "reciprocal", x, [](auto v) { return 1 / v; }, [](auto g, auto y) { return -g * y * y; });
}

Tensor square(const Tensor& x) {
  Tensor y = map(
      "square", [](auto v) { return times(v, v); }, x);
  const auto gradient = [](auto g, auto v) { return 2 * g * v; };
  return record("square", y, wrt(x, by_formula("square", gradient), x));
}

Tensor abs(const Tensor& x) {
  constexpr auto value = [](auto v) {  // -0 becomes 0; the smallest integer keeps its value
    return v > 0 ? v : times(v, static_cast<decltype(v)>(-1)) + 0;
  };
  const auto gradient = [](auto g, auto v) { return where(v > 0, g, where(v < 0, -g, 0)); };
  return record("abs", map("abs", value, x), wrt(x, by_formula("abs", gradient), x));
}

Tensor sign(const Tensor& x) {
  constexpr auto value = [](auto v) { return static_cast<decltype(v)>((v > 0) - (v < 0)); };
  return record("sign", map("sign", value, x), wrt(x, [](auto& dy) { return zeros_like(dy); }));
}

Tensor sin(const Tensor& x) {
  return unary(
      "sin", x, [](auto v) { return sin(v); }, [](auto g, auto v) { return g * cos(v); });
}

Tensor cos(const Tensor& x) {
  return unary(
      "cos", x, [](auto v) { return cos(v); }, [](auto g, auto v) { return -g * sin(v); });
}

Tensor tanh(const Tensor& x) {
  return unary_by_output(
      "tanh", x, [](auto v) { return tanh(v); }, [](auto g, auto y) { return g * (1 - y * y); });
}

Tensor erf(const Tensor& x) {
  return unary(
      "erf", x, [](auto v) { return erf(v); },
      [](auto g, auto v) { return g * (2 * std::numbers::inv_sqrtpi) * exp(-v * v); });
}

Tensor sigmoid(const Tensor& x) {
  return unary_by_output(
      "sigmoid", x, [](auto v) { return sigmoid(v); },
      [](auto g, auto y) { return g * y * (1 - y); });
}

Tensor relu(const Tensor& x) {
  constexpr auto value = [](auto v) { return v < 0 ? decltype(v){0} : v; };  // NaN stays NaN
  const Tensor y = map("relu", value, x);
  const auto gradient = [](auto g, auto v) { return where(v <= 0, 0, g); };
  return record("relu", y, wrt(x, by_formula("relu", gradient), y));
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return unary(
      "leaky_relu", x, [slope](auto v) { return where(v > 0, v, v * slope); },
      [slope](auto g, auto v) { return where(v > 0, g, g * slope); });
}

Tensor gelu(const Tensor& x) {
  constexpr auto normal_cdf = [](auto v) { return 0.5 * (1 + erf(v / std::numbers::sqrt2)); };
  constexpr auto normal_density = [](auto v) {
    return exp(-0.5 * v * v) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  };
  return unary(
      "gelu", x, [=](auto v) { return v * normal_cdf(v); },
      [=](auto g, auto v) { return g * (normal_cdf(v) + v * normal_density(v)); });
}

Tensor silu(const Tensor& x) {
  return unary(
      "silu", x, [](auto v) { return v / (1 + exp(-v)); },
      [](auto g, auto v) {
        const auto s = sigmoid(v);
        return g * s * (1 + v * (1 - s));
      });
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
  check(std::isfinite(beta) && beta > 0, "softplus: beta is {}; it must be finite and positive",
        beta);
  return unary(
      "softplus", x, [=](auto v) { return v * beta > threshold ? v : log1p(exp(v * beta)) / beta; },
      [=](auto g, auto v) { return where(v * beta > threshold, g, g * sigmoid(v * beta)); });
}

Tensor clamp(const Tensor& x, Scalar low, Scalar high) {
  const Tensor a = like("clamp", low, x), b = like("clamp", high, x);
  Tensor y = map(
      "clamp",
      [](auto v, auto lo, auto hi) {  // if low > high, the result is high
        const auto raised = v < lo || is_nan(lo) ? lo : v;
        return raised > hi || is_nan(hi) ? hi : raised;
      },
      x, a, b);
  const auto gradient = [](auto g, auto v, auto lo, auto hi) {
    return where(v > lo, where(v < hi, g, 0), 0);
  };
  return record("clamp", y, wrt(x, by_formula("clamp", gradient), x, a, b));
}

}  // namespace cairn
