// Reductions. Floating values are summed in double, so that a mean over 2^24 values is right to
// float precision.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/kernels/elementary.h>
#include <cairn/core/loops/fold.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <cmath>

namespace cairn {

using detail::fold_into;
using detail::new_tensor;

namespace {

using detail::DimMask;

struct SumOf {
  double sum = 0;
  void add(double v, int64_t) { sum += v; }
  void merge(const SumOf& other) { sum += other.sum; }
};

struct IntegerSum {
  uint64_t sum = 0;  // wraps
  void add(int64_t v, int64_t) { sum += static_cast<uint64_t>(v); }
  void merge(const IntegerSum& other) { sum += other.sum; }
};

// The dimensions that an op folds, and the shapes of its result.
struct Reduced {
  DimMask folded;
  Shape kept;    // folded dimensions have size 1
  Shape result;  // the same if keepdim; else without the folded dimensions
  int64_t count = 1;

  Reduced(const char* op, const Tensor& x, const Dims& dims, bool keepdim)
      : folded(detail::dim_mask(op, dims, x.impl(op).view.shape)) {
    for (int64_t d = 0; d < x.dim(); ++d) {
      bool& fold = folded[static_cast<std::size_t>(d)];
      fold |= dims.empty();  // no dims mean all
      if (fold) count *= x.shape()[d];
      kept.push_back(fold ? 1 : x.shape()[d]);
      if (!fold || keepdim) result.push_back(kept[d]);
    }
  }
};

// Returns the sum over the folded dimensions, divided by `divisor` (1 for a plain sum).
Tensor fold_sum(const char* op, const Tensor& x, const Reduced& to, double divisor) {
  Tensor y = new_tensor(op, to.result, x.dtype());
  if (x.dtype() == DType::int64) {
    fold_into<int64_t>(x.view_of(), to.folded, y.view_of().as<int64_t>(), IntegerSum(),
                       [](const IntegerSum& s) { return static_cast<int64_t>(s.sum); });
  } else {
    detail::dispatch_floating(x.dtype(), [&]<class T>(T) {
      fold_into<T>(x.view_of(), to.folded, y.view_of().as<T>(), SumOf(),
                   [divisor](const SumOf& s) { return static_cast<T>(s.sum / divisor); });
    });
  }
  return y;
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduced to("sum", x, dims, keepdim);
  return record("sum", fold_sum("sum", x, to, 1),
                wrt(x, [kept = to.kept, from = x.shape()](const Tensor& dy) {
                  return dy.reshape(kept).expand(from);
                }));
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  detail::check_floating("mean", x);
  const Reduced to("mean", x, dims, keepdim);
  const auto count = static_cast<double>(to.count);
  return record("mean", fold_sum("mean", x, to, count),
                wrt(x, [kept = to.kept, from = x.shape(), n = std::max(1.0, count)](
                           const Tensor& dy) { return (dy / n).reshape(kept).expand(from); }));
}

namespace {

// The count, mean and sum of squared deviations of values. Two merge into one (Chan et al. 1979).
struct Deviations {
  double count = 0, mean = 0, squares = 0;
  void add(double v, int64_t) {  // Welford
    count += 1;
    const double d = v - mean;
    mean += d / count;
    squares += d * (v - mean);
  }
  void merge(const Deviations& other) {
    if (other.count == 0) return;
    const double n = count + other.count, d = other.mean - mean;
    squares += other.squares + d * d * count * other.count / n;
    mean += d * other.count / n;
    count = n;
  }
};

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, const VarOptions& options) {
  detail::check_floating("var", x);
  const Reduced to("var", x, dims, options.keepdim);
  const double divisor = static_cast<double>(to.count) - static_cast<double>(options.correction);
  Tensor y = new_tensor("var", to.result, x.dtype());
  detail::dispatch_floating(x.dtype(), [&]<class T>(T) {
    fold_into<T>(x.view_of(), to.folded, y.view_of().as<T>(), Deviations(),
                 [divisor](const Deviations& d) {  // a variance is never negative
                   return static_cast<T>(d.squares / std::max(0.0, divisor));
                 });
  });
  const auto gradient = [=, kept = to.kept](auto& dy, auto& v) {  // 2 (x - mean) / divisor
    return dy.reshape(kept) * (2 / divisor) * (v - mean(v, dims, true));
  };
  return record("var", y, wrt(x, gradient, x));
}

Tensor Tensor::std(const Dims& dims, const VarOptions& options) const {
  const Tensor v = cairn::var(*this, dims, options);
  // At 0 the square root's gradient is infinite. A constant takes its place there.
  const Tensor root = cairn::sqrt(where(v == 0, 1, v));
  return detail::as_result("std", where(v == 0, 0, root));
}

std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Dims& dims, const VarOptions& options) {
  return {var(x, dims, options), mean(x, dims, options.keepdim)};
}

// ---- norms ----

namespace {

// Σ|v|ᵖ, in double.
struct SumOfPowers {
  double p = 2, sum = 0;
  void add(double v, int64_t) { sum += p == 2 ? v * v : std::pow(std::abs(v), p); }
  void merge(const SumOfPowers& other) { sum += other.sum; }
};

}  // namespace

// dx = sign(x) (|x|/y)^(p-1) dy, and 0 where y is 0, or where x is 0 and p < 1.
Tensor norm(const Tensor& x, Scalar power, const Dims& dims, bool keepdim) {
  detail::check_floating("norm", x);
  const auto p = power.to<double>();
  check(!std::isnan(p), "norm: p is NaN, for {}", x.shape());
  if (std::isinf(p)) {
    const Tensor size = abs(x);
    return detail::as_result("norm", p > 0 ? amax(size, dims, keepdim) : amin(size, dims, keepdim));
  }
  const Reduced to("norm", x, dims, keepdim);
  if (p == 0) {
    return record(
        "norm", (x != 0).sum(dims, keepdim).to(x.dtype()),
        wrt(x, [from = x.shape()](auto& dy) { return zeros(from, {.dtype = dy.dtype()}); }));
  }
  Tensor y = new_tensor("norm", to.result, x.dtype());
  detail::dispatch_floating(x.dtype(), [&]<class T>(T) {
    fold_into<T>(x.view_of(), to.folded, y.view_of().as<T>(), SumOfPowers{p},
                 [p](const SumOfPowers& powers) {
                   const double sum = powers.sum;
                   return static_cast<T>(p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p));
                 });
  });
  const auto gradient = [p, kept = to.kept](auto& dy, auto& v, auto& n) {
    const Tensor whole = n.reshape(kept), g = dy.reshape(kept);
    const Tensor ratio = v / where(whole == 0, 1, whole);
    const Tensor slope = p == 2   ? ratio
                         : p == 1 ? sign(v)
                                  : sign(v) * pow(where(v == 0, 1, abs(ratio)), p - 1);
    return where(whole == 0, 0, g * slope);
  };
  return record("norm", y, wrt(x, gradient, x, y));
}

