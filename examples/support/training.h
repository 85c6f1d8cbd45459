// The model that reads the digits, and as much of its training as an example need not show.
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

/// The data in random order, cut into batches; what is left over at the end is left out. Throws
/// std::runtime_error if that is all.
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

/// Trains as usual.
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

/// Are these the same values, to the last bit?
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
