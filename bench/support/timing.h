// Measures the median processor time of interleaved runs. A short disturbance then affects all
// subjects alike. Processor time depends little on other programs; for work on one thread it equals
// the elapsed time on an idle machine. Only the calling thread's time counts, because OpenBLAS
// starts a thread that waits actively for some tens of milliseconds, even if it gets no work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <vector>

namespace bench {

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The processor time of the calling thread.
inline double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Work {
  int64_t units;  // done by one run
  std::function<void()> run;
};

/// Returns, for each piece of work, the median processor time of one unit, in seconds. The first
/// round warms up and does not count.
inline std::vector<double> measure(const std::vector<Work>& works, int rounds) {
  std::vector<std::vector<double>> times(works.size());
  for (int round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < works.size(); ++i) {
      const double start = thread_seconds();
      works[i].run();
      const double seconds = thread_seconds() - start;
      if (round > 0) times[i].push_back(seconds / static_cast<double>(works[i].units));
    }
  }
  std::vector<double> medians;
  for (const auto& t : times) medians.push_back(median(t));
  return medians;
}

}  // namespace bench
