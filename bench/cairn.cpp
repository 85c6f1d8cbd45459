// The rows in Cairn. bench/peers/ has the same rows in other libraries.
#include <cairn/cairn.h>

#include "support/rows.h"
#include "support/work.h"

using namespace cairn;
using bench::Row;
using bench::Run;

namespace {

// ---- training and inference ----

struct SimpleModel : nn::Module {
  nn::BatchNorm1d& batchnorm1 =
      child("batchnorm1", nn::BatchNorm1d(10, {.track_running_stats = false}));
  nn::Linear& linear = child("linear", nn::Linear(10, 5));
  nn::BatchNorm1d& batchnorm2 =
      child("batchnorm2", nn::BatchNorm1d(5, {.track_running_stats = false}));
  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

nn::Sequential mlp(const bench::Network& n) {
  nn::Sequential net;
  for (std::size_t i = 1; i < n.sizes.size(); ++i) {
    net.push_back(nn::Linear(n.sizes[i - 1], n.sizes[i]));
    if (i + 1 == n.sizes.size()) break;
    if (n.norm) net.push_back(nn::BatchNorm1d(n.sizes[i]));
    net.push_back(nn::ReLU());
  }
  return net;
}

struct Training {
  std::shared_ptr<nn::Module> model;
  optim::SGD sgd;
  Tensor x, target;

  void step() {
    sgd.zero_grad();
    mse_loss((*model)(x), target).backward();
    sgd.step();
  }
};

Run simple_step() {
  const auto model = std::make_shared<SimpleModel>();
  const auto training = std::make_shared<Training>(Training{
      model, optim::SGD(model->parameters(), {.lr = 0.01}), randn({32, 10}), randn({32, 5})});
  return [=] { training->step(); };
}

Run simple_infer() {
  const auto model = std::make_shared<SimpleModel>();
  model->eval();
  return [=, x = randn({32, 10})] {
    const NoGrad guard;
    (*model)(x);
  };
}

Run mlp_step(const bench::Network& n) {
  const auto net = std::make_shared<nn::Sequential>(mlp(n));
  const auto training = std::make_shared<Training>(
      Training{net, optim::SGD(net->parameters(), {.lr = 1e-3, .momentum = 0.9}),
               randn({n.batch, n.sizes.front()}), randn({n.batch, n.sizes.back()})});
  return [=] { training->step(); };
}

// ---- layers ----

// Forward and backward of a layer, with the gradients of its input and its parameters.
Run forward_backward(const std::shared_ptr<nn::Module>& layer, const Shape& shape) {
  const Tensor g = randn((*layer)(zeros(shape)).shape());
  return [=, x = randn(shape, {.requires_grad = true})]() mutable {
    x.zero_grad();
    layer->zero_grad();
    (*layer)(x).backward(g);
  };
}

Run forward_only(const std::shared_ptr<nn::Module>& layer, const Shape& shape) {
  return [=, x = randn(shape)] {
    const NoGrad guard;
    (*layer)(x);
  };
}

template <class Layer, class... A>
std::shared_ptr<nn::Module> layer(bool training, A... arguments) {
  auto made = std::make_shared<Layer>(arguments...);
  made->train(training);
  return made;
}

template <class Norm>
Run norm_run(const bench::Normalisation& n) {
  const auto norm = layer<Norm>(n.training, n.shape[1]);
  return n.backward ? forward_backward(norm, n.shape) : forward_only(norm, n.shape);
}

Run norm_of(const bench::Normalisation& n) {
  if (n.dimensions() == 1) return norm_run<nn::BatchNorm1d>(n);
  return n.dimensions() == 2 ? norm_run<nn::BatchNorm2d>(n) : norm_run<nn::BatchNorm3d>(n);
}

// ---- ops ----

// An op without gradients. f makes a tensor from one or two operands.
template <class F, class... T>
Run op(F f, const T&... operands) {
  return [=] {
    const NoGrad guard;
    f(operands...);
  };
}

// A loss of p with its backward.
template <class F>
Run loss_of(const Shape& shape, F f) {
  return [=, p = randn(shape, {.requires_grad = true})]() mutable {
    p.zero_grad();
    f(p).backward();
  };
}

Run sgd_step(int64_t tensors, int64_t elements) {
  std::vector<Tensor> params;
  for (int64_t i = 0; i < tensors; ++i) {
    params.push_back(randn({elements}, {.requires_grad = true}));
    params.back().set_grad(randn({elements}));
  }
  const auto sgd = std::make_shared<optim::SGD>(
      params, optim::SGDOptions{.lr = 1e-6, .momentum = 0.9, .weight_decay = 1e-4});
  return [=] { sgd->step(); };
}

// ---- graphs ----

Run tiny_graph() {
  const TensorOptions options{.dtype = DType::float64, .requires_grad = true};
  return [a = tensor(-41.0, options), b = tensor(2.0, options)]() mutable {
    a.zero_grad();
    b.zero_grad();
    const Tensor c = a + b;
    const Tensor d = a * b + b * b * b;
    const Tensor e = c - d;
    const Tensor f = e * e;
    const Tensor g = f / 2.0;
    g.backward();
  };
}

Run chain(int64_t length) {
  return [=, w = tensor(1.0000001, {.requires_grad = true})]() mutable {
    w.zero_grad();
    Tensor z = w;
    for (int64_t i = 0; i < length; ++i) z = z * w;
    z.backward();
  };
}

Run grad_of(int64_t leaves) {
  std::vector<Tensor> inputs;
  for (int64_t i = 0; i < leaves; ++i) inputs.push_back(tensor(1.0, {.requires_grad = true}));
  return [=] {
    Tensor total = inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) total = total + inputs[i];
    grad({total}, inputs);
  };
}

Run build_sequential(int64_t layers) {
  return [=] {
    nn::Sequential net;
    for (int64_t i = 0; i < layers; ++i) net.push_back(nn::Linear(1, 1));
    net.named_parameters();
  };
}

Run load(int64_t entries) {
  const auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < entries / 2; ++i) net->push_back(nn::Linear(1, 1));
  return [=, values = net->state_dict()] { net->load_state_dict(values); };
}

