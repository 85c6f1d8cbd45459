// What every module keeps to. One line a module in tests/nn/test_module_contract.cpp is all that
// a new one needs.
#pragma once

#include <cairn/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::test {

/// A module, how to make it, and what is to be seen from outside.
struct ModuleCase {
  std::string name;
  std::function<std::unique_ptr<nn::Module>()> make;
  Shape input;                           // what it is called with, in float64
  std::vector<std::string> state_names;  // PyTorch's, in PyTorch's order
  std::string printed;
  std::function<std::unique_ptr<nn::Module>(nn::Module&)> move;  // absent for what cannot move
  bool has_forward = true;                                       // can it be called with one tensor
};

/// A ModuleCase for M(args...): `make` draws it anew each time.
template <class M, class Make>
ModuleCase module_case(std::string name, Make make, Shape input,
                       std::vector<std::string> state_names, std::string printed) {
  ModuleCase result{std::move(name),
                    [make] { return std::make_unique<M>(make()); },
                    input,
                    std::move(state_names),
                    std::move(printed),
                    {},
                    true};
  result.move = [](nn::Module& from) -> std::unique_ptr<nn::Module> {
    return std::make_unique<M>(std::move(static_cast<M&>(from)));
  };
  return result;
}

/// Runs the whole contract, as doctest checks.
void check_module(const ModuleCase& c);

}  // namespace cairn::test
