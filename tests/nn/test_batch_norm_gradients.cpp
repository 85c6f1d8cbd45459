// The layers' gradients in every mode, and their numbers against PyTorch's.
#include "support/approx.h"
#include "support/golden.h"
#include "support/gradcheck.h"
#include "support/layout.h"
#include "support/rows.h"

#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>

#include <fmt/format.h>

#include <memory>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

// At most 60 values a channel, of size about 1, summed a few times: 60 roundings of double.
constexpr Tolerance sums_of_double{.relative = 60 * 1.2e-16, .absolute = 60 * 1.2e-16};
// float32 is computed in double and rounded at the end. The input and dy are floats; where the
// output is a difference of terms of size up to 4, half a unit of 4.
constexpr Tolerance rounded_to_float{.relative = 1.2e-7, .absolute = 2.4e-7};

std::unique_ptr<BatchNorm> layer_of(const std::string& kind, const BatchNormOptions& options,
                                    DType dtype) {
  std::unique_ptr<BatchNorm> bn;
  if (kind.starts_with("1d")) bn = std::make_unique<BatchNorm1d>(3, options);
  if (kind == "2d") bn = std::make_unique<BatchNorm2d>(3, options);
  if (kind == "3d") bn = std::make_unique<BatchNorm3d>(3, options);
  bn->to(dtype);
  if (options.affine) {
    const NoGrad guard;
    bn->weight.copy_(golden("batch_norm", kind + "/weight"));
    bn->bias.copy_(golden("batch_norm", kind + "/bias"));
  }
  return bn;
}

// The same values with the channel last in memory.
Tensor channels_last(const Tensor& x) {
  Dims to{0}, back{0, x.dim() - 1};
  for (int64_t d = 2; d < x.dim(); ++d) to.push_back(d);
  to.push_back(1);
  for (int64_t d = 1; d + 1 < x.dim(); ++d) back.push_back(d);
  return x.permute(to).clone().permute(back);
}

Tensor as_it_is(const Tensor& x) { return x; }

const std::vector<std::string> kinds{"1d", "1d_positions", "2d", "3d"};

}  // namespace

TEST_CASE("batch_norm: output and gradients are PyTorch's, by the batch and by the record") {
  for (const std::string& kind : kinds) {
    for (const bool affine : {true, false}) {
      for (const DType dtype : {DType::float64, DType::float32}) {
        for (auto* layout : {as_it_is, channels_last}) {
          const auto bn = layer_of(kind, {.affine = affine}, dtype);
          const auto input = [&](const char* name) {
            return layout(golden("batch_norm", kind + "/" + name).to(dtype));
          };
          const Tolerance tolerance = dtype == DType::float64 ? sums_of_double : rounded_to_float;
          const auto run = [&](const char* mode) {
            const std::string name = kind + (affine ? "/affine/" : "/plain/") + mode;
            check_row(name + " in " + std::string(to_string(dtype)), [&] {
              const auto is_pytorchs = [&](const Tensor& actual, const char* what) {
                CAPTURE(what);
                CHECK(close(actual.to(DType::float64), golden("batch_norm", name + "/" + what),
                            tolerance));
              };
              Tensor x = input("x1").requires_grad_(true);
              bn->zero_grad();
              const Tensor y = (*bn)(x);
              y.backward(input("dy"));
              is_pytorchs(y, "y");
              is_pytorchs(x.grad(), "dx");
              if (affine) is_pytorchs(bn->weight.grad(), "dweight");
              if (affine) is_pytorchs(bn->bias.grad(), "dbias");
            });
          };
          run("train");
          (*bn)(input("x2"));
          bn->eval();
          run("eval");
        }
      }
    }
  }
}

