// A list keeps the order, and an index finds a name. Both change together, or not at all.
#include <cairn/core/state_dict.h>

namespace cairn {

StateDict::StateDict(const StateDict& other) {
  for (const auto& [name, tensor] : other.items_) (*this)[name] = tensor;
}

const StateDict::Item* StateDict::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &*found->second;
}

const Tensor& StateDict::at(std::string_view name) const {
  const Item* const item = find(name);
  check(item != nullptr, "state_dict: there is no '{}'", name);
  return item->second;
}

Tensor& StateDict::operator[](std::string_view name) {
  const auto found = index_.find(name);
  if (found != index_.end()) return found->second->second;
  std::list<Item> made;
  const auto item = made.emplace(made.end(), name, Tensor());
  index_.emplace(item->first, item);
  items_.splice(items_.end(), made);  // cannot fail
  return item->second;
}

StateDict StateDict::clone() const {
  StateDict copy;
  for (const auto& [name, tensor] : items_) {
    copy[name] = tensor.defined() ? tensor.detach().clone() : tensor;
  }
  return copy;
}

void StateDict::erase(std::string_view name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  const auto item = found->second;  // it holds the name that the index refers to
  index_.erase(found);
  items_.erase(item);
}

}  // namespace cairn
