// The one tensor type: a cheap handle to shared values, with a gradient and a place in the graph.
#pragma once

#include <cairn/core/tensor_impl.h>

#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

namespace cairn {

/// How a tensor is made.
struct TensorOptions {
  DType dtype = DType::float32;
  bool requires_grad = false;
};

/// retain_graph keeps the graph for another backward(); create_graph makes the gradients
/// themselves differentiable (and retains).
struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
};

struct VarOptions {
  int64_t correction = 1;  ///< the divisor is count - correction; 1 gives the unbiased estimate
  bool keepdim = false;
};

namespace detail {
/// May a callable be empty, as a std::function or a function pointer?
template <class F>
inline constexpr bool may_be_empty = std::is_constructible_v<bool, F> && !std::is_empty_v<F>;

/// A function that is called with a gradient and may replace it.
struct CAIRN_API Hook : Counted {
  static void destroy(Hook* hook) noexcept { delete hook; }
  virtual ~Hook() = default;
  virtual Tensor call(const Tensor& gradient) = 0;
};
}  // namespace detail

/// Removes a hook; does nothing the second time. It may outlive the tensor.
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
  ScopedHook(HookHandle handle)  // NOLINT(google-explicit-constructor)
      : handle_(std::move(handle)) {}
  ~ScopedHook() { handle_.remove(); }
  ScopedHook(const ScopedHook&) = delete;
  ScopedHook& operator=(const ScopedHook&) = delete;

 private:
  HookHandle handle_;
};

/// A multi-dimensional array of float32, float64 or int64, at most 8 dimensions.
/// Copies share everything. A const handle cannot be written through; a copy of it can.
/// A default-constructed or moved-from tensor is undefined: everything but defined(), assignment
/// and destruction throws Error.
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
  /// One value, converted: x.at<float>({i, j}).
  template <Arithmetic T>
  T at(const Dims& index) const {
    return value_at(index).to<T>();
  }
  /// All values in row-major order, converted.
  template <Arithmetic T>
  std::vector<T> to_vector() const;
  /// The first element; T must be the exact dtype. Elements lie by strides().
  template <Element T>
  const T* data() const {
    return static_cast<const T*>(typed_data("data", dtype_of<T>));
  }
  /// The same for writing. Counts as a write now, and not when a pointer that was kept is used.
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
  /// One size may be -1. Copies only if it must.
  Tensor reshape(const Shape& shape) const;
  /// Never copies: throws Error where reshape would.
  Tensor view(const Shape& shape) const;
  Tensor transpose(int64_t a, int64_t b) const;
  /// The transpose of a matrix; rank 0 or 1 comes back as it is.
  Tensor t() const;
  Tensor permute(const Dims& order) const;
  Tensor unsqueeze(int64_t d) const;
  /// Drops dimension d if its size is 1.
  Tensor squeeze(int64_t d) const;
  /// Stretches dimensions of size 1, without copying; -1 keeps a size.
  Tensor expand(const Shape& shape) const;
  Tensor select(int64_t d, int64_t i) const;
  /// Elements begin, begin + step, ... before end; out-of-range bounds are clamped. step >= 1.
  Tensor slice(int64_t d, int64_t begin, int64_t end, int64_t step = 1) const;
  /// Joins dimensions from..to (both included).
  Tensor flatten(int64_t from = 0, int64_t to = -1) const;

  // ---- copies ----
  Tensor clone() const;
  /// Itself if it is contiguous.
  Tensor contiguous() const;
  /// Itself if it has that dtype. What int64 cannot hold becomes its smallest value.
  Tensor to(DType dtype) const;

  // ---- in place: they return the tensor ----
  // A leaf that requires a gradient, and a view of a tensor in a graph, are written only under
  // NoGrad; an expanded tensor and a module's buffer not at all.
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
  /// Only of a leaf, and only of a floating one.
  Tensor& requires_grad_(bool requires_grad = true);
  /// The accumulated gradient; undefined before there is one.
  Tensor grad() const;
  /// Replaces the gradient; an undefined one drops it. Shape and dtype must be the tensor's.
  void set_grad(const Tensor& g);
  void zero_grad();
  /// Was it made by the user rather than by a recorded op?
  bool is_leaf() const { return !impl("is_leaf").node; }
  /// The same values outside the graph.
  Tensor detach() const;
  /// Asks for .grad of a tensor that is no leaf.
  Tensor& retain_grad();
  /// f(gradient) is called when the gradient of this tensor is complete, before it is used or
  /// accumulated. It returns a replacement, or an undefined tensor (or nothing) for no change.
  template <class F>
  HookHandle register_hook(F f);
  /// Accumulates d(this)/d(leaf) into every leaf's grad. `gradient` is the gradient of this
  /// tensor; left undefined it is 1, for a single value. On an exception every grad stays as it
  /// was, and the graph is spent.
  void backward(const Tensor& gradient = {}, const BackwardOptions& options = {}) const;

  // ---- the most used ops, as members; see ops.h ----
  Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
  Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
  Tensor var(const Dims& dims = {}, const VarOptions& options = {}) const;
  Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
  Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
  Tensor argmax(int64_t d, bool keepdim = false) const;
  Tensor matmul(const Tensor& y) const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor square() const;
  Tensor pow(Scalar p) const;
  Tensor pow(const Tensor& p) const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor clamp(Scalar low, Scalar high) const;
  Tensor softmax(int64_t d) const;
  Tensor log_softmax(int64_t d) const;

  // ---- for those who write ops ----
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
  Scalar only_value() const;
  Scalar value_at(const Dims& index) const;
  Scalar read(int64_t offset) const;
  const void* typed_data(const char* op, DType dtype) const;
  const void* dense_data(DType dtype) const;
  void count_raw_write(DType dtype);
  HookHandle add_hook(detail::Ref<detail::Hook> hook);

  detail::Ref<detail::TensorImpl> impl_;
};

template <Arithmetic T>
std::vector<T> Tensor::to_vector() const {
  const Tensor dense = impl("to_vector").view.contiguous ? *this : detach().contiguous();
  const auto count = static_cast<std::size_t>(numel());
  if (count > std::vector<T>().max_size()) throw OutOfMemory("to_vector", SIZE_MAX);
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
        return Tensor();
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
