// How a tensor is created and read, and its gradient. Ops, views and in-place writes are in ops/.
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/shapes.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>
#include <cairn/core/tensor.h>

#include <algorithm>
#include <atomic>
#include <new>

namespace cairn {
namespace detail {

TensorImpl::TensorImpl(View v) : view(std::move(v)), epoch(view.storage->epoch) {}

// Every op creates a tensor, so the view is built in its place and not moved there.
TensorImpl::TensorImpl(Ref<Storage> storage, const Shape& shape, int64_t numel, DType dtype)
    : view{.storage = std::move(storage),
           .data = nullptr,
           .numel = numel,
           .shape = shape,
           .dtype = dtype,
           .contiguous = true,
           .strides = contiguous_strides(shape)},
      epoch(view.storage->epoch) {
  view.data = view.storage->data();
}

TensorImpl::~TensorImpl() {
  // Nobody can read this gradient any more. Under create_graph it may hold the graph that holds the
  // slot, which is a cycle; so the gradient is released here.
  if (slot && slot->owner == this) {
    slot->owner = nullptr;
    slot->grad = {};
  }
}

Ref<TensorImpl> TensorImpl::create(View view) {
  return Ref(new (allocate("tensor", sizeof(TensorImpl))) TensorImpl(std::move(view)));
}

Ref<TensorImpl> TensorImpl::create(Ref<Storage> storage, const Shape& shape, int64_t numel,
                                   DType dtype) {
  return Ref(new (allocate("tensor", sizeof(TensorImpl)))
                 TensorImpl(std::move(storage), shape, numel, dtype));
}

void TensorImpl::destroy(TensorImpl* impl) noexcept {
  impl->~TensorImpl();
  deallocate(impl, sizeof(TensorImpl));
}

bool TensorImpl::requires_grad() const { return node || (slot && slot->requires_grad); }

// The tensor's slot, or a new one for adopt().
static Ref<GradSlot> slot_or_new(const TensorImpl& impl) {
  return impl.slot ? impl.slot : Ref(new GradSlot);
}

// Gives `slot` to the tensor if it has none. Returns the tensor's slot.
static GradSlot& adopt(TensorImpl& impl, const Ref<GradSlot>& slot) noexcept {
  if (!impl.slot) {
    impl.slot = slot;
    slot->owner = &impl;
    if (impl.node) impl.node->slot = slot;
  }
  return *impl.slot;
}

GradSlot& slot_of(TensorImpl& impl) { return adopt(impl, slot_or_new(impl)); }

}  // namespace detail

void Tensor::fail_undefined(const char* op) {
  detail::fail("{}: the tensor is undefined (default-constructed or moved from); assign one first",
               fmt::make_format_args(op));
}

// ---- reading ----

void Tensor::fail_size() { throw OutOfMemory("to_vector", SIZE_MAX); }

int64_t Tensor::size(int64_t d) const {
  return impl("size").view.shape[detail::wrap_dim("size", d, shape())];
}

Scalar Tensor::read(int64_t offset) const {
  const detail::View& view = view_of();
  switch (view.dtype) {
    case DType::float32:
      return view.as<const float>()[offset];
    case DType::float64:
      return view.as<const double>()[offset];
    case DType::int64:
      break;
  }
  return view.as<const int64_t>()[offset];
}

Scalar Tensor::only_value() const {
  detail::check_defined("item", *this);
  check(numel() == 1, "item: {} has {} values, not one; use at() or to_vector()", shape(), numel());
  return read(0);
}

Scalar Tensor::value_at(const Dims& index) const {
  detail::check_defined("at", *this);
  check(index.size() == dim(), "at: {} needs one index for each dimension, got {}", shape(), index);
  int64_t offset = 0;
  for (int64_t d = 0; d < dim(); ++d) {
    const int64_t i = index[d] < 0 ? index[d] + shape()[d] : index[d];
    check(i >= 0 && i < shape()[d], "at: index {} is out of range for {}", index, shape());
    offset += i * strides()[d];
  }
  return read(offset);
}

const void* Tensor::typed_data(const char* op, DType wanted) const {
  detail::check_defined(op, *this);
  check(dtype() == wanted, "{}: the tensor {} is {}, not {}; convert it with .to()", op, shape(),
        dtype(), wanted);
  return view_of().data;
}

const void* Tensor::dense_data(DType wanted) const {
  const void* const data = typed_data("span", wanted);
  check(is_contiguous(), "span: {} with strides {} is not contiguous; take contiguous() first",
        shape(), strides());
  return data;
}

void Tensor::count_raw_write(DType wanted) {
  typed_data("mutable_data", wanted);
  detail::check_raw_write("mutable_data", *this);
  detail::begin_write(*this);
}

// ---- gradients ----

Tensor& Tensor::requires_grad_(bool wanted) {
  detail::TensorImpl& state = impl("requires_grad_");
  check(wanted || !state.node,
        "requires_grad_: {} was computed from tensors that require a gradient; use detach()",
        shape());
  if (state.node || wanted == state.requires_grad()) return *this;
  check(!wanted || is_floating(dtype()),
        "requires_grad_: {} {} cannot take a gradient, only float32 and float64 can; use .to()",
        dtype(), shape());
  check(!wanted || !state.view.storage->guarded,
        "requires_grad_: a buffer {} is never trained by gradient; make it a Parameter", shape());
  detail::slot_of(state).requires_grad = wanted;
  return *this;
}

Tensor Tensor::grad() const { return impl("grad").slot ? impl().slot->grad : Tensor(); }

void Tensor::set_grad(const Tensor& g) {
  detail::check_defined("set_grad", *this);
  if (!g.defined()) return zero_grad();
  check(g.shape() == shape() && g.dtype() == dtype(),
        "set_grad: the gradient is {} {}, the tensor {} {}; they must agree", g.shape(), g.dtype(),
        shape(), dtype());
  check(is_floating(dtype()),
        "set_grad: {} {} cannot take a gradient, only float32 and float64 can", dtype(), shape());
  check(g.handle().get() != handle().get(),
        "set_grad: {} cannot be its own gradient; give a clone()", shape());
  check(!g.view_of().storage->guarded,
        "set_grad: {} is a buffer, which cannot be a gradient; give a clone()", shape());
  detail::slot_of(impl()).grad = g;
}

void Tensor::zero_grad() {
  if (detail::GradSlot* const slot = impl("zero_grad").slot.get()) slot->grad = {};
}

Tensor Tensor::detach() const {
  auto state = detail::TensorImpl::create(impl("detach").view);
  state->epoch = impl().epoch;
  return Tensor(std::move(state));
}

Tensor& Tensor::detach_() {
  detail::TensorImpl& state = impl("detach_");
  check(!state.is_view || !(state.base_tracked || state.requires_grad()),
        "detach_: {} is a view of a tensor in a graph; use detach(), which gives a new tensor",
        shape());
  if (state.slot && !state.node) state.slot->requires_grad = false;
  if (!state.node) return *this;
  // The hooks belong to the value in the graph, so this tensor gets a slot of its own.
  detail::Ref<detail::GradSlot> slot;
  if (state.slot) {
    slot = detail::Ref(new detail::GradSlot);
    slot->owner = std::exchange(state.slot->owner, nullptr);
    slot->grad = std::exchange(state.slot->grad, {});
  }
  state.slot = std::move(slot);
  state.node = {};
  return *this;
}

Tensor& Tensor::retain_grad() {
  detail::check_defined("retain_grad", *this);
  check(requires_grad(), "retain_grad: {} does not require a gradient; use requires_grad_()",
        shape());
  detail::slot_of(impl()).retain = true;
  return *this;
}

HookHandle Tensor::add_hook(detail::Ref<detail::Hook> hook) {
  detail::check_defined("register_hook", *this);
  check(requires_grad(), "register_hook: {} does not require a gradient; use requires_grad_()",
        shape());
  static std::atomic<uint64_t> last_id{0};
  const uint64_t id = ++last_id;
  const detail::Ref<detail::GradSlot> slot = detail::slot_or_new(impl());
  slot->hooks.emplace_back(id, std::move(hook));
  detail::adopt(impl(), slot);
  return {slot, id};
}

HookHandle::HookHandle(detail::Ref<detail::GradSlot> slot, uint64_t id)
    : slot_(std::move(slot)), id_(id) {}
HookHandle::HookHandle() = default;
HookHandle::HookHandle(const HookHandle&) = default;
HookHandle& HookHandle::operator=(const HookHandle&) = default;
HookHandle::~HookHandle() = default;

void HookHandle::remove() {
  if (!slot_) return;
  std::erase_if(slot_->hooks, [this](const auto& hook) { return hook.first == id_; });
  slot_ = {};
}

}  // namespace cairn
