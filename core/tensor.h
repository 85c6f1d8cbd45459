// The one tensor type: a cheap handle to shared values, with a gradient and a place in the graph.
#pragma once

#include <cairn/core/tensor_impl.h>

#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

namespace cairn {

struct RandomOptions;
struct BackwardOptions;

/// Options of the functions that create a tensor.
struct TensorOptions {
  DType dtype = DType::float32;
  bool requires_grad = false;

  operator RandomOptions() const;  // NOLINT(google-explicit-constructor)
};

struct VarOptions {
  int64_t correction = 1;  ///< the divisor is count - correction; 1 gives the unbiased estimate
  bool keepdim = false;
};

namespace detail {
/// Can a callable be empty, like a std::function or a function pointer?
template <class F>
inline constexpr bool may_be_empty = std::is_constructible_v<bool, F> && !std::is_empty_v<F>;

/// A function that is called with a gradient and may replace it.
struct CAIRN_API Hook : Counted {
  static void destroy(Hook* hook) noexcept { delete hook; }
  virtual ~Hook() = default;
  virtual Tensor call(const Tensor& gradient) = 0;
};
}  // namespace detail

/// remove() removes a hook; a second call does nothing. The handle may outlive the tensor.
class CAIRN_API HookHandle {
 public:
  HookHandle();
  HookHandle(const HookHandle& other);
  HookHandle& operator=(const HookHandle& other);
  ~HookHandle();
  void remove();

 private:
  friend class Tensor;
  HookHandle(detail::Ref<detail::GradSlot> slot, uint64_t id);
  detail::Ref<detail::GradSlot> slot_;
  uint64_t id_ = 0;
};

/// Removes a hook at the end of a scope: `const ScopedHook hook = x.register_hook(f);`
class ScopedHook {
 public:
  ScopedHook(const HookHandle& handle)  // NOLINT(google-explicit-constructor)
      : handle_(handle) {}
  ~ScopedHook() { handle_.remove(); }
  ScopedHook(const ScopedHook&) = delete;
  ScopedHook& operator=(const ScopedHook&) = delete;

 private:
  HookHandle handle_;
};

/// A multi-dimensional array of float32, float64 or int64, at most 8 dimensions.
/// Copies share the values, the gradient and the place in the graph. A const handle has no
/// functions that write to it, but a copy of it has. A default-constructed or moved-from tensor is
/// undefined: everything but defined(), assignment and destruction throws Error.
class CAIRN_API Tensor {
 public:
  Tensor() = default;

  // ---- what it is ----
  bool defined() const { return static_cast<bool>(impl_); }
  const Shape& shape() const& { return impl("shape").view.shape; }
  Shape shape() const&& {
    return impl("shape").view.shape;
  }  // so that `for (d : f(x).shape())` is safe
  int64_t size(int64_t d) const;
  int64_t dim() const { return impl("dim").view.shape.size(); }
  int64_t numel() const { return impl("numel").view.numel; }
  DType dtype() const { return impl("dtype").view.dtype; }
  const Strides& strides() const& { return impl("strides").view.strides; }
  Strides strides() const&& { return impl("strides").view.strides; }
  bool is_contiguous() const { return impl("is_contiguous").view.contiguous; }

  // ---- reading ----
  /// The only value, converted. Throws Error if there is more than one.
  template <Arithmetic T>
  T item() const {
    return only_value().to<T>();
  }
  /// One value, converted: x.at<float>({i, j}). Throws Error if an index is out of range.
  template <Arithmetic T>
  T at(const Dims& index) const {
    return value_at(index).to<T>();
  }
  /// All values in row-major order, converted.
  template <Arithmetic T>
  std::vector<T> to_vector() const;
  /// Points at the first element; strides() tells where the others lie. T must be the exact dtype.
  template <Element T>
  const T* data() const {
    return static_cast<const T*>(typed_data("data", dtype_of<T>));
  }
  /// The same for writing. The call counts as one write; later writes by the pointer do not count.
  template <Element T>
  T* mutable_data() {
    count_raw_write(dtype_of<T>);
    return static_cast<T*>(const_cast<void*>(typed_data("mutable_data", dtype_of<T>)));
  }

