// The checks before a write, and the writes that cannot fail.
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/record.h>

namespace cairn::detail {

bool overlaps_itself(const View& view) {
  for (int64_t d = 0; d < view.shape.size(); ++d) {
    if (view.strides[d] == 0 && view.shape[d] > 1) return true;
  }
  return false;
}

void check_writable(const char* op, const Tensor& x, bool tracked) {
  const TensorImpl& impl = x.impl(op);
  check(!impl.view.storage->guarded,
        "{}: {} is a buffer, which is written by its owner, by copy_() on the buffer and "
        "by loading",
        op, impl.view.shape);
  check(!impl.view.storage->read_only,
        "{}: {} lies in const memory given to from_blob(); write to a clone()", op,
        impl.view.shape);
  check(!overlaps_itself(impl.view),
        "{}: {} is expanded: one value stands for several elements; write to a clone()", op,
        impl.view.shape);
  if (!is_grad_enabled()) return;
  check(impl.node || !impl.requires_grad(),
        "{}: a leaf {} that requires a gradient is written in place; use NoGrad", op,
        impl.view.shape);
  check(!impl.is_stale(),
        "{}: {} is a view of a tensor that an in-place op has changed since; take the view again",
        op, impl.view.shape);
  check(!impl.is_view || !(tracked || impl.base_tracked || impl.requires_grad()),
        "{}: {} is a view of a tensor in a graph; apply the op to the whole tensor, to a clone(), "
        "or use NoGrad",
        op, impl.view.shape);
}

void check_raw_write(const char* op, const Tensor& x) {
  check_writable(op, x);
  check(!is_grad_enabled() || !x.requires_grad(),
        "{}: {} is in a graph, which cannot see what is written; use NoGrad", op, x.shape());
}

void write_values(const Tensor& x, const View& y) noexcept {
  const View& view = begin_write(x);
  dispatch(view.dtype, [&]<class To>(To) {
    dispatch(y.dtype, [&]<class From>(From) {
      map_into([](From v) { return convert<To>(v); }, Elements<To>{view}, Elements<const From>{y});
    });
  });
}

void accumulate(const Tensor& x, const Tensor& y) noexcept {
  const View& view = begin_write(x);
  dispatch_floating(view.dtype, [&]<class T>(T) {
    map_into([](T a, T b) { return a + b; }, Elements<T>{view}, Elements<const T>{view},
             elements<const T>(y));
  });
}

void replace_values(const Tensor& x, const Tensor& values, const Tensor& grad) noexcept {
  TensorImpl& impl = x.impl();
  const bool guarded = impl.view.storage->guarded;
  impl.view = values.view_of();
  impl.view.storage->guarded = guarded;
  impl.epoch = impl.view.storage->epoch;
  if (impl.slot) impl.slot->grad = grad;
}

void mark_as_buffer(const Tensor& x) noexcept { x.view_of().storage->guarded = true; }

void set_name(const Tensor& parameter, std::shared_ptr<const Name> name) noexcept {
  parameter.impl().slot->name = std::move(name);
}

}  // namespace cairn::detail
