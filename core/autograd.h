// Reverse-mode differentiation: the graph that ops record, and the walk back through it.
//
// An op computes its output and calls record(), which joins it to the graph if gradients are
// enabled and an input requires one. For each input it says what the gradient is:
//
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = ...;
//     return record("mul", y, wrt(a, [b = save(b)](const Tensor& dy) { return dy * b(); }),
//                             wrt(b, [a = save(a)](const Tensor& dy) { return dy * a(); }));
//   }
//
// A closure may be written with recorded ops; then its own gradient comes for free. It may return
// a gradient of the broadcast shape: the engine sums it to the input's. What belongs to an input
// that needs no gradient is dropped at once, the tensors it saved included.
#pragma once

#include <cairn/core/tensor.h>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cairn {

/// Does an op on tensors that require gradients join the graph? True at first; a thread's own.
CAIRN_API bool is_grad_enabled();

/// Sets it for a scope.
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
  std::vector<Tensor> grad_outputs = {};  ///< one an output; an undefined one is 1
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;
};

/// d(outputs)/d(inputs), touching no .grad. An input that the outputs do not depend on is an
/// error, or with allow_unused an undefined gradient.
CAIRN_API std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                                   const std::vector<Tensor>& inputs,
                                   const GradOptions& options = {});

/// A tensor kept for backward: the value, its version and where it came from. An op may save its
/// own output. Calling it gives the tensor back, in its place in the graph; an undefined one
/// undefined. Throws Error if it was written to in between.
class CAIRN_API Saved {
 public:
  Saved() = default;
  Tensor operator()() const;

 private:
  friend CAIRN_API Saved save(const Tensor& x);
  // A handle of its own: the tensor's would keep its .grad alive, and under create_graph that may
  // hold the graph which holds this.
  detail::Ref<detail::TensorImpl> value_;
  const detail::TensorImpl* original_ = nullptr;  // for comparison only: is it the op's own output?
  uint32_t version_ = 0;
};
CAIRN_API Saved save(const Tensor& x);

namespace detail {

/// Where a tensor's gradient is kept, and what is to happen when it arrives. Shared by the tensor
/// and the graph, so that the graph need not keep a leaf's values alive.
struct GradSlot : Counted {
  static void destroy(GradSlot* slot) noexcept { delete slot; }

  Tensor grad;
  std::vector<std::pair<uint64_t, std::function<Tensor(const Tensor&)>>> hooks;
  std::string name;                   // of a parameter, for messages
  const TensorImpl* owner = nullptr;  // whose .grad this is; null once nobody can see it
  bool requires_grad = false;         // of a leaf
  bool retain = false;                // of an op's output

  // Of the walk that is under way.
  const void* walk = nullptr;
  Tensor staged;  // what has arrived so far
};

/// Where an op's gradient goes: to the op that made the input, or to a leaf; or nowhere.
/// It knows the input's shape and dtype, not its values.
struct Edge {
  Ref<Node> node;
  Ref<GradSlot> leaf;
  Shape shape;
  DType dtype = DType::float32;
};

}  // namespace detail

/// What a closure fills in: one gradient an input, those that are wanted.
class Gradients {
 public:
  struct Slot {
    Tensor value;
    bool wanted = false;
  };
  explicit Gradients(std::span<Slot> slots) : slots_(slots) {}
  bool wanted(std::size_t input) const { return slots_[input].wanted; }
  Tensor& operator[](std::size_t input) { return slots_[input].value; }

 private:
  std::span<Slot> slots_;
};

namespace detail {

/// A recorded op. One pooled block: this header, the edges, the closure.
class CAIRN_API Node : public Counted {
 public:
  /// Closure is called as closure(dy, gradients).
  template <class Closure>
  static Ref<Node> create(const char* name, std::span<const Tensor* const> inputs,
                          Closure closure) {
    static constexpr Behaviour behaviour{
        [](void* c, const Tensor& dy, Gradients& dx) { (*static_cast<Closure*>(c))(dy, dx); },
        [](void* c) noexcept { static_cast<Closure*>(c)->~Closure(); }};
    static_assert(alignof(Closure) <= alignof(Edge));
    static_assert(std::is_nothrow_move_constructible_v<Closure>);
    Node* const node = allocate(name, inputs, sizeof(Closure));
    new (node->closure()) Closure(std::move(closure));
    node->behaviour_ = &behaviour;
    return Ref<Node>(node);
  }
  static void destroy(Node* node) noexcept;

