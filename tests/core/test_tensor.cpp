// Making, reading and asking tensors; and what they refuse.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/format.h>
#include <cairn/core/random.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {
constexpr const char* undefined_text =
    "tensor: it is undefined (default-constructed or moved from)";
}

// ---- making ----

TEST_CASE("tensor: lists nest to rank 4 and are float32 unless asked") {
  CHECK(tensor(2.5).shape() == Shape{});
  CHECK(tensor({2.5}).shape() == Shape{1});
  CHECK(tensor({{5}}).shape() == Shape{1, 1});
  CHECK(tensor({}).shape() == Shape{0});
  CHECK(tensor({{}, {}}).shape() == Shape{2, 0});
  CHECK(tensor({{{{1, 2}}}}).shape() == Shape{1, 1, 1, 2});
  CHECK(tensor({1, 2}).dtype() == DType::float32);
  CHECK(tensor({{1, 2}, {3, 4}}, f64).to_vector<double>() == std::vector<double>{1, 2, 3, 4});
  CHECK(tensor(INT64_MAX, i64).item<int64_t>() == INT64_MAX);
  CHECK(tensor(true).item<int>() == 1);
}

TEST_CASE("tensor: ragged lists, lists too deep and fractions for int64 are errors") {
  CHECK_ERROR(tensor({{1, 2}, {3}}),
              "tensor: ragged list: an item of shape [1] beside one of shape [2]");
  CHECK_ERROR(tensor({1, {2}}), "tensor: ragged list: an item of shape [1] beside one of shape []");
  CHECK_ERROR(tensor({{{{{1}}}}}),
              "tensor: lists nest at most 4 deep; use from_data() and reshape()");
  CHECK_ERROR(tensor({1, 2.5}, i64), "tensor: 2.5 is no int64");
  CHECK_ERROR(full({2}, 2.5, i64), "full: 2.5 is no int64");
  CHECK_ERROR(tensor(NAN, i64), "tensor: nan is no int64");
}

TEST_CASE("zeros, ones, full, eye and the like: their values") {
  CHECK(equal(zeros({2, 2}), tensor({{0, 0}, {0, 0}})));
  CHECK(equal(ones({2}, i64), tensor({1, 1}, i64)));
  CHECK(equal(full({2}, 7, f64), tensor({7, 7}, f64)));
  CHECK(equal(eye(3), tensor({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}})));
  CHECK(eye(0).shape() == Shape{0, 0});
  const Tensor x = tensor({{1, 2}}, f64);
  CHECK(equal(zeros_like(x), zeros({1, 2}, f64)));
  CHECK(equal(ones_like(x), ones({1, 2}, f64)));
  CHECK(equal(full_like(x, 3), full({1, 2}, 3, f64)));
  CHECK(empty_like(x).shape() == Shape{1, 2});
  CHECK(zeros({2}, {.requires_grad = true}).requires_grad());
}

TEST_CASE("arange: counts as PyTorch's; a step that leads nowhere is an error") {
  CHECK(equal(arange(5), tensor({0, 1, 2, 3, 4})));
  CHECK(equal(arange(1, 4), tensor({1, 2, 3})));
  CHECK(arange(0, 1, 0.1).numel() == 10);
  CHECK(close(arange(0, 1, 0.1)[9], tensor(0.9)));
  CHECK(equal(arange(3, 0, -1), tensor({3, 2, 1})));
  CHECK(equal(arange(0, i64), zeros({0}, i64)));
  CHECK_ERROR(arange(0, 1, -1),
              "arange: from 0 to 1 in steps of -1; the step must lead from begin to end");
  CHECK_ERROR(arange(0, 1, 0),
              "arange: from 0 to 1 in steps of 0; the step must lead from begin to end");
  CHECK_ERROR(arange(NAN),
              "arange: from 0 to nan in steps of 1; the step must lead from begin to end");
}

