// Trains two models on handwritten digits. They differ in one option: whether their norms track
// running statistics. Then tests both on the test images, all at once and in batches of four.
#include <cairn/cairn.h>

#include "support/digits.h"

#include <CLI/CLI.hpp>

#include <unistd.h>
#include <chrono>
#include <cstdio>

using namespace cairn;
using digits::accuracy;
using digits::Digits;
using digits::test_size;

namespace {

struct Options {
  std::string data = CAIRN_DATA_DIR "/digits.csv";
  int64_t epochs = 30;
  int64_t batch = 32;
  double lr = 0.1;
  double momentum = 0.9;
  uint64_t seed = 42;
};

nn::Sequential make_model(bool track) {
  return nn::Sequential{nn::BatchNorm1d(digits::pixels, {.track_running_stats = track}),
                        nn::Linear(digits::pixels, 64),
                        nn::BatchNorm1d(64, {.track_running_stats = track}), nn::ReLU(),
                        nn::Linear(64, digits::classes)};
}

/// One pass over the data in random order. Returns the mean loss.
double train_epoch(nn::Module& model, optim::Optimizer& optimizer, const Digits& train,
                   int64_t batch_size) {
  const nn::MSELoss criterion;
  const Tensor order = randperm(train.size());
  double sum = 0;
  int64_t seen = 0;
  model.train();
  // A last batch of a single image is left out: one value has no variance to normalise by.
  for (int64_t begin = 0; begin + 1 < train.size(); begin += batch_size) {
    const Digits batch = train.select(order.slice(0, begin, begin + batch_size));
    const Tensor target = one_hot(batch.labels, digits::classes).to(DType::float32);

    optimizer.zero_grad();
    const Tensor loss = criterion(model(batch.images), target);
    loss.backward();
    optimizer.step();

    sum += loss.item<double>() * static_cast<double>(batch.size());
    seen += batch.size();
  }
  return sum / static_cast<double>(seen);
}

/// Redraws one line if the output is a terminal; otherwise prints a new line each time.
class Progress {
 public:
  ~Progress() {
    if (terminal_) fmt::print("\n");
  }
  void show(const std::string& text) const {
    fmt::print("{}{}{}", terminal_ ? "\r\033[K" : "", text, terminal_ ? "" : "\n");
    std::fflush(stdout);
  }

 private:
  bool terminal_ = isatty(STDOUT_FILENO) == 1;
};

struct Result {
  const char* name;
  double at_once, by_four;
};

Result run(const char* name, bool track, const Digits& train, const Digits& test,
           const Options& options) {
  manual_seed(options.seed);  // both start from the same weights and see the same batches
  nn::Sequential model = make_model(track);
  optim::SGD sgd(model.parameters(), {.lr = options.lr, .momentum = options.momentum});

  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const Progress progress;
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const double loss = train_epoch(model, sgd, train, options.batch);
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    progress.show(fmt::format("{:<9}  epoch {:>3}/{}  loss {:.4f}  {:.1f} s", name, epoch,
                              options.epochs, loss, elapsed.count()));
  }
  return {name, accuracy(model, test, test_size), accuracy(model, test, 4)};
}

void run_both(const Options& options) {
  const auto [train, test] = digits::read_split(options.data);
  const Result results[] = {run("tracked", true, train, test, options),
                            run("untracked", false, train, test, options)};

  fmt::print("\naccuracy on {} test images, in eval()\n\n", test_size);
  fmt::print("{:<9}  {:>11}  {:>15}\n", "norms", "all at once", "in batches of 4");
  for (const Result& r : results) {
    fmt::print("{:<9}  {:>11.3f}  {:>15.3f}\n", r.name, r.at_once, r.by_four);
  }
  fmt::print(
      "\nIn eval() a tracked norm normalises by the running statistics of training. An untracked "
      "one\n"
      "normalises by the batch it is given, and four images are a poor estimate of the mean and\n"
      "variance of all.\n");
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): CLI11 throws only if an option is declared wrongly
int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Trains two models on handwritten digits, one with tracked and one with untracked norms.");
  app.option_defaults()->always_capture_default();
  app.add_option("--epochs", options.epochs, "passes over the training set")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "images in a training batch")
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 20));
  app.add_option("--lr", options.lr, "learning rate");
  app.add_option("--momentum", options.momentum, "momentum of SGD");
  app.add_option("--seed", options.seed, "seed of the random numbers");
  app.add_option("--data", options.data, "the file with the digits, one a line");
  CLI11_PARSE(app, argc, argv);

  try {
    run_both(options);
  } catch (const std::exception& error) {  // cairn::Error, or the file cannot be read
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
