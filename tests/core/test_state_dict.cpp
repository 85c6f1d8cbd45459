// StateDict by itself; tests/nn/test_state_dict.cpp has what modules do with it.
#include "support/approx.h"

#include <cairn/core/state_dict.h>

#include <string>
#include <type_traits>
#include <vector>

using namespace cairn;
using namespace cairn::test;

namespace {

std::vector<std::string> names_of(const StateDict& dict) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : dict) names.push_back(name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("state dict: names keep the order in which they came") {
  StateDict dict;
  dict["b"] = tensor({1});
  dict["a"] = tensor({2});
  dict["c"];
  dict["b"] = tensor({3});
  CHECK(names_of(dict) == Names{"b", "a", "c"});
  CHECK(equal(dict.at("b"), tensor({3})));
  CHECK_FALSE(dict.at("c").defined());
  dict.erase("b");
  dict.erase("none");
  dict["b"] = tensor({4});
  CHECK(names_of(dict) == Names{"a", "c", "b"});
  for (auto& [name, value] : dict) value = tensor({5});
  CHECK(equal(dict.at("b"), tensor({5})));
  CHECK_ERROR_MENTIONS(dict.at("none"), "there is no 'none'");
}

TEST_CASE("state dict: a copy has names of its own and shares the tensors") {
  StateDict first;
  first["a"] = tensor({1});
  first["b"] = tensor({2});
  StateDict copy = first;
  first.erase("a");
  first["c"] = tensor({3});
  first.at("b").detach().zero_();
  CHECK(names_of(copy) == Names{"a", "b"});
  CHECK(equal(copy.at("b"), tensor({0})));
  copy = first;
  CHECK(names_of(copy) == Names{"b", "c"});
  copy = *&copy;
  CHECK(equal(copy.at("c"), tensor({3})));
}

TEST_CASE("state dict: a moved dictionary leaves an empty one that can be used") {
  StateDict first;
  first["a"] = tensor({1});
  StateDict second = std::move(first);
  CHECK(first.empty());  // NOLINT(bugprone-use-after-move): this is what the test is about
  first["z"] = tensor({2});
  CHECK(names_of(second) == Names{"a"});
  second = std::move(first);
  CHECK(names_of(second) == Names{"z"});
  CHECK(equal(second.at("z"), tensor({2})));
  static_assert(std::is_nothrow_move_constructible_v<StateDict>);
}
