// Values, sizes and settings that are not there.
#include "support/world.h"

#include <cairn/core/machine.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: nothing is read that is not there") {
  static constexpr BadCall calls[] = {
      {"size: [2, 3] has no dimension 2; give one from -2 to 1", [](World& w) { w.x.size(2); }},
      {"size: [2, 3] has no dimension -9223372036854775808; give one from -2 to 1",
       [](World& w) { w.x.size(INT64_MIN); }},
      {"size: a scalar has no dimension 0, nor any other", [](World& w) { w.scalar.size(0); }},
      {"shape: [2, 3] has no dimension 5", [](World& w) { w.x.shape()[5]; }},
      {"shape: [1, 2] has no dimension -9223372036854775808",
       [](World&) {
         Shape({1, 2})[INT64_MIN];
       }},
      {"shape: [] has no place 1 for a new dimension", [](World&) { Shape().insert(1, 1); }},
      {"shape: [1] has no dimension 1", [](World&) { Shape({1}).erase(1); }},
      {"item: [2, 3] has 6 values, not one; use at() or to_vector()",
       [](World& w) { w.x.item<float>(); }},
      {"item: [0, 3] has 0 values, not one; use at() or to_vector()",
       [](World& w) { w.none.item<int>(); }},
      {"at: [2, 3] needs one index for each dimension, got [0]",
       [](World& w) { w.x.at<float>({0}); }},
      {"at: [2, 3] needs one index for each dimension, got [0, 0, 0]",
       [](World& w) {
         w.x.at<float>({0, 0, 0});
       }},
      {"at: [] needs one index for each dimension, got [0]",
       [](World& w) { w.scalar.at<float>({0}); }},
      {"at: index [2, 0] is out of range for [2, 3]",
       [](World& w) {
         w.x.at<float>({2, 0});
       }},
      {"at: index [0, -4] is out of range for [2, 3]",
       [](World& w) {
         w.x.at<float>({0, -4});
       }},
      {"at: index [9223372036854775807, -9223372036854775808] is out of range for [2, 3]",
       [](World& w) {
         w.x.at<float>({INT64_MAX, INT64_MIN});
       }},
      {"at: index [0, 0] is out of range for [0, 3]",
       [](World& w) {
         w.none.at<float>({0, 0});
       }},
      {"data: the tensor [2, 3] is float32, not float64; convert it with .to()",
       [](World& w) { w.x.data<double>(); }},
      {"data: the tensor [2, 3] is float64, not float32; convert it with .to()",
       [](World& w) { w.d.data<float>(); }},
      {"data: the tensor [2, 3] is int64, not float32; convert it with .to()",
       [](World& w) { w.i.data<float>(); }},
      {"mutable_data: the tensor [2, 3] is float32, not int64; convert it with .to()",
       [](World& w) { w.x.mutable_data<int64_t>(); }},
      {"span: the tensor [2, 3] is float32, not float64; convert it with .to()",
       [](World& w) { static_cast<void>(w.x.span<double>()); }},
      {"span: [3, 2] with strides [1, 3] is not contiguous; take contiguous() first",
       [](World& w) { static_cast<void>(w.x.t().span<float>()); }},
      {"select: index 2 is out of range for dimension 0 of [2, 3]", [](World& w) { w.x[2]; }},
      {"select: index -3 is out of range for dimension 0 of [2, 3]", [](World& w) { w.x[-3]; }},
      {"select: a scalar has no dimension 0, nor any other", [](World& w) { w.scalar[0]; }},
      {"select: index 0 is out of range for dimension 0 of [0, 3]", [](World& w) { w.none[0]; }},
      {"state_dict: there is no 'fc.weight'", [](World&) { StateDict().at("fc.weight"); }},
      {"set_num_threads: 0 threads; give 1 to 4096", [](World&) { set_num_threads(0); }},
      {"set_num_threads: -1 threads; give 1 to 4096", [](World&) { set_num_threads(-1); }},
      {"set_num_threads: 9223372036854775807 threads; give 1 to 4096",
       [](World&) { set_num_threads(INT64_MAX); }},
  };
  check_bad_calls(calls);
}
