// How an op joins the graph. It computes its output and says what the gradient of each input is:
//
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = ...;
//     return record("mul", y, wrt(a, [](auto& dy, auto& b) { return dy * b; }, b),
//                             wrt(b, [](auto& dy, auto& a) { return dy * a; }, a));
//   }
//
// The tensors after a gradient function are saved for it, if its input requires a gradient and
// gradients are enabled. An op may save its own output. backward() throws Error if a saved tensor
// was written to in the meantime.
// A gradient that is computed with recorded ops can itself be differentiated. It may have the
// broadcast shape: the engine sums it to the input's shape.
#pragma once

#include <cairn/core/autograd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cairn {

/// The gradients that the function of record_joint() sets, one for each input that wants one.
class Gradients {
 public:
  struct Entry {
    Tensor value;
    bool wanted = false;
  };
  explicit Gradients(std::span<Entry> entries) : entries_(entries) {}
  bool wanted(std::size_t input) const { return entries_[input].wanted; }
  Tensor& operator[](std::size_t input) { return entries_[input].value; }

 private:
  std::span<Entry> entries_;
};

namespace detail {

/// The name of a parameter in messages: the path of the module that owns it, then its own name.
/// A module may get its name later than its parameters, so path() joins the names when called.
struct Name {
  std::string own;
  std::shared_ptr<const Name> owner = nullptr;

  std::string path() const;
};

/// A tensor's gradient and its hooks. The tensor and the graph share it, so that the graph does not
/// keep a leaf's values alive.
struct GradSlot : Counted {
  static void destroy(GradSlot* slot) noexcept { delete slot; }

  Tensor grad;
  std::vector<std::pair<uint64_t, Ref<Hook>>> hooks;
  std::shared_ptr<const Name> name;   // of a parameter
  const TensorImpl* owner = nullptr;  // whose .grad this is; null once it is destroyed
  bool requires_grad = false;         // of a leaf
  bool retain = false;                // of an op's output

  // Used while a walk runs.
  const void* walk = nullptr;
  Tensor staged;  // the sum of the gradients so far
};

/// Where the gradient of an input goes: to the op that made the input, to a leaf, or nowhere.
/// It holds the input's shape and dtype, not its values.
struct Edge {
  Ref<Node> node;
  Ref<GradSlot> leaf;
  [[no_unique_address]] Shape shape;  // its padding holds the dtype
  DType dtype = DType::float32;
};

/// A tensor that a node keeps for a gradient: its values, their version and its place in the graph.
class CAIRN_API SavedTensor {
 public:
  SavedTensor() = default;  ///< unpacks to an undefined tensor
  /// `y` is the output of the op that saves x.
  SavedTensor(const char* op, const Tensor& x, const Tensor& y);
  /// Returns the tensor, with its place in the graph. Throws Error if it was written to since.
  Tensor unpack(Node& node) const;

 private:
  Ref<TensorImpl> value_;
  uint32_t version_ = 0;
  bool is_output_ = false;
};

/// An op that joined a graph, in one block of memory: this header, the edges, the closure.
class CAIRN_API Node : public Counted {
 public:
  /// The closure is called as closure(node, dy, gradients).
  template <class Closure>
  static Ref<Node> create(const char* name, std::span<const Tensor* const> inputs,
                          Closure closure) {
    static constexpr Behaviour behaviour{
        [](void* c, Node& node, const Tensor& dy, Gradients& dx) {
          (*static_cast<Closure*>(c))(node, dy, dx);
        },
        [](void* c) noexcept { static_cast<Closure*>(c)->~Closure(); }};
    static_assert(alignof(Closure) <= alignof(Edge));
    static_assert(std::is_nothrow_move_constructible_v<Closure>,
                  "what a gradient function captures must not throw when it is moved");
    Node* const node = allocate(name, inputs, sizeof(Closure));
    new (node->closure()) Closure(std::move(closure));
    node->behaviour_ = &behaviour;
    return Ref<Node>(node);
  }
  static void destroy(Node* node) noexcept;

