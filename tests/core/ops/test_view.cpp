// Views: the same values under another shape.
#include "support/approx.h"

using namespace cairn;
using namespace cairn::test;

namespace {
const Tensor x = arange(24).view({2, 3, 4});
bool shares(const Tensor& a, const Tensor& b) {
  return a.view_of().storage.get() == b.view_of().storage.get();
}
}  // namespace

TEST_CASE("reshape: a view where it can be, a copy where it must; one size may be -1") {
  CHECK(equal(x.reshape({4, -1}), arange(24).view({4, 6})));
  CHECK(shares(x.reshape({24}), x));
  CHECK(x.transpose(0, 2).reshape({24}).at<int>({1}) == 12);
  CHECK_FALSE(shares(x.transpose(0, 2).reshape({24}), x));
  CHECK(shares(x.slice(2, 0, 4, 2).reshape({6, 2}), x));  // evenly spaced: no copy
  CHECK(shares(x.select(1, 0).reshape({2, 2, 2}), x));
  CHECK(tensor({5}).reshape({}).shape() == Shape{});
  CHECK(zeros({0, 3}).reshape({3, -1}).shape() == Shape{3, 0});
  CHECK(zeros({4, 0}).slice(0, 0, 4, 2).reshape({0, 7}).shape() == Shape{0, 7});
}

TEST_CASE("view: never copies") {
  CHECK(shares(x.view({6, 4}), x));
  CHECK(shares(x.transpose(0, 2).view({4, 3, 2, 1}), x));
}

TEST_CASE("transpose, t, permute: the values move with their dimensions") {
  CHECK(x.transpose(0, -1).at<int>({3, 2, 1}) == 23);
  CHECK(equal(tensor({{1, 2}, {3, 4}}).t(), tensor({{1, 3}, {2, 4}})));
  CHECK(equal(tensor({1, 2}).t(), tensor({1, 2})));
  CHECK(x.permute({2, 0, 1}).shape() == Shape{4, 2, 3});
  CHECK(x.permute({-1, 0, 1}).at<int>({3, 1, 2}) == 23);
}

TEST_CASE("unsqueeze and squeeze are opposites") {
  CHECK(x.unsqueeze(0).shape() == Shape{1, 2, 3, 4});
  CHECK(x.unsqueeze(-1).shape() == Shape{2, 3, 4, 1});
  CHECK(equal(x.unsqueeze(1).squeeze(1), x));
  CHECK(x.squeeze(0).shape() == Shape{2, 3, 4});  // not of size 1: nothing to drop
}

TEST_CASE("expand: stretches what has size 1, without copying") {
  const Tensor row = tensor({{1, 2}});
  CHECK(equal(row.expand({3, -1}), tensor({{1, 2}, {1, 2}, {1, 2}})));
  CHECK(shares(row.expand({5, 3, 2}), row));
  CHECK(row.expand({0, 2}).shape() == Shape{0, 2});
}

TEST_CASE("select and slice: negative indices count from the end, slices clamp") {
  CHECK(equal(x[1][2], tensor({20, 21, 22, 23})));
  CHECK(equal(x.select(-1, -1), tensor({{3, 7, 11}, {15, 19, 23}})));
  CHECK(equal(arange(6).slice(0, 1, 5, 2), tensor({1, 3})));
  CHECK(equal(arange(6).slice(0, -2, 100), tensor({4, 5})));
  CHECK(arange(6).slice(0, 4, 2).shape() == Shape{0});
  CHECK(arange(6).slice(0, 0, 6, INT64_MAX).shape() == Shape{1});
}

TEST_CASE("flatten: joins a range of dimensions; a scalar becomes [1]") {
  CHECK(x.flatten().shape() == Shape{24});
  CHECK(x.flatten(1).shape() == Shape{2, 12});
  CHECK(x.flatten(0, -2).shape() == Shape{6, 4});
  CHECK(tensor(3).flatten().shape() == Shape{1});
}

TEST_CASE("contiguous: a transposed tensor, in whole tiles and in parts of them") {
  for (const DType dtype : {DType::float32, DType::float64, DType::int64}) {
    for (const int64_t rows : {15, 16, 18, 63, 64, 65, 130}) {
      for (const int64_t columns : {16, 17, 64, 67, 129}) {
        CAPTURE(rows);
        CAPTURE(columns);
        const Tensor m = arange(0, 3 * rows * columns).to(dtype).reshape({3, rows, columns});
        const Tensor t = m.transpose(1, 2);
        const Tensor copy = t.contiguous(), doubled = copy + t;
        bool all = true;
        for (int64_t i = 0; i < t.numel(); ++i) {
          const int64_t p = i / (rows * columns), c = i / rows % columns, r = i % rows;
          const int64_t value = (p * rows + r) * columns + c;
          all = all && copy.at<int64_t>({p, c, r}) == value;
          all = all && doubled.at<int64_t>({p, c, r}) == 2 * value;
        }
        CHECK(all);
      }
    }
  }
}
