// Every module of the library, and models of users' making, against the one contract.
#include "support/module_contract.h"
#include "support/rows.h"

#include <cairn/core/ops.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::nn;
using cairn::test::check_row;
using cairn::test::module_case;
using cairn::test::ModuleCase;

namespace {

struct SimpleModel : Module {
  BatchNorm1d& batchnorm1 = child("batchnorm1", BatchNorm1d(3, {.track_running_stats = false}));
  Linear& linear = child("linear", Linear(3, 2));
  BatchNorm1d& batchnorm2 = child("batchnorm2", BatchNorm1d(2));
  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

// Its own parameter and buffer come before its children's, as in PyTorch.
struct Scaled : Module {
  Linear& inner = child("inner", Linear(2, 2, {.bias = false}));
  Buffer& shift = buffer("shift", zeros({2}));
  Parameter& scale = parameter("scale", ones({2}));
  Tensor forward(const Tensor& x) override { return inner(x) * scale + shift.tensor(); }
};

// It cannot move, since it points into itself.
struct Pinned : Module {
  Linear& fc;
  const Pinned* self = this;
  explicit Pinned(int64_t out) : fc(child("fc", Linear(2, out))) {}
  Pinned(Pinned&&) = delete;
  Tensor forward(const Tensor& x) override { return self->fc(x); }
};

struct HoldsPinned : Module {
  Pinned& net = child<Pinned>("net", 3);
  Tensor forward(const Tensor& x) override { return net(x); }
};

// The same layer twice: two names, one set of parameters.
struct Shared : Module {
  Linear& first = child("first", Linear(2, 2));
  Linear& second = child("second", first);
  Tensor forward(const Tensor& x) override { return second(tanh(first(x))); }
};

// A loss takes two tensors; here the second is a constant.
struct Distance : Module {
  MSELoss& loss = child("loss", MSELoss({.reduction = Reduction::sum}));
  Tensor forward(const Tensor& x) override { return loss(x, full_like(x, 0.3)); }
};

const std::vector<std::string> no_names;
const std::vector<std::string> tracked{"weight", "bias", "running_mean", "running_var",
                                       "num_batches_tracked"};

// A module with arguments of its own instead of forward(x).
ModuleCase without_forward(ModuleCase c) {
  c.has_forward = false;
  return c;
}

std::vector<ModuleCase> every_module() {
  return {
      module_case<Linear>(
          "Linear", [] { return Linear(3, 2); }, {4, 3}, {"weight", "bias"},
          "Linear(in_features=3, out_features=2, bias=true)"),
      module_case<Linear>(
          "Linear without bias", [] { return Linear(3, 2, {.bias = false}); }, {2, 2, 3},
          {"weight"}, "Linear(in_features=3, out_features=2, bias=false)"),
      module_case<ReLU>(
          "ReLU", [] { return ReLU(); }, {3, 2}, no_names, "ReLU()"),
      module_case<Flatten>(
          "Flatten", [] { return Flatten(); }, {2, 3, 2}, no_names,
          "Flatten(start_dim=1, end_dim=-1)"),
      without_forward(module_case<MSELoss>(
          "MSELoss", [] { return MSELoss(); }, {}, no_names, "MSELoss(reduction=mean)")),
      module_case<Distance>(
          "MSELoss from a constant", [] { return Distance(); }, {4, 3}, no_names,
          "Distance(\n"
          "  (loss): MSELoss(reduction=sum)\n"
          ")"),
      module_case<BatchNorm1d>(
          "BatchNorm1d", [] { return BatchNorm1d(3); }, {5, 3}, tracked,
          "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=true, stats=track)"),
      module_case<BatchNorm2d>(
          "BatchNorm2d", [] { return BatchNorm2d(2); }, {2, 2, 2, 3}, tracked,
          "BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=true, stats=track)"),
      module_case<BatchNorm3d>(
          "BatchNorm3d, cumulative", [] { return BatchNorm3d(2, {.momentum = std::nullopt}); },
          {2, 2, 1, 2, 2}, tracked,
          "BatchNorm3d(2, eps=1e-05, momentum=none, affine=true, stats=track)"),
      module_case<BatchNorm1d>(
          "BatchNorm1d without affine", [] { return BatchNorm1d(2, {.affine = false}); }, {3, 2, 2},
          {"running_mean", "running_var", "num_batches_tracked"},
          "BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=false, stats=track)"),
      module_case<BatchNorm1d>(
          "BatchNorm1d untracked", [] { return BatchNorm1d(2, {.track_running_stats = false}); },
          {4, 2}, {"weight", "bias"},
          "BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=true, stats=hold (no record))"),
      module_case<Sequential>(
          "Sequential",
          [] {
            return Sequential{Linear(2, 3), BatchNorm1d(3), ReLU(), Linear(3, 1)};
          },
          {4, 2},
          {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
           "1.num_batches_tracked", "3.weight", "3.bias"},
          "Sequential(\n"
          "  (0): Linear(in_features=2, out_features=3, bias=true)\n"
          "  (1): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=true, stats=track)\n"
          "  (2): ReLU()\n"
          "  (3): Linear(in_features=3, out_features=1, bias=true)\n"
          ")"),
      module_case<Sequential>(
          "an empty Sequential", [] { return Sequential(); }, {2, 2}, no_names, "Sequential()"),
      module_case<Sequential>(
          "Sequential in Sequential",
          [] {
            return Sequential{Sequential{Linear(2, 2), ReLU()}, Linear(2, 1)};
          },
          {3, 2}, {"0.0.weight", "0.0.bias", "1.weight", "1.bias"},
          "Sequential(\n"
          "  (0): Sequential(\n"
          "    (0): Linear(in_features=2, out_features=2, bias=true)\n"
          "    (1): ReLU()\n"
          "  )\n"
          "  (1): Linear(in_features=2, out_features=1, bias=true)\n"
          ")"),
      module_case<SimpleModel>(
          "SimpleModel", [] { return SimpleModel(); }, {5, 3},
          {"batchnorm1.weight", "batchnorm1.bias", "linear.weight", "linear.bias",
           "batchnorm2.weight", "batchnorm2.bias", "batchnorm2.running_mean",
           "batchnorm2.running_var", "batchnorm2.num_batches_tracked"},
          "SimpleModel(\n"
          "  (batchnorm1): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=true, stats=hold (no "
          "record))\n"
          "  (linear): Linear(in_features=3, out_features=2, bias=true)\n"
          "  (batchnorm2): BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=true, stats=track)\n"
          ")"),
      module_case<Scaled>(
          "a module of a user's", [] { return Scaled(); }, {3, 2},
          {"scale", "shift", "inner.weight"},
          "Scaled(\n"
          "  (inner): Linear(in_features=2, out_features=2, bias=false)\n"
          ")"),
      module_case<HoldsPinned>(
          "a child that cannot move", [] { return HoldsPinned(); }, {3, 2},
          {"net.fc.weight", "net.fc.bias"},
          "HoldsPinned(\n"
          "  (net): Pinned(\n"
          "    (fc): Linear(in_features=2, out_features=3, bias=true)\n"
          "  )\n"
          ")"),
      module_case<Shared>(
          "a layer under two names", [] { return Shared(); }, {3, 2},
          {"first.weight", "first.bias", "second.weight", "second.bias"},
          "Shared(\n"
          "  (first): Linear(in_features=2, out_features=2, bias=true)\n"
          "  (second): Linear(in_features=2, out_features=2, bias=true)\n"
          ")"),
      {"a module that cannot move",
       [] { return std::make_unique<Pinned>(3); },
       {2, 2},
       {"fc.weight", "fc.bias"},
       "Pinned(\n"
       "  (fc): Linear(in_features=2, out_features=3, bias=true)\n"
       ")",
       {}},
  };
}

}  // namespace

TEST_CASE("module: every module keeps to the contract") {
  for (const ModuleCase& module : every_module()) {
    check_row(module.name, [&] { check_module(module); });
  }
}
