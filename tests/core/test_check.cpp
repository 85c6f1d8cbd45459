// Error and the path that modules put into it.
#include "support/approx.h"

#include <cairn/core/check.h>
#include <cairn/core/shape.h>

using namespace cairn;

TEST_CASE("Error: each slot it passes stands in front of the path") {
  Error error("linear: input [4, 7] has 7 features");
  CHECK(std::string(error.what()) == "linear: input [4, 7] has 7 features");
  error.enter("1");
  error.enter("net");
  CHECK(std::string(error.what()) == "linear 'net.1': input [4, 7] has 7 features");
  Error without_op("no colon here");
  without_op.enter("net");
  CHECK(std::string(without_op.what()) == "'net': no colon here");
}

TEST_CASE("Error: copies share the text, and it is a std::exception") {
  const Error error("op: text");
  const Error copy = error;
  CHECK(copy.what() == error.what());
  CHECK(dynamic_cast<const std::exception*>(&error) != nullptr);
}

TEST_CASE("OutOfMemory: it is a std::bad_alloc that carries its text") {
  const OutOfMemory error("matmul", 1000);
  const std::bad_alloc& base = error;
  CHECK(std::string(base.what()) == "matmul: cannot allocate 1000 bytes");
  const std::string op(200, 'a');
  CHECK(std::string(OutOfMemory(op.c_str(), 1).what()) == std::string(119, 'a'));
}

TEST_CASE("check: formats only what fails") {
  check(true, "op: {}", 1);
  CHECK_THROWS_WITH_AS(check(false, "op: {} and {}", 1, Shape{2}), "op: 1 and [2]", Error);
}
