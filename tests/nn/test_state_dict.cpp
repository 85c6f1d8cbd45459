#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/nn/layers.h>
#include <cairn/nn/linear.h>

#include <cstring>
#include <string_view>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

StateDict copy_of(const Module& model) {
  StateDict copy;
  for (const auto& [name, tensor] : model.state_dict()) copy[name] = tensor.clone();
  return copy;
}

// To the last bit, NaN and -0 included.
void check_unchanged(const Module& model, const StateDict& before) {
  const StateDict now = model.state_dict();
  REQUIRE(now.size() == before.size());
  for (const auto& [path, was] : before) {
    const std::string name = path;
    CAPTURE(name);
    const Tensor& is = now.at(name);
    REQUIRE(is.numel() == was.numel());
    const auto bytes = static_cast<std::size_t>(was.numel() * element_size(was.dtype()));
    CHECK(std::memcmp(is.view_of().data, was.view_of().data, bytes) == 0);
  }
}

Sequential net() { return Sequential{Linear(2, 3), BatchNorm1d(3), Linear(3, 1)}; }

}  // namespace

TEST_CASE("load_state_dict: everything that does not fit is listed, and nothing has changed") {
  Sequential m = net();
  StateDict values;
  for (const auto& [name, tensor] : m.state_dict()) {
    values[name] = is_floating(tensor.dtype()) ? ones_like(tensor) : tensor.clone();
  }
  values.erase("0.bias");
  values.erase("1.running_mean");
  values["0.weight"] = zeros({3, 5});
  values["2.bias"] = Tensor();
  values["1.running_var"] = tensor({1, -2, 3});
  values["3.weight"] = zeros({1});
  values["extra"] = zeros({1});
  const StateDict before = copy_of(m);
  CHECK_ERROR_MENTIONS(m.load_state_dict(values), "load_state_dict:", "0.weight: [3, 5] given",
                       "1.running_var: -2 at channel 1 is no variance",
                       "2.bias: an undefined tensor given", "0.bias: missing",
                       "1.running_mean: missing", "3.weight: the model has no such entry",
                       "extra: the model has no such entry");
  check_unchanged(m, before);
}

TEST_CASE("load_state_dict: a name that is nearly right is told which one is meant") {
  Sequential m = net();
  StateDict values = m.state_dict();
  values.erase("0.bias");
  values.erase("1.running_mean");
  values["0.bais"] = zeros({3});
  values["momentum"] = zeros({3});  // like nothing that is missing
  const StateDict before = copy_of(m);
  CHECK_ERROR_MENTIONS(m.load_state_dict(values), "load_state_dict:",
                       "0.bais: the model has no such entry; did you mean '0.bias'?",
                       "momentum: the model has no such entry");
  try {
    m.load_state_dict(values);
  } catch (const Error& e) {
    CHECK(std::string_view(e.what()).ends_with("momentum: the model has no such entry"));
  }
  check_unchanged(m, before);
}

TEST_CASE("load_state_dict: strict = false loads what fits and reports the rest") {
  Sequential m = net();
  StateDict values;
  values["0.weight"] = full({3, 2}, 7);
  values["extra"] = zeros({1});
  const Tensor bias = m.state_dict().at("0.bias").clone();
  const LoadReport report = m.load_state_dict(values, {.strict = false});
  CHECK(report.unexpected == std::vector<std::string>{"extra"});
  CHECK(report.missing == std::vector<std::string>{"0.bias", "1.weight", "1.bias", "1.running_mean",
                                                   "1.running_var", "1.num_batches_tracked",
                                                   "2.weight", "2.bias"});
  CHECK(equal(m.state_dict().at("0.weight"), full({3, 2}, 7)));
  CHECK(equal(m.state_dict().at("0.bias"), bias));
}

TEST_CASE(
    "load_state_dict: a wrong shape is an error with strict = false too, and changes nothing") {
  Sequential m = net();
  const StateDict before = copy_of(m);
  StateDict values;
  values["0.bias"] = zeros({3});
  values["0.weight"] = zeros({2, 3});
  CHECK_ERROR_MENTIONS(m.load_state_dict(values, {.strict = false}),
                       "load_state_dict:", "0.weight: [2, 3] given");
  check_unchanged(m, before);
}

TEST_CASE("load_state_dict: the report of a complete load is empty") {
  Sequential m = net(), other = net();
  const LoadReport report = m.load_state_dict(other.state_dict());
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
}

TEST_CASE("load_state_dict: values are converted to the model's dtype") {
  Linear from(2, 2), to(2, 2);
  from.to(DType::float64);
  to.load_state_dict(from.state_dict());
  CHECK(to.weight.dtype() == DType::float32);
  CHECK(equal(to.weight.to(DType::float64), from.weight));
}

