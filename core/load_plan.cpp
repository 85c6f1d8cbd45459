// A plan allocates memory only before commit(), so that commit() cannot fail.
#include <cairn/core/internal/writing.h>
#include <cairn/core/load_plan.h>

#include <unordered_set>

namespace cairn {

LoadPlan::~LoadPlan() = default;

void LoadPlan::write(const Tensor& target, const Tensor& values) {
  cairn::check(values.shape() == target.shape(), "load_plan: values {} for a tensor {}",
               values.shape(), target.shape());
  cairn::check(!target.view_of().storage->read_only,
               "load_plan: the target {} lies in const memory given to from_blob()",
               target.shape());
  checked_ = false;
  writes_.emplace_back(target, values.detach());
}

void LoadPlan::then(std::function<void()> apply) {
  checked_ = false;
  actions_.push_back(std::move(apply));
}

void LoadPlan::problem(std::string text) {
  checked_ = false;
  problems_ += "\n  " + std::move(text);
}

void LoadPlan::check(const char* op) {
  cairn::check(problems_.empty(), "{}: nothing was loaded, because{}", op, problems_);
  // Values may share a storage with a target, as those of a model's own state_dict() do.
  std::unordered_set<const void*> written;
  for (const auto& [target, values] : writes_) written.insert(target.view_of().storage.get());
  for (auto& [target, values] : writes_) {
    if (written.contains(values.view_of().storage.get())) values = values.clone();
  }
  checked_ = true;
}

void LoadPlan::commit() noexcept {
  if (!checked_) return;
  for (const auto& [target, values] : writes_) detail::write_values(target, values.view_of());
  for (const auto& apply : actions_) apply();
}

}  // namespace cairn
