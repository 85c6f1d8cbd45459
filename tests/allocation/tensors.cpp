// Tensors: making them, drawing them, writing to them, reading them, and their gradients.
#include "allocation/every_allocation.h"
#include "allocation/failing_new.h"

#include <cairn/cairn.h>

#include <fmt/format.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

Bits values_of(const Tensors& tensors) {
  Bits bits;
  for (const Tensor& x : tensors) {
    bits << values(x);
    if (x.defined()) bits << x.requires_grad() << values(x.grad());
  }
  return bits;
}

// Fails every allocation of y = call(tensors), for tensors that are made anew each time.
template <class Make, class Call>
int64_t fail_on(const std::string& name, Make make, Call call) {
  const Tried tried = fail_every_allocation(name, [&] {
    manual_seed(1);
    auto given = std::make_shared<Tensors>(make());
    auto y = std::make_shared<Tensor>();
    return Trial{[=] { *y = call(*given); },
                 [=] { return state(*given) << state(*y) << state_of_generator(); },
                 [=] {
                   const Bits before = values_of({*y});  // of a call that did without memory
                   *y = call(*given);
                   return values_of(*given) << before << values_of({*y}) << state_of_generator();
                 }};
  });
  CHECK(tried);
  return tried.failures;
}

// The same for what takes no tensor.
template <class Call>
int64_t fail_making(const std::string& name, Call call) {
  return fail_on(
      name, [] { return Tensors(); }, [call](Tensors&) { return call(); });
}

// The same for what gives no tensor: `write_down` turns what it gives into Bits.
template <class Make, class Call, class WriteDown>
int64_t fail_reading(const std::string& name, Make make, Call call, WriteDown write_down) {
  const Tried tried = fail_every_allocation(name, [&] {
    auto given = std::make_shared<Tensors>(make());
    return Trial{[=] { call(*given); }, [=] { return state(*given); },
                 [=] { return write_down(call(*given)); }};
  });
  CHECK(tried);
  return tried.failures;
}

Bits text(const std::string& s) { return Bits() << s; }

constexpr TensorOptions leaf{.dtype = DType::float64, .requires_grad = true};

}  // namespace

TEST_CASE("making tensors: whatever allocation fails, nothing has been made") {
  const float data[] = {1, 2};
  for (const TensorOptions& options : {f32, leaf}) {
    CHECK(fail_making("tensor", [=] { return tensor({{1, 2}, {3, 4}}, options); }) > 2);
    CHECK(fail_making("empty", [=] { return empty({0, 2}, options); }) > 2);
    CHECK(fail_making("full", [=] { return full({2, 2}, 7, options); }) > 2);
    CHECK(fail_making("eye", [=] { return eye(3, options); }) > 2);
    CHECK(fail_making("arange", [=] { return arange(3, options); }) > 2);
    CHECK(fail_making("linspace", [=] { return linspace(0, 1, 3, options); }) > 2);
  }
  CHECK(fail_making("from_data", [&] { return from_data(std::span(data), {2}); }) > 2);
  CHECK(fail_making("one_hot", [] { return one_hot(arange(3, i64), 3); }) > 10);
}

TEST_CASE(
    "from_blob: takes the memory over or leaves it to the caller, whatever allocation fails") {
  static double data[] = {1, 2};
  int64_t freed = 0, made = 0;
  const Tried tried = fail_every_allocation("from_blob", [&] {
    return Trial{[&] {
                   const std::array<int64_t*, 8> too_large_to_be_kept_in_place{&freed};
                   const Tensor x =
                       from_blob(data, {2}, [=](double*) { ++*too_large_to_be_kept_in_place[0]; });
                   ++made;
                 },
                 [&] { return Bits() << double(freed - made); },
                 [&] { return values(from_blob(data, {2}, [&](double*) { ++freed, ++made; })); }};
  });
  CHECK(tried);
  CHECK(tried.failures > 6);
  CHECK(freed == made);
}

TEST_CASE("drawing: the generator moves only if the tensor is there, whatever allocation fails") {
  for (const TensorOptions& options : {f32, leaf}) {
    CHECK(fail_making("rand", [=] { return rand({5}, options); }) > 2);
    CHECK(fail_making("randn", [=] { return randn({5}, options); }) > 2);
  }
  CHECK(fail_making("randint", [] { return randint(0, 10, {5}); }) > 2);
  CHECK(fail_making("randperm", [] { return randperm(5); }) > 2);
  CHECK(fail_on(
            "randn_like", [] { return Tensors{ones({3})}; },
            [](Tensors& x) { return randn_like(x[0]); }) > 2);
  CHECK(fail_making("state", [] { return default_generator().state(); }) > 10);
  CHECK(fail_on(
            "set_state",
            [] {
              const Tensor state = default_generator().state();
              rand({5});
              return Tensors{state};
            },
            [](Tensors& x) {
              default_generator().set_state(x[0]);
              return Tensor();
            }) > 10);
  CHECK(fail_making("a generator of one's own", [] { return Generator(7).state(); }) > 10);
}

