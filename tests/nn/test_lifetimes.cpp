// Whoever writes to a model between forward and backward: an optimizer, loading, copying,
// converting, a later forward. The gradients are refused or right; never wrong.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/loss.h>
#include <cairn/optim/sgd.h>

#include <memory>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// Everything that can be kept for a gradient: weights of products and of normalisation, by the
// batch and by the record, and buffers that a user multiplies with, a record's included.
struct Net : Module {
  Linear& first = child("first", Linear(3, 4));
  BatchNorm1d& by_batch = child("by_batch", BatchNorm1d(4));
  Linear& second = child("second", Linear(4, 3, {.bias = false}));
  BatchNorm1d& by_record = child("by_record", BatchNorm1d(3));
  Buffer& scale = buffer("scale", full({3}, 2));

  explicit Net(bool with_buffers) : with_buffers_(with_buffers) {
    by_record.set_stats_mode(StatsMode::frozen);
    const NoGrad guard;
    for (Tensor& p : parameters()) p.copy_(linspace(-0.9, 1.1, p.numel()).reshape(p.shape()));
    by_record.running_mean.copy_(tensor({0.1, 0.2, 0.3}));
    by_record.running_var.copy_(tensor({1.1, 1.2, 1.3}));
  }
  Tensor forward(const Tensor& x) override {
    const Tensor y = by_record(second(relu(by_batch(first(x)))));
    return with_buffers_ ? y * scale.tensor() * by_record.running_var.tensor() : y;
  }

 private:
  bool with_buffers_;
};

Tensor input() { return linspace(-2, 3, 15).reshape({5, 3}); }
Tensor target() { return linspace(1, -1, 15).reshape({5, 3}); }

Tensors gradients(Net& net, const Tensor& loss) { return grad({loss}, net.parameters()); }

void step(Net& net, const optim::SGDOptions& options) {
  optim::SGD sgd(net.parameters(), options);
  for (Tensor& p : net.parameters()) p.set_grad(ones_like(p));
  sgd.step();
  net.zero_grad();
}

StateDict others(const Net& net) {
  StateDict dict;
  for (const auto& [name, values] : net.state_dict()) dict[name] = values * 0 + 3;
  return dict;
}

struct Writer {
  const char* name;
  enum { nothing, weights, buffers } touches;
  void (*write)(Net&);
};

const Writer writers[] = {
    {"SGD", Writer::weights, [](Net& net) { step(net, {.lr = 0.1}); }},
    {"SGD with momentum", Writer::weights,
     [](Net& net) { step(net, {.lr = 0.1, .momentum = 0.9}); }},
    {"SGD with everything", Writer::weights,
     [](Net& net) {
       step(net, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
     }},
    {"SGD, maximizing", Writer::weights,
     [](Net& net) { step(net, {.lr = 0.1, .maximize = true}); }},
    {"copy_ to a parameter", Writer::weights,
     [](Net& net) {
       const NoGrad guard;
       net.second.weight.copy_(net.second.weight * 2);
     }},
    {"load_state_dict", Writer::weights, [](Net& net) { net.load_state_dict(others(net)); }},
    {"copy_state", Writer::weights,
     [](Net& net) {
       Net other(false);
       other.load_state_dict(others(net));
       copy_state(other, net);
     }},
    {"to another dtype and back", Writer::nothing,  // the old values live on
     [](Net& net) {
       net.to(DType::float64);
       net.to(DType::float32);
     }},
    {"a training forward", Writer::nothing, [](Net& net) { net(input() * 7 - 2); }},
    {"a training forward by the record's layer", Writer::buffers,
     [](Net& net) {
       net.by_record.set_stats_mode(StatsMode::track);
       net(input() * 7 - 2);
     }},
    {"reset_running_stats", Writer::buffers,
     [](Net& net) {
       net.by_batch.reset_running_stats();
       net.by_record.reset_running_stats();
     }},
    {"copy_ to the record", Writer::buffers,
     [](Net& net) {
       net.by_record.running_mean.copy_(zeros({3}));
       net.by_record.running_var.copy_(full({3}, 9));
       net.by_batch.running_var.copy_(full({4}, 9));
     }},
    {"copy_ to a buffer", Writer::buffers, [](Net& net) { net.scale.copy_(full({3}, 5)); }},
};

enum class Verdict { right, refused };

// The gradients that `ask` gives, which are refused or the expected ones.
template <class F>
Verdict verdict_of(const Tensors& expected, F ask) {
  try {
    const Tensors actual = ask();
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) CHECK(equal(actual[i], expected[i]));
    return Verdict::right;
  } catch (const Error& error) {
    INFO(std::string(error.what()));
    CHECK(std::string(error.what()).find("was written to after the forward") != std::string::npos);
    return Verdict::refused;
  }
}

}  // namespace

TEST_CASE("lifetimes: whatever writes to a model before backward is caught or does no harm") {
  for (const bool with_buffers : {false, true}) {
    for (const Writer& writer : writers) {
      INFO(std::string(writer.name) << ", with buffers: " << with_buffers);
      Net untouched(with_buffers), net(with_buffers);
      const Tensors expected = gradients(untouched, mse_loss(untouched(input()), target()));
      const Tensor loss = mse_loss(net(input()), target());
      writer.write(net);
      const bool harmless =
          writer.touches == Writer::nothing || (writer.touches == Writer::buffers && !with_buffers);
      CHECK(verdict_of(expected, [&] { return gradients(net, loss); }) ==
            (harmless ? Verdict::right : Verdict::refused));
    }
  }
}

TEST_CASE("lifetimes: whatever writes to a model before the second backward, too") {
  const auto penalty = [](Net& net) {
    Tensor total = zeros({});
    for (const Tensor& g :
         grad({mse_loss(net(input()), target())}, net.parameters(), {.create_graph = true})) {
      total = total + sum(square(g));
    }
    return total;
  };
  for (const Writer& writer : writers) {
    INFO(std::string(writer.name));
    Net untouched(true), net(true);
    const Tensors expected = gradients(untouched, penalty(untouched));
    const Tensor total = penalty(net);
    writer.write(net);
    CHECK(verdict_of(expected, [&] { return gradients(net, total); }) ==
          (writer.touches == Writer::nothing ? Verdict::right : Verdict::refused));
  }
}
