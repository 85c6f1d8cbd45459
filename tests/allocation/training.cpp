// A training step, call by call: forward, loss, backpropagate, step, and loading. Whatever
// allocation fails, model, gradients, optimizer and generator are as before the call, and the next
// whole step comes to what it comes to without the failure.
#include "allocation/every_allocation.h"

#include <cairn/cairn.h>

#include <numeric>

using namespace cairn;
using namespace cairn::test;

namespace {

struct SimpleModel : nn::Module {
  nn::BatchNorm1d& batchnorm1 =
      child("batchnorm1", nn::BatchNorm1d(10, {.track_running_stats = false}));
  nn::Linear& linear = child("linear", nn::Linear(10, 5));
  nn::BatchNorm1d& batchnorm2 =
      child("batchnorm2", nn::BatchNorm1d(5, {.track_running_stats = false}));
  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

// Its only record is moved by the last layer, so that the whole forward moves all or nothing.
struct TrackedLast : nn::Module {
  nn::Sequential& head =
      child("head", nn::Sequential{nn::Linear(10, 6), nn::ReLU(), nn::Linear(6, 5)});
  nn::BatchNorm1d& bn = child("bn", nn::BatchNorm1d(5, {.momentum = std::nullopt}));
  Tensor forward(const Tensor& x) override { return bn(head(x)); }
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<nn::Module>()> make;
  optim::SGDOptions options;
  int64_t steps_before;
};

std::vector<Kind> kinds() {
  const auto simple = [] { return std::make_unique<SimpleModel>(); };
  const auto tracked = [] { return std::make_unique<TrackedLast>(); };
  const auto nested = []() -> std::unique_ptr<nn::Module> {
    return std::make_unique<nn::Sequential>(
        nn::Linear(10, 4), nn::Sequential(nn::BatchNorm1d(4, {.track_running_stats = false}),
                                          nn::Sequential(nn::ReLU(), nn::Linear(4, 5))));
  };
  const optim::SGDOptions plain{.lr = 0.1}, momentum{.lr = 0.1, .momentum = 0.9},
      nesterov{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true};
  return {{"SimpleModel, first step", simple, plain, 0},
          {"SimpleModel, momentum, first step", simple, momentum, 0},
          {"SimpleModel, momentum, second step", simple, momentum, 1},
          {"a record, nesterov, first step", tracked, nesterov, 0},
          {"a record, nesterov, second step", tracked, nesterov, 1},
          {"nested, momentum, second step", nested, momentum, 1}};
}

// A model in training, and how far it has come in this step.
struct Training {
  std::unique_ptr<nn::Module> model;
  optim::SGD optimizer;
  Tensor x, target, y, loss;

  explicit Training(const Kind& kind)
      : model((manual_seed(1), kind.make())), optimizer(model->parameters(), kind.options) {
    x = randn({8, 10});
    target = randn({8, 5});
    for (int64_t i = 0; i < kind.steps_before; ++i) whole_step();
  }

  void forward() { y = (*model)(x); }
  void compare() { loss = mse_loss(y, target); }
  void whole_step() {
    optimizer.zero_grad();
    forward();
    compare();
    loss.backward();
    optimizer.step();
  }