// ---- the table ----

void add_growth(std::vector<Row>& rows) {
  const auto add = [&](const std::string& name, const std::vector<int64_t>& sizes, auto prepare) {
    for (const int64_t n : sizes) {
      rows.push_back({name + "_" + std::to_string(n), [=] { return prepare(n); }, n});
    }
  };
  add("chain", {1000, 10'000, 100'000, 1'000'000}, chain);
  add("grad", {100, 1000, 10'000}, grad_of);
  add("sequential", {10, 100, 1000}, build_sequential);
  add("load", {10, 100, 1000, 8000}, load);
  add("sgd_tensors", {10, 100, 1000, 10'000}, [](int64_t n) { return sgd_step(n, 1); });
  add("bn_batch", {2, 8, 32, 128, 512, 4096}, [](int64_t n) {
    return forward_backward(layer<nn::BatchNorm1d>(true, 64), {n, 64});
  });
  add("linear_batch", {1, 8, 32, 128, 512, 4096}, [](int64_t n) {
    return forward_backward(layer<nn::Linear>(true, 64, 64), {n, 64});
  });
}

std::vector<Row> table() {
  std::vector<Row> rows = {
      {"simple_step", simple_step},
      {"simple_infer", simple_infer},
      {"linear_infer_b1",
       [] {
         return forward_only(layer<nn::Linear>(false, 64, 64), {1, 64});
       }},
  };
  for (const bench::Network& n : bench::networks) {
    rows.push_back({n.name, [&n] { return mlp_step(n); }});
  }
  for (const bench::Normalisation& n : bench::normalisations) {
    rows.push_back({n.name(), [&n] { return norm_of(n); }});
  }

  const auto add = [&](const char* name, auto prepare) { rows.push_back({name, prepare}); };
  const auto plus = [](const Tensor& a, const Tensor& b) { return a + b; };
  const Shape large = {10'000'000}, square = {4096, 4096};
  add("linear_512x1024x1024", [] {
    return forward_backward(layer<nn::Linear>(true, 1024, 1024), {512, 1024});
  });
  add("matmul_2048", [] {
    return op([](const Tensor& a, const Tensor& b) { return a.matmul(b); }, randn({2048, 2048}),
              randn({2048, 2048}));
  });
  add("add_1e7", [=] { return op(plus, randn(large), randn(large)); });
  add("exp_1e7", [=] { return op([](const Tensor& x) { return x.exp(); }, randn(large)); });
  add("sum_1e7", [=] { return op([](const Tensor& x) { return x.sum(); }, randn(large)); });
  add("sum_dim0_4096sq",
      [=] { return op([](const Tensor& x) { return x.sum({0}); }, randn(square)); });
  add("sum_dim1_4096sq",
      [=] { return op([](const Tensor& x) { return x.sum({1}); }, randn(square)); });
  add("bias_add_4096sq", [=] { return op(plus, randn(square), randn({4096})); });
  add("transpose_copy_4096sq",
      [=] { return op([](const Tensor& m) { return m.t().contiguous(); }, randn(square)); });
  add("add_transposed_4096sq",
      [=] { return op([](const Tensor& m) { return m + m.t(); }, randn(square)); });
  add("add_1000", [=] { return op(plus, randn({1000}), randn({1000})); });
  add("mse_1e7", [=] {
    return loss_of(large, [t = randn(large)](const Tensor& p) { return mse_loss(p, t); });
  });
  add("chain_sq_exp_1e6", [] {
    return loss_of({1'000'000}, [](const Tensor& p) { return ((p * p + p).exp() * p).mean(); });
  });
  add("sgd_100x1000", [] { return sgd_step(100, 1000); });
  add("sgd_10x1e6", [] { return sgd_step(10, 1'000'000); });
  add("tiny_graph", tiny_graph);
  rows.push_back({"scalar_chain_1000", [] { return chain(1000); }});
  add_growth(rows);
  return rows;
}

void one_gradient() {
  const Tensor x = tensor(3.0, {.requires_grad = true});
  (x * x).backward();
  fmt::print("{}\n", x.grad());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench::answer({argv + 1, argv + argc}, table(),
                         {.set_threads = [](int n) { set_num_threads(n); },
                          .about = [] { return to_string(build_info()); },
                          .one_gradient = one_gradient,
                          .release_cache = release_cached_memory,
                          .header = "cairn/cairn.h"});
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