TEST_CASE("in place: the values are all new or all old, whatever allocation fails") {
  using Call = Tensor& (*)(Tensor&, const Tensor&);
  const std::pair<const char*, Call> calls[] = {
      {"add_", [](Tensor& x, const Tensor& y) -> Tensor& { return x.add_(y); }},
      {"mul_", [](Tensor& x, const Tensor& y) -> Tensor& { return x.mul_(y); }},
      {"div_ by a number", [](Tensor& x, const Tensor&) -> Tensor& { return x.div_(3); }},
      {"copy_", [](Tensor& x, const Tensor& y) -> Tensor& { return x.copy_(y); }},
      {"fill_", [](Tensor& x, const Tensor&) -> Tensor& { return x.fill_(3); }},
      {"clamp_", [](Tensor& x, const Tensor&) -> Tensor& { return x.clamp_(-1, 1); }},
      {"sub_ of itself, turned",
       [](Tensor& x, const Tensor&) -> Tensor& { return x.sub_(x.t()); }}};
  const auto constants = [] { return Tensors{randn({3, 3}, f64), randn({3}, f64)}; };
  const auto in_graph = [] {
    Tensors x{randn({3, 3}, leaf), randn({3}, leaf)};
    x.insert(x.begin(), x[0] * 2);  // what is written, in a graph, and with a gradient of its own
    x[0].retain_grad().register_hook([](const Tensor& g) { return g * 2; });
    return Tensors{x[0], x[2], x[1]};
  };
  for (const auto& [name, call] : calls) {
    fail_on(name, constants, [call = call](Tensors& x) { return call(x[0], x[1]); });
    const auto and_backward = [call = call](Tensors& x) {
      call(x[0], x[1]);
      return Tensor();
    };
    CHECK(fail_on(std::string(name) + " in a graph", in_graph, and_backward) > 5);
  }
}

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

TEST_CASE("reading: whatever allocation fails, nothing is changed") {
  const auto make = [] { return Tensors{linspace(-1, 1, 12).reshape({2, 6}), arange(2000)}; };
  const auto numbers = [](const std::vector<double>& v) {
    Bits bits;
    for (const double x : v) bits << x;
    return bits;
  };
  CHECK(fail_reading(
            "to_vector", make, [](Tensors& x) { return x[0].t().to_vector<double>(); }, numbers) >
        2);
  CHECK(fail_reading(
            "to_string", make, [](Tensors& x) { return to_string(x[0]); }, text) > 20);
  CHECK(fail_reading(
            "to_string of many", make, [](Tensors& x) { return to_string(x[1]); }, text) > 20);
  CHECK(fail_reading(
            "to_string of a shape", make,
            [](Tensors&) {
              return to_string(Shape{100, 200, 300, 400, 500, 600});
            },
            text) > 0);
  CHECK(fail_reading(
            "build_info", make, [](Tensors&) { return to_string(build_info()); }, text) > 2);
  CHECK(fail_reading(
            "memory_stats", make, [](Tensors&) { return to_string(MemoryStats{}); }, text) > 0);
  fail_reading(
      "item", make,
      [](Tensors& x) {
        return x[0].at<double>({1, 2});
      },
      [](double v) { return Bits() << v; });
  fail_reading(
      "allclose", make, [](Tensors& x) { return allclose(x[0], x[0] + 1); },
      [](bool v) { return Bits() << v; });
}

TEST_CASE("StateDict: an entry is there or not, whatever allocation fails") {
  const Tensor x = ones({3});
  const Tried tried = fail_every_allocation("StateDict", [&] {
    auto dict = std::make_shared<StateDict>();
    (*dict)["a_name_that_is_long_enough_to_allocate"] = x;
    return Trial{[=] { (*dict)["another_name_that_is_long_enough"] = x; },
                 [=] { return values(*dict); },
                 [=] {
                   (*dict)["another_name_that_is_long_enough"] = x;
                   const StateDict copy = *dict;
                   return values(copy);
                 }};
  });
  CHECK(tried);
  CHECK(tried.failures > 2);
}

TEST_CASE("Error: it is made and takes on a path without memory, too") {
  const std::string slot = "a_name_that_is_long_enough_to_allocate";
  const std::string message = "op: " + std::string(300, 'x');
  const auto is_beginning = [&](const Error& error) {
    return std::string_view(error.what()).starts_with("op: xxxx");
  };
  for (int64_t k = 1; k < 12; ++k) {
    bool good = false;
    {
      const FailingNew failing(k, Failing::from_then_on);
      Error error(message);
      good = is_beginning(error);
      const Error copy = error;
      error.enter(slot);
      good = good && (is_beginning(error) || std::string_view(error.what()).starts_with("op 'a_n"));
      good = good && is_beginning(copy);
    }
    CHECK(good);
  }
}

TEST_CASE("check: reports misuse, or that there is no memory to report it") {
  const Tensor x = ones({2}), y = ones({3});
  const auto call = [&] {
    try {
      add(x, y);
    } catch (const Error& error) {
      if (std::string_view(error.what()).find("do not broadcast") == std::string_view::npos) throw;
    }
  };
  const Tried tried = fail_every_allocation("add", [&] {
    return Trial{call, [&] { return state(x) << state(y); }, [&] { return call(), Bits(); }};
  });
  CHECK(tried);
  CHECK(tried.failures > 5);
}
