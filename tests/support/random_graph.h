// Random graphs of the ops in the table, each drawn from one number.
#pragma once

#include "support/layout.h"

#include <cairn/core/autograd.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace cairn::test {

struct Operand;
struct Op;

/// A program over a few leaves of float64: ops of the table, views, writes in place, detach(), with
/// every value free to be used again. What it computes may be run at other values of the leaves.
class RandomGraph {
 public:
  using Tensors = std::vector<Tensor>;

  explicit RandomGraph(uint64_t seed);

  const Tensors& leaves() const { return leaves_; }
  /// The outputs and their weights in the sum that is differentiated.
  struct Output {
    Tensor value, weight;
  };
  /// Computes the outputs from the leaves as they are now; what detach() cuts off keeps the values
  /// that it had at first, as a constant does.
  std::vector<Output> run() const;
  /// The largest number that came up, at the first values.
  double largest() const { return largest_; }
  /// How many steps Cairn refused, all of them writes in place or what came after one.
  int64_t refused() const { return refused_; }
  /// A step a line.
  std::string text() const;

 private:
  struct Step {
    std::string text;
    std::function<void(Tensors&)> apply;
  };

  // Drawing.
  uint64_t below(uint64_t n) { return random_() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  double uniform(double low, double high);
  Tensor numbers(const Shape& shape, double low, double high);
  std::size_t some_value(const Shape& shape);
  Shape narrowed(const Shape& shape);

  // Building: each of these adds steps, and gives the new value's number, or -1 if there is none.
  bool add(Step step, bool writes = false);
  int64_t add_value(const std::string& text, std::function<Tensor(const Tensors&)> f);
  int64_t reshaped(std::size_t value, const Shape& target);
  int64_t fitted(std::size_t value, const Operand& operand, const Shape& shape);
  void add_op(const Op& op);
  bool is_tame(const std::function<Tensor(const Tensors&)>& f);
  void add_write();
  void choose_outputs();

  Tensors values() const;

  std::mt19937_64 random_;
  Tensors leaves_;
  std::vector<Step> steps_;
  Tensors now_;  // the values after the steps so far
  std::vector<std::pair<std::size_t, Tensor>> outputs_;
  double largest_ = 0;
  int64_t refused_ = 0;
};

}  // namespace cairn::test
