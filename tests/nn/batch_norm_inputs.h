// Inputs of a batch norm layer in every rank and memory layout.
#pragma once

#include <cairn/core/ops.h>
#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>

#include <functional>
#include <memory>
#include <vector>

namespace cairn::test::batch_norm_inputs {

/// Gives the same values, laid out in memory in another way.
using Layout = std::function<Tensor(const Tensor&)>;

inline Tensor contiguous(const Tensor& x) { return x; }

// (N, C, *) with the channel last in memory.
inline Tensor channels_last(const Tensor& x) {
  Dims to{0}, back{0, x.dim() - 1};
  for (int64_t d = 2; d < x.dim(); ++d) to.push_back(d);
  to.push_back(1);
  for (int64_t d = 1; d + 1 < x.dim(); ++d) back.push_back(d);
  return x.permute(to).clone().permute(back);
}

// The last two dimensions the other way round in memory.
inline Tensor transposed(const Tensor& x) { return x.transpose(-1, -2).clone().transpose(-1, -2); }

// All dimensions the other way round in memory, the batch innermost.
inline Tensor reversed(const Tensor& x) {
  Dims order;
  for (int64_t d = x.dim(); d-- > 0;) order.push_back(d);
  return x.permute(order).clone().permute(order);
}

// Every second row of a larger tensor, and in the last dimension every second but for a margin, so
// that no single stride walks the positions.
inline Tensor strided(const Tensor& x) {
  Shape larger = x.shape();
  larger[0] *= 2;
  larger[-1] = 2 * larger[-1] + 1;
  Tensor y = full(larger, 1e9).slice(0, 0, larger[0], 2).slice(-1, 0, larger[-1] - 1, 2);
  return y.copy_(x);
}

struct Case {
  const char* name;
  Shape shape;
  Layout x, dy = contiguous;
};

inline const std::vector<Case> cases{
    {"(256, 8)", {256, 8}, contiguous},
    {"(256, 8), channels first in memory", {256, 8}, transposed},
    {"(256, 8), strided", {256, 8}, strided, strided},
    {"(32, 8, 64)", {32, 8, 64}, contiguous},
    {"(32, 8, 64), channels last", {32, 8, 64}, channels_last},
    {"(32, 8, 64), strided", {32, 8, 64}, strided},
    {"(16, 8, 32, 32)", {16, 8, 32, 32}, contiguous},
    {"(16, 8, 32, 32), its gradient channels last", {16, 8, 32, 32}, contiguous, channels_last},
    {"(16, 8, 32, 32), channels last", {16, 8, 32, 32}, channels_last},
    {"(16, 8, 32, 32), both channels last", {16, 8, 32, 32}, channels_last, channels_last},
    {"(16, 8, 32, 32), reversed", {16, 8, 32, 32}, reversed, channels_last},
    {"(16, 8, 32, 32), transposed", {16, 8, 32, 32}, transposed, strided},
    {"(16, 8, 32, 32), its gradient transposed", {16, 8, 32, 32}, contiguous, transposed},
    {"(4, 8, 8, 16, 16)", {4, 8, 8, 16, 16}, contiguous},
    {"(4, 8, 8, 16, 16), channels last", {4, 8, 8, 16, 16}, channels_last},
    {"(4, 8, 8, 16, 16), strided", {4, 8, 8, 16, 16}, strided, reversed},
    {"(4, 8, 8, 16, 16), reversed", {4, 8, 8, 16, 16}, reversed},
};

inline std::unique_ptr<nn::BatchNorm> layer_for(const Shape& shape,
                                                const nn::BatchNormOptions& options) {
  switch (shape.size()) {
    case 4:
      return std::make_unique<nn::BatchNorm2d>(shape[1], options);
    case 5:
      return std::make_unique<nn::BatchNorm3d>(shape[1], options);
    default:
      return std::make_unique<nn::BatchNorm1d>(shape[1], options);
  }
}

inline Tensor draw(const Shape& shape, uint64_t seed) {
  Generator generator(seed);
  Tensor x = empty(shape);
  generator.fill_normal(x);
  return x;
}

}  // namespace cairn::test::batch_norm_inputs
