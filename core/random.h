// Random numbers, PyTorch's for PyTorch's seeds:
//   rand, randint and randperm (of fewer than 2e8), and initial weights, bit for bit;
//   randn to rounding, which in float32 and for 16 numbers or more is about 1e-6, as PyTorch's
//   vectorised logarithm and cosine depend on the machine. What follows a draw agrees in any case.
#pragma once

#include <cairn/core/load_plan.h>

#include <memory>

namespace cairn {

/// A Mersenne Twister (mt19937). May be used from several threads; each draw of a tensor is one
/// uninterrupted run of the sequence.
class CAIRN_API Generator {
 public:
  explicit Generator(uint64_t seed = 5489);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  void manual_seed(uint64_t seed);

  /// Where in its sequence the generator is, as an int64 tensor that can be kept and compared.
  Tensor state() const;
  /// Throws Error for what no state() has given.
  void set_state(const Tensor& state);
  /// Adds the same, or its problem, to a plan that may hold more. Until plan.commit() the generator
  /// must live.
  void plan_load(LoadPlan& plan, const Tensor& state);

  /// Fills x with numbers from U[low, high), bit for bit PyTorch's for the same seed; as there,
  /// rounding may give high itself.
  void fill_uniform(Tensor& x, double low, double high);
  /// Fills x with N(0, 1) by the Box-Muller method.
  void fill_normal(Tensor& x);
  /// Fills int64 x with integers from [low, high): remainders of 32-bit draws, or of 64-bit ones
  /// from 2^28 on, so that no number is more than a sixteenth likelier than another.
  void fill_integers(Tensor& x, int64_t low, int64_t high);
  /// Fills int64 x with 0, 1, ... numel - 1 in random order.
  void fill_permutation(Tensor& x);

 private:
  struct State;
  struct Position;
  void move_to(const Position& position);
  std::unique_ptr<State> state_;
};

/// What rand() and its kind draw from, and what initial weights are drawn from.
CAIRN_API Generator& default_generator();
/// Starts the default generator's sequence anew.
CAIRN_API void manual_seed(uint64_t seed);

/// Uniform in [0, 1).
CAIRN_API Tensor rand(const Shape& shape, const TensorOptions& options = {});
/// Standard normal.
CAIRN_API Tensor randn(const Shape& shape, const TensorOptions& options = {});
CAIRN_API Tensor rand_like(const Tensor& x);
CAIRN_API Tensor randn_like(const Tensor& x);
/// int64 in [low, high).
CAIRN_API Tensor randint(int64_t low, int64_t high, const Shape& shape);
/// 0 ... n - 1 in random order, int64.
CAIRN_API Tensor randperm(int64_t n);

}  // namespace cairn
