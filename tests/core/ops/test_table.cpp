// What every op promises, checked for each line of the table.
#include "core/ops/table.h"
#include "support/gradcheck.h"
#include "support/rows.h"

#include <cairn/core/autograd.h>

#include <fmt/format.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// What is done to the operands of a line: their shapes and their layouts.
struct Variant {
  std::vector<Shape> shapes;
  std::vector<Layout> layouts;

  std::string text() const {
    std::string text;
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      text += std::string(" ") + name_of(layouts[k]) + " " + to_string(shapes[k]);
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
      if (layouts[k] == Layout::expanded) in[k] = in[k].expand(shapes[k]);
    }
    return op.f(in);
  }
};

// The shapes of the line, ones that broadcast where they may, and empty ones; each in layouts that
// are all alike, and in such that neighbours differ.
std::vector<Variant> variants(const Op& op) {
  const std::size_t count = op.operands.size();
  std::vector<Shape> plain, broadcast, empty;
  bool broadcasts = count > 1;
  const Shape narrow[] = {{3, 1}, {4}, {2, 1, 1}};
  for (std::size_t k = 0; k < count; ++k) {
    plain.push_back(op.operands[k].shape);
    broadcast.push_back(narrow[k]);
    broadcasts &= op.operands[k].broadcasts;
    empty.push_back(op.operands[k].empty);
  }
  std::vector<std::vector<Shape>> kinds{plain, empty};
  if (broadcasts) kinds.push_back(broadcast);
  std::vector<Variant> result;
  for (const std::vector<Shape>& shapes : kinds) {
    for (std::size_t first = 0; first < std::size(every_layout); ++first) {
      for (std::size_t step = 0; step < (count > 1 ? 2 : 1); ++step) {
        Variant v{shapes, {}};
        for (std::size_t k = 0; k < count; ++k) {
          v.layouts.push_back(every_layout[(first + step * k) % std::size(every_layout)]);
        }
        result.push_back(v);
      }
    }
  }
  return result;
}

Tensors dense_inputs(const Op& op) {
  Tensors inputs;
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    inputs.push_back(make(op.operands[k], k, op.operands[k].shape));
  }
  return inputs;
}

}  // namespace

TEST_CASE("every op: its gradients are right to the second order in every layout") {
  for (const Op& op : table()) {
    for (const Variant& variant : variants(op)) {
      check_row(op.name + (" of" + variant.text()), [&] {
        CHECK(
            gradcheck([&](const Tensors& in) { return variant.call(op, in); }, variant.inputs(op)));
      });
    }
  }
}

TEST_CASE("every op: how dy lies in memory does not change its gradients") {
  for (const Op& op : table()) {
    check_row(op.name, [&] {
      Tensors inputs = dense_inputs(op), leaves;
      for (Tensor& x : inputs) {
        if (is_floating(x.dtype())) leaves.push_back(x.requires_grad_(true));
      }
      const Shape shape = op.f(inputs).shape();
      for (const Layout layout : every_layout) {
        INFO("dy " << std::string(name_of(layout)));
        const Tensor dy = copy_in(layout, make(positive, 0, shape)).expand(shape);
        const auto gradients = [&](const Tensor& of_y) {
          return grad({op.f(inputs)}, leaves, {.grad_outputs = {of_y}, .allow_unused = true});
        };
        const Tensors given = gradients(dy), dense = gradients(dy.clone());
        for (std::size_t k = 0; k < leaves.size(); ++k) {
          REQUIRE(given[k].defined() == dense[k].defined());
          // Sums may be taken in another order: up to 32 terms of size up to 10, a rounding each.
          if (given[k].defined()) CHECK(close(given[k], dense[k], {.absolute = 32 * 10 * 2.3e-16}));
        }
      }
    });
  }
}

TEST_CASE("every op: a layout does not change the values, and inputs stay as they were") {
  for (const Op& op : table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      for (const Variant& variant : variants(op)) {
        check_row(fmt::format("{} in {} of{}", op.name, dtype, variant.text()), [&] {
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
        });
      }
    }
  }
}

TEST_CASE("every op: an undefined operand is an error") {
  for (const Op& op : table()) {
    const std::string_view name = op.name;
    check_row(op.name, [&] {
      for (std::size_t k = 0; k < op.operands.size(); ++k) {
        if (name.starts_with("linear") && k == 2) continue;  // a bias may be left out
        if (name.starts_with("batch_norm") && k > 0) continue;
        CAPTURE(k);
        Tensors inputs = dense_inputs(op);
        inputs[k] = Tensor();
        CHECK_THROWS_WITH_AS(op.f(inputs), doctest::Contains("is undefined (default"), Error);
      }
    });
  }
}

TEST_CASE("every op: it joins the graph, but not under NoGrad") {
  for (const Op& op : table()) {
    check_row(op.name, [&] {
      Tensors inputs = dense_inputs(op);
      for (Tensor& x : inputs) {
        if (is_floating(x.dtype())) x.requires_grad_(true);
      }
      CHECK(op.f(inputs).requires_grad());
      const NoGrad guard;
      CHECK(op.f(inputs).is_leaf());
    });
  }
}
