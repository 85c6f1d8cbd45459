// I want products of the loss's Hessian with a vector, without forming the Hessian, to find the
// largest curvature.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>

using namespace cairn;

using Tensors = std::vector<Tensor>;

double dot(const Tensors& a, const Tensors& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] * b[i]).sum().item<double>();
  return sum;
}

Tensors random_like(const Tensors& tensors) {
  Tensors result;
  for (const Tensor& t : tensors) result.push_back(randn_like(t.detach()));
  return result;
}

struct Net : nn::Module {
  nn::Linear& hidden = child("hidden", nn::Linear(3, 8));
  nn::Linear& out = child("out", nn::Linear(8, 1));
  Tensor forward(const Tensor& x) override { return out(hidden(x).tanh()); }
};

int main() {
  manual_seed(0);
  Net model;
  model.to(DType::float64);
  const Tensor x = randn({20, 3}, {.dtype = DType::float64});
  const Tensor y = sin(x.sum({1}, true));
  const Tensors params = model.parameters();

  const auto gradient = [&](bool create_graph) {
    return grad({mse_loss(model(x), y)}, params, {.create_graph = create_graph});
  };
  // H v is the gradient of (gradient . v).
  const auto hessian_times = [&](const Tensors& v) {
    const Tensors g = gradient(true);
    Tensor product = tensor(0, {.dtype = DType::float64});
    for (std::size_t i = 0; i < g.size(); ++i) product = product + (g[i] * v[i]).sum();
    return grad({product}, params);
  };
  const auto move = [&](const Tensors& v, double by) {
    const NoGrad guard;
    for (std::size_t i = 0; i < v.size(); ++i) Tensor(params[i]).add_(v[i] * by);
  };

  // The same by finite differences of the gradient.
  const Tensors u = random_like(params), v = random_like(params), hv = hessian_times(v);
  const double h = 1e-5;
  move(v, h);
  const Tensors above = gradient(false);
  move(v, -2 * h);
  const Tensors below = gradient(false);
  move(v, h);
  for (std::size_t i = 0; i < hv.size(); ++i) {
    expect(allclose(hv[i], (above[i] - below[i]) / (2 * h), 1e-6, 1e-7),
           "H v and finite differences disagree at parameter {}", i);
  }
  const double uhv = dot(u, hv), vhu = dot(v, hessian_times(u));
  expect(std::abs(uhv - vhu) < 1e-10, "H is not symmetric: {} and {}", uhv, vhu);

  // The power method.
  Tensors direction = u;
  double curvature = 0, before = 0;
  for (int step = 0; step < 300; ++step) {
    const double length = std::sqrt(dot(direction, direction));
    for (Tensor& d : direction) d = d / length;
    const Tensors product = hessian_times(direction);
    before = curvature;
    curvature = dot(direction, product);
    direction = product;
  }
  fmt::print("largest curvature {:.6f}\n", curvature);
  expect(curvature > 0 && std::abs(curvature - before) < 1e-6, "no convergence: {} after {}",
         curvature, before);
}
