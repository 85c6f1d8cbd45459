// Every name of the public surface of modules and optimizers, typed as a user types it. Users'
// programs are compiled against these; what they mean is tested elsewhere.
#include <cairn/cairn.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

struct Net : nn::Module {
  nn::Linear& fc = child("fc", nn::Linear(10, 5, {.bias = true}));
  Parameter& w = parameter("weight", ones({5}));
  Buffer& b = buffer("running_mean", zeros({5}));
  Tensor forward(const Tensor& x) override { return fc(x) * w + b; }
};

struct SimpleModel : nn::Module {
  nn::BatchNorm1d& batchnorm1 =
      child("batchnorm1", nn::BatchNorm1d(10, {.track_running_stats = false}));
  nn::Linear& linear = child("linear", nn::Linear(10, 5));
  nn::BatchNorm1d& batchnorm2 =
      child("batchnorm2", nn::BatchNorm1d(5, {.track_running_stats = false}));
  Tensor forward(const Tensor& x) override { return batchnorm2(linear(batchnorm1(x))); }
};

struct Outer : nn::Module {
  Net& net = child<Net>("net");
  Net& again = child("again", net);
  nn::Parameter& scale = parameter("scale", ones({1}));
  nn::Buffer& offset = buffer("offset", zeros({1}));
  Tensor forward(const Tensor& x) override { return again(x) * scale; }
};

}  // namespace

TEST_CASE("api: modules are declared, called, switched and read as the documentation says") {
  manual_seed(42);
  Net model;
  const Tensor x = randn({32, 10});
  CHECK(model(x).shape() == Shape{32, 5});
  model.train();
  model.train(false);
  model.eval();
  CHECK_FALSE(model.is_training());
  model.zero_grad();
  model.requires_grad_(false);
  model.requires_grad_(true);
  model.to(DType::float64);
  model.to(DType::float32);

  const std::vector<Tensor> parameters = model.parameters();
  CHECK(parameters.size() == 3);
  for (const auto& [path, p] : model.named_parameters()) CHECK(p.requires_grad());
  for (auto& [path, p] : model.named_parameters()) p.zero_grad();
  for (const auto& [path, b] : model.named_buffers()) CHECK(b.numel() == 5);
  for (auto& [path, b] : model.named_buffers()) b.freeze();
  for (const auto& [path, m] : model.named_modules()) CHECK_FALSE(m.is_training());

  const StateDict dict = model.state_dict();
  for (const auto& [path, tensor] : dict) CHECK(dict.contains(path));
  CHECK(dict.size() == 4);
  CHECK(dict.at("fc.weight").shape() == Shape{5, 10});
  Net other;
  other.load_state_dict(dict);
  other.load_state_dict(dict, {.strict = true});
  other.load_state_dict(StateDict(), {.strict = false});
  nn::copy_state(model, other);
  CHECK(fmt::format("{}", model).starts_with("Net("));
  CHECK_FALSE(fmt::format("{}", model.w).empty());

  Outer outer;
  CHECK(outer(x).shape() == Shape{32, 5});
  CHECK(outer.parameters().size() == 4);
}

TEST_CASE("api: a parameter is usable wherever a tensor is") {
  Net model;
  const Tensor sum_of = model.w + 1.0;
  const Tensor product = 2 * model.w * model.w;
  const Tensor& as_tensor = model.w;
  Tensor handle = model.w;
  CHECK(matmul(model.fc.weight, ones({10})).shape() == Shape{5});
  CHECK(model.w.sum().item<float>() == 5);
  CHECK(as_tensor.shape() == handle.shape());
  CHECK(sum(product).item<float>() == 10);
  CHECK(sum_of.requires_grad());
}

TEST_CASE("api: layers take the options that the documentation lists") {
  const nn::Linear linear(3, 2, {.bias = false});
  nn::BatchNorm1d bn1(3, {.eps = 1e-5,
                          .momentum = 0.1,
                          .affine = true,
                          .track_running_stats = true,
                          .check_finite = false});
  nn::BatchNorm2d bn2(3, {.momentum = std::nullopt});
  nn::BatchNorm3d bn3(3, {.affine = false});
  const nn::MSELoss loss({.reduction = Reduction::mean});
  const nn::MSELoss total({.reduction = Reduction::sum, .broadcast = true});
  const nn::MSELoss each({.reduction = Reduction::none});
  CHECK(loss(ones({2}), zeros({2})).item<float>() == 1);
  nn::Sequential seq{nn::Linear(3, 4), nn::ReLU(), nn::Flatten(), nn::Linear(4, 2)};
  nn::Sequential parentheses(nn::Linear(3, 4), nn::ReLU());
  seq.push_back(nn::ReLU());
  seq.push_back("last", nn::Linear(2, 1));
  CHECK(seq.size() == 6);
  CHECK(seq[0].kind() == "Linear");
  CHECK(seq(zeros({2, 3})).shape() == Shape{2, 1});
  const nn::BatchNormOptions batch_norm_options{.eps = 1e-3};
  const nn::LinearOptions linear_options{.bias = true};
  const nn::MSELossOptions loss_options{};
  CHECK(nn::BatchNorm1d(3, batch_norm_options).weight.defined());
  CHECK(nn::Linear(1, 1, linear_options).bias.defined());
  CHECK(nn::MSELoss(loss_options).kind() == "MSELoss");
  CHECK_FALSE(linear.bias.defined());
}

