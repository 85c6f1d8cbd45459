// A table of repeated measurements: the mean and standard deviation of each row and column.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace support {

class Table {
 public:
  struct Cell {
    std::vector<double> values;

    double mean() const {
      double sum = 0;
      for (const double v : values) sum += v;
      return sum / static_cast<double>(values.size());
    }
    /// The standard deviation, with divisor n - 1; 0 for a single value.
    double deviation() const {
      double squares = 0;
      for (const double v : values) squares += (v - mean()) * (v - mean());
      return values.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(values.size() - 1));
    }
  };
  struct Row {
    std::string name;
    std::vector<Cell> cells;
  };

  Table(std::string title, std::vector<std::string> columns)
      : title_(std::move(title)), columns_(std::move(columns)) {}

  /// Adds the values of one run, one for each column. The first call for a name creates the row.
  void add(const std::string& name, const std::vector<double>& values) {
    auto row =
        std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.name == name; });
    if (row == rows_.end()) {
      row = rows_.insert(row, {name, std::vector<Cell>(columns_.size())});
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) row->cells[i].values.push_back(values.at(i));
  }

  void print() const {
    fmt::print("\n{}\n\n{:{}}", title_, "", width());
    for (const std::string& column : columns_) fmt::print("  {:>16}", column);
    for (const Row& row : rows_) {
      fmt::print("\n{:{}}", row.name, width());
      for (const Cell& c : row.cells) fmt::print("     {:.3f} ({:.3f})", c.mean(), c.deviation());
    }
    fmt::print("\n\nmean (standard deviation) of {}\n\n", rows_.at(0).cells.at(0).values.size());
  }

  /// Prints, for each column, mean(name) - mean(other), and in how many runs `name` is higher.
  void compare(const std::string& name, const std::string& other) const {
    fmt::print("{:{}}", name, width());
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const auto &a = at(name, column), &b = at(other, column);
      int64_t higher = 0;
      for (std::size_t i = 0; i < a.values.size(); ++i) higher += a.values[i] > b.values.at(i);
      fmt::print("   {:+.3f}, {} of {}", a.mean() - b.mean(), higher, a.values.size());
    }
    fmt::print("\n");
  }

  /// The name of the row with the highest mean in a column; if several are equal, the first.
  const std::string& best(std::size_t column) const {
    const auto mean = [&](const Row& row) { return row.cells.at(column).mean(); };
    return std::max_element(rows_.begin(), rows_.end(),
                            [&](const Row& a, const Row& b) { return mean(a) < mean(b); })
        ->name;
  }

  const std::string& title() const { return title_; }
  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::size_t width() const {
    std::size_t result = 0;
    for (const Row& row : rows_) result = std::max(result, row.name.size());
    return result;
  }

  const Cell& at(const std::string& name, std::size_t column) const {
    return std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.name == name; })
        ->cells.at(column);
  }

  std::string title_;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

}  // namespace support
