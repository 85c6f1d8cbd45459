// Runs programs as child processes and measures their time and memory.
#pragma once

#include "support/timing.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <stdexcept>

namespace bench {

struct Usage {
  double seconds = 0;  // of processor time
  double bytes = 0;    // of memory, at the peak
  std::string output;
};

/// Runs a program to its end. Throws std::runtime_error if it fails.
inline Usage run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);

  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Usage result;
  char text[4096];
  for (ssize_t n = 0; (n = read(ends[0], text, sizeof text)) > 0;) {
    result.output.append(text, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = -1;
  rusage usage{};
  if (error != 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
    throw std::runtime_error(words[0] + " could not be run");
  }
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  result.seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  result.bytes = static_cast<double>(usage.ru_maxrss) * 1024;
  return result;
}

/// Returns the medians of several runs. A child's peak memory starts at that of its parent, so call
/// this while this program is still small.
inline Usage run(const std::vector<std::string>& words, int times) {
  std::vector<double> seconds, bytes;
  for (int i = 0; i < times; ++i) {
    const Usage once = run(words);
    seconds.push_back(once.seconds);
    bytes.push_back(once.bytes);
  }
  return {median(seconds), median(bytes), {}};
}

}  // namespace bench
