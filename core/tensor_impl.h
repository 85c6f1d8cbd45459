// What a Tensor handle points at. Ops work on it; users never see it.
#pragma once

#include <cairn/core/dtype.h>
#include <cairn/core/shape.h>
#include <cairn/core/storage.h>

#include <cstddef>
#include <cstdint>

namespace cairn::detail {

struct GradSlot;
class Node;

/// Values: which bytes, read how.
struct View {
  Ref<Storage> storage;
  std::byte* data = nullptr;  // of the first element
  Shape shape;
  Strides strides;  // in elements
  int64_t numel = 0;
  DType dtype = DType::float32;
  bool contiguous = true;

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

/// One tensor: a view of values and its place in the graph.
/// It requires a gradient if it has a node (an op made it) or a slot that wants one (a leaf).
struct TensorImpl : Counted {
  explicit TensorImpl(View v);
  ~TensorImpl();
  static Ref<TensorImpl> create(View view);
  CAIRN_API static void destroy(TensorImpl* impl) noexcept;

  CAIRN_API bool requires_grad() const;
  /// Has an in-place op in a graph changed the values since this tensor learnt where they come
  /// from?
  bool is_stale() const { return epoch != view.storage->epoch && (node || is_view); }

  View view;
  Ref<Node> node;        // the op that made the values, if it is recorded
  Ref<GradSlot> slot;    // where the gradient is kept, once one is wanted
  uint32_t epoch;        // the storage's, when the node was set: a later one makes the node stale
  bool is_view = false;  // made by a view op: writing through it would bypass the base
  bool base_tracked = false;  // ... and the base was in a graph
};

}  // namespace cairn::detail
