// Copies of whole models.
#pragma once

#include <cairn/nn/module.h>

#include <concepts>
#include <type_traits>
#include <utility>

namespace cairn::detail {

/// Calls model.make_like() and copies everything to the result. Throws Error unless both are of the
/// class `type`.
CAIRN_API std::shared_ptr<nn::Module> clone_by_make_like(const nn::Module& model,
                                                         const std::type_info& type);

/// Restores the position of the default generator at the end of a scope.
class CAIRN_API KeepGenerator {
 public:
  KeepGenerator();
  ~KeepGenerator();
  KeepGenerator(const KeepGenerator&) = delete;
  KeepGenerator& operator=(const KeepGenerator&) = delete;

 private:
  LoadPlan plan_;
};

}  // namespace cairn::detail

namespace cairn::nn {

/// Returns a copy of a model that shares nothing with it: parameters with their requires_grad,
/// buffers, named records, modes, freezes and training flags. Gradients and hooks are not copied.
/// The default generator stays where it is. A class of one's own is default-constructed, unless it
/// overrides make_like(); its members that are neither options nor state are new ones.
/// Throws Error if a fresh model of the class has other modules, names or shapes.
template <std::derived_from<Module> M>
M clone(const M& model) {
  const detail::KeepGenerator generator;
  if constexpr (detail::overrides_make_like<M>) {
    return M(std::move(static_cast<M&>(*detail::clone_by_make_like(model, typeid(M)))));
  } else {
    static_assert(std::is_default_constructible_v<M>,
                  "nn::clone() needs a default constructor or make_like(): construct a second "
                  "model yourself and call nn::copy_state(from, to)");
    M copy;
    detail::copy_all(model, copy);
    return copy;
  }
}

}  // namespace cairn::nn
