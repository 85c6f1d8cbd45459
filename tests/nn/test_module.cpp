#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>
#include <cairn/optim/sgd.h>

#include <type_traits>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

// A module whose names a test chooses.
struct Named : Module {
  using Module::buffer;
  using Module::child;
  using Module::parameter;
  Tensor forward(const Tensor& x) override { return x; }
};

std::vector<std::string> names_of(const Module& model) {
  std::vector<std::string> names;
  for (const auto& [name, p] : model.named_parameters()) names.push_back(name);
  return names;
}

template <class T>
struct Template : Module {};

}  // namespace

TEST_CASE("module: names are listed in order") {
  Named m;
  m.parameter("weight", zeros({2}));
  m.buffer("mean", zeros({2}));
  m.child("fc", Linear(2, 2));
  CHECK(names_of(m) == std::vector<std::string>{"weight", "fc.weight", "fc.bias"});
}

TEST_CASE("module: a name is free again if nothing was registered under it, or if it moved away") {
  Named model;
  Named inside;
  CHECK_ERROR_MENTIONS(model.child("up", std::move(model)), "none is part of itself");
  model.child("up", std::move(inside));
  CHECK_ERROR_MENTIONS(model.buffer("up", zeros({})), "'up' is taken");

  Sequential a{Linear(2, 2)}, b{Linear(2, 2)};
  a.push_back("head", ReLU());
  a.extend(std::move(b));
  b.push_back("head", Linear(2, 1));  // NOLINT(bugprone-use-after-move): extend() emptied b
  CHECK_ERROR_MENTIONS(a.extend(std::move(b)), "'head' is taken");
  CHECK(b.size() == 1);
  b.push_back("0", ReLU());
  CHECK(names_of(a) == std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias"});
}

TEST_CASE("module: an absent parameter takes its name, and is not listed") {
  Named m;
  CHECK_FALSE(m.parameter("bias", Tensor()).defined());
  CHECK(m.parameters().empty());
  CHECK(m.state_dict().empty());
}

TEST_CASE("module: a shared module counts its parameters once and saves them under both names") {
  Named m;
  Linear& first = m.child("first", Linear(2, 2));
  Linear& second = m.child("second", first);
  CHECK(&first == &second);
  CHECK(names_of(m) == std::vector<std::string>{"first.weight", "first.bias"});
  CHECK(m.named_modules().size() == 2);
  CHECK(m.named_children().size() == 2);
  const StateDict dict = m.state_dict();
  CHECK(dict.size() == 4);
  CHECK(dict.at("first.weight").data<float>() == dict.at("second.weight").data<float>());
}

TEST_CASE("module: a buffer's messages name its path, an unlisted one's too") {
  Sequential m{ReLU(), Sequential{ReLU(), BatchNorm1d(2, {.track_running_stats = false})}};
  auto& bn = m.at<Sequential>(1).at<BatchNorm1d>(1);
  bn.track_running_stats(true);
  CHECK_ERROR_MENTIONS(bn.running_mean.copy_(zeros({3})), "1.1.running_mean:", "[3]", "[2]");
}

TEST_CASE("module: a const module hands out const parameters, buffers and modules") {
  const Sequential m{Linear(2, 2), BatchNorm1d(2)};
  for (auto& [path, p] : m.named_parameters())
    static_assert(std::is_const_v<std::remove_reference_t<decltype(p)>>);
  for (auto& [path, b] : m.named_buffers())
    static_assert(std::is_const_v<std::remove_reference_t<decltype(b)>>);
  for (auto& [path, c] : m.named_modules())
    static_assert(std::is_const_v<std::remove_reference_t<decltype(c)>>);
  for (auto& [path, c] : m.named_children())
    static_assert(std::is_const_v<std::remove_reference_t<decltype(c)>>);
  CHECK(m.named_parameters().size() == 4);
  CHECK(m.named_buffers().size() == 3);
  CHECK(m.named_modules().size() == 3);
  CHECK(m.named_children().size() == 2);
}

TEST_CASE(
    "module: a message names a parameter by its path, however late its module is registered") {
  Named inner;
  Parameter& w = inner.parameter("w", ones({1}));
  Tensor x = ones({1}, {.requires_grad = true});
  Named outer;
  const auto stale = [&](const char* path) {
    const Tensor y = x * w;
    const NoGrad guard;
    w.fill_(2);
    const std::string name = std::string("parameter '") + path + "'";
    CHECK_ERROR_MENTIONS(y.backward(), "mul:", "[1]", name, "was written to");
  };
  stale("w");
  Named& held = outer.child("inner", std::move(inner));
  stale("inner.w");
  Named top;
  top.child("outer", std::move(outer));
  stale("outer.inner.w");
  Named elsewhere;
  elsewhere.child("again", held);  // its first name stays
  stale("outer.inner.w");
}

TEST_CASE("module: its kind is the class's name, with its template arguments") {
  CHECK(Linear(1, 1).kind() == "Linear");
  CHECK(Named().kind() == "Named");
  CHECK(Template<int>().kind() == "Template<int>");
  CHECK(Template<Linear>().kind() == "Template<cairn::nn::Linear>");
}

// ---- forgetting to register ----

namespace {

struct Forgetful : Module {
  Tensor scale = ones({3}, {.requires_grad = true});
  Linear& fc = child("fc", Linear(3, 3));
  bool uses_scale = true;
  Tensor forward(const Tensor& x) override { return uses_scale ? fc(x * scale) : fc(x); }
};

}  // namespace

TEST_CASE("module: a trainable tensor that was not registered is caught on the first call") {
  Forgetful m;
  CHECK_ERROR_MENTIONS(m(zeros({2, 3})), "Forgetful:", "[3]", "not registered");
  CHECK_ERROR_MENTIONS(m(zeros({2, 3})), "Forgetful:", "[3]", "not registered");  // and stays so
}

TEST_CASE("module: what is not registered is caught on the first call that builds a graph") {
  Forgetful m;
  {
    const NoGrad guard;
    CHECK(m(zeros({2, 3})).defined());
  }
  CHECK_ERROR_MENTIONS(m(zeros({2, 3})), "Forgetful:", "[3]", "not registered");
}

TEST_CASE("module: a forgotten layer within a registered one is caught by the outermost call") {
  struct Outer : Module {
    Forgetful& inner = child("inner", Forgetful());
    Tensor forward(const Tensor& x) override { return inner(x); }
  };
  Outer m;
  CHECK_ERROR_MENTIONS(m(zeros({2, 3})), "Outer:", "[3]", "not registered");
}

TEST_CASE("module: an unregistered tensor that is not trained is nobody's business") {
  Forgetful m;
  m.scale.requires_grad_(false);
  CHECK(m(zeros({2, 3})).shape() == Shape{2, 3});
}

TEST_CASE("module: an attacked input may require a gradient, and may have a graph of its own") {
  Linear fc(3, 2);
  Tensor x = zeros({2, 3}, {.requires_grad = true});
  sum(fc(x)).backward();
  CHECK(x.grad().defined());

  Linear other(3, 2);
  const Tensor noise = zeros({3}, {.requires_grad = true});
  const Tensor attacked = tanh(x + noise);
  sum(other(attacked)).backward();
  CHECK(noise.grad().defined());
}

TEST_CASE("module: the check also accepts a model whose parameters are frozen") {
  Forgetful m;
  m.uses_scale = false;
  m.requires_grad_(false);
  const Tensor x = zeros({2, 3}, {.requires_grad = true});
  sum(m(x)).backward();
  CHECK(x.grad().defined());
  CHECK_FALSE(m.fc.weight.grad().defined());
}

// ---- errors ----

TEST_CASE("module: an error names the path of the module it came from") {
  struct Net : Module {
    Sequential& net = child("net", Sequential{ReLU(), Sequential{ReLU(), Linear(10, 5)}, ReLU()});
    Tensor forward(const Tensor& x) override { return net(x); }
  };
  Net m;
  CHECK_ERROR_MENTIONS(m(zeros({4, 7})), "linear 'net.1.1':", "[4, 7]", "[5, 10]");
  CHECK_ERROR_MENTIONS(m.net(zeros({4, 7})), "linear 'net.1.1':", "[4, 7]", "[5, 10]");
}

TEST_CASE("module: an undefined input is an error with the module's path") {
  Sequential m{Linear(2, 2)};
}

TEST_CASE("module: a step between forward and backward is a stale error that names the parameter") {
  Sequential m{Linear(2, 3), Linear(3, 1)};
  optim::SGD optimizer(m.parameters(), {.lr = 0.1});
  sum(m(ones({4, 2}))).backward();
  const Tensor y = sum(m(ones({4, 2})));
  optimizer.step();
  optimizer.zero_grad();
  CHECK_ERROR_MENTIONS(y.backward(), "linear:", "[1, 3]", "parameter '1.weight'", "was written to");
  for (const Tensor& p : m.parameters()) CHECK_FALSE(p.grad().defined());
}

// ---- parameters ----

TEST_CASE("module: requires_grad_(false) freezes parameters, and they can be thawed") {
  Sequential m{Linear(2, 2), BatchNorm1d(2)};
  m.requires_grad_(false);
  for (const Tensor& p : m.parameters()) CHECK_FALSE(p.requires_grad());
  CHECK_FALSE(m(ones({3, 2})).requires_grad());
  m.requires_grad_(true);
  for (const Tensor& p : m.parameters()) CHECK(p.requires_grad());
}

TEST_CASE("module: zero_grad() drops the gradients of all parameters") {
  Sequential m{Linear(2, 2), Linear(2, 1)};
  sum(m(ones({3, 2}))).backward();
  for (const Tensor& p : m.parameters()) CHECK(p.grad().defined());
  m.zero_grad();
  for (const Tensor& p : m.parameters()) CHECK_FALSE(p.grad().defined());
}

TEST_CASE("module: zero_grad({.set_to_none = false}) keeps the gradients and fills them with 0") {
  Sequential m{Linear(2, 2), Linear(2, 1)};
  m.parameters()[3].requires_grad_(false);
  sum(m(ones({3, 2}))).backward();
  const Tensor kept = m.parameters()[0].grad();
  m.zero_grad({.set_to_none = false});
  CHECK(m.parameters()[0].grad().handle().get() == kept.handle().get());
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(m.parameters()[i].grad().abs().sum().item<float>() == 0);
  CHECK_FALSE(m.parameters()[3].grad().defined());
}

TEST_CASE("module: apply() visits each module once, those inside a module first") {
  Named m;
  Linear& first = m.child("first", Linear(2, 2));
  m.child("net", Sequential{ReLU(), Linear(2, 1)});
  m.child("again", first);
  std::vector<std::string> kinds;
  m.apply([&](Module& module) { kinds.push_back(module.kind()); });
  CHECK(kinds == std::vector<std::string>{"Linear", "ReLU", "Linear", "Sequential", "Named"});
  m.apply([](Module& module) {
    if (auto* linear = dynamic_cast<Linear*>(&module)) linear->weight.detach().fill_(0.5);
  });
  CHECK(equal(first.weight, full({2, 2}, 0.5)));
  CHECK_ERROR_MENTIONS(m.apply(nullptr), "apply:", "the function is empty");
}

TEST_CASE("module: buffers() lists what state_dict() lists") {
  Sequential m{Linear(2, 3), BatchNorm1d(3), BatchNorm1d(3, {.track_running_stats = false})};
  const std::vector<Tensor> buffers = m.buffers();
  REQUIRE(buffers.size() == 3);
  CHECK(buffers[1].handle().get() == m.at<BatchNorm1d>(1).running_var.tensor().handle().get());
}

TEST_CASE("module: a moved model's references are still its slots") {
  struct Net : Module {
    Linear& fc = child("fc", Linear(2, 2));
    Parameter& scale = parameter("scale", ones({2}));
    Tensor forward(const Tensor& x) override { return fc(x) * scale; }
  };
  Net from;
  Net to(std::move(from));
  CHECK(&to.named_parameters()[0].second == &to.scale);
  CHECK(&to.named_parameters()[1].second == &to.fc.weight);
  sum(to(ones({1, 2}))).backward();
  CHECK(to.scale.grad().defined());
}

// ---- conversion ----

TEST_CASE("module: to(float64) converts values and gradients, and keeps parameters what they are") {
  Sequential m{Linear(2, 2), BatchNorm1d(2)};
  sum(square(m(tensor({{1, 2}, {3, 5}})))).backward();
  const std::vector<Tensor> handles = m.parameters();
  const Tensor before = handles[0].detach().clone(), grad = handles[0].grad().clone();
  m.to(DType::float64);
  CHECK(equal(handles[0], before.to(DType::float64)));  // a handle taken before sees it
  CHECK(equal(handles[0].grad(), grad.to(DType::float64)));
  CHECK(handles[0].requires_grad());
  for (const auto& [name, b] : m.named_buffers()) {
    CHECK(b.dtype() == (name == "1.num_batches_tracked" ? DType::int64 : DType::float64));
  }
  CHECK(m(zeros({2, 2}, f64)).dtype() == DType::float64);
  m.to(DType::float32);
  CHECK(equal(handles[0], before));
}

TEST_CASE("module: an optimizer goes on with a converted model, its momentum included") {
  // Numbers that float holds exactly, so that both runs agree to the last bit.
  const auto train = [](bool converts) {
    Linear m(4, 1, {.bias = false});
    {
      const NoGrad guard;
      m.weight.copy_(tensor({{1, 2, 3, 4}}));
    }
    optim::SGD optimizer(m.parameters(), {.lr = 0.5, .momentum = 0.5});
    for (int step = 0; step < 3; ++step) {
      if (converts && step == 1) m.to(DType::float64);
      optimizer.zero_grad();
      sum(m(tensor({{1, -1, 2, 0.5}}, {.dtype = m.weight.dtype()}))).backward();
      optimizer.step();
    }
    CHECK(optimizer.groups()[0].state()[0][0].dtype() == m.weight.dtype());
    return m.weight.detach().to(DType::float64);
  };
  CHECK(equal(train(true), train(false)));
}

TEST_CASE("module: a converted buffer is still guarded") {
  BatchNorm1d bn(2);
  bn.to(DType::float64);
  Tensor mean = bn.running_mean;
  CHECK_ERROR_MENTIONS(mean.zero_(), "zero_:", "[2]", "a buffer");
}
