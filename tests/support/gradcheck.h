// Checks gradients against differences of values: f'(x) ≈ (f(x + h) - f(x - h)) / 2h.
#pragma once

#include "support/approx.h"

#include <cairn/core/autograd.h>

#include <functional>
#include <vector>

namespace cairn::test {

/// Are the gradients of f right for each of `inputs`?
///   CHECK(gradcheck([](auto& in) { return in[0] * in[1]; }, {x, y}));
///
/// First order: each element's gradient against a central difference of f.
/// Second order: the gradient of that gradient, for the inputs and for dy, against a central
/// difference of the gradient.
/// The gradient with create_graph, which recorded ops compute, against the one without, which may
/// be fused.
///
/// float64 inputs take part; int64 ones are constants. They keep their strides; they are changed
/// and restored, so no two may share memory, and none may be expanded (expand within f).
/// Stay away from kinks: h is about 1e-5.
Outcome gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                  const std::vector<Tensor>& inputs);

/// The same for leaves that f already knows, such as a model's parameters:
///   CHECK(gradcheck([&] { return model(x); }, model.parameters()));
Outcome gradcheck(const std::function<Tensor()>& f, const std::vector<Tensor>& leaves);

}  // namespace cairn::test
