// The affinity mask is what taskset and a container's cpuset set. A quota is what a container's
// limit on processor time sets: more threads than it pays for would only wait for each other.
#include <cairn/core/internal/processors.h>

#include <fmt/format.h>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace cairn::detail {
namespace {

int64_t affinity() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return sysconf(_SC_NPROCESSORS_ONLN);
}

std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// The smallest quota of this process's cgroup and of those around it (version 2), or 0.
int64_t find_quota() {
  std::string group;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) group = line.substr(3);
  }
  int64_t least = 0;
  while (true) {
    const int64_t n = parse_quota(first_line("/sys/fs/cgroup" + group + "/cpu.max"));
    if (n > 0) least = least == 0 ? n : std::min(least, n);
    const std::size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

// The first large operation asks, and must not fail for lack of memory: no limit is known then.
int64_t quota() noexcept {
  try {
    return find_quota();
  } catch (const std::exception&) {
    return 0;
  }
}

const char* variable() { return std::getenv("CAIRN_NUM_THREADS"); }

int64_t usable_processors() {
  const int64_t processors = affinity(), paid = quota();
  return std::max<int64_t>(1, paid > 0 ? std::min(processors, paid) : processors);
}

}  // namespace

int64_t parse_threads(const char* text) {
  const char* const end = text + std::strlen(text);
  int64_t n = 0;
  const auto [stop, error] = std::from_chars(text, end, n);
  return error == std::errc() && stop == end && n >= 1 && n <= max_threads ? n : 0;
}

int64_t parse_quota(const std::string& cpu_max) {
  int64_t microseconds = 0, period = 0;
  std::istringstream in(cpu_max);
  if (!(in >> microseconds >> period) || microseconds <= 0 || period <= 0) return 0;
  return std::max<int64_t>(1, microseconds / period);
}

int64_t default_threads() {
  const int64_t asked = variable() != nullptr ? parse_threads(variable()) : 0;
  return asked > 0 ? asked : usable_processors();
}

std::string describe_default_threads() {
  if (variable() != nullptr && parse_threads(variable()) > 0)
    return fmt::format("CAIRN_NUM_THREADS={}", variable());
  std::string text =
      fmt::format("{}, the processors that this process may use", usable_processors());
  if (variable() != nullptr) {
    text += fmt::format("; CAIRN_NUM_THREADS='{}' is ignored, since it is no number from 1 to {}",
                        variable(), max_threads);
  }
  return text;
}

}  // namespace cairn::detail
