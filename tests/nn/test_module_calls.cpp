// The outermost call of a module is a unit: its updates of statistics are applied when it returns,
// or not at all. What it calls must be registered in it.
#include "support/approx.h"
#include "support/stats.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>
#include <cairn/nn/external.h>
#include <cairn/nn/stats_audit.h>

#include <functional>
#include <thread>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

namespace {

// A model whose forward is given by the test.
struct Scripted : Module {
  BatchNorm1d& bn = child("bn", BatchNorm1d(2, {.momentum = 0.5}));
  Linear& fc = child("fc", Linear(2, 1));
  std::function<Tensor(Scripted&, const Tensor&)> script;
  explicit Scripted(std::function<Tensor(Scripted&, const Tensor&)> f) : script(std::move(f)) {}
  Tensor forward(const Tensor& x) override { return script(*this, x); }
};

Tensor x() { return tensor({{0, 2}, {2, 6}}); }  // means 1 and 4, unbiased variances 2 and 8
Tensor wrong() { return zeros({2, 3}); }

int64_t count(const BatchNorm& bn) { return bn.num_batches_tracked.item<int64_t>(); }

}  // namespace

// ---- a unit ----

TEST_CASE("call: if the outermost call throws, no statistics have moved") {
  Scripted m([](Scripted& s, const Tensor& v) {
    s.bn(v);
    return s.fc(wrong());
  });
  const Record before = record_of(m.bn);
  CHECK_ERROR_MENTIONS(m(x()), "linear 'fc':");
  CHECK(record_of(m.bn) == before);
  m.bn(x());
  CHECK(count(m.bn) == 1);
}

TEST_CASE("call: an Error of the check for unregistered tensors moves no statistics") {
  const Tensor scale = ones({2}, {.requires_grad = true});
  Scripted m([&](Scripted& s, const Tensor& v) { return s.bn(v) * scale; });
  CHECK_ERROR_MENTIONS(m(x()), "Scripted:", "not registered");
  CHECK(count(m.bn) == 0);
}

TEST_CASE("call: a nested call that throws drops its updates, though its caller goes on") {
  struct Fails : Module {
    BatchNorm1d& bn = child("bn", BatchNorm1d(2));
    Tensor forward(const Tensor& v) override { return bn(bn(v)).reshape({7}); }
  };
  struct Outer : Module {
    Fails& fails = child("fails", Fails());
    BatchNorm1d& bn = child("bn", BatchNorm1d(2));
    Tensor forward(const Tensor& v) override {
      const Tensor y = bn(v);
      CHECK_THROWS_AS(fails(v), Error);
      return bn(y);
    }
  } m;
  m(x());
  CHECK(count(m.bn) == 2);
  CHECK(count(m.fails.bn) == 0);
}

TEST_CASE("call: forward() called directly is no unit") {
  Scripted m([](Scripted& s, const Tensor& v) {
    s.bn.forward(v);
    return s.fc(wrong());
  });
  CHECK_THROWS_AS(m(x()), Error);  // the update joined the call around it
  CHECK(count(m.bn) == 0);
  CHECK_THROWS_AS(m.forward(x()), Error);  // no call is around it
  CHECK(count(m.bn) == 1);
}

TEST_CASE("call: settings count as they were when the layer ran") {
  Scripted m([](Scripted& s, const Tensor& v) {
    const Tensor y = s.bn(v);
    s.bn.set_stats_mode(StatsMode::hold);
    s.bn.running_mean.freeze();
    select_stats(s.bn, "night");
    return s.bn(y);
  });
  add_stats(m, "night");
  m(x());
  CHECK(record_of(m.bn) == initial_record(2));  // of "night"
  select_stats(m, "main");
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{0.5, 2.0});
  CHECK(count(m.bn) == 1);
}

TEST_CASE("call: writes inside a forward act at once, and its updates come on top") {
  Scripted m([](Scripted& s, const Tensor& v) {
    Tensor y = s.bn(v);
    s.bn.running_mean.copy_(full({2}, 10));
    CHECK(s.bn.running_mean.at<float>({0}) == 10);
    return y;
  });
  m(x());
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{5.5, 7.0});
}

