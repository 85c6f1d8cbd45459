// A load in two steps: everything is prepared and checked, then it is written as a whole.
#pragma once

#include <cairn/core/tensor.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

/// What a load will write, and every reason why it cannot. A module, an optimizer and a generator
/// can add to the same plan. Then check() throws, or commit() writes all of it.
class CAIRN_API LoadPlan {
 public:
  LoadPlan() = default;
  LoadPlan(const LoadPlan&) = delete;
  LoadPlan& operator=(const LoadPlan&) = delete;
  ~LoadPlan();

  /// commit() gives `target` these values, converted to its dtype. The shapes must be equal.
  void write(const Tensor& target, const Tensor& values);
  /// commit() calls `apply`, after the values are written. `apply` must not throw. What it owns is
  /// dropped with the plan, if the plan is not committed.
  void then(std::function<void()> apply);
  /// Adds a line to the Error of check().
  void problem(std::string text);

  /// Throws Error "<op>: nothing was loaded, because" and every problem, if there is one. Copies
  /// those values that share memory with a target.
  void check(const char* op);
  /// Cannot fail. check() comes first.
  void commit() noexcept;

 private:
  std::vector<std::pair<Tensor, Tensor>> writes_;  // target, values
  std::vector<std::function<void()>> actions_;
  std::string problems_;
};

}  // namespace cairn
