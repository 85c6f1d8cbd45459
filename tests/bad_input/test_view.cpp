// Shapes that a tensor cannot be seen in.
#include "support/world.h"

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no view is taken that cannot be") {
  static constexpr BadCall calls[] = {
      {"reshape: [2, 3] has 6 elements, which do not fit [4]", [](World& w) { w.x.reshape({4}); }},
      {"reshape: [2, 3] to [-1, -1]: only one size may be -1",
       [](World& w) {
         w.x.reshape({-1, -1});
       }},
      {"reshape: [2, 3] has 6 elements, which do not fit [-1, 4]",
       [](World& w) {
         w.x.reshape({-1, 4});
       }},
      {"reshape: [2, 3] to [-2, -3]: a size is negative",
       [](World& w) {
         w.x.reshape({-2, -3});
       }},
      {"reshape: [2, 3] to [-1, -9223372036854775808]: a size is negative",
       [](World& w) {
         w.x.reshape({-1, INT64_MIN});
       }},
      {"reshape: [2, 3] has 6 elements, which do not fit [-1, 0]",
       [](World& w) {
         w.x.reshape({-1, 0});
       }},
      {"reshape: [0, 3] to [-1, 0]: any size would do in place of -1; say which",
       [](World& w) {
         w.none.reshape({-1, 0});
       }},
      {"reshape: the sizes of [9223372036854775807, 9223372036854775807] multiply to more than "
       "2^63",
       [](World& w) {
         w.x.reshape({INT64_MAX, INT64_MAX});
       }},
      {"shape: more than 8 dimensions are not supported",
       [](World& w) {
         w.x.reshape({1, 1, 1, 1, 1, 1, 1, 2, 3});
       }},
      {"view: [3, 4] with strides [1, 3] cannot be seen as [12] without a copy; use reshape()",
       [](World& w) { w.turned.view({12}); }},
      {"view: [2, 3] with strides [0, 1] cannot be seen as [6] without a copy; use reshape()",
       [](World& w) { w.wide.view({6}); }},
      {"view: [2, 3] has 6 elements, which do not fit [5]", [](World& w) { w.x.view({5}); }},
      {"view: [2, 3] to [-1, -1]: only one size may be -1",
       [](World& w) {
         w.x.view({-1, -1});
       }},
      {"transpose: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { w.x.transpose(0, 2); }},
      {"transpose: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) { w.x.transpose(INT64_MIN, 0); }},
      {"transpose: a scalar has no dimension 1; give 0 or -1",
       [](World& w) { w.scalar.transpose(0, 1); }},
      {"t: [4, 2, 3, 3] is no matrix; use transpose() or permute()",
       [](World& w) { w.images.t(); }},
      {"permute: [0] does not name each dimension of [2, 3] once",
       [](World& w) { w.x.permute({0}); }},
      {"permute: dimension 0 of [2, 3] stands twice in [0, 0]; give each once",
       [](World& w) {
         w.x.permute({0, 0});
       }},
      {"permute: dimension -2 of [2, 3] stands twice in [0, -2]; give each once",
       [](World& w) {
         w.x.permute({0, -2});
       }},
      {"permute: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) {
         w.x.permute({0, 2});
       }},
      {"permute: [0, 1, 2] does not name each dimension of [2, 3] once",
       [](World& w) {
         w.x.permute({0, 1, 2});
       }},
      {"unsqueeze: [2, 3] has no place 3 for a new dimension; give one from -3 to 2",
       [](World& w) { w.x.unsqueeze(3); }},
      {"unsqueeze: [2, 3] has no place -4 for a new dimension; give one from -3 to 2",
       [](World& w) { w.x.unsqueeze(-4); }},
      {"unsqueeze: [2, 3] has no place 9223372036854775807 for a new dimension; give one from -3 "
       "to 2",
       [](World& w) { w.x.unsqueeze(INT64_MAX); }},
      {"unsqueeze: [1, 1, 1, 1, 1, 1, 1, 2] has 8 dimensions already, which is the most there can "
       "be",
       [](World& w) { w.deep.unsqueeze(0); }},
      {"squeeze: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { w.x.squeeze(2); }},
      {"squeeze: a scalar has no dimension 1; give 0 or -1", [](World& w) { w.scalar.squeeze(1); }},
      {"flatten: a scalar has no dimension 1; give 0 or -1",
       [](World& w) { w.scalar.flatten(0, 1); }},
      {"expand: [2, 3] does not stretch to [4, 3]; only dimensions of size 1 do, and new ones in "
       "front",
       [](World& w) {
         w.x.expand({4, 3});
       }},
      {"expand: [2, 3] does not stretch to [3]; only dimensions of size 1 do, and new ones in "
       "front",
       [](World& w) { w.x.expand({3}); }},
      {"expand: [2, 3] does not stretch to []; only dimensions of size 1 do, and new ones in front",
       [](World& w) { w.x.expand({}); }},
      {"expand: negative dimension in [-1, 2, 3]",
       [](World& w) {
         w.x.expand({-1, 2, 3});
       }},
      {"expand: negative dimension in [-2, 3]",
       [](World& w) {
         w.x.expand({-2, 3});
       }},
      {"expand: negative dimension in [-9223372036854775808, 3]",
       [](World& w) {
         w.x.expand({INT64_MIN, 3});
       }},
      {"expand: the sizes of [9223372036854775807, 2] multiply to more than 2^63",
       [](World& w) {
         w.scalar.expand({INT64_MAX, 2});
       }},
      {"select: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { w.x.select(2, 0); }},
      {"select: index 2 is out of range for dimension 0 of [2, 3]",
       [](World& w) { w.x.select(0, 2); }},
      {"select: index -4 is out of range for dimension 1 of [2, 3]",
       [](World& w) { w.x.select(1, -4); }},
      {"select: index -9223372036854775808 is out of range for dimension 1 of [2, 3]",
       [](World& w) { w.x.select(1, INT64_MIN); }},
      {"slice: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { w.x.slice(2, 0, 1); }},
      {"slice: [2, 3] in steps of 0; a step is at least 1",
       [](World& w) { w.x.slice(0, 0, 2, 0); }},
      {"slice: [2, 3] in steps of -1; a step is at least 1",
       [](World& w) { w.x.slice(0, 0, 2, -1); }},
      {"slice: [2, 3] in steps of -9223372036854775808; a step is at least 1",
       [](World& w) { w.x.slice(0, INT64_MIN, INT64_MAX, INT64_MIN); }},
      {"flatten: dimension 1 of [2, 3] comes after dimension 0",
       [](World& w) { w.x.flatten(1, 0); }},
      {"flatten: [2, 3] has no dimension 2; give one from -2 to 1",
       [](World& w) { w.x.flatten(0, 2); }},
      {"flatten: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) { w.x.flatten(INT64_MIN); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no pieces") {
  static constexpr BadCall calls[] = {
      {"chunk: [2, 3] into 0 pieces; give at least 1", [](World& w) { chunk(w.x, 0); }},
  };
  check_bad_calls(calls);
}
