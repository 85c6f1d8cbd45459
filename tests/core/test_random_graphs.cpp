// Ops composed at random, and their gradients to the second order against differences.
//
// A failure prints the graph and its seed. With CAIRN_SEED=17 in the environment the test checks
// and prints that graph alone; with CAIRN_GRAPHS=10000 it checks the first 10000.
#include "support/approx.h"
#include "support/random_graph.h"
#include "support/rows.h"
#include "support/seeds.h"

#include <cairn/core/machine.h>

#include <fmt/format.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// f'(0), and how far it can be trusted.
struct Slope {
  double value, error;
};

// Central differences at h, h/2 and h/4 make two estimates by Richardson's extrapolation, whose
// error is of the order h⁴. They differ by more than either's error of truncation; where rounding
// or a kink near 0 spoils them, they differ by about as much as it does.
template <class F>
Slope slope_at_0(F f, double h) {
  const auto central = [&](double step) { return (f(step) - f(-step)) / (2 * step); };
  const double d1 = central(h), d2 = central(h / 2), d3 = central(h / 4);
  const double first = (4 * d2 - d1) / 3, second = (4 * d3 - d2) / 3;
  return {second, 4 * std::abs(second - first)};
}

double dot(const Tensor& a, const Tensor& b) { return sum(a.detach() * b).item<double>(); }

Tensors gradients(const RandomGraph& graph, bool create_graph) {
  Tensors outputs, weights;
  for (const auto& [value, weight] : graph.run()) {
    outputs.push_back(value);
    weights.push_back(weight);
  }
  Tensors result =
      grad(outputs, graph.leaves(),
           {.grad_outputs = weights, .create_graph = create_graph, .allow_unused = true});
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!result[i].defined()) result[i] = zeros_like(graph.leaves()[i]);
  }
  return result;
}

struct Tally {
  int64_t graphs = 0, slopes = 0, blunt = 0, refused = 0;
};

// The three comparisons that a graph goes through. Each says what is wrong, or nothing.
class Check {
 public:
  Check(const RandomGraph& graph, uint64_t seed, Tally& tally) : graph_(graph), tally_(tally) {
    std::mt19937_64 random(~seed);
    const auto direction = [&](const Tensor& leaf) {
      std::vector<double> v(static_cast<std::size_t>(leaf.numel()));
      for (double& x : v) x = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
      return from_data(v, leaf.shape());
    };
    for (const Tensor& leaf : graph.leaves()) {
      along_.push_back(direction(leaf));
      u_.push_back(direction(leaf));
    }
    for (const auto& [value, weight] : graph.run()) size_ += dot(abs(value), weight);
    fused_ = gradients(graph, false);
    for (const Tensor& g : fused_) gradient_size_ += sum(abs(g)).item<double>();
  }

  std::string first_order() const {
    return compare_to_slopes("gradient", fused_, size_, [&] {
      const NoGrad guard;
      double total = 0;
      for (const auto& [value, weight] : graph_.run()) total += dot(value, weight);
      return total;
    });
  }

  // With create_graph; and by one backward() an output, so that what they share is walked each
  // time and the sums accumulate.
  std::string other_paths() const {
    const Tensors recorded = gradients(graph_, true);
    for (const auto& [value, weight] : graph_.run()) {
      value.backward(weight, {.retain_graph = true});
    }
    const Tolerance tolerance{.absolute = 1e-10 * rounding(size_ + gradient_size_)};
    for (std::size_t i = 0; i < fused_.size(); ++i) {
      Tensor leaf = graph_.leaves()[i];
      const Tensor summed = leaf.grad().defined() ? leaf.grad() : zeros_like(leaf);
      leaf.zero_grad();
      for (const Tensor& g : {recorded[i].detach(), summed}) {
        const Outcome same = close(g, fused_[i], tolerance);
        if (!same) return fmt::format("create_graph or backward(), v{}: {}", i, same.failure);
      }
    }
    return {};
  }

