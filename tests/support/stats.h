// Records read as plain numbers, for the tests of the statistics.
#pragma once

#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/stats.h>

#include <vector>

namespace cairn::test {

struct Record {
  std::vector<double> mean, var;
  int64_t count;
  bool operator==(const Record&) const = default;
};

/// What the layer's members show.
inline Record record_of(const nn::BatchNorm& bn) {
  return {bn.running_mean.to_vector<double>(), bn.running_var.to_vector<double>(),
          bn.num_batches_tracked.item<int64_t>()};
}

inline Record initial_record(std::size_t channels) {
  return {std::vector<double>(channels, 0.0), std::vector<double>(channels, 1.0), 0};
}

/// Two batch norms with a Linear between, one of them a level down.
struct TwoNorms : nn::Module {
  nn::BatchNorm1d& first = child("first", nn::BatchNorm1d(3));
  nn::Sequential& rest =
      child("rest", nn::Sequential{nn::Linear(3, 2), nn::BatchNorm1d(2, {.momentum = 0.25})});
  nn::BatchNorm& second() { return rest.at<nn::BatchNorm>(1); }
  Tensor forward(const Tensor& x) override { return rest(first(x)); }
};

}  // namespace cairn::test
