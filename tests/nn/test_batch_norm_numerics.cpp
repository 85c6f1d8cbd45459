// How close float32 comes to the truth: against sums in double, two passes, written here again.
//
// The bound of 2e-7 = 3.4 half-units in the last place of the largest output is what one rounding
// of the input's deviation, one of the scale and one of the result can add up to. The mean must
// not enter: at a mean of 1e6 a float holds x to 0.03 only, but those are the values, not an error.
#include "nn/batch_norm_inputs.h"
#include "support/approx.h"
#include "support/rows.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/batch_norm.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;
using namespace cairn::test::batch_norm_inputs;

namespace {

constexpr double bound = 2e-7;
constexpr double eps = 1e-5;

using Values = std::vector<double>;

struct Truth {
  Values y, dx, mean, unbiased_var, dweight, dbias;
};

// For row-major (rows, channels, columns), by the formulas, the mean before the deviations.
Truth truth_of(const Tensor& x, const Tensor& dy, const Values& weight, const Values& bias) {
  const auto rows = static_cast<std::size_t>(x.size(0)), channels = weight.size();
  const auto columns = static_cast<std::size_t>(x.numel()) / rows / channels;
  const Values v = x.to_vector<double>(), g = dy.to_vector<double>();
  const auto n = static_cast<double>(rows * columns);
  Truth t;
  t.y.resize(v.size());
  t.dx.resize(v.size());
  for (std::size_t c = 0; c < channels; ++c) {
    const auto each = [&](auto f) {
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t i = 0; i < columns; ++i) f((r * channels + c) * columns + i);
      }
    };
    // The origin keeps the sum of a channel around 1e6 as exact as one around 0.
    const double origin = v[c * columns];
    double mean = 0, var = 0, sum_g = 0, q = 0;
    each([&](std::size_t i) { mean += v[i] - origin; });
    mean = origin + mean / n;
    each([&](std::size_t i) { var += (v[i] - mean) * (v[i] - mean); });
    var /= n;
    each([&](std::size_t i) { sum_g += g[i]; });
    each([&](std::size_t i) { q += g[i] * (v[i] - mean); });
    const double s = 1 / std::sqrt(var + eps);
    each([&](std::size_t i) {
      t.y[i] = weight[c] * (v[i] - mean) * s + bias[c];
      t.dx[i] = weight[c] * s * (g[i] - sum_g / n - (v[i] - mean) * s * s * q / n);
    });
    t.mean.push_back(mean);
    t.unbiased_var.push_back(var * n / (n - 1));
    t.dweight.push_back(q * s);
    t.dbias.push_back(sum_g);
  }
  return t;
}

// max |actual - expected| / max |expected|
double error_of(const Tensor& actual, const Values& expected) {
  const Values a = actual.to_vector<double>();
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - expected[i]) <= worst)) worst = std::abs(a[i] - expected[i]);  // NaN too
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("batch_norm numerics: float32 is right to 2e-7, whatever the mean and the layout") {
  for (const Case& c : cases) {
    for (const double mean : {0.0, 1e2, 1e4, 1e6}) {
      check_row(fmt::format("{} around {}", c.name, mean), [&] {
        const auto bn = layer_for(c.shape, {.eps = eps, .momentum = 1});
        const Tensor weight = draw({c.shape[1]}, 3), bias = draw({c.shape[1]}, 4);
        {
          const NoGrad guard;
          bn->weight.copy_(weight);
          bn->bias.copy_(bias);
        }
        Tensor x = c.x(draw(c.shape, 1) + mean);
        const Tensor dy = c.dy(draw(c.shape, 2));
        x.requires_grad_(true);
        const Truth truth = truth_of(x, dy, weight.to_vector<double>(), bias.to_vector<double>());
        const Tensor y = (*bn)(x);
        CHECK(error_of(y, truth.y) <= bound);
        for (const bool create_graph : {true, false}) {  // in recorded ops, and fused
          CAPTURE(create_graph);
          const std::vector<Tensor> d = grad(
              {y}, {x, bn->weight, bn->bias},
              {.grad_outputs = {dy}, .retain_graph = create_graph, .create_graph = create_graph});
          CHECK(error_of(d[0], truth.dx) <= bound);
          CHECK(error_of(d[1], truth.dweight) <= bound);
          CHECK(error_of(d[2], truth.dbias) <= bound);
        }
        // With momentum 1 the record is the batch's, rounded once: half a unit, 6e-8.
        const Tolerance once{.relative = 6e-8};
        CHECK(close(bn->running_mean.to(DType::float64), from_data(truth.mean, {c.shape[1]}),
                    {.relative = once.relative, .absolute = 1e-15}));
        CHECK(close(bn->running_var.to(DType::float64), from_data(truth.unbiased_var, {c.shape[1]}),
                    once));
      });
    }
  }
}

