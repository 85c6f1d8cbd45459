#include "support/approx.h"
#include "support/golden.h"
#include "support/rows.h"

#include <cairn/core/autograd.h>
#include <cairn/core/load_plan.h>
#include <cairn/core/random.h>
#include <cairn/nn/linear.h>
#include <cairn/optim/sgd.h>

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>

using namespace cairn;
using namespace cairn::test;
using optim::SGD;
using optim::SGDOptions;

namespace {

// A step rounds each of at most six terms, all about 1 in size, and five steps add up; momentum
// 0.9 passes each error on up to four times. 60 roundings of half a unit.
constexpr Tolerance five_steps_double{.relative = 0, .absolute = 60 * 1.2e-16 * 4};
constexpr Tolerance five_steps_float{.relative = 0, .absolute = 60 * 6.0e-8 * 4};

Tensor leaf(const Tensor& values) { return values.clone().requires_grad_(true); }

// A leaf [2] of 1, 2 whose gradient is 0.5, 0.25.
Tensor small() {
  Tensor p = tensor({1, 2}, {.requires_grad = true});
  p.set_grad(tensor({0.5, 0.25}));
  return p;
}

const std::map<std::string, SGDOptions> cases{
    {"plain", {.lr = 0.1}},
    {"momentum", {.lr = 0.1, .momentum = 0.9}},
    {"dampening", {.lr = 0.1, .momentum = 0.9, .dampening = 0.3}},
    {"weight_decay", {.lr = 0.1, .weight_decay = 0.05}},
    {"nesterov", {.lr = 0.1, .momentum = 0.8, .nesterov = true}},
    {"maximize", {.lr = 0.1, .maximize = true}},
    {"maximize_momentum_decay",
     {.lr = 0.05, .momentum = 0.9, .weight_decay = 0.1, .maximize = true}},
    {"nesterov_decay_maximize",
     {.lr = 0.05, .momentum = 0.7, .weight_decay = 0.1, .nesterov = true, .maximize = true}},
    {"momentum_dampening_decay",
     {.lr = 0.02, .momentum = 0.5, .dampening = 0.5, .weight_decay = 0.2}},
    {"momentum_of_one", {.lr = 0.01, .momentum = 1.0}},
    {"dampening_alone", {.lr = 0.1, .dampening = 0.9}},
    {"lr_zero", {.lr = 0.0, .momentum = 0.9}},
};

}  // namespace

TEST_CASE("sgd: five steps with every option are PyTorch's") {
  const Tensor gradients = golden("sgd", "gradients");
  for (const auto& named : cases) {
    const auto& name = named.first;
    const SGDOptions& options = named.second;
    for (const DType dtype : {DType::float64, DType::float32}) {
      check_row(name + " in " + std::string(to_string(dtype)), [&] {
        Tensor p = leaf(golden("sgd", "start").to(dtype));
        SGD optimizer({p}, options);
        const Tensor path = golden("sgd", name + "/path");
        const Tolerance tolerance = dtype == DType::float64 ? five_steps_double : five_steps_float;
        for (int64_t step = 0; step < gradients.size(0); ++step) {
          p.set_grad(gradients[step].to(dtype).clone());
          optimizer.step();
          CHECK(close(p.to(DType::float64), path[step], tolerance));
          CHECK(equal(p.grad(), gradients[step].to(dtype)));
        }
        const Tensor buffer = optimizer.groups()[0].state()[0][0];
        CHECK(buffer.defined() == golden("sgd").contains(name + "/momentum_buffer"));
        if (buffer.defined()) {
          CHECK(close(buffer.to(DType::float64), golden("sgd", name + "/momentum_buffer"),
                      tolerance));
        }
      });
    }
  }
}

TEST_CASE(
    "sgd: groups have their own options, which may change, and an undefined gradient is skipped") {
  Tensor a = leaf(golden("sgd", "start")), b = leaf(-golden("sgd", "start"));
  SGD optimizer({a}, {.lr = 0.05, .momentum = 0.9, .weight_decay = 0.1});
  optimizer.add_group({b}, {.lr = 0.2, .momentum = 0, .weight_decay = 0});
  const Tensor gradients = golden("sgd", "gradients");
  for (int64_t step = 0; step < gradients.size(0); ++step) {
    a.set_grad(step == 0 || step == 2 ? Tensor() : gradients[step].clone());
    b.set_grad(2 * gradients[step]);
    if (step == 2) optimizer.groups()[1].lr /= 2;
    optimizer.step();
    CHECK(close(a, golden("sgd", "groups/a")[step], five_steps_double));
    CHECK(close(b, golden("sgd", "groups/b")[step], five_steps_double));
  }
}

