// I want a class of my application to own a model, to learn and to answer in the application's own
// types, and to turn wrong input into an answer that the application can show.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>

// A price estimate from the area of a flat and its age.
class Pricer {
 public:
  struct Flat {
    float area, age, price;
  };

  void learn(const std::vector<Flat>& flats) {
    std::vector<float> features, prices;
    for (const Flat& flat : flats) {
      features.insert(features.end(), {flat.area, flat.age});
      prices.push_back(flat.price);
    }
    const int64_t n = static_cast<int64_t>(flats.size());
    const cairn::Tensor x = cairn::from_data(features, {n, 2});
    const cairn::Tensor y = cairn::from_data(prices, {n, 1});
    cairn::optim::SGD opt(net_.parameters(), {.lr = 0.02, .momentum = 0.9});
    net_.train();
    for (int step = 0; step < 300; ++step) {
      opt.zero_grad();
      cairn::mse_loss(net_(x), y).backward();
      opt.step();
    }
  }

  std::optional<float> price(const std::vector<float>& features) noexcept {
    try {
      const cairn::NoGrad guard;
      net_.eval();
      const int64_t n = static_cast<int64_t>(features.size());
      return net_(cairn::from_data(features, {1, n})).item<float>();
    } catch (const std::exception& error) {
      problem_ = error.what();
      return std::nullopt;
    }
  }
  const std::string& problem() const { return problem_; }

 private:
  cairn::nn::Sequential net_{cairn::nn::BatchNorm1d(2), cairn::nn::Linear(2, 16), cairn::nn::ReLU(),
                             cairn::nn::Linear(16, 1)};
  std::string problem_;
};

void run() {
  std::vector<Pricer::Flat> flats;
  for (int i = 0; i < 64; ++i) {
    const int column = i % 8, row = i / 8;
    const float area = 30 + static_cast<float>(column) * 10, age = static_cast<float>(row) * 5;
    flats.push_back({area, age, area * 0.05F - age * 0.03F});
  }
  const auto pricer = std::make_unique<Pricer>();
  pricer->learn(flats);

  const std::optional<float> price = pricer->price({60, 10});
  expect(price.has_value(), "no price: {}", pricer->problem());
  fmt::print("a flat of 60 m2, 10 years old: {:.2f}\n", *price);
  expect(std::abs(*price - 2.7F) < 0.3F, "the price is {}, not 2.7", *price);

  // Wrong input is an error with a text, and changes nothing.
  expect(!pricer->price({60, 10, 3}).has_value(), "three features were accepted");
  expect(!pricer->problem().empty(), "the error has no text");
  expect(pricer->price({60, 10}) == price, "the price has changed after an error");

  bool caught = false;
  try {
    pricer->learn({{60, 10, 2.7F}});  // a single flat has no variance to normalise by
  } catch (const cairn::Error&) {
    caught = true;
  }
  expect(caught, "one flat was accepted for training");
  expect(pricer->price({60, 10}) == price, "the price has changed after an error in learn()");
}

int main() {
  cairn::manual_seed(0);
  run();
  const auto bytes = cairn::memory_stats().in_use;
  run();
  expect(cairn::memory_stats().in_use == bytes, "memory of the model is still in use");
}
