// The random numbers that PyTorch draws for the same seed:
//   rand, randint, randperm (of fewer than 2e8 numbers) and initial weights agree bit for bit;
//   randn agrees up to rounding, about 1e-6 in float32 for 16 numbers or more, because PyTorch's
//   vectorised logarithm and cosine depend on the machine. Later draws agree in any case.
#pragma once

#include <cairn/core/load_plan.h>

#include <memory>

namespace cairn {

/// A Mersenne Twister (mt19937). Several threads may use it: a tensor takes consecutive draws.
/// A fill throws Error unless x is contiguous, has the right dtype and may be written in place.
class CAIRN_API Generator {
 public:
  explicit Generator(uint64_t seed = 5489);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// Restarts the sequence. Only the low 32 bits of `seed` count.
  void manual_seed(uint64_t seed);

  /// The position in the sequence, as an int64 tensor that can be saved and compared.
  Tensor state() const;
  /// Throws Error unless `state` is one that state() can return.
  void set_state(const Tensor& state);
  /// Adds the same, or its problem, to a plan that may hold more. Until plan.commit() the generator
  /// must live.
  void plan_load(LoadPlan& plan, const Tensor& state);

  /// Fills x with numbers from U[low, high). As in PyTorch, rounding may give `high` itself.
  /// Throws Error unless low <= high and both and their difference are finite.
  void fill_uniform(Tensor& x, double low, double high);
  /// Fills x with N(0, 1) by the Box-Muller method.
  void fill_normal(Tensor& x);
  /// Fills int64 x with integers from [low, high). Each is the remainder of a 32-bit draw, or of a
  /// 64-bit draw if high - low >= 2^28, so that none is more than 1/16 likelier than another.
  void fill_integers(Tensor& x, int64_t low, int64_t high);
  /// Fills int64 x with 0, 1, ... numel - 1 in random order.
  void fill_permutation(Tensor& x);

 private:
  friend CAIRN_API Generator& default_generator();
  struct State;
  struct Position;
  void move_to(const Position& position);
  std::unique_ptr<State> state_;
};

/// Options of the functions that draw a tensor. Without a generator they use default_generator().
struct RandomOptions {
  DType dtype = DType::float32;
  bool requires_grad = false;
  Generator* generator = nullptr;
};
inline TensorOptions::operator RandomOptions() const { return {dtype, requires_grad}; }

/// Options of draws whose dtype is fixed.
struct DrawOptions {
  Generator* generator = nullptr;
};

/// The generator from which rand(), randn(), randint(), randperm() and initial weights draw.
CAIRN_API Generator& default_generator();
/// Seeds the default generator.
CAIRN_API void manual_seed(uint64_t seed);

/// Uniform in [0, 1).
CAIRN_API Tensor rand(const Shape& shape, const RandomOptions& options = {});
/// Standard normal.
CAIRN_API Tensor randn(const Shape& shape, const RandomOptions& options = {});
/// The same with x's shape and dtype.
CAIRN_API Tensor rand_like(const Tensor& x, const DrawOptions& options = {});
CAIRN_API Tensor randn_like(const Tensor& x, const DrawOptions& options = {});
/// int64 in [low, high).
CAIRN_API Tensor randint(int64_t low, int64_t high, const Shape& shape,
                         const DrawOptions& options = {});
/// 0 ... n - 1 in random order, int64.
CAIRN_API Tensor randperm(int64_t n, const DrawOptions& options = {});
/// 1 with the probability p of each element, else 0, in p's shape and dtype. It has no gradient.
/// Throws Error unless each p is in [0, 1].
CAIRN_API Tensor bernoulli(const Tensor& p, const DrawOptions& options = {});

}  // namespace cairn
