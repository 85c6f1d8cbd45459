// All numbers come from one sequence of 32-bit draws, by PyTorch's formulas, so that a seed gives
// the same numbers in both. (The distributions of C++ differ from one standard library to another.)
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/ops.h>
#include <cairn/core/random.h>

#include <bit>
#include <cmath>
#include <locale>
#include <mutex>
#include <numbers>
#include <numeric>
#include <optional>
#include <random>
#include <sstream>
#include <utility>

namespace cairn {

struct Generator::State {
  mutable std::mutex mutex;
  std::mt19937 engine;
  std::optional<double> spare_normal;  // normal() computes two at a time

  uint64_t draw64() {  // the first draw is the high half
    const uint64_t high = engine();
    return high << 32 | engine();
  }

  // Uniform in [0, 1), with as many random bits as T's significand has.
  template <class T>
  T unit() {
    if constexpr (std::same_as<T, float>) {
      return static_cast<float>(engine() & 0xffffff) * 0x1p-24F;
    } else {
      return static_cast<double>(draw64() & 0x1fffffffffffff) * 0x1p-53;
    }
  }

  double normal() {
    if (spare_normal) return *std::exchange(spare_normal, std::nullopt);
    const double angle = 2 * std::numbers::pi * unit<double>();
    const double radius = std::sqrt(-2 * std::log1p(-unit<double>()));
    spare_normal = radius * std::sin(angle);
    return radius * std::cos(angle);
  }

  // Turns 16 uniform numbers into normal ones: the first eight give radii, the others angles.
  template <class T>
  void fill_block(std::span<T, 16> values) {
    for (std::size_t i = 0; i < 8; ++i) {
      const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(values[i])));
      const double angle = 2 * std::numbers::pi * static_cast<double>(values[i + 8]);
      values[i] = static_cast<T>(radius * std::cos(angle));
      values[i + 8] = static_cast<T>(radius * std::sin(angle));
    }
  }
};

namespace {

void check_real(const char* op, const Shape& shape, DType dtype) {
  check(is_floating(dtype), "{}: {} {} cannot hold fractions; make it float32 or float64", op,
        dtype, shape);
}

void check_dense(const char* op, const Tensor& x) {
  check(x.is_contiguous(), "{}: {} is not contiguous; fill a new tensor and copy_() it", op,
        x.shape());
}

void check_interval(const char* op, int64_t low, int64_t high) {
  check(low < high, "{}: there is nothing in [{}, {}); low must be less than high", op, low, high);
}

// The words of an engine's state can be read and set only through a stream. This one throws if an
// operation on it fails, where a plain stream would only set a flag.
struct Words : std::stringstream {
  Words() {
    imbue(std::locale::classic());
    exceptions(badbit);
  }
};

// Calls f with a span of x's values, for f to set. x must be contiguous.
template <class F>
void fill(const char* op, Tensor& x, F f) {
  detail::check_raw_write(op, x);
  check_dense(op, x);
  check_real(op, x.shape(), x.dtype());
  const auto n = static_cast<std::size_t>(x.numel());
  detail::dispatch_floating(x.dtype(),
                            [&]<class T>(T) { f(std::span(detail::begin_write<T>(x), n)); });
}

}  // namespace

Generator::Generator(uint64_t seed) : state_(std::make_unique<State>()) { manual_seed(seed); }
Generator::~Generator() = default;

void Generator::manual_seed(uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  state_->engine.seed(static_cast<uint32_t>(seed));  // the low 32 bits
  state_->spare_normal.reset();
}

// A state is the engine's words; then 1 if there is a spare normal number, else 0; then its bits.
constexpr std::size_t engine_words = std::mt19937::state_size + 1;

Tensor Generator::state() const {
  Words text;
  std::optional<double> spare;
  {
    const std::lock_guard lock(state_->mutex);
    text << state_->engine;
    spare = state_->spare_normal;
  }
  std::vector<int64_t> words;
  for (int64_t word = 0; text >> word;) words.push_back(word);
  words.push_back(spare.has_value());
  words.push_back(std::bit_cast<int64_t>(spare.value_or(0)));
  return from_data(words, {static_cast<int64_t>(words.size())});
}