  const char* name() const { return name_; }
  void rename(const char* name) { name_ = name; }
  std::span<const Edge> edges() const {
    return {reinterpret_cast<const Edge*>(this + 1), edge_count_};
  }
  /// Calls the closure.
  void backward(const Tensor& dy, Gradients& dx) { behaviour_->call(closure(), *this, dy, dx); }
  /// Frees the closure and what it saved.
  void spend() noexcept;
  bool spent() const { return behaviour_ == nullptr; }

  // Used while a walk runs; only one thread at a time may walk a graph.
  uint32_t pending = 0;        // how many gradients are still to come; fills the base's padding
  const void* walk = nullptr;  // the walk that reached this node
  Tensor dy_sum;               // the sum of the gradients so far
  bool needed = false;         // must the walk call the closure?

  Ref<GradSlot> slot;  // of the output, if it has hooks or retains its gradient

 private:
  struct Behaviour {
    void (*call)(void* closure, Node& node, const Tensor& dy, Gradients& dx);
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

/// Watches the ops that a thread runs. nn::NanGuard is one. Its functions may throw.
class CAIRN_API Observer {
 public:
  virtual ~Observer() = default;
  /// An op has computed y, which is not in a graph yet.
  virtual void computed(const char* op, const Tensor& y, std::span<const Tensor* const> inputs) = 0;
  /// The op is about to join a graph as this node.
  virtual void joins(const Node& node) = 0;
  /// A walk has computed the gradients of a node's inputs from dy.
  virtual void differentiated(const Node& node, const Tensor& dy,
                              std::span<const Gradients::Entry> dx) = 0;
};
/// The observer of this thread, or null.
CAIRN_API Observer* observer() noexcept;
/// Sets the observer of this thread and returns the one before.
CAIRN_API Observer* exchange_observer(Observer* next) noexcept;

/// Returns whether gradients are enabled and one of the inputs requires one. Throws Error if the
/// output is undefined or one of the inputs, if all inputs are undefined, or if gradients are
/// enabled and an input is stale (TensorImpl::is_stale).
CAIRN_API bool tracks(const char* op, const Tensor& y, std::span<const Tensor* const> inputs);

/// The tensor's slot, made if it has none.
GradSlot& slot_of(TensorImpl& impl);

/// Throws Error if the tensor is stale: an in-place op has changed its values since.
void check_not_stale(const char* op, const TensorImpl& impl);

/// Makes `node` the node of y and returns y.
CAIRN_API Tensor attach(const Tensor& y, Ref<Node> node);

/// The leaves that a gradient of `output` reaches without passing through one of `inputs`.
CAIRN_API std::vector<Edge> leaves_between(const Tensor& output,
                                           std::span<const Tensor* const> inputs);
/// How many walks of backward() and grad() this thread is inside. Hooks run in one.
CAIRN_API int walk_depth();

inline bool wants_gradient(const Tensor& x) { return x.defined() && x.requires_grad(); }

/// Unpacks the saved tensors and calls f(tensors...).
template <std::size_t N, class F>
decltype(auto) with_unpacked(const std::array<SavedTensor, N>& saved, Node& node, F f) {
  return [&]<std::size_t... K>(std::index_sequence<K...>)->decltype(auto) {
    const std::array<Tensor, N> tensors{saved[K].unpack(node)...};
    return f(tensors[K]...);
  }
  (std::make_index_sequence<N>());
}

/// The gradient function of one input, with its saved tensors.
template <class F, std::size_t N>
struct InputGradient {
  [[no_unique_address]] F function;  // takes no space if it captures nothing
  std::array<SavedTensor, N> saved;

  Tensor operator()(Node& node, const Tensor& dy) const {
    return with_unpacked(saved, node,
                         [&](const auto&... tensors) { return function(dy, tensors...); });
  }
};

}  // namespace detail

/// One input of an op, its gradient function, and the tensors to save for that function.
template <class F, std::size_t N>
struct Wrt {
  const Tensor& input;
  F gradient;
  std::array<const Tensor*, N> saved;

