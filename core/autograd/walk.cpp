// backward() and grad(): the walk back through the graph. Everything that can fail comes before the
// first change of a .grad.
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>

#include <algorithm>

namespace cairn {

static thread_local bool grad_enabled = true;
static thread_local int walks = 0;  // how many this thread is inside

bool is_grad_enabled() { return grad_enabled; }

GradMode::GradMode(bool enabled) : before_(std::exchange(grad_enabled, enabled)) {}
GradMode::~GradMode() { grad_enabled = before_; }

int detail::walk_depth() { return walks; }

namespace {

using detail::Edge;
using detail::GradSlot;
using detail::Node;
using detail::Ref;

// One walk from outputs back to leaves. Gradients are summed in Node::dy_sum and GradSlot::staged.
// Only the last loop of commit(), which cannot fail, changes a .grad.
class Walk {
 public:
  Walk(const char* op, bool retain_graph, bool create_graph)
      : op_(op), retain_graph_(retain_graph || create_graph), mode_(create_graph) {
    ++walks;
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  // Clears the state of the walk. After a failure, frees the graph unless it is retained.
  ~Walk() {
    --walks;
    for (Node* node : order_) {
      if (!finished_ && running_ && !retain_graph_) node->spend();
      node->dy_sum = {};
      node->pending = 0;
      node->walk = nullptr;
      node->needed = false;
    }
    for (Staged& staged : staged_) {
      staged.slot->staged = std::move(staged.outer_sum);
      staged.slot->walk = staged.outer_walk;
    }
  }

  void add_root(const Tensor& output, const Tensor& gradient) {
    detail::check_defined(op_, output);
    check(
        output.requires_grad(),
        "{}: the output {} has no graph: nothing it was computed from requires a gradient, it was "
        "computed under NoGrad, or an op cut the graph, as comparisons, argmax() and detach() do",
        op_, output.shape());
    check(
        !output.impl().is_stale(),
        "{}: the output {} shares its values with a tensor that an in-place op has changed since; "
        "take the view again after the in-place op",
        op_, output.shape());
    if (!gradient.defined()) {
      check(output.numel() == 1,
            "{}: the output {} is not a single value; give a gradient of that shape, or take "
            "sum() or mean() first",
            op_, output.shape());
    } else {
      check(gradient.shape() == output.shape() && gradient.dtype() == output.dtype(),
            "{}: the gradient is {} {}, the output {} {}; they must agree", op_, gradient.shape(),
            gradient.dtype(), output.shape(), output.dtype());
    }
    roots_.push_back({output, gradient});
  }

  // Without targets, every leaf is a target.
  void run(std::span<const Tensor> targets) {
    discover();
    sort();
    mark_needed(targets);
    running_ = true;
    for (const auto& [output, gradient] : roots_) {
      const detail::TensorImpl& impl = output.impl();
      deliver(
          Edge{impl.node, impl.node ? Ref<GradSlot>() : impl.slot, output.shape(), output.dtype()},
          gradient.defined() ? gradient : ones_like(output), op_);
    }
    for (Node* node : order_) visit(*node);
  }

  // The gradient of a target, undefined if none arrived.
  Tensor result(const Tensor& target) {
    const detail::TensorImpl& impl = target.impl();
    if (!impl.node) {
      const Tensor g = impl.slot->walk == this ? impl.slot->staged : Tensor();
      return g.defined() ? detail::owned(after_hooks(*impl.slot, g)) : Tensor();
    }
    const Tensor& g = find_target(*impl.node)->gradient;
    return g.defined() ? detail::owned(g) : Tensor();
  }

  // Stages the gradients of those targets that ops computed, so that commit() accumulates them.
  void stage_targets(std::span<const Tensor> targets) {
    for (const Tensor& target : targets) {
      detail::TensorImpl& impl = target.impl();
      if (!impl.node) continue;
      const Tensor g = result(target);
      if (!g.defined()) continue;
      const Ref<GradSlot> slot(&detail::slot_of(impl));
      if (slot->walk == this) continue;  // it was given twice
      stage(slot, false);
      slot->staged = g;
    }
  }

  // Adds what was staged to the .grad of leaves and of tensors that retain theirs.
  void commit() {
    for (const Staged& staged : staged_) {  // a hook may even walk another graph
      GradSlot& slot = *staged.slot;
      if (staged.of_leaf) slot.staged = after_hooks(slot, std::move(slot.staged));
    }
    std::vector<std::pair<GradSlot*, Tensor>> sums;
    sums.reserve(staged_.size());
    for (const Staged& staged : staged_) {  // may throw; no .grad has changed yet
      GradSlot& slot = *staged.slot;
      Tensor g = std::move(slot.staged);
      const bool turned_off = staged.of_leaf && !slot.requires_grad;
      if (slot.owner == nullptr || turned_off) continue;
      check(slot.owner->view.dtype == g.dtype(),
            "{}: a leaf {} was converted to another dtype after the forward", op_, g.shape());
      if (!slot.grad.defined()) {
        g = detail::owned(std::move(g));  // no two leaves may share a gradient
      } else if (!accumulates_in_place(slot.grad)) {
        g = slot.grad + g;
      }
      sums.emplace_back(&slot, std::move(g));
    }
    for (auto& [slot, g] : sums) {  // cannot throw
      if (slot->grad.defined() && accumulates_in_place(slot->grad)) {
        detail::accumulate(slot->grad, g);
      } else {
        slot->grad = std::move(g);
      }
    }
    finish();
  }

  void finish() { finished_ = true; }

 private:
  struct Root {
    Tensor output, gradient;
  };
  // A slot that received a gradient. If a hook walks another graph to the same leaf, outer_sum and
  // outer_walk keep the state of the outer walk until the inner one is done.
  struct Staged {
    Ref<GradSlot> slot;
    bool of_leaf;  // hooks of a leaf run in commit(), those of an op's output in visit()
    Tensor outer_sum;
    const void* outer_walk;
  };

  // A target that an op computed, with the gradient that arrived there.
  struct NodeTarget {
    const Node* node;
    Tensor gradient = {};
  };

  void stage(const Ref<GradSlot>& slot, bool of_leaf) {
    staged_.push_back({slot, of_leaf, slot->staged, slot->walk});
    slot->staged = {};
    slot->walk = this;
  }

  // As in PyTorch, a .grad is added to in place, unless the sum must be differentiable.
  static bool accumulates_in_place(const Tensor& grad) {
    return !is_grad_enabled() && !detail::overlaps_itself(grad.view_of());
  }

  // Finds the nodes and counts how many gradients each of them will receive.
  void discover() {
    order_.reserve(32);
    for (const Root& root : roots_) {
      if (Node* const node = root.output.impl().node.get()) reach(*node);
    }
    for (std::size_t next = 0; next < order_.size();) {  // order_ grows
      for (const Edge& edge : order_[next++]->edges()) {
        if (!edge.node) continue;
        reach(*edge.node);
        ++edge.node->pending;
      }
    }
  }

  void reach(Node& node) {
    if (node.walk == this) return;
    check(node.walk == nullptr, "{}: called from within a backward() over the same graph", op_);
    if (node.spent()) fail_spent(node);
    order_.push_back(&node);
    node.walk = this;
  }

  // Was this output differentiated before, or is it new and only contains an older graph?
  [[noreturn]] void fail_spent(const Node& node) const {
    const bool again = std::any_of(roots_.begin(), roots_.end(), [&](const Root& root) {
      return root.output.impl().node.get() == &node;
    });
    check(!again,
          "{}: an earlier backward() has freed the graph of this '{}'; give that backward() "
          "retain_graph = true",
          op_, node.name());
    check(false,
          "{}: the graph contains a '{}' whose graph an earlier backward() has freed; keep a value "
          "across steps with item() or detach(), or, to share a part of the graph, give that "
          "backward() retain_graph = true",
          op_, node.name());
    __builtin_unreachable();
  }

  // Sorts the nodes: each comes after all nodes that use its output.
  void sort() {
    std::vector<Node*> sorted;
    sorted.reserve(order_.size());
    for (Node* node : order_) {
      if (node->pending == 0) sorted.push_back(node);
    }
    for (std::size_t next = 0; next < sorted.size();) {  // sorted grows
      for (const Edge& edge : sorted[next++]->edges()) {
        if (edge.node && --edge.node->pending == 0) sorted.push_back(&*edge.node);
      }
    }
    order_ = std::move(sorted);
  }

  // A node is needed if a target lies behind it.
  void mark_needed(std::span<const Tensor> targets) {
    selective_ = !targets.empty();
    for (const Tensor& target : targets) {
      const detail::TensorImpl& impl = target.impl();
      if (impl.node) {
        node_targets_.push_back({&*impl.node});
      } else {
        leaf_targets_.push_back(impl.slot.get());
      }
    }
    std::ranges::sort(leaf_targets_);
    std::ranges::sort(node_targets_, {}, &NodeTarget::node);
    // NOLINTNEXTLINE(modernize-loop-convert): the loop goes backwards
    for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
      const auto edges = (*node)->edges();
      (*node)->needed =
          std::any_of(edges.begin(), edges.end(), [this](const Edge& e) { return wants(e); });
    }
  }

