// A clone is constructed first. Then it gets the settings and the state of the original.
#include <cairn/core/internal/writing.h>
#include <cairn/core/random.h>
#include <cairn/nn/clone.h>
#include <cairn/nn/internal/module_state.h>

#include <algorithm>

namespace cairn::nn {

std::shared_ptr<Module> Module::make_like() const {
  check(false,
        "clone: a {} has no default constructor; override make_like(), or construct a second model "
        "and use nn::copy_state()",
        kind());
  return nullptr;
}

std::shared_ptr<Module> Module::new_like(const Module& module) {
  const Factory factory = module.state().factory;
  return factory != nullptr ? factory() : module.make_like();
}

void Module::copy_settings(const Module& from) {
  State &to = state(), &other = from.state();
  to.training = other.training;
  for (std::size_t i = 0; i < to.buffers.size() && i < other.buffers.size(); ++i) {
    to.buffers[i].second->frozen_ = other.buffers[i].second->frozen_;
  }
}

}  // namespace cairn::nn

namespace cairn::detail {

void copy_all(const nn::Module& from, nn::Module& to) {
  const auto originals = from.named_modules();
  const auto copies = to.named_modules();
  const auto check_same = [&](bool same, const std::string& path) {
    check(same,
          "clone: a new {} differs from this one {}; override make_like(), or construct a second "
          "model and use nn::copy_state()",
          from.kind(), path.empty() ? "in its own tensors" : "at '" + path + "'");
  };
  const std::size_t count = std::max(originals.size(), copies.size());
  for (std::size_t i = 0; i < count; ++i) {
    const bool paired = i < originals.size() && i < copies.size();
    const std::string& path = i < originals.size() ? originals[i].first : copies[i].first;
    check_same(paired && copies[i].first == path, path);
    const nn::Module& original = originals[i].second;
    nn::Module& copy = copies[i].second;
    check_same(typeid(copy) == typeid(original), path);
    copy.copy_settings(original);
    const std::vector<nn::StateTensor> given = original.own_state(), made = copy.own_state();
    check_same(given.size() == made.size(), path);
    for (std::size_t t = 0; t < given.size(); ++t) {
      const Tensor &values = given[t].tensor, target = made[t].tensor;
      check_same(given[t].name == made[t].name && values.shape() == target.shape(),
                 join(path, given[t].name));
      replace_values(target, values.detach().clone(), {});
      if (values.is_leaf() && values.requires_grad() != target.requires_grad()) {
        Tensor(target).requires_grad_(values.requires_grad());
      }
    }
  }
  check_same(from.named_parameters().size() == to.named_parameters().size(), "a shared parameter");
}

std::shared_ptr<nn::Module> clone_by_make_like(const nn::Module& model,
                                               const std::type_info& type) {
  check(typeid(model) == type, "clone: a {} is given as its base class {}; give it as what it is",
        model.kind(), class_name(type));
  std::shared_ptr<nn::Module> copy = model.make_like();
  copy_all(model, *copy);
  return copy;
}

KeepGenerator::KeepGenerator() {
  Generator& generator = default_generator();
  generator.plan_load(plan_, generator.state());
  plan_.check("clone");
}
KeepGenerator::~KeepGenerator() { plan_.commit(); }

}  // namespace cairn::detail
