// Dimensions and values that cannot be folded.
#include "support/world.h"

#include <cmath>

using namespace cairn;
using namespace cairn::test;

TEST_CASE(
    "bad input: no dimension is folded that is not there, and nothing is chosen from nothing") {
  static constexpr BadCall calls[] = {
      {"sum: [2, 3] has no dimension 2; give one from -2 to 1", [](World& w) { sum(w.x, {2}); }},
      {"sum: dimension 0 of [2, 3] stands twice in [0, 0]; give each once",
       [](World& w) {
         sum(w.x, {0, 0});
       }},
      {"sum: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) { sum(w.x, {INT64_MIN}); }},
      {"sum: a scalar has no dimension 1; give 0 or -1", [](World& w) { sum(w.scalar, {1}); }},
      {"sum: dimension -1 of [] stands twice in [0, -1]; give each once",
       [](World& w) {
         sum(w.scalar, {0, -1});
       }},
      {"mean: [2, 3] has no dimension -3; give one from -2 to 1",
       [](World& w) { mean(w.x, {-3}); }},
      {"mean: dimension -1 of [2, 3] stands twice in [1, -1]; give each once",
       [](World& w) {
         mean(w.x, {1, -1});
       }},
      {"mean: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { mean(w.i); }},
      {"mean: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { mean(w.i, {0}); }},
      {"var: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { var(w.i); }},
      {"var: [2, 3] has no dimension 9223372036854775807; give one from -2 to 1",
       [](World& w) { var(w.x, {INT64_MAX}); }},
      {"var: dimension -2 of [2, 3] stands twice in [0, -2]; give each once",
       [](World& w) {
         var(w.x, {0, -2});
       }},
      {"amax: [2, 3] has no dimension 5; give one from -2 to 1", [](World& w) { amax(w.x, {5}); }},
      {"amax: dimension 1 of [2, 3] stands twice in [1, 1]; give each once",
       [](World& w) {
         amax(w.x, {1, 1});
       }},
      {"amax: there are no values to choose from in [0, 3]; look at numel() first",
       [](World& w) { amax(w.none, {0}); }},
      {"amin: there are no values to choose from in [0, 3]; look at numel() first",
       [](World& w) { amin(w.none, {}); }},
      {"argmax: there are no values to choose from in [0, 3]; look at numel() first",
       [](World& w) { argmax(w.none, 0); }},
      {"argmax: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { argmax(w.x, 2); }},
      {"argmax: a scalar has no dimension 1; give 0 or -1", [](World& w) { argmax(w.scalar, 1); }},
      {"logsumexp: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { logsumexp(w.x, {2}); }},
      {"logsumexp: dimension 0 of [2, 3] stands twice in [0, 0]; give each once",
       [](World& w) {
         logsumexp(w.x, {0, 0});
       }},
      {"softmax: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { softmax(w.x, 2); }},
      {"softmax: a scalar has no dimension -2; give 0 or -1",
       [](World& w) { softmax(w.scalar, -2); }},
      {"log_softmax: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) { log_softmax(w.x, INT64_MIN); }},
      {"log_softmax: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { log_softmax(w.i, 2); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: a norm of no order") {
  static constexpr BadCall calls[] = {
      {"norm: p is NaN, for [2, 3]", [](World& w) { norm(w.x, NAN); }},
      {"norm: not defined for int64 [2, 3]; use .to(DType::float32) first",
       [](World& w) { norm(w.i); }},
  };
  check_bad_calls(calls);
}
