// The recipes of docs/statistics.md: each block of C++ there is included here, and does what the
// page says it does.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/cairn.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

using namespace cairn;
using namespace cairn::test;

namespace {

nn::Sequential small_model() {
  return nn::Sequential{nn::BatchNorm1d(3), nn::Linear(3, 4), nn::BatchNorm1d(4), nn::ReLU(),
                        nn::Linear(4, 2)};
}

nn::BatchNorm& norm_of(nn::Sequential& model, int64_t i) { return model.at<nn::BatchNorm>(i); }

std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result(tensors.size());
  std::transform(tensors.begin(), tensors.end(), result.begin(),
                 [](const Tensor& t) { return t.detach().clone(); });
  return result;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return bool(equal(x, y)); });
}

// What the recipes speak of.
struct Training {
  Training() { manual_seed(1); }
  nn::MSELoss criterion;
  Tensor x = randn({16, 3}) * 2 + 1, y = randn({16, 2});
};

}  // namespace

TEST_CASE("statistics.md: modes, a guard and freezes say what moves") {
  struct Net : nn::Module {
    nn::Sequential& backbone = child("backbone", nn::Sequential{nn::BatchNorm1d(3)});
    nn::BatchNorm1d& head = child("head", nn::BatchNorm1d(3));
    Tensor forward(const Tensor& x) override { return head(backbone(x)); }
  } model;
  nn::BatchNorm& norm = norm_of(model.backbone, 0);
  const Tensor x = Training().x;
#include "statistics/the_rules.inc"
  CHECK(norm.stats_mode() == nn::StatsMode::frozen);
  CHECK(model.head.stats_mode() == nn::StatsMode::hold);
  CHECK(record_of(norm) == initial_record(3));
  CHECK(record_of(model.head) == initial_record(3));
  norm.track_running_stats(true);
  model(x);
  CHECK(record_of(norm).mean == initial_record(3).mean);
  CHECK(record_of(norm).var != initial_record(3).var);
  CHECK(norm.num_batches_tracked.item<int>() == 1);
}

TEST_CASE("statistics.md: an attack records nothing, the step on it once") {
  auto [criterion, x, y] = Training();
  nn::Sequential model = small_model(), plain = small_model();
  nn::copy_state(model, plain);
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
#include "statistics/adversarial_training.inc"
  plain(attacked);
  CHECK_FALSE(equal(attacked, x));
  CHECK(record_of(norm_of(model, 0)) == record_of(norm_of(plain, 0)));
  CHECK(record_of(norm_of(model, 2)) == record_of(norm_of(plain, 2)));
  CHECK(record_of(norm_of(model, 2)).count == 1);
}

TEST_CASE("statistics.md: clean and attacked images have records of their own") {
  auto [criterion, x, y] = Training();
  const Tensor attacked = x + 1;
  nn::Sequential model = small_model();
  nn::BatchNorm1d clean(3), other(3);
  clean(x);
  other(attacked);
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
#include "statistics/advprop.inc"
  CHECK(record_of(norm_of(model, 0)) == record_of(clean));
  nn::select_stats(model, "adversarial");
  CHECK(record_of(norm_of(model, 0)) == record_of(other));
}

TEST_CASE("statistics.md: a model adapts to another domain, and comes back to the last bit") {
  auto [criterion, x, y] = Training();
  nn::Sequential model = small_model();
  model(x);
  const std::vector<Tensor> target_images{x * 3 + 5, x * 3 - 5};
  const Record before = record_of(norm_of(model, 0));
  model.eval();
  const Tensor as_trained = model(x);
  model.train();
#include "statistics/another_domain_adabn.inc"
  CHECK_FALSE(equal(adapted, as_trained));
  CHECK(equal(model(x), as_trained));
  CHECK(record_of(norm_of(model, 0)) == before);
}

TEST_CASE("statistics.md: averaged weights get a record of their own") {
  auto [criterion, x, y] = Training();
  nn::Sequential model = small_model(), average = small_model(), expected = small_model();
  const std::vector<Tensor> batches{x, y.sum() + 2 * x};
  int averaged = 0;
  const Tensor first = model.parameters()[2].clone(), second = first * 3;
  for (int epoch = 0; epoch < 2; ++epoch) {
    if (epoch == 1) {
      const NoGrad guard;
      model.parameters()[2].copy_(second);
    }
#include "statistics/averaged_weights_swa.inc"
  }
  CHECK(averaged == 2);
  CHECK(close(average.parameters()[2], 2 * first, {.relative = 1e-6, .absolute = 1e-6}));
  nn::copy_state(average, expected);
  nn::estimate_running_stats(expected, batches);
  CHECK(record_of(norm_of(average, 2)) == record_of(norm_of(expected, 2)));
  CHECK(record_of(norm_of(average, 2)).count == 2);
}