// ---- products and running sums ----

// Multiplies halves with each other until one value is left. Each step is an op of the graph, so
// the gradient has no division and is right where values are 0.
Tensor prod(const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduced to("prod", x, dims, keepdim);
  Dims order;
  for (const bool folded : {false, true}) {
    for (int64_t d = 0; d < x.dim(); ++d) {
      if (to.folded[static_cast<std::size_t>(d)] == folded) order.push_back(d);
    }
  }
  if (to.count == 0) return ones(to.result, {.dtype = x.dtype()}) + sum(x, dims, keepdim);
  const int64_t outputs = to.kept.numel();
  Tensor y = x.permute(order).reshape({outputs, to.count});
  while (y.size(1) > 1) {
    const int64_t half = y.size(1) / 2;
    const Tensor product = y.slice(1, 0, half) * y.slice(1, half, 2 * half);
    if (y.size(1) % 2 == 0) {
      y = product;
    } else {
      const Tensor last = y.slice(1, 2 * half, y.size(1));
      y = cat({product, last}, 1);
    }
  }
  y = y.reshape(to.result);
  if (to.count == 1) return y.clone();
  return detail::as_result("prod", y);
}

namespace {

// The running sum along d, from the first element or from the last one. Each is the other's
// gradient.
Tensor running_sum(const char* op, const Tensor& x, int64_t d, bool from_last) {
  Tensor y = new_tensor(op, x.shape(), x.dtype());
  detail::dispatch(x.dtype(), [&]<class T>(T) {
    using Sum = std::conditional_t<std::integral<T>, uint64_t, double>;  // integers wrap
    const auto row = [=](const T* in, int64_t s, T* out, int64_t t, int64_t n) {
      Sum total = 0;
      for (int64_t k = 0; k < n; ++k) {
        const int64_t i = from_last ? n - 1 - k : k;
        total += static_cast<Sum>(in[i * s]);
        out[i * t] = static_cast<T>(total);
      }
    };
    detail::for_each_row<T>(x.view_of(), y.view_of(), d, row);
  });
  return record(op, y, wrt(x, [=](auto& dy) { return running_sum(op, dy, d, !from_last); }));
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t d) {
  detail::check_defined("cumsum", x);
  return running_sum("cumsum", x, detail::wrap_dim_or_scalar("cumsum", d, x.shape()), false);
}

// ---- extremes ----

namespace {

// The best value so far and its index. NaN beats any number. The first of equal values wins.
template <class T, class Better>
struct Best {
  T value{};
  int64_t index = -1;
  bool loses_to(T v) const { return index < 0 || Better()(v, value) || (v != v && value == value); }
  void add(T v, int64_t i) {
    if (loses_to(v)) *this = {v, i};
  }
  void merge(const Best& other) {
    if (other.index < 0) return;
    const bool tie = !loses_to(other.value) && !other.loses_to(value);
    if (loses_to(other.value) || (tie && other.index < index)) *this = other;
  }
};

void check_some(const char* op, const Tensor& x, const Reduced& to) {
  check(to.count > 0 || to.result.numel() == 0,
        "{}: there are no values to choose from in {}; look at numel() first", op, x.shape());
}

template <class Better>
Tensor extreme(const char* op, const Tensor& x, const Dims& dims, bool keepdim) {
  const Reduced to(op, x, dims, keepdim);
  check_some(op, x, to);
  Tensor y = new_tensor(op, to.result, x.dtype());
  detail::dispatch(x.dtype(), [&]<class T>(T) {
    using Acc = Best<T, Better>;
    fold_into<T>(x.view_of(), to.folded, y.view_of().template as<T>(), Acc(),
                 [](const Acc& best) { return best.value; });
  });
  const auto gradient = [=, kept = to.kept](auto& dy, auto& v, auto& best) {
    const Tensor hit = (v == best.reshape(kept)).to(v.dtype());
    return hit * (dy.reshape(kept) / sum(hit, dims, true));
  };
  return record(op, y, wrt(x, gradient, x, y));
}

}  // namespace

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme<std::greater<>>("amax", x, dims, keepdim);
}
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme<std::less<>>("amin", x, dims, keepdim);
}

