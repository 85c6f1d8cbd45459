// Reading a program: bytes become numbers, shapes, options and tensors, sensible or absurd.
#pragma once

#include "fuzz/world.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace cairn::fuzz {

class Program {
 public:
  Program(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  bool done() const { return at_ == end_; }
  const uint8_t* position() const { return at_; }
  void rewind(const uint8_t* to) { at_ = to; }

  uint8_t byte() { return done() ? uint8_t{0} : *at_++; }
  bool flag() { return byte() % 2 == 1; }
  template <class T, std::size_t N>
  T one_of(const T (&values)[N]) {
    return values[byte() % N];
  }
  DType dtype() { return one_of({DType::float32, DType::float64, DType::int64}); }

  /// A dimension, an index, a count: mostly a small one.
  int64_t number() { return small_or_absurd(-4, 9); }
  int64_t size() { return small_or_absurd(0, 6); }
  Shape shape() {
    return list<Shape>([this] { return size(); });
  }
  Dims dims() {
    return list<Dims>([this] { return number(); });
  }
  /// Sizes of which some may be negative.
  Shape sizes() {
    return list<Shape>([this] { return number(); });
  }
  Scalar scalar() {
    using Limits = std::numeric_limits<double>;
    const uint8_t b = byte();
    if (b < 128) return b % 16 - 4;
    if (b < 192) return (b % 16 - 4) * 0.375;
    if (b >= 252) return b % 2 == 0 ? INT64_MAX : INT64_MIN;
    static constexpr double special[]{-0.0,
                                      1e300,
                                      -1e300,
                                      1e-300,
                                      Limits::infinity(),
                                      -Limits::infinity(),
                                      1e38,
                                      Limits::denorm_min(),
                                      Limits::quiet_NaN(),
                                      1e-8};
    return special[b % std::size(special)];
  }
  double real() { return scalar().to<double>(); }
  TensorOptions options() {
    const DType kind = dtype();
    return {.dtype = kind, .requires_grad = flag()};
  }

 private:
  int64_t small_or_absurd(int64_t low, int64_t count) {
    const uint8_t b = byte();
    if (b < 216) return low + b % count;
    static constexpr int64_t absurd[]{
        INT64_MIN,        INT64_MIN + 1,       INT64_MAX,           INT64_MAX - 1, int64_t{1} << 62,
        int64_t{1} << 32, -(int64_t{1} << 62), int64_t{3037000500}, 4096,          65537};
    return absurd[b % std::size(absurd)];
  }
  template <class List, class F>
  List list(F item) {
    const uint8_t b = byte();
    List result;
    for (int i = b < 240 ? b % 5 : b % 10; i > 0; --i) result.push_back(item());
    return result;
  }

  const uint8_t *at_, *end_;
};

// A call's arguments. The tensors come from the pool; or, when a call is repeated to compare, they
// are contiguous copies of what they were before it.
class Args {
 public:
  Args(Program& program, World& its_world) : p(program), world(its_world) {}

  Tensor tensor() {
    const uint8_t b = p.byte();
    if (repeating_) return copies_.at(next_++);
    Tensor x = b == 255 ? Tensor() : world.pool[b % 8];
    copies_.push_back(x.defined() ? x.detach().clone() : x);
    return x;
  }
  std::vector<Tensor> tensors() {
    std::vector<Tensor> all;
    for (int i = p.byte() % 4; i > 0; --i) all.push_back(tensor());
    return all;
  }
  void repeat() { repeating_ = true; }
  bool has_tensors() const { return !copies_.empty(); }

  Program& p;
  World& world;

 private:
  std::vector<Tensor> copies_;
  std::size_t next_ = 0;
  bool repeating_ = false;
};

}  // namespace cairn::fuzz
