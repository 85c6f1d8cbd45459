// Every name of the public surface of tensors and ops, typed as a user types it, and one value
// each. Users' programs are compiled against these; what they mean is tested elsewhere.
#include <cairn/cairn.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <span>
#include <type_traits>

using namespace cairn;

namespace {

bool is(const Tensor& x, const std::vector<double>& values) {
  return x.to_vector<double>() == values;
}

// A number never becomes a tensor by itself, nor a list a number.
static_assert(!std::is_convertible_v<double, Tensor>);
static_assert(!std::is_convertible_v<int, Tensor>);
static_assert(std::is_nothrow_move_constructible_v<Tensor>);
static_assert(std::is_base_of_v<std::exception, Error>);
static_assert(std::is_same_v<decltype(Tensor().numel()), int64_t>);

template <class T>
concept CanFill = requires(T x) {
  x.fill_(1);
};
static_assert(CanFill<Tensor> && CanFill<Tensor&&> && !CanFill<const Tensor>);

}  // namespace

TEST_CASE("api: making tensors") {
  manual_seed(42);
  CHECK(is(tensor({{1, 2}, {3, 4}}, {.dtype = DType::float64}), {1, 2, 3, 4}));
  CHECK(tensor(2.5).dim() == 0);
  CHECK(zeros({2, 3}, {.requires_grad = true}).requires_grad());
  CHECK(is(ones({2}), {1, 1}));
  CHECK(is(full({2, 3}, 7), {7, 7, 7, 7, 7, 7}));
  CHECK(is(full({1}, 7, {.dtype = DType::int64, .requires_grad = false}), {7}));
  CHECK(empty({2}).numel() == 2);
  CHECK(eye(3).numel() == 9);
  CHECK(is(arange(5), {0, 1, 2, 3, 4}));
  CHECK(is(arange(2, 5), {2, 3, 4}));
  CHECK(arange(0, 5, {.dtype = DType::int64}).dtype() == DType::int64);
  CHECK(arange(0, 1, 0.1).numel() == 10);
  CHECK(arange(0, 1, 0.1, {.dtype = DType::float64}).dtype() == DType::float64);
  CHECK(linspace(0, 1, 11).numel() == 11);
  CHECK(randn({32, 10}).size(0) == 32);
  CHECK(randn({}).dim() == 0);
  CHECK(rand({32, 10}).size(1) == 10);
  CHECK(randn({2}, {.dtype = DType::float64}).dtype() == DType::float64);
  CHECK(randint(0, 10, {32}).dtype() == DType::int64);
  CHECK(randperm(4).numel() == 4);
  const Tensor x = zeros({2, 2});
  CHECK(is(zeros_like(x), {0, 0, 0, 0}));
  CHECK(is(ones_like(x), {1, 1, 1, 1}));
  CHECK(randn_like(x).numel() == 4);
  CHECK(rand_like(x).numel() == 4);
  const Tensor state = default_generator().state();
  default_generator().set_state(state);
  CHECK(is(from_data(std::vector<float>{1, 2}, {2}), {1, 2}));
  const double values[] = {1, 2, 3, 4};
  CHECK(is(from_data(std::span<const double>(values), {2, 2}), {1, 2, 3, 4}));
  float blob[] = {1, 2};
  CHECK(is(from_blob(blob, {2}), {1, 2}));
  CHECK(is(from_blob(blob, {2}, [](float*) {}), {1, 2}));
}

TEST_CASE("api: asking and reading") {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  CHECK(fmt::format("{}", x.shape()) == "[2, 3]");
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.shape()[0] == 2);
  for (const int64_t d : x.shape()) CHECK(d > 0);
  CHECK(x.size(-1) == 3);
  CHECK(x.dim() == 2);
  CHECK(x.numel() == 6);
  CHECK(x.dtype() == DType::float32);
  CHECK(x.strides() == Strides{3, 1});
  CHECK(x.is_contiguous());
  CHECK(x.defined());
  CHECK(is(x[1], {4, 5, 6}));
  CHECK(x[1][2].item<float>() == 6);
  CHECK(x.at<float>({1, 2}) == 6);
  CHECK(x.to_vector<float>().size() == 6);
  CHECK(x.data<float>()[5] == 6);
  Tensor y = x.clone();
  y.mutable_data<float>()[0] = 9;
  CHECK(y.at<int>({0, 0}) == 9);
  CHECK(fmt::format("{}", tensor({1, 2})) == "tensor([1., 2.])");
}

