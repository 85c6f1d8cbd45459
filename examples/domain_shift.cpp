// Tests a trained model on digits under a shift: other light, noise, a translation. The weights
// stay; only the running statistics are estimated again, from shifted images without labels (AdaBN,
// Li et al. 2016). Then the old statistics are restored, bit for bit.
#include <cairn/cairn.h>

#include "support/main.h"
#include "support/plot.h"
#include "support/training.h"

using namespace cairn;
using digits::Digits;

namespace {

/// The images, moved one pixel to the right.
Tensor translated(const Tensor& images) {
  const Tensor rows = images.reshape({-1, 8, 8});
  return cat({zeros({rows.size(0), 8, 1}), rows.slice(2, 0, 7)}, 2).reshape(images.shape());
}

struct Shift {
  const char* name;
  Tensor (*of)(const Tensor& images);
};
const Shift shifts[] = {
    {"none", [](const Tensor& x) { return x; }},
    {"contrast", [](const Tensor& x) { return 0.4 * x + 0.3; }},
    {"brightness", [](const Tensor& x) { return (x + 0.3).clamp(0, 1); }},
    {"noise", [](const Tensor& x) { return (x + 0.3 * randn_like(x)).clamp(0, 1); }},
    {"translation", translated},
};

Tensor logits(nn::Module& model, const Digits& test) {
  const NoGrad guard;
  model.eval();
  return model(test.images);
}

void example(const support::Options& options) {
  const support::Plot plot(options.plot);
  const auto [train, test] = digits::read_split(options.data);
  support::Table table("accuracy on the test digits under a shift",
                       {"as trained", "re-estimated", "source, restored"});

  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    manual_seed(static_cast<uint64_t>(seed));
    nn::Sequential model = digits::make_model();
    digits::fit(model, train, options.epochs);
    const Tensor before = logits(model, test);
    const nn::StatsSnapshot source = nn::snapshot_stats(model);

    for (const Shift& shift : shifts) {
      const Digits target{shift.of(test.images), test.labels};
      const double as_trained = digits::accuracy(model, target);

      std::vector<Tensor> batches;
      for (const Digits& batch : digits::shuffled(train, 64)) {
        batches.push_back(shift.of(batch.images));
      }
      nn::estimate_running_stats(model, batches);
      const double re_estimated = digits::accuracy(model, target);

      nn::restore_stats(model, source);
      if (!digits::same_bits(logits(model, test), before)) {
        throw std::logic_error("the source's statistics did not come back");
      }
      table.add(shift.name, {as_trained, re_estimated, digits::accuracy(model, test)});
    }
  }

  table.print();
  fmt::print(
      "The statistics were re-estimated from the training images under the same shift, without\n"
      "labels. After the source's statistics were restored, the {} times 10 logits for the\n"
      "unshifted digits were each time the same, bit for bit.\n",
      digits::test_size);
  plot.bars(table);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): CLI11 throws only if an option is declared wrongly
int main(int argc, char** argv) {
  return support::run(argc, argv, "Adapts a model of digits to shifted ones by its statistics.", {},
                      example);
}
