// Checks what may become a parameter and what may be written into a buffer.
#include <cairn/core/internal/writing.h>
#include <cairn/nn/module.h>

namespace cairn {

Parameter::Parameter(Tensor value) : Tensor(std::move(value)) {
  if (!defined()) return;
  check(is_leaf(), "parameter: {} was computed by an op in a graph; use detach()", shape());
  check(!view_of().storage->guarded,
        "parameter: a buffer {} is never trained by gradient; take a clone()", shape());
  check(!view_of().storage->read_only,
        "parameter: {} lies in const memory given to from_blob(); take a clone()", shape());
  check(!detail::overlaps_itself(view_of()),
        "parameter: {} is expanded: one value stands for several elements; take a clone()",
        shape());
  check(is_floating(dtype()),
        "parameter: {} {} cannot take a gradient, only float32 and float64 can; make it a buffer",
        dtype(), shape());
  requires_grad_(true);
}

Buffer::Buffer(nn::Module& module, const Tensor& value)
    : module_(&module), tensor_(value.detach().clone()) {
  detail::mark_as_buffer(tensor_);
}

void detail::hold(Buffer& buffer, const Tensor& tensor) noexcept { buffer.tensor_ = tensor; }

Buffer& Buffer::copy_(const Tensor& values) {
  const nn::StateTensor state = module_->state_of(*this);
  check(state.unlisted == nullptr, "{}: {}", state.name, state.unlisted);
  const Tensor accepted = state.accepted(state.name, values).clone();
  detail::write_values(tensor_, accepted.view_of());  // from here on nothing can fail
  if (state.assigned != nullptr) *state.assigned = true;
  return *this;
}

Buffer& Buffer::requires_grad_(bool requires_grad) {
  if (requires_grad) {
    check(false, "{}: a buffer is never trained by gradient; make it a Parameter",
          module_->state_of(*this).name);
  }
  freeze();
  return *this;
}

}  // namespace cairn
