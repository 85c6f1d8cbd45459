// Merging moments, and updating running statistics with them.
#include <cairn/core/internal/norms.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/dispatch.h>

#include <cmath>

namespace cairn::detail {

static double* doubles(const Tensor& x) { return x.view_of().as<double>(); }

void check_eps(const char* op, double eps) {
  check(std::isfinite(eps) && eps >= 0, "{}: eps is {}; it must be finite and not negative", op,
        eps);
}
void check_momentum(const char* op, double momentum) {
  check(momentum >= 0 && momentum <= 1, "{}: momentum is {}; it must be in [0, 1]", op, momentum);
}

// Chan et al. 1979: with n = a + b values, m = m_a + (m_b - m_a) b/n and
// n v = a v_a + b v_b + (m_b - m_a)² ab/n. A mean is a pair of doubles, since far from 0 a single
// one rounds off m_b - m_a.
void merge(Moments& sum, const Moments& more) noexcept {
  const auto n = static_cast<double>(sum.count + more.count);
  const double a = static_cast<double>(sum.count) / n, b = static_cast<double>(more.count) / n;
  for (int64_t c = 0; c < more.mean.numel(); ++c) {
    double &m = doubles(sum.mean)[c], &lo = doubles(sum.mean_lo)[c], &v = doubles(sum.var)[c];
    const double m_b = doubles(more.mean)[c], lo_b = doubles(more.mean_lo)[c];
    const double v_b = doubles(more.var)[c];
    if (sum.count == 0) {
      m = m_b, lo = lo_b, v = v_b;
      continue;
    }
    const double difference = (m_b - m) + (lo_b - lo), step = lo + difference * b;
    v = a * v + b * v_b + difference * difference * a * b;
    const double before = m;
    m = before + step;
    lo = std::isfinite(m) ? before - m + step : 0;
  }
  sum.count += more.count;
}

void blend(const Tensor& running, double share, const Tensor& measured, double factor) noexcept {
  const View& view = begin_write(running);
  dispatch_floating(view.dtype, [&]<class T>(T) {
    for (int64_t c = 0; c < view.numel; ++c) {
      T& value = view.as<T>()[c * view.strides[0]];
      const double old = share == 1 ? 0 : (1 - share) * static_cast<double>(value);
      value = static_cast<T>(old + share * factor * doubles(measured)[c]);
    }
  });
}

}  // namespace cairn::detail
