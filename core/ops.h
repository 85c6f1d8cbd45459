// Every public op. Elementwise ops broadcast like NumPy; an operand of an operator may be a number.
// Ops with a floating result are differentiable to any order. Mixing dtypes throws Error.
#pragma once

#include <cairn/core/autograd.h>
#include <cairn/core/tensor.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace cairn {

// ---- creating tensors ----

/// A number or a nested list: 2.5 has shape [], {2.5} has [1], {{5}} has [1, 1], {} has [0].
/// Use it only as the argument of tensor(): it points at a list that dies with the call.
class CAIRN_API Literal {
 public:
  template <Arithmetic T>
  Literal(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  Literal(std::initializer_list<Literal> list) : list_(list), is_list_(true) {}

 private:
  friend CAIRN_API Tensor tensor(const Literal& values, const TensorOptions& options);
  Shape shape(int64_t depth = 0) const;
  template <class T>
  void copy(T*& to, DType dtype) const;

  Scalar value_ = 0;
  std::initializer_list<Literal> list_;
  bool is_list_ = false;
};

/// tensor({{1, 2}, {3, 4}}). The dtype is float32 unless given, also for integers.
/// Throws Error for ragged lists, beyond rank 4, and for a fraction with int64.
CAIRN_API Tensor tensor(const Literal& values, const TensorOptions& options = {});

CAIRN_API Tensor empty(const Shape& shape, const TensorOptions& options = {});  ///< values not set
CAIRN_API Tensor zeros(const Shape& shape, const TensorOptions& options = {});
CAIRN_API Tensor ones(const Shape& shape, const TensorOptions& options = {});
CAIRN_API Tensor full(const Shape& shape, Scalar value, const TensorOptions& options = {});
/// The n x n identity.
CAIRN_API Tensor eye(int64_t n, const TensorOptions& options = {});
/// begin, begin + step, ... before end. Unless given, begin is 0, step 1 and the dtype float32.
CAIRN_API Tensor arange(Scalar end, const TensorOptions& options = {});
CAIRN_API Tensor arange(Scalar begin, Scalar end, const TensorOptions& options = {});
CAIRN_API Tensor arange(Scalar begin, Scalar end, Scalar step, const TensorOptions& options = {});
/// `count` values from begin to end, both included.
CAIRN_API Tensor linspace(Scalar begin, Scalar end, int64_t count,
                          const TensorOptions& options = {});

CAIRN_API Tensor empty_like(const Tensor& x);
CAIRN_API Tensor zeros_like(const Tensor& x);
CAIRN_API Tensor ones_like(const Tensor& x);
CAIRN_API Tensor full_like(const Tensor& x, Scalar value);

/// Copies `values`, in row-major order; the dtype is theirs. Throws Error unless they fill `shape`.
CAIRN_API Tensor from_data(std::span<const float> values, const Shape& shape);
CAIRN_API Tensor from_data(std::span<const double> values, const Shape& shape);
CAIRN_API Tensor from_data(std::span<const int64_t> values, const Shape& shape);

namespace detail {
template <class R>
concept UnknownElements = requires(const R& range) {
  *std::data(range);
  requires !Element<std::remove_cvref_t<decltype(*std::data(range))>>;
};
template <class>
inline constexpr bool never = false;
}  // namespace detail

template <detail::UnknownElements R>
Tensor from_data(const R&, const Shape&) {
  static_assert(
      detail::never<R>,
      "from_data() takes float, double or int64_t values: copy yours into a vector of one");
  return {};
}

struct BlobOptions {
  Strides strides = {};  ///< in elements; row-major unless given
};

namespace detail {
CAIRN_API Tensor borrow(void* data, const Shape& shape, DType dtype, const Strides& strides,
                        bool read_only, std::unique_ptr<Deleter> deleter);
}  // namespace detail
/// Uses the caller's memory without a copy. deleter(data) is called when the last tensor on this
/// memory is destroyed. Without a deleter the caller keeps the memory alive. Writing to a tensor on
/// const data throws Error. The memory must hold every element that shape and strides reach.
/// Throws Error for strides of another rank, and for negative ones.
template <class T, class F = std::nullptr_t>
Tensor from_blob(T* data, const Shape& shape, F deleter = nullptr,
                 const BlobOptions& options = {}) {
  using Value = std::remove_const_t<T>;
  static_assert(Element<Value>, "from_blob() takes float*, double* or int64_t*");
  if constexpr (Element<Value>) {
    auto* const values = const_cast<Value*>(data);
    const auto borrowed = [&](std::unique_ptr<detail::Deleter> call) {
      return detail::borrow(values, shape, dtype_of<Value>, options.strides, std::is_const_v<T>,
                            std::move(call));
    };
    if constexpr (std::is_same_v<F, std::nullptr_t>) {
      return borrowed(nullptr);
    } else {
      struct Call final : detail::Deleter {
        Call(F f_, T* data_) : f(std::move(f_)), data(data_) {}
        void run() noexcept override { f(data); }
        F f;
        T* data;
      };
      if constexpr (detail::may_be_empty<F>) {
        if (!deleter) return borrowed(nullptr);
      }
      return borrowed(std::make_unique<Call>(std::move(deleter), data));
    }
  } else {
    return {};
  }
}
/// The same with strides: from_blob(data, {2, 3}, {.strides = {1, 2}}).
template <class T>
Tensor from_blob(T* data, const Shape& shape, const BlobOptions& options) {
  return from_blob(data, shape, nullptr, options);
}

// ---- arithmetic ----

CAIRN_API Tensor add(const Tensor& a, const Tensor& b);
CAIRN_API Tensor sub(const Tensor& a, const Tensor& b);
CAIRN_API Tensor mul(const Tensor& a, const Tensor& b);
/// True division: int64 by int64 gives float32.
CAIRN_API Tensor div(const Tensor& a, const Tensor& b);
CAIRN_API Tensor neg(const Tensor& x);
CAIRN_API Tensor maximum(const Tensor& a, const Tensor& b);
CAIRN_API Tensor maximum(const Tensor& a, Scalar b);
CAIRN_API Tensor maximum(Scalar a, const Tensor& b);
CAIRN_API Tensor minimum(const Tensor& a, const Tensor& b);
CAIRN_API Tensor minimum(const Tensor& a, Scalar b);
CAIRN_API Tensor minimum(Scalar a, const Tensor& b);
/// a - b floor(a / b): a result other than 0 has the sign of b. Throws Error for int64 by 0.
CAIRN_API Tensor remainder(const Tensor& a, const Tensor& b);
CAIRN_API Tensor remainder(const Tensor& a, Scalar b);
CAIRN_API Tensor remainder(Scalar a, const Tensor& b);
CAIRN_API Tensor pow(const Tensor& x, const Tensor& p);
CAIRN_API Tensor pow(const Tensor& x, Scalar p);
CAIRN_API Tensor pow(Scalar x, const Tensor& p);

CAIRN_API Tensor operator+(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator+(const Tensor& a, Scalar b);
CAIRN_API Tensor operator+(Scalar a, const Tensor& b);
CAIRN_API Tensor operator-(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator-(const Tensor& a, Scalar b);
CAIRN_API Tensor operator-(Scalar a, const Tensor& b);
CAIRN_API Tensor operator*(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator*(const Tensor& a, Scalar b);
CAIRN_API Tensor operator*(Scalar a, const Tensor& b);
CAIRN_API Tensor operator/(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator/(const Tensor& a, Scalar b);
CAIRN_API Tensor operator/(Scalar a, const Tensor& b);
CAIRN_API Tensor operator%(const Tensor& a, const Tensor& b);  ///< remainder()
CAIRN_API Tensor operator%(const Tensor& a, Scalar b);
CAIRN_API Tensor operator%(Scalar a, const Tensor& b);
CAIRN_API Tensor operator-(const Tensor& x);

// ---- comparison: an int64 mask of 0 and 1 ----

CAIRN_API Tensor operator==(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator==(const Tensor& a, Scalar b);
CAIRN_API Tensor operator==(Scalar a, const Tensor& b);
CAIRN_API Tensor operator!=(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator!=(const Tensor& a, Scalar b);
CAIRN_API Tensor operator!=(Scalar a, const Tensor& b);
CAIRN_API Tensor operator<(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator<(const Tensor& a, Scalar b);
CAIRN_API Tensor operator<(Scalar a, const Tensor& b);
CAIRN_API Tensor operator<=(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator<=(const Tensor& a, Scalar b);
CAIRN_API Tensor operator<=(Scalar a, const Tensor& b);
CAIRN_API Tensor operator>(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator>(const Tensor& a, Scalar b);
CAIRN_API Tensor operator>(Scalar a, const Tensor& b);
CAIRN_API Tensor operator>=(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator>=(const Tensor& a, Scalar b);
CAIRN_API Tensor operator>=(Scalar a, const Tensor& b);

// ---- logic: an int64 mask; a value other than 0 is true ----

CAIRN_API Tensor logical_and(const Tensor& a, const Tensor& b);
CAIRN_API Tensor logical_or(const Tensor& a, const Tensor& b);
CAIRN_API Tensor logical_xor(const Tensor& a, const Tensor& b);
CAIRN_API Tensor logical_not(const Tensor& x);
/// logical_and(), logical_or() and logical_not() of masks. & and | throw Error unless both are
/// int64.
CAIRN_API Tensor operator&(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator|(const Tensor& a, const Tensor& b);
CAIRN_API Tensor operator!(const Tensor& x);

CAIRN_API Tensor isnan(const Tensor& x);
CAIRN_API Tensor isinf(const Tensor& x);
CAIRN_API Tensor isfinite(const Tensor& x);

/// Takes a where the int64 mask is not 0, else b.
CAIRN_API Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b);
CAIRN_API Tensor where(const Tensor& mask, const Tensor& a, Scalar b);
CAIRN_API Tensor where(const Tensor& mask, Scalar a, const Tensor& b);

/// Is |a - b| <= atol + rtol |b| everywhere, computed in their dtype? NaN is close to nothing, or
/// to NaN if equal_nan. Not differentiable.
CAIRN_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                        bool equal_nan = false);

// ---- elementwise functions; int64 gives float32 unless every result is an integer ----

CAIRN_API Tensor exp(const Tensor& x);
CAIRN_API Tensor expm1(const Tensor& x);
CAIRN_API Tensor log(const Tensor& x);
CAIRN_API Tensor log1p(const Tensor& x);
CAIRN_API Tensor sqrt(const Tensor& x);
CAIRN_API Tensor rsqrt(const Tensor& x);  ///< 1 / sqrt(x)
CAIRN_API Tensor reciprocal(const Tensor& x);
CAIRN_API Tensor square(const Tensor& x);
CAIRN_API Tensor abs(const Tensor& x);    ///< gradient sign(x), 0 at 0
CAIRN_API Tensor sign(const Tensor& x);   ///< -1, 0 or 1; its gradient is 0
CAIRN_API Tensor floor(const Tensor& x);  ///< its gradient is 0
CAIRN_API Tensor sin(const Tensor& x);
CAIRN_API Tensor cos(const Tensor& x);
CAIRN_API Tensor tanh(const Tensor& x);
CAIRN_API Tensor erf(const Tensor& x);
CAIRN_API Tensor sigmoid(const Tensor& x);  ///< 1 / (1 + exp(-x))
CAIRN_API Tensor relu(const Tensor& x);     ///< max(x, 0); its gradient at 0 is 0
CAIRN_API Tensor gelu(const Tensor& x);     ///< x Phi(x), by erf (Hendrycks & Gimpel 2016)
CAIRN_API Tensor silu(const Tensor& x);     ///< x sigmoid(x)
/// log(1 + exp(beta x)) / beta; x where beta x > threshold.
CAIRN_API Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
/// x where x > 0, else slope * x; the gradient at 0 is slope.
CAIRN_API Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// min(max(x, low), high). The gradient is 0 unless low < x < high, as in PyTorch 2.15.
CAIRN_API Tensor clamp(const Tensor& x, Scalar low, Scalar high);

// ---- reductions; a negative dimension counts from the end, and an empty list means all ----

CAIRN_API Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// The mean of no values is NaN. Throws Error for int64.
CAIRN_API Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Sum of squared deviations / (count - correction).
CAIRN_API Tensor var(const Tensor& x, const Dims& dims = {}, const VarOptions& options = {});
/// var() and mean() of the same dimensions.
CAIRN_API std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Dims& dims = {},
                                             const VarOptions& options = {});
/// The product of the values; 1 if there are none.
CAIRN_API Tensor prod(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// (Σ|x|ᵖ)^(1/p). p = inf and -inf give the largest and smallest |x|, p = 0 the number of values
/// other than 0. The gradient is 0 where the norm is 0. Throws Error for int64.
CAIRN_API Tensor norm(const Tensor& x, Scalar p = 2, const Dims& dims = {}, bool keepdim = false);
/// y[i] = x[0] + ... + x[i] along d.
CAIRN_API Tensor cumsum(const Tensor& x, int64_t d);
/// Equal extremes share the gradient evenly. NaN counts as the extreme. Throws Error for no values.
CAIRN_API Tensor amax(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
CAIRN_API Tensor amin(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// The int64 index of the first largest value along d.
CAIRN_API Tensor argmax(const Tensor& x, int64_t d, bool keepdim = false);
/// The int64 index of the first smallest value along d.
CAIRN_API Tensor argmin(const Tensor& x, int64_t d, bool keepdim = false);
/// log(sum(exp(x))) without overflow.
CAIRN_API Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim = false);
CAIRN_API Tensor softmax(const Tensor& x, int64_t d);
CAIRN_API Tensor log_softmax(const Tensor& x, int64_t d);

// ---- linear algebra ----

/// Shape: a (*, n, k), b (*, k, m) -> y (*, n, m); the batch dimensions * broadcast. A vector
/// counts as a row on the left and as a column on the right, and y lacks that dimension.
CAIRN_API Tensor matmul(const Tensor& a, const Tensor& b);
/// y = x Wᵀ + b. Shape: x (*, in), weight (out, in), bias (out) or undefined -> y (*, out).
CAIRN_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- joining and indexing ----

/// Joins the parts along dimension d. Other dimensions must agree; a part of shape [0] is skipped.
CAIRN_API Tensor cat(std::span<const Tensor> parts, int64_t d = 0);
CAIRN_API Tensor cat(std::initializer_list<Tensor> parts, int64_t d = 0);
/// Joins parts of one shape along a new dimension d.
CAIRN_API Tensor stack(std::span<const Tensor> parts, int64_t d = 0);
CAIRN_API Tensor stack(std::initializer_list<Tensor> parts, int64_t d = 0);
/// Cuts x along d into at most n views of equal size; the last one may be smaller.
CAIRN_API std::vector<Tensor> chunk(const Tensor& x, int64_t n, int64_t d = 0);
/// The slices of x along d at the positions in `index` (int64, rank 1).
CAIRN_API Tensor index_select(const Tensor& x, int64_t d, const Tensor& index);
/// y[i][j] = x[index[i][j]][j] for d = 0, and so on. index (int64) has x's rank and is no larger
/// than x except along d.
CAIRN_API Tensor gather(const Tensor& x, int64_t d, const Tensor& index);
/// Shape: labels (*), int64 in [0, n) -> (*, n) int64, 1 at the label. Use .to() for a loss.
CAIRN_API Tensor one_hot(const Tensor& labels, int64_t n);

// ---- losses and normalisation ----

enum class Reduction : unsigned char { mean, sum, none };

struct MSELossOptions {
  Reduction reduction = Reduction::mean;
  bool broadcast = false;  ///< allows shapes that differ
};
/// The mean of (x - target)², or the sum, or each value, by `reduction`. The mean of no values is
/// NaN. Throws Error if the shapes differ, unless `broadcast` is set.
CAIRN_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                          const MSELossOptions& options = {});

/// The mean of -log softmax(logits)[label]. Shape: logits (N, C), labels (N) int64 -> scalar.
/// Throws Error for a label outside [0, C).
CAIRN_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

struct BatchNormFunctionOptions {
  bool training = false;
  double momentum = 0.1;  ///< the weight of the batch when running tensors are updated
  double eps = 1e-5;
};
/// Normalises each channel over batch and positions. In training, writes to the running tensors.
///   y = (x - mean) / sqrt(var + eps) * weight + bias
/// Shape: x (N, C, *) -> y (N, C, *); the other tensors (C) or undefined.
/// In training mean and var are the batch's, and the running tensors, if defined, are updated:
///   running = (1 - momentum) * running + momentum * batch
/// Otherwise mean and var are running_mean and running_var, which must be defined.
/// The variance is biased (1/n) in y and unbiased (1/(n-1)) in running_var.
/// Throws Error if C differs, or in training with one value per channel.
/// Source: Ioffe & Szegedy 2015, Alg. 1; agrees with torch.nn.functional.batch_norm.
CAIRN_API Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var,
                            const Tensor& weight = {}, const Tensor& bias = {},
                            const BatchNormFunctionOptions& options = {});

}  // namespace cairn