TEST_CASE("sgd: a new group inherits what the optimizer was built with") {
  Tensor a = small(), b = small(), c = small();
  SGD built({a}, {.lr = 0.5, .momentum = 0.25, .dampening = 0.125, .maximize = true});
  built.lr(0) = 7;  // a schedule; new groups do not follow it, as in PyTorch
  built.add_group({b}, {.weight_decay = 0.1});
  SGD optimizer = std::move(built);
  optimizer.add_group({c}, {.lr = 2, .momentum = 0, .maximize = false});
  const auto options_of = [&](std::size_t group) {
    const SGDOptions& o = optimizer.groups()[group];
    return std::vector<double>{o.lr, o.momentum, o.dampening, o.weight_decay, double(o.maximize)};
  };
  CHECK(options_of(0) == std::vector<double>{7, 0.25, 0.125, 0, 1});
  CHECK(options_of(1) == std::vector<double>{0.5, 0.25, 0.125, 0.1, 1});
  CHECK(options_of(2) == std::vector<double>{2, 0, 0.125, 0, 0});
  // What is inherited is checked together with what is given.
  CHECK_ERROR_MENTIONS(optimizer.add_group({small()}, {.nesterov = true}), "SGD:", "group 3",
                       "nesterov");
  CHECK(optimizer.group_count() == 3);
}

TEST_CASE("sgd: a class that owns a model and its optimizer can be moved") {
  struct Trainer {
    nn::Linear model{2, 1};
    SGD optimizer{model.parameters(), {.lr = 0.5, .momentum = 0.5}};
    void step() {
      optimizer.zero_grad();
      model(ones({1, 2})).sum().backward();
      optimizer.step();
    }
  };
  Trainer first;
  first.step();
  const Tensor before = first.model.weight.detach().clone();
  Trainer second = std::move(first);
  CHECK(second.optimizer.groups()[0].params()[0].handle().get() ==
        second.model.weight.handle().get());
  second.step();
  CHECK(equal(second.model.weight, before - 0.75));  // the momentum came along
}

TEST_CASE("sgd: without a gradient nothing moves, not even by decay; with a zero one decay does") {
  Tensor p = tensor({1, 2}, {.requires_grad = true});
  SGD optimizer({p}, {.lr = 0.5, .momentum = 0.9, .weight_decay = 0.5});
  optimizer.step();
  CHECK(equal(p, tensor({1, 2})));
  CHECK_FALSE(optimizer.groups()[0].state()[0][0].defined());
  p.set_grad(zeros({2}));
  optimizer.step();
  CHECK(equal(p, tensor({0.75, 1.5})));
}

TEST_CASE("sgd: the learning rate may be changed between steps") {
  Tensor p = small();
  SGD optimizer({p}, {.lr = 1});
  optimizer.groups()[0].lr = 2;
  optimizer.step();
  CHECK(equal(p, tensor({0, 1.5})));
}

TEST_CASE("sgd: strided parameters and gradients step as dense ones do") {
  Tensor p = leaf(golden("sgd", "start")), q = golden("sgd", "start").t().clone().t();
  q.requires_grad_(true);
  CHECK_FALSE(q.is_contiguous());
  SGD dense({p}, {.lr = 0.1, .momentum = 0.9}), strided({q}, {.lr = 0.1, .momentum = 0.9});
  for (int64_t step = 0; step < 3; ++step) {
    const Tensor g = golden("sgd", "gradients")[step];
    p.set_grad(g);
    q.set_grad(step == 1 ? g : g.t().clone().t());
    dense.step();
    strided.step();
    CHECK(equal(q, p));
  }
}

