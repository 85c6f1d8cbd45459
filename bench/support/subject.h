// The work that is measured in Cairn and in each peer. A subject is a program whose main() calls
// answer(). Its options are
//   --figures           prints the seconds of a step, of z * w (a tensor), and of z * 1.001
//   --one-gradient      prints one gradient and ends
//   --compile-command   prints a command that compiles its header alone, one word on each line
#pragma once

#include "support/timing.h"

#include <cstdio>
#include <string>
#include <string_view>

namespace bench {

inline constexpr const char* figure_names[] = {
    "SimpleModel, a whole step", "z = z * w, and its backward", "z = z * 1.001, and its backward"};
inline constexpr int64_t steps = 200;
inline constexpr int64_t chain_length = 1000;

/// Each function does one step, or one chain of multiplications with its backward.
struct Subject {
  std::function<void()> step;  // zero_grad, forward, loss, backward, step; batches of 32
  std::function<void()> chain_of_tensors;
  std::function<void()> chain_of_numbers;
};

inline std::vector<double> measure(const Subject& subject, int rounds) {
  const auto many_steps = [&] {
    for (int64_t i = 0; i < steps; ++i) subject.step();
  };
  return measure({{steps, many_steps},
                  {chain_length, subject.chain_of_tensors},
                  {chain_length, subject.chain_of_numbers}},
                 rounds);
}

/// BENCH_CXX and BENCH_INCLUDES come from CMake.
inline std::vector<std::string> compile_command(const std::string& header) {
  std::vector<std::string> words = {BENCH_CXX, "-std=c++20", "-O2"};
  const std::string folders = BENCH_INCLUDES;  // separated by colons
  for (std::size_t at = 0; at < folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    words.push_back("-I" + folders.substr(at, end - at));
    at = end + 1;
  }
  words.insert(words.end(),
               {"-include", header, "-x", "c++", "-c", "-o", "/dev/null", "/dev/null"});
  return words;
}

/// `prepare` creates the Subject, for one thread. Returns the result of main().
template <class Prepare, class OneGradient>
int answer(std::string_view question, Prepare prepare, OneGradient one_gradient,
           const char* header) {
  if (question == "--figures") {
    for (const double seconds : measure(prepare(), 21)) std::printf("%.9g\n", seconds);
  } else if (question == "--one-gradient") {
    one_gradient();
  } else if (question == "--compile-command") {
    for (const std::string& word : compile_command(header)) std::printf("%s\n", word.c_str());
  } else {
    return 2;
  }
  return 0;
}

}  // namespace bench
