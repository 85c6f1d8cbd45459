// Tests that go through a table, a row at a time.
#pragma once

#include <doctest/doctest.h>

#include <string>

namespace cairn::test {

/// Runs the checks of one row. A row that throws fails alone: its name and the exception are
/// reported, and the test goes on with the next row. (A failed REQUIRE ends the row, too: doctest
/// reports it, and then an unknown exception.)
template <class F>
void check_row(const std::string& name, F body) {
  INFO(name);
  CHECK_NOTHROW(body());
}

}  // namespace cairn::test