TEST_CASE("call: the count reads as before inside the call; a layer used twice counts twice") {
  Scripted m([](Scripted& s, const Tensor& v) {
    s.bn(v);
    CHECK(count(s.bn) == 0);
    Tensor y = s.bn(v + 2);
    CHECK(count(s.bn) == 0);
    return y;
  });
  m(x());
  CHECK(count(m.bn) == 2);
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{0.25 + 1.5, 1.0 + 3.0});
}

TEST_CASE("call: without momentum, a layer used twice averages both batches") {
  struct Twice : Module {
    BatchNorm1d& bn = child("bn", BatchNorm1d(2, {.momentum = std::nullopt}));
    Tensor forward(const Tensor& v) override { return bn(v) + bn(v + 2); }
  } m;
  m(x());
  CHECK(count(m.bn) == 2);
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{2.0, 5.0});
}

TEST_CASE("call: a pass of estimation inside a forward is a unit of its own") {
  Scripted m([](Scripted& s, const Tensor& v) {
    estimate_running_stats(s.bn, {v});
    audit_stats(s.bn, std::vector{v});
    return s.fc(wrong());
  });
  CHECK_THROWS_AS(m(x()), Error);
  CHECK(record_of(m.bn) == Record{{1, 4}, {2, 8}, 1});
}

TEST_CASE("call: a call that a hook makes during a backward is a unit of its own") {
  BatchNorm1d other(2);
  Scripted m([&](Scripted& s, const Tensor& v) {
    Tensor leaf = v.clone().requires_grad_(true);
    leaf.register_hook([&](const Tensor&) { other(x()); });
    sum(s.bn(leaf) * leaf).backward();
    return s.fc(wrong());
  });
  CHECK_THROWS_AS(m(x()), Error);
  CHECK(count(other) == 1);
  CHECK(count(m.bn) == 0);
}

TEST_CASE("call: a thread that a forward starts is outermost there") {
  BatchNorm1d other(2);
  Scripted m([&](Scripted& s, const Tensor&) {
    std::thread([&] { other(x()); }).join();
    return s.fc(wrong());
  });
  CHECK_THROWS_AS(m(x()), Error);
  CHECK(count(other) == 1);
}

TEST_CASE("call: the functional batch_norm updates when it returns") {
  const Tensor mean = zeros({2}), var = ones({2});
  Scripted m([&](Scripted& s, const Tensor& v) {
    batch_norm(v, mean, var, {}, {}, {.training = true, .momentum = 0.5});
    return s.fc(wrong());
  });
  CHECK_THROWS_AS(m(x()), Error);
  CHECK(mean.to_vector<double>() == std::vector{0.5, 2.0});
}

TEST_CASE("call: AccumulateStats inside a forward makes one update, unless the call throws") {
  bool fails = true;
  Scripted m([&](Scripted& s, const Tensor& v) {
    {
      const AccumulateStats guard(s);
      s.bn(v);
      s.bn(v + 2);
    }
    return s.fc(fails ? wrong() : v);
  });
  CHECK_THROWS_AS(m(x()), Error);
  CHECK(record_of(m.bn) == initial_record(2));
  fails = false;
  m(x());
  CHECK(count(m.bn) == 1);
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{1.0, 2.5});
}

TEST_CASE("call: AccumulateStats around calls pools those that return") {
  Scripted m([&](Scripted& s, const Tensor& v) {
    const Tensor y = s.bn(v);
    return s.fc(v.at<float>({0, 0}) == 0 ? y : wrong());
  });
  {
    const AccumulateStats guard(m);
    m(x());
    CHECK_THROWS_AS(m(x() + 2), Error);
  }
  CHECK(count(m.bn) == 1);
  CHECK(m.bn.running_mean.to_vector<double>() == std::vector{0.5, 2.0});
}

TEST_CASE("call: a module with its own arguments is a unit, too") {
  struct Pair : Module {
    BatchNorm1d& bn = child("bn", BatchNorm1d(2));
    Tensor operator()(const Tensor& a, const Tensor& b) {
      return call([&] { return bn(a) + b; }, a, b);
    }
  } m;
  CHECK_THROWS_AS(m(x(), zeros({3, 3})), Error);
  CHECK(count(m.bn) == 0);
  const Tensor attacked = ones({2, 2}, {.requires_grad = true});
  m(attacked, attacked * 2);
  CHECK(count(m.bn) == 1);
}

