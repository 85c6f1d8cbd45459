// Ops that create tensors. Their results are leaves of the graph.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/ops.h>

#include <cmath>
#include <cstring>
#include <memory>

namespace cairn {

using detail::dispatch;
using detail::new_tensor;

namespace {

Tensor with_grad(Tensor x, const TensorOptions& options) {
  if (options.requires_grad) x.requires_grad_(true);
  return x;
}

// Returns a tensor with the values f(i), converted to its dtype.
template <class F>
Tensor generate(const char* op, int64_t count, const TensorOptions& options, F f) {
  Tensor x = new_tensor(op, {count}, options.dtype);
  dispatch(options.dtype, [&]<class T>(T) {
    T* const values = x.view_of().as<T>();
    for (int64_t i = 0; i < count; ++i) values[i] = convert<T>(f(i));
  });
  return with_grad(x, options);
}

void check_representable(const char* op, Scalar value, DType dtype) {
  check(is_floating(dtype) || value.is_whole(),
        "{}: {} is no int64; give a whole number, or a floating dtype", op, value.to<double>());
}

Tensor filled(const char* op, const Shape& shape, Scalar value, const TensorOptions& options) {
  check_representable(op, value, options.dtype);
  Tensor x = new_tensor(op, shape, options.dtype);
  dispatch(options.dtype,
           [&]<class T>(T) { std::fill_n(x.view_of().as<T>(), x.numel(), value.to<T>()); });
  return with_grad(x, options);
}

Tensor filled_like(const char* op, const Tensor& x, Scalar value) {
  const detail::View& view = x.impl(op).view;
  return filled(op, view.shape, value, {.dtype = view.dtype});
}

template <class T>
Tensor copy_of(std::span<const T> values, const Shape& shape) {
  const int64_t numel = shape.numel("from_data");
  check(static_cast<int64_t>(values.size()) == numel,
        "from_data: {} values for the shape {}, which takes {}", values.size(), shape, numel);
  Tensor x = new_tensor("from_data", shape, dtype_of<T>);
  if (!values.empty()) std::memcpy(x.view_of().data, values.data(), values.size_bytes());
  return x;
}

}  // namespace

Shape Literal::shape(int64_t depth) const {
  if (!is_list_) return {};
  check(depth < 4, "tensor: lists nest at most 4 deep; use from_data() and reshape()");
  Shape shape = list_.size() == 0 ? Shape{} : list_.begin()->shape(depth + 1);
  for (const Literal& item : list_) {
    const Shape other = item.shape(depth + 1);
    check(other == shape, "tensor: ragged list: an item of shape {} beside one of shape {}", other,
          shape);
  }
  shape.insert(0, static_cast<int64_t>(list_.size()));
  return shape;
}

template <class T>
void Literal::copy(T*& to, DType dtype) const {
  if (is_list_) {
    for (const Literal& item : list_) item.copy(to, dtype);
    return;
  }
  check_representable("tensor", value_, dtype);
  *to++ = value_.to<T>();
}

Tensor tensor(const Literal& values, const TensorOptions& options) {
  Tensor x = new_tensor("tensor", values.shape(), options.dtype);
  dispatch(options.dtype, [&]<class T>(T) {
    T* to = x.view_of().as<T>();
    values.copy(to, options.dtype);
  });
  return with_grad(x, options);
}

Tensor empty(const Shape& shape, const TensorOptions& options) {
  return with_grad(new_tensor("empty", shape, options.dtype), options);
}

Tensor full(const Shape& shape, Scalar value, const TensorOptions& options) {
  return filled("full", shape, value, options);
}
Tensor zeros(const Shape& shape, const TensorOptions& options) {
  return filled("zeros", shape, 0, options);
}
Tensor ones(const Shape& shape, const TensorOptions& options) {
  return filled("ones", shape, 1, options);
}

Tensor eye(int64_t n, const TensorOptions& options) {
  Tensor x = filled("eye", {n, n}, 0, {.dtype = options.dtype});
  detail::make_view(x, {n}, {n + 1}).fill_(1);
  return with_grad(x, options);
}

Tensor arange(Scalar end, const TensorOptions& options) { return arange(0, end, 1, options); }
Tensor arange(Scalar begin, Scalar end, const TensorOptions& options) {
  return arange(begin, end, 1, options);
}

Tensor arange(Scalar begin, Scalar end, Scalar step, const TensorOptions& options) {
  if (options.dtype == DType::int64) {  // a double would round beyond 2^53
    check(begin.is_whole() && end.is_whole() && step.is_whole(),
          "arange: from {} to {} in steps of {} for an int64 tensor; give whole numbers, or a "
          "floating dtype",
          begin.to<double>(), end.to<double>(), step.to<double>());
    const auto a = begin.to<int64_t>(), b = end.to<int64_t>(), s = step.to<int64_t>();
    check(s != 0 && (s > 0 ? b >= a : b <= a),
          "arange: from {} to {} in steps of {}; the step must lead from begin to end", a, b, s);
    const auto first = static_cast<uint64_t>(a), stride = static_cast<uint64_t>(s);  // uint64 wraps
    const uint64_t length =
        s > 0 ? static_cast<uint64_t>(b) - first : first - static_cast<uint64_t>(b);
    const uint64_t step_size = s > 0 ? stride : 0 - stride;
    const uint64_t count = length / step_size + (length % step_size != 0);
    check(count <= INT64_MAX, "arange: from {} to {} in steps of {}: more than 2^63 values", a, b,
          s);
    return generate("arange", static_cast<int64_t>(count), options, [=](int64_t i) {
      return static_cast<int64_t>(first + static_cast<uint64_t>(i) * stride);
    });
  }
  const auto a = begin.to<double>(), b = end.to<double>(), s = step.to<double>();
  check(std::isfinite(a) && std::isfinite(b) && std::isfinite(s),
        "arange: from {} to {} in steps of {}; all three must be finite", a, b, s);
  check(s > 0 ? b >= a : s < 0 && b <= a,
        "arange: from {} to {} in steps of {}; the step must lead from begin to end", a, b, s);
  const double count = std::ceil((b - a) / s);
  check(count < 0x1p63, "arange: from {} to {} in steps of {}: more than 2^63 values", a, b, s);
  return generate("arange", static_cast<int64_t>(count), options,
                  [=](int64_t i) { return a + static_cast<double>(i) * s; });
}

Tensor linspace(Scalar begin, Scalar end, int64_t count, const TensorOptions& options) {
  check(count >= 0, "linspace: {} values; the number must not be negative", count);
  const auto a = begin.to<double>(), b = end.to<double>();
  const double step = count > 1 ? (b - a) / static_cast<double>(count - 1) : 0;
  return generate("linspace", count, options, [=](int64_t i) {  // both ends are exact
    return i < count / 2 || count == 1 ? a + step * static_cast<double>(i)
                                       : b - step * static_cast<double>(count - 1 - i);
  });
}

Tensor empty_like(const Tensor& x) {
  const detail::View& view = x.impl("empty_like").view;
  return new_tensor("empty_like", view.shape, view.dtype);
}
Tensor zeros_like(const Tensor& x) { return filled_like("zeros_like", x, 0); }
Tensor ones_like(const Tensor& x) { return filled_like("ones_like", x, 1); }
Tensor full_like(const Tensor& x, Scalar value) { return filled_like("full_like", x, value); }

Tensor from_data(std::span<const float> values, const Shape& shape) {
  return copy_of(values, shape);
}
Tensor from_data(std::span<const double> values, const Shape& shape) {
  return copy_of(values, shape);
}
Tensor from_data(std::span<const int64_t> values, const Shape& shape) {
  return copy_of(values, shape);
}

Tensor detail::borrow(void* data, const Shape& shape, DType dtype, const Strides& strides,
                      bool read_only, std::unique_ptr<Deleter> deleter) {
  const int64_t numel = shape.numel("from_blob");
  check(data != nullptr || numel == 0,
        "from_blob: a null pointer for the shape {}; give memory for {} values", shape, numel);
  const bool given = !strides.empty();
  check(!given || strides.size() == shape.size(),
        "from_blob: strides {} for the shape {}; give one for each dimension", strides, shape);
  for (const int64_t stride : strides) {
    check(stride >= 0, "from_blob: strides {} for the shape {}; none may be negative", strides,
          shape);
  }
  View view{.storage = Storage::borrow(data),
            .data = static_cast<std::byte*>(data),
            .numel = numel,
            .shape = shape,
            .dtype = dtype,
            .contiguous = !given || is_contiguous(shape, strides),
            .strides = given ? strides : contiguous_strides(shape)};
  const Ref<Storage> storage = view.storage;
  storage->read_only = read_only;
  Tensor x(TensorImpl::create(std::move(view)));
  storage->set_deleter(deleter.release());  // last: a throw must not free the memory
  return x;
}

}  // namespace cairn