  // Of the sum of all gradients, each times its direction in u.
  std::string second_order() const {
    const Tensors recorded = gradients(graph_, true);
    Tensor total = zeros({}, f64);
    for (std::size_t i = 0; i < recorded.size(); ++i) total = total + sum(recorded[i] * u_[i]);
    if (!total.requires_grad()) return {};
    Tensors second = grad({total}, graph_.leaves(), {.allow_unused = true});
    for (std::size_t i = 0; i < second.size(); ++i) {
      if (!second[i].defined()) second[i] = zeros_like(graph_.leaves()[i]);
    }
    return compare_to_slopes("second gradient", second, size_ + gradient_size_, [&] {
      const Tensors g = gradients(graph_, false);
      double sum = 0;
      for (std::size_t i = 0; i < g.size(); ++i) sum += dot(g[i], u_[i]);
      return sum;
    });
  }

 private:
  // What rounding goes by: the size of the terms, times that of what they are computed from.
  double rounding(double size) const { return std::max(1.0, graph_.largest()) * (1 + size); }

  // Moves one leaf after the other along its direction, and compares the slope of `value`.
  template <class F>
  std::string compare_to_slopes(const char* what, const Tensors& gradients, double size,
                                F value) const {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      Tensor leaf = graph_.leaves()[i];
      const Tensor at = leaf.detach().clone();
      const auto move = [&](double t) {
        const NoGrad guard;
        leaf.copy_(at + t * along_[i]);
      };
      const auto at_distance = [&](double t) {
        move(t);
        return value();
      };
      const double expected = dot(gradients[i], along_[i]);
      const double terms = dot(abs(gradients[i]), abs(along_[i]));
      // A kink may lie so near that all estimates agree on the mean of both sides; then from still
      // nearer only one side is seen. A wrong gradient is wrong at every distance.
      Slope slope{};
      double tolerance = 0;
      bool agrees = false;
      for (double h = 2e-4; !agrees && h > 1e-7; h /= 16) {
        slope = slope_at_0(at_distance, h);
        tolerance = slope.error + 2e-13 / h * rounding(size + terms);
        agrees = std::abs(slope.value - expected) <= tolerance;
      }
      move(0);
      const double significant = std::max(terms, std::abs(slope.value));
      ++tally_.slopes;
      tally_.blunt += tolerance > 1e-4 * significant && significant > 1e-4;
      if (!agrees) {
        return fmt::format(
            "the {} of v{}: {} along a direction, {} by differences, give or take {}", what, i,
            expected, slope.value, tolerance);
      }
    }
    return {};
  }

  const RandomGraph& graph_;
  Tally& tally_;
  Tensors along_, u_;  // a direction a leaf; and the weights in the sum for the second order
  double size_ = 0, gradient_size_ = 0;
  Tensors fused_;
};

}  // namespace

TEST_CASE("random graphs: gradients of both orders agree with differences") {
  const auto [first, count, usual] = seeds("CAIRN_GRAPHS", 500);
  for (const bool training : {false, true}) {  // makes constants that stay
    batch_norm(ones({2, 1}), zeros({1}), ones({1}), {}, {}, {.training = training});
  }
  const int64_t in_use = memory_stats().in_use;
  Tally tally;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    check_row(fmt::format("CAIRN_SEED={}", seed), [&] {
      const RandomGraph graph(seed);
      check_row(graph.text(), [&] {
        const Check check(graph, seed, tally);
        CHECK(check.first_order() == "");
        CHECK(check.other_paths() == "");
        CHECK(check.second_order() == "");
      });
      tally.refused += graph.refused();
    });
    ++tally.graphs;
    if (count == 1) MESSAGE("one graph");
  }
  CHECK(memory_stats().in_use == in_use);
  const std::string summary =
      fmt::format("{} graphs, {} slopes ({} too close to a kink), {} steps refused", tally.graphs,
                  tally.slopes, tally.blunt, tally.refused);
  INFO(summary);
  CHECK(tally.blunt * 50 <= tally.slopes);
  if (!usual) MESSAGE(summary);
}