TEST_CASE("statistics.md: a teacher judges without recording, and follows its student") {
  auto [criterion, x, y] = Training();
  const Tensor noise = 0.1 * randn_like(x);
  nn::Sequential student = small_model(), teacher = small_model();
  student(x);
  const Record copied = record_of(norm_of(student, 2));
  const Tensor before = student.parameters()[2].detach().clone();
  optim::SGD sgd(student.parameters(), {.lr = 1});
#include "statistics/mean_teacher.inc"
  const Tensor expected = 0.99 * before + 0.01 * student.parameters()[2].detach();
  CHECK(close(teacher.parameters()[2], expected, {.relative = 1e-6, .absolute = 1e-7}));
  CHECK_FALSE(equal(student.parameters()[2], before));
  CHECK_FALSE(target.requires_grad());
  CHECK(record_of(norm_of(teacher, 2)) == copied);
  CHECK(record_of(norm_of(student, 2)).count == 2);
  nn::copy_stats(student, teacher);
  CHECK(record_of(norm_of(teacher, 2)) == record_of(norm_of(student, 2)));
}

TEST_CASE("statistics.md: a frozen backbone computes in train() what it computes in eval()") {
  auto [criterion, x, y] = Training();
  struct Net : nn::Module {
    nn::Sequential& backbone = child("backbone", small_model());
    nn::Sequential& head = child("head", nn::Sequential{nn::BatchNorm1d(2), nn::Linear(2, 2)});
    Tensor forward(const Tensor& in) override { return head(backbone(in)); }
  } model;
  model.backbone(x);
  const Record before = record_of(norm_of(model.backbone, 0));
  const std::vector<Tensor> weights = copies(model.backbone.parameters());
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
#include "statistics/frozen_backbone.inc"
  criterion(model(x), y).backward();
  sgd.step();
  CHECK(same(model.backbone.parameters(), weights));
  CHECK(record_of(norm_of(model.backbone, 0)) == before);
  CHECK(record_of(norm_of(model.head, 0)).count == 1);
  const Tensor in_training = model.backbone(x);
  model.eval();
  CHECK(equal(model.backbone(x), in_training));
}

TEST_CASE("statistics.md: four micro-batches are recorded as the batch they are") {
  auto [criterion, whole, targets] = Training();
  nn::Sequential model = small_model();
  nn::BatchNorm1d at_once(3);
  at_once(whole);
  std::vector<std::pair<Tensor, Tensor>> micro_batches;
  for (int64_t i = 0; i < 16; i += 4) {
    micro_batches.emplace_back(whole.slice(0, i, i + 4), targets.slice(0, i, i + 4));
  }
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
#include "statistics/gradient_accumulation.inc"
  CHECK(record_of(norm_of(model, 0)).count == 1);
  CHECK(record_of(norm_of(model, 2)).count == 1);
  CHECK(close(norm_of(model, 0).running_mean, at_once.running_mean));
  CHECK(close(norm_of(model, 0).running_var, at_once.running_var));
}

TEST_CASE("statistics.md: a block computed twice is recorded once, with the same gradients") {
  auto [criterion, x, y] = Training();
  nn::Sequential block = small_model(), plain = small_model();
  nn::copy_state(block, plain);
  nn::Linear head(2, 2);
#include "statistics/gradient_checkpointing.inc"
  criterion(head(plain(x)), y).backward();
  CHECK(record_of(norm_of(block, 2)) == record_of(norm_of(plain, 2)));
  for (std::size_t i = 0; i < plain.parameters().size(); ++i) {
    CHECK(equal(block.parameters()[i].grad(), plain.parameters()[i].grad()));
  }
}

TEST_CASE("statistics.md: batches of two train the weights around the record") {
  const Training data;
  const nn::MSELoss criterion;
  const Tensor images = data.x, targets = data.y;
  nn::Sequential model = small_model();
  model(images);
  const Record before = record_of(norm_of(model, 2));
  const Tensor weight = model.parameters()[2].detach().clone();
  std::vector<std::pair<Tensor, Tensor>> batches_of_two;
  for (int64_t i = 0; i < 16; i += 2) {
    batches_of_two.emplace_back(images.slice(0, i, i + 2), targets.slice(0, i, i + 2));
  }
  optim::SGD sgd(model.parameters(), {.lr = 0.05});
  const auto loss = [&] {  // by the record
    const nn::StatsGuard guard(model, nn::StatsMode::frozen);
    return criterion(model(images), targets).item<float>();
  };
  const float at_first = loss();
#include "statistics/fine_tuning_on_small_batches.inc"
  CHECK(record_of(norm_of(model, 2)) == before);
  CHECK_FALSE(equal(model.parameters()[2], weight));
  CHECK(loss() < at_first);
  const Tensor one = images.slice(0, 0, 1);
  CHECK(equal(model(images).slice(0, 0, 1), model(one)));  // no error, and no neighbours
}

TEST_CASE("statistics.md: an audit says what is wrong, as the page shows it") {
  manual_seed(1);
  nn::Sequential model = small_model();
  nn::set_stats_mode(model[2], nn::StatsMode::hold);
  for (int i = 0; i < 100; ++i) model(randn({32, 3}));
  const std::vector<Tensor> batches{3 * randn({32, 3}) + 2};
#include "statistics/why_is_eval_so_much_worse_than_train.inc"
  CHECK(audit.problems.size() == 3);
  std::ifstream page(CAIRN_DOCS_DIR "/statistics.md");
  const std::string text(std::istreambuf_iterator<char>(page), {});
  CAPTURE(report);
  CHECK(text.find("```\n" + report + "\n```") != std::string::npos);
}
