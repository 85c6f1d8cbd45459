// Views: new shapes and strides over the same values. A view's gradient gives dy the input's shape.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

namespace cairn {

using detail::make_view;

namespace {

// Replaces a size of -1 by the one that fits. Throws Error unless x has as many elements.
Shape resolve(const char* op, const Tensor& x, const Shape& wanted) {
  detail::check_defined(op, x);
  Shape shape = wanted;
  int64_t unknown = -1;
  for (int64_t d = 0; d < shape.size(); ++d) {
    check(shape[d] >= -1, "{}: {} to {}: a size is negative", op, x.shape(), wanted);
    if (shape[d] != -1) continue;
    check(unknown < 0, "{}: {} to {}: only one size may be -1", op, x.shape(), wanted);
    unknown = d;
    shape[d] = 1;
  }
  const int64_t known = shape.numel(op);
  if (unknown >= 0 && known > 0) shape[unknown] = x.numel() / known;
  check(unknown < 0 || known > 0 || x.numel() > 0,
        "{}: {} to {}: any size would do in place of -1; say which", op, x.shape(), wanted);
  check((unknown < 0 || known > 0) && shape.numel(op) == x.numel(),
        "{}: {} has {} elements, which do not fit {}", op, x.shape(), x.numel(), wanted);
  return shape;
}

// Finds strides that show the values of x, in order, in another shape. Returns false if none can.
bool restride(const detail::View& x, const Shape& shape, Strides& strides) {
  if (x.contiguous) {
    strides = detail::contiguous_strides(shape);
    return true;
  }
  detail::Plan<1> runs;  // the dimensions of x, joined where no gap is between them
  for (int64_t d = 0; d < x.shape.size(); ++d) runs.add(x.shape[d], {x.strides[d]});
  strides = Strides(shape.begin(), shape.end());
  std::size_t run = runs.rank;  // the run that new dimensions are taken from, the last run first
  int64_t left = 1, step = 1;   // the size of the run that is not taken yet, and its stride
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

// The gradient of select() and slice(): zeros of `shape`, with x at the positions that they read.
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
                                             : detail::as_result("reshape", clone().reshape(shape));
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
  detail::check_defined("flatten", *this);
  from = detail::wrap_dim_or_scalar("flatten", from, this->shape());
  to = detail::wrap_dim_or_scalar("flatten", to, this->shape());
  if (dim() == 0) return reshape({1});
  check(from <= to, "flatten: dimension {} of {} comes after dimension {}", from, shape(), to);
  Shape joined = shape();
  for (int64_t d = from; d < to; ++d) {
    joined[from] *= joined[from + 1];
    joined.erase(from + 1);
  }
  return reshape(joined);
}

Tensor Tensor::permute(const Dims& order) const {
  detail::check_defined("permute", *this);
  check(order.size() == dim(), "permute: {} does not name each dimension of {} once", order,
        shape());
  detail::dim_mask("permute", order, this->shape());
  Shape shape(order.begin(), order.end());
  Strides strides(order.begin(), order.end());
  Dims back = order;
  for (int64_t d = 0; d < dim(); ++d) {
    const int64_t from = detail::wrap_dim("permute", order[d], this->shape());
    shape[d] = this->shape()[from];
    strides[d] = this->strides()[from];
    back[from] = d;
  }
  return record("permute", make_view(*this, shape, strides),
                wrt(*this, [back](const Tensor& dy) { return dy.permute(back); }));
}

Tensor Tensor::transpose(int64_t a, int64_t b) const {
  detail::check_defined("transpose", *this);
  a = detail::wrap_dim_or_scalar("transpose", a, this->shape());
  b = detail::wrap_dim_or_scalar("transpose", b, this->shape());
  if (dim() == 0) return *this;
  Shape shape = this->shape();
  Strides strides = this->strides();
  std::swap(shape[a], shape[b]);
  std::swap(strides[a], strides[b]);
  return record("transpose", make_view(*this, shape, strides),
                wrt(*this, [a, b](const Tensor& dy) { return dy.transpose(a, b); }));
}

Tensor Tensor::t() const {
  detail::check_defined("t", *this);
  check(dim() <= 2, "t: {} is no matrix; use transpose() or permute()", shape());
  return dim() < 2 ? *this : transpose(0, 1);
}

Tensor Tensor::unsqueeze(int64_t d) const {
  detail::check_defined("unsqueeze", *this);
  Shape shape = this->shape();
  d = detail::new_dim("unsqueeze", d, shape);
  Strides strides = this->strides();
  strides.insert(d, d < dim() ? strides[d] * shape[d] : 1);
  shape.insert(d, 1);
  return reshaped("unsqueeze", *this, shape, strides);
}

Tensor Tensor::squeeze(int64_t d) const {
  detail::check_defined("squeeze", *this);
  d = detail::wrap_dim_or_scalar("squeeze", d, this->shape());
  if (dim() == 0 || shape()[d] != 1) return *this;
  Shape shape = this->shape();
  Strides strides = this->strides();
  shape.erase(d);
  strides.erase(d);
  return reshaped("squeeze", *this, shape, strides);
}

Tensor Tensor::expand(const Shape& wanted) const {
  detail::check_defined("expand", *this);
  Shape shape = wanted;
  const int64_t added = shape.size() - dim();
  for (int64_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == -1 && d >= added) shape[d] = this->shape()[d - added];
  }
  shape.numel("expand");  // throws if a size is negative or the count overflows
  check(detail::broadcasts_to(this->shape(), shape),
        "expand: {} does not stretch to {}; only dimensions of size 1 do, and new ones in front",
        this->shape(), wanted);
  return record("expand",
                make_view(*this, shape, detail::broadcast_strides(this->shape(), strides(), shape)),
                wrt(*this, [](const Tensor& dy) { return dy; }));  // the engine sums it
}

Tensor Tensor::slice(int64_t d, int64_t begin, int64_t end, int64_t step) const {
  detail::check_defined("slice", *this);
  d = detail::wrap_dim("slice", d, this->shape());
  check(step >= 1, "slice: {} in steps of {}; a step is at least 1", this->shape(), step);
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
  detail::check_defined("select", *this);
  d = detail::wrap_dim("select", d, this->shape());
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

std::vector<Tensor> chunk(const Tensor& x, int64_t n, int64_t d) {
  detail::check_defined("chunk", x);
  d = detail::wrap_dim("chunk", d, x.shape());
  check(n >= 1, "chunk: {} into {} pieces; give at least 1", x.shape(), n);
  const int64_t length = x.size(d);
  std::vector<Tensor> pieces;
  if (length == 0) {
    pieces.assign(static_cast<std::size_t>(n), x.slice(d, 0, 0));
    return pieces;
  }
  const int64_t size = (length - 1) / n + 1;
  for (int64_t begin = 0; begin < length; begin += size) {
    pieces.push_back(x.slice(d, begin, std::min(begin + size, length)));
  }
  return pieces;
}

// ---- copies ----

Tensor Tensor::clone() const {
  detail::check_defined("clone", *this);
  Tensor y = detail::new_tensor("clone", shape(), dtype());
  detail::write_values(y, view_of());
  return record("clone", y, wrt(*this, [](const Tensor& dy) { return dy; }));
}

Tensor Tensor::contiguous() const { return impl("contiguous").view.contiguous ? *this : clone(); }

Tensor Tensor::to(DType wanted) const {
  detail::check_defined("to", *this);
  if (dtype() == wanted) return *this;
  Tensor y = detail::new_tensor("to", shape(), wanted);
  detail::write_values(y, view_of());
  if (!is_floating(wanted)) return y;  // no gradient passes through an integer
  return record("to", y, wrt(*this, [from = dtype()](const Tensor& dy) { return dy.to(from); }));
}

}  // namespace cairn
