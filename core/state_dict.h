// Named tensors in order: the state of a model or an optimizer.
#pragma once

#include <cairn/core/tensor.h>

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace cairn {

/// Iterates as (name, tensor), in the order of insertion. Copies of a StateDict share the tensors.
/// The time to find a name does not depend on how many there are.
class CAIRN_API StateDict {
 public:
  using Item = std::pair<const std::string, Tensor>;

  StateDict() = default;
  StateDict(const StateDict& other);
  StateDict(StateDict&& other) noexcept { swap(other); }
  StateDict& operator=(StateDict other) noexcept {
    swap(other);
    return *this;
  }
  ~StateDict() = default;

  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Throws Error if there is no such name.
  const Tensor& at(std::string_view name) const;
  /// The tensor of that name. Appends an undefined one if there is none.
  Tensor& operator[](std::string_view name);
  /// Copies of all tensors. To keep the best weights of a training, keep
  /// model.state_dict().clone(): state_dict() alone shows the weights as they go on changing.
  StateDict clone() const;
  /// Does nothing if there is no such name.
  void erase(std::string_view name);

  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }

 private:
  const Item* find(std::string_view name) const;
  void swap(StateDict& other) noexcept {
    items_.swap(other.items_);
    index_.swap(other.index_);
  }

  std::list<Item> items_;  // keeps its items where they are, so that the index can point to them
  std::unordered_map<std::string_view, std::list<Item>::iterator> index_;
};

}  // namespace cairn
