// Ops in place. If an op must be recorded, its out-of-place version runs first. Then the tensor
// takes the values and the node of the result, so that each gradient is written once. Tensors that
// were saved before keep the node they had.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/map.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn {

using detail::elements;
using detail::Elements;
using detail::map_into;
using detail::View;

namespace {

// Gives x the values of y, and the node of y if there is one.
void assign(Tensor& x, const Tensor& y) {
  detail::TensorImpl& impl = x.impl();
  const detail::Ref<detail::Node>& node = y.impl().node;
  // Hooks stay with the old value. The new one takes .grad, and the flag that retains it.
  detail::Ref<detail::GradSlot> slot;
  if (node && impl.slot) slot = detail::Ref(new detail::GradSlot);
  detail::write_values(x, y.view_of());  // from here on nothing can fail
  if (!node) return;
  if (slot) {
    slot->owner = std::exchange(impl.slot->owner, nullptr);
    slot->grad = std::exchange(impl.slot->grad, {});
    slot->retain = std::exchange(impl.slot->retain, false);
    node->slot = slot;  // so that the new value's hooks and retain_grad() reach the walk
  }
  impl.slot = slot;
  impl.node = node;
  impl.epoch = ++impl.view.storage->epoch;
}

// Returns a copy of x's values that has x's node.
Tensor copy_with_node(const Tensor& x) {
  Tensor copy = x.detach().clone();
  copy.impl().node = x.impl().node;
  copy.impl().slot = x.impl().slot;
  return copy;
}

void check_fits(const char* op, const Tensor& x, const Tensor& y) {
  detail::check_defined(op, x, y);
  check(detail::broadcasts_to(y.shape(), x.shape()),
        "{}: {} does not broadcast to {}, the shape that is written; dimensions, aligned at the "
        "right, must be equal or 1",
        op, y.shape(), x.shape());
  if (is_grad_enabled()) detail::check_not_stale(op, y.impl());
}

bool same_view(const View& a, const View& b) {
  return a.data == b.data && a.shape == b.shape && a.strides == b.strides;
}

// Sets x to f(x, y). `out_of_place` is the op that can be recorded.
template <class F>
Tensor& in_place(const char* op, Tensor& x, const Tensor& y, F f,
                 Tensor (*out_of_place)(const Tensor&, const Tensor&)) {
  const DType dtype = detail::common_dtype(op, x, y);
  check_fits(op, x, y);
  detail::check_writable(op, x, y.requires_grad());
  if (is_grad_enabled() && (x.requires_grad() || y.requires_grad())) {
    // y's gradient may need the old value of x, which is about to be overwritten.
    assign(x, out_of_place(y.requires_grad() ? copy_with_node(x) : x, y));
    return x;
  }
  const bool shared = y.view_of().storage.get() == x.view_of().storage.get();
  const Tensor operand = shared && !same_view(x.view_of(), y.view_of()) ? y.clone() : y;
  const View& view = detail::begin_write(x);
  detail::dispatch(dtype, [&]<class T>(T) {
    map_into([f](T a, T b) { return static_cast<T>(f(a, b)); }, Elements<T>{view},
             Elements<const T>{view}, elements<const T>(operand));
  });
  return x;
}

}  // namespace

Tensor& Tensor::add_(const Tensor& y) {
  return in_place("add_", *this, y, detail::plus, cairn::add);
}
Tensor& Tensor::sub_(const Tensor& y) {
  return in_place("sub_", *this, y, detail::minus, cairn::sub);
}
Tensor& Tensor::mul_(const Tensor& y) {
  return in_place("mul_", *this, y, detail::times, cairn::mul);
}
Tensor& Tensor::div_(const Tensor& y) {
  detail::check_defined("div_", *this, y);
  check(dtype() != DType::int64,
        "div_: int64 {} cannot hold a true quotient; use x / y, which gives float32", shape());
  auto quotient = []<class T>(T a, T b) {
    if constexpr (std::floating_point<T>) return a / b;
    return a;  // int64 is refused above
  };
  return in_place("div_", *this, y, quotient, cairn::div);
}
Tensor& Tensor::add_(Scalar y) { return add_(detail::like("add_", y, *this)); }
Tensor& Tensor::sub_(Scalar y) { return sub_(detail::like("sub_", y, *this)); }
Tensor& Tensor::mul_(Scalar y) { return mul_(detail::like("mul_", y, *this)); }
Tensor& Tensor::div_(Scalar y) { return div_(detail::like("div_", y, *this)); }

Tensor& Tensor::clamp_(Scalar low, Scalar high) {
  detail::check_number("clamp_", low, *this);
  detail::check_number("clamp_", high, *this);
  detail::check_writable("clamp_", *this);
  assign(*this, cairn::clamp(is_grad_enabled() && requires_grad() ? copy_with_node(*this) : *this,
                             low, high));
  return *this;
}

namespace {

// Sets x to y. The gradient of the old value of x is 0.
Tensor& overwrite(const char* op, Tensor& x, const Tensor& y) {
  check_fits(op, x, y);
  detail::check_writable(op, x, y.requires_grad());
  if (!is_grad_enabled() || !(x.requires_grad() || y.requires_grad())) {
    const bool shared = y.view_of().storage.get() == x.view_of().storage.get();
    detail::write_values(x, (shared ? y.clone() : y).view_of());
    return x;
  }
  const Tensor value = y.to(x.dtype()).expand(x.shape()).clone();
  assign(x, record(op, value.detach(), wrt(x, [](const Tensor& dy) { return zeros_like(dy); }),
                   wrt(value, [](const Tensor& dy) { return dy; })));
  return x;
}

}  // namespace

Tensor& Tensor::copy_(const Tensor& y) { return overwrite("copy_", *this, y); }
Tensor& Tensor::fill_(Scalar value) {
  return overwrite("fill_", *this, detail::like("fill_", value, *this));
}
Tensor& Tensor::zero_() { return overwrite("zero_", *this, detail::like("zero_", 0, *this)); }

}  // namespace cairn