TEST_CASE("api: views and copies") {
  const Tensor x = arange(6).view({2, 3});
  CHECK(x.reshape({3, 2}).shape() == Shape{3, 2});
  CHECK(x.transpose(0, 1).shape() == Shape{3, 2});
  CHECK(x.t().shape() == Shape{3, 2});
  CHECK(x.permute({1, 0}).shape() == Shape{3, 2});
  CHECK(x.unsqueeze(0).squeeze(0).shape() == Shape{2, 3});
  CHECK(x.unsqueeze(0).expand({4, 2, 3}).shape() == Shape{4, 2, 3});
  CHECK(is(x.select(1, 0), {0, 3}));
  CHECK(is(x.slice(1, 0, 3, 2), {0, 2, 3, 5}));
  CHECK(x.slice(0, 0, 1).shape() == Shape{1, 3});
  CHECK(x.flatten(0, 1).shape() == Shape{6});
  CHECK(is(x.t().contiguous(), {0, 3, 1, 4, 2, 5}));
  CHECK(x.to(DType::float64).dtype() == DType::float64);
}

TEST_CASE("api: writing in place, on temporaries too") {
  Tensor x = zeros({4});
  const Tensor y = tensor({1, 2});
  x.slice(0, 0, 2).copy_(y);
  x[3].fill_(9);
  CHECK(is(x, {1, 2, 0, 9}));
  CHECK(is(x.fill_(1).add_(x).sub_(1).mul_(x).div_(2).clamp_(0, 0.25), {0.25, 0.25, 0.25, 0.25}));
  x.zero_();
  x += 3, x -= 1, x *= 2, x /= 4;
  x += ones({4}), x -= x.clone(), x *= x;
  CHECK(is(x, {0, 0, 0, 0}));
}

TEST_CASE("api: autograd") {
  Tensor x = tensor({1, 2});
  x.requires_grad_(true);
  CHECK(x.requires_grad());
  CHECK(x.is_leaf());
  HookHandle hook = x.register_hook([](const Tensor& g) { return g * 2; });
  Tensor y = (x * x).sum();
  y.retain_grad();
  y.backward(tensor(1), {.retain_graph = true, .create_graph = true});
  CHECK(is(x.grad(), {4, 8}));
  hook.remove();
  x.zero_grad();
  y.backward({}, {.retain_graph = true});
  CHECK(is(x.grad(), {2, 4}));
  x.set_grad(zeros({2}));
  y.backward();
  CHECK(is(x.grad(), {2, 4}));
  CHECK_FALSE(x.detach().requires_grad());
  const std::vector<Tensor> g = grad({x * 3}, {x},
                                     {.grad_outputs = {ones({2})},
                                      .retain_graph = false,
                                      .create_graph = false,
                                      .allow_unused = true});
  CHECK(is(g[0], {3, 3}));
  NoGrad guard;
  CHECK_FALSE(is_grad_enabled());
}

TEST_CASE("api: arithmetic and comparison, numbers on either side") {
  const Tensor a = tensor({1, 4}), b = tensor({2, 2}), mask = a < b;
  CHECK(is(a + b, {3, 6}));
  CHECK(is(1 + a - 2.5, {-0.5, 2.5}));
  CHECK(is(2 * a * b / 4, {1, 4}));
  CHECK(is(-(1 - a), {0, 3}));
  CHECK(is(8 / a, {8, 2}));
  CHECK(is(add(a, b), {3, 6}));
  CHECK(is(sub(a, b), {-1, 2}));
  CHECK(is(mul(a, b), {2, 8}));
  CHECK(is(div(a, b), {0.5, 2}));
  CHECK(is(neg(a), {-1, -4}));
  CHECK(is(a == b, {0, 0}));
  CHECK(is(a != 1, {0, 1}));
  CHECK(is(mask, {1, 0}));
  CHECK(is(a <= 1, {1, 0}));
  CHECK(is(1 > a, {0, 0}));
  CHECK(is(4 >= a, {1, 1}));
  CHECK(mask.dtype() == DType::int64);
  CHECK(is(where(mask, a, b), {1, 2}));
  CHECK(is(where(mask, a, 0), {1, 0}));
  CHECK(is(where(mask, 0, b), {0, 2}));
  CHECK(is(maximum(a, b), {2, 4}));
  CHECK(is(maximum(a, 3), {3, 4}));
  CHECK(is(minimum(a, b), {1, 2}));
  CHECK(is(minimum(3, a), {1, 3}));
  CHECK(is(clamp(a, 2, 3), {2, 3}));
  CHECK(is(pow(a, 2), {1, 16}));
  CHECK(is(pow(2, a), {2, 16}));
  CHECK(is(pow(a, b), {1, 16}));
  CHECK(allclose(a, a, 1e-5, 1e-8));
}

TEST_CASE("api: functions of one element, free and as members") {
  using Function = Tensor (*)(const Tensor&);
  const Tensor x = tensor({0});
  for (const Function f : std::initializer_list<Function>{exp, cos}) CHECK(is(f(x), {1}));
  for (const Function f : std::initializer_list<Function>{expm1, log1p, sqrt, abs, sign, square,
                                                          sin, tanh, relu, gelu, silu, erf}) {
    CHECK(is(f(x), {0}));
  }
  CHECK(is(log(x + 1), {0}));
  CHECK(is(rsqrt(x + 4), {0.5}));
  CHECK(is(reciprocal(x + 4), {0.25}));
  CHECK(is(sigmoid(x), {0.5}));
  CHECK(softplus(x).item<float>() == doctest::Approx(0.6931472));
  CHECK(is(x.exp().log().sqrt().abs().sign().square().sin().tanh().relu(), {0}));
  CHECK(is(x.cos(), {1}));
  CHECK(is(x.sigmoid(), {0.5}));
  CHECK(is(x.clamp(1, 2), {1}));
  CHECK(is(x.pow(2), {0}));
}

