// The graph: saved tensors and nodes.
#include <cairn/core/record.h>

#include <unordered_set>

namespace cairn::detail {

// ---- saved tensors ----

// The node keeps a new TensorImpl. The tensor's own would keep its .grad alive, and under
// create_graph that gradient may hold the graph that holds this. If the tensor is the op's own
// output, the new one has no node, since a node that holds itself is a cycle.
SavedTensor::SavedTensor(const char* op, const Tensor& x, const Tensor& y) {
  if (!x.defined()) return;
  const TensorImpl& impl = x.impl();
  check_not_stale(op, impl);
  value_ = TensorImpl::create(impl.view);
  version_ = impl.view.storage->version;
  is_output_ = &impl == &y.impl();
  if (is_output_) return;
  value_->node = impl.node;
  if (!impl.node && impl.requires_grad()) value_->slot = impl.slot;
}

std::string Name::path() const {
  const std::string of_owner = owner ? owner->path() : "";
  if (own.empty() || of_owner.empty()) return own + of_owner;
  return of_owner + "." + own;
}

Tensor SavedTensor::unpack(Node& node) const {
  if (!value_) return {};
  const View& view = value_->view;
  if (version_ != view.storage->version) [[unlikely]] {
    const bool named = value_->slot && value_->slot->name;
    check(false,
          "{}: a tensor {} {}that its gradient needs was written to after the forward; write to a "
          "clone() of it, or after backward()",
          node.name(), view.shape,
          named ? fmt::format("(parameter '{}') ", value_->slot->name->path()) : "");
  }
  if (!is_output_ || !is_grad_enabled()) return Tensor(value_);
  auto output = TensorImpl::create(view);
  output->node = Ref(&node);
  return Tensor(std::move(output));
}

void check_not_stale(const char* op, const TensorImpl& impl) {
  check(!impl.is_stale(),
        "{}: the input {} shares its values with a tensor that an in-place op has changed since; "
        "take the view again after the in-place op",
        op, impl.view.shape);
}

// ---- nodes ----

static thread_local Observer* watching = nullptr;

Observer* observer() noexcept { return watching; }
Observer* exchange_observer(Observer* next) noexcept { return std::exchange(watching, next); }

bool tracks(const char* op, const Tensor& y, std::span<const Tensor* const> inputs) {
  const TensorImpl* const output = y.handle().get();
  check(output != nullptr, "{}: its output is undefined; compute it before record()", op);
  bool any_defined = false, tracked = false;
  for (const Tensor* input : inputs) {
    if (!input->defined()) continue;
    any_defined = true;
    const TensorImpl& impl = input->impl();
    check(&impl != output, "{}: its output {} is one of its inputs; give record() a new tensor", op,
          impl.view.shape);
    if (!is_grad_enabled()) continue;
    check_not_stale(op, impl);
    tracked |= impl.requires_grad();
  }
  check(any_defined, "{}: all of its inputs are undefined", op);
  if (watching != nullptr) [[unlikely]]
    watching->computed(op, y, inputs);
  return tracked;
}

Node* Node::allocate(const char* name, std::span<const Tensor* const> inputs,
                     std::size_t closure_bytes) {
  static_assert(sizeof(Node) % alignof(Edge) == 0);
  const std::size_t bytes = sizeof(Node) + inputs.size() * sizeof(Edge) + closure_bytes;
  auto* const node = new (detail::allocate(name, bytes)) Node(name, inputs.size(), bytes);
  auto* edge = reinterpret_cast<Edge*>(node + 1);
  for (const Tensor* input : inputs) {
    new (edge) Edge;
    if (input->defined()) {
      const TensorImpl& impl = input->impl();
      edge->node = impl.node;
      if (!impl.node && impl.requires_grad()) edge->leaf = impl.slot;
      edge->shape = impl.view.shape;
      edge->dtype = impl.view.dtype;
    }
    ++edge;
  }
  return node;
}

void Node::spend() noexcept {
  if (const Behaviour* behaviour = std::exchange(behaviour_, nullptr))
    behaviour->destroy(closure());
}

// Destroying a node may release the last reference to the nodes of its inputs, and so on, a million
// deep. To avoid recursion, inner calls put their nodes on a list, which the outermost one empties.
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

Tensor attach(const Tensor& y, Ref<Node> node) {
  if (watching != nullptr) [[unlikely]]
    watching->joins(*node);
  TensorImpl& impl = y.impl(node->name());
  impl.node = std::move(node);
  impl.epoch = impl.view.storage->epoch;
  return y;
}

std::vector<Edge> leaves_between(const Tensor& output, std::span<const Tensor* const> inputs) {
  std::vector<Edge> leaves;
  std::unordered_set<const void*> seen;
  std::vector<const Node*> open;
  for (const Tensor* input : inputs) {
    if (!input->defined()) continue;
    seen.insert(input->impl().node.get());
    seen.insert(input->impl().slot.get());
  }
  const auto reach = [&](const Node* node) {
    if (seen.insert(node).second) open.push_back(node);
  };
  if (const Node* const root = output.impl().node.get()) reach(root);
  while (!open.empty()) {
    const Node* const node = open.back();
    open.pop_back();
    for (const Edge& edge : node->edges()) {
      if (edge.node) {
        reach(edge.node.get());
      } else if (edge.leaf && seen.insert(edge.leaf.get()).second) {
        leaves.push_back(edge);
      }
    }
  }
  return leaves;
}

}  // namespace cairn::detail
