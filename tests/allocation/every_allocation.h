// The experiment that all of these tests make: fail the k-th allocation of a call, for every k.
#pragma once

#include "support/approx.h"

#include <cairn/nn/module.h>
#include <cairn/optim/sgd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cairn::test {

/// Something written down to the last bit, to be compared.
class Bits {
 public:
  Bits& operator<<(const Bits& other) { return *this << other.text_; }
  Bits& operator<<(const std::string& text);
  Bits& operator<<(double number);
  friend bool operator==(const Bits&, const Bits&) = default;

 private:
  std::string text_;
};

/// What somebody can compute with: values, shapes and names.
Bits values(const Tensor& x);
Bits values(const StateDict& dict);

/// All there is to know of an object, which a call that fails must leave as it was: values and how
/// often they were written to, gradients, flags, places in the graph.
Bits state(const Tensor& x);
Bits state(const std::vector<Tensor>& tensors);
Bits state(const nn::Module& model);
Bits state(const optim::SGD& optimizer);
Bits state_of_generator();

/// One call that is to fail, and what is compared.
struct Trial {
  std::function<void()> call;   ///< one public call
  std::function<Bits()> state;  ///< what it must leave as it was if it fails
  std::function<Bits()> go_on;  ///< makes the call again and goes on from there; what came of it
  bool keeps_room = false;      ///< may a call that failed leave room for more in a container?
};

/// What was found, as CHECK prints it, and how many allocations were made to fail.
struct Tried : Outcome {
  int64_t failures = 0;
};
inline doctest::String toString(const Tried& tried) { return tried.failure.c_str(); }

/// Makes the k-th allocation of the call fail, for every k: alone, and with all that follow. Each
/// time nothing but std::bad_alloc may come out; then all must be as it was, nothing may leak, and
/// going on must come to what it comes to without a failure. A call may also do without what it was
/// refused; then it must have done its work.
Tried fail_every_allocation(const std::string& name, const std::function<Trial()>& make);

}  // namespace cairn::test
