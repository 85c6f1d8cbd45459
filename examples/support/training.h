// The model of the digits, and the parts of its training that the examples share.
#pragma once

#include <cairn/cairn.h>

#include "digits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace digits {

inline cairn::nn::Sequential make_model() {
  using namespace cairn;
  return nn::Sequential{nn::BatchNorm1d(pixels), nn::Linear(pixels, 64), nn::BatchNorm1d(64),
                        nn::ReLU(), nn::Linear(64, classes)};
}

/// Splits the data, in random order, into batches, without an incomplete last one. Throws
/// std::runtime_error if there is no complete batch.
inline std::vector<Digits> shuffled(const Digits& data, int64_t batch_size) {
  if (data.size() < batch_size) {
    throw std::runtime_error(fmt::format("a batch takes {} images, and there are {} to train on",
                                         batch_size, data.size()));
  }
  const cairn::Tensor order = cairn::randperm(data.size());
  std::vector<Digits> batches;
  for (int64_t end = batch_size; end <= data.size(); end += batch_size) {
    batches.push_back(data.select(order.slice(0, end - batch_size, end)));
  }
  return batches;
}

/// Trains by SGD with cross-entropy, in batches of 64.
inline void fit(cairn::nn::Module& model, const Digits& train, int64_t epochs) {
  cairn::optim::SGD sgd(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  model.train();
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const Digits& batch : shuffled(train, 64)) {
      sgd.zero_grad();
      cross_entropy(model(batch.images), batch.labels).backward();
      sgd.step();
    }
  }
}

/// Are the shapes and the float32 values the same, bit for bit?
inline bool same_bits(const cairn::Tensor& a, const cairn::Tensor& b) {
  const auto bytes = static_cast<std::size_t>(a.numel()) * sizeof(float);
  return a.shape() == b.shape() &&
         std::memcmp(a.contiguous().data<float>(), b.contiguous().data<float>(), bytes) == 0;
}
inline bool same_bits(const std::vector<cairn::Tensor>& a, const std::vector<cairn::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return same_bits(x, y); });
}

}  // namespace digits