TEST_CASE("api: batch norm shows and switches its statistics") {
  nn::BatchNorm1d bn(5, {.momentum = 0.05});
  CHECK(bn.weight.requires_grad());
  CHECK(bn.bias.requires_grad());
  CHECK(bn.running_mean.at<float>({0}) == 0);
  CHECK(bn.num_batches_tracked.item<int64_t>() == 0);
  const Tensor& m = bn.running_mean;
  CHECK(m.shape() == Shape{5});
  CHECK(fmt::format("{}", bn.running_var) == "tensor([1., 1., 1., 1., 1.])");
  bn.track_running_stats(false);
  bn.track_running_stats(true);
  CHECK(bn.stats_mode() == nn::StatsMode::track);
  bn.set_stats_mode(nn::StatsMode::hold);
  bn.set_stats_mode(nn::StatsMode::frozen);
  bn.reset_running_stats();
  bn.running_mean.copy_(zeros({5}));
  bn.running_mean.freeze();
  CHECK(bn.running_mean.frozen());
  bn.running_mean.unfreeze();
  bn.running_mean.requires_grad_(false);
  CHECK(fmt::format("{}", bn).find("frozen") != std::string::npos);
}

TEST_CASE("api: the statistics of a model are set, guarded, kept, estimated and audited") {
  SimpleModel model;
  const std::vector<Tensor> batches{randn({16, 10}), randn({16, 10})};
  nn::set_stats_mode(model, nn::StatsMode::track);
  nn::set_stats_mode(model, nn::StatsMode::hold, [](const std::string& path, const nn::BatchNorm&) {
    return path != "linear";
  });
  { const nn::StatsGuard guard(model, nn::StatsMode::track); }
  nn::set_stats_mode(model, nn::StatsMode::track);
  nn::reset_running_stats(model);
  nn::estimate_running_stats(model, batches);
  nn::estimate_running_stats(model, {batches[0]});
  const auto s = nn::snapshot_stats(model);
  nn::restore_stats(model, s);
  SimpleModel other;
  nn::set_stats_mode(other, nn::StatsMode::track);
  nn::copy_stats(model, other);
  nn::select_stats(model, "adversarial", {.create = true});
  { const nn::SelectStats guard(model, "main"); }
  {
    const nn::AccumulateStats guard(model);
    for (const Tensor& x : batches) model(x);
  }
  nn::select_stats(model, "main");
  CHECK(fmt::format("{}", nn::audit_stats(model)).starts_with("layer"));
  CHECK(nn::audit_stats(model, s).layers.size() == 2);
  CHECK(nn::audit_stats(model, s, batches).layers[0].gap.has_value());
  CHECK(nn::audit_stats(model, {}, {batches[0], batches[1]}).problems.size() ==
        nn::audit_stats(model, batches).problems.size());
}

TEST_CASE("api: an optimizer is built, stepped, changed, saved and loaded") {
  SimpleModel model;
  optim::SGD opt(model.parameters(), {.lr = 0.01,
                                      .momentum = 0.9,
                                      .dampening = 0,
                                      .weight_decay = 1e-4,
                                      .nesterov = false,
                                      .maximize = false});
  const nn::MSELoss loss;
  const Tensor x = randn({32, 10}), target = randn({32, 5});
  double before = 0, after = 0;
  for (int i = 0; i < 20; ++i) {
    opt.zero_grad();
    const Tensor l = loss(model(x), target);
    l.backward();
    opt.step();
    (i == 0 ? before : after) = l.item<double>();
  }
  CHECK(after < before);
  opt.groups()[0].lr = 0.001;
  const Tensor extra = zeros({2}, {.requires_grad = true});
  opt.add_group({extra}, {.lr = 0.1});
  opt.add_group({zeros({1}, {.requires_grad = true})});
  CHECK(opt.groups().size() == 3);
  const StateDict d = opt.state_dict();
  opt.load_state_dict(d);
  opt.zero_grad({.set_to_none = false});
  optim::Optimizer& base = opt;
  base.zero_grad();
  base.step();
  const optim::SGDOptions options{.lr = 1};
  CHECK(optim::SGD({extra}, options).groups()[0].lr == 1);
}
