// What all norms share: how lines are merged into groups, whatever the layout, the sizes and the
// number of threads. Compared with the same formulas in plain ops.
#include "support/approx.h"
#include "support/gradcheck.h"

#include <cairn/core/autograd.h>
#include <cairn/core/internal/norms.h>
#include <cairn/core/machine.h>
#include <cairn/core/random.h>

#include <functional>
#include <limits>
#include <vector>

using namespace cairn;
using namespace cairn::test;
using detail::Moments;
using detail::NormGroups;

namespace {

constexpr double eps = 1e-3;

struct Norm {
  const char* name;
  NormGroups groups;
};
const std::vector<Norm> norms{
    {"batch norm", {.rows_merged = true}},
    {"batch norm of pairs of channels", {.rows_merged = true, .channels = 2}},
    {"instance norm", {.rows_merged = false}},
    {"group norm", {.rows_merged = false, .channels = 2}},
    {"layer norm", {.rows_merged = false, .by_position = true}},
};

int64_t positions(const Tensor& x) { return x.numel() / (x.size(0) * x.size(1)); }

struct Plain {
  Tensor y, mean, var;
};

// The formulas in plain ops.
Plain plain(const NormGroups& groups, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const int64_t p = positions(x), c = x.size(1) / groups.channels;
  const Tensor v = x.reshape({x.size(0), c, groups.channels, p});
  const Dims dims = groups.rows_merged ? Dims{0, 2, 3} : Dims{2, 3};
  const Tensor m = mean(v, dims, true), s2 = mean(square(v - m), dims, true);
  const Shape affine = groups.by_position ? Shape{p} : Shape{c, groups.channels, 1};
  const Tensor y = (v - m) * rsqrt(s2 + eps) * weight.reshape(affine) + bias.reshape(affine);
  return {y.reshape(x.shape()), m.flatten(), s2.flatten()};
}

using Layout = std::function<Tensor(const Tensor&)>;

Tensor contiguous(const Tensor& x) { return x; }
Tensor channels_last(const Tensor& x) {
  Dims to{0}, back{0, x.dim() - 1};
  for (int64_t d = 2; d < x.dim(); ++d) to.push_back(d);
  to.push_back(1);
  for (int64_t d = 1; d + 1 < x.dim(); ++d) back.push_back(d);
  return x.permute(to).clone().permute(back);
}
Tensor rows_last(const Tensor& x) { return x.transpose(0, -1).clone().transpose(0, -1); }
Tensor strided(const Tensor& x) {
  Shape larger = x.shape();
  larger[0] *= 2;
  larger[-1] = 2 * larger[-1] + 1;
  Tensor y = zeros(larger, {.dtype = x.dtype()});
  return y.slice(0, 0, larger[0], 2).slice(-1, 0, larger[-1] - 1, 2).copy_(x);
}
Tensor expanded(const Tensor& x) { return x.slice(0, 0, 1).slice(-1, 0, 1).expand(x.shape()); }

struct Operands {
  Tensor x, weight, bias, dy;
};
Operands draw(const NormGroups& groups, Shape shape, DType dtype) {
  manual_seed(3);
  const TensorOptions options{.dtype = dtype};
  if (groups.by_position) {  // all behind the rows are positions
    int64_t n = 1;
    for (int64_t d = 1; d < shape.size(); ++d) n *= shape[d];
    shape = {shape[0], 1, n};
  }
  const Tensor x = randn(shape, options) + 5;
  const Shape affine{groups.by_position ? positions(x) : shape[1]};
  return {x, randn(affine, options).requires_grad_(), randn(affine, options).requires_grad_(),
          randn(shape, options)};
}

// y, its gradients, and the moments.
std::vector<Tensor> run(const NormGroups& groups, const Operands& of) {
  const Tensor x = of.x.detach().requires_grad_();
  Moments moments;
  const Tensor y = normalize_groups("norm", x, groups, of.weight, of.bias, eps, moments);
  auto results = grad({y}, {x, of.weight, of.bias}, {.grad_outputs = {of.dy}});
  results.insert(results.end(), {y.detach(), moments.mean, moments.var});
  return results;
}

}  // namespace