TEST_CASE("batch_norm numerics: by the record, float32 is right to 2e-7 in every layout") {
  for (const Case& c : cases) {
    for (const double mean : {0.0, 1e2, 1e4, 1e6}) {
      check_row(fmt::format("{} around {}", c.name, mean), [&] {
        const auto bn = layer_for(c.shape, {.eps = eps});
        bn->eval();
        bn->running_mean.copy_(full({c.shape[1]}, mean));
        Tensor x = c.x(draw(c.shape, 1) + mean);
        const Tensor dy = c.dy(draw(c.shape, 2));
        x.requires_grad_(true);
        const Tensor y = (*bn)(x);
        y.backward(dy);
        const Tensor wide = x.detach().to(DType::float64), g = dy.to(DType::float64);
        const double s = 1 / std::sqrt(1 + eps);
        const Tensor centred = wide - mean;
        Dims others{0};
        for (int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
        CHECK(error_of(y, (centred * s).to_vector<double>()) <= bound);
        CHECK(error_of(x.grad(), (g * s).to_vector<double>()) <= bound);
        CHECK(error_of(bn->weight.grad(), sum(g * centred * s, others).to_vector<double>()) <=
              bound);
        CHECK(error_of(bn->bias.grad(), sum(g, others).to_vector<double>()) <= bound);
      });
    }
  }
}

TEST_CASE("batch_norm numerics: a constant channel gives exactly the bias") {
  for (const Layout& layout : {Layout(contiguous), Layout(channels_last), Layout(strided)}) {
    for (const double value : {1e7, 0.1, -3e30}) {
      BatchNorm2d bn(2, {.momentum = 1});
      {
        const NoGrad guard;
        bn.bias.copy_(tensor({0.3, -7}));
      }
      const Tensor y = bn(layout(full({8, 2, 5, 7}, value)));
      CHECK(equal(y, bn.bias.reshape({1, 2, 1, 1}).expand({8, 2, 5, 7})));
      CHECK(equal(bn.running_mean, full({2}, value)));
      CHECK(equal(bn.running_var, zeros({2})));
    }
  }
}

TEST_CASE("batch_norm numerics: values of 1e30 and of 1e-30 come out right") {
  for (const double scale : {1e30, 1e19, 1e-30}) {
    CAPTURE(scale);
    BatchNorm1d bn(3, {.eps = 0});
    Tensor x = (draw({64, 3}, 1).to(DType::float64) * scale).to(DType::float32);
    x.requires_grad_(true);
    const Tensor dy = draw({64, 3}, 2);
    const Tensor y = bn(x);
    y.backward(dy);
    // The same in double, scaled back to 1: normalising does not see the scale.
    Tensor plain = (x.detach().to(DType::float64) / scale).requires_grad_(true);
    BatchNorm1d wide(3, {.eps = 0});
    wide.to(DType::float64);
    const Tensor expected = wide(plain);
    expected.backward(dy.to(DType::float64));
    CHECK(error_of(y, expected.to_vector<double>()) <= bound);
    CHECK(error_of(bn.weight.grad(), wide.weight.grad().to_vector<double>()) <= bound);
    CHECK(error_of(x.grad().to(DType::float64) * scale, plain.grad().to_vector<double>()) <= bound);
  }
}
