// Reads the handwritten digits of data/digits.csv; data/README.md says where they come from.
#pragma once

#include <cairn/cairn.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace digits {

inline constexpr int64_t pixels = 64;
inline constexpr int64_t classes = 10;

struct Digits {
  cairn::Tensor images;  // (N, 64) float32 in [0, 1]
  cairn::Tensor labels;  // (N) int64 in [0, 10)

  int64_t size() const { return labels.size(0); }
  Digits slice(int64_t begin, int64_t end) const {
    return {images.slice(0, begin, end), labels.slice(0, begin, end)};
  }
  /// The digits at the given positions, in that order.
  Digits select(const cairn::Tensor& index) const {
    return {cairn::index_select(images, 0, index), cairn::index_select(labels, 0, index)};
  }
};

/// The start of `text` for an error message, with ? for characters that are not printable.
inline std::string excerpt(std::string_view text) {
  std::string shown(text.substr(0, 12));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text.size() > shown.size() ? shown + "..." : shown;
}

/// Each line of the file is 64 integers from 0 to 16 and a label from 0 to 9, separated by commas.
/// Throws std::runtime_error beginning with "path:line: " for a line that is anything else.
inline Digits read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));

  std::vector<float> images;
  std::vector<int64_t> labels;
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    const auto broken = [&](const std::string& what) {
      return std::runtime_error(fmt::format("{}:{}: {}", path, number, what));
    };
    if (line.ends_with('\r')) line.pop_back();

    const char* at = line.data();
    const char* const end = at + line.size();
    const auto field = [&](int64_t column, const char* what, int largest) {
      if (column > 1 && (at == end || *at++ != ',')) {
        throw broken(fmt::format("expected {} numbers, found {}", pixels + 1, column - 1));
      }
      int value = -1;
      const auto [parsed_end, error] = std::from_chars(at, end, value);
      const char* const stop = std::find(at, end, ',');
      if (error != std::errc() || parsed_end != stop || value < 0 || value > largest) {
        throw broken(fmt::format("expected {} from 0 to {} in column {}, found '{}'", what, largest,
                                 column, excerpt({at, stop})));
      }
      at = stop;
      return value;
    };
    for (int64_t column = 1; column <= pixels; ++column) {
      images.push_back(static_cast<float>(field(column, "a pixel", 16)) / 16);
    }
    labels.push_back(field(pixels + 1, "a label", static_cast<int>(classes) - 1));
    if (at != end) {
      throw broken(
          fmt::format("expected {} numbers, found more: '{}'", pixels + 1, excerpt({at, end})));
    }
  }
  if (file.bad()) throw std::runtime_error(fmt::format("{}: reading failed", path));

  const auto n = static_cast<int64_t>(labels.size());
  return {cairn::from_data(images, {n, pixels}), cairn::from_data(labels, {n})};
}

struct Split {
  Digits train, test;
};

inline constexpr int64_t test_size = 360;  // the last lines of the file

/// Throws std::runtime_error as read() does, and if fewer than 2 images are left for training.
inline Split read_split(const std::string& path) {
  const Digits all = read(path);
  const int64_t train_size = all.size() - test_size;
  if (train_size < 2) {
    throw std::runtime_error(
        fmt::format("{}:{}: the file ends here; the last {} lines are the test set, and at least 2 "
                    "before them are needed to train on",
                    path, std::max<int64_t>(all.size(), 1), test_size));
  }
  return {all.slice(0, train_size), all.slice(train_size, all.size())};
}

/// The fraction of images that the model classifies correctly in eval(), in batches of
/// `batch_size`. Leaves the model in eval().
inline double accuracy(cairn::nn::Module& model, const Digits& test,
                       int64_t batch_size = test_size) {
  const cairn::NoGrad guard;
  int64_t right = 0;
  model.eval();
  for (int64_t begin = 0; begin < test.size(); begin += batch_size) {
    const Digits batch = test.slice(begin, begin + batch_size);
    right += (model(batch.images).argmax(1) == batch.labels).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(test.size());
}

}  // namespace digits
