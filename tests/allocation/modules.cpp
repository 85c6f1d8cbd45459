// Modules: their layers one by one, and all that is done to them besides training.
#include "allocation/every_allocation.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Fails every allocation of y = call(module, x) for a module that is made anew each time.
template <class Make, class Call>
Tried fail_on(const std::string& name, Make make, Call call, const Tensor& x = {}) {
  Tried tried = fail_every_allocation(name, [&] {
    manual_seed(1);
    auto m = make();
    auto y = std::make_shared<Tensor>();
    return Trial{[=] { *y = call(*m, x); },
                 [=] { return state(*m) << state(x) << state(*y) << state_of_generator(); },
                 [=] {
                   const Bits before = values(*y);  // of a call that did without memory
                   *y = call(*m, x);
                   if (y->defined() && y->requires_grad()) (*y * *y).sum().backward();
                   Bits bits = values(m->state_dict());
                   for (const Tensor& p : m->parameters()) bits << values(p.grad());
                   return bits << before << values(*y) << to_string(*m) << state_of_generator();
                 }};
  });
  CHECK(tried);
  return tried;
}

Tensor forward(nn::Module& layer, const Tensor& x) { return layer(x); }

template <class Layer, class... Args>
auto maker(Args... args) {
  return [=] { return std::make_shared<Layer>(args...); };
}

}  // namespace

TEST_CASE("each layer's forward: the record moves whole or not at all, whatever allocation fails") {
  const Tensor x = randn({4, 3, 5, 2}), rows = randn({6, 3});
  for (const std::optional<double> momentum : {std::optional<double>(0.1), {}}) {
    const nn::BatchNormOptions options{.momentum = momentum};
    for (const bool training : {true, false}) {
      for (const auto mode : {nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen}) {
        const auto make = [&] {
          auto bn = std::make_shared<nn::BatchNorm2d>(3, options);
          (*bn)(x);
          bn->set_stats_mode(mode);
          bn->train(training);
          return bn;
        };
        CHECK(fail_on("BatchNorm2d", make, forward, x).failures > 15);
      }
    }
  }
  const nn::BatchNormOptions untracked{.track_running_stats = false};
  const nn::BatchNormOptions checked{.affine = false, .check_finite = true};
  fail_on("BatchNorm1d, untracked", maker<nn::BatchNorm1d>(3, untracked), forward, rows);
  fail_on("BatchNorm1d, checked", maker<nn::BatchNorm1d>(3, checked), forward, rows);
  fail_on("BatchNorm2d of what has to be copied", maker<nn::BatchNorm2d>(5), forward,
          x.permute({0, 2, 1, 3}));
  fail_on("Linear", maker<nn::Linear>(3, 2), forward, rows);
  fail_on("ReLU", maker<nn::ReLU>(), forward, rows);
  fail_on("Flatten", maker<nn::Flatten>(), forward, x.transpose(0, 1));
}

TEST_CASE("a model's forward: every layer has recorded or none has, whatever allocation fails") {
  const Tensor x = randn({6, 4});
  const auto make = [] {
    manual_seed(1);
    return std::make_shared<nn::Sequential>(nn::BatchNorm1d(4, {.momentum = std::nullopt}),
                                            nn::Linear(4, 3), nn::BatchNorm1d(3));
  };
  CHECK(fail_on("forward", make, forward, x).failures > 40);
  const auto guarded = [](nn::Module& model, const Tensor& v) {
    const nn::NanGuard guard;
    return model(v);
  };
  CHECK(fail_on("forward in a NanGuard", make, guarded, x).failures > 80);
  const auto copied = [](nn::Sequential& model, const Tensor& v) { return nn::clone(model)(v); };
  CHECK(fail_on("clone", make, copied, x).failures > 40);
}

