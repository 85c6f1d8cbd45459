// Normalisation and its gradient.
//
// A group of n values has m = Σx/n, v = Σ(x-m)²/n and s = 1/√(v+eps). With γ and β of a value's
// channel or position, and a = γ s,
//   y = a (x - m) + β
// Backward, with g = dy, h = a g and q = Σ h (x-m) over the group: m and v depend on every x, and
//   dL/dv = -q s²/2,   dL/dm = -Σh   (dv/dm = 0, as Σ(x-m) = 0)
//   dx = h + dL/dv · 2(x-m)/n + dL/dm / n
//      = h - mean_h - k (x-m),   mean_h = Σh/n,   k = s² q/n
//   dγ = Σ g (x-m) s,   dβ = Σg,   over all values with this γ and β
// By a record m and v are constants, and dx = h.
//
// A line (core/kernels/norm.h) has one a, unless γ is of a position. So the kernels sum g and
// g (x-m) over lines, and a group's Σh and q are the sums of its lines, weighted by a.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/norms.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/kernels/norm.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace cairn::detail {
namespace {

using kernels::GroupRange;
using kernels::NormData;
using kernels::NormKernels;
using kernels::NormSizes;
using kernels::Sums;

// ---- x as rows, channels and positions ----

// The dimensions behind the channel's, joined where they lie evenly.
Plan<1> positions(const Tensor& x) {
  Plan<1> plan;
  for (int64_t d = 2; d < x.dim(); ++d) plan.add(x.shape()[d], {x.strides()[d]});
  return plan;
}

// x itself if one stride walks its positions; else a copy.
Tensor walkable(const Tensor& x) { return positions(x).rank <= 1 ? x : x.detach().clone(); }

NormSizes sizes_of(const Tensor& x, const NormGroups& groups) {
  NormSizes n{x.shape()[0], x.shape()[1], 1, groups.rows_merged, groups.channels};
  for (int64_t d = 2; d < x.dim(); ++d) n.positions *= x.shape()[d];
  // Rows of one position that are merged are the positions of one row.
  if (n.rows_merged && n.positions == 1) std::swap(n.rows, n.positions);
  return n;
}

// What the kernels see of a tensor that is walkable.
template <class T>
NormData<T> data_of(const Tensor& x, const NormGroups& groups) {
  const Plan<1> plan = positions(x);
  NormData<T> data{x.view_of().as<T>(), x.strides()[0], x.strides()[1],
                   plan.rank == 0 ? 1 : plan.strides[0][0]};
  if (groups.rows_merged && plan.rank == 0) std::swap(data.row_stride, data.position_stride);
  return data;
}

// Calls f(range) for ranges of groups. One thread takes a range through all passes, so that its
// values are still in the cache for the second. Where groups are few, or lie interleaved in memory,
// one range has all of them, and the threads share each pass.
template <class T, class F>
void each_range(const NormSizes& n, const NormData<T>& x, F f) {
  constexpr int64_t cached_bytes = 1 << 22, enough = 8;
  int64_t size = n.groups();
  if (x.position_stride == 1 && size >= enough && size * n.group_values() > grain_elements) {
    const int64_t bytes = n.group_values() * static_cast<int64_t>(sizeof(T));
    size = std::clamp<int64_t>(cached_bytes / bytes, 1, size / enough);
  }
  parallel_for(n.groups(), size, [&](int64_t begin, int64_t end) { f(GroupRange{begin, end}); });
}

// ---- numbers in double ----

double* doubles(const Tensor& x) { return x.view_of().as<double>(); }

// s; 0 where there is nothing to scale, so that eps may be 0.
double inverse_deviation(double v, double eps) { return v + eps == 0 ? 0 : 1 / std::sqrt(v + eps); }

// What is known of each line, in one block of memory. Set for a range of groups at a time.
struct Lines : kernels::NormLines {
  NormSizes n;
  double *weight, *bias;  // of each channel or position
  Tensor memory;

