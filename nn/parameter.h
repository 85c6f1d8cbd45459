// What a module holds: parameters, which gradients train, and buffers, which they never do.
#pragma once

#include <cairn/core/tensor.h>

#include <string>

namespace cairn {

class Buffer;
namespace nn {
class Module;
}
namespace detail {
/// Makes a buffer hold another tensor. A layer that keeps several shows one of them so.
void hold(Buffer& buffer, const Tensor& tensor) noexcept;
}  // namespace detail

/// A tensor that requires a gradient and is registered with a module. Usable wherever a Tensor is.
/// It keeps its identity: write values with copy_() under NoGrad. Assigning is deleted here; done
/// through a Tensor&, it would put another tensor into the module, which no optimizer knows.
class CAIRN_API Parameter : public Tensor {
 public:
  Parameter() = default;
  /// Takes a tensor over and makes it require a gradient. An undefined one stays undefined: the
  /// parameter is absent, like a bias that was not asked for. Throws Error for what an op
  /// computed, a buffer, or an expanded tensor.
  explicit Parameter(Tensor value);
  Parameter(const Parameter&) = default;
  Parameter& operator=(const Parameter&) = delete;
  ~Parameter() = default;
};

/// A tensor that belongs to a module's state but is not trained. It reads like a Tensor. Only its
/// layer, copy_() and loading write it. It reaches no optimizer and takes no gradient.
class CAIRN_API Buffer {
 public:
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // ---- reading ----
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }  // NOLINT(google-explicit-constructor)
  /// Everything else that a const Tensor can do: b->mean().
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
  bool requires_grad() const { return false; }

  // ---- writing ----
  /// Sets the values, frozen or not. The shape must be the buffer's; the dtype is converted.
  Buffer& copy_(const Tensor& values);
  /// From now on the layer's own updates leave this buffer alone.
  void freeze() { frozen_ = true; }
  void unfreeze() { frozen_ = false; }
  bool frozen() const { return frozen_; }
  /// requires_grad_(false) says the same as freeze(). (PyTorch ignores it on a buffer.) true
  /// throws: a buffer is never trained by gradient.
  Buffer& requires_grad_(bool requires_grad);

 private:
  friend class nn::Module;
  friend void detail::hold(Buffer& buffer, const Tensor& tensor) noexcept;
  Buffer(nn::Module& module, const Tensor& value);

  nn::Module* module_;  // the one that holds it, where it is now
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