TEST_CASE("making a layer: it is there or the generator has not moved, whatever allocation fails") {
  const auto fail_making = [](const char* name, auto make) {
    const Tried tried = fail_every_allocation(name, [&] {
      manual_seed(1);
      return Trial{[make] { make(); }, [] { return state_of_generator(); },
                   [make] {
                     const auto layer = make();
                     return values(layer.state_dict()) << to_string(layer) << state_of_generator();
                   }};
    });
    CHECK(tried);
    CHECK(tried.failures > 0);
  };
  fail_making("Linear", [] { return nn::Linear(4, 3); });
  fail_making("Linear, no bias", [] { return nn::Linear(4, 3, {.bias = false}); });
  fail_making("BatchNorm1d", [] { return nn::BatchNorm1d(4); });
  fail_making("BatchNorm2d", [] { return nn::BatchNorm2d(4, {.track_running_stats = false}); });
  fail_making("BatchNorm3d", [] { return nn::BatchNorm3d(4, {.affine = false}); });
  fail_making("ReLU", [] { return nn::ReLU(); });
  fail_making("Flatten", [] { return nn::Flatten(); });
  fail_making("MSELoss", [] { return nn::MSELoss(); });
  fail_making("Sequential", [] { return nn::Sequential(); });
}

namespace {

// Opens the ways to register things.
struct Open : nn::Module {
  using Module::buffer;
  using Module::child;
  using Module::parameter;
  nn::Linear& fc = child("fc", nn::Linear(2, 2));
  nn::Sequential& net = child("net", nn::Sequential{nn::Linear(2, 2)});
};

}  // namespace

TEST_CASE("registering: the module is as before, and so is what was given, whatever fails") {
  const auto fail_registering = [](const char* name, auto make, auto call) {
    const Tried tried = fail_every_allocation(name, [&] {
      manual_seed(1);
      auto given = std::make_shared<decltype(make())>(make());
      auto open = std::make_shared<Open>();
      return Trial{[=] { call(*open, *given); }, [=] { return state(*open) << state(*given); },
                   [=] {
                     call(*open, *given);
                     return values(open->state_dict()) << to_string(*open);
                   },
                   true};
    });
    CHECK(tried);
    CHECK(tried.failures > 2);
  };
  const auto ones3 = [] { return ones({3}); };
  const auto layer = [] { return nn::Sequential{nn::Linear(3, 3), nn::BatchNorm1d(3)}; };
  fail_registering("parameter", ones3, [](Open& open, Tensor& x) {
    open.parameter("with_a_name_that_is_long_enough", x);
  });
  fail_registering("buffer", ones3, [](Open& open, Tensor& x) {
    open.buffer("with_a_name_that_is_long_enough", x);
  });
  fail_registering("child", layer, [](Open& open, nn::Sequential& m) {
    open.child("with_a_name_that_is_long_enough", std::move(m));
  });
  fail_registering("child in place", layer, [](Open& open, nn::Sequential&) {
    open.child<nn::BatchNorm1d>("with_a_name_that_is_long_enough", 3);
  });
  fail_registering("children of another", layer,
                   [](Open& open, nn::Sequential& m) { open.net.extend(std::move(m)); });
  fail_registering("child shared", layer, [](Open& open, nn::Sequential&) {
    open.child("with_a_name_that_is_long_enough", open.fc);
  });
}

TEST_CASE("Sequential: push_back adds a module whole or leaves it where it is, whatever fails") {
  const auto push = [](const char* name, auto call) {
    const Tried tried = fail_every_allocation(name, [&] {
      manual_seed(1);
      auto net = std::make_shared<nn::Sequential>(nn::Linear(3, 3));
      auto next = std::make_shared<nn::BatchNorm1d>(3);
      return Trial{[=] { call(*net, std::move(*next)); },
                   [=] { return state(*net) << state(*next) << double(net->size()); },
                   [=] {
                     call(*net, std::move(*next));
                     return values(net->state_dict()) << values((*net)(ones({2, 3})));
                   },
                   true};
    });
    CHECK(tried);
    CHECK(tried.failures > 5);
  };
  push("push_back", [](nn::Sequential& net, nn::BatchNorm1d&& m) { net.push_back(std::move(m)); });
  push("push_back, named", [](nn::Sequential& net, nn::BatchNorm1d&& m) {
    net.push_back("a_name_that_is_long_enough_to_allocate", std::move(m));
  });
  push("replace", [](nn::Sequential& net, nn::BatchNorm1d&& m) { net.replace(0, std::move(m)); });
}

