// Reductions. Floating values are summed in double, so that a mean over 2^24 values is right to
// float precision.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
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
  const auto n = static_cast<double>(to.count);
  return record("mean", fold_sum("mean", x, to, n),
                wrt(x, [kept = to.kept, from = x.shape(), n](const Tensor& dy) {
                  return (dy / n).reshape(kept).expand(from);
                }));
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

Tensor argmax(const Tensor& x, int64_t d, bool keepdim) {
  const Reduced to("argmax", x, {d}, keepdim);
  check_some("argmax", x, to);
  Tensor y = new_tensor("argmax", to.result, DType::int64);
  detail::dispatch(x.dtype(), [&]<class T>(T) {
    using Acc = Best<T, std::greater<>>;
    fold_into<T>(x.view_of(), to.folded, y.view_of().as<int64_t>(), Acc(),
                 [](const Acc& best) { return best.index; });
  });
  return y;
}

// ---- sums of exponentials ----

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const Tensor x = detail::floating("logsumexp", input);
  const Reduced to("logsumexp", x, dims, keepdim);
  // Any constant shift gives the same value and gradient. The largest element avoids overflow. An
  // infinite one is not used, because inf - inf is NaN.
  Tensor shift = zeros(to.kept, {.dtype = x.dtype()});
  if (to.count > 0) {
    const NoGrad guard;
    const Tensor largest = amax(x.detach(), dims, true);
    shift = where(abs(largest) < HUGE_VAL, largest, 0);
  }
  return (log(sum(exp(x - shift), dims, true)) + shift).reshape(to.result);
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
      for (int64_t i = 0; i < n; ++i) total += out[i * t] = std::exp(in[i * s] - largest);
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
