// Finding the op that made the first NaN.
#pragma once

#include <cairn/core/dtype.h>

#include <memory>

namespace cairn::nn {

struct NanGuardOptions {
  bool allow_infinite = false;  ///< true looks for NaN only, for example if a mask holds -inf
};

/// In this scope and thread, the first op whose output or gradient is not finite throws Error. The
/// message names the op, the module's path, the shapes, the first such element, and whether the
/// op's inputs were finite. The path of a gradient is known if the forward ran in such a scope,
/// too. Every result is read once more, so this is for finding a fault, not for every day. In-place
/// ops that join no graph are not examined; the next op that reads the tensor is.
///   const nn::NanGuard guard;
///   criterion(model(x), y).backward();
class CAIRN_API NanGuard {
 public:
  explicit NanGuard(const NanGuardOptions& options = {});
  ~NanGuard();
  NanGuard(const NanGuard&) = delete;
  NanGuard& operator=(const NanGuard&) = delete;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace cairn::nn
