// Dispatch from a dtype, known at run time, to a C++ type, known at compile time.
#pragma once

#include <cairn/core/dtype.h>

namespace cairn::detail {

/// Returns f(T{}), where T is the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F f) {
  switch (dtype) {
    case DType::float32:
      return f(float{});
    case DType::float64:
      return f(double{});
    case DType::int64:
      break;
  }
  return f(int64_t{});
}

/// The same for an op that is defined for floating tensors only.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F f) {
  return dtype == DType::float64 ? f(double{}) : f(float{});
}

}  // namespace cairn::detail
