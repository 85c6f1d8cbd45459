// Something of everything that bad input might damage, and the check that it damages nothing.
#pragma once

#include "support/approx.h"

#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>
#include <cairn/optim/sgd.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cairn::test {

/// A module whose names a test chooses.
struct Open : nn::Module {
  using Module::buffer;
  using Module::child;
  using Module::parameter;
  Tensor forward(const Tensor& x) override { return x; }
};

/// Tensors of every kind, a model that has trained, its optimizer, a graph and the generator.
struct World {
  World();

  /// Every bit of it, by name: values, versions, flags, gradients, modes, options.
  std::vector<std::pair<std::string, std::string>> snapshot() const;
  /// A step of training: finite, and it moves every parameter.
  bool trains();

  Tensor scalar = tensor(7);
  Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});                           // float32 [2, 3]
  Tensor d = x.to(DType::float64);                                     // float64 [2, 3]
  Tensor i = tensor({{0, 1, 2}, {2, 1, 0}}, {.dtype = DType::int64});  // int64 [2, 3]
  Tensor labels = tensor({0, 1, 1, 0}, {.dtype = DType::int64});       // [4]
  Tensor images = ones({4, 2, 3, 3});
  Tensor none = zeros({0, 3});
  Tensor turned = zeros({4, 3}).transpose(0, 1);  // [3, 4]
  Tensor wide = ones({3}).expand({2, 3});         // one value stands for two elements
  Tensor deep = ones({1, 1, 1, 1, 1, 1, 1, 2});   // of rank 8
  Tensor moved_from_tensor;

  Tensor leaf = tensor({1, 2, 3}, {.requires_grad = true});  // with a gradient
  Tensor each = leaf * x;                                    // [2, 3], in a graph
  Tensor total = sum(each);

  // Two levels deep: messages name '0', '1.0' and '1.2'.
  nn::Sequential net{nn::Linear(3, 4),
                     nn::Sequential{nn::BatchNorm1d(4), nn::ReLU(), nn::Linear(4, 2)}};
  nn::Sequential& inner = net.at<nn::Sequential>(1);
  nn::BatchNorm1d& norm = inner.at<nn::BatchNorm1d>(0);
  nn::Linear& last = inner.at<nn::Linear>(2);
  nn::BatchNorm1d bare{3, {.track_running_stats = false}};
  Open open;  // holds "w", "b", "fc" and these
  Open& branch = open.child("branch", Open());
  Open& twig = branch.child("twig", Open());
  nn::MSELoss& loss = open.child("loss", nn::MSELoss());
  nn::Flatten& flatten = open.child("flatten", nn::Flatten({.start_dim = 3}));
  nn::Linear moved_from_linear{2, 2};
  nn::Sequential moved_from_sequential{nn::ReLU(), nn::ReLU()};
  nn::BatchNorm2d moved_from_batch_norm{2};
  nn::MSELoss moved_from_loss;
  optim::SGD sgd{net.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}};
};

/// A call that must throw, and what the Error says; or OutOfMemory, for "cannot allocate".
struct BadCall {
  const char* says;
  void (*call)(World& w);
};

/// Each call, in a world of its own, throws cairn::Error with exactly that text (and `end` after
/// it) and nothing else, leaves every bit as it was, and the model can go on training.
void check_bad_calls(std::span<const BadCall> calls, const std::string& end = "");

}  // namespace cairn::test
