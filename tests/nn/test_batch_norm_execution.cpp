// How a layer works: without a copy of its input, and to the same bits on any number of threads.
#include "nn/batch_norm_inputs.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/machine.h>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;
using namespace cairn::test::batch_norm_inputs;

TEST_CASE("batch_norm numerics: what one stride walks is normalised without a copy of it") {
  const Shape shape{64, 8, 32, 32};
  const int64_t bytes = shape.numel() * 4;
  const auto every_second_row = [](const Tensor& x) {
    Shape larger = x.shape();
    larger[0] *= 2;
    return empty(larger).slice(0, 0, larger[0], 2).copy_(x);
  };
  const auto batch_inside = [](const Tensor& x) {
    return x.transpose(0, 1).clone().transpose(0, 1);
  };
  for (const Layout& layout : {Layout(contiguous), Layout(channels_last), Layout(every_second_row),
                               Layout(batch_inside)}) {
    for (const bool training : {true, false}) {
      const Tensor x = layout(draw(shape, 1));
      BatchNorm2d bn(8);
      bn.train(training);
      const NoGrad guard;
      // So much more is in use that the peak is now.
      const Tensor rest = empty({(memory_stats().peak - memory_stats().in_use) / 4 + 1});
      const int64_t before = memory_stats().peak;
      const Tensor y = bn(x);
      CHECK(memory_stats().peak - before < bytes + bytes / 2);
    }
  }
}

TEST_CASE("batch_norm numerics: the number of threads changes no bit") {
  struct Threads {  // sets it back
    int64_t before = num_threads();
    ~Threads() { set_num_threads(before); }
  } const threads;
  std::vector<Case> all = cases;
  all.push_back({"(20000, 8)", {20000, 8}, contiguous});
  all.push_back({"(3, 5, 40001)", {3, 5, 40001}, contiguous});
  for (const Case& c : all) {
    CAPTURE(c.name);
    std::vector<Tensor> first;
    for (const int64_t n : {1, 2, 3}) {
      CAPTURE(n);
      set_num_threads(n);
      const auto bn = layer_for(c.shape, {});
      std::vector<Tensor> results;
      for (const StatsMode mode : {StatsMode::track, StatsMode::frozen}) {
        bn->set_stats_mode(mode);
        bn->zero_grad();
        Tensor x = c.x(draw(c.shape, 1) + 100).detach().requires_grad_(true);
        const Tensor y = (*bn)(x);
        y.backward(c.dy(draw(c.shape, 2)));
        for (const Tensor& t : {y.detach(), x.grad(), bn->weight.grad(), bn->bias.grad(),
                                bn->running_mean.clone(), bn->running_var.clone()}) {
          results.push_back(t);
        }
      }
      if (first.empty()) first = results;
      for (std::size_t i = 0; i < results.size(); ++i) CHECK(equal(results[i], first[i]));
    }
  }
}
