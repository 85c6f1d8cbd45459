// Loads of several objects, all or nothing.
#include "support/approx.h"

#include <cairn/core/load_plan.h>
#include <cairn/core/random.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/linear.h>
#include <cairn/nn/stats.h>
#include <cairn/optim/sgd.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("LoadPlan: a model, an optimizer and a generator are loaded together or not at all") {
  nn::Linear model(2, 3);
  optim::SGD sgd(model.parameters(), {.lr = 0.5});
  Generator generator(7);
  const auto saved_model = model.state_dict(), saved_sgd = sgd.state_dict();
  StateDict values;
  for (const auto& [name, t] : saved_model) values[name] = t.clone();
  const Tensor state = generator.state();
  const auto change = [&] {
    const NoGrad guard;
    model.weight.fill_(9);
    sgd.groups()[0].lr = 0.1;
    Tensor drawn = empty({3});
    generator.fill_uniform(drawn, 0, 1);
  };
  change();
  const Tensor later = generator.state();

  LoadPlan bad;
  model.plan_load(bad, values);
  sgd.plan_load(bad, saved_sgd);
  generator.plan_load(bad, zeros({3}));
  CHECK_THROWS_AS(bad.check("load"), Error);
  CHECK(model.weight.at<float>({0, 0}) == 9);
  CHECK(sgd.groups()[0].lr == 0.1);
  CHECK(equal(generator.state(), later));

  LoadPlan good;
  model.plan_load(good, values);
  sgd.plan_load(good, saved_sgd);
  generator.plan_load(good, state);
  good.check("load");
  good.commit();
  CHECK(equal(model.weight.detach(), values.at("weight")));
  CHECK(sgd.groups()[0].lr == 0.5);
  CHECK(equal(generator.state(), state));
}

TEST_CASE("LoadPlan: what was not checked is not committed") {
  Tensor x = zeros({2});
  LoadPlan plan;
  CHECK_ERROR_MENTIONS(plan.write(x, ones({3})), "load_plan: values [3] for a tensor [2]");
  plan.write(x, ones({2}));
  plan.commit();
  CHECK(equal(x, zeros({2})));
  plan.check("load");
  plan.problem("a problem that came later");
  plan.commit();
  CHECK(equal(x, zeros({2})));
  CHECK_ERROR_MENTIONS(plan.check("load"), "load: nothing was loaded", "a problem that came later");
}

TEST_CASE("LoadPlan: a record that was added after the plan was made gets the planned values") {
  nn::BatchNorm1d norm(2), from(2);
  nn::select_stats(from, "night", {.create = true});
  from.running_mean.copy_(tensor({3, 4}));
  LoadPlan plan;
  norm.plan_load(plan, from.state_dict());
  nn::select_stats(norm, "night", {.create = true});
  plan.check("load");
  plan.commit();
  CHECK(equal(norm.running_mean, tensor({3, 4})));
}
