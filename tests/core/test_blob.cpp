// from_blob(): strides, and const memory that refuses every write.
#include "support/approx.h"

#include <cairn/cairn.h>

#include <cmath>
#include <sstream>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("from_blob: strides say where the elements lie") {
  std::vector<float> data{0, 1, 2, 3, 4, 5};
  Tensor x = from_blob(data.data(), {2, 3}, {.strides = {1, 2}});
  CHECK(equal(x, tensor({{0, 2, 4}, {1, 3, 5}})));
  x.mul_(2);
  CHECK(data[1] == 2);
  CHECK(from_blob(data.data(), {2, 3}).is_contiguous());
  int deleted = 0;
  {
    const Tensor y = from_blob(data.data(), {3}, [&](float*) { ++deleted; }, {.strides = {2}});
    CHECK(equal(y, tensor({0, 4, 8})));
  }
  CHECK(deleted == 1);
  CHECK_ERROR_MENTIONS(from_blob(data.data(), {2, 3}, {.strides = {1}}), "from_blob:", "[1]",
                       "[2, 3]");
  CHECK_ERROR_MENTIONS(from_blob(data.data(), {2}, {.strides = {-1}}), "from_blob:", "negative");
}

TEST_CASE("from_blob: const data is read, and every write is an Error") {
  const std::vector<float> data{1, 2, 3};
  Tensor x = from_blob(data.data(), {3});
  CHECK(equal(x * 2, tensor({2, 4, 6})));
  CHECK_ERROR_MENTIONS(x.add_(1), "add_:", "[3]", "const memory");
  CHECK_ERROR_MENTIONS(x.zero_(), "zero_:", "const memory");
  CHECK_ERROR_MENTIONS(x.slice(0, 0, 2).copy_(ones({2})), "copy_:", "const memory");
  CHECK_ERROR_MENTIONS(x.mutable_data<float>(), "mutable_data:", "const memory");
  CHECK_ERROR_MENTIONS(default_generator().fill_normal(x), "fill_normal:", "const memory");
  CHECK_ERROR_MENTIONS(optim::SGD({x}, {.lr = 1}), "const memory");
  CHECK_ERROR_MENTIONS(Parameter(x), "parameter:", "const memory");
  CHECK(data == std::vector<float>{1, 2, 3});
  x.clone().add_(1);
}

TEST_CASE("shapes: one integer is a list of one, and integers of any type do not warn") {
  const std::vector<int> v(2);
  CHECK(zeros(5).shape() == Shape{5});
  CHECK(zeros({v.size(), 3}).shape() == Shape{2, 3});
  CHECK(ones({2, 3}).sum(1).shape() == Shape{2});
  CHECK(amax(ones({2, 3}), 1).shape() == Shape{2});
  const std::size_t i = 1;
  CHECK(ones({2, 3}).at<int>({i, 2U}) == 1);
  CHECK(ones({2, 3}).reshape(-1).shape() == Shape{6});
}

TEST_CASE("streams: << prints what fmt prints") {
  const auto shown = [](const auto& value) {
    std::ostringstream stream;
    stream << value;
    return stream.str() == fmt::format("{}", value);
  };
  const nn::BatchNorm1d bn(2);
  CHECK(shown(tensor({1, 2})));
  CHECK(shown(Shape{2, 3}));
  CHECK(shown(DType::float64));
  CHECK(shown(bn));
  CHECK(shown(bn.weight));
  CHECK(shown(bn.running_mean));
  CHECK(shown(bn.stats_mode()));
  CHECK(shown(nn::audit_stats(bn)));
  CHECK(shown(memory_stats()));
  CHECK(shown(build_info()));
}

TEST_CASE("printing: a NaN has no sign") {
  const Tensor x = from_data(std::vector{-NAN, NAN}, {2});
  CHECK(fmt::format("{}", x).find("-nan") == std::string::npos);
}

TEST_CASE("random: a generator in the options gives the default generator's numbers") {
  Generator g(7);
  manual_seed(7);
  CHECK(equal(rand({3}, {.generator = &g}), rand({3})));
  CHECK(equal(randn({3}, {.dtype = DType::float64, .generator = &g}),
              randn({3}, {.dtype = DType::float64})));
  CHECK(equal(randint(0, 9, {5}, {.generator = &g}), randint(0, 9, {5})));
  CHECK(equal(randperm(6, {.generator = &g}), randperm(6)));
  CHECK(equal(randn_like(ones({2}), {.generator = &g}), randn_like(ones({2}))));
  const Tensor p = full({1000}, 0.3);
  CHECK(equal(bernoulli(p, {.generator = &g}), bernoulli(p)));
  CHECK(equal(g.state(), default_generator().state()));
  const TensorOptions plain{.requires_grad = true};
  CHECK(randn({2}, plain).requires_grad());
}

TEST_CASE("bernoulli: 0 and 1 with the given probability") {
  manual_seed(1);
  const Tensor y = bernoulli(full({10'000}, 0.3));
  CHECK(y.mean().item<double>() == doctest::Approx(0.3).epsilon(0.05));
  CHECK(equal(bernoulli(tensor({0, 1})), tensor({0, 1})));
  const Tensor before = default_generator().state();
  CHECK_ERROR_MENTIONS(bernoulli(tensor({0, 1.5})), "bernoulli:", "[2]", "probability");
  CHECK_ERROR_MENTIONS(bernoulli(tensor({NAN})), "bernoulli:", "probability");
  CHECK(equal(default_generator().state(), before));
}
