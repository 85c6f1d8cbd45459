// Ops that join tensors, and ops that read values at int64 indices. The gradient of gather() is
// scatter_add(), and the gradient of scatter_add() is gather().
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/loops/dispatch.h>
#include <cairn/core/loops/plan.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <cstring>

namespace cairn {

namespace {

// Calls f(p, q) for each element of `index`: p is the offset in x of the value that it points to,
// and q is the offset of the element itself in a tensor with the strides `index_strides`.
template <class F>
void for_each_index(const detail::View& x, int64_t d, const detail::View& index,
                    const Strides& index_strides, F f) {
  detail::Plan<3> plan;
  for (int64_t k = 0; k < index.shape.size(); ++k) {
    plan.add(index.shape[k], {index.strides[k], k == d ? 0 : x.strides[k], index_strides[k]});
  }
  if (index.numel == 0) return;
  const int64_t step = x.strides[d];
  plan.visit(0, index.numel, [&](const auto& offset, int64_t n, const auto& stride) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t target = index.as<const int64_t>()[offset[0] + i * stride[0]];
      f(offset[1] + i * stride[1] + target * step, offset[2] + i * stride[2]);
    }
  });
}

// Returns zeros of `shape`, with each value of dy added where gather() reads.
Tensor scatter_add(const Tensor& dy, const Shape& shape, int64_t d, const Tensor& index) {
  Tensor y = zeros(shape, {.dtype = dy.dtype()});
  detail::dispatch_floating(dy.dtype(), [&]<class T>(T) {
    T* const to = y.view_of().as<T>();
    const T* const from = dy.view_of().as<const T>();
    for_each_index(y.view_of(), d, index.view_of(), dy.strides(),
                   [=](int64_t p, int64_t q) { to[p] += from[q]; });
  });
  return record("scatter_add", y,
                wrt(
                    dy, [d](auto& g, auto& at) { return gather(g, d, at); }, index));
}

}  // namespace

Tensor gather(const Tensor& x, int64_t d, const Tensor& index) {
  detail::check_defined("gather", x, index);
  d = detail::wrap_dim_or_scalar("gather", d, x.shape());
  if (x.dim() == 0 || index.dim() == 0) {  // a scalar counts as [1]
    const auto as_1d = [](const Tensor& t) { return t.dim() == 0 ? t.reshape({1}) : t; };
    return detail::as_result("gather", gather(as_1d(x), d, as_1d(index)).reshape(index.shape()));
  }
  bool fits = index.dim() == x.dim();
  for (int64_t k = 0; fits && k < x.dim(); ++k) fits = k == d || index.size(k) <= x.size(k);
  check(fits,
        "gather: index {} for {} along dimension {}: it must have as many dimensions, and be no "
        "larger along the others",
        index.shape(), x.shape(), d);
  detail::check_indices("gather", "index", index, x.size(d));
  Tensor y = detail::new_tensor("gather", index.shape(), x.dtype());
  detail::dispatch(x.dtype(), [&]<class T>(T) {
    T* const to = y.view_of().as<T>();
    const T* const from = x.view_of().as<const T>();
    for_each_index(x.view_of(), d, index.view_of(), y.strides(),
                   [=](int64_t p, int64_t q) { to[q] = from[p]; });
  });
  const auto gradient = [d, from = x.shape()](auto& dy, auto& at) {
    return scatter_add(dy, from, d, at);
  };
  return record("gather", y, wrt(x, gradient, index));
}

namespace {

// index_select() of a contiguous x: each slice consists of dense runs, which are copied whole.
Tensor select_slices(const Tensor& x, int64_t d, const Tensor& index) {
  Shape shape = x.shape();
  const int64_t length = shape[d], count = index.numel();
  shape[d] = count;
  Tensor y = detail::new_tensor("index_select", shape, x.dtype());
  const int64_t run = x.strides()[d] * element_size(x.dtype());  // bytes
  const int64_t outer = length == 0 ? 0 : x.numel() / (length * x.strides()[d]);
  const detail::View &from = x.view_of(), &to = y.view_of(), &at = index.view_of();
  const int64_t step = count > 1 ? at.strides[0] : 0;
  const int64_t grain =
      std::max<int64_t>(1, detail::grain_elements * 4 / std::max<int64_t>(run, 1));
  if (run > 0) {
    detail::parallel_for(outer * count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t place = at.as<const int64_t>()[i % count * step];
        std::memcpy(to.data + i * run, from.data + (i / count * length + place) * run,
                    static_cast<std::size_t>(run));
      }
    });
  }
  const auto gradient = [d, whole = x.shape()](auto& dy, auto& positions) {
    Shape column;  // the index, broadcast along the other dimensions
    for (int64_t k = 0; k < whole.size(); ++k) column.push_back(k == d ? positions.numel() : 1);
    return scatter_add(dy, whole, d, positions.reshape(column).expand(dy.shape()));
  };
  return record("index_select", y, wrt(x, gradient, index));
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t d, const Tensor& index) {
  detail::check_defined("index_select", x, index);
  d = detail::wrap_dim_or_scalar("index_select", d, x.shape());
  check(index.dim() <= 1, "index_select: index {} for {}; it must have rank 1", index.shape(),
        x.shape());
  detail::check_indices("index_select", "index", index, x.dim() == 0 ? 1 : x.size(d));
  if (x.dim() == 0) {
    check(index.numel() == 1, "index_select: {} indices into a scalar, which takes 1",
          index.numel());
    return gather(x, d, index.reshape({}));
  }
  if (x.is_contiguous()) return select_slices(x, d, index);
  Shape column, shape = x.shape();  // the index, broadcast along the other dimensions
  for (int64_t k = 0; k < x.dim(); ++k) column.push_back(k == d ? index.numel() : 1);
  shape[d] = index.numel();
  return gather(x, d, index.reshape(column).expand(shape));
}

