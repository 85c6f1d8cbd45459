// Views: new shapes and strides over the same values. The gradient of a view is the opposite view.
#include <cairn/core/loops.h>

namespace cairn {

using detail::make_view;

namespace {

// The shape with a -1 worked out. Throws Error unless it has x's count.
Shape resolve(const char* op, const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  int64_t unknown = -1;
  for (int64_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != -1) continue;
    check(unknown < 0, "{}: more than one -1 in {}", op, wanted);
    unknown = d;
    shape[d] = 1;
  }
  const int64_t known = shape.numel(op);
  if (unknown >= 0 && known > 0) shape[unknown] = x.numel() / known;
  check((unknown < 0 || known > 0) && shape.numel(op) == x.numel(),
        "{}: {} has {} elements, which do not fit {}", op, x.shape(), x.numel(), wanted);
  return shape;
}

// Strides that give x's values, in order, the other shape; false if no strides can.
bool restride(const detail::View& x, const Shape& shape, Strides& strides) {
  if (x.contiguous) {
    strides = contiguous_strides(shape);
    return true;
  }
  detail::Plan<1> runs;  // of values that lie evenly
  for (int64_t d = 0; d < x.shape.size(); ++d) runs.add(x.shape[d], {x.strides[d]});
  strides = shape;
  std::size_t run = runs.rank;  // the one that new dimensions are cut from, last first
  int64_t left = 1, step = 1;   // what is left of it, and its stride
  for (int64_t d = shape.size() - 1; d >= 0; --d) {
    if (left == 1 && shape[d] != 1 && run > 0) {
      --run;
      left = runs.sizes[run];
      step = runs.strides[run][0];
    }
    strides[d] = step;
    if (left % shape[d] != 0) return false;
    left /= shape[d];
    step *= shape[d];
  }
  return true;
}

Tensor reshaped(const char* op, const Tensor& x, const Shape& shape, const Strides& strides) {
  return record(op, make_view(x, shape, strides),
                wrt(x, [from = x.shape()](const Tensor& dy) { return dy.reshape(from); }));
}

// Zeros of `shape`, with x where select() or slice() would look: their gradient.
Tensor embed(const Tensor& x, const Shape& shape, int64_t d, int64_t begin, int64_t step) {
  Tensor y = zeros(shape, {.dtype = x.dtype()});
  Strides strides = y.strides();
  const int64_t offset = begin * strides[d];
  const int64_t n = x.size(d);
  strides[d] *= n > 1 ? step : 1;
  detail::write_values(make_view(y, x.shape(), strides, offset), x.view_of());
  const int64_t end = n == 0 ? begin : begin + (n - 1) * step + 1;
  return record("slice", y,
                wrt(x, [=](const Tensor& dy) { return dy.slice(d, begin, end, step); }));
}

}  // namespace

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve("reshape", *this, wanted);
  Strides strides;
  return restride(view_of(), shape, strides) ? reshaped("reshape", *this, shape, strides)
                                             : clone().reshape(shape);
}

Tensor Tensor::view(const Shape& wanted) const {
  const Shape shape = resolve("view", *this, wanted);
  Strides strides;
  check(restride(view_of(), shape, strides),
        "view: {} with strides {} cannot be seen as {} without a copy; use reshape()",
        this->shape(), this->strides(), shape);
  return reshaped("view", *this, shape, strides);
}

Tensor Tensor::flatten(int64_t from, int64_t to) const {
  from = wrap_dim_or_scalar("flatten", from, dim());
  to = wrap_dim_or_scalar("flatten", to, dim());
  if (dim() == 0) return reshape({1});
  check(from <= to, "flatten: from dimension {} to {} of {}", from, to, shape());
  Shape joined = shape();
  for (int64_t d = from; d < to; ++d) {
    joined[from] *= joined[from + 1];
    joined.erase(from + 1);
  }
  return reshape(joined);
}

Tensor Tensor::permute(const Dims& order) const {
  check(order.size() == dim(), "permute: {} does not name each dimension of {} once", order,
        shape());
  dim_mask("permute", order, dim());
  Shape shape = order;
  Strides strides = order;
  Dims back = order;
  for (int64_t d = 0; d < dim(); ++d) {
    const int64_t from = wrap_dim("permute", order[d], dim());
    shape[d] = this->shape()[from];
    strides[d] = this->strides()[from];
    back[from] = d;
  }
  return record("permute", make_view(*this, shape, strides),
                wrt(*this, [back](const Tensor& dy) { return dy.permute(back); }));
}

