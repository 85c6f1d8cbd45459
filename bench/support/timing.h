// Medians of interleaved repetitions, so that what disturbs the machine for a moment disturbs all
// alike; and processor time, so that a busy machine disturbs little. For work on one thread it is
// what a clock on the wall shows on a quiet one.
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

struct Work {
  int64_t units;  // that one run does
  std::function<void()> run;
};

/// For each piece of work the median processor time of a unit, in seconds. The first round only
/// warms up.
inline std::vector<double> measure(const std::vector<Work>& works, int rounds) {
  std::vector<std::vector<double>> times(works.size());
  for (int round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < works.size(); ++i) {
      const std::clock_t start = std::clock();
      works[i].run();
      const auto ticks = static_cast<double>(std::clock() - start);
      if (round > 0)
        times[i].push_back(ticks / CLOCKS_PER_SEC / static_cast<double>(works[i].units));
    }
  }
  std::vector<double> medians;
  for (const auto& t : times) medians.push_back(median(t));
  return medians;
}

}  // namespace bench