TEST_CASE("linspace: both ends are exact") {
  const Tensor x = linspace(0, 1, 11, f64);
  CHECK(close(x, arange(11, f64) / 10));
  CHECK(linspace(0.1, 0.7, 7, f64).at<double>({6}) == 0.7);
  CHECK(equal(linspace(3, 9, 1), tensor({3})));
  CHECK(linspace(0, 1, 0).shape() == Shape{0});
  CHECK_ERROR(linspace(0, 1, -1), "linspace: -1 values");
}

TEST_CASE("from_data: copies, and takes the element's dtype") {
  std::vector<int64_t> values{1, 2, 3, 4};
  const Tensor x = from_data(values, {2, 2});
  values[0] = 9;
  CHECK(equal(x, tensor({{1, 2}, {3, 4}}, i64)));
  CHECK_ERROR(from_data(values, {3}), "from_data: 4 values for the shape [3], which has 3");
}

TEST_CASE("from_blob: borrows, and calls the deleter when the last view dies") {
  double values[] = {1, 2, 3};
  int calls = 0;
  {
    Tensor view;
    {
      Tensor x = from_blob(values, {3}, [&](const double* p) { calls += p == values; });
      x.add_(1);
      view = x[2];
    }
    CHECK(calls == 0);
    CHECK(view.item<double>() == 4);
  }
  CHECK(calls == 1);
  CHECK(values[0] == 2);
  CHECK_ERROR(from_blob<float>(nullptr, {2}), "from_blob: null pointer for the shape [2]");
  CHECK(from_blob<float>(nullptr, {0}).numel() == 0);
}

// ---- shapes that cannot be ----

TEST_CASE("bad shapes: negative, too many elements, too many dimensions, too much memory") {
  CHECK_ERROR(zeros({2, -1}), "zeros: negative dimension in [2, -1]");
  CHECK_ERROR(empty({int64_t{1} << 32, int64_t{1} << 31}),
              "empty: the sizes of [4294967296, 2147483648] multiply to more than 2^63");
  CHECK_ERROR(empty({int64_t{1} << 62, 8, 0}),
              "empty: the sizes of [4611686018427387904, 8, 0] multiply to more than 2^63");
  CHECK(empty({int64_t{1} << 62, 0}).numel() == 0);
  CHECK_ERROR(empty({int64_t{1} << 61, 3}, f64),
              "empty: [2305843009213693952, 3] float64 takes more than 2^63 bytes");
  CHECK_ERROR(zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}),
              "shape: more than 8 dimensions are not supported");
  CHECK_ERROR(zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0),
              "shape: more than 8 dimensions are not supported");
}

TEST_CASE("an allocation that cannot be had names the op and the bytes") {
  CHECK_ERROR(zeros({int64_t{1} << 50}), "zeros: cannot allocate 4503599627370560 bytes");
}

// ---- reading ----

TEST_CASE("a tensor answers what it is") {
  const Tensor x = zeros({2, 3, 4}, f64);
  CHECK(x.shape() == Shape{2, 3, 4});
  CHECK(x.strides() == Strides{12, 4, 1});
  CHECK(x.dim() == 3);
  CHECK(x.numel() == 24);
  CHECK(x.size(-1) == 4);
  CHECK(x.dtype() == DType::float64);
  CHECK(x.is_contiguous());
  CHECK_FALSE(x.transpose(0, 1).is_contiguous());
  CHECK(zeros({2, 0}).transpose(0, 1).is_contiguous());
  CHECK_ERROR(x.size(3), "size: dimension 3 is out of range for rank 3");
  int64_t product = 1;
  for (const int64_t d : (x * 2).shape()) product *= d;  // of a temporary
  CHECK(product == 24);
}

