// Making, reading and asking tensors. What they refuse is in bad_input/.
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/format.h>
#include <cairn/core/random.h>

#include <cmath>

using namespace cairn;
using namespace cairn::test;

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

TEST_CASE("arange: counts as PyTorch's") {
  CHECK(equal(arange(5), tensor({0, 1, 2, 3, 4})));
  CHECK(equal(arange(1, 4), tensor({1, 2, 3})));
  CHECK(arange(0, 1, 0.1).numel() == 10);
  CHECK(close(arange(0, 1, 0.1)[9], tensor(0.9)));
  CHECK(equal(arange(3, 0, -1), tensor({3, 2, 1})));
  CHECK(equal(arange(0, i64), zeros({0}, i64)));
}

TEST_CASE("linspace: both ends are exact") {
  const Tensor x = linspace(0, 1, 11, f64);
  CHECK(close(x, arange(11, f64) / 10));
  CHECK(linspace(0.1, 0.7, 7, f64).at<double>({6}) == 0.7);
  CHECK(equal(linspace(3, 9, 1), tensor({3})));
  CHECK(linspace(0, 1, 0).shape() == Shape{0});
}

TEST_CASE("from_data: copies, and takes the element's dtype") {
  std::vector<int64_t> values{1, 2, 3, 4};
  const Tensor x = from_data(values, {2, 2});
  values[0] = 9;
  CHECK(equal(x, tensor({{1, 2}, {3, 4}}, i64)));
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
  CHECK(from_blob<float>(nullptr, {0}).numel() == 0);
}

// ---- shapes that cannot be ----

TEST_CASE("shapes: with a size of 0 the others may be large") {
  CHECK(empty({int64_t{1} << 62, 0}).numel() == 0);
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

TEST_CASE("data wants the exact dtype") {
  const Tensor x = tensor({1, 2});
  CHECK(x.data<float>()[1] == 2);
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

TEST_CASE("undefined: what is default-constructed or moved from prints as that") {
  for (Tensor x : {Tensor(), moved_from()}) {
    CHECK_FALSE(x.defined());
    CHECK(fmt::format("{}", x) == "tensor(undefined)");
  }
}

TEST_CASE("span: the values of a contiguous tensor, without a copy") {
  const Tensor x = tensor({{1, 2}, {3, 4}});
  const std::span<const float> values = x.span<float>();
  CHECK(values.data() == x.data<float>());
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{1, 2, 3, 4});
  CHECK(x.slice(0, 1, 2).span<float>()[0] == 3);
  CHECK(zeros({0}).span<float>().empty());
  CHECK_ERROR_MENTIONS(x.t().span<float>(), "span:", "[2, 2]", "[1, 2]", "not contiguous");
  CHECK_ERROR_MENTIONS(x.span<double>(), "span:", "[2, 2]", "float32", "float64");
}