namespace {

std::shared_ptr<nn::Sequential> model() {
  auto net = std::make_shared<nn::Sequential>(
      nn::Linear(4, 3), nn::BatchNorm1d(3),
      nn::Sequential(nn::ReLU(), nn::BatchNorm1d(3, {.track_running_stats = false})));
  (*net)(randn({5, 4})).sum().backward();
  return net;
}

// Names and values of what a traversal gives.
template <class Items>
Bits listed(const Items& items) {
  Bits bits;
  for (const auto& [name, item] : items) {
    bits << name;
    if constexpr (std::is_base_of_v<nn::Module, std::remove_cvref_t<decltype(item)>>) {
      bits << to_string(item);
    } else {
      bits << values(item);
    }
  }
  return bits;
}

}  // namespace

TEST_CASE("modules: reading changes nothing, whatever allocation fails") {
  using M = nn::Module;
  const auto read = [](const char* name, auto get, auto write_down) {
    const Tried tried = fail_every_allocation(name, [&] {
      manual_seed(1);
      auto net = model();
      return Trial{[=] { get(*net); }, [=] { return state(*net); },
                   [=] { return write_down(get(*net)); }};
    });
    CHECK(tried);
    CHECK(tried.failures > 0);
  };
  const auto list = [](const auto& items) { return listed(items); };
  const auto text = [](const std::string& s) { return Bits() << s; };
  read(
      "named_parameters", [](M& m) { return m.named_parameters(); }, list);
  read(
      "named_buffers", [](M& m) { return m.named_buffers(); }, list);
  read(
      "named_modules", [](M& m) { return m.named_modules(); }, list);
  read(
      "named_children", [](M& m) { return m.named_children(); }, list);
  read(
      "state_dict", [](M& m) { return m.state_dict(); }, list);
  read(
      "parameters", [](M& m) { return m.parameters().size(); },
      [](auto n) { return Bits() << double(n); });
  read(
      "to_string", [](M& m) { return to_string(m); }, text);
  read(
      "kind", [](M& m) { return m.kind(); }, text);
  read(
      "extra_repr of Linear", [](M& m) { return m.named_children()[0].second.extra_repr(); }, text);
  read(
      "extra_repr of BatchNorm", [](M& m) { return m.named_children()[1].second.extra_repr(); },
      text);
  read(
      "extra_repr of Flatten", [](M&) { return nn::Flatten().extra_repr(); }, text);
  read(
      "copy of a StateDict", [](M& m) { return StateDict(m.state_dict()); }, list);
}

TEST_CASE("modules: what changes them does so whole or not at all, whatever allocation fails") {
  const auto fail_changing = [](const char* name, auto call) {
    return fail_on(name, model,
                   [call](nn::Sequential& m, const Tensor&) { return call(m), Tensor(); })
        .failures;
  };
  using M = nn::Sequential;
  const auto bn = [](M& m) -> nn::BatchNorm& { return m.at<nn::BatchNorm>(1); };
  CHECK(fail_changing("to", [](M& m) { m.to(DType::float64); }) > 20);
  CHECK(fail_changing("train", [](M& m) { m.train(); }) > 2);
  CHECK(fail_changing("eval", [](M& m) { m.eval(); }) > 2);
  CHECK(fail_changing("zero_grad", [](M& m) { m.zero_grad(); }) > 2);
  CHECK(fail_changing("requires_grad_", [](M& m) { m.requires_grad_(false); }) > 2);
  CHECK(fail_changing("reset", [bn](M& m) { bn(m).reset_running_stats(); }) > 2);
  CHECK(fail_changing("copy_", [bn](M& m) { bn(m).running_var.copy_(full({3}, 2, f64)); }) > 2);
  fail_changing("set_stats_mode", [bn](M& m) { bn(m).set_stats_mode(nn::StatsMode::frozen); });
  fail_changing("track_running_stats", [bn](M& m) { bn(m).track_running_stats(false); });
}