  const char* name() const { return name_; }
  std::span<const Edge> edges() const {
    return {reinterpret_cast<const Edge*>(this + 1), edge_count_};
  }
  /// Calls the closure.
  void backward(const Tensor& dy, Gradients& dx) { behaviour_->call(closure(), dy, dx); }
  /// Frees the closure and what it saved.
  void spend() noexcept;
  bool spent() const { return behaviour_ == nullptr; }

  Ref<GradSlot> slot;  // of the output, if it has hooks or retains its gradient
  // Which tensor is the output, for comparison only. The storage tells it from a tensor that was
  // saved and died before the output was made in its place: what is saved keeps its storage.
  const TensorImpl* output = nullptr;
  const Storage* output_storage = nullptr;

  // Of the walk that is under way; a graph is walked by one thread at a time.
  const void* walk = nullptr;  // which one
  Tensor arrived;              // the sum of the gradients so far
  uint32_t pending = 0;        // how many are still to come
  bool needed = false;         // does something wanted lie beyond

 private:
  struct Behaviour {
    void (*call)(void* closure, const Tensor& dy, Gradients& dx);
    void (*destroy)(void* closure) noexcept;
  };

  Node(const char* name, std::size_t edge_count, std::size_t bytes)
      : name_(name), edge_count_(edge_count), bytes_(bytes) {}
  static Node* allocate(const char* name, std::span<const Tensor* const> inputs,
                        std::size_t closure_bytes);
  void* closure() { return reinterpret_cast<Edge*>(this + 1) + edge_count_; }

  const char* name_;
  const Behaviour* behaviour_ = nullptr;
  std::size_t edge_count_, bytes_;
  Node* next_dead_ = nullptr;
};

/// The leaves that a gradient of `output` would reach without passing through `input`.
std::vector<Edge> leaves_between(const Tensor& output, const Tensor& input);

/// Are gradients enabled and does one of these require one? Throws Error for an input whose values
/// an in-place op has changed behind its back.
CAIRN_API bool tracks(const char* op, std::span<const Tensor* const> inputs);

/// Makes `node` the origin of y, which must be new.
CAIRN_API Tensor attach(Tensor y, Ref<Node> node);

}  // namespace detail

/// One input of an op and its gradient as a function of dy.
template <class F>
struct Wrt {
  const Tensor& input;
  F gradient;
};
template <class F>
Wrt<F> wrt(const Tensor& input, F gradient) {
  return {input, std::move(gradient)};
}

/// Joins y to the graph if an input is tracked, and returns it: the only way in.
template <class... F>
Tensor record(const char* name, Tensor y, Wrt<F>... parts) {
  const Tensor* const inputs[] = {&parts.input...};
  if (!detail::tracks(name, inputs)) return y;
  auto kept = []<class G>(Wrt<G>& part) {  // lets go what an untracked input's gradient saved
    return part.input.requires_grad() ? std::optional<G>(std::move(part.gradient)) : std::nullopt;
  };
  auto closure = [gradients = std::tuple(kept(parts)...)](const Tensor& dy, Gradients& dx) {
    std::size_t i = 0;
    auto apply = [&](const auto& gradient) {
      if (gradient && dx.wanted(i)) dx[i] = (*gradient)(dy);
      ++i;
    };
    std::apply([&](const auto&... gradient) { (apply(gradient), ...); }, gradients);
  };
  return detail::attach(std::move(y), detail::Node::create(name, inputs, std::move(closure)));
}

/// The same for an op whose gradients share work: closure(dy, gradients) fills in all of them.
template <class Closure>
Tensor record_joint(const char* name, Tensor y, std::span<const Tensor* const> inputs,
                    Closure closure) {
  if (!detail::tracks(name, inputs)) return y;
  return detail::attach(std::move(y), detail::Node::create(name, inputs, std::move(closure)));
}

}  // namespace cairn
