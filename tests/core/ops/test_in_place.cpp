// Writing in place: what it does to values, where it is refused, and what it makes stale.
#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <array>
#include <cmath>
#include <functional>

using namespace cairn;
using namespace cairn::test;

namespace {

Tensor leaf(const Literal& values) { return tensor(values, {.requires_grad = true}); }

// Every way of writing to a float32 [2].
struct Write {
  const char* name;
  std::function<void(Tensor&)> apply;
};
const std::array writes{
    Write{"copy_",
          [](Tensor& x) {
            x.copy_(tensor({8, 9}));
          }},
    Write{"fill_", [](Tensor& x) { x.fill_(8); }},
    Write{"zero_", [](Tensor& x) { x.zero_(); }},
    Write{"add_",
          [](Tensor& x) {
            x.add_(tensor({8, 9}));
          }},
    Write{"sub_", [](Tensor& x) { x.sub_(1); }},
    Write{"mul_", [](Tensor& x) { x.mul_(2); }},
    Write{"div_",
          [](Tensor& x) {
            x /= tensor({2, 4});
          }},
    Write{"clamp_", [](Tensor& x) { x.clamp_(0, 1); }},
    Write{"mutable_data", [](Tensor& x) { x.mutable_data<float>()[0] = 8; }},
};
std::string op_of(const Write& write) { return write.name; }

}  // namespace

// ---- values ----

TEST_CASE("in place: each op writes what its twin returns, and returns the tensor") {
  Tensor x = tensor({{1, 2}, {3, 4}});
  const Tensor same = x;
  CHECK(equal(x.add_(tensor({10, 20})), tensor({{11, 22}, {13, 24}})));
  CHECK(equal(x.sub_(tensor({{10}, {20}})), tensor({{1, 12}, {-7, 4}})));
  CHECK(equal(x.mul_(2), tensor({{2, 24}, {-14, 8}})));
  CHECK(equal(x.div_(tensor(4)), tensor({{0.5, 6}, {-3.5, 2}})));
  CHECK(equal(x.clamp_(-1, 5), tensor({{0.5, 5}, {-1, 2}})));
  CHECK(equal(x.copy_(tensor({7, 8}, i64)), tensor({{7, 8}, {7, 8}})));
  CHECK(equal(x.fill_(3), full({2, 2}, 3)));
  CHECK(equal(x.zero_(), zeros({2, 2})));
  x += 6, x -= 2, x *= tensor({1, 2}), x /= 2;
  CHECK(equal(same, tensor({{2, 4}, {2, 4}})));
}

TEST_CASE("in place: through a view the base is written") {
  Tensor x = zeros({3, 4});
  x[1].fill_(1);
  x.slice(1, 0, 4, 2).add_(10);
  x.t().select(0, 3).copy_(tensor({7, 8, 9}));
  CHECK(equal(x, tensor({{10, 0, 10, 7}, {11, 1, 11, 8}, {10, 0, 10, 9}})));
}

TEST_CASE("in place: operands that share memory read the values from before") {
  Tensor x = tensor({1, 2, 3, 4});
  x.slice(0, 1, 4).add_(x.slice(0, 0, 3));
  CHECK(equal(x, tensor({1, 3, 5, 7})));
  Tensor y = tensor({{1, 2}, {3, 4}});
  y.copy_(y.t());
  CHECK(equal(y, tensor({{1, 3}, {2, 4}})));
  y *= y;
  CHECK(equal(y, tensor({{1, 9}, {4, 16}})));
  y.sub_(y[0]);
  CHECK(equal(y, tensor({{0, 0}, {3, 7}})));
}

TEST_CASE("in place: int64 wraps") {
  Tensor x = tensor({INT64_MAX, 1}, i64);
  CHECK(equal(x.add_(1), tensor({INT64_MIN, 2}, i64)));
  CHECK(equal(x.sub_(1), tensor({INT64_MAX, 1}, i64)));
  CHECK(equal(x.mul_(2), tensor({-2, 2}, i64)));
}

TEST_CASE("in place: copy_ converts; what int64 cannot hold becomes its smallest value") {
  Tensor x = zeros({4}, i64);
  x.copy_(tensor({2.9, -2.9, 1e30, NAN}));
  CHECK(equal(x, tensor({2, -2, INT64_MIN, INT64_MIN}, i64)));
}

