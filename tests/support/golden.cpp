#include "support/golden.h"

#include <cairn/core/ops.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace cairn::test {
namespace {

Shape parse_shape(const std::string& text) {
  Shape shape;
  if (text == "scalar") return shape;
  std::istringstream sizes(text);
  for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stoll(size));
  return shape;
}

template <class T, class Parse>
Tensor parse_values(std::istream& words, const Shape& shape, Parse parse) {
  std::vector<T> values;
  for (std::string word; words >> word;) values.push_back(parse(word));
  return from_data(std::span<const T>(values), shape);
}

StateDict read(const std::string& file) {
  std::ifstream lines(std::string(CAIRN_GOLDEN_DIR "/") + file + ".txt");
  check(lines.good(), "golden: cannot read '{}.txt'", file);
  StateDict tensors;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t colon = line.find(": ");
    const std::string name = line.substr(0, colon);
    std::istringstream words(line.substr(colon + 1));
    std::string dtype, shape;
    words >> dtype >> shape;
    const Shape dims = parse_shape(shape);
    if (dtype == "float32") {
      tensors[name] =
          parse_values<float>(words, dims, [](auto& w) { return std::strtof(w.c_str(), nullptr); });
    } else if (dtype == "float64") {
      tensors[name] = parse_values<double>(words, dims,
                                           [](auto& w) { return std::strtod(w.c_str(), nullptr); });
    } else {
      tensors[name] = parse_values<int64_t>(words, dims, [](auto& w) { return std::stoll(w); });
    }
  }
  return tensors;
}

}  // namespace

const StateDict& golden(const std::string& file) {
  static std::map<std::string, StateDict> files;
  const auto found = files.find(file);
  return found != files.end() ? found->second : files.emplace(file, read(file)).first->second;
}

Tensor golden(const std::string& file, const std::string& name) {
  return golden(file).at(name).clone();
}

}  // namespace cairn::test
