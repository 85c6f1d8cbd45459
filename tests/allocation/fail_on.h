// Failing every allocation of a call on tensors.
#pragma once

#include "allocation/every_allocation.h"

#include <cairn/core/random.h>

namespace cairn::test {

using Tensors = std::vector<Tensor>;

inline Bits values_of(const Tensors& tensors) {
  Bits bits;
  for (const Tensor& x : tensors) {
    bits << values(x);
    if (x.defined()) bits << x.requires_grad() << values(x.grad());
  }
  return bits;
}

// Fails every allocation of y = call(tensors), for tensors that are made anew each time.
template <class Make, class Call>
int64_t fail_on(const std::string& name, Make make, Call call) {
  const Tried tried = fail_every_allocation(name, [&] {
    manual_seed(1);
    auto given = std::make_shared<Tensors>(make());
    auto y = std::make_shared<Tensor>();
    return Trial{[=] { *y = call(*given); },
                 [=] { return state(*given) << state(*y) << state_of_generator(); },
                 [=] {
                   const Bits before = values_of({*y});  // of a call that did without memory
                   *y = call(*given);
                   return values_of(*given) << before << values_of({*y}) << state_of_generator();
                 }};
  });
  CHECK(tried);
  return tried.failures;
}

// The same for what takes no tensor.
template <class Call>
int64_t fail_making(const std::string& name, Call call) {
  return fail_on(
      name, [] { return Tensors(); }, [call](Tensors&) { return call(); });
}

// The same for what gives no tensor: `write_down` turns what it gives into Bits.
template <class Make, class Call, class WriteDown>
int64_t fail_reading(const std::string& name, Make make, Call call, WriteDown write_down) {
  const Tried tried = fail_every_allocation(name, [&] {
    auto given = std::make_shared<Tensors>(make());
    return Trial{[=] { call(*given); }, [=] { return state(*given); },
                 [=] { return write_down(call(*given)); }};
  });
  CHECK(tried);
  return tried.failures;
}

inline Bits text(const std::string& s) { return Bits() << s; }

inline constexpr TensorOptions leaf{.dtype = DType::float64, .requires_grad = true};

}  // namespace cairn::test