  // Does this edge lead to a target?
  bool wants(const Edge& edge) const {
    if (edge.node) return edge.node->needed || is_target(*edge.node);
    return edge.leaf && is_target(*edge.leaf);
  }
  bool is_target(const GradSlot& leaf) const {
    return !selective_ || std::ranges::binary_search(leaf_targets_, &leaf);
  }
  bool is_target(const Node& node) const {
    return std::ranges::binary_search(node_targets_, &node, {}, &NodeTarget::node);
  }

  // The entry of a node among the targets, or null. A node that was given twice has one entry that
  // counts, the first.
  NodeTarget* find_target(const Node& node) {
    const auto found = std::ranges::lower_bound(node_targets_, &node, {}, &NodeTarget::node);
    return found != node_targets_.end() && found->node == &node ? &*found : nullptr;
  }

  void visit(Node& node) {
    Tensor dy = std::move(node.dy_sum);
    if (!dy.defined()) return;
    if (node.slot) {
      dy = after_hooks(*node.slot, std::move(dy));
      if (node.slot->retain && !selective_) {
        stage(node.slot, false);
        node.slot->staged = dy;
      }
    }
    if (NodeTarget* const target = find_target(node)) target->gradient = dy;
    if (!node.needed) return;

    const std::span<const Edge> edges = node.edges();
    constexpr std::size_t stack_size = 4;  // up to this many inputs need no allocation
    std::array<Gradients::Entry, stack_size> on_stack;
    std::vector<Gradients::Entry> on_heap(edges.size() > stack_size ? edges.size() : 0);
    const std::span<Gradients::Entry> entries =
        on_heap.empty() ? std::span(on_stack).first(edges.size()) : std::span(on_heap);
    for (std::size_t i = 0; i < edges.size(); ++i) entries[i].wanted = wants(edges[i]);
    Gradients dx(entries);
    node.backward(dy, dx);
    if (detail::Observer* const watching = detail::observer()) [[unlikely]]
      watching->differentiated(node, dy, entries);
    if (!retain_graph_) node.spend();
    dy = {};  // an input whose gradient is dy itself becomes its sole owner
    for (std::size_t i = 0; i < edges.size(); ++i) {
      Tensor& g = entries[i].value;
      if (entries[i].wanted && g.defined()) deliver(edges[i], std::move(g), node.name());
    }
  }

