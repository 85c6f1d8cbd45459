// Calling a module inside another module's forward without registering it there.
#pragma once

#include <cairn/nn/module.h>

#include <concepts>
#include <type_traits>
#include <utility>

namespace cairn::detail {

/// Calls in this scope may use `module`, and its parameters may be used without being registered.
class CAIRN_API ExternalScope {
 public:
  explicit ExternalScope(const nn::Module& module);
  ~ExternalScope();
  ExternalScope(const ExternalScope&) = delete;
  ExternalScope& operator=(const ExternalScope&) = delete;

 private:
  CallScope* unit_ = nullptr;
  const nn::Module* root_before_ = nullptr;
};

}  // namespace cairn::detail

namespace cairn::nn {

/// What external() returns: it calls the module.
template <class M>
class External {
 public:
  explicit External(M& module) : module_(module) {}
  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    const detail::ExternalScope scope(module_);
    return module_(std::forward<Args>(args)...);
  }

 private:
  M& module_;
};

/// Calls a module that is deliberately not registered in the model that uses it, such as a teacher
/// inside a student's forward: nn::external(teacher)(x). The model does not own the module: its
/// state_dict(), train() and parameters() do not reach it. The module must outlive the call.
template <class M>
requires std::derived_from<std::remove_cvref_t<M>, Module> External<std::remove_reference_t<M>>
external(M&& module) {
  return External<std::remove_reference_t<M>>(module);
}

}  // namespace cairn::nn
