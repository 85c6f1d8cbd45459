// docs/modules.md: each block of C++ there is included here.
#include "support/approx.h"

#include <cairn/cairn.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace cairn;
using namespace cairn::test;

namespace {

#include "modules/a_module_of_your_own.inc"
#include "modules/a_module_that_stays_outside.inc"
#include "modules/other_arguments_than_one_tensor.inc"
#include "modules/sharing.inc"

// What the text calls x.
struct Input {
  Tensor x = tensor({{1, 2, 3, 4}, {4, 3, 2, 1}, {0, 1, 0, 1}});
};

}  // namespace

TEST_CASE_FIXTURE(Input, "docs/modules.md: a module of your own, and calling it") {
#include "modules/calling_it.inc"
  CHECK(y.shape() == x.shape());
  CHECK(block.batches.item<int>() == 1);
  block.eval();
  block(x);
  CHECK(block.batches.item<int>() == 1);
  std::vector<std::string> names;
  for (const auto& [name, t] : block.state_dict()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"gain", "batches", "fc.weight", "fc.bias", "norm.weight",
                                          "norm.bias", "norm.running_mean", "norm.running_var",
                                          "norm.num_batches_tracked"});
  CHECK(sgd.groups()[0].params().size() == 5);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: other arguments than one tensor") {
  Distance distance;
  CHECK(distance(ones({2, 3}), zeros({3})).requires_grad());
  CHECK(equal(distance(ones({2, 3}), zeros({3})), tensor({3, 3})));
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: containers") {
#include "modules/containers.inc"
  CHECK(net.size() == 4);
  CHECK(net(x).shape() == Shape{3, 2});
  CHECK(net.at<nn::Linear>(2).bias.abs().sum().item<float>() == 0);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: any number of modules") {
#include "modules/any_number_of_modules.inc"
  Tower tower(3);
  CHECK(tower(x).shape() == x.shape());
  CHECK(tower.parameters().size() == 15);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: sharing") {
  Twice twice;
  CHECK(twice(x).shape() == x.shape());
  CHECK(twice.parameters().size() == 2);
  CHECK(twice.state_dict().size() == 4);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: models in a vector") {
#include "modules/models_in_a_vector.inc"
  CHECK(population.size() == 2);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: copies") {
  nn::Sequential student{nn::Linear(4, 2)};
#include "modules/copies.inc"
  CHECK(equal(teacher(x), student(x)));
#include "modules/a_class_without_a_default_constructor.inc"
  Sized sized(4);
  Sized copy = nn::clone(sized);
  CHECK(equal(copy(x), sized(x)));
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: keeping the best weights") {
  nn::Linear model(4, 2);
  const Tensor before = model.weight.detach().clone();
  const auto train_and_validate = [&] { model.weight.detach().fill_(0); };
#include "modules/keeping_the_best_weights.inc"
  CHECK(equal(model.weight, before));
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: a module that stays outside") {
  nn::Sequential teacher{nn::Linear(4, 2)};
  Student student(teacher);
  student(x).sum().backward();
  CHECK(student.parameters().size() == 2);
  CHECK_FALSE(teacher.parameters()[0].grad().defined());
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: training and evaluating") {
  nn::Sequential model{nn::Linear(4, 2)};
#include "modules/training_and_evaluating.inc"
  CHECK(model.at<nn::Linear>(0).bias.abs().sum().item<float>() == 0);
}

TEST_CASE_FIXTURE(Input, "docs/modules.md: finding a NaN") {
  nn::Sequential model{nn::Linear(4, 2)};
#include "modules/finding_a_nan.inc"
  CHECK_ERROR_MENTIONS(model(x / 0), "div:", "is not finite");
}
