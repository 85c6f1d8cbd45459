// Batch normalisation and its gradient.
//
// For one channel with n values, m = Σx/n, v = Σ(x-m)²/n, s = 1/√(v+eps):
//   y = γ (x-m) s + β
// Backward, with g = dy: m and v depend on every x, and
//   dL/dv = Σ gγ(x-m) · (-s³/2),   dL/dm = -γs Σg   (dv/dm = 0, as Σ(x-m) = 0)
//   dx = γ s g + dL/dv · 2(x-m)/n + dL/dm / n
//      = γ s [ g - Σg/n - (x-m) s² q/n ],   q = Σ g (x-m)
//   dγ = q s,   dβ = Σg
// By the record (rm, rv) nothing depends on x but y itself: dx = γ s g, dγ = Σ g (x-rm) s, dβ = Σg.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/kernels/batch_norm.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/ops.h>
#include <cairn/core/ops/batch_norm.h>
#include <cairn/core/record.h>

#include <cmath>

namespace cairn {
namespace detail {
namespace {

using kernels::ChannelData;
using kernels::ChannelSizes;

// (C) seen as (1, C, 1, ...), to stand beside x.
Tensor beside(const Tensor& per_channel, const Tensor& x) {
  Shape shape;
  for (int64_t d = 0; d < x.dim(); ++d) shape.push_back(d == 1 ? per_channel.numel() : 1);
  return per_channel.reshape(shape);
}

// Every dimension but the channel's.
Dims all_but_channel(const Tensor& x) {
  Dims dims{0};
  for (int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  return dims;
}

ChannelSizes sizes_of(const Tensor& x) {
  ChannelSizes n{x.shape()[0], x.shape()[1], 1};
  for (int64_t d = 2; d < x.dim(); ++d) n.columns *= x.shape()[d];
  return n;
}

// The dimensions behind the channel's, joined where they lie evenly.
Plan<1> positions(const Tensor& x) {
  Plan<1> plan;
  for (int64_t d = 2; d < x.dim(); ++d) plan.add(x.shape()[d], {x.strides()[d]});
  return plan;
}

// x itself if one stride walks its positions; else a copy.
Tensor walkable(const Tensor& x) { return positions(x).rank <= 1 ? x : x.detach().clone(); }

// What the kernels see of a tensor that is walkable.
template <class T>
ChannelData<T> channels(const Tensor& x) {
  const Plan<1> plan = positions(x);
  return {x.view_of().as<T>(), x.strides()[0], x.strides()[1],
          plan.rank == 0 ? 1 : plan.strides[0][0]};
}

Tensor per_channel(const char* op, const Tensor& x) {
  return new_tensor(op, {x.shape()[1]}, DType::float64);
}

double* doubles(const Tensor& x) { return x.view_of().as<double>(); }

// The values as doubles; `otherwise` where there is no tensor.
Tensor in_double(const char* op, const Tensor& values, const Tensor& x, double otherwise) {
  Tensor y = per_channel(op, x);
  if (values.defined()) {
    write_values(y, values.view_of());
  } else {
    std::fill_n(doubles(y), y.numel(), otherwise);
  }
  return y;
}

void check_channels(const char* op, const Tensor& x, const Tensor& t, const char* name) {
  if (!t.defined()) return;
  check(t.shape() == Shape{x.shape()[1]}, "{}: {} {} does not match input {} with {} channels", op,
        name, t.shape(), x.shape(), x.shape()[1]);
  check(t.dtype() == x.dtype(),
        "{}: dtypes {} of {} {} and {} of the input {} do not mix; convert one, e.g. with "
        ".to(x.dtype())",
        op, t.dtype(), name, t.shape(), x.dtype(), x.shape());
}

void check_input(const char* op, const Tensor& x, const Affine& affine, double eps) {
  check_defined(op, x);
  check(x.dim() >= 2, "{}: expected input (N, C, *), got rank {} {}", op, x.dim(), x.shape());
  check_floating(op, x);
  check_channels(op, x, affine.weight, "weight");
  check_channels(op, x, affine.bias, "bias");
  check_eps(op, eps);
}

// Throws Error unless a training forward may move it.
void check_running(const char* op, const Tensor& x, const Tensor& running, const char* name) {
  if (!running.defined()) return;
  check_channels(op, x, running, name);
  check(!running.requires_grad(),
        "{}: {} {} requires a gradient, which it cannot get; use detach()", op, name,
        running.shape());
  check_writable(op, running);
}

// s = 1/√(var+eps) of each channel; 0 where there is nothing to scale, so that eps may be 0.
Tensor inverse_deviation(const char* op, const Tensor& var, double eps) {
  Tensor s = new_tensor(op, var.shape(), DType::float64);
  for (int64_t c = 0; c < s.numel(); ++c) {
    const double v = doubles(var)[c] + eps;
    doubles(s)[c] = v == 0 ? 0 : 1 / std::sqrt(v);
  }
  return s;
}

// y = (x - mean) s γ + β in one pass.
Tensor apply(const char* op, const Tensor& x, const Tensor& mean, const Tensor& s,
             const Affine& affine) {
  Tensor y = new_tensor(op, x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  const Tensor scale = in_double(op, affine.weight, x, 1);
  const Tensor shift = in_double(op, affine.bias, x, 0);
  for (int64_t c = 0; c < scale.numel(); ++c) doubles(scale)[c] *= doubles(s)[c];
  dispatch_floating(x.dtype(), [&]<class T>(T) {
    kernels::channel_affine(sizes_of(x), channels<const T>(x), doubles(mean), doubles(scale),
                            doubles(shift), channels<T>(y));
  });
  return y;
}

// Σg and Σg(x-mean) of each channel.
struct Products {
  Tensor g, gx;
};
Products products(const char* op, const Tensor& dy, const Tensor& x, const Tensor& mean) {
  Products sums{per_channel(op, x), per_channel(op, x)};
  const ChannelSizes n = sizes_of(x);
  const Tensor workspace = new_tensor(op, {kernels::workspace_size(n)}, DType::float64);
  dispatch_floating(x.dtype(), [&]<class T>(T) {
    kernels::channel_products(n, channels<const T>(dy), channels<const T>(x), doubles(mean),
                              doubles(sums.g), doubles(sums.gx), doubles(workspace));
  });
  return sums;
}

// The gradients of weight and bias from those sums.
void set_affine(const Products& sums, const Tensor& s, DType dtype, Gradients& dx) {
  if (dx.wanted(1)) dx[1] = (sums.gx * s).to(dtype);
  if (dx.wanted(2)) dx[2] = sums.g.to(dtype);
}

// The backward of a forward by the batch. Each of its two readings follows the head of this file.
struct ByBatch {
  const char* op;
  Tensor mean, s;  // of each channel, in double
  double n, eps;

  void operator()(const Tensor& dy, Gradients& dx, const Tensor& x, const Tensor& weight) const {
    if (!dx.wanted(0) && !dx.wanted(1)) {
      dx[2] = sum(dy, all_but_channel(dy));
      return;
    }
    is_grad_enabled() ? recorded(dy, dx, x, weight) : fused(dy, dx, x, weight);
  }

  // In recorded ops, from x itself: differentiable again. In double, as the fused reading is.
  void recorded(const Tensor& dy, Gradients& dx, const Tensor& saved, const Tensor& gamma) const {
    const Tensor x = saved.to(DType::float64), g = dy.to(DType::float64);
    const Dims others = all_but_channel(x);
    const Tensor centred = x - cairn::mean(x, others, true);
    const Tensor v = cairn::mean(square(centred), others, true) + eps;
    const Tensor r = rsqrt(where(v == 0, HUGE_VAL, v));
    const Tensor q = sum(g * centred, others, true);
    if (dx.wanted(0)) {
      const Tensor scale = gamma.defined() ? beside(gamma.to(DType::float64), x) * r : r;
      dx[0] =
          (scale * (g - cairn::mean(g, others, true) - centred * r * r * q / n)).to(saved.dtype());
    }
    if (dx.wanted(1)) dx[1] = (q * r).flatten().to(saved.dtype());
    if (dx.wanted(2)) dx[2] = sum(g, others).to(saved.dtype());
  }

  // In two passes over memory.
  void fused(const Tensor& dy, Gradients& dx, const Tensor& input, const Tensor& weight) const {
    const Tensor x = walkable(input), g = walkable(dy);
    const Products sums = products(op, g, x, mean);
    set_affine(sums, s, x.dtype(), dx);
    if (!dx.wanted(0)) return;
    const Tensor scale = in_double(op, weight, x, 1);
    const Tensor offset = per_channel(op, x), slope = per_channel(op, x);
    for (int64_t c = 0; c < scale.numel(); ++c) {
      const double r = doubles(s)[c];
      doubles(scale)[c] *= r;
      doubles(offset)[c] = doubles(sums.g)[c] / n;
      doubles(slope)[c] = r * r * doubles(sums.gx)[c] / n;
    }
    dx[0] = new_tensor(op, x.shape(), x.dtype());
    dispatch_floating(x.dtype(), [&]<class T>(T) {
      kernels::channel_input_gradient(sizes_of(x), channels<const T>(g), channels<const T>(x),
                                      doubles(mean), doubles(scale), doubles(offset),
                                      doubles(slope), channels<T>(dx[0]));
    });
  }
};

// The backward of a forward by a record, which is a constant.
struct ByRecord {
  const char* op;
  Tensor mean, s;  // of each channel, in double; the record's values, not the record

  void operator()(const Tensor& dy, Gradients& dx, const Tensor& x, const Tensor& gamma) const {
    if (dx.wanted(0)) {
      const Tensor r = beside(s.to(dy.dtype()), dy);
      dx[0] = dy * (gamma.defined() ? beside(gamma, dy) * r : r);
    }
    const Dims others = all_but_channel(dy);
    if (dx.wanted(2)) dx[2] = sum(dy, others);
    if (!dx.wanted(1)) return;
    if (is_grad_enabled()) {
      const Tensor centred = x.to(DType::float64) - beside(mean, x);
      dx[1] = (sum(dy.to(DType::float64) * centred, others) * s).to(x.dtype());
    } else {
      dx[1] = (products(op, walkable(dy), walkable(x), mean).gx * s).to(x.dtype());
    }
  }
};

}  // namespace

void check_eps(const char* op, double eps) {
  check(std::isfinite(eps) && eps >= 0, "{}: eps is {}; it must be finite and not negative", op,
        without_sign(eps));
}
void check_momentum(const char* op, double momentum) {
  check(momentum >= 0 && momentum <= 1, "{}: momentum is {}; it must be in [0, 1]", op,
        without_sign(momentum));
}

Tensor normalize_by_batch(const char* op, const Tensor& input, const Affine& affine, double eps,
                          Moments& moments) {
  check_input(op, input, affine, eps);
  moments = {};
  if (input.numel() == 0) return normalize_by_record(op, input, {}, {}, affine, eps);
  const ChannelSizes n = sizes_of(input);
  const int64_t count = n.rows * n.columns;
  check(count > 1,
        "{}: training needs more than 1 value per channel, got input {}; use eval(), a larger "
        "batch, or StatsMode::frozen",
        op, input.shape());
  const Tensor x = walkable(input);
  moments = {per_channel(op, x), per_channel(op, x), per_channel(op, x), count};
  const Tensor workspace = new_tensor(op, {kernels::workspace_size(n)}, DType::float64);
  dispatch_floating(x.dtype(), [&]<class T>(T) {
    kernels::channel_moments(n, channels<const T>(x), doubles(moments.mean), doubles(moments.rest),
                             doubles(moments.var), doubles(workspace));
  });
  const Tensor s = inverse_deviation(op, moments.var, eps);
  const Tensor y = apply(op, x, moments.mean, s, affine);
  const Tensor* const inputs[] = {&input, &affine.weight, &affine.bias};
  return record_joint(op, y, inputs, ByBatch{op, moments.mean, s, static_cast<double>(count), eps},
                      saved(input, {0, 1}), saved(affine.weight, {0}));
}

Tensor normalize_by_record(const char* op, const Tensor& input, const Tensor& mean,
                           const Tensor& var, const Affine& affine, double eps) {
  check_input(op, input, affine, eps);
  check_channels(op, input, mean, "running_mean");
  check_channels(op, input, var, "running_var");
  const Tensor centre = in_double(op, mean, input, 0);
  const Tensor s = inverse_deviation(op, in_double(op, var, input, 1), eps);
  const Tensor y = apply(op, walkable(input), centre, s, affine);
  const Tensor* const inputs[] = {&input, &affine.weight, &affine.bias};
  return record_joint(op, y, inputs, ByRecord{op, centre, s}, saved(input, {1}),
                      saved(affine.weight, {0}));
}

// Chan et al. 1979: with n = a + b values, m = m_a + (m_b - m_a) b/n and
// n v = a v_a + b v_b + (m_b - m_a)² ab/n. Means are pairs, since far from 0 their difference is
// what a double rounds off.
void merge(Moments& sum, const Moments& more) noexcept {
  const auto n = static_cast<double>(sum.count + more.count);
  const double a = static_cast<double>(sum.count) / n, b = static_cast<double>(more.count) / n;
  for (int64_t c = 0; c < more.mean.numel(); ++c) {
    double &m = doubles(sum.mean)[c], &rest = doubles(sum.rest)[c], &v = doubles(sum.var)[c];
    const double m_b = doubles(more.mean)[c], rest_b = doubles(more.rest)[c];
    const double v_b = doubles(more.var)[c];
    if (sum.count == 0) {
      m = m_b, rest = rest_b, v = v_b;
      continue;
    }
    const double apart = (m_b - m) + (rest_b - rest), step = rest + apart * b;
    v = a * v + b * v_b + apart * apart * a * b;
    const double before = m;
    m = before + step;
    rest = std::isfinite(m) ? before - m + step : 0;
  }
  sum.count += more.count;
}

void blend(const Tensor& running, double share, const Tensor& measured, double factor) noexcept {
  const View& view = begin_write(running);
  dispatch_floating(view.dtype, [&]<class T>(T) {
    for (int64_t c = 0; c < view.numel; ++c) {
      T& value = view.as<T>()[c * view.strides[0]];
      const double kept = share == 1 ? 0 : (1 - share) * static_cast<double>(value);
      value = static_cast<T>(kept + share * factor * doubles(measured)[c]);
    }
  });
}

}  // namespace detail

Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormFunctionOptions& options) {
  constexpr const char* op = "batch_norm";
  detail::check_defined(op, x);
  check(running_mean.defined() == running_var.defined(),
        "{}: give both running_mean and running_var, or neither", op);
  const detail::Affine affine{weight, bias};
  if (!options.training) {
    check(running_mean.defined(), "{}: without training it needs running_mean and running_var", op);
    return detail::normalize_by_record(op, x, running_mean, running_var, affine, options.eps);
  }
  detail::check_momentum(op, options.momentum);
  detail::check_input(op, x, affine, options.eps);
  detail::check_running(op, x, running_mean, "running_mean");
  detail::check_running(op, x, running_var, "running_var");
  check(x.numel() == 0 || x.numel() > x.size(1),
        "{}: training needs more than 1 value per channel, got input {}; use a larger batch, or "
        "training = false",
        op, x.shape());
  detail::Moments moments;
  Tensor y = detail::normalize_by_batch(op, x, affine, options.eps, moments);
  if (running_mean.defined() && moments.count > 0) {
    detail::blend(running_mean, options.momentum, moments.mean, 1);
    detail::blend(running_var, options.momentum, moments.var, detail::unbias(moments.count));
  }
  return y;
}

}  // namespace cairn
