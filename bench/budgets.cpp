// Prints what Cairn costs in time and memory, beside the budget for each. Asserts nothing.
#include <cairn/cairn.h>

#include "support/process.h"
#include "support/subject.h"

using namespace cairn;

namespace {

constexpr const char* header = "cairn/cairn.h";

struct SimpleModel : nn::Module {
  nn::BatchNorm1d& batchnorm1 =
      child("batchnorm1", nn::BatchNorm1d(10, {.track_running_stats = false}));
  nn::Linear& linear = child("linear", nn::Linear(10, 5));
  nn::BatchNorm1d& batchnorm2 =
      child("batchnorm2", nn::BatchNorm1d(5, {.track_running_stats = false}));
  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

// The model and the tensors of the work that is measured.
struct Stage {
  SimpleModel model;
  nn::MSELoss criterion;
  optim::SGD sgd{model.parameters(), {.lr = 0.01}};
  Tensor x = randn({32, 10}), target = randn({32, 5});
  Tensor w = tensor(1.001, {.requires_grad = true});

  void step() {
    sgd.zero_grad();
    criterion(model(x), target).backward();
    sgd.step();
  }
  template <class Factor>
  void chain(const Factor& factor) {
    w.zero_grad();
    Tensor z = w;
    for (int64_t i = 0; i < bench::chain_length; ++i) z = z * factor;
    z.backward();
  }
};

bench::Subject prepare() {
  set_num_threads(1);
  const auto stage = std::make_shared<Stage>();
  return {[=] { stage->step(); }, [=] { stage->chain(stage->w); }, [=] { stage->chain(1.001); }};
}

void one_gradient() {
  const Tensor x = tensor(3.0, {.requires_grad = true});
  (x * x).backward();
  fmt::print("{}\n", x.grad());
}

void row(const char* name, double measured, double budget, const char* unit) {
  fmt::print("{:<34} {:>7.1f} {:<2} {:>9.1f} {}\n", name, measured, unit, budget, unit);
}

void table() {
  // First, since a child's peak memory starts at that of this program.
  const bench::Usage start = bench::run({"/proc/self/exe", "--one-gradient"}, 51);
  const bench::Usage compiled = bench::run(bench::compile_command(header), 5);
  const std::vector<double> seconds = bench::measure(prepare(), 201);

  fmt::print("{}\nthreads: {}\n\n", build_info(), num_threads());
  fmt::print("{:<34} {:>10} {:>12}\n", "", "measured", "budget");
  row(bench::figure_names[0], seconds[0] * 1e6, 12, "us");
  row(bench::figure_names[1], seconds[1] * 1e9, 400, "ns");
  row(bench::figure_names[2], seconds[2] * 1e9, 400, "ns");
  row("compiling the header", compiled.seconds, 1.2, "s");
  row("a program that prints one gradient", start.seconds * 1e3, 10, "ms");
  row("its memory at the peak", start.bytes / 1e6, 25, "MB");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc > 1) return bench::answer(argv[1], prepare, one_gradient, header);
    table();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
