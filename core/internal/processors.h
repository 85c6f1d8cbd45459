// How many threads an op uses unless set_num_threads() says otherwise.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::detail {

/// The number that the environment variable CAIRN_NUM_THREADS gives, or else the number of
/// processors that this process may use: those of its affinity mask, and no more than its cgroup's
/// quota of processor time pays for. At least 1.
int64_t default_threads();

/// The same as text, with where the number comes from.
std::string describe_default_threads();

/// The parts of default_threads(). A text that is no number from 1 to max_threads gives 0.
int64_t parse_threads(const char* text);
/// The processors that a quota in a cgroup's file cpu.max pays for: "150000 100000" gives 1, "max
/// 100000" gives 0 for no limit, as does what cannot be read.
int64_t parse_quota(const std::string& cpu_max);

inline constexpr int64_t max_threads = 4096;  // each thread is started, so bound their number

}  // namespace cairn::detail