TEST_CASE("sgd: momentum survives the parameter's conversion to another dtype") {
  Tensor p = small();
  SGD optimizer({p}, {.lr = 0.5, .momentum = 0.5});
  optimizer.step();
  CHECK(equal(p, tensor({0.75, 1.875})));
  // What Module::to() does: the same parameter in another dtype. Loading does the same from the
  // other side.
  Tensor wide = tensor({0.75, 1.875}, {.dtype = DType::float64, .requires_grad = true});
  wide.set_grad(tensor({0.5, 0.25}, f64));
  SGD other({wide}, {.lr = 0.5, .momentum = 0.5});
  other.load_state_dict(optimizer.state_dict());
  CHECK(other.groups()[0].state()[0][0].dtype() == DType::float64);
  other.step();
  CHECK(equal(wide, tensor({0.375, 1.6875}, f64)));
}

TEST_CASE("sgd: zero_grad() drops gradients, or fills them with zero in place") {
  Tensor p = small();
  SGD optimizer({p});
  const Tensor g = p.grad();
  optimizer.zero_grad({.set_to_none = false});
  CHECK(equal(g, zeros({2})));
  CHECK(equal(p.grad(), zeros({2})));
  optimizer.zero_grad();
  CHECK_FALSE(p.grad().defined());
  optimizer.zero_grad({.set_to_none = false});  // nothing there: nothing to do
  CHECK_FALSE(p.grad().defined());
}

TEST_CASE("sgd: zero_grad() in place takes a gradient that has a graph of its own") {
  Tensor p = small();
  SGD optimizer({p});
  optimizer.zero_grad();
  sum(p * p).backward({}, {.create_graph = true});
  CHECK(p.grad().requires_grad());
  optimizer.zero_grad({.set_to_none = false});
  CHECK(equal(p.grad(), zeros({2})));
  CHECK_FALSE(p.grad().requires_grad());

  optimizer.zero_grad();
  sum(p).backward({}, {.create_graph = true});  // an expanded 1
  optimizer.zero_grad({.set_to_none = false});
  CHECK(equal(p.grad(), zeros({2})));
}

TEST_CASE("sgd: a step counts as a write, so that what was saved before it is stale") {
  Tensor w = tensor({3, 4}, {.requires_grad = true});
  SGD optimizer({w}, {.lr = 0.1});
  const Tensor y = sum(w * w);
  w.set_grad(tensor({1, 1}));
  optimizer.step();
  CHECK_ERROR_MENTIONS(y.backward(), "mul:", "[2]", "was written to");
}

TEST_CASE("sgd: a step under an open graph records nothing and keeps the parameter a leaf") {
  Tensor w = small();
  SGD({w}, {.lr = 0.1, .momentum = 0.9, .nesterov = true}).step();
  CHECK(w.is_leaf());
  CHECK(w.requires_grad());
}

TEST_CASE("sgd: the state saves and loads, and training goes on as if nothing had happened") {
  const auto step = [](Tensor& p, SGD& optimizer, int64_t k) {
    p.set_grad(golden("sgd", "gradients")[k]);
    optimizer.step();
  };
  Tensor p = leaf(golden("sgd", "start"));
  const SGDOptions options{
      .lr = 0.05, .momentum = 0.7, .weight_decay = 0.1, .nesterov = true, .maximize = true};
  SGD optimizer({p}, options);
  step(p, optimizer, 0);
  step(p, optimizer, 1);

  Tensor q = leaf(p.detach());
  SGD resumed({q}, {.lr = 9});
  resumed.load_state_dict(optimizer.state_dict());
  CHECK(resumed.groups()[0].lr == 0.05);
  CHECK(resumed.groups()[0].momentum == 0.7);
  CHECK(resumed.groups()[0].weight_decay == 0.1);
  CHECK(resumed.groups()[0].nesterov);
  CHECK(resumed.groups()[0].maximize);
  for (int64_t k = 2; k < 5; ++k) {
    step(p, optimizer, k);
    step(q, resumed, k);
    CHECK(equal(q, p));
  }
}

TEST_CASE("sgd: state_dict() gives copies, one entry an option and a momentum buffer") {
  Tensor a = small(), b = tensor({{1}}, {.requires_grad = true});
  SGD optimizer({a, b}, {.lr = 0.5, .momentum = 0.9});
  optimizer.step();
  const StateDict state = optimizer.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, value] : state) names.push_back(name);
  CHECK(names == std::vector<std::string>{"groups.0.lr", "groups.0.momentum", "groups.0.dampening",
                                          "groups.0.weight_decay", "groups.0.nesterov",
                                          "groups.0.maximize",
                                          "state.0.momentum_buffer"});  // b has not stepped
  const Tensor before = state.at("state.0.momentum_buffer").clone();
  optimizer.step();
  CHECK(equal(state.at("state.0.momentum_buffer"), before));
}

