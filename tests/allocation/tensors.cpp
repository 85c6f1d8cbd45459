// Tensors: making them, drawing them, writing to them, reading them.
#include "allocation/fail_on.h"

#include <cairn/cairn.h>

using namespace cairn;
using namespace cairn::test;

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
  CHECK(tried.failures > 4);
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
