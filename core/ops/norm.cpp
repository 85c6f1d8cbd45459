// Normalisation and its gradient, for every norm. The code uses the names of this derivation.
//
// A group of `count` values has a mean m, a biased variance v and an inverse deviation s:
//   m = Σx/count,   v = Σ(x-m)²/count,   s = 1/√(v+eps)
// With the weight γ and the bias β of each value,
//   y = a (x - m) + b,   a = γ s,   b = β
// Backward, with g = dL/dy, h = a g and q = Σ h (x-m) over the group. Every x changes m and v, so
//   dL/dv = -q s²/2,   dL/dm = -Σh   (dv/dm = 0, because Σ(x-m) = 0)
//   dx = h + dL/dv · 2(x-m)/count + dL/dm / count
//      = h - mean_h - k (x-m),   mean_h = Σh/count,   k = s² q/count
//   dγ = Σ g (x-m) s,   dβ = Σg,   over all values with this γ or β
// Running statistics are constants. With them, dx = h.
//
// A group consists of lines (core/kernels/norm.h). The kernels sum g and g (x-m) over each line. Σh
// and q of a group are the sums of its lines, each multiplied by the line's a. If γ varies with the
// position, the kernels sum gγ and gγ (x-m), and each line has a = s and b = 0.
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

// Plans a loop over the dimensions after the channel dimension.
Plan<1> positions(const Tensor& x) {
  Plan<1> plan;
  for (int64_t d = 2; d < x.dim(); ++d) plan.add(x.shape()[d], {x.strides()[d]});
  return plan;
}

// Returns x if a single stride visits its positions, and a contiguous copy of x otherwise.
Tensor single_stride(const Tensor& x) { return positions(x).rank <= 1 ? x : x.detach().clone(); }

NormSizes sizes_of(const Tensor& x, const NormGroups& groups) {
  int64_t rows = x.shape()[0], positions = 1;
  for (int64_t d = 2; d < x.dim(); ++d) positions *= x.shape()[d];
  // Merged rows with one position each are treated as one row with many positions.
  if (groups.rows_merged && positions == 1) std::swap(rows, positions);
  return {rows, x.shape()[1], positions, groups.rows_merged, groups.channels};
}

// Describes the tensor for the kernels. A single stride must visit its positions.
template <class T>
NormData<T> data_of(const Tensor& x, const NormGroups& groups) {
  const Plan<1> plan = positions(x);
  NormData<T> data{x.view_of().as<T>(), x.strides()[0], x.strides()[1],
                   plan.rank == 0 ? 1 : plan.strides[0][0]};
  if (groups.rows_merged && plan.rank == 0) std::swap(data.row_stride, data.position_stride);
  return data;
}

// Calls f(range) for ranges of groups that cover all groups. One thread takes a range through all
// passes, so the second pass finds the values in the cache. If the groups are few or interleaved in
// memory, a single range holds all groups, and the threads share the work of each pass.
template <class T, class F>
void for_each_range(const NormSizes& n, const NormData<T>& x, F f) {
  constexpr int64_t cached_bytes = 1 << 22, enough_groups = 8;
  int64_t size = n.groups();
  if (x.position_stride == 1 && size >= enough_groups && size * n.group_values() > grain_elements) {
    const int64_t bytes = n.group_values() * static_cast<int64_t>(sizeof(T));
    size = std::clamp<int64_t>(cached_bytes / bytes, 1, size / enough_groups);
  }
  parallel_for(n.groups(), size, [&](int64_t begin, int64_t end) { f(GroupRange{begin, end}); });
}

// ---- numbers in double ----

double* doubles(const Tensor& x) { return x.view_of().as<double>(); }

// Returns s, or 0 if v + eps is 0, so that eps may be 0.
double inverse_deviation(double v, double eps) { return v + eps == 0 ? 0 : 1 / std::sqrt(v + eps); }

// The numbers of all lines, in one block of memory.
struct Lines : kernels::NormLines {
  NormSizes n;
  double *weight = nullptr, *bias = nullptr;  // γ and β of each channel, or of each position
  Tensor memory;

  Lines(const char* op, const Tensor& x, const NormGroups& groups, const Tensor& weights,
        const Tensor& biases)
      : n(sizes_of(x, groups)) {
    int64_t affine = n.channels, blocks = n.lines() * n.line_blocks;
    if (groups.by_position) {
      affine = n.positions;
      blocks = std::max(blocks, affine * kernels::transposed(n).line_blocks);
    }
    memory = new_tensor(op, {6 * n.lines() + 2 * affine + 2 * blocks}, DType::float64);
    double* next = doubles(memory);
    for (double** array : {&m, &s, &a, &b, &mean_h, &k})
      *array = std::exchange(next, next + n.lines());
    weight = std::exchange(next, next + affine);
    bias = std::exchange(next, next + affine);
    sums = reinterpret_cast<Sums*>(next);
    copy_or_fill(weight, affine, weights, 1);
    copy_or_fill(bias, affine, biases, 0);
    if (groups.by_position) gamma = weight, beta = bias;
  }