  Lines(const char* op, const Tensor& x, const NormGroups& groups, const Tensor& weights,
        const Tensor& biases)
      : NormLines{}, n(sizes_of(x, groups)) {
    int64_t affine = n.channels, parts = n.lines() * n.line_blocks();
    if (groups.by_position) {
      affine = n.positions;
      parts = std::max(parts, affine * kernels::transposed(n).line_blocks());
    }
    memory = new_tensor(op, {6 * n.lines() + 2 * affine + 2 * parts}, DType::float64);
    double* next = doubles(memory);
    for (double** each : {&m, &s, &a, &b, &mean_h, &k})
      *each = std::exchange(next, next + n.lines());
    weight = std::exchange(next, next + affine);
    bias = std::exchange(next, next + affine);
    sums = reinterpret_cast<Sums*>(next);
    fill(weight, affine, weights, 1);
    fill(bias, affine, biases, 0);
    if (groups.by_position) gamma = weight, beta = bias;
  }

  static void fill(double* numbers, int64_t n, const Tensor& values, double absent) {
    if (!values.defined()) {
      std::fill_n(numbers, n, absent);
      return;
    }
    dispatch_floating(values.dtype(), [&]<class T>(T) {
      const T* const from = values.view_of().as<T>();
      const int64_t stride = values.strides()[0];
      for (int64_t i = 0; i < n; ++i) numbers[i] = static_cast<double>(from[i * stride]);
    });
  }

  // The sums over a group: those over its lines, each times its weight.
  Sums group_sums(int64_t group, const double* weights) const {
    Sums total{};
    for (int64_t l = group * n.group_lines; l < (group + 1) * n.group_lines; ++l) {
      const Sums line = kernels::line_sums(n, sums, l);
      total.first += weights == nullptr ? line.first : weights[l] * line.first;
      total.second += weights == nullptr ? line.second : weights[l] * line.second;
    }
    return total;
  }

  // From the sums of d = x - origin and d², where m is still the origin. The origin is one of the n
  // values, so (origin - m)² <= n v: what cancels in Σd² - (Σd)²/n costs at most n rounding errors
  // of a double, however far the mean is from 0. In a constant group d is 0 throughout.
  void set_moments(GroupRange range, const Moments& moments) const {
    const auto count = static_cast<double>(n.group_values());
    for (int64_t group = range.begin; group < range.end; ++group) {
      const Sums d = group_sums(group, nullptr);
      const double origin = m[group * n.group_lines], mean = origin + d.first / count;
      const double v = (d.second - d.first * (d.first / count)) / count;
      doubles(moments.mean)[group] = mean;
      doubles(moments.mean_lo)[group] = std::isfinite(mean) ? origin - mean + d.first / count : 0;
      doubles(moments.var)[group] = v < 0 ? 0 : v;
    }
  }

  void set_lines(GroupRange range, const Tensor& mean, const Tensor& var, double eps) const {
    for (int64_t l = range.begin * n.group_lines; l < range.end * n.group_lines; ++l) {
      const int64_t group = l / n.group_lines, c = l % n.channels;
      m[l] = doubles(mean)[group];
      s[l] = inverse_deviation(doubles(var)[group], eps);
      a[l] = gamma == nullptr ? weight[c] * s[l] : s[l];
      b[l] = gamma == nullptr ? bias[c] : 0;
    }
  }

