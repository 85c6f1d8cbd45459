#include <cairn/core/ops/internal.h>
#include <cairn/nn/parameter.h>

namespace cairn {

Parameter::Parameter(Tensor value) : Tensor(std::move(value)) {
  if (!defined()) return;
  check(is_leaf(), "parameter: {} was computed by an op in a graph; use detach()", shape());
  requires_grad_(true);
}

Buffer::Buffer(std::string name, Tensor value, Check check)
    : name_(std::move(name)), value_(detail::owned(value.detach())), check_(check) {
  value_.view_of().storage->guarded = true;
}

void Buffer::check_values(const char* name, const Tensor& values) const {
  check(values.shape() == shape(), "{}: values {} for a buffer {}", name, values.shape(), shape());
  if (check_ != nullptr) check_(name, values);
}

Buffer& Buffer::copy_(const Tensor& values) {
  check(listed_, "{}: the layer keeps no record; turn it on with track_running_stats(true) first",
        name_);
  check_values(name_.c_str(), values);
  assign(values.detach().to(dtype()).clone());
  return *this;
}

void Buffer::assign(const Tensor& values) noexcept {
  detail::write_values(value_, values.view_of());
  assigned_ = true;
}

Buffer& Buffer::requires_grad_(bool requires_grad) {
  check(!requires_grad, "{}: a buffer is never trained by gradient; make it a Parameter", name_);
  freeze();
  return *this;
}

}  // namespace cairn