// ---- what must be registered ----

namespace {

template <class M>
struct Holds : Module {
  M inner;
  explicit Holds(M m) : inner(std::move(m)) {}
  Tensor forward(const Tensor& v) override { return inner(v); }
};

}  // namespace

TEST_CASE("call: a module that is not registered is an Error though nothing in it trains") {
  Linear frozen(2, 2);
  frozen.requires_grad_(false);
  Holds linear(std::move(frozen));
  Holds norm(BatchNorm1d(2, {.affine = false}));
  for (int times = 0; times < 2; ++times) {
    CHECK_ERROR_MENTIONS(linear(x()), "Holds<", "Linear", "not registered", "nn::external");
    CHECK_ERROR_MENTIONS(norm(x()), "Holds<", "BatchNorm1d", "not registered");
  }
  CHECK(count(norm.inner) == 0);
  linear.eval();
  const NoGrad guard;
  CHECK_ERROR_MENTIONS(linear(x()), "Holds<", "Linear", "not registered");
}

TEST_CASE("call: a deep module that is not registered is found, and the message has the path") {
  struct Outer : Module {
    Holds<Linear>& block = child("block", Holds(Linear(2, 2)));
    Tensor forward(const Tensor& v) override { return block(v); }
  } m;
  CHECK_ERROR_MENTIONS(m(x()), "Outer 'block':", "Linear", "not registered");
}

TEST_CASE("call: modules without state need no registration, unless they read is_training()") {
  struct Plain : Module {
    Tensor forward(const Tensor& v) override { return Flatten()(ReLU()(v)); }
  } plain;
  CHECK(equal(plain(x()), x()));
  struct Noise : Module {
    Tensor forward(const Tensor& v) override { return is_training() ? v + randn(v.shape()) : v; }
  };
  Holds noisy{Noise()};
  CHECK_ERROR_MENTIONS(noisy(x()), "Holds<", "Noise", "not registered");
  CHECK_ERROR_MENTIONS(noisy(x()), "Holds<", "Noise", "not registered");
  Sequential registered{Noise(), ReLU()};
  registered(x());
  Noise()(x());  // alone
}

TEST_CASE("call: a module may be registered anywhere below the outermost one") {
  struct Decoder : Module {
    Linear* shared = nullptr;
    Tensor forward(const Tensor& v) override { return (*shared)(v); }
  };
  struct Tied : Module {
    Linear& encoder = child("encoder", Linear(2, 2));
    Decoder& decoder = child("decoder", Decoder());
    Tied() { decoder.shared = &encoder; }
    Tensor forward(const Tensor& v) override { return decoder(encoder(v)); }
  } m;
  m(x());
  CHECK_ERROR_MENTIONS(m.decoder(x()), "Decoder 'decoder':", "Linear", "not registered");
  m(x());
  struct Second : Module {  // registered a second time
    Linear& same;
    explicit Second(Linear& l) : same(child("same", l)) {}
    Tensor forward(const Tensor& v) override { return same(v); }
  } second(m.encoder);
  second(x());
}

TEST_CASE("call: external() allows a module to stay apart, and its parameters") {
  Sequential teacher{BatchNorm1d(2), Linear(2, 2)};
  bool fails = true;
  Scripted student([&](Scripted& s, const Tensor& v) {
    const Tensor y = s.bn(external(teacher)(v));
    return s.fc(fails ? wrong() : y);
  });
  CHECK_ERROR_MENTIONS(student(x()), "linear 'fc':");
  CHECK(count(teacher.at<BatchNorm1d>(0)) == 0);  // it is part of the unit
  fails = false;
  sum(student(x())).backward();
  CHECK(count(teacher.at<BatchNorm1d>(0)) == 1);
  CHECK(teacher.at<Linear>(1).weight.grad().defined());
  CHECK(equal(external(ReLU())(tensor({-1, 1})), tensor({0, 1})));
}

TEST_CASE("call: an external module's own forgotten modules are still found") {
  Holds<Linear> teacher(Linear(2, 2));
  Scripted student([&](Scripted&, const Tensor& v) { return external(teacher)(v); });
  CHECK_ERROR_MENTIONS(student(x()), "Holds<", "Linear", "not registered");
}