TEST_CASE("load_state_dict: parameters stay trainable leaves, and loading counts as a write") {
  Linear m(2, 1);
  const StateDict values = copy_of(m);
  const Tensor x = ones({1, 2}, {.requires_grad = true});
  const Tensor y = m(x);
  m.load_state_dict(values);
  CHECK(m.weight.is_leaf());
  CHECK(m.weight.requires_grad());
  CHECK_ERROR_MENTIONS(y.backward(), "linear:", "[1, 2]", "parameter 'weight'", "was written to");
}

TEST_CASE("state_dict: its tensors share the model's memory, and a later change is seen") {
  Linear m(2, 2);
  const StateDict dict = m.state_dict();
  {
    const NoGrad guard;
    m.weight.fill_(3);
  }
  CHECK(equal(dict.at("weight"), full({2, 2}, 3)));
  dict.at("bias").clone().fill_(1);  // a copy is one's own
  CHECK_FALSE(dict.at("weight").requires_grad());
  Tensor bias = dict.at("bias");
  bias.fill_(5);
  CHECK(equal(m.bias, full({2}, 5)));
}

TEST_CASE("state_dict: a clone keeps the best weights while training goes on") {
  BatchNorm1d m(2);
  StateDict best = m.state_dict().clone();
  StateDict aliases = m.state_dict();
  m(tensor({{1, 2}, {3, 5}}));
  {
    const NoGrad guard;
    m.weight.fill_(3);
  }
  CHECK(equal(aliases.at("weight"), full({2}, 3)));
  CHECK(equal(best.at("weight"), ones({2})));
  CHECK(equal(best.at("running_var"), ones({2})));
  CHECK(best.at("num_batches_tracked").item<int64_t>() == 0);
  CHECK(best.size() == aliases.size());
  m.load_state_dict(best);
  CHECK(equal(m.weight, ones({2})));
  CHECK(m.running_mean.tensor().abs().sum().item<float>() == 0);
  best["weight"].fill_(9);  // what was loaded is the model's own
  CHECK(equal(m.weight, ones({2})));
  best["later"];
  CHECK_FALSE(best.clone().at("later").defined());
}

TEST_CASE("state_dict: loading a model's own dictionary changes nothing") {
  Sequential m = net();
  const StateDict before = copy_of(m);
  m.load_state_dict(m.state_dict());
  check_unchanged(m, before);
}

TEST_CASE("state_dict: loading may exchange two entries of the same model") {
  Sequential m{Linear(2, 2), Linear(2, 2)};
  const Tensor first = m.state_dict().at("0.weight").clone();
  const Tensor second = m.state_dict().at("1.weight").clone();
  StateDict dict = m.state_dict();
  const Tensor held = dict["0.weight"];
  dict["0.weight"] = dict["1.weight"];
  dict["1.weight"] = held;
  m.load_state_dict(dict);
  CHECK(equal(m.state_dict().at("0.weight"), second));
  CHECK(equal(m.state_dict().at("1.weight"), first));
}

TEST_CASE("plan_load: two models are loaded together or not at all") {
  Sequential a = net(), b = net(), from = net();
  from(tensor({{1, 2}, {3, 5}, {4, 4}}));
  const StateDict before = copy_of(a), values = copy_of(from);
  StateDict wrong = values;
  wrong.erase("0.bias");
  const auto load = [&](const StateDict& for_a, const StateDict& for_b) {
    LoadPlan plan;
    a.plan_load(plan, for_a);
    b.plan_load(plan, for_b);
    plan.check("both");
    plan.commit();
  };
  CHECK_ERROR_MENTIONS(load(values, wrong), "both:", "0.bias: missing");
  check_unchanged(a, before);
  load(values, values);
  check_unchanged(a, values);
  check_unchanged(b, values);
}

TEST_CASE("copy_state: a teacher becomes the student and then goes its own way") {
  Sequential student = net(), teacher = net();
  student(tensor({{1, 2}, {3, 5}, {4, 4}}));  // moves the record
  copy_state(student, teacher);
  check_unchanged(teacher, copy_of(student));

  // Mean teacher: t <- 0.5 t + 0.5 s.
  {
    const NoGrad guard;
    for (Tensor& p : student.parameters()) p.add_(1);
    const std::vector<Tensor> s = student.parameters();
    std::vector<Tensor> t = teacher.parameters();
    for (std::size_t i = 0; i < t.size(); ++i) t[i].mul_(0.5).add_(0.5 * s[i]);
  }
  CHECK(close(student.state_dict().at("0.weight") - teacher.state_dict().at("0.weight"),
              full({3, 2}, 0.5), {.absolute = 4 * 6e-8}));
  CHECK(teacher.parameters()[0].requires_grad());
}

TEST_CASE("copy_state: models that differ are refused, and nothing has changed") {
  Sequential from{Linear(2, 4)}, to{Linear(2, 3), ReLU(), Linear(3, 1)};
  const StateDict before = copy_of(to);
  CHECK_ERROR_MENTIONS(copy_state(from, to), "load_state_dict:", "0.weight: [4, 2] given",
                       "0.bias: [4] given", "2.weight: missing", "2.bias: missing");
  check_unchanged(to, before);
}
