#include "support/gradcheck.h"

#include <cairn/core/random.h>

#include <fmt/format.h>

#include <cmath>

namespace cairn::test {
namespace {

using Tensors = std::vector<Tensor>;

// In double, with values, third derivatives and weights of about 1, a central difference has an
// error of h²/6 by truncation and of 1e-16/h by rounding: least, some 1e-11, at this step. The
// tolerance leaves a factor of ten thousand for sums of many terms and derivatives far from 1.
constexpr double step = 6e-6;
constexpr Tolerance by_differences{.relative = 1e-7, .absolute = 1e-7};

// The fused and the recorded gradient are one formula, rounded differently.
constexpr Tolerance by_other_path{.relative = 1e-11, .absolute = 1e-12};

// Numbers from [0.5, 1.5): none vanishes in the sum, no two gradients cancel.
Tensor weights_like(const Tensor& x, Generator& generator) {
  Tensor w = empty(x.shape(), f64);
  generator.fill_uniform(w, 0.5, 1.5);
  return w;
}

// Zero where the output does not depend on the leaf.
Tensors gradients(const Tensor& output, const Tensors& leaves, bool create_graph) {
  Tensors result(leaves.size());
  if (output.requires_grad()) {
    result = grad({output}, leaves, {.create_graph = create_graph, .allow_unused = true});
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!result[i].defined()) result[i] = zeros_like(leaves[i]);
  }
  return result;
}

// d value() / d leaf, element by element.
Tensor differences(const std::function<double()>& value, Tensor leaf) {
  Tensor result = empty(leaf.shape(), f64);
  for (int64_t k = 0; k < leaf.numel(); ++k) {
    int64_t offset = 0, rest = k;
    for (int64_t d = leaf.dim(); d-- > 0; rest /= leaf.size(d)) {
      offset += rest % leaf.size(d) * leaf.strides()[d];
    }
    const auto write = [&](double v) {
      const NoGrad guard;
      leaf.mutable_data<double>()[offset] = v;
    };
    const double x = leaf.data<double>()[offset];
    write(x + step);
    const double above = value();
    write(x - step);
    const double below = value();
    write(x);
    result.mutable_data<double>()[k] = (above - below) / ((x + step) - (x - step));
  }
  return result;
}

// Compares one gradient a leaf; a failure begins with `what` and the leaf's number.
Outcome compare(const char* what, const Tensors& actual, const Tensors& expected,
                const Tolerance& tolerance) {
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const Outcome outcome = close(actual[i], expected[i], tolerance);
    if (!outcome) return {fmt::format("{} of input {}: {}", what, i, outcome.failure)};
  }
  return {};
}

Outcome compare_to_differences(const char* what, const Tensors& actual,
                               const std::function<double()>& value, const Tensors& leaves) {
  Tensors expected;
  for (const Tensor& leaf : leaves) expected.push_back(differences(value, leaf));
  return compare(what, actual, expected, by_differences);
}

}  // namespace

Outcome gradcheck(const std::function<Tensor()>& f, const Tensors& leaves) {
  Generator generator(42);
  Tensor dy = weights_like(f(), generator);  // the output's gradient
  Tensors u;                                 // and the gradient of each leaf's gradient
  for (const Tensor& leaf : leaves) u.push_back(weights_like(leaf, generator));

  const auto output = [&] { return sum(f() * dy); };
  const Tensors fused = gradients(output(), leaves, false);
  Outcome first = compare_to_differences(
      "the gradient", fused, [&] { return output().item<double>(); }, leaves);
  if (!first) return first;

  dy.requires_grad_(true);
  const Tensors recorded = gradients(output(), leaves, true);
  Outcome paths = compare("the gradient with create_graph", recorded, fused, by_other_path);
  if (!paths) return paths;

  const auto weighted = [&](const Tensors& g) {
    Tensor total = zeros({}, f64);
    for (std::size_t i = 0; i < g.size(); ++i) total = total + sum(g[i] * u[i]);
    return total;
  };
  Tensors all = leaves;  // the gradient is a function of dy, too
  all.push_back(dy);
  return compare_to_differences(
      "the second gradient (the last input is dy)", gradients(weighted(recorded), all, false),
      [&] { return weighted(gradients(output(), leaves, false)).item<double>(); }, all);
}

Outcome gradcheck(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs) {
  Tensors arguments, leaves;
  for (const Tensor& input : inputs) {
    arguments.push_back(input.detach());
    if (input.dtype() == DType::int64) continue;
    leaves.push_back(arguments.back().requires_grad_(true));
  }
  return gradcheck([&] { return f(arguments); }, leaves);
}

}  // namespace cairn::test