  /// Saves the tensors; returns nothing if the input does not require a gradient.
  std::optional<detail::InputGradient<F, N>> keep(const char* op, const Tensor& y) const {
    if (!detail::wants_gradient(input)) return std::nullopt;
    detail::InputGradient<F, N> result{gradient, {}};
    for (std::size_t k = 0; k < N; ++k) result.saved[k] = detail::SavedTensor(op, *saved[k], y);
    return result;
  }
};
/// An argument of record(): gradient(dy, saved...) returns the gradient of `input`.
template <class F, std::convertible_to<const Tensor&>... S>
Wrt<F, sizeof...(S)> wrt(const Tensor& input, F gradient, const S&... saved) {
  return {input, std::move(gradient), {&static_cast<const Tensor&>(saved)...}};
}

/// Joins y to the graph if an input is tracked, and returns it. This and record_joint() are the
/// only ways into a graph. An absent input may be undefined. y must be a new tensor.
/// Throws Error if y is undefined or an input, or if all inputs are undefined.
template <class... F, std::size_t... N>
Tensor record(const char* op, const Tensor& y, const Wrt<F, N>&... parts) {
  const Tensor* const inputs[] = {&parts.input...};
  if (!detail::tracks(op, y, inputs)) return y;
  auto closure = [gradients = std::tuple(parts.keep(op, y)...)](detail::Node& node,
                                                                const Tensor& dy, Gradients& dx) {
    std::size_t i = 0;
    const auto apply = [&](const auto& gradient) {
      if (gradient && dx.wanted(i)) dx[i] = (*gradient)(node, dy);
      ++i;
    };
    std::apply([&](const auto&... gradient) { (apply(gradient), ...); }, gradients);
  };
  return detail::attach(y, detail::Node::create(op, inputs, std::move(closure)));
}

/// A tensor that record_joint() saves if one of these inputs is tracked: saved(x, {0, 1}).
struct SavedFor {
  const Tensor& tensor;
  uint64_t inputs;  // one bit for each
};
inline SavedFor saved(const Tensor& x, std::initializer_list<int> inputs) {
  uint64_t bits = 0;
  for (const int input : inputs) {
    check(input >= 0 && input < 64, "record_joint: a tensor is saved for input {}; give 0 to 63",
          input);
    bits |= uint64_t{1} << input;
  }
  return {x, bits};
}

/// record() for an op whose gradients share work: gradients(dy, dx, saved...) sets dx[i] for every
/// input i with dx.wanted(i). A tensor that was not saved is undefined.
template <class F, std::same_as<SavedFor>... S>
Tensor record_joint(const char* op, const Tensor& y, std::span<const Tensor* const> inputs,
                    F gradients, const S&... tensors) {
  if (!detail::tracks(op, y, inputs)) return y;
  uint64_t tracked = 0;
  if constexpr (sizeof...(S) > 0) {
    for (std::size_t i = 0; i < std::min<std::size_t>(inputs.size(), 64); ++i) {
      tracked |= static_cast<uint64_t>(detail::wants_gradient(*inputs[i])) << i;
    }
  }
  [[maybe_unused]] const auto keep = [&](const SavedFor& s) {
    return (s.inputs & tracked) != 0 ? detail::SavedTensor(op, s.tensor, y) : detail::SavedTensor();
  };
  auto closure = [gradients = std::move(gradients),
                  saved = std::array<detail::SavedTensor, sizeof...(S)>{keep(tensors)...}](
                     detail::Node& node, const Tensor& dy, Gradients& dx) {
    detail::with_unpacked(saved, node, [&](const auto&... t) { gradients(dy, dx, t...); });
  };
  return detail::attach(y, detail::Node::create(op, inputs, std::move(closure)));
}

}  // namespace cairn