struct Generator::Position {
  std::mt19937 engine;
  std::optional<double> spare_normal;

  // What state() has written; nothing for any other tensor.
  static std::optional<Position> read(const Tensor& state) {
    const std::vector<int64_t> words = state.to_vector<int64_t>();
    bool valid = state.dtype() == DType::int64 && words.size() == engine_words + 2 &&
                 words[engine_words - 1] <= static_cast<int64_t>(std::mt19937::state_size) &&
                 (words[engine_words] == 0 || words[engine_words] == 1);
    for (std::size_t i = 0; valid && i < engine_words; ++i) {
      valid = words[i] >= 0 && words[i] <= INT64_C(0xffffffff);
    }
    if (!valid) return std::nullopt;
    Words text;
    for (std::size_t i = 0; i < engine_words; ++i) text << words[i] << ' ';
    Position position;
    text >> position.engine;
    if (words[engine_words] != 0) {
      position.spare_normal = std::bit_cast<double>(words[engine_words + 1]);
    }
    return position;
  }
};

void Generator::move_to(const Position& position) {
  const std::lock_guard lock(state_->mutex);
  state_->engine = position.engine;
  state_->spare_normal = position.spare_normal;
}

void Generator::set_state(const Tensor& state) {
  detail::check_defined("set_state", state);
  const auto position = Position::read(state);
  check(position.has_value(), "set_state: {} {} is no state of a generator; give what state() gave",
        state.shape(), state.dtype());
  move_to(*position);
}

void Generator::plan_load(LoadPlan& plan, const Tensor& state) {
  const auto position = state.defined() ? Position::read(state) : std::nullopt;
  if (!position) return plan.problem("generator: the tensor given is no state of a generator");
  plan.then([this, to = *position] { move_to(to); });
}

void Generator::fill_uniform(Tensor& x, double low, double high) {
  check(low <= high && std::isfinite(high - low),
        "fill_uniform: [{}, {}) is no range of finite numbers", low, high);
  fill("fill_uniform", x, [&]<class T>(std::span<T> values) {
    const std::lock_guard lock(state_->mutex);
    const T from = static_cast<T>(low), range = static_cast<T>(high) - from;
    for (T& value : values) {
      const auto unit = static_cast<double>(state_->unit<T>());
      value = static_cast<T>(unit * static_cast<double>(range) + static_cast<double>(from));
    }
  });
}

void Generator::fill_normal(Tensor& x) {
  fill("fill_normal", x, [&]<class T>(std::span<T> values) {
    const std::lock_guard lock(state_->mutex);
    const std::size_t n = values.size();
    if (n < 16) {
      for (T& value : values) value = static_cast<T>(state_->normal());
      return;
    }
    for (T& value : values) value = state_->unit<T>();
    for (std::size_t i = 0; i + 16 <= n; i += 16) {
      state_->fill_block(values.subspan(i).template first<16>());
    }
    if (n % 16 != 0) {  // the last 16, some of them again, with new draws
      const auto last = values.template last<16>();
      for (T& value : last) value = state_->unit<T>();
      state_->fill_block(last);
    }
  });
}

namespace {

// The same for int64.
template <class F>
void fill_int64(const char* op, Tensor& x, F f) {
  detail::check_raw_write(op, x);
  check(x.dtype() == DType::int64, "{}: the tensor {} is {}, not int64", op, x.shape(), x.dtype());
  check_dense(op, x);
  f(std::span(detail::begin_write<int64_t>(x), static_cast<std::size_t>(x.numel())));
}

}  // namespace

void Generator::fill_integers(Tensor& x, int64_t low, int64_t high) {
  check_interval("fill_integers", low, high);
  fill_int64("fill_integers", x, [&](std::span<int64_t> values) {
    const std::lock_guard lock(state_->mutex);
    const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    const bool narrow = count < uint64_t{1} << 28;
    for (int64_t& value : values) {
      const uint64_t draw = narrow ? state_->engine() : state_->draw64();
      value = static_cast<int64_t>(static_cast<uint64_t>(low) + draw % count);
    }
  });
}

