// The rows of bench/cairn.cpp in PyTorch's C++ API.
#include <torch/torch.h>
#include <torch/version.h>

#include "support/rows.h"
#include "support/work.h"

using bench::Row;
using bench::Run;
using torch::Tensor;
using Shape = std::vector<int64_t>;

namespace {

// ---- training and inference ----

torch::nn::BatchNorm1d untracked(int64_t channels) {
  return torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(channels).track_running_stats(false));
}

struct SimpleModel : torch::nn::Module {
  torch::nn::BatchNorm1d batchnorm1 = register_module("batchnorm1", untracked(10));
  torch::nn::Linear linear = register_module("linear", torch::nn::Linear(10, 5));
  torch::nn::BatchNorm1d batchnorm2 = register_module("batchnorm2", untracked(5));
  Tensor forward(const Tensor& x) { return batchnorm2(linear(batchnorm1(x))); }
};

torch::nn::Sequential mlp(const bench::Network& n) {
  torch::nn::Sequential net;
  for (std::size_t i = 1; i < n.sizes.size(); ++i) {
    net->push_back(torch::nn::Linear(n.sizes[i - 1], n.sizes[i]));
    if (i + 1 == n.sizes.size()) break;
    if (n.norm) net->push_back(torch::nn::BatchNorm1d(n.sizes[i]));
    net->push_back(torch::nn::ReLU());
  }
  return net;
}

// `model` is a pointer to a module with forward(). zero_grad() sets gradients to none.
template <class Model>
Run step(Model model, const torch::optim::SGDOptions& options, const Shape& x, const Shape& y) {
  const auto sgd = std::make_shared<torch::optim::SGD>(model->parameters(), options);
  return [=, x = torch::randn(x), target = torch::randn(y)]() mutable {
    sgd->zero_grad();
    torch::mse_loss(model->forward(x), target).backward();
    sgd->step();
  };
}

Run simple_step() {
  return step(std::make_shared<SimpleModel>(), torch::optim::SGDOptions(0.01), {32, 10}, {32, 5});
}

Run simple_infer() {
  const auto model = std::make_shared<SimpleModel>();
  model->eval();
  return [=, x = torch::randn({32, 10})] {
    const torch::InferenceMode guard;
    model->forward(x);
  };
}

Run mlp_step(const bench::Network& n) {
  return step(mlp(n), torch::optim::SGDOptions(1e-3).momentum(0.9), {n.batch, n.sizes.front()},
              {n.batch, n.sizes.back()});
}

// ---- layers ----

template <class Layer>
Run forward_backward(Layer layer, const Shape& shape) {
  const Tensor g = torch::randn(layer(torch::zeros(shape)).sizes());
  return [=, x = torch::randn(shape, torch::requires_grad())]() mutable {
    x.mutable_grad().reset();
    layer->zero_grad();
    layer(x).backward(g);
  };
}

template <class Layer>
Run forward_only(Layer layer, const Shape& shape) {
  return [=, x = torch::randn(shape)]() mutable {
    const torch::InferenceMode guard;
    layer(x);
  };
}

template <class Norm>
Run norm_run(const bench::Normalisation& n) {
  Norm norm(n.shape[1]);
  norm->train(n.training);
  return n.backward ? forward_backward(norm, n.shape) : forward_only(norm, n.shape);
}

Run norm_of(const bench::Normalisation& n) {
  using namespace torch::nn;
  if (n.dimensions() == 1) return norm_run<BatchNorm1d>(n);
  return n.dimensions() == 2 ? norm_run<BatchNorm2d>(n) : norm_run<BatchNorm3d>(n);
}

// ---- ops ----

template <class F, class... T>
Run op(F f, const T&... operands) {
  return [=] {
    const torch::InferenceMode guard;
    f(operands...);
  };
}

template <class F>
Run loss_of(const Shape& shape, F f) {
  return [=, p = torch::randn(shape, torch::requires_grad())]() mutable {
    p.mutable_grad().reset();
    f(p).backward();
  };
}

