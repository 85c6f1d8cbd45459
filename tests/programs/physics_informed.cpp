// I want to solve the differential equation u'' = -u with u(0) = 0 and u'(0) = 1 by a network whose
// loss contains its own derivatives by its input.
#include <cairn/cairn.h>

#include "expect.h"

using namespace cairn;

// u(x) = x + x^2 net(x), which has the right value and slope at 0 whatever net is.
struct Solution : nn::Module {
  nn::Linear& hidden = child("hidden", nn::Linear(1, 24));
  nn::Linear& out = child("out", nn::Linear(24, 1));
  Tensor forward(const Tensor& x) override { return x + x.square() * out(hidden(x).tanh()); }
};

// du/dx at each point; u(x) at one point depends on x at that point only.
Tensor derivative(const Tensor& u, const Tensor& x) {
  return grad({u.sum()}, {x}, {.create_graph = true})[0];
}

Tensor residual(Solution& u, const Tensor& x) {
  const Tensor y = u(x);
  return derivative(derivative(y, x), x) + y;
}

double largest_error(Solution& u) {
  const NoGrad guard;
  const Tensor x = linspace(0, 3, 101).unsqueeze(1);
  return abs(u(x) - sin(x)).amax({0, 1}).item<double>();
}

int main() {
  manual_seed(0);
  Solution u;
  const Tensor x = linspace(0, 3, 32).unsqueeze(1).requires_grad_();
  optim::SGD opt(u.parameters(), {.lr = 0.002, .momentum = 0.95});

  const double before = largest_error(u);
  double loss = 0;
  for (int step = 0; step < 2000; ++step) {
    const Tensor error = residual(u, x).square().mean();
    opt.zero_grad();
    error.backward();
    opt.step();
    loss = error.item<double>();
  }
  const double after = largest_error(u);
  fmt::print("residual {:.2e}; largest error {:.3f} before training, {:.3f} after\n", loss, before,
             after);

  // The derivative that autograd gives is the slope of a chord.
  const double h = 1e-2;
  const Tensor slope = derivative(u(x), x), chord = (u(x + h) - u(x - h)) / (2 * h);
  expect(allclose(slope, chord, 1e-2, 1e-2), "the derivative is not the slope of the solution");
  expect(before > 0.3, "the untrained network should not solve the equation");
  expect(after < 0.05, "the largest error is still {}", after);
}
