// What is loaded whole or not at all.
#include "support/world.h"

#include <cmath>

using namespace cairn;
using namespace cairn::test;

namespace {

// Loads the model's own state, spoilt.
template <class F>
void loaded(World& w, F spoil) {
  StateDict state;
  for (const auto& [name, t] : w.net.state_dict()) state[name] = ones_like(t);
  spoil(state);
  w.net.load_state_dict(state);
}

// Loads the optimizer's own state, spoilt.
template <class F>
void restored(World& w, F spoil) {
  StateDict state = w.sgd.state_dict();
  state["groups.0.weight_decay"] = tensor(0.5);
  spoil(state);
  w.sgd.load_state_dict(state);
}

}  // namespace

TEST_CASE("bad input: a model loads everything or nothing, and lists all that is wrong") {
  static constexpr BadCall calls[] = {
      {"load_state_dict: nothing was loaded, because\n  0.weight: missing\n  0.bias: missing\n  "
       "1.0.weight: missing\n  1.0.bias: missing\n  1.0.running_mean: missing\n  1.0.running_var: "
       "missing\n  1.0.num_batches_tracked: missing\n  1.2.weight: missing\n  1.2.bias: missing",
       [](World& w) { w.net.load_state_dict({}); }},
      {"load_state_dict: nothing was loaded, because\n  0.weight: [3, 5] given, the model has [4, "
       "3]",
       [](World& w) { loaded(w, [](StateDict& d) {
                        d["0.weight"] = zeros({3, 5});
                      }); }},
      {"load_state_dict: nothing was loaded, because\n  0.bias: an undefined tensor given, the "
       "model has [4]",
       [](World& w) { loaded(w, [](StateDict& d) { d["0.bias"] = Tensor(); }); }},
      {"load_state_dict: nothing was loaded, because\n  1.2.bias: missing\n  1.2.scale: the model "
       "has no such entry",
       [](World& w) {
         loaded(w, [](StateDict& d) {
           d.erase("1.2.bias");
           d["1.2.scale"] = zeros({2});
         });
       }},
      {"load_state_dict: nothing was loaded, because\n  1.0.running_var: -1 at channel 1 is no "
       "variance",
       [](World& w) {
         loaded(w, [](StateDict& d) { d["1.0.running_var"] = tensor({1, -1, 1, 1}); });
       }},
      {"load_state_dict: nothing was loaded, because\n  1.0.running_var: nan at channel 3 is no "
       "variance",
       [](World& w) {
         loaded(w, [](StateDict& d) { d["1.0.running_var"] = tensor({1, 1, 1, NAN}); });
       }},
      {"load_state_dict: nothing was loaded, because\n  1.0.num_batches_tracked: 2.5 is no int64; "
       "give whole numbers",
       [](World& w) {
         loaded(w, [](StateDict& d) { d["1.0.num_batches_tracked"] = tensor(2.5); });
       }},
      {"load_state_dict: nothing was loaded, because\n  1.0.num_batches_tracked: -2 is no number "
       "of batches",
       [](World& w) {
         loaded(w, [](StateDict& d) { d["1.0.num_batches_tracked"] = tensor(-2, i64); });
       }},
      {"load_state_dict: nothing was loaded, because\n  1.0.running_mean: [] given, the model has "
       "[4]",
       [](World& w) { loaded(w, [](StateDict& d) { d["1.0.running_mean"] = zeros({}); }); }},
      {"load_state_dict: nothing was loaded, because\n  0.weight: [4] given, the model has [4, "
       "3]\n  1.0.running_mean: [3] given, the model has [4]\n  1.0.running_var: -1 at channel 0 "
       "is no variance\n  0.bias: missing\n  more: the model has no such entry",
       [](World& w) {
         loaded(w, [](StateDict& d) {
           d["0.weight"] = zeros({4});
           d["1.0.running_mean"] = zeros({3});
           d["1.0.running_var"] = zeros({4}) - 1;
           d["more"] = zeros({1});
           d.erase("0.bias");
         });
       }},
      {"load_state_dict: nothing was loaded, because\n  0.weight: [3, 4] given, the model has [4, "
       "3]",
       [](World& w) {
         StateDict d;
         d["0.weight"] = zeros({3, 4});
         d["more"] = zeros({1});
         w.net.load_state_dict(d, {.strict = false});
       }},
      {"load_state_dict: nothing was loaded, because\n  running_mean: the layer keeps no record; "
       "turn it on with track_running_stats(true)",
       [](World& w) {
         StateDict d;
         d["running_mean"] = zeros({3});
         d["weight"] = zeros({3});
         d["bias"] = zeros({3});
         w.bare.load_state_dict(d);
       }},
      {"load_state_dict: nothing was loaded, because\n  0.weight: [4] given, the model has [4, "
       "3]\n  1.0.weight: missing\n  1.0.bias: missing\n  1.0.running_mean: missing\n  "
       "1.0.running_var: missing\n  1.0.num_batches_tracked: missing\n  1.2.weight: missing\n  "
       "1.2.bias: missing\n  0.running_mean: the model has no such entry; did you mean "
       "'1.0.running_mean'?\n  0.running_var: the model has no such entry; did you mean "
       "'1.0.running_var'?\n  0.num_batches_tracked: the model has no such entry; did you mean "
       "'1.0.num_batches_tracked'?\n  2.weight: the model has no such entry; did you mean "
       "'1.2.weight'?\n  2.bias: the model has no such entry; did you mean '1.2.bias'?",
       [](World& w) { copy_state(w.inner, w.net); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: an optimizer loads everything or nothing") {
  static constexpr BadCall calls[] = {
      {"SGD: nothing was loaded, because\n  groups.0.lr: missing, or not one number\n  "
       "groups.0.momentum: missing, or not one number\n  groups.0.dampening: missing, or not one "
       "number\n  groups.0.weight_decay: missing, or not one number\n  groups.0.nesterov: missing, "
       "or not one number\n  groups.0.maximize: missing, or not one number",
       [](World& w) { w.sgd.load_state_dict({}); }},
      {"SGD: nothing was loaded, because\n"
       "  SGD: group 0: lr is -1; it must be finite and not negative",
       [](World& w) { restored(w, [](StateDict& d) { d["groups.0.lr"] = tensor(-1); }); }},
      {"SGD: nothing was loaded, because\n"
       "  SGD: group 0: momentum is nan; it must be finite and not negative",
       [](World& w) { restored(w, [](StateDict& d) { d["groups.0.momentum"] = tensor(NAN); }); }},
      {"SGD: nothing was loaded, because\n  groups.0.lr: missing, or not one number",
       [](World& w) { restored(w, [](StateDict& d) { d["groups.0.lr"] = zeros({2}); }); }},
      {"SGD: nothing was loaded, because\n  groups.0.lr: missing, or not one number",
       [](World& w) { restored(w, [](StateDict& d) { d["groups.0.lr"] = Tensor(); }); }},
      {"SGD: nothing was loaded, because\n  groups.0.nesterov: missing, or not one number",
       [](World& w) { restored(w, [](StateDict& d) { d.erase("groups.0.nesterov"); }); }},
      {"SGD: nothing was loaded, because\n  groups.1.lr: there is no such group, parameter "
       "or option",
       [](World& w) { restored(w, [](StateDict& d) { d["groups.1.lr"] = tensor(1); }); }},
      {"SGD: nothing was loaded, because\n  state.0.momentum_buffer: [2] given, "
       "expected [4, 3]",
       [](World& w) {
         restored(w, [](StateDict& d) { d["state.0.momentum_buffer"] = zeros({2}); });
       }},
      {"SGD: nothing was loaded, because\n  state.0.momentum_buffer: an undefined tensor "
       "given, expected [4, 3]",
       [](World& w) {
         restored(w, [](StateDict& d) { d["state.0.momentum_buffer"] = Tensor(); });
       }},
      {"SGD: nothing was loaded, because\n  state.99.momentum_buffer: there is no such "
       "group, parameter or option",
       [](World& w) {
         restored(w, [](StateDict& d) { d["state.99.momentum_buffer"] = zeros({2}); });
       }},
      {"SGD: nothing was loaded, because\n  groups.0.lr: missing, or not one number\n  "
       "state.0.momentum_buffer: [] given, expected [4, 3]\n  state.0.exp_avg: there is no "
       "such group, parameter or option",
       [](World& w) {
         restored(w, [](StateDict& d) {
           d["state.0.exp_avg"] = zeros({2});
           d["state.0.momentum_buffer"] = zeros({});
           d.erase("groups.0.lr");
         });
       }},
  };
  check_bad_calls(calls);
}
