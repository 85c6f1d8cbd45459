// Named tensors in order: the state of a model or an optimizer.
#pragma once

#include <cairn/core/tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

/// Iterates as (name, tensor), in the order of insertion. Copies of a StateDict share the tensors.
class CAIRN_API StateDict {
 public:
  using Item = std::pair<std::string, Tensor>;

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
  std::vector<Item> items_;
};

}  // namespace cairn
