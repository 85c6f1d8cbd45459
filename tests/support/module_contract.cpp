#include "support/module_contract.h"

#include "support/approx.h"
#include "support/gradcheck.h"
#include "support/layout.h"

#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>
#include <cairn/core/random.h>

#include <set>

namespace cairn::test {
namespace {

Tensor input_of(const ModuleCase& c) {
  Generator generator(11);
  Tensor x = empty(c.input, f64);
  generator.fill_normal(x);
  return x;
}

// Parameters and buffers that are none of their initial values, and valid as a variance.
void fill_state(nn::Module& model, uint64_t seed) {
  Generator generator(seed);
  for (auto& [name, p] : model.named_parameters()) {
    const NoGrad guard;
    Tensor values = empty(p.shape(), f64);
    generator.fill_uniform(values, 0.5, 1.5);
    p.copy_(values);
  }
  for (auto& [name, b] : model.named_buffers()) {
    Tensor values = empty(b.shape(), f64);
    generator.fill_uniform(values, 1, 9);
    b.copy_(values.to(b.dtype()));
  }
}

std::unique_ptr<nn::Module> in_double(const ModuleCase& c) {
  std::unique_ptr<nn::Module> model = c.make();
  model->to(DType::float64);
  fill_state(*model, 5);
  return model;
}

std::vector<std::string> names_of(const StateDict& dict) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : dict) names.push_back(name);
  return names;
}

void check_names(const ModuleCase& c) {
  const auto model = c.make();
  CHECK(names_of(model->state_dict()) == c.state_names);
  std::set<std::string> unique;
  for (const auto& [name, p] : model->named_parameters()) unique.insert(name);
  for (const auto& [name, b] : model->named_buffers()) unique.insert(name);
  CHECK(unique.size() == model->named_parameters().size() + model->named_buffers().size());
  CHECK(model->parameters().size() == model->named_parameters().size());
  CHECK(model->named_modules().at(0).first.empty());
  CHECK(&model->named_modules().at(0).second == model.get());
  std::set<std::string> modules;
  for (const auto& [name, module] : model->named_modules()) modules.insert(name);
  CHECK(modules.size() == model->named_modules().size());
}

void check_modes(const ModuleCase& c) {
  const auto model = c.make();
  for (const bool training : {false, true}) {
    model->train(training);
    for (const auto& [name, module] : model->named_modules()) {
      CHECK(module.is_training() == training);
    }
  }
}

void check_saving(const ModuleCase& c) {
  if (!c.has_forward) return;
  const auto model = in_double(c), fresh = c.make();
  fresh->to(DType::float64);
  model->eval();
  fresh->eval();
  const NoGrad guard;
  const Tensor x = input_of(c), y = (*model)(x);
  fresh->load_state_dict(model->state_dict());
  CHECK(equal((*fresh)(x), y));
  // What was loaded is a copy: the two models go separate ways.
  fill_state(*model, 6);
  CHECK(equal((*fresh)(x), y));
}

// To the second order, in every layout of the input and for an empty batch.
void check_gradients(const ModuleCase& c) {
  if (!c.has_forward) return;
  for (const bool training : {true, false}) {
    for (const bool empty_batch : {false, true}) {
      for (const Layout layout : every_layout) {
        INFO("training: " << training << ", empty: " << empty_batch << ", "
                          << std::string(name_of(layout)));
        const auto model = in_double(c);
        model->train(training);
        const Tensor values = empty_batch ? input_of(c).slice(0, 0, 0) : input_of(c);
        // Expanded along the last dimension: a batch of equal rows has no variance.
        Tensor x =
            layout == Layout::expanded ? values.slice(-1, 0, 1).clone() : copy_in(layout, values);
        std::vector<Tensor> leaves = model->parameters();
        leaves.push_back(x.requires_grad_(true));
        CHECK(gradcheck([&] { return (*model)(leaves.back().expand(values.shape())); }, leaves));
      }
    }
  }
}

void check_moving(const ModuleCase& c) {
  if (!c.move) return;
  const auto model = in_double(c);
  model->eval();
  const Tensor x = input_of(c), y = c.has_forward ? (*model)(x) : Tensor();
  const std::vector<Tensor> before = model->parameters();
  const auto moved = c.move(*model);
  if (c.has_forward) CHECK(equal((*moved)(x), y));
  CHECK(names_of(moved->state_dict()) == c.state_names);
  const std::vector<Tensor> after = moved->parameters();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(&after[i].impl() == &before[i].impl());

  const std::string kind = model->kind() + ":";
  CHECK_ERROR_MENTIONS((*model)(x), kind, "was moved from");
  CHECK_ERROR_MENTIONS(model->train(), kind, "was moved from");
  CHECK_ERROR_MENTIONS(model->parameters(), kind, "was moved from");
  CHECK_ERROR_MENTIONS(model->state_dict(), kind, "was moved from");
}

}  // namespace

void check_module(const ModuleCase& c) {
  check_names(c);
  check_modes(c);
  check_saving(c);
  check_gradients(c);
  check_moving(c);
  CHECK(to_string(*c.make()) == c.printed);
}

}  // namespace cairn::test