  /// The values of a contiguous tensor in row-major order; T must be the exact dtype.
  template <Element T>
  std::span<const T> span() const {
    return {static_cast<const T*>(dense_data(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }

  // ---- views: the same values under another shape ----
  /// x[i] is select(0, i).
  Tensor operator[](int64_t i) const { return select(0, i); }
  /// One size may be -1, which means the rest. Copies only if a view is not possible.
  Tensor reshape(const Shape& wanted) const;
  /// reshape() without a copy: throws Error if a view is not possible.
  Tensor view(const Shape& wanted) const;
  Tensor transpose(int64_t a, int64_t b) const;
  /// The transpose of a matrix. A tensor of rank 0 or 1 is returned as it is.
  Tensor t() const;
  Tensor permute(const Dims& order) const;
  Tensor unsqueeze(int64_t d) const;
  /// Drops dimension d if its size is 1.
  Tensor squeeze(int64_t d) const;
  /// Stretches dimensions of size 1, without copying; -1 keeps a size.
  Tensor expand(const Shape& wanted) const;
  Tensor select(int64_t d, int64_t i) const;
  /// Elements begin, begin + step, ... before end; out-of-range bounds are clamped. step >= 1.
  Tensor slice(int64_t d, int64_t begin, int64_t end, int64_t step = 1) const;
  /// Merges dimensions `from` to `to`, both included.
  Tensor flatten(int64_t from = 0, int64_t to = -1) const;

  // ---- copies ----
  Tensor clone() const;
  /// This tensor if it is contiguous, else a copy.
  Tensor contiguous() const;
  /// This tensor if it has that dtype, else a copy. What int64 cannot hold becomes INT64_MIN.
  Tensor to(DType wanted) const;

  // ---- in place: they return the tensor ----
  // They throw Error for an expanded tensor and a module's buffer, and, unless under NoGrad, for a
  // leaf that requires a gradient and a view of a tensor in a graph.
  Tensor& copy_(const Tensor& y);  ///< broadcasts, converts the dtype
  Tensor& fill_(Scalar value);
  Tensor& zero_();
  Tensor& add_(const Tensor& y);
  Tensor& add_(Scalar y);
  Tensor& sub_(const Tensor& y);
  Tensor& sub_(Scalar y);
  Tensor& mul_(const Tensor& y);
  Tensor& mul_(Scalar y);
  Tensor& div_(const Tensor& y);
  Tensor& div_(Scalar y);
  Tensor& clamp_(Scalar low, Scalar high);
  Tensor& operator+=(const Tensor& y) { return add_(y); }
  Tensor& operator+=(Scalar y) { return add_(y); }
  Tensor& operator-=(const Tensor& y) { return sub_(y); }
  Tensor& operator-=(Scalar y) { return sub_(y); }
  Tensor& operator*=(const Tensor& y) { return mul_(y); }
  Tensor& operator*=(Scalar y) { return mul_(y); }
  Tensor& operator/=(const Tensor& y) { return div_(y); }
  Tensor& operator/=(Scalar y) { return div_(y); }

  // ---- autograd ----
  bool requires_grad() const { return impl("requires_grad").requires_grad(); }
  /// Throws Error for true on int64 or a buffer, and for false on a tensor that is not a leaf.
  Tensor& requires_grad_(bool wanted = true);
  /// The accumulated gradient, or an undefined tensor if there is none.
  Tensor grad() const;
  /// Replaces the gradient; an undefined g removes it. Throws Error if shape or dtype differ.
  void set_grad(const Tensor& g);
  void zero_grad();
  /// True unless a recorded op made this tensor.
  bool is_leaf() const { return !impl("is_leaf").node; }
  /// A tensor outside the graph that shares the values.
  Tensor detach() const;
  /// Takes this tensor out of the graph: it becomes a leaf that requires no gradient. Throws Error
  /// for a view of a tensor in a graph.
  Tensor& detach_();
  /// Makes backward() set .grad of this tensor even if it is not a leaf.
  Tensor& retain_grad();
  /// f(gradient) is called when the gradient of this tensor is complete, before it is used or
  /// accumulated. It returns a replacement, or an undefined tensor (or nothing) for no change.
  template <class F>
  HookHandle register_hook(F f);
  /// Accumulates d(this)/d(leaf) into every leaf's grad. `gradient` is the gradient of this
  /// tensor; undefined means 1, which only a tensor of one value allows. If an op or a hook throws,
  /// every grad stays as it was, and the graph is freed unless it is retained.
  void backward(const Tensor& gradient = {}) const;
  void backward(const Tensor& gradient, const BackwardOptions& options) const;

  // ---- the most used ops, as members; see ops.h ----
  Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
  Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
  Tensor var(const Dims& dims = {}, const VarOptions& options = {}) const;
  Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
  Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
  /// The square root of var(); its gradient is 0 where it is 0. It is a member only, since a free
  /// function of this name would hide namespace std.
  Tensor std(const Dims& dims = {}, const VarOptions& options = {}) const;
  Tensor argmax(int64_t d, bool keepdim = false) const;
  Tensor argmin(int64_t d, bool keepdim = false) const;
  Tensor prod(const Dims& dims = {}, bool keepdim = false) const;
  Tensor norm(Scalar p = 2, const Dims& dims = {}, bool keepdim = false) const;
  Tensor logsumexp(const Dims& dims, bool keepdim = false) const;
  Tensor cumsum(int64_t d) const;
  Tensor matmul(const Tensor& y) const;
  Tensor add(const Tensor& y) const;
  Tensor add(Scalar y) const;
  Tensor sub(const Tensor& y) const;
  Tensor sub(Scalar y) const;
  Tensor mul(const Tensor& y) const;
  Tensor mul(Scalar y) const;
  Tensor div(const Tensor& y) const;
  Tensor div(Scalar y) const;
  Tensor remainder(const Tensor& y) const;
  Tensor remainder(Scalar y) const;
  Tensor maximum(const Tensor& y) const;
  Tensor maximum(Scalar y) const;
  Tensor minimum(const Tensor& y) const;
  Tensor minimum(Scalar y) const;
  Tensor pow(const Tensor& p) const;
  Tensor pow(Scalar p) const;
  Tensor logical_and(const Tensor& y) const;
  Tensor logical_or(const Tensor& y) const;
  Tensor logical_xor(const Tensor& y) const;
  Tensor logical_not() const;
  Tensor isnan() const;
  Tensor isinf() const;
  Tensor isfinite() const;
  Tensor neg() const;
  Tensor exp() const;
  Tensor expm1() const;
  Tensor log() const;
  Tensor log1p() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor reciprocal() const;
  Tensor square() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor floor() const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor erf() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor leaky_relu(double slope = 0.01) const;
  Tensor gelu() const;
  Tensor silu() const;
  Tensor softplus(double beta = 1, double threshold = 20) const;
  Tensor clamp(Scalar low, Scalar high) const;
  Tensor softmax(int64_t d) const;
  Tensor log_softmax(int64_t d) const;
  Tensor index_select(int64_t d, const Tensor& index) const;
  Tensor gather(int64_t d, const Tensor& index) const;
  std::vector<Tensor> chunk(int64_t n, int64_t d = 0) const;

  // ---- for writers of ops ----
  explicit Tensor(detail::Ref<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  /// Throws Error naming `op` if the tensor is undefined.
  detail::TensorImpl& impl(const char* op = "tensor") const {
    if (!impl_) [[unlikely]]
      fail_undefined(op);
    return *impl_;
  }
  const detail::View& view_of() const { return impl().view; }
  const detail::Ref<detail::TensorImpl>& handle() const { return impl_; }

 private:
  [[noreturn]] static void fail_undefined(const char* op);
  [[noreturn]] static void fail_size();
  Scalar only_value() const;
  Scalar value_at(const Dims& index) const;
  Scalar read(int64_t offset) const;
  const void* typed_data(const char* op, DType wanted) const;
  const void* dense_data(DType wanted) const;
  void count_raw_write(DType wanted);
  HookHandle add_hook(detail::Ref<detail::Hook> hook);

  detail::Ref<detail::TensorImpl> impl_;
};

/// retain_graph keeps the graph for another backward(). create_graph also keeps it, and makes the
/// gradients themselves differentiable. If there are `inputs`, only their .grad accumulates; they
/// need not be leaves.
struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  std::vector<Tensor> inputs = {};
};

template <Arithmetic T>
std::vector<T> Tensor::to_vector() const {
  const Tensor dense = impl("to_vector").view.contiguous ? *this : detach().contiguous();
  const auto count = static_cast<std::size_t>(numel());
  if (count > std::vector<T>().max_size()) fail_size();
  const auto read = [&]<class From>(const From* values) {
    std::vector<T> result(count);
    for (std::size_t i = 0; i < count; ++i) result[i] = convert<T>(values[i]);
    return result;
  };
  switch (dtype()) {
    case DType::float32:
      return read(dense.data<float>());
    case DType::float64:
      return read(dense.data<double>());
    case DType::int64:
      break;
  }
  return read(dense.data<int64_t>());
}

template <class F>
HookHandle Tensor::register_hook(F f) {
  struct Function final : detail::Hook {
    explicit Function(F g) : function(std::move(g)) {}
    Tensor call(const Tensor& gradient) override {
      if constexpr (std::is_void_v<std::invoke_result_t<F&, const Tensor&>>) {
        function(gradient);
        return {};
      } else {
        return function(gradient);
      }
    }
    F function;
  };
  if constexpr (detail::may_be_empty<F>) {
    check(static_cast<bool>(f),
          "register_hook: the function is empty; give one that can be called");
  }
  return add_hook(detail::Ref<detail::Hook>(new Function(std::move(f))));
}

}  // namespace cairn