namespace {

template <class Better>
Tensor index_of_extreme(const char* op, const Tensor& x, int64_t d, bool keepdim) {
  const Reduced to(op, x, {d}, keepdim);
  check_some(op, x, to);
  Tensor y = new_tensor(op, to.result, DType::int64);
  detail::dispatch(x.dtype(), [&]<class T>(T) {
    using Acc = Best<T, Better>;
    fold_into<T>(x.view_of(), to.folded, y.view_of().template as<int64_t>(), Acc(),
                 [](const Acc& best) { return best.index; });
  });
  return y;
}

}  // namespace

Tensor argmax(const Tensor& x, int64_t d, bool keepdim) {
  return index_of_extreme<std::greater<>>("argmax", x, d, keepdim);
}
Tensor argmin(const Tensor& x, int64_t d, bool keepdim) {
  return index_of_extreme<std::less<>>("argmin", x, d, keepdim);
}

// ---- sums of exponentials ----

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const Tensor x = detail::floating("logsumexp", input);
  const Reduced to("logsumexp", x, dims, keepdim);
  if (to.count == 0) return detail::as_result("logsumexp", sum(x, dims, keepdim) - HUGE_VAL);
  // Any constant shift gives the same value and gradient. The largest element avoids overflow. An
  // infinite one is not used, because inf - inf is NaN.
  const Tensor largest = amax(x.detach(), dims, true);
  const Tensor shift = where(abs(largest) < HUGE_VAL, largest, 0);
  const Tensor y = log(sum(exp(x - shift), dims, true)) + shift;
  return detail::as_result("logsumexp", y.reshape(to.result));
}

namespace {

// y = f(v, e, of_sum(Σe)), where v = x - max(x) and e = exp(v). max and Σ are along dimension d.
template <class OfSum, class F>
Tensor by_exponentials(const char* op, const Tensor& x, int64_t d, OfSum of_sum, F f) {
  Tensor y = new_tensor(op, x.shape(), x.dtype());
  detail::dispatch_floating(x.dtype(), [&]<class T>(T) {
    const auto row = [=](const T* in, int64_t s, T* out, int64_t t, int64_t n) {
      T largest = *in;
      for (int64_t i = 1; i < n; ++i) largest = std::max(largest, in[i * s]);
      double total = 0;
      for (int64_t i = 0; i < n; ++i) total += out[i * t] = kernels::exp(in[i * s] - largest);
      const auto norm = static_cast<T>(of_sum(total));
      for (int64_t i = 0; i < n; ++i) out[i * t] = f(in[i * s] - largest, out[i * t], norm);
    };
    detail::for_each_row<T>(x.view_of(), y.view_of(), d, row);
  });
  return y;
}

}  // namespace

Tensor softmax(const Tensor& input, int64_t d) {
  const Tensor x = detail::floating("softmax", input);
  d = detail::wrap_dim_or_scalar("softmax", d, x.shape());
  const Tensor y = by_exponentials(
      "softmax", x, d, [](double sum) { return 1 / sum; },
      [](auto, auto e, auto scale) { return e * scale; });
  const auto gradient = [d](auto& dy, auto& p) {  // y (dy - Σ dy y)
    return p * (dy - sum(dy * p, {d}, true));
  };
  return record("softmax", y, wrt(x, gradient, y));
}

Tensor log_softmax(const Tensor& input, int64_t d) {
  const Tensor x = detail::floating("log_softmax", input);
  d = detail::wrap_dim_or_scalar("log_softmax", d, x.shape());
  const Tensor y = by_exponentials(
      "log_softmax", x, d, [](double sum) { return std::log(sum); },
      [](auto v, auto, auto shift) { return v - shift; });
  const auto gradient = [d](auto& dy, auto& log_p) {  // dy - softmax(x) Σ dy
    return dy - exp(log_p) * sum(dy, {d}, true);
  };
  return record("log_softmax", y, wrt(x, gradient, y));
}

}  // namespace cairn