  // From the sums of g and g (x-m).
  void set_gradient(GroupRange range) const {
    const auto count = static_cast<double>(n.group_values());
    for (int64_t group = range.begin; group < range.end; ++group) {
      const Sums h = group_sums(group, a);  // Σh and q
      for (int64_t l = group * n.group_lines; l < (group + 1) * n.group_lines; ++l) {
        mean_h[l] = h.first / count;
        k[l] = s[l] * s[l] * h.second / count;
      }
    }
  }
};

// ---- forward ----

// y by the given moments, or if `own`, by those of x's groups, which it sets.
Tensor apply(const char* op, const Tensor& x, const NormGroups& groups, const Tensor& weight,
             const Tensor& bias, double eps, bool own, const Moments& moments) {
  Tensor y = new_tensor(op, x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  const Lines lines(op, x, groups, weight, bias);
  dispatch_floating(x.dtype(), [&]<class T>(T) {
    const auto from = data_of<const T>(x, groups);
    const auto apply_to = [&](GroupRange range) {
      lines.set_lines(range, moments.mean, moments.var, eps);
      NormKernels<T>::apply(lines.n, range, lines, from, data_of<T>(y, groups));
    };
    if (!own) return apply_to({0, lines.n.groups()});
    each_range(lines.n, from, [&](GroupRange range) {
      NormKernels<T>::moments(lines.n, range, lines, from);
      lines.set_moments(range, moments);
      apply_to(range);
    });
  });
  return y;
}

// ---- backward ----

struct Backward {
  const char* op;
  NormGroups groups;
  double eps;
  bool own;          // are m and v those of x, or constants?
  Tensor mean, var;  // of each group

  void operator()(const Tensor& dy, Gradients& dx, const Tensor& x, const Tensor& weight) const {
    // dx = h and dβ do without the sums of g and g (x-m).
    const bool sums = dx.wanted(1) || (own && dx.wanted(0));
    const bool fused = !is_grad_enabled() && dy.numel() > 0;
    if (dx.wanted(2) && !(sums && fused)) {
      Dims others;
      for (int64_t d = 0; d < dy.dim(); ++d) {
        if (groups.by_position ? d < 2 : d != 1) others.push_back(d);
      }
      dx[2] = sum(dy, others).flatten();
    }
    if (!sums && !dx.wanted(0)) return;
    fused ? in_passes(dy, dx, sums ? x : dy, weight, sums) : in_ops(dy, dx, x, weight);
  }

  // In recorded ops, from x itself: differentiable again. In double, as in_passes() is.
  void in_ops(const Tensor& dy, Gradients& dx, const Tensor& input, const Tensor& weight) const {
    const NormSizes n = sizes_of(dy, {.rows_merged = false});
    const Shape all{n.rows, n.channels / groups.channels, groups.channels, n.positions};
    const Shape statistic{groups.rows_merged ? 1 : n.rows, all[1], 1, 1};
    const Shape affine = groups.by_position ? Shape{n.positions} : Shape{all[1], all[2], 1};
    const Dims of_group = groups.rows_merged ? Dims{0, 2, 3} : Dims{2, 3};
    const Dims of_affine = groups.by_position ? Dims{0, 1, 2} : Dims{0, 3};
    const auto wide = [](const Tensor& t, const Shape& shape) {
      return t.to(DType::float64).reshape(shape);
    };
    const Tensor g = wide(dy, all);
    Tensor centred, v = var.reshape(statistic);
    if (input.defined()) {
      const Tensor x = wide(input, all);
      centred = x - (own ? cairn::mean(x, of_group, true) : mean.reshape(statistic));
    }
    if (own) v = cairn::mean(square(centred), of_group, true);
    const Tensor s = rsqrt(where(v + eps == 0, HUGE_VAL, v + eps));
    if (dx.wanted(1)) {
      const Tensor products = g * centred;
      dx[1] =
          groups.rows_merged ? sum(products, of_affine, true) * s : sum(products * s, of_affine);
      dx[1] = dx[1].flatten().to(dy.dtype());
    }
    if (!dx.wanted(0)) return;
    Tensor h = g * (weight.defined() ? wide(weight, affine) * s : s);
    if (own) {
      const Tensor k = square(s) * cairn::mean(h * centred, of_group, true);
      h = h - cairn::mean(h, of_group, true) - k * centred;
    }
    dx[0] = h.reshape(dy.shape()).to(dy.dtype());
  }

  // In two passes over memory.
  void in_passes(const Tensor& dy, Gradients& dx, const Tensor& input, const Tensor& weight,
                 bool sums) const {
    const Tensor x = walkable(input), g = walkable(dy);
    const Lines lines(op, g, groups, weight, {});
    const GroupRange all{0, lines.n.groups()};
    lines.set_lines(all, mean, var, eps);
    if (dx.wanted(0)) dx[0] = new_tensor(op, dy.shape(), dy.dtype());
    dispatch_floating(dy.dtype(), [&]<class T>(T) {
      using Kernels = NormKernels<T>;
      const auto from = data_of<const T>(x, groups), by = data_of<const T>(g, groups);
      if (own && dx.wanted(0)) {
        each_range(lines.n, by, [&](GroupRange range) {
          Kernels::products(lines.n, range, lines, by, from);
          lines.set_gradient(range);
          Kernels::input_gradient(lines.n, range, lines, by, from, data_of<T>(dx[0], groups));
        });
      } else if (sums) {
        Kernels::products(lines.n, all, lines, by, from);
      }
      if (groups.by_position && sums) Kernels::position_products(lines.n, lines, by, from);
      for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
        if (sums && dx.wanted(i)) dx[i] = affine_gradient<T>(lines, i == 1);
      }
      if (!own && dx.wanted(0)) {  // dx = h = (g - 0) a + 0
        std::fill_n(lines.m, lines.n.lines(), 0.0);
        Kernels::apply(lines.n, all, lines, by, data_of<T>(dx[0], groups));
      }
    });
  }

  // dγ or dβ, from the sums of lines or of positions.
  template <class T>
  Tensor affine_gradient(const Lines& lines, bool of_weight) const {
    const NormSizes n = groups.by_position ? kernels::transposed(lines.n) : lines.n;
    Tensor gradient = new_tensor(op, {n.channels}, dtype_of<T>);
    for (int64_t c = 0; c < n.channels; ++c) {
      double total = 0;
      for (int64_t l = c; l < n.lines(); l += n.channels) {
        const Sums line = kernels::line_sums(n, lines.sums, l);
        const double s = groups.by_position ? 1 : lines.s[l];
        total += of_weight ? s * line.second : line.first;
      }
      gradient.view_of().as<T>()[c] = static_cast<T>(total);
    }
    return gradient;
  }
};

Tensor normalize(const char* op, const Tensor& x, const NormGroups& groups, const Tensor& weight,
                 const Tensor& bias, double eps, bool own, const Moments& moments) {
  const Tensor y = apply(op, walkable(x), groups, weight, bias, eps, own, moments);
  const Tensor* const inputs[] = {&x, &weight, &bias};
  return record_joint(op, y, inputs, Backward{op, groups, eps, own, moments.mean, moments.var},
                      own ? saved(x, {0, 1}) : saved(x, {1}), saved(weight, {0}));
}

}  // namespace

Tensor normalize_groups(const char* op, const Tensor& x, const NormGroups& groups,
                        const Tensor& weight, const Tensor& bias, double eps, Moments& moments) {
  const NormSizes n = sizes_of(x, groups);
  const auto numbers = [&] { return new_tensor(op, {n.groups()}, DType::float64); };
  moments = {numbers(), numbers(), numbers(), n.group_values()};
  if (x.numel() > 0) return normalize(op, x, groups, weight, bias, eps, true, moments);
  const Moments constants{numbers().fill_(0), {}, numbers().fill_(1)};
  moments = {};
  return normalize(op, x, groups, weight, bias, eps, false, constants);
}

Tensor normalize_groups_by(const char* op, const Tensor& x, const NormGroups& groups,
                           const Tensor& mean, const Tensor& var, const Tensor& weight,
                           const Tensor& bias, double eps) {
  return normalize(op, x, groups, weight, bias, eps, false, {mean, {}, var});
}

}  // namespace cairn::detail
