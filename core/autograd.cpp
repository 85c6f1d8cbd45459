// The graph: what is saved, what a node is, and the walk back. Everything that can fail in a walk
// comes before anything that a user can see changes.
#include <cairn/core/autograd.h>
#include <cairn/core/internal/making.h>
#include <cairn/core/internal/operands.h>
#include <cairn/core/internal/writing.h>
#include <cairn/core/ops.h>

#include <algorithm>
#include <new>
#include <unordered_set>

namespace cairn {
namespace {

thread_local bool grad_enabled = true;
thread_local detail::Node* current_node = nullptr;  // whose closure is being called

}  // namespace

bool is_grad_enabled() { return grad_enabled; }

GradMode::GradMode(bool enabled) : before_(std::exchange(grad_enabled, enabled)) {}
GradMode::~GradMode() { grad_enabled = before_; }

// ---- saved tensors ----

Saved save(const Tensor& x) {
  Saved saved;
  if (!grad_enabled || !x.defined()) return saved;  // not enabled: nobody will ask
  const detail::TensorImpl& impl = x.impl();
  saved.value_ = detail::TensorImpl::create(impl.view);
  saved.value_->node = impl.node;
  if (!impl.node && impl.requires_grad()) saved.value_->slot = impl.slot;
  saved.original_ = &impl;
  saved.version_ = impl.view.storage->version;
  return saved;
}

static void fail_stale(const detail::TensorImpl& saved) {
  const bool named = saved.slot && !saved.slot->name.empty();
  check(false,
        "{}: a tensor {} {}that its gradient needs was written to after the forward; write to a "
        "clone() of it, or after backward()",
        current_node->name(), saved.view.shape,
        named ? fmt::format("(parameter '{}') ", saved.slot->name) : "");
}

Tensor Saved::operator()() const {
  if (!value_) return {};
  check(current_node != nullptr, "saved tensor: it can be had only within a gradient's closure");
  const detail::View& view = value_->view;
  if (version_ != view.storage->version) fail_stale(*value_);
  const bool own_output =
      original_ == current_node->output && view.storage.get() == current_node->output_storage;
  if (!grad_enabled || !own_output) return Tensor(value_);
  // The op's own output: holding its node here would be a cycle.
  auto output = detail::TensorImpl::create(view);
  output->node = detail::Ref(current_node);
  return Tensor(std::move(output));
}

// ---- nodes ----

namespace detail {

bool tracks(const char* op, std::span<const Tensor* const> inputs) {
  if (!grad_enabled) return false;
  bool tracked = false;
  for (const Tensor* input : inputs) {
    const TensorImpl& impl = input->impl(op);
    check(!impl.is_stale(),
          "{}: the input {} shares its values with a tensor that an in-place op has changed since; "
          "take the view again after the in-place op",
          op, impl.view.shape);
    tracked |= impl.requires_grad();
  }
  return tracked;
}

Node* Node::allocate(const char* name, std::span<const Tensor* const> inputs,
                     std::size_t closure_bytes) {
  static_assert(sizeof(Node) % alignof(Edge) == 0);
  const std::size_t bytes = sizeof(Node) + inputs.size() * sizeof(Edge) + closure_bytes;
  auto* const node = new (detail::allocate(name, bytes)) Node(name, inputs.size(), bytes);
  auto* edge = reinterpret_cast<Edge*>(node + 1);
  for (const Tensor* input : inputs) {
    const TensorImpl& impl = input->impl();
    new (edge++) Edge{.node = impl.node,
                      .leaf = !impl.node && impl.requires_grad() ? impl.slot : Ref<GradSlot>(),
                      .shape = impl.view.shape,
                      .dtype = impl.view.dtype};
  }
  return node;
}

void Node::spend() noexcept {
  if (const Behaviour* behaviour = std::exchange(behaviour_, nullptr))
    behaviour->destroy(closure());
}

// Destroying a node may drop the last reference to those it came from, and so on, a million deep.
// Nodes that die meanwhile are therefore put on a list, and whoever came first works it off.
void Node::destroy(Node* node) noexcept {
  thread_local Node* dead = nullptr;
  thread_local bool working = false;
  node->next_dead_ = std::exchange(dead, node);
  if (working) return;
  working = true;
  while (dead != nullptr) {
    Node* const next = std::exchange(dead, dead->next_dead_);
    next->spend();
    for (const Edge& edge : next->edges()) edge.~Edge();
    const std::size_t bytes = next->bytes_;
    next->~Node();
    deallocate(next, bytes);
  }
  working = false;
}

Tensor attach(Tensor y, Ref<Node> node) {
  TensorImpl& impl = y.impl(node->name());
  node->output = &impl;
  node->output_storage = impl.view.storage.get();
  impl.node = std::move(node);
  impl.epoch = impl.view.storage->epoch;
  return y;
}

}  // namespace detail

// ---- the engine ----

namespace {

using detail::Edge;
using detail::GradSlot;
using detail::Node;
using detail::Ref;

// Says whose closure is being called, for what it has saved.
class Current {
 public:
  explicit Current(Node& node) : outer_(std::exchange(current_node, &node)) {}
  ~Current() { current_node = outer_; }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  Node* outer_;
};

// One walk from outputs back to leaves. Everything that can fail happens before commit(), which
// cannot; until then the leaves' gradients lie in GradSlot::staged.
class Walk {
 public:
  Walk(const char* op, bool retain_graph, bool create_graph)
      : op_(op), retain_graph_(retain_graph || create_graph), mode_(create_graph) {}
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  // Leaves no trace of the walk; after a failure the graph is spent.
  ~Walk() {
    for (Node* node : order_) {
      if (!finished_ && running_ && !retain_graph_) node->spend();
      node->arrived = {};
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
    check(output.requires_grad(),
          "{}: the output {} has no graph: nothing it was computed from requires a gradient, or it "
          "was computed under NoGrad",
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

  // Without targets every leaf is one.
  void run(std::span<const Tensor> targets) {
    discover();
    sort();
    mark_needed(targets);
    running_ = true;
    for (const auto& [output, gradient] : roots_) {
      const detail::TensorImpl& impl = output.impl();
      deliver(
          Edge{impl.node, impl.node ? Ref<GradSlot>() : impl.slot, output.shape(), output.dtype()},
          gradient.defined() ? gradient : ones_like(output));
    }
    for (Node* node : order_) visit(*node);
  }

  // The gradient of a target, undefined if none arrived.
  Tensor result(const Tensor& target) {
    const detail::TensorImpl& impl = target.impl();
    if (!impl.node) {
      const Tensor g = impl.slot->walk == this ? impl.slot->staged : Tensor();
      return g.defined() ? detail::owned(hooked(*impl.slot, g)) : Tensor();
    }
    const auto found = std::find_if(kept_.begin(), kept_.end(),
                                    [&](const auto& kept) { return kept.first == &*impl.node; });
    return found->second.defined() ? detail::owned(found->second) : Tensor();
  }

  // Adds what was staged to the .grad of leaves and of tensors that retain theirs.
  void commit() {
    for (const Staged& staged : staged_) {  // these may do anything, walk other graphs included
      GradSlot& slot = *staged.slot;
      if (staged.of_leaf) slot.staged = hooked(slot, std::move(slot.staged));
    }
    std::vector<std::pair<GradSlot*, Tensor>> sums;
    sums.reserve(staged_.size());
    for (const Staged& staged : staged_) {  // may throw: nothing has changed yet
      GradSlot& slot = *staged.slot;
      Tensor g = std::move(slot.staged);
      const bool frozen_since = staged.of_leaf && !slot.requires_grad;
      if (slot.owner == nullptr || frozen_since) continue;
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
  // A slot where something has arrived. A hook may walk another graph to the same leaf: then the
  // outer walk's sum is put aside until the inner one is done.
  struct Staged {
    Ref<GradSlot> slot;
    bool of_leaf;  // whose hooks run once, on the sum; an op's output had its own already
    Tensor outer_sum;
    const void* outer_walk;
  };

  void stage(const Ref<GradSlot>& slot, bool of_leaf) {
    staged_.push_back({slot, of_leaf, slot->staged, slot->walk});
    slot->staged = {};
    slot->walk = this;
  }

  // As PyTorch does: a handle from grad() sees later sums, unless the sum is to be differentiable.
  static bool accumulates_in_place(const Tensor& grad) {
    return !is_grad_enabled() && !detail::overlaps_itself(grad.view_of());
  }

  // Finds the nodes and counts for each how many gradients it waits for.
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
    check(!node.spent(),
          "{}: the graph was already spent at '{}' by an earlier backward(); keep it there with "
          "retain_graph = true",
          op_, node.name());
    order_.push_back(&node);
    node.walk = this;
  }

  // Puts every node behind all that use its output.
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

  // A node is needed if a target lies beyond it; with no targets all are.
  void mark_needed(std::span<const Tensor> targets) {
    selective_ = !targets.empty();
    for (const Tensor& target : targets) {
      const detail::TensorImpl& impl = target.impl();
      if (impl.node) {
        kept_.emplace_back(&*impl.node, Tensor());
      } else {
        leaves_.push_back(impl.slot.get());
      }
    }
    for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
      const auto edges = (*node)->edges();
      (*node)->needed =
          std::any_of(edges.begin(), edges.end(), [this](const Edge& e) { return wants(e); });
    }
  }

  // Does something that is asked for lie along this edge?
  bool wants(const Edge& edge) const {
    if (edge.node) return edge.node->needed || is_kept(*edge.node);
    return edge.leaf && is_target(*edge.leaf);
  }
  bool is_target(const GradSlot& leaf) const {
    return !selective_ || std::find(leaves_.begin(), leaves_.end(), &leaf) != leaves_.end();
  }
  bool is_kept(const Node& node) const {
    return std::any_of(kept_.begin(), kept_.end(), [&](auto& k) { return k.first == &node; });
  }

  void visit(Node& node) {
    Tensor dy = std::move(node.arrived);
    if (!dy.defined()) return;
    if (node.slot) {
      dy = hooked(*node.slot, std::move(dy));
      if (node.slot->retain && !selective_) {
        stage(node.slot, false);
        node.slot->staged = dy;
      }
    }
    for (auto& [kept, gradient] : kept_) {
      if (kept == &node) gradient = dy;
    }
    if (!node.needed) return;

    const std::span<const Edge> edges = node.edges();
    constexpr std::size_t few = 4;  // inputs that need no allocation
    std::array<Gradients::Slot, few> in_place;
    std::vector<Gradients::Slot> more(edges.size() > few ? edges.size() : 0);
    const std::span<Gradients::Slot> slots =
        more.empty() ? std::span(in_place).first(edges.size()) : std::span(more);
    for (std::size_t i = 0; i < edges.size(); ++i) slots[i].wanted = wants(edges[i]);
    {
      const Current current(node);
      Gradients dx(slots);
      node.backward(dy, dx);
    }
    if (!retain_graph_) node.spend();
    dy = {};  // so that a gradient that only passes through is not shared
    for (std::size_t i = 0; i < edges.size(); ++i) {
      Tensor& g = slots[i].value;
      if (slots[i].wanted && g.defined()) deliver(edges[i], std::move(g), node.name());
    }
  }

  void deliver(const Edge& edge, Tensor g, const char* from = "backward") {
    if (!wants(edge)) return;
    check(g.dtype() == edge.dtype, "{}: its gradient is {}, the input {}", from, g.dtype(),
          edge.dtype);
    if (g.shape() != edge.shape) g = detail::sum_to(from, g, edge.shape);
    if (edge.leaf && edge.leaf->walk != this) stage(edge.leaf, true);
    Tensor& sum = edge.node ? edge.node->arrived : edge.leaf->staged;
    if (!sum.defined()) {
      sum = std::move(g);
    } else if (!is_grad_enabled() && detail::is_sole_owner(sum)) {
      detail::accumulate(sum, g);
    } else {
      sum = sum + g;
    }
  }

  Tensor hooked(const GradSlot& slot, Tensor g) const {
    const auto hooks = slot.hooks;  // a hook may remove itself
    for (const auto& [id, hook] : hooks) {
      Tensor replacement = hook(g);
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
  GradMode mode_;  // closures and hooks build a graph of their own only if one is wanted
  bool running_ = false, finished_ = false;
  std::vector<Root> roots_;   // hold the graph, whatever a hook lets go
  std::vector<Node*> order_;  // found; then sorted
  std::vector<Staged> staged_;
  bool selective_ = false;  // only these are wanted:
  std::vector<std::pair<const Node*, Tensor>> kept_;
  std::vector<const GradSlot*> leaves_;
};

}  // namespace

std::vector<Edge> detail::leaves_between(const Tensor& output, const Tensor& input) {
  std::vector<Edge> leaves;
  std::unordered_set<const void*> seen;
  std::vector<const Node*> open;
  const Node* const origin = input.defined() ? input.impl().node.get() : nullptr;
  const GradSlot* const leaf = input.defined() ? input.impl().slot.get() : nullptr;
  const auto reach = [&](const Node* node) {
    if (node != origin && seen.insert(node).second) open.push_back(node);
  };
  if (const Node* const root = output.impl().node.get()) reach(root);
  while (!open.empty()) {
    const Node* const node = open.back();
    open.pop_back();
    for (const Edge& edge : node->edges()) {
      if (edge.node) {
        reach(edge.node.get());
      } else if (edge.leaf && edge.leaf.get() != leaf && seen.insert(edge.leaf.get()).second) {
        leaves.push_back(edge);
      }
    }
  }
  return leaves;
}

void Tensor::backward(const Tensor& gradient, const BackwardOptions& options) const {
  detail::no_bad_alloc("backward", [&] {
    Walk walk("backward", options.retain_graph, options.create_graph);
    walk.add_root(*this, gradient);
    walk.run({});
    walk.commit();
  });
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  return detail::no_bad_alloc("grad", [&] {
    const auto check_all = [](const char* what, const std::vector<Tensor>& tensors) {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        check(tensors[i].defined(), "grad: {} {} is undefined (default-constructed or moved from)",
              what, i);
      }
    };
    check_all("output", outputs);
    check_all("input", inputs);
    check(!outputs.empty() && !inputs.empty(),
          "grad: {} outputs and {} inputs; give at least one of each", outputs.size(),
          inputs.size());
    check(options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size(),
          "grad: {} grad_outputs for {} outputs; give one each, or none",
          options.grad_outputs.size(), outputs.size());
    Walk walk("grad", options.retain_graph, options.create_graph);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      walk.add_root(outputs[i], options.grad_outputs.empty() ? Tensor() : options.grad_outputs[i]);
    }
    for (const Tensor& input : inputs) {
      check(
          input.requires_grad(),
          "grad: the input {} does not require a gradient; use requires_grad_() before the forward",
          input.shape());
    }
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
  });
}

}  // namespace cairn
