// Random sequences of calls on a batch norm layer, beside the reference of the specification.
//
// A run is a random sequence of calls on one layer, from its construction on: forwards, backwards,
// changes of mode, loading, freezing and so on. After each call the test compares everything that
// the layer shows with the reference. The reference then takes over the layer's own numbers, so
// that every call is compared by itself and rounding errors do not add up.
#pragma once

#include "support/reference_norm.h"

#include <cairn/core/tensor.h>
#include <cairn/nn/stats.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cairn::test {

/// Where the layer is not what the reference says.
struct Difference : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
void same(const std::string& what, const T& actual, const T& expected) {
  if (actual != expected) {
    throw Difference(fmt::format("{}: {} where {} is expected", what, actual, expected));
  }
}

/// A sequence of calls, drawn from a seed.
class NormRun {
 public:
  explicit NormRun(uint64_t seed);

  /// Throws Difference.
  void go();
  /// What has happened, a step a line.
  const std::string& history() const { return history_; }
  /// How often each kind of step was taken.
  const std::map<std::string, int64_t>& events() const { return events_; }

 private:
  using Numbers = ReferenceNorm::Numbers;
  using Batch = ReferenceNorm::Batch;
  using Reference = std::shared_ptr<ReferenceNorm>;

  // A forward whose gradient is still to be asked for, and what it will have to be.
  struct Pending {
    Tensor x, y, dy;
    ReferenceNorm::Statistics used;
    ReferenceNorm::Gradients expected;
    Numbers gamma;
    bool trains_weight, trains_bias;
  };

  // ---- drawing ----
  uint64_t below(uint64_t n) { return random_() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1p-53;
  }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  nn::StatsMode some_mode() {
    return one_of({nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen});
  }
  std::string some_record() { return one_of<std::string>({"main", "main", "adversarial", "b"}); }

  // ---- making ----
  std::unique_ptr<nn::BatchNorm> make_layer();
  std::unique_ptr<nn::BatchNorm> same_options() const;
  Reference of_options() const { return std::make_shared<ReferenceNorm>(channels_, options_); }

  // ---- steps ----
  void steps(uint64_t count);
  void step();
  void forward();
  void backward();
  void assign();
  void freeze();
  void learn();
  void estimate();
  void load();
  void replace_layer();
  void move();
  void scope();
  template <class Guard, class Open, class Begin, class End>
  void inside(const std::string& text, Open open, Begin begin, End end);

  Tensor some_input();
  Tensor some_values(const Shape& shape, bool finite);

  // ---- comparing ----
  template <class F, class G>
  bool both(const std::string& text, F of_layer, G of_reference);
  void log(const std::string& text) { history_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void compare_output(const Tensor& y, const Batch& x, const ReferenceNorm::Statistics& used) const;
  void compare_record(const std::string& name, const Tensor& mean, const Tensor& var,
                      const Tensor& count, ReferenceNorm::Record& expected) const;
  void compare_state() const;

  std::mt19937_64 random_;
  std::string history_;
  std::map<std::string, int64_t> events_;
  std::size_t depth_ = 0;

  int64_t dims_ = 1;
  std::size_t channels_ = 1;
  nn::BatchNormOptions options_;
  DType dtype_ = DType::float64;
  std::unique_ptr<nn::BatchNorm> layer_;
  Reference reference_;
  struct {
    double mean, var;
  } estimated_ = {};    // no mean and variance of a batch in this step's estimate is larger
  double largest_ = 3;  // of all inputs, and of what is assigned
  std::vector<Pending> pending_;
  std::optional<nn::StatsSnapshot> snapshot_;
  ReferenceNorm::Records snapshot_records_;
  bool trains_weight_ = true, trains_bias_ = true;
};

// The same to the layer and to the reference. Either both refuse or none does; says which.
template <class F, class G>
bool NormRun::both(const std::string& text, F of_layer, G of_reference) {
  log(text);
  ++events_[text.substr(0, text.find(' '))];
  bool refused = false, refuses = false;
  try {
    of_layer();
  } catch (const Error& error) {
    refused = true;
    log(fmt::format("  refused: {}", error.what()));
  }
  try {
    of_reference();
  } catch (const ReferenceNorm::Refused&) {
    refuses = true;
  }
  same("refused", refused, refuses);
  events_["refused"] += refused;
  return !refused;
}

}  // namespace cairn::test
