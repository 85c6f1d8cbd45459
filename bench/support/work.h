// The sizes of the rows that every program of the benchmark has: networks and batch norms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// A step of a network of Linear, BatchNorm1d if `norm`, and ReLU. The last layer is Linear.
struct Network {
  std::string name;
  std::vector<int64_t> sizes;
  int64_t batch;
  bool norm;
};

inline const std::vector<Network> networks = {
    {"mlp_s", {64, 128, 128, 10}, 64, false},       {"mlp_s_bn", {64, 128, 128, 10}, 64, true},
    {"mlp_m", {784, 1024, 1024, 10}, 256, false},   {"mlp_m_bn", {784, 1024, 1024, 10}, 256, true},
    {"mlp_l", {1024, 4096, 4096, 10}, 1024, false},
};

/// Batch norm of an input. The row is named after the input and after what runs.
struct Normalisation {
  std::string input;
  std::vector<int64_t> shape;
  bool training, backward;

  std::string name() const {
    return input + (training ? "_train" : "_eval") + (backward ? "_fb" : "_f");
  }
  std::size_t dimensions() const { return shape.size() < 4 ? 1 : shape.size() - 2; }
};

inline const std::vector<Normalisation> normalisations = {
    {"bn1d_32x64", {32, 64}, true, true},
    {"bn1d_32x64", {32, 64}, false, true},
    {"bn1d_4096x1024", {4096, 1024}, true, false},
    {"bn1d_4096x1024", {4096, 1024}, true, true},
    {"bn1d_4096x1024", {4096, 1024}, false, true},
    {"bn1d_256x64x256", {256, 64, 256}, true, true},
    {"bn1d_256x64x256", {256, 64, 256}, false, true},
    {"bn2d_32x64x56x56", {32, 64, 56, 56}, true, false},
    {"bn2d_32x64x56x56", {32, 64, 56, 56}, true, true},
    {"bn2d_32x64x56x56", {32, 64, 56, 56}, false, false},
    {"bn2d_32x64x56x56", {32, 64, 56, 56}, false, true},
    {"bn2d_32x512x7x7", {32, 512, 7, 7}, true, true},
    {"bn3d_8x32x16x28x28", {8, 32, 16, 28, 28}, true, true},
};

}  // namespace bench