  void deliver(const Edge& edge, Tensor g, const char* from) {
    if (!wants(edge)) return;
    check(g.dtype() == edge.dtype, "{}: its gradient is {}, the input {}", from, g.dtype(),
          edge.dtype);
    if (g.shape() != edge.shape) g = detail::sum_to(from, g, edge.shape);
    if (edge.leaf && edge.leaf->walk != this) stage(edge.leaf, true);
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): wants() says that there is one of them
    Tensor& sum = edge.node ? edge.node->dy_sum : edge.leaf->staged;
    if (!sum.defined()) {
      sum = std::move(g);
    } else if (!is_grad_enabled() && detail::is_sole_owner(sum)) {
      detail::accumulate(sum, g);
    } else {
      sum = sum + g;
    }
  }

  // Calls the hooks of a slot, one after the other. Returns the gradient that they leave.
  Tensor after_hooks(const GradSlot& slot, Tensor g) const {
    const auto hooks = slot.hooks;  // a hook may remove itself
    for (const auto& [id, hook] : hooks) {
      Tensor replacement = hook->call(g);
      if (!replacement.defined()) continue;
      check(replacement.shape() == g.shape() && replacement.dtype() == g.dtype(),
            "{}: a hook returned a gradient {} {} in place of {} {}; they must agree", op_,
            replacement.shape(), replacement.dtype(), g.shape(), g.dtype());
      g = std::move(replacement);
    }
    return g;
  }