TEST_CASE("sgd: an optimizer can be moved, and a moved-from one says so") {
  Tensor p = small(), q = small();
  SGD first({p}, {.lr = 1, .momentum = 0.5});
  first.step();
  SGD second = std::move(first);
  second.step();
  CHECK(equal(p, tensor({1 - 0.5 - 0.75, 2 - 0.25 - 0.375})));
  SGD third({q}, {.lr = 9});
  third = std::move(second);
  CHECK(third.groups()[0].params()[0].handle().get() == p.handle().get());
  CHECK(third.lr(0) == 1);

  // NOLINTBEGIN(bugprone-use-after-move, clang-analyzer-cplusplus.Move): what a moved-from one says
  CHECK_ERROR_MENTIONS(first.step(), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.zero_grad(), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.state_dict(), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.load_state_dict(third.state_dict()), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.add_group({q}), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.groups(), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(std::as_const(second).groups(), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.lr(0), "SGD:", "was moved from");
  CHECK_ERROR_MENTIONS(first.group_count(), "SGD:", "was moved from");
  // NOLINTEND(bugprone-use-after-move, clang-analyzer-cplusplus.Move)
}

TEST_CASE("sgd: a schedule sees an Optimizer, and sets the learning rate of each group") {
  Tensor a = small(), b = small();
  SGD sgd({a}, {.lr = 1});
  sgd.add_group({b}, {.lr = 2});
  optim::Optimizer& optimizer = sgd;
  for (std::size_t k = 0; k < optimizer.group_count(); ++k) optimizer.lr(k) /= 2;
  optimizer.step();
  CHECK(equal(a, tensor({0.75, 1.875})));
  CHECK(equal(b, tensor({0.5, 1.75})));
  CHECK_ERROR_MENTIONS(optimizer.lr(2), "SGD:", "there is no group 2");
}

TEST_CASE("sgd: an optimizer and a model load by one plan, all or nothing") {
  Tensor p = small();
  SGD optimizer({p}, {.lr = 0.5, .momentum = 0.5});
  optimizer.step();
  const StateDict state = optimizer.state_dict();
  const auto& group = optimizer.groups()[0];
  const Tensor buffer = group.state()[0][0];
  optimizer.lr(0) = 3;
  LoadPlan plan;
  plan.write(p.detach(), tensor({7, 8}));
  optimizer.plan_load(plan, state);
  CHECK(optimizer.lr(0) == 3);
  CHECK(group.state()[0][0].handle().get() == buffer.handle().get());
  plan.check("load");
  plan.commit();
  CHECK(equal(p, tensor({7, 8})));
  CHECK(optimizer.lr(0) == 0.5);
  CHECK(equal(group.state()[0][0], buffer));
  CHECK(group.state()[0][0].handle().get() != buffer.handle().get());
}

TEST_CASE("sgd: momentum that is turned off is kept, and goes on when it is turned on again") {
  Tensor p = small();
  SGD optimizer({p}, {.lr = 1, .momentum = 0.5});
  optimizer.step();  // by 0.5 and 0.25
  optimizer.groups()[0].momentum = 0;
  optimizer.step();  // the same
  CHECK(equal(p, tensor({0, 1.5})));
  optimizer.groups()[0].momentum = 0.5;
  optimizer.step();  // by 0.75 and 0.375
  CHECK(equal(p, tensor({-0.75, 1.125})));
}

TEST_CASE("sgd: large, small, empty and expanded operands step as the formula says") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{0, 3}, Shape{5, 7}, Shape{300, 333}}) {
      CAPTURE(shape);
      manual_seed(3);
      Tensor p = randn(shape, {.dtype = dtype}).requires_grad_();
      const Tensor start = p.detach().clone();
      p.set_grad(randn(shape, {.dtype = dtype}));
      SGD optimizer({p}, {.lr = 0.25, .momentum = 0.5});
      optimizer.step();
      const Tensor g = p.grad();
      p.set_grad(tensor(2, {.dtype = dtype}).expand(shape));
      optimizer.step();
      const Tensor b = 0.5 * g + 2;
      CHECK(equal(p, start - 0.25 * g - 0.25 * b));
      CHECK(equal(optimizer.groups()[0].state()[0][0], b));
    }
  }
}
