// Values in memory, and loops over them on one or more threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace limits {

using std::size_t;

inline int threads = 1;

// Calls f(begin, end) for parts of [0, n), one part for each thread if there is enough work.
template <class F>
void split(size_t n, F f) {
  constexpr size_t least = 500'000;  // to start a thread takes about as long as so many elements
  if (threads == 1 || n < least) return f(size_t{0}, n);
  std::vector<std::thread> others;
  const auto count = static_cast<size_t>(threads);
  const size_t part = (n + count - 1) / count;
  for (size_t begin = part; begin < n; begin += part) {
    others.emplace_back(f, begin, std::min(begin + part, n));
  }
  f(size_t{0}, std::min(part, n));
  for (std::thread& t : others) t.join();
}

// Values in [-1, 1), aligned to a cache line. Copies share them.
class Floats {
 public:
  explicit Floats(size_t n)
      : size_(n), data_(static_cast<float*>(::operator new (n * 4, std::align_val_t{64})), Free{}) {
    unsigned state = 1;
    for (size_t i = 0; i < n; ++i) {
      state = state * 1664525 + 1013904223;
      data()[i] = static_cast<float>(state >> 8) / (1 << 23) - 1;
    }
  }
  float* data() const { return data_.get(); }
  operator float*() const { return data(); }  // NOLINT(google-explicit-constructor)
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  size_t size_;
  std::shared_ptr<float> data_;
};

// A step of SGD with momentum.
inline void sgd(const Floats& p, const Floats& g, const Floats& momentum, float decay = 0) {
  split(p.size(), [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      momentum[i] = 0.9F * momentum[i] + g[i] + decay * p[i];
      p[i] -= 1e-6F * momentum[i];
    }
  });
}

}  // namespace limits
