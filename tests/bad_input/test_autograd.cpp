// Gradients that cannot be had, and walks that fail.
#include "support/world.h"

#include <cairn/core/record.h>

#include <functional>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("bad input: no walk begins that cannot end") {
  static constexpr BadCall calls[] = {
      {"backward: the output [2, 3] is not a single value; give a gradient of that shape, or take "
       "sum() or mean() first",
       [](World& w) { w.each.backward(); }},
      {"backward: the output [0, 3] has no graph: nothing it was computed from requires a "
       "gradient, it was computed under NoGrad, or an op cut the graph, as comparisons, argmax() "
       "and detach() do",
       [](World& w) { w.none.backward(); }},
      {"backward: the output [] has no graph: nothing it was computed from requires a gradient, it "
       "was computed under NoGrad, or an op cut the graph, as comparisons, argmax() and detach() "
       "do",
       [](World& w) { w.scalar.backward(); }},
      {"backward: the output [] has no graph: nothing it was computed from requires a gradient, it "
       "was computed under NoGrad, or an op cut the graph, as comparisons, argmax() and detach() "
       "do",
       [](World& w) { w.total.detach().backward(); }},
      {"backward: the output [] has no graph: nothing it was computed from requires a gradient, it "
       "was computed under NoGrad, or an op cut the graph, as comparisons, argmax() and detach() "
       "do",
       [](World& w) {
         const NoGrad guard;
         (w.leaf * 2).sum().backward();
       }},
      {"backward: the gradient is [3] float32, the output [2, 3] float32; they must agree",
       [](World& w) { w.each.backward(ones({3})); }},
      {"backward: the gradient is [2, 3] float64, the output [2, 3] float32; they must agree",
       [](World& w) {
         w.each.backward(ones({2, 3}, f64));
       }},
      {"backward: the gradient is [1] float32, the output [] float32; they must agree",
       [](World& w) { w.total.backward(ones({1})); }},
      {"grad: 0 outputs and 1 inputs; give at least one of each",
       [](World& w) { grad({}, {w.leaf}); }},
      {"grad: 1 outputs and 0 inputs; give at least one of each",
       [](World& w) { grad({w.total}, {}); }},
      {"grad: 0 outputs and 0 inputs; give at least one of each", [](World&) { grad({}, {}); }},
      {"grad: the input [2, 3] does not require a gradient; use requires_grad_() before the "
       "forward",
       [](World& w) { grad({w.total}, {w.x}); }},
      {"grad: the output [2, 3] has no graph: nothing it was computed from requires a gradient, it "
       "was computed under NoGrad, or an op cut the graph, as comparisons, argmax() and detach() "
       "do",
       [](World& w) { grad({w.x}, {w.leaf}); }},
      {"grad: the output [2, 3] is not a single value; give a gradient of that shape, or take "
       "sum() or mean() first",
       [](World& w) { grad({w.each}, {w.leaf}); }},
      {"grad: 2 grad_outputs for 1 outputs; give one each, or none",
       [](World& w) {
         grad({w.total}, {w.leaf}, {.grad_outputs = {Tensor(), Tensor()}});
       }},
      {"grad: the gradient is [3] float32, the output [2, 3] float32; they must agree",
       [](World& w) { grad({w.each}, {w.leaf}, {.grad_outputs = {ones({3})}}); }},
      {"grad: output 1 is undefined (default-constructed or moved from)",
       [](World& w) {
         grad({w.total, Tensor()}, {w.leaf});
       }},
      {"grad: input 1 is undefined (default-constructed or moved from)",
       [](World& w) {
         grad({w.total}, {w.leaf, w.moved_from_tensor});
       }},
      {"grad: the outputs do not depend on input 1, [2, 4]; set allow_unused = true to get an "
       "undefined gradient for it",
       [](World& w) {
         grad({w.total}, {w.leaf, w.last.weight}, {.retain_graph = true});
       }},
      {"grad: the outputs do not depend on input 0, [2, 3]; set allow_unused = true to get an "
       "undefined gradient for it",
       [](World& w) { grad({w.leaf.sum()}, {w.each}, {.retain_graph = true}); }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: a walk that fails half-way leaves every gradient as it was") {
  static constexpr BadCall calls[] = {
      {"backward: the graph contains a 'sum' whose graph an earlier backward() has freed; keep a "
       "value across steps with item() or detach(), or, to share a part of the graph, give that "
       "backward() retain_graph = true",
       [](World& w) {
         const Tensor v = ones({3}, {.requires_grad = true}), y = sum(v * v);
         y.backward();
         (y + sum(w.leaf)).backward();
       }},
      {"mul: a tensor [3] that its gradient needs was written to after the forward; write to a "
       "clone() of it, or after backward()",
       [](World& w) {
         Tensor v = ones({3});
         const Tensor y = sum(w.leaf * v);
         v.zero_();
         y.backward();
       }},
      {"mul: a tensor [3] (parameter 'p') that its gradient needs was written to after the "
       "forward; "
       "write to a clone() of it, or after backward()",
       [](World& w) {
         Open model;
         Parameter& p = model.parameter("p", ones({3}));
         const Tensor y = sum(w.leaf * p);
         {
           const NoGrad guard;
           p.fill_(2);
         }
         y.backward();
       }},
      {"linear: a tensor [1, 4] that its gradient needs was written to after the forward; write to "
       "a clone() of it, or after backward()",
       [](World& w) {
         Tensor v = ones({1, 4});
         const Tensor y = sum(w.last(v));
         v.zero_();
         y.backward();
       }},
      {"backward: a hook returned a gradient [4] float32 in place of [3] float32; they must agree",
       [](World& w) {
         Tensor y = w.leaf * 2;
         y.register_hook([](const Tensor&) { return zeros({4}); });
         (y * w.last.bias.sum()).sum().backward();
       }},
      {"backward: a hook returned a gradient [3] float64 in place of [3] float32; they must agree",
       [](World& w) {
         Tensor y = w.leaf * 2;
         y.register_hook([](const Tensor& g) { return g.to(DType::float64); });
         y.sum().backward();
       }},
      {"backward: a hook returned a gradient [3, 1] float32 in place of [3] float32; they must "
       "agree",
       [](World& w) {
         HookHandle hook = w.leaf.register_hook([](const Tensor&) { return zeros({3, 1}); });
         try {
           (w.leaf * w.last.bias.sum()).sum().backward();
         } catch (...) {
           hook.remove();
           throw;
         }
       }},
      {"backward: called from within a backward() over the same graph",
       [](World& w) {
         Tensor y = w.leaf * 2, z = y.sum();
         y.register_hook([&](const Tensor&) { z.backward(); });
         z.backward();
       }},
      {"mine: I will not",
       [](World& w) {
         Tensor y = w.leaf * 2;
         y.register_hook([](const Tensor&) -> Tensor { throw Error("mine: I will not"); });
         y.sum().backward();
       }},
      {"mine: its gradient is [2, 2], which cannot be summed to the input's [3]",
       [](World& w) {
         record("mine", w.x.clone(),
                wrt(w.leaf,
                    [](const Tensor&) {
                      return zeros({2, 2});
                    }))
             .sum()
             .backward();
       }},
      {"mine: its gradient is float64, the input float32",
       [](World& w) {
         record("mine", w.x.clone(),
                wrt(w.leaf, [](const Tensor& dy) { return dy.to(DType::float64); }))
             .sum()
             .backward();
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: no tensor takes a gradient that is not for it") {
  static constexpr BadCall calls[] = {
      {"requires_grad_: int64 [2, 3] cannot take a gradient, only float32 and float64 can; use "
       ".to()",
       [](World& w) { w.i.requires_grad_(); }},
      {"requires_grad_: [2, 3] was computed from tensors that require a gradient; use detach()",
       [](World& w) { w.each.requires_grad_(false); }},
      {"requires_grad_: a buffer [4] is never trained by gradient; make it a Parameter",
       [](World& w) {
         Tensor mean = w.norm.running_mean;
         mean.requires_grad_();
       }},
      {"set_grad: the gradient is [4] float32, the tensor [3] float32; they must agree",
       [](World& w) { w.leaf.set_grad(zeros({4})); }},
      {"set_grad: the gradient is [3] float64, the tensor [3] float32; they must agree",
       [](World& w) { w.leaf.set_grad(zeros({3}, f64)); }},
      {"set_grad: [3] cannot be its own gradient; give a clone()",
       [](World& w) { w.leaf.set_grad(w.leaf); }},
      {"set_grad: int64 [2, 3] cannot take a gradient, only float32 and float64 can",
       [](World& w) { w.i.set_grad(w.i.clone()); }},
      {"set_grad: [4] is a buffer, which cannot be a gradient; give a clone()",
       [](World& w) { w.norm.bias.set_grad(w.norm.running_mean); }},
      {"retain_grad: [2, 3] does not require a gradient; use requires_grad_()",
       [](World& w) { w.x.retain_grad(); }},
      {"register_hook: [2, 3] does not require a gradient; use requires_grad_()",
       [](World& w) { w.x.register_hook([](const Tensor&) {}); }},
      {"register_hook: the function is empty; give one that can be called",
       [](World& w) { w.leaf.register_hook(std::function<Tensor(const Tensor&)>()); }},
      {"register_hook: the function is empty; give one that can be called",
       [](World& w) { w.leaf.register_hook(std::function<void(const Tensor&)>()); }},
      {"mine: all of its inputs are undefined",
       [](World& w) {
         record("mine", w.x.clone(), wrt(w.moved_from_tensor, [](const Tensor& dy) { return dy; }));
       }},
      {"mine: its output [3] is one of its inputs; give record() a new tensor",
       [](World& w) { record("mine", w.leaf, wrt(w.leaf, [](const Tensor& dy) { return dy; })); }},
      {"mine: its output is undefined; compute it before record()",
       [](World& w) {
         record("mine", Tensor(), wrt(w.leaf, [](const Tensor& dy) { return dy; }));
       }},
      {"add: the input [] shares its values with a tensor that an in-place op has changed since; "
       "take the view again after the in-place op",
       [](World& w) {
         Tensor y = w.leaf * 2;
         const Tensor view = y[0];
         y.add_(w.leaf);
         view + 1;
       }},
      {"backward: the output [] shares its values with a tensor that an in-place op has changed "
       "since; take the view again after the in-place op",
       [](World& w) {
         Tensor y = w.leaf * 2;
         const Tensor view = y[0];
         y.add_(w.leaf);
         view.backward();
       }},
      {"grad: the output [] shares its values with a tensor that an in-place op has changed since; "
       "take the view again after the in-place op",
       [](World& w) {
         Tensor y = w.leaf * 2;
         const Tensor view = y[0];
         y.add_(w.leaf);
         grad({view}, {w.leaf});
       }},
      {"zero_: [3] is a view of a tensor that an in-place op has changed since; take the view "
       "again",
       [](World& w) {
         Tensor y = w.leaf * 2;
         Tensor view = y.view({3});
         y.add_(w.leaf);
         view.zero_();
       }},
  };
  check_bad_calls(calls);
}

TEST_CASE("bad input: backward() of several outputs, and of what is no longer there") {
  static constexpr BadCall calls[] = {
      {"backward: there are no outputs; give at least one", [](World&) { backward({}); }},
      {"backward: 2 gradients for 1 outputs; give one each, or none",
       [](World& w) {
         backward({w.total}, {w.scalar, w.scalar});
       }},
      {"backward: the input [2, 3] does not require a gradient; use requires_grad_() before the "
       "forward",
       [](World& w) { w.total.backward({}, {.inputs = {w.x}}); }},
      {"backward: an earlier backward() has freed the graph of this 'square'; give that backward() "
       "retain_graph = true",
       [](World&) {
         const Tensor y = square(tensor(2, {.requires_grad = true}));
         y.backward();
         y.backward();
       }},
      {"detach_: [3] is a view of a tensor in a graph; use detach(), which gives a new tensor",
       [](World& w) {
         Tensor view = w.each[0];
         view.detach_();
       }},
      {"record_joint: a tensor is saved for input 64; give 0 to 63",
       [](World& w) { saved(w.x, {64}); }},
  };
  check_bad_calls(calls);
}
