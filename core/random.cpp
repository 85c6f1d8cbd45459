// One sequence of 32-bit draws, from which every number is made by arithmetic of our own: the
// standard library's distributions differ from one implementation to the next.
#include <cairn/core/ops/internal.h>
#include <cairn/core/random.h>

#include <cmath>
#include <locale>
#include <mutex>
#include <numbers>
#include <random>
#include <sstream>

namespace cairn {

struct Generator::State {
  mutable std::mutex mutex;
  std::mt19937 engine;

  uint64_t draw64() {  // the first draw is the high half, as in PyTorch
    const uint64_t high = engine();
    return high << 32 | engine();
  }
  double unit() { return static_cast<double>(draw64() >> 11) * 0x1p-53; }  // [0, 1)
};

namespace {

// [0, n) without bias: what lies beyond the last whole multiple of n is drawn again.
template <class Draw>
uint64_t below(uint64_t n, Draw draw) {
  const uint64_t rest = (UINT64_MAX % n + 1) % n;
  uint64_t value = draw();
  while (value > UINT64_MAX - rest) value = draw();
  return value % n;
}

void check_real(const char* op, DType dtype) {
  check(is_floating(dtype), "{}: {} cannot hold such numbers; make it float32 or float64", op,
        dtype);
}

// The words of a generator's state go through a stream, the standard's only way to them. It throws
// what goes wrong in it, where others would only take note.
struct Words : std::stringstream {
  Words() {
    imbue(std::locale::classic());
    exceptions(badbit);
  }
};

// f(mutable values, count) with x's own values, which must be dense.
template <class F>
void fill(const char* op, Tensor& x, F f) {
  detail::check_raw_write(op, x);
  check(x.is_contiguous(), "{}: {} is not contiguous", op, x.shape());
  check_real(op, x.dtype());
  const auto n = static_cast<std::size_t>(x.numel());
  if (x.dtype() == DType::float32) {
    f(std::span(x.view_of().as<float>(), n));
  } else {
    f(std::span(x.view_of().as<double>(), n));
  }
  ++x.view_of().storage->version;
}

}  // namespace

Generator::Generator(uint64_t seed)
    : state_(detail::no_bad_alloc("generator", [] { return std::make_unique<State>(); })) {
  manual_seed(seed);
}
Generator::~Generator() = default;

void Generator::manual_seed(uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  state_->engine.seed(static_cast<uint32_t>(seed));  // the low half, as in PyTorch
}

Tensor Generator::state() const {
  return detail::no_bad_alloc("state", [&] {
    Words text;
    {
      const std::lock_guard lock(state_->mutex);
      text << state_->engine;
    }
    std::vector<int64_t> words;
    for (int64_t word = 0; text >> word;) words.push_back(word);
    return from_data(words, {static_cast<int64_t>(words.size())});
  });
}

void Generator::set_state(const Tensor& state) {
  detail::no_bad_alloc("set_state", [&] {
    const std::vector<int64_t> words = state.to_vector<int64_t>();
    bool valid = state.dtype() == DType::int64 && words.size() == std::mt19937::state_size + 1 &&
                 words.back() <= static_cast<int64_t>(std::mt19937::state_size);
    for (const int64_t word : words) valid &= word >= 0 && word <= INT64_C(0xffffffff);
    check(valid, "set_state: {} {} is no state of a generator; give what state() gave",
          state.shape(), state.dtype());
    Words text;
    for (const int64_t word : words) text << word << ' ';
    std::mt19937 engine;
    text >> engine;
    const std::lock_guard lock(state_->mutex);
    state_->engine = engine;
  });
}

void Generator::fill_uniform(Tensor& x, double low, double high) {
  check(low <= high && std::isfinite(high - low),
        "fill_uniform: [{}, {}) is no range of finite numbers", low, high);
  fill("fill_uniform", x, [&]<class T>(std::span<T> values) {
    const std::lock_guard lock(state_->mutex);
    const T from = static_cast<T>(low), range = static_cast<T>(high) - from;
    for (T& value : values) {
      const double unit = std::same_as<T, float>
                              ? static_cast<double>(state_->engine() & 0xffffff) * 0x1p-24
                              : static_cast<double>(state_->draw64() & 0x1fffffffffffff) * 0x1p-53;
      value = static_cast<T>(unit * static_cast<double>(range) + static_cast<double>(from));
    }
  });
}

void Generator::fill_normal(Tensor& x) {
  fill("fill_normal", x, [&]<class T>(std::span<T> values) {
    const std::lock_guard lock(state_->mutex);
    for (std::size_t i = 0; i < values.size(); i += 2) {
      const double radius = std::sqrt(-2 * std::log1p(-state_->unit()));
      const double angle = 2 * std::numbers::pi * state_->unit();
      values[i] = static_cast<T>(radius * std::cos(angle));
      if (i + 1 < values.size()) values[i + 1] = static_cast<T>(radius * std::sin(angle));
    }
  });
}

void Generator::fill_integers(Tensor& x, int64_t low, int64_t high) {
  check(low < high, "randint: nothing lies in [{}, {})", low, high);
  detail::check_raw_write("randint", x);
  check(x.is_contiguous() && x.dtype() == DType::int64, "randint: {} {} is not contiguous int64",
        x.shape(), x.dtype());
  const std::lock_guard lock(state_->mutex);
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  int64_t* const values = x.view_of().as<int64_t>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const uint64_t offset = below(count, [&] { return state_->draw64(); });
    values[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + offset);
  }
  ++x.view_of().storage->version;
}

Generator& default_generator() {
  static Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator().manual_seed(seed); }

namespace {

// What is drawn into last of all, so that the generator moves only if nothing has failed.
Tensor undrawn(const char* op, const Shape& shape, const TensorOptions& options) {
  check_real(op, options.dtype);
  return detail::new_tensor(op, shape, options.dtype).requires_grad_(options.requires_grad);
}

}  // namespace

Tensor rand(const Shape& shape, const TensorOptions& options) {
  Tensor x = undrawn("rand", shape, options);
  const NoGrad guard;
  default_generator().fill_uniform(x, 0, 1);
  return x;
}

Tensor randn(const Shape& shape, const TensorOptions& options) {
  Tensor x = undrawn("randn", shape, options);
  const NoGrad guard;
  default_generator().fill_normal(x);
  return x;
}

Tensor rand_like(const Tensor& x) { return rand(x.shape(), {.dtype = x.dtype()}); }
Tensor randn_like(const Tensor& x) { return randn(x.shape(), {.dtype = x.dtype()}); }

Tensor randint(int64_t low, int64_t high, const Shape& shape) {
  Tensor x = detail::new_tensor("randint", shape, DType::int64);
  default_generator().fill_integers(x, low, high);
  return x;
}

Tensor randperm(int64_t n) {
  Tensor x = arange(n, {.dtype = DType::int64});
  int64_t* const values = x.view_of().as<int64_t>();
  // Fisher and Yates, from one run of draws: swap(i) needs a number in [0, i].
  const Tensor draws = n > 1 ? randint(INT64_MIN, INT64_MAX, {n}) : x;
  for (int64_t i = n - 1; i > 0; --i) {
    const auto draw = static_cast<uint64_t>(draws.view_of().as<int64_t>()[i]);
    std::swap(values[i], values[draw % static_cast<uint64_t>(i + 1)]);
  }
  return x;
}

}  // namespace cairn
