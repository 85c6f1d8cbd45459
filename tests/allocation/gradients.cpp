// Gradients: setting them, hooks, backward() and grad().
#include "allocation/fail_on.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("gradients: setting, hooks and flags, whatever allocation fails") {
  const auto a_leaf = [] { return Tensors{randn({3}, leaf), ones({3}, f64)}; };
  const auto in_graph = [] {
    const Tensor x = randn({3}, leaf);
    return Tensors{x * 2, ones({3}, f64), x};
  };
  const auto none = [](auto call) { return [call](Tensors& x) { return call(x), Tensor(); }; };
  const auto constant = [] { return Tensors{ones({3}, f64), ones({3}, f64)}; };
  CHECK(fail_on("requires_grad_", constant, none([](Tensors& x) { x[0].requires_grad_(); })) > 0);
  CHECK(fail_on("set_grad", constant, none([](Tensors& x) { x[0].set_grad(x[1]); })) > 0);
  CHECK(fail_on("retain_grad", in_graph, none([](Tensors& x) { x[0].retain_grad(); })) > 0);
  for (const auto& make : {std::function<Tensors()>(a_leaf), std::function<Tensors()>(in_graph)}) {
    CHECK(fail_on("register_hook", make, none([](Tensors& x) {
                    const std::array<int64_t, 8> too_large_to_be_kept_in_place{};
                    x[0].register_hook([=](const Tensor& g) {
                      return g * static_cast<double>(too_large_to_be_kept_in_place[0] + 2);
                    });
                  })) > 1);
    CHECK(fail_on("a hook that returns nothing", make, none([](Tensors& x) {
                    const std::array<int64_t, 8> too_large_to_be_kept_in_place{};
                    x[0].register_hook([=](const Tensor&) { (void)too_large_to_be_kept_in_place; });
                  })) > 1);
  }
  CHECK(fail_on("detach", in_graph, [](Tensors& x) { return x[0].detach(); }) > 0);
}

TEST_CASE("backward: hooks, retained gradients and deep graphs, whatever allocation fails") {
  const auto kept = [](Tensors& x) {
    x.back().backward({}, {.retain_graph = true});
    return Tensor();
  };
  const auto hooked = [] {
    const Tensor x = randn({3}, leaf);
    Tensor y = x * 2;
    y.retain_grad().register_hook([](const Tensor& g) { return g * 3; });
    Tensor(x).register_hook([](const Tensor& g) { return g + 1; });
    return Tensors{x, y, (y * y).sum()};
  };
  const auto deep = [] {
    const Tensor x = randn({3}, leaf);
    Tensor y = x;
    for (int i = 0; i < 100; ++i) y = y * x;
    return Tensors{x, y.sum()};
  };
  const auto broadcast = [] {
    const Tensor x = randn({1, 3}, leaf), s = randn({}, leaf);
    return Tensors{x, s, ((x * randn({4, 3}, f64) + s) * cat({x, x, x, x})).sum()};
  };
  CHECK(fail_on("hooked", hooked, kept) > 20);
  CHECK(fail_on("deep", deep, kept) > 200);
  CHECK(fail_on("broadcast", broadcast, kept) > 20);
}

TEST_CASE("grad: touches nothing, whatever allocation fails") {
  const auto make = [] {
    const Tensor x = randn({3}, leaf), y = randn({3}, leaf), z = x * x * y;
    return Tensors{x, y, z, (z * z).sum()};
  };
  const auto fail = [&](const char* name, auto call) {
    const Tried tried = fail_every_allocation(name, [&] {
      manual_seed(1);
      auto x = std::make_shared<Tensors>(make());
      auto from = std::make_shared<Tensors>(Tensors{(*x)[3]});
      auto to = std::make_shared<Tensors>(Tensors{(*x)[0], (*x)[2]});
      auto result = std::make_shared<Tensors>();
      return Trial{[=] { *result = call(*from, *to); }, [=] { return state(*x) << state(*result); },
                   [=] { return values_of(call(*from, *to)); }};
    });
    CHECK(tried);
    CHECK(tried.failures > 30);
  };
  fail("grad", [](const Tensors& from, const Tensors& to) {
    return grad(from, to, {.retain_graph = true});
  });
  fail("grad with create_graph", [](const Tensors& from, const Tensors& to) {
    return grad(from, to, {.create_graph = true});
  });
}
