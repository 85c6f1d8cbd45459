// The object that Tensor handles share. Ops use it; users do not.
#pragma once

#include <cairn/core/dtype.h>
#include <cairn/core/shape.h>
#include <cairn/core/storage.h>

#include <cstddef>
#include <cstdint>

namespace cairn::detail {

struct GradSlot;
class Node;

/// How a tensor reads its values: where they lie in a storage, their shape, strides and dtype.
/// The attribute no_unique_address lets the next member use the padding of this one.
struct View {
  Ref<Storage> storage;
  std::byte* data = nullptr;  // of the first element
  int64_t numel = 0;
  [[no_unique_address]] Shape shape;
  DType dtype = DType::float32;
  bool contiguous = true;
  [[no_unique_address]] Strides strides;  // in elements

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

/// One tensor: a view of values and its place in the graph.
/// It requires a gradient if it has a node (an op made it) or its slot requires one (a leaf).
struct TensorImpl : Counted {
  explicit TensorImpl(View v);
  TensorImpl(Ref<Storage> storage, const Shape& shape, int64_t numel, DType dtype);
  ~TensorImpl();
  static Ref<TensorImpl> create(View view);
  /// A contiguous tensor at the beginning of `storage`.
  static Ref<TensorImpl> create(Ref<Storage> storage, const Shape& shape, int64_t numel,
                                DType dtype);
  CAIRN_API static void destroy(TensorImpl* impl) noexcept;

  CAIRN_API bool requires_grad() const;
  /// Has an in-place op that joined a graph changed the values since this tensor got its node, or
  /// since this view was taken?
  bool is_stale() const { return epoch != view.storage->epoch && (node || is_view); }

  [[no_unique_address]] View view;
  bool is_view = false;       // made by a view op: a write to it would bypass the base
  bool base_tracked = false;  // the base of this view was in a graph
  uint32_t epoch;             // the storage's, when the node was set; a view copies its base's
  Ref<Node> node;             // the op that made the values, if it joined a graph
  Ref<GradSlot> slot;         // the gradient and hooks, once needed
};
static_assert(sizeof(TensorImpl) <= 192, "a long graph keeps many tensors");

}  // namespace cairn::detail
