// A vector of pairs, searched from the front: it keeps the order, and models have tens of entries.
#include <cairn/core/state_dict.h>

#include <algorithm>

namespace cairn {

const StateDict::Item* StateDict::find(std::string_view name) const {
  const auto found = std::find_if(items_.begin(), items_.end(),
                                  [name](const Item& item) { return item.first == name; });
  return found == items_.end() ? nullptr : &*found;
}

const Tensor& StateDict::at(std::string_view name) const {
  const Item* const item = find(name);
  check(item != nullptr, "state_dict: there is no '{}'", name);
  return item->second;
}

Tensor& StateDict::operator[](std::string_view name) {
  if (const Item* const item = find(name)) return const_cast<Item*>(item)->second;
  return items_.emplace_back(std::string(name), Tensor()).second;
}

StateDict StateDict::clone() const {
  StateDict copy;
  for (const auto& [name, tensor] : items_) {
    copy.items_.emplace_back(name, tensor.defined() ? tensor.detach().clone() : tensor);
  }
  return copy;
}

void StateDict::erase(std::string_view name) {
  std::erase_if(items_, [name](const Item& item) { return item.first == name; });
}

}  // namespace cairn