  const char* op_;
  bool retain_graph_;
  GradMode mode_;  // closures and hooks build a graph only under create_graph
  bool running_ = false, finished_ = false;
  std::vector<Root> roots_;   // keep the graph alive, even if a hook releases it
  std::vector<Node*> order_;  // as found; later sorted
  std::vector<Staged> staged_;
  bool selective_ = false;                // are there targets?
  std::vector<NodeTarget> node_targets_;  // sorted, as are the leaves, for there may be thousands
  std::vector<const GradSlot*> leaf_targets_;
};

}  // namespace

namespace {

// Throws Error unless every target requires a gradient.
void check_targets(const char* op, std::span<const Tensor> targets) {
  for (const Tensor& target : targets) {
    detail::check_defined(op, target);
    check(target.requires_grad(),
          "{}: the input {} does not require a gradient; use requires_grad_() before the forward",
          op, target.shape());
  }
}

void accumulate(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
                const BackwardOptions& options) {
  Walk walk("backward", options.retain_graph, options.create_graph);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    walk.add_root(outputs[i], gradients.empty() ? Tensor() : gradients[i]);
  }
  check_targets("backward", options.inputs);
  walk.run(options.inputs);
  walk.stage_targets(options.inputs);
  walk.commit();
}

}  // namespace

void Tensor::backward(const Tensor& gradient, const BackwardOptions& options) const {
  accumulate({this, 1}, {&gradient, 1}, options);
}
void Tensor::backward(const Tensor& gradient) const { backward(gradient, BackwardOptions{}); }

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients,
              const BackwardOptions& options) {
  check(!outputs.empty(), "backward: there are no outputs; give at least one");
  check(gradients.empty() || gradients.size() == outputs.size(),
        "backward: {} gradients for {} outputs; give one each, or none", gradients.size(),
        outputs.size());
  accumulate(outputs, gradients, options);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  const auto check_all = [](const char* what, const std::vector<Tensor>& tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      check(tensors[i].defined(), "grad: {} {} is undefined (default-constructed or moved from)",
            what, i);
    }
  };
  check_all("output", outputs);
  check_all("input", inputs);
  check(!outputs.empty() && !inputs.empty(),
        "grad: {} outputs and {} inputs; give at least one of each", outputs.size(), inputs.size());
  check(options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size(),
        "grad: {} grad_outputs for {} outputs; give one each, or none", options.grad_outputs.size(),
        outputs.size());
  Walk walk("grad", options.retain_graph, options.create_graph);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    walk.add_root(outputs[i], options.grad_outputs.empty() ? Tensor() : options.grad_outputs[i]);
  }
  check_targets("grad", inputs);
  walk.run(inputs);
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    results.push_back(walk.result(inputs[i]));
    check(results.back().defined() || options.allow_unused,
          "grad: the outputs do not depend on input {}, {}; set allow_unused = true to get an "
          "undefined gradient for it",
          i, inputs[i].shape());
  }
  walk.finish();
  return results;
}

}  // namespace cairn
