// new_tensor() allocates the output of every op; make_view() makes every view.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/shapes.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn::detail {

Tensor new_tensor(const char* op, const Shape& shape, DType dtype) {
  const int64_t numel = shape.numel(op);
  int64_t bytes = 0;
  check(!__builtin_mul_overflow(numel, element_size(dtype), &bytes),
        "{}: {} {} takes more than 2^63 bytes", op, shape, dtype);
  return Tensor(TensorImpl::create(Storage::allocate(op, static_cast<std::size_t>(bytes)), shape,
                                   numel, dtype));
}

Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset) {
  const TensorImpl& base = x.impl();
  auto impl = TensorImpl::create(base.view);
  View& view = impl->view;
  view.shape = shape;
  view.strides = strides;
  view.numel = shape.numel();
  view.contiguous = detail::is_contiguous(shape, strides);
  if (view.numel > 0) view.data += offset * element_size(view.dtype);
  impl->epoch = base.epoch;
  impl->is_view = true;
  impl->base_tracked = base.requires_grad() || base.base_tracked;
  return Tensor(std::move(impl));
}

Tensor as_result(const char* op, const Tensor& y) {
  TensorImpl& impl = y.impl();
  impl.is_view = impl.base_tracked = false;
  if (impl.node) impl.node->rename(op);
  return y;
}

bool is_sole_owner(const Tensor& x) {
  return x.handle().is_sole() && x.view_of().storage.is_sole() && !overlaps_itself(x.view_of());
}

Tensor owned(Tensor x) { return is_sole_owner(x) && x.is_contiguous() ? std::move(x) : x.clone(); }

Tensor like(const char* op, Scalar value, const Tensor& x) {
  check_number(op, value, x);
  Tensor y = new_tensor(op, {}, x.dtype());
  dispatch(x.dtype(), [&]<class T>(T) { *y.view_of().as<T>() = value.to<T>(); });
  return y;
}

Tensor floating(const char* op, const Tensor& x) {
  check_defined(op, x);
  return is_floating(x.dtype()) ? x : x.to(DType::float32);
}

Tensor sum_to(const char* op, const Tensor& x, const Shape& shape) {
  check(broadcasts_to(shape, x.shape()),
        "{}: its gradient is {}, which cannot be summed to the input's {}", op, x.shape(), shape);
  Dims dims;
  const int64_t added = x.dim() - shape.size();
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d < added || (shape[d - added] == 1 && x.shape()[d] != 1)) dims.push_back(d);
  }
  return sum(x, dims, true).reshape(shape);
}

}  // namespace cairn::detail
