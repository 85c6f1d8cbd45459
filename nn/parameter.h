// The tensors of a module: parameters, which are trained, and buffers, which are not.
#pragma once

#include <cairn/core/tensor.h>

#include <string>

namespace cairn {

class Buffer;
namespace nn {
class Module;
}
namespace detail {
/// Makes a buffer refer to another tensor. A layer selects a record of statistics with it.
void hold(Buffer& buffer, const Tensor& tensor) noexcept;
}  // namespace detail

/// A tensor that requires a gradient and is registered with a module. Usable wherever a Tensor is.
/// To change its values, call copy_() under NoGrad. Assignment is deleted, because it would put a
/// tensor into the module that the optimizer does not have. Do not assign through a Tensor& either.
class CAIRN_API Parameter : public Tensor {
 public:
  Parameter() = default;
  /// Makes `value` require a gradient. An undefined value makes an absent parameter, such as the
  /// bias of a Linear with .bias = false. Throws Error for a tensor that an op in a graph computed,
  /// a buffer, an expanded tensor or an integer tensor.
  explicit Parameter(Tensor value);
  Parameter(const Parameter&) = default;
  Parameter& operator=(const Parameter&) = delete;  // write weight.copy_(values) under NoGrad
  Parameter& operator=(const Tensor&) = delete;     // write weight.copy_(values) under NoGrad
  ~Parameter() = default;
};

/// A tensor that belongs to a module's state but is not trained. It can be read like a Tensor. Only
/// its layer, copy_() and loading write it. It has no gradient, and optimizers refuse it.
class CAIRN_API Buffer {
 public:
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;  // write running_mean.copy_(values)
  Buffer& operator=(const Tensor&) = delete;  // write running_mean.copy_(values)

  // ---- reading ----
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }  // NOLINT(google-explicit-constructor)
  /// Every const member function of Tensor: b->mean().
  const Tensor* operator->() const { return &tensor_; }
  bool defined() const { return tensor_.defined(); }
  Shape shape() const { return tensor_.shape(); }
  int64_t size(int64_t d) const { return tensor_.size(d); }
  int64_t dim() const { return tensor_.dim(); }
  int64_t numel() const { return tensor_.numel(); }
  DType dtype() const { return tensor_.dtype(); }
  Strides strides() const { return tensor_.strides(); }
  bool is_contiguous() const { return tensor_.is_contiguous(); }
  Tensor operator[](int64_t i) const { return tensor_[i]; }
  template <Arithmetic T>
  T item() const {
    return tensor_.item<T>();
  }
  template <Arithmetic T>
  T at(const Dims& index) const {
    return tensor_.at<T>(index);
  }
  template <Arithmetic T>
  std::vector<T> to_vector() const {
    return tensor_.to_vector<T>();
  }
  template <Element T>
  const T* data() const {
    return tensor_.data<T>();
  }
  Tensor clone() const { return tensor_.clone(); }
  Tensor detach() const { return tensor_.detach(); }
  Tensor to(DType dtype) const { return tensor_.to(dtype); }
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): it reads as a tensor does
  bool requires_grad() const { return false; }

  // ---- writing ----
  /// Writes the values, even if the buffer is frozen. The shape must match; the dtype is converted.
  Buffer& copy_(const Tensor& values);
  /// Stops the layer's own updates of this buffer.
  void freeze() { frozen_ = true; }
  void unfreeze() { frozen_ = false; }
  bool frozen() const { return frozen_; }
  /// requires_grad_(false) does the same as freeze(); PyTorch ignores it on a buffer.
  /// requires_grad_(true) throws Error, because a buffer is never trained.
  Buffer& requires_grad_(bool requires_grad);

 private:
  friend class nn::Module;
  friend void detail::hold(Buffer& buffer, const Tensor& tensor) noexcept;
  Buffer(nn::Module& module, const Tensor& value);

  nn::Module* module_;  // holds this buffer; updated when the module moves
  Tensor tensor_;
  bool frozen_ = false;
};

namespace nn {
using cairn::Buffer;
using cairn::Parameter;
}  // namespace nn

}  // namespace cairn

template <>
struct fmt::formatter<cairn::Buffer> : fmt::formatter<cairn::Tensor> {};
