// The part of a module that is on the heap and keeps its address when the module moves.
#pragma once

#include <cairn/core/record.h>
#include <cairn/nn/module.h>

#include <atomic>
#include <unordered_set>

namespace cairn::nn {

struct Module::State {
  // The module's own name is the one under which it was first registered.
  std::shared_ptr<detail::Name> name = std::make_shared<detail::Name>();
  std::vector<std::pair<std::string, std::unique_ptr<Parameter>>> parameters;
  std::vector<std::pair<std::string, std::unique_ptr<Buffer>>> buffers;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children;
  std::unordered_set<std::string> names;  // of all three, to see at once whether a name is taken
  Factory factory = nullptr;  // of new_like(); null: the class has make_like(), or neither
  bool training = true;
  std::atomic<bool> checked{false};         // has the check for unregistered tensors passed?
  std::atomic<bool> reads_training{false};  // was is_training() ever called?
  // The state of the outermost module for which the check for unregistered modules passed last.
  std::atomic<const void*> registered_below{nullptr};

  void check_name(const char* what, std::string_view own) const;
};

// Calls visit(path, module) for this module and all modules inside it, parents first. A shared
// module is visited under each of its names.
template <class F>
void Module::walk(const std::string& prefix, F visit) const {
  visit(prefix, const_cast<Module&>(*this));
  for (const auto& [name, module] : state().children) {
    module->walk(detail::join(prefix, name), visit);
  }
}

}  // namespace cairn::nn