TEST_CASE("item, at and to_vector convert to any arithmetic type") {
  const Tensor x = tensor({{1.5, -2}, {3, 4}});
  CHECK(x.at<double>({0, 0}) == 1.5);
  CHECK(x.at<int>({-1, -2}) == 3);
  CHECK(x[0][1].item<int8_t>() == -2);
  CHECK(x.to_vector<int>() == std::vector<int>{1, -2, 3, 4});
  CHECK(x.t().to_vector<float>() == std::vector<float>{1.5, 3, -2, 4});
  CHECK(tensor({{7}}).item<bool>());
  CHECK(tensor(1e30).item<int>() == INT32_MIN);
  CHECK(tensor(NAN, f64).item<int64_t>() == INT64_MIN);
}

TEST_CASE("item of many, and an index out of range, are errors") {
  const Tensor x = zeros({2, 3});
  CHECK_ERROR(x.item<float>(), "item: [2, 3] has 6 values, not one; use at() or to_vector()");
  CHECK_ERROR(zeros({0}).item<float>(), "item: [0] has 0 values, not one; use at() or to_vector()");
  CHECK_ERROR(x.at<float>({0}), "at: [2, 3] needs one index for each dimension, got [0]");
  CHECK_ERROR(x.at<float>({2, 0}), "at: index [2, 0] is out of range for [2, 3]");
  CHECK_ERROR(x.at<float>({0, -4}), "at: index [0, -4] is out of range for [2, 3]");
  CHECK_ERROR(x[2], "select: index 2 is out of range for dimension 0 of [2, 3]");
  CHECK_ERROR(tensor(1)[0], "select: dimension 0 is out of range for rank 0");
}

TEST_CASE("data wants the exact dtype") {
  const Tensor x = tensor({1, 2});
  CHECK(x.data<float>()[1] == 2);
  CHECK_ERROR(x.data<double>(), "data: the tensor is float32, not float64; convert it with .to()");
}

TEST_CASE("copies share, clone does not; contiguous and to return the tensor itself if they can") {
  Tensor x = tensor({{1, 2}, {3, 4}});
  const Tensor copy = x, clone = x.clone();
  CHECK(x.contiguous().data<float>() == x.data<float>());
  CHECK(x.to(DType::float32).data<float>() == x.data<float>());
  CHECK(x.t().contiguous().is_contiguous());
  CHECK(x.t().clone().is_contiguous());
  x.fill_(0);
  CHECK(equal(copy, zeros({2, 2})));
  CHECK(clone.at<int>({1, 1}) == 4);
}

TEST_CASE("to: truncates towards zero; what int64 cannot hold becomes its smallest value") {
  CHECK(equal(tensor({2.9, -2.9, 1e19, INFINITY, NAN}).to(DType::int64),
              tensor({2, -2, INT64_MIN, INT64_MIN, INT64_MIN}, i64)));
  CHECK(tensor((int64_t{1} << 53) + 1, i64).to(DType::float64).item<double>() == 0x1p53);
}

TEST_CASE("Scalar: a whole double is exact up to 2^63, and no further") {
  CHECK(Scalar(2.0).is_whole());
  CHECK_FALSE(Scalar(2.5).is_whole());
  CHECK_FALSE(Scalar(INFINITY).is_whole());
  CHECK_FALSE(Scalar(NAN).is_whole());
  CHECK_FALSE(Scalar(0x1p63).is_whole());
  CHECK(Scalar(-0x1p63).is_whole());
}

// ---- undefined tensors ----

namespace {
Tensor moved_from() {
  Tensor x = tensor({1, 2});
  const Tensor taken = std::move(x);
  return x;  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): as asked for
}
}  // namespace