namespace {

void check_parts(const char* op, std::span<const Tensor> parts) {
  check(!parts.empty(), "{}: there are no tensors; give at least one", op);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check(parts[i].defined(), "{}: tensor {} is undefined (default-constructed or moved from)", op,
          i);
  }
}

// Reshapes the parts of shape [0] so that they fit the others. As in PyTorch, [0] fits anything.
std::vector<Tensor> reshape_empty(std::span<const Tensor> parts, int64_t d) {
  std::vector<Tensor> result(parts.begin(), parts.end());
  const auto is_empty = [](const Tensor& part) { return part.shape() == Shape{0}; };
  const auto other = std::find_if_not(result.begin(), result.end(), is_empty);
  if (other == result.end()) return result;
  Shape shape = other->shape();
  shape[detail::wrap_dim("cat", d, shape)] = 0;
  for (Tensor& part : result) {
    if (is_empty(part)) part = part.reshape(shape);
  }
  return result;
}

}  // namespace

Tensor cat(std::span<const Tensor> given, int64_t d) {
  check_parts("cat", given);
  const std::vector<Tensor> parts = reshape_empty(given, d);
  const Tensor& first = parts.front();
  d = detail::wrap_dim("cat", d, first.shape());
  Shape shape = first.shape();
  shape[d] = 0;
  for (const Tensor& part : parts) {
    detail::common_dtype("cat", first, part);
    bool fits = part.dim() == shape.size();
    for (int64_t k = 0; fits && k < shape.size(); ++k) fits = k == d || part.size(k) == shape[k];
    check(fits, "cat: {} beside {} along dimension {}: the other dimensions must agree",
          part.shape(), first.shape(), d);
    check(!__builtin_add_overflow(shape[d], part.size(d), &shape[d]),
          "cat: {} beside {} along dimension {}: they are longer than 2^63", part.shape(),
          first.shape(), d);
  }
  Tensor y = detail::new_tensor("cat", shape, first.dtype());
  int64_t begin = 0;
  for (const Tensor& part : parts) {
    const Tensor place = detail::make_view(y, part.shape(), y.strides(), begin * y.strides()[d]);
    detail::write_values(place, part.view_of());
    begin += part.size(d);
  }
  std::vector<const Tensor*> inputs(parts.size());
  std::vector<int64_t> sizes(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    inputs[i] = &parts[i];
    sizes[i] = parts[i].size(d);
  }
  return record_joint("cat", y, inputs, [d, sizes](const Tensor& dy, Gradients& dx) {
    int64_t from = 0;
    for (std::size_t i = 0; i < sizes.size(); from += sizes[i++]) {
      if (dx.wanted(i)) dx[i] = dy.slice(d, from, from + sizes[i]);
    }
  });
}

Tensor stack(std::span<const Tensor> parts, int64_t d) {
  check_parts("stack", parts);
  const int64_t place = detail::new_dim("stack", d, parts.front().shape());
  std::vector<Tensor> slices;
  for (const Tensor& part : parts) {
    detail::common_dtype("stack", parts.front(), part);
    check(part.shape() == parts.front().shape(), "stack: {} beside {}; all shapes must be equal",
          part.shape(), parts.front().shape());
    slices.push_back(part.unsqueeze(place));
  }
  return cat(slices, place);
}

Tensor cat(std::initializer_list<Tensor> parts, int64_t d) { return cat(std::span(parts), d); }
Tensor stack(std::initializer_list<Tensor> parts, int64_t d) { return stack(std::span(parts), d); }

Tensor one_hot(const Tensor& labels, int64_t n) {
  detail::check_defined("one_hot", labels);
  check(n >= 0, "one_hot: {} classes for labels {}; the number must not be negative", n,
        labels.shape());
  Shape shape = labels.shape();
  shape.insert(detail::new_dim("one_hot", -1, shape), n);
  detail::check_indices("one_hot", "label", labels, n);
  Tensor y = detail::new_tensor("one_hot", shape, DType::int64);
  const Tensor dense = labels.contiguous();
  std::fill_n(y.view_of().as<int64_t>(), y.numel(), 0);
  for (int64_t i = 0; i < dense.numel(); ++i) {
    y.view_of().as<int64_t>()[i * n + dense.view_of().as<const int64_t>()[i]] = 1;
  }
  return y;
}

}  // namespace cairn
