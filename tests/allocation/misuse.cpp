// Errors: making one and reporting misuse, when there is no memory for it.
#include "allocation/every_allocation.h"
#include "allocation/failing_new.h"

#include <cairn/core/ops.h>

using namespace cairn;
using namespace cairn::test;

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
