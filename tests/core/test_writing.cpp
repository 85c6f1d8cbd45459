// write(): several outputs in one pass, whatever the strides.
#include "support/approx.h"

#include <cairn/core/internal/writing.h>
#include <cairn/core/random.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Each layout of values with these sizes: dense, transposed, every other one, sliced.
std::vector<Tensor> layouts(int64_t rows, int64_t columns, DType dtype) {
  const TensorOptions options{.dtype = dtype};
  return {randn({rows, columns}, options), randn({columns, rows}, options).t(),
          randn({rows, 2 * columns}, options).slice(1, 0, 2 * columns, 2),
          randn({rows + 2, columns + 3}, options).slice(0, 1, rows + 1).slice(1, 2, columns + 2)};
}

}  // namespace

TEST_CASE("write: outputs that are inputs, too, change in one pass, for any strides") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const Shape& shape : {Shape{3, 5}, Shape{1, 1}, Shape{0, 4}, Shape{300, 257}}) {
      CAPTURE(shape);
      for (const Tensor& p : layouts(shape[0], shape[1], dtype)) {
        for (const Tensor& b : layouts(shape[0], shape[1], dtype)) {
          const Tensor g = randn(shape, {.dtype = dtype});
          const Tensor sum = b + g, difference = p - 2 * sum;
          detail::write(
              [](auto v, auto dv, auto m) {
                m += dv;
                return std::array{v - 2 * m, m};
              },
              {p, b}, {p, g, b});
          CHECK(equal(p, difference));
          CHECK(equal(b, sum));
        }
      }
    }
  }
}

TEST_CASE("write: one output, and inputs that are expanded") {
  const Tensor y = zeros({2, 3});
  const Tensor row = tensor({1, 2, 3}).expand({2, 3}), one = tensor(2).expand({2, 3});
  detail::write([](auto a, auto b) { return a * b; }, {y}, {row, one});
  CHECK(equal(y, tensor({{2, 4, 6}, {2, 4, 6}})));
}

TEST_CASE("write: each output is written to once, and no input") {
  const Tensor a = zeros({3}), b = zeros({3}), c = ones({3});
  const auto version = [](const Tensor& x) { return x.view_of().storage->version; };
  const auto before = std::array{version(a), version(b), version(c)};
  detail::write([](auto v) { return std::array{v, -v}; }, {a, b}, {c});
  CHECK(version(a) == before[0] + 1);
  CHECK(version(b) == before[1] + 1);
  CHECK(version(c) == before[2]);
  CHECK(equal(a, c));
  CHECK(equal(b, -c));
}
