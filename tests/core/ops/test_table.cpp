// What every op promises, checked for each line of the table.
#include "core/ops/table.h"
#include "support/gradcheck.h"

#include <cairn/core/autograd.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

enum Layout { contiguous, transposed, strided, expanded };
constexpr int layouts = 4;
constexpr const char* layout_names[] = {"contiguous", "transposed", "strided", "expanded"};

// Memory laid out so, values not set. What is to be expanded has one row, which expand() repeats.
Tensor laid_out(Shape shape, Layout layout, DType dtype) {
  if (shape.empty()) return empty(shape, {.dtype = dtype});
  if (layout == transposed && shape.size() > 1) {
    std::swap(shape[-1], shape[-2]);
    return empty(shape, {.dtype = dtype}).transpose(-1, -2);
  }
  if (layout == strided) {
    shape[-1] = 2 * shape[-1] + 1;
    return empty(shape, {.dtype = dtype}).slice(-1, 1, shape[-1], 2);
  }
  if (layout == expanded && shape[0] > 0) shape[0] = 1;
  return empty(shape, {.dtype = dtype});
}

// The k-th operand. Its values are an even grid, in a scrambled order.
Tensor make(const Operand& operand, std::size_t k, const Shape& shape, Layout layout) {
  Tensor x = laid_out(shape, layout, operand.dtype);
  const int64_t n = x.numel();
  if (operand.dtype == DType::int64) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < n; ++i)
      values.push_back((i * 5 + 2) % static_cast<int64_t>(operand.high));
    return x.copy_(from_data(values, x.shape()));
  }
  const double spacing = (operand.high - operand.low) / static_cast<double>(n);
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<double>((i * 5 + 2) % n) + 0.5 + 0.3 * static_cast<double>(k);
    values.push_back(operand.low + at * spacing);
  }
  return x.copy_(from_data(values, x.shape()));
}

// What is done to the operands of a line: their shapes and their layouts.
struct Variant {
  std::vector<Shape> shapes;
  std::vector<Layout> layouts;

  std::string text() const {
    std::string text;
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      text += std::string(" ") + layout_names[layouts[k]] + " " + to_string(shapes[k]);
    }
    return text;
  }
  Tensors inputs(const Op& op) const {
    Tensors inputs;
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      inputs.push_back(make(op.operands[k], k, shapes[k], layouts[k]));
    }
    return inputs;
  }
  Tensor call(const Op& op, const Tensors& inputs) const {
    Tensors in = inputs;
    for (std::size_t k = 0; k < in.size(); ++k) {
      if (layouts[k] == expanded) in[k] = in[k].expand(shapes[k]);
    }
    return op.f(in);
  }
};

// All alike, and neighbours different; shapes that broadcast where they may; empty ones.
std::vector<Variant> variants(const Op& op) {
  const std::size_t count = op.operands.size();
  Variant plain, broadcast, empty;
  bool broadcasts = count > 1;
  const Shape narrow[] = {{3, 1}, {4}, {2, 1, 1}};
  for (std::size_t k = 0; k < count; ++k) {
    plain.shapes.push_back(op.operands[k].shape);
    broadcast.shapes.push_back(narrow[k]);
    broadcasts &= op.operands[k].broadcasts;
    empty.shapes.push_back(op.operands[k].empty);
  }
  std::vector<Variant> result;
  for (int first = 0; first < layouts; ++first) {
    for (int step = 0; step < (count > 1 ? 2 : 1); ++step) {
      Variant v = plain;
      for (std::size_t k = 0; k < count; ++k) {
        v.layouts.push_back(static_cast<Layout>((first + step * static_cast<int>(k)) % layouts));
      }
      result.push_back(v);
    }
  }
  broadcast.layouts.assign(count, contiguous);
  if (broadcasts) result.push_back(broadcast);
  empty.layouts.assign(count, contiguous);
  result.push_back(empty);
  empty.layouts.assign(count, strided);
  result.push_back(empty);
  return result;
}

Tensors dense_inputs(const Op& op) {
  Tensors inputs;
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    inputs.push_back(make(op.operands[k], k, op.operands[k].shape, contiguous));
  }
  return inputs;
}

}  // namespace

TEST_CASE("every op: its gradients are right to the second order in every layout") {
  for (const Op& op : table()) {
    for (const Variant& variant : variants(op)) {
      INFO(std::string(op.name) << " of" << variant.text());
      CHECK(gradcheck([&](const Tensors& in) { return variant.call(op, in); }, variant.inputs(op)));
    }
  }
}

TEST_CASE("every op: a layout does not change the values, and inputs stay as they were") {
  for (const Op& op : table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      for (const Variant& variant : variants(op)) {
        INFO(std::string(op.name) << " in " << to_string(dtype) << " of" << variant.text());
        Tensors given, dense, full_size;
        for (const Tensor& x : variant.inputs(op)) {
          const std::size_t k = given.size();
          const DType its = x.dtype() == DType::int64 ? x.dtype() : dtype;
          given.push_back(laid_out(x.shape(), variant.layouts[k], its).copy_(x));
          dense.push_back(given[k].clone());
          full_size.push_back(given[k].expand(variant.shapes[k]).clone());
        }
        // Sums may be taken in another order: up to 32 terms of size up to 10, a rounding each.
        const double rounding = dtype == DType::float32 ? 1.2e-7 : 2.3e-16;
        CHECK(close(variant.call(op, given), op.f(full_size), {.absolute = 32 * 10 * rounding}));
        for (std::size_t k = 0; k < given.size(); ++k) CHECK(equal(given[k], dense[k]));
      }
    }
  }
}

TEST_CASE("every op: an undefined operand is an error") {
  for (const Op& op : table()) {
    const std::string_view name = op.name;
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      if (name.starts_with("linear") && k == 2) continue;  // a bias may be left out
      if (name.starts_with("batch_norm") && k > 0) continue;
      INFO(std::string(name) << ", operand " << k);
      Tensors inputs = dense_inputs(op);
      inputs[k] = Tensor();
      CHECK_ERROR(op.f(inputs), "tensor: it is undefined (default-constructed or moved from)");
    }
  }
}

TEST_CASE("every op: it joins the graph, but not under NoGrad") {
  for (const Op& op : table()) {
    INFO(std::string(op.name));
    Tensors inputs = dense_inputs(op);
    for (Tensor& x : inputs) {
      if (is_floating(x.dtype())) x.requires_grad_(true);
    }
    CHECK(op.f(inputs).requires_grad());
    const NoGrad guard;
    CHECK(op.f(inputs).is_leaf());
  }
}
