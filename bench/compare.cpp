// Compares Cairn with its peers: runs their programs alternately, many times each, and prints the
// medians. Each peer is a program of its own, since some export a BLAS that Cairn would then call.
#include <cairn/cairn.h>

#include "support/process.h"
#include "support/subject.h"

#include <filesystem>
#include <sstream>

namespace {

namespace fs = std::filesystem;

constexpr int rounds = 15;

std::vector<std::string> lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> result;
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

struct Figure {
  const char* name;
  double scale;
  const char* unit;
  std::vector<double> cairn = {}, peer = {};
};

void compare(const std::string& cairn, const std::string& peer) {
  std::vector<Figure> figures = {{bench::figure_names[0], 1e6, "us"},
                                 {bench::figure_names[1], 1e9, "ns"},
                                 {bench::figure_names[2], 1e9, "ns"},
                                 {"compiling the header", 1, "s"},
                                 {"a program that prints one gradient", 1e3, "ms"},
                                 {"its memory at the peak", 1e-6, "MB"}};

  const auto take = [&](const std::string& program, std::vector<double> Figure::*side,
                        bool compiles) {
    const bench::Usage start = bench::run({program, "--one-gradient"});
    (figures[4].*side).push_back(start.seconds);
    (figures[5].*side).push_back(start.bytes);
    if (compiles) {
      const auto command = lines(bench::run({program, "--compile-command"}).output);
      (figures[3].*side).push_back(bench::run(command).seconds);
    }
    std::size_t i = 0;
    for (const std::string& line : lines(bench::run({program, "--figures"}).output)) {
      (figures.at(i++).*side).push_back(std::stod(line));
    }
  };
  for (int round = 0; round < rounds; ++round) {
    const bool compiles = round % 5 == 0;  // it is slow, and few samples suffice
    take(cairn, &Figure::cairn, compiles);
    take(peer, &Figure::peer, compiles);
  }

  fmt::print("{:<34} {:>11} {:>12} {:>7}\n", "", "cairn", fs::path(peer).filename().string(),
             "ratio");
  for (const Figure& f : figures) {
    const double ours = bench::median(f.cairn), theirs = bench::median(f.peer);
    fmt::print("{:<34} {:>8.2f} {:<2} {:>9.2f} {:<2} {:>7.1f}\n", f.name, ours * f.scale, f.unit,
               theirs * f.scale, f.unit, theirs / ours);
  }
}

}  // namespace

int main() {
  try {
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    const fs::path peers = here.parent_path() / "peers";
    if (!fs::exists(peers)) {
      fmt::print("no peer was built; bench/README.md says how\n");
      return 0;
    }
    fmt::print("{}\nthreads: 1\n", cairn::build_info());
    for (const auto& peer : fs::directory_iterator(peers)) {
      fmt::print("\n");
      compare(here / "budgets", peer.path());
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