// ---- where it is refused ----

TEST_CASE("in place: a leaf that requires a gradient is written under NoGrad only") {
  for (const Write& write : writes) {
    INFO(std::string(write.name));
    Tensor x = leaf({1, 2});
    CHECK_ERROR_MENTIONS(write.apply(x), op_of(write) + ":", "a leaf [2]");
    CHECK(equal(x, tensor({1, 2})));
    const NoGrad guard;
    CHECK_NOTHROW(write.apply(x));
    CHECK(x.is_leaf());
  }
}

TEST_CASE("in place: an expanded tensor is never written") {
  for (const Write& write : writes) {
    INFO(std::string(write.name));
    const Tensor base = tensor({1});
    Tensor x = base.expand({2});
    const NoGrad guard;
    CHECK_ERROR_MENTIONS(write.apply(x), op_of(write) + ":", "[2] is expanded");
    CHECK(base.item<float>() == 1);
  }
}

TEST_CASE("in place: a view of a tensor in a graph is not written, under NoGrad it is") {
  for (const Write& write : writes) {
    if (std::string(write.name) == "mutable_data") continue;  // has a message of its own, below
    INFO(std::string(write.name));
    const Tensor x = leaf({{1, 2}, {3, 4}});
    Tensor y = x * 1, view = y[0];
    CHECK_ERROR_MENTIONS(write.apply(view), op_of(write) + ":",
                         "[2] is a view of a tensor in a graph");
    Tensor part = x[1];
    CHECK_THROWS_AS(write.apply(part), Error);
    Tensor detached = y.detach();
    CHECK(equal(y, tensor({{1, 2}, {3, 4}})));
    const NoGrad guard;
    CHECK_NOTHROW(write.apply(view));
  }
}

TEST_CASE("in place: a tracked value is not written into a view of an untracked tensor") {
  Tensor x = zeros({2, 2});
  const Tensor w = leaf({1, 2});
  CHECK_ERROR_MENTIONS(x[0].add_(w), "add_:", "[2]", "view of a tensor in a graph");
  CHECK(equal(x, zeros({2, 2})));
  CHECK_FALSE(x.requires_grad());
}

TEST_CASE("in place: on an undefined or moved-from tensor it is an error") {
  for (const Write& write : writes) {
    INFO(std::string(write.name));
    Tensor undefined, x = tensor({1, 2});
    CHECK_THROWS_AS(write.apply(undefined), Error);
    const Tensor moved = std::move(x);
    CHECK_THROWS_AS(write.apply(x), Error);
    CHECK(equal(moved, tensor({1, 2})));
  }
}

// ---- stale tensors ----

TEST_CASE("stale: whatever is saved and then written to, in any way, is an error") {
  for (const Write& write : writes) {
    INFO(std::string(write.name));
    const Tensor x = leaf({1, 2});
    Tensor w = tensor({3, 4});
    const Tensor y = sum(x * w);
    write.apply(w);
    CHECK_ERROR_MENTIONS(y.backward(), "mul:", "[2]", "was written to");
    CHECK_FALSE(x.grad().defined());
  }
}

TEST_CASE("stale: a write through a view, or to the values of a leaf under NoGrad, is seen") {
  const Tensor x = leaf({1, 2});
  Tensor base = ones({2, 2});
  const Tensor y = sum(x * base[0]);
  base[1].fill_(5);  // to another part: versions count per storage
  CHECK_THROWS_AS(y.backward(), Error);

  Tensor w = leaf({3, 4});
  const Tensor z = sum(x * w);
  {
    const NoGrad guard;
    w -= 1;
  }
  CHECK_THROWS_AS(z.backward(), Error);
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("stale: an op's own output counts") {
  const Tensor x = leaf({1, 2});
  Tensor y = exp(x);
  y.mul_(2);
  CHECK_ERROR_MENTIONS(sum(y).backward(), "exp:", "[2]", "was written to");
}

TEST_CASE("stale: what no gradient needs may be written") {
  const Tensor x = leaf({1, 2});
  Tensor w = tensor({3, 4});
  const Tensor y = sum(x + w);
  w.fill_(0);
  y.backward();
  CHECK(equal(x.grad(), tensor({1, 1})));
}
