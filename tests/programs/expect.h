// What the programs here check their own results with.
#pragma once

#include <cairn/cairn.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

/// Ends the program with status 1 and a message if `ok` is false.
template <class... Args>
void expect(bool ok, fmt::format_string<Args...> message, Args&&... args) {
  if (ok) return;
  fmt::print(stderr, "failed: {}\n", fmt::format(message, std::forward<Args>(args)...));
  std::exit(1);
}
