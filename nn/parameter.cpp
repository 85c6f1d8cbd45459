// A buffer's values are written in one place, assign(), after they were accepted.
#include <cairn/core/record.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/nn/parameter.h>

namespace cairn {

Parameter::Parameter(Tensor value) : Tensor(std::move(value)) {
  if (!defined()) return;
  check(is_leaf(), "parameter: {} was computed by an op in a graph; use detach()", shape());
  check(!view_of().storage->guarded,
        "parameter: a buffer {} is never trained by gradient; take a clone()", shape());
  check(!detail::overlaps_itself(view_of()),
        "parameter: {} is expanded: one value stands for several elements; take a clone()",
        shape());
  check(is_floating(dtype()),
        "parameter: {} {} cannot take a gradient, only float32 and float64 can; make it a buffer",
        dtype(), shape());
  requires_grad_(true);
}

Buffer::Buffer(std::string name, Tensor value, Check check)
    : name_(std::move(name)), check_(check) {
  cairn::check(value.defined(), "buffer: '{}' is undefined; give it its first values", name_);
  value_ = value.detach().clone();
  value_.view_of().storage->guarded = true;
}

// An int64 buffer counts: 2.7 in it would become 2.
static void check_whole(const char* name, const Tensor& values) {
  for (const double v : values.to_vector<double>()) {
    check(Scalar(v).is_whole(), "{}: {} is no int64; give whole numbers", name,
          detail::without_sign(v));
  }
}

Tensor Buffer::accepted(const char* name, const Tensor& values) const {
  check(values.defined(), "{}: an undefined tensor for a buffer {}", name, shape());
  check(values.shape() == shape(), "{}: values {} for a buffer {}", name, values.shape(), shape());
  const Tensor converted = values.detach().to(dtype());
  if (!is_floating(dtype()) && is_floating(values.dtype())) check_whole(name, values);
  if (check_ != nullptr) check_(name, converted);
  return converted;
}

Buffer& Buffer::copy_(const Tensor& values) {
  check(listed_, "{}: the layer keeps no record; turn it on with track_running_stats(true) first",
        name_);
  detail::no_bad_alloc("copy_", [&] { assign(*shown_, accepted(name_.c_str(), values).clone()); });
  return *this;
}

void Buffer::assign(const Tensor& to, const Tensor& values) noexcept {
  detail::write_values(to, values.view_of());
  assigned_ = true;
}

Buffer& Buffer::requires_grad_(bool requires_grad) {
  check(!requires_grad, "{}: a buffer is never trained by gradient; make it a Parameter", name_);
  freeze();
  return *this;
}

}  // namespace cairn