  static void copy_or_fill(double* numbers, int64_t count, const Tensor& values, double fallback) {
    std::fill_n(numbers, count, fallback);
    if (!values.defined()) return;
    dispatch_floating(values.dtype(), [&]<class T>(T) {
      const T* const from = values.view_of().as<T>();
      const int64_t stride = values.strides()[0];
      for (int64_t i = 0; i < count; ++i) numbers[i] = static_cast<double>(from[i * stride]);
    });
  }

  // Adds up the sums of a group's lines, each multiplied by its factor. No factors means all 1.
  Sums group_sums(int64_t group, const double* factors) const {
    Sums total{};
    for (int64_t l = group * n.group_lines; l < (group + 1) * n.group_lines; ++l) {
      const Sums line = kernels::line_sums(n, sums, l);
      const double factor = factors == nullptr ? 1 : factors[l];
      total.first += factor * line.first;
      total.second += factor * line.second;
    }
    return total;
  }

  // Merges the lines of each group: sets the moments from the sums of d = x - origin and d². On
  // entry `m` holds the origin, a value of the group. So (origin - mean)² <= count v, and the
  // cancellation in Σd² - (Σd)²/count costs at most `count` rounding errors of a double, however
  // far the mean is from 0. In a constant group every d is 0.
  void merge(GroupRange range, const Moments& moments) const {
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

  // Sets m, s, a and b of each line.
  void set_lines(GroupRange range, const Tensor& mean, const Tensor& var, double eps) const {
    int64_t l = range.begin * n.group_lines, c = l % n.channels;
    for (int64_t group = range.begin; group < range.end; ++group) {
      const double mean_of_group = doubles(mean)[group];
      const double s_of_group = inverse_deviation(doubles(var)[group], eps);
      for (const int64_t end = l + n.group_lines; l < end; ++l) {
        m[l] = mean_of_group;
        s[l] = s_of_group;
        a[l] = gamma == nullptr ? weight[c] * s_of_group : s_of_group;
        b[l] = gamma == nullptr ? bias[c] : 0;
        if (++c == n.channels) c = 0;
      }
    }
  }

  // Sets mean_h and k of each line from the sums of g and g (x-m).
  void set_gradient_terms(GroupRange range) const {
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

// Normalises x with `moments`. If `input_stats`, it first sets them to those of x's groups.
// Statistics from a mask or from other processes would join between measure() and merge(), over all
// groups.
Tensor apply(const char* op, const Tensor& x, const NormGroups& groups, const Tensor& weight,
             const Tensor& bias, double eps, bool input_stats, const Moments& moments) {
  Tensor y = new_tensor(op, x.shape(), x.dtype());
  if (x.numel() == 0) return y;
  const Lines lines(op, x, groups, weight, bias);
  dispatch_floating(x.dtype(), [&]<class T>(T) {
    const auto x_data = data_of<const T>(x, groups);
    const auto apply_to = [&](GroupRange range) {
      lines.set_lines(range, moments.mean, moments.var, eps);
      NormKernels<T>::apply(lines.n, range, lines, x_data, data_of<T>(y, groups));
    };
    if (!input_stats) return apply_to({0, lines.n.groups()});
    for_each_range(lines.n, x_data, [&](GroupRange range) {
      NormKernels<T>::measure(lines.n, range, lines, x_data);
      lines.merge(range, moments);
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
  bool input_stats;  // m and v come from x; if false, they are constants
  Tensor mean, var;  // m and v of each group

  void operator()(const Tensor& dy, Gradients& grads, const Tensor& x, const Tensor& weight) const {
    // dβ, and dx from constant m and v, do not need the sums of g and g (x-m).
    const bool needs_sums = grads.wanted(1) || (input_stats && grads.wanted(0));
    const bool fused = !is_grad_enabled() && dy.numel() > 0;
    if (grads.wanted(2) && !(needs_sums && fused)) {
      Dims summed;
      for (int64_t d = 0; d < dy.dim(); ++d) {
        if (groups.by_position ? d < 2 : d != 1) summed.push_back(d);
      }
      grads[2] = sum(dy, summed).flatten();
    }
    if (!needs_sums && !grads.wanted(0)) return;
    fused ? by_kernels(dy, grads, needs_sums ? x : dy, weight, needs_sums)
          : by_ops(dy, grads, x, weight);
  }

  // Computes the gradients with recorded ops, in double. They can be differentiated again.
  void by_ops(const Tensor& dy, Gradients& grads, const Tensor& input, const Tensor& weight) const {
    const NormSizes n = sizes_of(dy, {.rows_merged = false});
    const Shape x_shape{n.rows, n.channels / groups.channels, groups.channels, n.positions};
    const Shape stat_shape{groups.rows_merged ? 1 : n.rows, x_shape[1], 1, 1};
    const Shape affine_shape =
        groups.by_position ? Shape{n.positions} : Shape{x_shape[1], x_shape[2], 1};
    const Dims group_dims = groups.rows_merged ? Dims{0, 2, 3} : Dims{2, 3};
    const Dims affine_dims = groups.by_position ? Dims{0, 1, 2} : Dims{0, 3};
    const auto in_double = [](const Tensor& t, const Shape& shape) {
      return t.to(DType::float64).reshape(shape);
    };
    const Tensor g = in_double(dy, x_shape);
    Tensor centred, v = var.reshape(stat_shape);
    if (input.defined()) {
      const Tensor x = in_double(input, x_shape);
      centred = x - (input_stats ? cairn::mean(x, group_dims, true) : mean.reshape(stat_shape));
    }
    if (input_stats) v = cairn::mean(square(centred), group_dims, true);
    const Tensor s = rsqrt(where(v + eps == 0, HUGE_VAL, v + eps));
    if (grads.wanted(1)) {
      const Tensor products = g * centred;
      grads[1] = groups.rows_merged ? sum(products, affine_dims, true) * s
                                    : sum(products * s, affine_dims);
      grads[1] = grads[1].flatten().to(dy.dtype());
    }
    if (!grads.wanted(0)) return;
    Tensor h = g * (weight.defined() ? in_double(weight, affine_shape) * s : s);
    if (input_stats) {
      const Tensor k = square(s) * cairn::mean(h * centred, group_dims, true);
      h = h - cairn::mean(h, group_dims, true) - k * centred;
    }
    grads[0] = h.reshape(dy.shape()).to(dy.dtype());
  }

  // Computes the gradients with the kernels, in two passes over memory.
  void by_kernels(const Tensor& given_dy, Gradients& grads, const Tensor& given,
                  const Tensor& weight, bool needs_sums) const {
    const Tensor input = single_stride(given), dy = single_stride(given_dy);
    const Lines lines(op, dy, groups, weight, {});
    const GroupRange all{0, lines.n.groups()};
    lines.set_lines(all, mean, var, eps);
    if (grads.wanted(0)) grads[0] = new_tensor(op, dy.shape(), dy.dtype());
    dispatch_floating(dy.dtype(), [&]<class T>(T) {
      using Kernels = NormKernels<T>;
      const auto x = data_of<const T>(input, groups), g = data_of<const T>(dy, groups);
      if (input_stats && grads.wanted(0)) {
        for_each_range(lines.n, g, [&](GroupRange range) {
          Kernels::products(lines.n, range, lines, g, x);
          lines.set_gradient_terms(range);
          Kernels::input_gradient(lines.n, range, lines, g, x, data_of<T>(grads[0], groups));
        });
      } else if (needs_sums) {
        Kernels::products(lines.n, all, lines, g, x);
      }
      if (groups.by_position && needs_sums) Kernels::position_products(lines.n, lines, g, x);
      if (needs_sums && grads.wanted(1)) grads[1] = affine_gradient<T>(lines, true);
      if (needs_sums && grads.wanted(2)) grads[2] = affine_gradient<T>(lines, false);
      if (!input_stats && grads.wanted(0)) {  // dx = h = (g - 0) a + 0
        std::fill_n(lines.m, lines.n.lines(), 0.0);
        Kernels::apply(lines.n, all, lines, g, data_of<T>(grads[0], groups));
      }
    });
  }

  // Returns dγ or dβ from the sums over lines, or over positions.
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
                 const Tensor& bias, double eps, bool input_stats, const Moments& moments) {
  const Tensor y = apply(op, single_stride(x), groups, weight, bias, eps, input_stats, moments);
  const Tensor* const inputs[] = {&x, &weight, &bias};
  return record_joint(op, y, inputs,
                      Backward{op, groups, eps, input_stats, moments.mean, moments.var},
                      input_stats ? saved(x, {0, 1}) : saved(x, {1}), saved(weight, {0}));
}

}  // namespace

Tensor normalize_groups(const char* op, const Tensor& x, const NormGroups& groups,
                        const Tensor& weight, const Tensor& bias, double eps, Moments& moments) {
  const NormSizes n = sizes_of(x, groups);
  const auto per_group = [&] { return new_tensor(op, {n.groups()}, DType::float64); };
  moments = {per_group(), per_group(), per_group(), n.group_values()};
  if (x.numel() > 0) return normalize(op, x, groups, weight, bias, eps, true, moments);
  const Moments constants{per_group().fill_(0), {}, per_group().fill_(1)};
  moments = {};
  return normalize(op, x, groups, weight, bias, eps, false, constants);
}

Tensor normalize_groups_by(const char* op, const Tensor& x, const NormGroups& groups,
                           const Tensor& mean, const Tensor& var, const Tensor& weight,
                           const Tensor& bias, double eps) {
  return normalize(op, x, groups, weight, bias, eps, false, {mean, {}, var});
}

}  // namespace cairn::detail
