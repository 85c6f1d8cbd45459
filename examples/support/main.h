// The main() of an example: parses the command line and prints an error as one line.
#pragma once

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <string>

namespace support {

struct Options {
  int64_t seeds = 5;
  int64_t epochs = 20;
  std::string data = CAIRN_DATA_DIR "/digits.csv";
  std::string plot = {};
};

/// Calls example(options). Returns what main() returns.
inline int run(int argc, char** argv, const std::string& description, Options options,
               void (*example)(const Options&)) {
  CLI::App app(description);
  app.option_defaults()->always_capture_default();
  app.add_option("--seeds", options.seeds, "runs of each kind, each with its own seed")
      ->check(CLI::PositiveNumber);
  app.add_option("--epochs", options.epochs, "passes over the training set")
      ->check(CLI::PositiveNumber);
  app.add_option("--data", options.data, "the file with the digits, one a line");
  app.add_option("--plot", options.plot, "SVG file for a plot of the table; needs gnuplot");
  CLI11_PARSE(app, argc, argv);

  try {
    example(options);
  } catch (const std::exception& error) {  // cairn::Error, or reading or drawing failed
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace support
