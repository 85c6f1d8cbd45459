// How an op joins the graph: what is saved, and for whom.
#include "support/gradcheck.h"

#include <cairn/core/machine.h>
#include <cairn/core/record.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// y = a b + c, where c may be absent.
Tensor multiply_add(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor product = a.detach() * b.detach();
  const Tensor y = c.defined() ? product + c.detach() : product;
  return record("multiply_add", y,
                wrt(
                    a, [](auto& dy, auto& v) { return dy * v; }, b),
                wrt(
                    b, [](auto& dy, auto& v) { return dy * v; }, a),
                wrt(c, [](auto& dy) { return dy; }));
}

// The same, with gradients that are filled in together.
Tensor multiply_add_joint(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor product = a.detach() * b.detach();
  const Tensor y = c.defined() ? product + c.detach() : product;
  const Tensor* const inputs[] = {&a, &b, &c};
  return record_joint(
      "multiply_add", y, inputs,
      [](const Tensor& dy, Gradients& dx, const Tensor& u, const Tensor& v) {
        if (dx.wanted(0)) dx[0] = dy * v;
        if (dx.wanted(1)) dx[1] = dy * u;
        if (dx.wanted(2)) dx[2] = dy;
      },
      saved(a, {1}), saved(b, {0}));
}

const Tensor x = tensor({1, 2, 3}, f64), z = tensor({4, 5, 6}, f64);

}  // namespace

TEST_CASE("record: both orders of a gradient written with saved tensors") {
  for (const auto& op : {multiply_add, multiply_add_joint}) {
    CHECK(gradcheck([&](auto& in) { return op(in[0], in[1], in[2]); },
                    {x.clone(), z.clone(), x.clone()}));
    CHECK(gradcheck([&](auto& in) { return op(in[0], in[1], Tensor()); }, {x.clone(), z.clone()}));
  }
}

TEST_CASE("record: an undefined input is absent") {
  const Tensor a = x.clone().requires_grad_();
  multiply_add(a, z, {}).sum().backward();
  CHECK(equal(a.grad(), z));
}

TEST_CASE("record: an op saves nothing under NoGrad, and nothing for untracked inputs") {
  for (const auto& op : {multiply_add, multiply_add_joint}) {
    Tensor a = x.clone(), b = z.clone();
    const Tensor y = op(a, b, {});
    CHECK_FALSE(y.requires_grad());
    CHECK(a.view_of().storage.is_sole());
    a.requires_grad_();
    {
      const NoGrad guard;
      op(a, b, {});
    }
    CHECK(a.view_of().storage.is_sole());
    CHECK(b.view_of().storage.is_sole());
    const Tensor tracked = op(a, b, {});  // saves b for a, but not a for b
    CHECK(a.view_of().storage.is_sole());
    CHECK_FALSE(b.view_of().storage.is_sole());
  }
}

TEST_CASE("record: an op may save its own output, which is no cycle") {
  const auto in_use = [] { return memory_stats().in_use; };
  const int64_t before = in_use();
  {
    const Tensor a = tensor({0.5, -1.0}, {.dtype = DType::float64, .requires_grad = true});
    const Tensor y = a.detach() * a.detach() * a.detach();
    const Tensor cube =
        record("cube", y,
               wrt(
                   a, [](auto& dy, auto& v, auto& out) { return 3 * dy * out / v; }, a, y));
    const Tensor first = grad({cube.sum()}, {a}, {.create_graph = true})[0];
    const Tensor second = grad({first.sum()}, {a})[0];
    CHECK(close(first, 3 * square(a.detach())));
    CHECK(close(second, 6 * a.detach()));
  }
  CHECK(in_use() == before);
}

TEST_CASE("record: a stale tensor is not saved, and not written into another") {
  const Tensor w = ones({3}, {.requires_grad = true});
  Tensor a = zeros({3});
  const Tensor view = a.slice(0, 0, 2);
  a.add_(w);
  const Tensor leaf = ones({2}, {.requires_grad = true});
  CHECK_ERROR_MENTIONS(record("mine", leaf.detach(),
                              wrt(
                                  leaf, [](auto& dy, auto&) { return dy; }, view)),
                       "mine: the input [2] shares its values");
  Tensor b = zeros({2});
  CHECK_ERROR_MENTIONS(b.add_(view), "add_: the input [2] shares its values");
  CHECK_ERROR_MENTIONS(b.copy_(view), "copy_: the input [2] shares its values");
  CHECK(equal(b, zeros({2})));
}