void Generator::fill_permutation(Tensor& x) {
  fill_int64("fill_permutation", x, [&](std::span<int64_t> values) {
    const std::lock_guard lock(state_->mutex);
    std::iota(values.begin(), values.end(), 0);
    const bool narrow = values.size() < UINT32_MAX / 20;
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {  // Fisher-Yates
      const uint64_t draw = narrow ? state_->engine() : state_->draw64();
      std::swap(values[i], values[i + draw % (values.size() - i)]);
    }
  });
}

// A child of fork() must not find the lock held by a thread that it does not have.
Generator& default_generator() {
  static Generator generator;
  [[maybe_unused]] static const bool registered = [] {
    const auto unlock = [] { default_generator().state_->mutex.unlock(); };
    detail::at_fork([] { default_generator().state_->mutex.lock(); }, unlock, unlock);
    return true;
  }();
  return generator;
}

void manual_seed(uint64_t seed) { default_generator().manual_seed(seed); }

namespace {

Generator& chosen(Generator* generator) {
  return generator != nullptr ? *generator : default_generator();
}

// All that can fail comes before the first draw, so that a failure leaves the generator as it was.
Tensor new_real_tensor(const char* op, const Shape& shape, const RandomOptions& options) {
  check_real(op, shape, options.dtype);
  return detail::new_tensor(op, shape, options.dtype).requires_grad_(options.requires_grad);
}

Tensor uniform(const char* op, const Shape& shape, const RandomOptions& options) {
  Tensor x = new_real_tensor(op, shape, options);
  const NoGrad guard;
  chosen(options.generator).fill_uniform(x, 0, 1);
  return x;
}

Tensor normal(const char* op, const Shape& shape, const RandomOptions& options) {
  Tensor x = new_real_tensor(op, shape, options);
  const NoGrad guard;
  chosen(options.generator).fill_normal(x);
  return x;
}

}  // namespace

Tensor rand(const Shape& shape, const RandomOptions& options) {
  return uniform("rand", shape, options);
}

Tensor randn(const Shape& shape, const RandomOptions& options) {
  return normal("randn", shape, options);
}

Tensor rand_like(const Tensor& x, const DrawOptions& options) {
  detail::check_defined("rand_like", x);
  return uniform("rand_like", x.shape(), {.dtype = x.dtype(), .generator = options.generator});
}
Tensor randn_like(const Tensor& x, const DrawOptions& options) {
  detail::check_defined("randn_like", x);
  return normal("randn_like", x.shape(), {.dtype = x.dtype(), .generator = options.generator});
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, const DrawOptions& options) {
  check_interval("randint", low, high);
  Tensor x = detail::new_tensor("randint", shape, DType::int64);
  chosen(options.generator).fill_integers(x, low, high);
  return x;
}

Tensor randperm(int64_t n, const DrawOptions& options) {
  check(n >= 0, "randperm: {} numbers; the number must not be negative", n);
  Tensor x = detail::new_tensor("randperm", {n}, DType::int64);
  chosen(options.generator).fill_permutation(x);
  return x;
}

Tensor bernoulli(const Tensor& p, const DrawOptions& options) {
  detail::check_floating("bernoulli", p);
  const NoGrad guard;
  const Tensor in_range = (p >= 0) & (p <= 1);
  check(in_range.sum().item<int64_t>() == p.numel(),
        "bernoulli: {} has a value that is no probability; give 0 to 1", p.shape());
  Tensor y = detail::new_tensor("bernoulli", p.shape(), p.dtype());
  const Tensor exact = p.to(DType::float64);
  const Tensor draws =
      uniform("bernoulli", p.shape(), {.dtype = DType::float64, .generator = options.generator});
  return y.copy_(draws < exact);
}

}  // namespace cairn
