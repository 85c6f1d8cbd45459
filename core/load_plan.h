// Loading in two steps: every write is prepared and checked before the first one is done.
#pragma once

#include <cairn/core/tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

/// The writes of a load, and every problem that forbids it. A module, an optimizer and a generator
/// can add to the same plan. Then check() throws, or commit() does all the writes.
class CAIRN_API LoadPlan {
 public:
  LoadPlan() = default;
  LoadPlan(const LoadPlan&) = delete;
  LoadPlan& operator=(const LoadPlan&) = delete;
  ~LoadPlan();

  /// commit() writes `values` to `target`, converted to its dtype. Throws Error unless the shapes
  /// are equal.
  void write(const Tensor& target, const Tensor& values);
  /// commit() calls `apply` after all values are written. `apply` must not throw. A plan that is
  /// not committed never calls it.
  void then(std::function<void()> apply);
  /// Adds a line to the Error of check().
  void problem(std::string text);

  /// Throws Error "<op>: nothing was loaded, because ..." with all problems, if there are any.
  /// Otherwise copies the values that share a storage with a target.
  void check(const char* op);
  /// Does all the writes. Cannot fail. Does nothing unless check() has passed since the last change
  /// of the plan. What was planned must still be alive.
  void commit() noexcept;

 private:
  std::vector<std::pair<Tensor, Tensor>> writes_;  // target, values
  std::vector<std::function<void()>> actions_;
  std::string problems_;
  bool checked_ = false;  // nothing was added since check() passed
};

}  // namespace cairn