TEST_CASE(
    "batch_norm: the record after two batches is PyTorch's, for each momentum, under NoGrad") {
  const std::vector<std::pair<std::string, std::optional<double>>> momenta{
      {"0.1", 0.1}, {"None", std::nullopt}, {"0.3", 0.3}};
  for (const std::string& kind : kinds) {
    for (const auto& [text, value] : momenta) {
      const std::string name = fmt::format("{}/momentum{}", kind, text);
      const std::optional<double> momentum = value;
      for (const bool affine : {true, false}) {
        for (auto* layout : {as_it_is, channels_last}) {
          check_row(name, [&] {
            const auto bn =
                layer_of(kind, {.momentum = momentum, .affine = affine}, DType::float64);
            const NoGrad guard;  // which says nothing about recording
            const Tensor y = (*bn)(layout(golden("batch_norm", kind + "/x1")));
            (*bn)(layout(golden("batch_norm", kind + "/x2")));
            CHECK(close(y,
                        golden("batch_norm", kind + (affine ? "/affine" : "/plain") + "/train/y"),
                        sums_of_double));
            CHECK(close(bn->running_mean, golden("batch_norm", name + "/running_mean"),
                        sums_of_double));
            CHECK(close(bn->running_var, golden("batch_norm", name + "/running_var"),
                        sums_of_double));
            CHECK(equal(bn->num_batches_tracked,
                        golden("batch_norm", name + "/num_batches_tracked")));
          });
        }
      }
    }
  }
}

TEST_CASE("batch_norm: gradients of first and second order in every mode, class and layout") {
  struct Mode {
    const char* name;
    StatsMode mode;
    bool training;
  };
  for (const Mode& m : {Mode{"track, train", StatsMode::track, true},
                        {"track, eval", StatsMode::track, false},
                        {"hold, train", StatsMode::hold, true},
                        {"hold, eval", StatsMode::hold, false},
                        {"frozen, train", StatsMode::frozen, true}}) {
    for (const std::string& kind : kinds) {
      for (const bool affine : {true, false}) {
        const auto check = [&](Tensor x, const Shape& shape, const char* layout) {
          check_row(fmt::format("{}, {}, affine {}, {}", m.name, kind, affine, layout), [&] {
            const auto bn = layer_of(kind, {.affine = affine}, DType::float64);
            bn->running_mean.copy_(tensor({0.5, -1, 2}));
            bn->running_var.copy_(tensor({0.5, 1.5, 2}));
            bn->set_stats_mode(m.mode);
            bn->train(m.training);
            std::vector<Tensor> leaves = bn->parameters();
            leaves.push_back(x.requires_grad_(true));
            CHECK(gradcheck([&] { return (*bn)(leaves.back().expand(shape)); }, leaves));
          });
        };
        const Tensor x = golden("batch_norm", kind + "/x1"), none = x.slice(0, 0, 0);
        for (const Layout layout : every_layout) {
          check(copy_in(layout, x), x.shape(), name_of(layout));
          check(copy_in(layout, none), none.shape(), "empty");
        }
        check(channels_last(x), x.shape(), "channels last");
      }
    }
  }
}

TEST_CASE("batch_norm: gradients of an untracked layer in eval() are those of the batch") {
  BatchNorm1d bn(3, {.track_running_stats = false});
  bn.to(DType::float64);
  bn.eval();
  std::vector<Tensor> leaves = bn.parameters();
  leaves.push_back(golden("batch_norm", "1d/x1").requires_grad_(true));
  CHECK(gradcheck([&] { return bn(leaves.back()); }, leaves));
}

TEST_CASE("batch_norm: an eval gradient is not corrupted by a later training forward") {
  BatchNorm1d bn(3), twin(3);
  copy_state(bn, twin);
  const Tensor values = golden("batch_norm", "1d/x1").to(DType::float32);
  const auto gradients = [&](BatchNorm1d& layer, bool disturbed) {
    Tensor x = values.clone().requires_grad_(true);
    layer.eval();
    const Tensor y = sum(square(layer(x)));
    if (disturbed) {
      layer.train();
      layer(values * 5 + 3);
      layer.reset_running_stats();
    }
    y.backward();
    return std::vector<Tensor>{x.grad(), layer.weight.grad(), layer.bias.grad()};
  };
  const auto expected = gradients(twin, false), actual = gradients(bn, true);
  for (std::size_t i = 0; i < actual.size(); ++i) CHECK(equal(actual[i], expected[i]));
}

TEST_CASE("batch_norm: used twice before backward, each use has its own gradient") {
  BatchNorm1d bn(3);
  bn.to(DType::float64);
  std::vector<Tensor> leaves = bn.parameters();
  leaves.push_back(golden("batch_norm", "1d/x1").requires_grad_(true));
  leaves.push_back(golden("batch_norm", "1d/x2").requires_grad_(true));
  CHECK(gradcheck([&] { return bn(leaves[2]) * bn(leaves[3]) + bn(bn(leaves[2])); }, leaves));
}
