// Comparisons, logic and choice. Masks are int64, 0 and 1.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <cmath>
#include <functional>

namespace cairn {

using detail::elements;
using detail::like;
using detail::map;
using detail::map_into;

namespace {

template <class F>
Tensor compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  return map(
      op, [f](auto u, auto v) { return static_cast<int64_t>(f(u, v)); }, a, b);
}

}  // namespace

#define CAIRN_COMPARISON(OP, FUNCTION)                                                          \
  Tensor operator OP(const Tensor& a, const Tensor& b) { return compare(#OP, a, b, FUNCTION); } \
  Tensor operator OP(const Tensor& a, Scalar b) { return a OP like(#OP, b, a); }                \
  Tensor operator OP(Scalar a, const Tensor& b) { return like(#OP, a, b) OP b; }

CAIRN_COMPARISON(==, std::equal_to<>())
CAIRN_COMPARISON(!=, std::not_equal_to<>())
CAIRN_COMPARISON(<, std::less<>())
CAIRN_COMPARISON(<=, std::less_equal<>())
CAIRN_COMPARISON(>, std::greater<>())
CAIRN_COMPARISON(>=, std::greater_equal<>())
#undef CAIRN_COMPARISON

// ---- logic: a value other than 0 is true ----

namespace {

template <class F>
Tensor logical(const char* op, const Tensor& a, const Tensor& b, F f) {
  return compare(op, a, b, [f](auto u, auto v) { return f(u != 0, v != 0); });
}

// Throws Error unless both are masks, which comparisons make.
void check_masks(const char* op, const Tensor& a, const Tensor& b) {
  check(detail::common_dtype(op, a, b) == DType::int64,
        "{}: {} {} and {} {} are no masks; compare first, or use logical_and() and its like", op,
        a.dtype(), a.shape(), b.dtype(), b.shape());
}

template <class F>
Tensor classify(const char* op, const Tensor& x, F f) {
  return map(
      op, [f](auto v) { return static_cast<int64_t>(f(static_cast<double>(v))); }, x);
}

}  // namespace

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return logical("logical_and", a, b, std::logical_and<>());
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return logical("logical_or", a, b, std::logical_or<>());
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return logical("logical_xor", a, b, std::not_equal_to<>());
}
Tensor logical_not(const Tensor& x) { return x == 0; }

Tensor operator&(const Tensor& a, const Tensor& b) {
  check_masks("&", a, b);
  return logical_and(a, b);
}
Tensor operator|(const Tensor& a, const Tensor& b) {
  check_masks("|", a, b);
  return logical_or(a, b);
}
Tensor operator!(const Tensor& x) { return logical_not(x); }

Tensor isnan(const Tensor& x) {
  return classify("isnan", x, [](double v) { return std::isnan(v); });
}
Tensor isinf(const Tensor& x) {
  return classify("isinf", x, [](double v) { return std::isinf(v); });
}
Tensor isfinite(const Tensor& x) {
  return classify("isfinite", x, [](double v) { return std::isfinite(v); });
}

// ---- choice ----

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) {
  detail::check_defined("where", mask, a, b);
  check(mask.dtype() == DType::int64,
        "where: the mask {} is {}; a comparison gives the int64 it wants", mask.shape(),
        mask.dtype());
  const DType dtype = detail::common_dtype("where", a, b);
  Tensor y = detail::new_tensor("where", detail::common_shape("where", mask, a, b), dtype);
  detail::dispatch(dtype, [&]<class T>(T) {
    map_into([](int64_t m, T u, T v) { return m != 0 ? u : v; }, elements<T>(y),
             elements<const int64_t>(mask), elements<const T>(a), elements<const T>(b));
  });
  return record("where", y,
                wrt(
                    a, [](auto& dy, auto& m) { return where(m, dy, 0); }, mask),
                wrt(
                    b, [](auto& dy, auto& m) { return where(m, 0, dy); }, mask));
}
Tensor where(const Tensor& mask, const Tensor& a, Scalar b) {
  return where(mask, a, like("where", b, a));
}
Tensor where(const Tensor& mask, Scalar a, const Tensor& b) {
  return where(mask, like("where", a, b), b);
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const NoGrad guard;
  const Tensor close = map(
      "allclose",
      [=]<class T>(T x, T y) {
        using Number = std::conditional_t<std::integral<T>, double, T>;
        const auto u = static_cast<Number>(x), v = static_cast<Number>(y);
        const Number allowed = static_cast<Number>(atol) + std::abs(static_cast<Number>(rtol) * v);
        const bool near = std::isfinite(v) && std::abs(u - v) <= allowed;
        const bool both_nan = equal_nan && std::isnan(u) && std::isnan(v);
        return static_cast<int64_t>(x == y || near || both_nan);
      },
      a, b);
  return close.numel() == 0 || close.flatten().amin({0}).item<int64_t>() == 1;
}

}  // namespace cairn