TEST_CASE("norms: each grouping is what its formulas say, in every layout and size of block") {
  // Few and many positions, several blocks of a row and of rows, several ranges of channels and
  // more channels than are summed at once.
  for (const Shape& shape : {Shape{5, 4, 3}, Shape{7, 6}, Shape{3, 16, 50, 60}, Shape{2, 2, 20000},
                             Shape{900, 4, 25}, Shape{300, 300}, Shape{1, 2, 1}}) {
    for (const Norm& norm : norms) {
      const Operands of = draw(norm.groups, shape, DType::float64);
      const Tensor x = of.x.detach().requires_grad_();
      const Plain expected = plain(norm.groups, x, of.weight, of.bias);
      // Some gradients are 0 but for the rounding of sums over all of x, in the formulas, too.
      const double rounding =
          16 * std::numeric_limits<double>::epsilon() * sum(abs(x.detach())).item<double>();
      for (const Layout& layout :
           {Layout(contiguous), Layout(channels_last), Layout(rows_last), Layout(strided)}) {
        for (const Layout& of_dy : {layout, Layout(contiguous), Layout(expanded)}) {
          INFO(std::string(norm.name) << " of " << fmt::format("{}", shape));
          const Tensor dy = of_dy(of.dy);
          const auto d = grad({expected.y}, {x, of.weight, of.bias},
                              {.grad_outputs = {dy}, .retain_graph = true});
          const auto actual = run(norm.groups, {layout(of.x), of.weight, of.bias, dy});
          const Tolerance t{.relative = 1e-9, .absolute = rounding};
          for (std::size_t i = 0; i < 3; ++i) CHECK(close(actual[i], d[i], t));
          CHECK(close(actual[3], expected.y.detach(), t));
          CHECK(close(actual[4], expected.mean.detach(), t));
          CHECK(close(actual[5], expected.var.detach(), t));
        }
      }
    }
  }
}

TEST_CASE("norms: gradients of first and second order of each grouping") {
  for (const Norm& norm : norms) {
    CAPTURE(norm.name);
    const Operands of = draw(norm.groups, {3, 4, 5}, DType::float64);
    CHECK(gradcheck(
        [&](const std::vector<Tensor>& in) {
          Moments moments;
          return normalize_groups("norm", in[0], norm.groups, in[1], in[2], eps, moments);
        },
        {of.x, of.weight, of.bias}));
    CHECK(gradcheck(
        [&](const std::vector<Tensor>& in) {
          Moments moments;
          return normalize_groups("norm", in[0], norm.groups, {}, {}, eps, moments);
        },
        {of.x}));
  }
}

TEST_CASE("norms: the number of threads changes no bit, with few channels or many") {
  struct Threads {  // sets it back
    int64_t before = num_threads();
    ~Threads() { set_num_threads(before); }
  } const threads;
  for (const Shape& shape : {Shape{65536, 2}, Shape{6, 3, 100, 100}, Shape{2, 64, 40, 41},
                             Shape{2000, 70}, Shape{700, 12, 11}, Shape{1, 2, 90001}}) {
    for (const Norm& norm : norms) {
      if (norm.groups.channels == 2 && shape[1] % 2 != 0) continue;
      const Operands of = draw(norm.groups, shape, DType::float32);
      for (const Layout& layout : {Layout(contiguous), Layout(channels_last)}) {
        INFO(std::string(norm.name) << " of " << fmt::format("{}", shape));
        std::vector<Tensor> first;
        for (const int64_t n : {1, 2, 3}) {
          set_num_threads(n);
          const auto results = run(norm.groups, {layout(of.x), of.weight, of.bias, of.dy});
          if (first.empty()) first = results;
          for (std::size_t i = 0; i < results.size(); ++i) CHECK(equal(results[i], first[i]));
        }
      }
    }
  }
}

TEST_CASE("norms: merged moments are those of all values at once, however far the means") {
  for (const double far : {0.0, 1e6}) {
    const Tensor x = randn({60, 3}, f64) + far;
    const auto moments_of = [](const Tensor& values) {
      Moments moments;
      normalize_by_batch("norm", values, {}, {}, eps, moments);
      return moments;
    };
    Moments sum = moments_of(x.slice(0, 0, 10));
    merge(sum, moments_of(x.slice(0, 10, 60)));
    const Moments all = moments_of(x);
    CHECK(sum.count == 60);
    CHECK(close(sum.mean, all.mean, {.relative = 1e-15, .absolute = 1e-14}));
    CHECK(close(sum.var, all.var, {.relative = 1e-9}));
  }
}
