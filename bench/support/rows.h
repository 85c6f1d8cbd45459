// The frame of a program that is measured: a table of rows by name, and the command line by which
// run.py asks for one of them. Each library has such a program, and so has the limit.
//   --list             prints the names of the rows
//   --about            prints the library's version and what it found on this machine
//   ROW THREADS        prints the seconds of one unit of a row
//   --memory ROW       prints the heap's bytes at the peak of one run, above those at its start
//   --one-gradient     prints one gradient, and the program's memory at the peak, in bytes
//   --compile-command  prints a command that compiles the library's header, one word on each line
#pragma once

#include <dlfcn.h>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

using Run = std::function<void()>;

struct Row {
  std::string name;
  std::function<Run()> prepare;  // creates what the row works on, and returns one run of it
  int64_t units = 1;             // what is counted in one run, such as the links of a chain
};

/// What differs between the libraries, besides the rows.
struct Library {
  std::function<void(int)> set_threads;
  std::function<std::string()> about;
  std::function<void()> one_gradient = {};
  std::function<void()> release_cache = [] {};
  const char* header = "";
};

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

inline double seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The median time of one run. With one thread it is the processor time of the calling thread, on
/// which other programs have little influence. With several threads it is the elapsed time.
/// Samples of several runs each take at least 2 ms. There are at least 3 samples, and more within
/// 0.15 s. Runs before that warm up the caches, for 0.1 s. Until then a thread of OpenBLAS waits
/// actively, perhaps on the same core.
inline double measure(const Run& run, int threads) {
  constexpr double warm_up = 0.1, sample = 2e-3, total = 0.15;
  for (const double start = seconds(CLOCK_MONOTONIC); seconds(CLOCK_MONOTONIC) - start < warm_up;) {
    run();
  }
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const auto time_of = [&](int64_t runs) {
    const double start = seconds(clock);
    for (int64_t i = 0; i < runs; ++i) run();
    return seconds(clock) - start;
  };
  int64_t runs = 1;
  while (time_of(runs) < sample) runs *= 2;
  std::vector<double> samples;
  for (double spent = 0; samples.size() < 3 || spent < total;) {
    const double time = time_of(runs);
    spent += time;
    samples.push_back(time / static_cast<double>(runs));
  }
  return median(samples);
}

/// The bytes of the heap that one run adds at its peak. heap.cpp counts them, if it is preloaded.
inline int64_t peak_of(const Run& run, const Library& library) {
  const auto find = [](const char* name) {
    void* const f = dlsym(RTLD_DEFAULT, name);
    if (f == nullptr) {
      std::fprintf(stderr, "error: --memory needs libheap.so in LD_PRELOAD\n");
      std::exit(2);
    }
    return f;
  };
  const auto start = reinterpret_cast<void (*)()>(find("bench_heap_start"));
  const auto peak = reinterpret_cast<int64_t (*)()>(find("bench_heap_peak"));
  for (int i = 0; i < 3; ++i) run();
  library.release_cache();
  start();
  run();
  return peak();
}

/// The peak of this program's memory. The parent's, which wait4() would count, is not in it.
inline void print_peak_memory() {
  std::FILE* const status = std::fopen("/proc/self/status", "r");
  char line[256];
  long long kilobytes = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::sscanf(line, "VmHWM: %lld", &kilobytes) == 1) break;
  }
  if (status != nullptr) std::fclose(status);
  std::printf("%lld\n", kilobytes * 1024);
}

/// BENCH_CXX and BENCH_INCLUDES come from CMake.
inline void print_compile_command(const char* header) {
  std::printf("%s\n-std=c++20\n-O2\n", BENCH_CXX);
  const std::string folders = BENCH_INCLUDES;  // separated by colons
  for (std::size_t at = 0; at < folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    std::printf("-I%s\n", folders.substr(at, end - at).c_str());
    at = end + 1;
  }
  std::printf("-include\n%s\n-x\nc++\n-c\n-o\n/dev/null\n/dev/null\n", header);
}

/// The body of main().
inline int answer(const std::vector<std::string>& words, const std::vector<Row>& rows,
                  const Library& library) {
  const auto row = [&](const std::string& name) -> const Row& {
    for (const Row& r : rows) {
      if (r.name == name) return r;
    }
    std::fprintf(stderr, "error: there is no row %s\n", name.c_str());
    std::exit(2);
  };
  const std::string first = words.empty() ? "" : words[0];
  if (first == "--list") {
    for (const Row& r : rows) std::printf("%s\n", r.name.c_str());
  } else if (first == "--about") {
    std::printf("%s\n", library.about().c_str());
  } else if (first == "--one-gradient") {
    library.one_gradient();
    print_peak_memory();
  } else if (first == "--compile-command") {
    print_compile_command(library.header);
  } else if (first == "--memory" && words.size() == 2) {
    library.set_threads(1);
    const Row& r = row(words[1]);
    std::printf("%lld\n", static_cast<long long>(peak_of(r.prepare(), library)));
  } else if (words.size() == 2) {
    const int threads = std::stoi(words[1]);
    library.set_threads(threads);
    const Row& r = row(first);
    std::printf("%.6g\n", measure(r.prepare(), threads) / static_cast<double>(r.units));
  } else {
    std::fprintf(stderr, "usage: --list | --about | ROW THREADS | --memory ROW | ...\n");
    return 2;
  }
  return 0;
}

}  // namespace bench