  // All that a call which fails must leave as it was.
  Bits state() const {
    return test::state(*model) << test::state(optimizer) << state_of_generator()
                               << test::state({x, target, y, loss});
  }
  // Where a whole step more leads.
  Bits go_on() {
    whole_step();
    Bits bits = values(y) << values(loss) << values(model->state_dict())
                          << values(optimizer.state_dict());
    for (const Tensor& p : model->parameters()) bits << values(p.grad());
    return bits << state_of_generator();
  }
};

// Fails every allocation of one call of the step, in each kind of model. `before` brings the step
// to where the call belongs, `after` on to its end, undisturbed.
int64_t fail_in_training(const char* name, const std::function<void(Training&)>& before,
                         const std::function<void(Training&)>& call,
                         const std::function<void(Training&)>& after,
                         const std::vector<Kind>& models = kinds()) {
  int64_t failures = 0;
  for (const Kind& kind : models) {
    const Tried tried = fail_every_allocation(std::string(name) + ", " + kind.name, [&] {
      auto t = std::make_shared<Training>(kind);
      before(*t);
      return Trial{[t, call] { call(*t); }, [t] { return t->state(); },
                   [t, call, after] {
                     const Bits kept = values(t->y) << values(t->loss);
                     call(*t);
                     after(*t);
                     return t->go_on() << kept;
                   }};
    });
    CHECK(tried);
    failures += tried.failures;
  }
  MESSAGE(std::string(name) << ": " << failures << " allocations failed");
  return failures;
}

void nothing(Training&) {}
void zero_grad(Training& t) { t.optimizer.zero_grad(); }
void forward(Training& t) { t.forward(); }
void compare(Training& t) { t.compare(); }
void backpropagate(Training& t) { t.loss.backward(); }
void step(Training& t) { t.optimizer.step(); }

using Phases = std::vector<std::function<void(Training&)>>;
std::function<void(Training&)> all(const Phases& phases) {
  return [phases](Training& t) {
    for (const auto& phase : phases) phase(t);
  };
}

}  // namespace

TEST_CASE("forward: it happens or it does not, whatever allocation fails") {
  CHECK(fail_in_training("forward", zero_grad, forward, all({compare, backpropagate, step})) > 50);
}

TEST_CASE("mse_loss: it happens or it does not, whatever allocation fails") {
  CHECK(fail_in_training("loss", all({zero_grad, forward}), compare, all({backpropagate, step})) >
        50);
}

TEST_CASE("backward: no gradient has changed, whatever allocation fails") {
  const auto kept = [](Training& t) { t.loss.backward({}, {.retain_graph = true}); };
  const auto forwards = all({zero_grad, forward, compare});
  CHECK(fail_in_training("backward", forwards, kept, step) > 50);
  // Into gradients that are there already.
  CHECK(fail_in_training("second backward", all({forwards, kept}), kept, step) > 50);
}

TEST_CASE("backward: without retain_graph the graph is spent when it fails, and that is all") {
  int64_t failures = 0;
  for (const Kind& kind : kinds()) {
    const Tried tried = fail_every_allocation(std::string("backward, ") + kind.name, [&] {
      auto t = std::make_shared<Training>(kind);
      all({zero_grad, forward, compare})(*t);
      return Trial{[t] { backpropagate(*t); }, [t] { return t->state(); },
                   [t] { return t->go_on(); }};
    });
    CHECK(tried);
    failures += tried.failures;
  }
  CHECK(failures > 50);
}

TEST_CASE("step: no parameter and no momentum has changed, whatever allocation fails") {
  CHECK(fail_in_training("step", all({zero_grad, forward, compare, backpropagate}), step, nothing) >
        50);
}

TEST_CASE("zero_grad: no gradient has changed, whatever allocation fails") {
  const auto by_writing = [](Training& t) { t.optimizer.zero_grad({.set_to_none = false}); };
  const auto of_model = [](Training& t) { t.model->zero_grad(); };
  const auto backwards = all({zero_grad, forward, compare, backpropagate});
  CHECK(fail_in_training("zero_grad", backwards, zero_grad, nothing) == 0);  // it needs no memory
  CHECK(fail_in_training("zero_grad to 0", backwards, by_writing, nothing) > 40);
  CHECK(fail_in_training("zero_grad of the model", backwards, of_model, nothing) > 50);
}

namespace {

// Fails every allocation of load(its argument, a model in training), where the argument is what
// get(another model in training) gives.
template <class Get, class Load>
int64_t fail_in_loading(const char* name, Get get, Load load,
                        const std::vector<Kind>& models = kinds()) {
  int64_t failures = 0;
  for (const Kind& kind : models) {
    const auto other = std::make_shared<Training>(kind);
    other->whole_step();
    const auto source = get(*other);
    const auto trial = [&kind, &load, &source] {
      auto t = std::make_shared<Training>(kind);
      return Trial{[=, &load, &source] { load(source, *t); }, [t] { return t->state(); },
                   [=, &load, &source] {
                     load(source, *t);
                     return t->go_on();
                   }};
    };
    const Tried tried = fail_every_allocation(std::string(name) + ", " + kind.name, trial);
    CHECK(tried);
    failures += tried.failures;
  }
  MESSAGE(std::string(name) << ": " << failures << " allocations failed");
  return failures;
}

}  // namespace

TEST_CASE("load_state_dict: all of it is loaded or nothing, whatever allocation fails") {
  CHECK(fail_in_loading(
            "load", [](const Training& t) { return t.model->state_dict(); },
            [](const StateDict& from, Training& to) { to.model->load_state_dict(from); }) > 50);
  CHECK(fail_in_loading(
            "copy_state", [](const Training& t) { return t.model.get(); },
            [](const nn::Module* from, Training& to) { nn::copy_state(*from, *to.model); }) > 50);
  CHECK(fail_in_loading(
            "load of an optimizer", [](const Training& t) { return t.optimizer.state_dict(); },
            [](const StateDict& from, Training& to) { to.optimizer.load_state_dict(from); }) > 50);
}

TEST_CASE("a step of a single model: more than 50 allocations are made to fail, each in two ways") {
  const std::vector<Kind> one{kinds()[2]};
  const auto forwards = all({zero_grad, forward, compare}),
             rest = all({compare, backpropagate, step});
  const auto keep = [](Training& t) { t.loss.backward({}, {.retain_graph = true}); };
  const int64_t in_forward = fail_in_training("forward", zero_grad, forward, rest, one);
  const int64_t in_backward = fail_in_training("backward", forwards, keep, step, one);
  const int64_t in_step =
      fail_in_training("step", all({forwards, backpropagate}), step, nothing, one);
  const int64_t in_load = fail_in_loading(
      "load", [](const Training& t) { return t.model->state_dict(); },
      [](const StateDict& from, Training& to) { to.model->load_state_dict(from); }, one);
  CHECK(in_forward > 2 * 20);
  CHECK(in_backward > 2 * 20);
  CHECK(in_step == 0);  // a step that makes no state allocates nothing
  CHECK(in_load > 2 * 20);
  CHECK(in_forward + in_backward + in_step + in_load > 2 * 50);
}

TEST_CASE("load_state_dict: what does not fit is refused as it should be, or for lack of memory") {
  StateDict wrong;
  wrong["batchnorm1.weight"] = zeros({3});
  wrong["linear.weight"] = zeros({5, 10}, f64);
  wrong["nobody.knows"] = zeros({3});
  const auto load = [&wrong](nn::Module& model) {
    try {
      model.load_state_dict(wrong);
    } catch (const Error& error) {
      if (std::string_view(error.what()).find("nothing was loaded") == std::string_view::npos)
        throw;
    }
  };
  const Tried tried = fail_every_allocation("load", [&] {
    manual_seed(1);
    auto model = std::make_shared<SimpleModel>();
    return Trial{[&load, model] { load(*model); }, [model] { return state(*model); },
                 [&load, model] {
                   load(*model);
                   return values(model->state_dict());
                 }};
  });
  CHECK(tried);
  CHECK(tried.failures > 50);
}
