// How a user asks for gradients. record.h says how an op joins the graph.
#pragma once

#include <cairn/core/tensor.h>

#include <vector>

namespace cairn {

/// Returns whether an op on tensors that require gradients joins the graph. Each thread has its
/// own setting, which starts as true.
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

/// Accumulates the gradients of several outputs at once, as Tensor::backward() does for one. There
/// is one gradient for each output, or none; an undefined one means 1.
CAIRN_API void backward(const std::vector<Tensor>& outputs,
                        const std::vector<Tensor>& gradients = {},
                        const BackwardOptions& options = {});

struct ZeroGradOptions {
  bool set_to_none = true;  ///< false keeps the gradients and fills them with 0
};
namespace detail {
/// Fills the gradients of these tensors with 0. After a throw nothing has changed.
CAIRN_API void fill_grads(std::span<const Tensor> tensors);
}  // namespace detail

/// The options of grad(). The graph options are those of BackwardOptions.
struct GradOptions {
  std::vector<Tensor> grad_outputs = {};  ///< one for each output; undefined means 1
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;  ///< allow inputs on which the outputs do not depend
};

/// Returns d(outputs)/d(input) for each input and changes no .grad. Throws Error if the outputs do
/// not depend on an input; with allow_unused that input gets an undefined gradient instead.
CAIRN_API std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                                   const std::vector<Tensor>& inputs,
                                   const GradOptions& options = {});

}  // namespace cairn
