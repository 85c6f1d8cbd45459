// A plan allocates memory only before commit(), so that commit() cannot fail.
#include <cairn/core/internal/writing.h>
#include <cairn/core/load_plan.h>

#include <unordered_set>

namespace cairn {

LoadPlan::~LoadPlan() = default;

void LoadPlan::write(const Tensor& target, const Tensor& values) {
  writes_.emplace_back(target, values.detach());
}

void LoadPlan::then(std::function<void()> apply) { actions_.push_back(std::move(apply)); }

void LoadPlan::problem(std::string text) { problems_ += "\n  " + std::move(text); }

void LoadPlan::check(const char* op) {
  cairn::check(problems_.empty(), "{}: nothing was loaded, because{}", op, problems_);
  // Values may share a storage with a target, as those of a model's own state_dict() do.
  std::unordered_set<const void*> written;
  for (const auto& [target, values] : writes_) written.insert(target.view_of().storage.get());
  for (auto& [target, values] : writes_) {
    if (written.contains(values.view_of().storage.get())) values = values.clone();
  }
}

void LoadPlan::commit() noexcept {
  for (const auto& [target, values] : writes_) detail::write_values(target, values.view_of());
  for (const auto& apply : actions_) apply();
}

}  // namespace cairn
