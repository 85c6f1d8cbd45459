// Draws a table with gnuplot.
#pragma once

#include "table.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

namespace support {

/// Construct it before long work, so that a missing gnuplot or a bad path is reported first.
class Plot {
 public:
  /// An empty path draws nothing. Throws std::runtime_error if there is no gnuplot, or the file
  /// cannot be written.
  explicit Plot(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) {
      throw std::runtime_error(
          "--plot draws by gnuplot, which is not on the PATH; on Debian: apt-get install "
          "gnuplot-nox");
    }
    std::FILE* const file = std::fopen(path_.c_str(), "a");
    if (file == nullptr) throw std::runtime_error(path_ + ": " + std::strerror(errno));
    std::fclose(file);
  }

  /// Draws means as bars with standard deviations: a group for each row, a colour for each column.
  void bars(const Table& table) const {
    if (path_.empty()) return;
    std::string script = fmt::format(
        "set terminal svg size {},440 font 'sans,12' background 'white'\n"
        "set output {}\n"
        "set title {} font ',14' noenhanced\n"
        "set style data histograms\n"
        "set style histogram errorbars gap 1 lw 1\n"
        "set style fill solid noborder\n"
        "set errorbars 0.6 lc rgb '#333333'\n"
        "set xrange [-0.6:{}]\nset yrange [0:1.02]\n"
        "set bmargin 4\nset ytics 0.2 nomirror\nset grid y\nset border 3\n"
        "set key outside right top noenhanced\n"
        "set xtics nomirror scale 0 noenhanced ({})\n"
        "$rows << EOD\n",
        240 + 120 * table.rows().size(), quoted(path_), quoted(table.title()),
        static_cast<double>(table.rows().size()) - 0.4, labels(table));
    for (const Table::Row& row : table.rows()) {
      for (const Table::Cell& c : row.cells) {
        script += fmt::format("{} {} ", c.mean(), c.deviation());
      }
      script += '\n';
    }
    script += "EOD\nplot";
    constexpr const char* colours[] = {"#4477aa", "#ee6677", "#ccbb44", "#228833"};
    for (std::size_t i = 0; i < table.columns().size(); ++i) {
      script +=
          fmt::format("{} $rows using {}:{} lc rgb '{}' title {}", i == 0 ? "" : ",", 2 * i + 1,
                      2 * i + 2, colours[i % std::size(colours)], quoted(table.columns()[i]));
    }
    run(script + "\n");
    fmt::print("\ndrawn in {}\n", path_);
  }

 private:
  static std::string quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
    return result + "'";
  }

  /// The names of the rows as axis labels, with a line break after the first colon.
  static std::string labels(const Table& table) {
    std::string result;
    for (std::size_t i = 0; i < table.rows().size(); ++i) {
      std::string name = table.rows()[i].name;
      if (const auto colon = name.find(": "); colon != std::string::npos) {
        name.replace(colon, 2, ":\\n");
      }
      result += fmt::format("{}\"{}\" {}", i == 0 ? "" : ", ", name, i);
    }
    return result;
  }

  static void run(const std::string& script) {
    std::signal(SIGPIPE, SIG_IGN);  // if gnuplot ends early, fwrite() fails instead
    std::FILE* const gnuplot = popen("gnuplot", "w");
    if (gnuplot == nullptr) {
      throw std::runtime_error(fmt::format("gnuplot cannot be started: {}", std::strerror(errno)));
    }
    const bool written = std::fwrite(script.data(), 1, script.size(), gnuplot) == script.size();
    if (pclose(gnuplot) != 0 || !written) {
      throw std::runtime_error("gnuplot failed; its message is above");
    }
  }

  std::string path_;
};

}  // namespace support
