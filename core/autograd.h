// Gradients, as a user asks for them. record.h says how an op takes part.
#pragma once

#include <cairn/core/tensor.h>

#include <vector>

namespace cairn {

/// Does an op on tensors that require gradients join the graph? Each thread has its own answer,
/// which is true at first.
CAIRN_API bool is_grad_enabled();

/// Enables or disables gradients for a scope.
class CAIRN_API GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// No op in this scope and thread joins a graph: `NoGrad guard;`
class CAIRN_API NoGrad : GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

struct GradOptions {
  std::vector<Tensor> grad_outputs = {};  ///< one for each output; an undefined one is 1
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;
};

/// Returns d(outputs)/d(inputs) and touches no .grad. An input on which the outputs do not depend
/// is an Error, or an undefined gradient with allow_unused.
CAIRN_API std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                                   const std::vector<Tensor>& inputs,
                                   const GradOptions& options = {});

}  // namespace cairn