TEST_CASE("api: reductions, free and as members") {
  const Tensor x = tensor({{1, 2}, {3, 6}});
  CHECK(is(sum(x), {12}));
  CHECK(is(sum(x, {0}), {4, 8}));
  CHECK(sum(x, {0}, true).shape() == Shape{1, 2});
  CHECK(is(x.sum({1}), {3, 9}));
  CHECK(is(x.sum(1), {3, 9}));
  CHECK(is(amax(x, -1), {2, 6}));
  CHECK(is(mean(x), {3}));
  CHECK(is(mean(x, {-1}), {1.5, 4.5}));
  CHECK(is(x.mean({0}), {2, 4}));
  CHECK(is(var(x, {0}), {2, 8}));
  CHECK(is(var(x, {0}, {.correction = 0, .keepdim = true}), {1, 4}));
  CHECK(is(x.var({0}, {.correction = 1}), {2, 8}));
  CHECK(var(x).item<double>() == x.var().item<double>());
  CHECK(is(amax(x, {0}), {3, 6}));
  CHECK(is(amax(x), {6}));
  CHECK(is(x.amin(), {1}));
  CHECK(is(amin(x, {0}), {1, 2}));
  CHECK(is(argmax(x, 1), {1, 1}));
  CHECK(is(x.amax({0, 1}), {6}));
  CHECK(is(x.amin({0, 1}), {1}));
  CHECK(is(x.argmax(0), {1, 1}));
  CHECK(logsumexp(x, {1}).shape() == Shape{2});
  CHECK(softmax(x, 1).shape() == Shape{2, 2});
  CHECK(x.log_softmax(-1).shape() == Shape{2, 2});
}

TEST_CASE("api: products, joining, picking, losses and batch norm") {
  const Tensor x = tensor({{1, 2}, {3, 4}}), idx = tensor({1}, {.dtype = DType::int64});
  CHECK(is(matmul(x, x), {7, 10, 15, 22}));
  CHECK(is(x.matmul(tensor({1, 1})), {3, 7}));
  CHECK(matmul(zeros({5, 2, 2}), x).shape() == Shape{5, 2, 2});
  CHECK(cat({x, x}, 1).shape() == Shape{2, 4});
  CHECK(cat({x, x}).shape() == Shape{4, 2});
  CHECK(stack({x, x}, 0).shape() == Shape{2, 2, 2});
  CHECK(is(index_select(x, 0, idx), {3, 4}));
  CHECK(is(gather(x, 1, idx.unsqueeze(0)), {2}));
  CHECK(is(one_hot(idx, 3), {0, 1, 0}));
  CHECK(is(linear(x, x, tensor({1, 0})), {6, 11, 12, 25}));
  CHECK(is(linear(x, x), {5, 11, 11, 25}));
  CHECK(is(mse_loss(x, zeros({2, 2})), {7.5}));
  CHECK(is(mse_loss(x, tensor(0), {.reduction = Reduction::sum, .broadcast = true}), {30}));
  CHECK(cross_entropy(x, tensor({0, 1}, {.dtype = DType::int64})).dim() == 0);
  Tensor mean = zeros({2}), var = ones({2});
  const BatchNormFunctionOptions options{.training = true, .momentum = 0.1, .eps = 1e-5};
  CHECK(batch_norm(x, mean, var, ones({2}), zeros({2}), options).shape() == Shape{2, 2});
  CHECK(mean.at<float>({0}) == 0.2F);
  CHECK(batch_norm(x, mean, var, {}, {}, {.training = false}).shape() == Shape{2, 2});
}

TEST_CASE("api: the machine") {
  set_num_threads(num_threads());
  CHECK(memory_stats().in_use >= 0);
  CHECK(memory_stats().cached >= 0);
  CHECK(memory_stats().peak >= 0);
  release_cached_memory();
  CHECK_FALSE(version().empty());
  CHECK_FALSE(fmt::format("{} {}", build_info(), memory_stats()).empty());
}

TEST_CASE("api: StateDict is ordered, and names what it misses") {
  StateDict dict;
  dict["b"] = tensor(1);
  dict["a"] = tensor(2);
  CHECK(dict.size() == 2);
  CHECK(dict.contains("a"));
  CHECK(dict.at("a").item<int>() == 2);
  std::string names;
  for (const auto& [name, value] : dict) names += name;
  CHECK(names == "ba");
  CHECK_THROWS_WITH_AS(dict.at("c"), doctest::Contains("'c'"), Error);
}