TEST_CASE("undefined: every member of a default-constructed or moved-from tensor is an error") {
  const Tensor target = tensor({1, 2});
  for (Tensor x : {Tensor(), moved_from()}) {
    CHECK_FALSE(x.defined());
    CHECK(fmt::format("{}", x) == "tensor(undefined)");
    CHECK_ERROR(x.shape(), undefined_text);
    CHECK_ERROR(x.size(0), undefined_text);
    CHECK_ERROR(x.dim(), undefined_text);
    CHECK_ERROR(x.numel(), undefined_text);
    CHECK_ERROR(x.dtype(), undefined_text);
    CHECK_ERROR(x.strides(), undefined_text);
    CHECK_ERROR(x.is_contiguous(), undefined_text);
    CHECK_ERROR(x.item<float>(), undefined_text);
    CHECK_ERROR(x.at<float>({0}), undefined_text);
    CHECK_ERROR(x.to_vector<float>(), undefined_text);
    CHECK_ERROR(x.data<float>(), undefined_text);
    CHECK_ERROR(x.mutable_data<float>(), undefined_text);
    CHECK_ERROR(x[0], undefined_text);
    CHECK_ERROR(x.view({1}), undefined_text);
    CHECK_ERROR(x.reshape({1}), undefined_text);
    CHECK_ERROR(x.to(DType::float64), undefined_text);
    CHECK_ERROR(x.requires_grad(), undefined_text);
    CHECK_ERROR(x.requires_grad_(), undefined_text);
    CHECK_ERROR(x.grad(), undefined_text);
    CHECK_ERROR(x.set_grad(target), undefined_text);
    CHECK_ERROR(x.zero_grad(), undefined_text);
    CHECK_ERROR(x.is_leaf(), undefined_text);
    CHECK_ERROR(x.detach(), undefined_text);
    CHECK_ERROR(x.retain_grad(), undefined_text);
    CHECK_ERROR(x.register_hook([](const Tensor&) {}), undefined_text);
    CHECK_ERROR(x.backward(), undefined_text);
    CHECK_ERROR(x.copy_(target), undefined_text);
    CHECK_ERROR(x.fill_(1), undefined_text);
    CHECK_ERROR(x += 1, undefined_text);
    CHECK_ERROR(x *= target, undefined_text);
    CHECK_ERROR(x.clamp_(0, 1), undefined_text);
  }
}

TEST_CASE("undefined: every function that takes one is an error") {
  const Tensor u;
  Tensor x = tensor({1, 2});
  CHECK_ERROR(zeros_like(u), undefined_text);
  CHECK_ERROR(ones_like(u), undefined_text);
  CHECK_ERROR(full_like(u, 1), undefined_text);
  CHECK_ERROR(empty_like(u), undefined_text);
  CHECK_ERROR(rand_like(u), undefined_text);
  CHECK_ERROR(randn_like(u), undefined_text);
  CHECK_ERROR(default_generator().set_state(u), undefined_text);
  CHECK_ERROR(x == u, undefined_text);
  CHECK_ERROR(u != x, undefined_text);
  CHECK_ERROR(u < 1, undefined_text);
  CHECK_ERROR(1 <= u, undefined_text);
  CHECK_ERROR(u > x, undefined_text);
  CHECK_ERROR(x >= u, undefined_text);
  CHECK_ERROR(allclose(u, x), undefined_text);
  CHECK_ERROR(allclose(x, u), undefined_text);
  CHECK_ERROR(argmax(u, 0), undefined_text);
  CHECK_ERROR(one_hot(u, 3), undefined_text);
  CHECK_ERROR(maximum(u, 1), undefined_text);
  CHECK_ERROR(pow(2, u), undefined_text);
  CHECK_ERROR(where(u, x, 1), undefined_text);
  CHECK_ERROR(grad({u}, {x}), undefined_text);
  CHECK_ERROR(grad({sum(ones({2}, {.requires_grad = true}))}, {u}), undefined_text);
  CHECK_ERROR(x.copy_(u), undefined_text);
  CHECK_ERROR(x.add_(u), undefined_text);
  CHECK_ERROR(x.div_(u), undefined_text);
  CHECK(equal(x, tensor({1, 2})));
  // What the table of ops calls with undefined tensors is in ops/test_table.cpp.
}
