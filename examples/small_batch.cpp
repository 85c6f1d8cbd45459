// Fine-tunes on a few dim images, in micro-batches of two. Each micro-batch normalises by its own
// statistics and updates the record (track), or the record is updated once for all micro-batches of
// a step (pooled); or the record normalises and is not updated (frozen), either as trained or
// re-estimated from the new images.
#include <cairn/cairn.h>

#include "support/main.h"
#include "support/plot.h"
#include "support/training.h"

#include <optional>

using namespace cairn;
using digits::Digits;

namespace {

constexpr int64_t new_images = 128, micro_batch = 2, micro_batches = 8;
constexpr double learning_rates[] = {0.0003, 0.001, 0.003, 0.01};

enum class Way { track, pooled, frozen, re_estimated };
constexpr std::pair<const char*, Way> ways[] = {{"track", Way::track},
                                                {"pooled", Way::pooled},
                                                {"frozen: as trained", Way::frozen},
                                                {"frozen: re-estimated", Way::re_estimated}};

/// One step by the mean gradient of the micro-batches.
void train_step(nn::Module& model, optim::SGD& sgd, const Digits& batch, Way way) {
  std::optional<nn::AccumulateStats> pool;  // updates the record once, at the end
  if (way == Way::pooled) pool.emplace(model);

  sgd.zero_grad();
  for (int64_t begin = 0; begin < batch.size(); begin += micro_batch) {
    const Digits two = batch.slice(begin, begin + micro_batch);
    (cross_entropy(model(two.images), two.labels) / micro_batches).backward();
  }
  sgd.step();
}

void fine_tune(nn::Module& model, const Digits& images, Way way, double lr, int64_t epochs) {
  if (way == Way::re_estimated) nn::estimate_running_stats(model, {images.images});
  if (way == Way::frozen || way == Way::re_estimated) {
    nn::set_stats_mode(model, nn::StatsMode::frozen);
  }

  optim::SGD sgd(model.parameters(), {.lr = lr, .momentum = 0.9});
  model.train();
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const Digits& batch : digits::shuffled(images, micro_batch * micro_batches)) {
      train_step(model, sgd, batch, way);
    }
  }
}

/// The same images in half the light.
Digits dim(const Digits& images) { return {0.5 * images.images, images.labels}; }

void example(const support::Options& options) {
  const support::Plot plot(options.plot);
  const auto [train, test] = digits::read_split(options.data);
  const int64_t old_images = train.size() / 2;
  const Digits dim_train = dim(train.slice(old_images, old_images + new_images));
  const Digits dim_test = dim(test);
  std::vector<std::string> columns;
  for (const double lr : learning_rates) columns.push_back(fmt::format("{}", lr));
  support::Table table("accuracy on dim digits after fine-tuning, by learning rate", columns);

  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    manual_seed(static_cast<uint64_t>(seed));
    nn::Sequential trained = digits::make_model();
    digits::fit(trained, train.slice(0, old_images), options.epochs);
    table.add("not tuned",
              std::vector(std::size(learning_rates), digits::accuracy(trained, dim_test)));

    for (const auto& [name, way] : ways) {
      std::vector<double> row;
      for (const double lr : learning_rates) {
        manual_seed(static_cast<uint64_t>(seed));  // the same batches each time
        nn::Sequential model = digits::make_model();
        nn::copy_state(trained, model);
        fine_tune(model, dim_train, way, lr, options.epochs);
        row.push_back(digits::accuracy(model, dim_test));
      }
      table.add(name, row);
    }
  }

  table.print();
  fmt::print(
      "track and pooled both normalise by two images in training; only their records differ.\n"
      "The gain of pooled over track, and in how many runs it was higher:\n\n");
  table.compare("pooled", "track");
  fmt::print("\nThe highest means, by learning rate:\n");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    fmt::print("  {:<8} {}\n", columns[i], table.best(i));
  }
  plot.bars(table);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): CLI11 throws only if an option is declared wrongly
int main(int argc, char** argv) {
  return support::run(argc, argv, "Fine-tunes a model of digits with batches of two.", {}, example);
}