Tensor Tensor::transpose(int64_t a, int64_t b) const {
  a = wrap_dim_or_scalar("transpose", a, dim());
  b = wrap_dim_or_scalar("transpose", b, dim());
  if (dim() == 0) return *this;
  Shape shape = this->shape();
  Strides strides = this->strides();
  std::swap(shape[a], shape[b]);
  std::swap(strides[a], strides[b]);
  return record("transpose", make_view(*this, shape, strides),
                wrt(*this, [a, b](const Tensor& dy) { return dy.transpose(a, b); }));
}

Tensor Tensor::t() const {
  check(dim() <= 2, "t: {} is no matrix; use transpose() or permute()", shape());
  return dim() < 2 ? *this : transpose(0, 1);
}

Tensor Tensor::unsqueeze(int64_t d) const {
  d = wrap_dim("unsqueeze", d, dim() + 1);
  Shape shape = this->shape();
  Strides strides = this->strides();
  strides.insert(d, d < dim() ? strides[d] * shape[d] : 1);
  shape.insert(d, 1);
  return reshaped("unsqueeze", *this, shape, strides);
}

Tensor Tensor::squeeze(int64_t d) const {
  d = wrap_dim_or_scalar("squeeze", d, dim());
  if (dim() == 0 || shape()[d] != 1) return *this;
  Shape shape = this->shape();
  Strides strides = this->strides();
  shape.erase(d);
  strides.erase(d);
  return reshaped("squeeze", *this, shape, strides);
}

Tensor Tensor::expand(const Shape& wanted) const {
  Shape shape = wanted;
  const int64_t added = shape.size() - dim();
  for (int64_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == -1 && d >= added) shape[d] = this->shape()[d - added];
  }
  check(added >= 0 && broadcast("expand", this->shape(), shape) == shape,
        "expand: {} does not stretch to {}; only dimensions of size 1 do", this->shape(), wanted);
  shape.numel();  // throws for what is negative or too much
  return record("expand",
                make_view(*this, shape, broadcast_strides(this->shape(), strides(), shape)),
                wrt(*this, [](const Tensor& dy) { return dy; }));  // the engine sums it back
}

Tensor Tensor::slice(int64_t d, int64_t begin, int64_t end, int64_t step) const {
  d = wrap_dim("slice", d, dim());
  check(step >= 1, "slice: step {} is not positive", step);
  const int64_t n = size(d);
  const auto clamped = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  begin = clamped(begin);
  end = std::max(clamped(end), begin);
  Shape shape = this->shape();
  Strides strides = this->strides();
  const int64_t offset = begin * strides[d];
  shape[d] = (end - begin) / step + ((end - begin) % step != 0);
  strides[d] *= shape[d] > 1 ? step : 1;
  return record("slice", make_view(*this, shape, strides, offset),
                wrt(*this, [=, from = this->shape()](const Tensor& dy) {
                  return embed(dy, from, d, begin, step);
                }));
}

Tensor Tensor::select(int64_t d, int64_t i) const {
  d = wrap_dim("select", d, dim());
  const int64_t n = size(d), at = i < 0 ? i + n : i;
  check(at >= 0 && at < n, "select: index {} is out of range for dimension {} of {}", i, d,
        shape());
  Shape shape = this->shape();
  Strides strides = this->strides();
  const int64_t offset = at * strides[d];
  shape.erase(d);
  strides.erase(d);
  return record("select", make_view(*this, shape, strides, offset),
                wrt(*this, [=, from = this->shape()](const Tensor& dy) {
                  return embed(dy.unsqueeze(d), from, d, at, 1);
                }));
}

// ---- copies ----

Tensor Tensor::clone() const {
  Tensor y = detail::new_tensor("clone", shape(), dtype());
  detail::write_values(y, view_of());
  return record("clone", y, wrt(*this, [](const Tensor& dy) { return dy; }));
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::to(DType wanted) const {
  if (dtype() == wanted) return *this;
  Tensor y = detail::new_tensor("to", shape(), wanted);
  detail::write_values(y, view_of());
  if (!is_floating(wanted)) return y;  // no gradient passes through an integer
  return record("to", y, wrt(*this, [from = dtype()](const Tensor& dy) { return dy.to(from); }));
}

Tensor detail::floating(const Tensor& x) {
  return is_floating(x.dtype()) ? x : x.to(DType::float32);
}

}  // namespace cairn