Run sgd_step(int64_t tensors, int64_t elements) {
  std::vector<Tensor> params;
  for (int64_t i = 0; i < tensors; ++i) {
    params.push_back(torch::randn({elements}, torch::requires_grad()));
    params.back().mutable_grad() = torch::randn({elements});
  }
  const auto sgd = std::make_shared<torch::optim::SGD>(
      params, torch::optim::SGDOptions(1e-6).momentum(0.9).weight_decay(1e-4));
  return [=] { sgd->step(); };
}

// ---- graphs ----

Run tiny_graph() {
  const auto options = torch::dtype(torch::kFloat64).requires_grad(true);
  return [a = torch::tensor(-41.0, options), b = torch::tensor(2.0, options)]() mutable {
    a.mutable_grad().reset();
    b.mutable_grad().reset();
    const Tensor c = a + b;
    const Tensor d = a * b + b * b * b;
    const Tensor e = c - d;
    const Tensor f = e * e;
    const Tensor g = f / 2.0;
    g.backward();
  };
}

Run chain(int64_t length) {
  return [=, w = torch::tensor(1.0000001F, torch::requires_grad())]() mutable {
    w.mutable_grad().reset();
    Tensor z = w;
    for (int64_t i = 0; i < length; ++i) z = z * w;
    z.backward();
  };
}

// ---- the table ----

std::vector<Row> table() {
  std::vector<Row> rows = {
      {"simple_step", simple_step},
      {"simple_infer", simple_infer},
      {"linear_infer_b1",
       [] {
         return forward_only(torch::nn::Linear(64, 64), {1, 64});
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
    return forward_backward(torch::nn::Linear(1024, 1024), {512, 1024});
  });
  add("matmul_2048", [] {
    return op([](const Tensor& a, const Tensor& b) { return a.matmul(b); },
              torch::randn({2048, 2048}), torch::randn({2048, 2048}));
  });
  add("add_1e7", [=] { return op(plus, torch::randn(large), torch::randn(large)); });
  add("exp_1e7", [=] { return op([](const Tensor& x) { return x.exp(); }, torch::randn(large)); });
  add("sum_1e7", [=] { return op([](const Tensor& x) { return x.sum(); }, torch::randn(large)); });
  add("sum_dim0_4096sq",
      [=] { return op([](const Tensor& x) { return x.sum(0); }, torch::randn(square)); });
  add("sum_dim1_4096sq",
      [=] { return op([](const Tensor& x) { return x.sum(1); }, torch::randn(square)); });
  add("bias_add_4096sq", [=] { return op(plus, torch::randn(square), torch::randn({4096})); });
  add("transpose_copy_4096sq",
      [=] { return op([](const Tensor& m) { return m.t().contiguous(); }, torch::randn(square)); });
  add("add_transposed_4096sq",
      [=] { return op([](const Tensor& m) { return m + m.t(); }, torch::randn(square)); });
  add("add_1000", [=] { return op(plus, torch::randn({1000}), torch::randn({1000})); });
  add("mse_1e7", [=] {
    return loss_of(large,
                   [t = torch::randn(large)](const Tensor& p) { return torch::mse_loss(p, t); });
  });
  add("chain_sq_exp_1e6", [] {
    return loss_of({1'000'000}, [](const Tensor& p) { return ((p * p + p).exp() * p).mean(); });
  });
  add("sgd_100x1000", [] { return sgd_step(100, 1000); });
  add("sgd_10x1e6", [] { return sgd_step(10, 1'000'000); });
  add("tiny_graph", tiny_graph);
  add("scalar_chain_1000", [] { return chain(1000); });
  add("chain_100000", [] { return chain(100'000); });  // for its memory
  return rows;
}

void one_gradient() {
  const Tensor x = torch::tensor(3.0F, torch::requires_grad());
  (x * x).backward();
  std::cout << x.grad() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return bench::answer({argv + 1, argv + argc}, table(),
                       {.set_threads = [](int n) { torch::set_num_threads(n); },
                        .about = [] { return std::string("libtorch " TORCH_VERSION); },
                        .one_gradient = one_gradient,
                        .header = "torch/torch.h"});
}
