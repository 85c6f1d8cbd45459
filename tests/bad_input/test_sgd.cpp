// An optimizer moves every parameter or none.
#include "support/world.h"

#include <cmath>
#include <utility>

using namespace cairn;
using namespace cairn::test;

namespace {

// A step after somebody has spoiled the options of the first group.
template <class F>
void broken(World& w, F spoil) {
  optim::SGDOptions& options = w.sgd.groups()[0];
  const optim::SGDOptions before = options;
  spoil(options);
  try {
    w.sgd.step();
  } catch (const Error&) {
    options = before;
    throw;
  }
}

}  // namespace

TEST_CASE("bad input: no optimizer is made of what cannot be trained") {
  static constexpr BadCall calls[] = {
      {"SGD: group 0: no parameters", [](World&) { optim::SGD({}); }},
      {"SGD: group 0: parameter 0 is undefined", [](World&) { optim::SGD({Tensor()}); }},
      {"SGD: group 0: parameter 1 is undefined",
       [](World& w) {
         optim::SGD({w.leaf, w.moved_from_tensor});
       }},
      {"SGD: group 0: parameter 0 [2, 3] is no leaf: an op computed it",
       [](World& w) { optim::SGD({w.each}); }},
      {"SGD: group 0: parameter 1 [3] is there twice",
       [](World& w) {
         optim::SGD({w.leaf, w.leaf});
       }},
      {"SGD: group 0: parameter 0 [2, 3] is int64; only float32 and float64 are trained",
       [](World& w) { optim::SGD({w.i}); }},
      {"SGD: [3, 3] is expanded: one value stands for several elements; write to a clone()",
       [](World& w) {
         optim::SGD({w.leaf.detach().expand({3, 3})});
       }},
      {"SGD: group 0: parameter 0 [4] is a buffer, which is never trained",
       [](World& w) { optim::SGD({w.norm.running_mean}); }},
      {"SGD: group 0: parameter 1 [] is a buffer, which is never trained",
       [](World& w) {
         optim::SGD({w.leaf, w.norm.num_batches_tracked.tensor().detach()});
       }},
      {"SGD: group 0: lr is -1; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.lr = -1}); }},
      {"SGD: group 0: lr is nan; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.lr = -NAN}); }},
      {"SGD: group 0: lr is inf; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.lr = INFINITY}); }},
      {"SGD: group 0: momentum is -0.5; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.momentum = -0.5}); }},
      {"SGD: group 0: momentum is nan; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.momentum = NAN}); }},
      {"SGD: group 0: dampening is inf; it must be finite",
       [](World& w) { optim::SGD({w.leaf}, {.dampening = INFINITY}); }},
      {"SGD: group 0: weight_decay is -1; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.weight_decay = -1}); }},
      {"SGD: group 0: weight_decay is nan; it must be finite and not negative",
       [](World& w) { optim::SGD({w.leaf}, {.weight_decay = NAN}); }},
      {"SGD: group 0: nesterov needs momentum > 0 and dampening 0, got 0 and 0",
       [](World& w) { optim::SGD({w.leaf}, {.nesterov = true}); }},
      {"SGD: group 0: nesterov needs momentum > 0 and dampening 0, got 0.9 and 0.1",
       [](World& w) {
         optim::SGD({w.leaf}, {.momentum = 0.9, .dampening = 0.1, .nesterov = true});
       }},
      {"SGD: group 1: no parameters", [](World& w) { w.sgd.add_group({}); }},
      {"SGD: group 1: parameter 0 [4] is there twice",
       [](World& w) { w.sgd.add_group({w.net.parameters()[1]}); }},
      {"SGD: group 1: parameter 1 [3] is there twice",
       [](World& w) {
         w.sgd.add_group({w.leaf, w.leaf});
       }},
      {"SGD: group 1: lr is -1; it must be finite and not negative",
       [](World& w) { w.sgd.add_group({w.leaf}, {.lr = -1}); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: an optimizer has no other groups, and once moved from none") {
  static constexpr BadCall calls[] = {
      {"SGD: there is no group 1", [](World& w) { w.sgd.lr(1); }},
      {"SGD: this optimizer was moved from; use the one that it was moved to",
       [](World& w) {
         optim::SGD sgd({w.leaf});
         const optim::SGD taken = std::move(sgd);
         sgd.step();  // NOLINT(bugprone-use-after-move, clang-analyzer-cplusplus.Move): the test
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: what goes bad after construction stops the step before anything moves") {
  static constexpr BadCall calls[] = {
      {"SGD: group 0: lr is -1; it must be finite and not negative",
       [](World& w) { broken(w, [](auto& group) { group.lr = -1; }); }},
      {"SGD: group 0: momentum is nan; it must be finite and not negative",
       [](World& w) { broken(w, [](auto& group) { group.momentum = NAN; }); }},
      {"SGD: group 0: dampening is nan; it must be finite",
       [](World& w) { broken(w, [](auto& group) { group.dampening = NAN; }); }},
      {"SGD: group 0: weight_decay is inf; it must be finite and not negative",
       [](World& w) { broken(w, [](auto& group) { group.weight_decay = INFINITY; }); }},
      {"SGD: group 0: nesterov needs momentum > 0 and dampening 0, got 0.9 and 0.5",
       [](World& w) {
         broken(w, [](auto& group) {
           group.nesterov = true;
           group.dampening = 0.5;
         });
       }},
      {"SGD: group 1: parameter 0 [3] is no leaf: an op computed it",
       [](World& w) {
         Tensor p = zeros({3}, {.requires_grad = true});
         optim::SGD sgd(w.net.parameters());
         sgd.add_group({p});
         p.requires_grad_(false);
         p += w.leaf;
         sgd.step();
       }},
      {"SGD: group 0: parameter 0 [3] is int64; only float32 and float64 are trained",
       [](World& w) {
         optim::SGD sgd({w.leaf});
         const Tensor whole = zeros({3}, i64);
         std::swap(w.leaf.impl().view, whole.impl().view);  // as no public function does
         try {
           sgd.step();
         } catch (const Error&) {
           std::swap(w.leaf.impl().view, whole.impl().view);
           throw;
         }
       }},
  };
  check_bad_calls(calls);
}
