// How an op joins the graph. It computes its output and says what the gradient of each input is:
//
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = ...;
//     return record("mul", y, wrt(a, [](auto& dy, auto& b) { return dy * b; }, b),
//                             wrt(b, [](auto& dy, auto& a) { return dy * a; }, a));
//   }
//
// The tensors after a gradient function are saved for it, if its input requires a gradient and
// gradients are enabled. An op may save its own output. A saved tensor that is written to before
// the backward is an Error then.
// A gradient may be written with recorded ops: then it can itself be differentiated. It may have
// the broadcast shape: the engine sums it to the input's shape.
#pragma once

#include <cairn/core/autograd.h>

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

/// What the function of record_joint() fills in: one gradient for each input that wants one.
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

/// What messages call a parameter: its own name, after that of the module that holds it. A module
/// gets its own name when another one takes it in; so a path is put together when it is asked for.
struct Name {
  std::string own;
  std::shared_ptr<const Name> owner = nullptr;

  std::string path() const;
};

/// Where a tensor's gradient is kept, and what happens when it arrives. The tensor and the graph
/// share it, so that the graph does not keep a leaf's values alive.
struct GradSlot : Counted {
  static void destroy(GradSlot* slot) noexcept { delete slot; }

  Tensor grad;
  std::vector<std::pair<uint64_t, Ref<Hook>>> hooks;
  std::shared_ptr<const Name> name;   // of a parameter
  const TensorImpl* owner = nullptr;  // whose .grad this is; null when that tensor has died
  bool requires_grad = false;         // of a leaf
  bool retain = false;                // of an op's output

  // Used by the walk that is under way.
  const void* walk = nullptr;
  Tensor staged;  // the sum of the gradients so far
};

/// Where an op's gradient goes: to the op that made the input, or to a leaf, or nowhere.
/// It knows the input's shape and dtype, not its values.
struct Edge {
  Ref<Node> node;
  Ref<GradSlot> leaf;
  Shape shape;
  DType dtype = DType::float32;
};

/// A tensor that a node keeps for a gradient: its values, their version and where they came from.
class CAIRN_API SavedTensor {
 public:
  SavedTensor() = default;  ///< unpacks to an undefined tensor
  /// `y` is the output of the op that saves x.
  SavedTensor(const Tensor& x, const Tensor& y);
  /// The tensor, in its place in the graph. Throws Error if it was written to since.
  Tensor unpack(Node& node) const;

 private:
  Ref<TensorImpl> value_;
  uint32_t version_ = 0;
  bool is_output_ = false;
};

/// A recorded op. It is one pooled block: this header, the edges, the closure.
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
  std::span<const Edge> edges() const {
    return {reinterpret_cast<const Edge*>(this + 1), edge_count_};
  }
  /// Calls the closure.
  void backward(const Tensor& dy, Gradients& dx) { behaviour_->call(closure(), *this, dy, dx); }
  /// Frees the closure and what it saved.
  void spend() noexcept;
  bool spent() const { return behaviour_ == nullptr; }

  Ref<GradSlot> slot;  // of the output, if it has hooks or retains its gradient

  // Used by the walk that is under way; one thread at a time walks a graph.
  const void* walk = nullptr;  // which one
  Tensor arrived;              // the sum of the gradients so far
  uint32_t pending = 0;        // how many gradients are still to come
  bool needed = false;         // is something wanted beyond this node?

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

/// Are gradients enabled and does one of these inputs require one? Throws Error for an undefined
/// output, for undefined inputs only, and for an input whose values an in-place op has changed
/// behind its back.
CAIRN_API bool tracks(const char* op, const Tensor& y, std::span<const Tensor* const> inputs);

/// Makes `node` the origin of y and returns y.
CAIRN_API Tensor attach(const Tensor& y, Ref<Node> node);

/// The leaves that a gradient of `output` reaches without passing through `input`.
CAIRN_API std::vector<Edge> leaves_between(const Tensor& output, const Tensor& input);

inline bool wants_gradient(const Tensor& x) { return x.defined() && x.requires_grad(); }

/// Calls f(tensors...) with what was saved.
template <std::size_t N, class F>
decltype(auto) with_unpacked(const std::array<SavedTensor, N>& saved, Node& node, F f) {
  return [&]<std::size_t... K>(std::index_sequence<K...>)->decltype(auto) {
    const std::array<Tensor, N> tensors{saved[K].unpack(node)...};
    return f(tensors[K]...);
  }
  (std::make_index_sequence<N>());
}

/// What a node keeps for one input.
template <class F, std::size_t N>
struct InputGradient {
  F function;
  std::array<SavedTensor, N> saved;

  Tensor operator()(Node& node, const Tensor& dy) const {
    return with_unpacked(saved, node,
                         [&](const auto&... tensors) { return function(dy, tensors...); });
  }
};

}  // namespace detail

/// One input of an op, its gradient as a function of dy and of the saved tensors, and these.
template <class F, std::size_t N>
struct Wrt {
  const Tensor& input;
  F gradient;
  std::array<const Tensor*, N> saved;

  /// What a node keeps: nothing for an input that is not tracked.
  std::optional<detail::InputGradient<F, N>> keep(const Tensor& y) const {
    if (!detail::wants_gradient(input)) return std::nullopt;
    detail::InputGradient<F, N> kept{gradient, {}};
    for (std::size_t k = 0; k < N; ++k) kept.saved[k] = detail::SavedTensor(*saved[k], y);
    return kept;
  }
};
template <class F, std::derived_from<Tensor>... S>
Wrt<F, sizeof...(S)> wrt(const Tensor& input, F gradient, const S&... saved) {
  return {input, std::move(gradient), {&saved...}};
}

/// Joins y to the graph if an input is tracked, and returns it. This and record_joint() are the
/// only ways into a graph. An absent input may be undefined. y must be a new tensor.
/// Throws Error if y is undefined, or every input.
template <class... F, std::size_t... N>
Tensor record(const char* op, const Tensor& y, const Wrt<F, N>&... parts) {
  const Tensor* const inputs[] = {&parts.input...};
  if (!detail::tracks(op, y, inputs)) return y;
  auto closure = [gradients = std::tuple(parts.keep(y)...)](detail::Node& node, const Tensor& dy,
                                                            Gradients& dx) {
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
  for (const int input : inputs) bits |= uint64_t{1} << input;
  return {x, bits};
}

/// record() for an op whose gradients share work: gradients(dy, dx, saved...) fills in all of them.
template <class F, std::same_as<SavedFor>... S>
Tensor record_joint(const char* op, const Tensor& y, std::span<const Tensor* const> inputs,
                    F gradients, const S&... tensors) {
  if (!detail::tracks(op, y, inputs)) return y;
  uint64_t tracked = 0;
  if constexpr (sizeof...(S) > 0) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      tracked |= static_cast<uint64_t>(detail::wants_gradient(*inputs[i])) << i;
    }
  }
  [[maybe_unused]] const auto keep = [&](const SavedFor& s) {
    return (s.inputs & tracked) != 0 ? detail::SavedTensor(s.tensor, y) : detail::SavedTensor();
  };
  auto closure = [gradients = std::move(gradients),
                  saved = std::array<detail::SavedTensor, sizeof...(S)>{keep(tensors)...}](
                     detail::Node& node, const Tensor& dy, Gradients& dx) {
    detail::with_unpacked(saved, node, [&](const auto&... t) { gradients(dy, dx, t...); });
  };
  return detail::attach(y, detail::Node::create(op, inputs, std::move(closure)));
}

}  // namespace cairn
