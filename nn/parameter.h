// What a module holds: parameters, which gradients train, and buffers, which they never do.
#pragma once

#include <cairn/core/tensor.h>

#include <string>

namespace cairn {

namespace nn {
class Module;
struct Statistics;
}  // namespace nn

/// A tensor that requires a gradient and is registered with a module. Usable wherever a Tensor is.
/// It keeps its identity: write values with copy_() under NoGrad. Assigning is deleted here; done
/// through a Tensor&, it would put another tensor into the slot, which no optimizer knows.
class CAIRN_API Parameter : public Tensor {
 public:
  Parameter() = default;
  /// Takes a tensor over and makes it require a gradient. An undefined one stays undefined: the
  /// parameter is absent, as a bias that was not asked for. Throws Error for what an op computed,
  /// a buffer, or an expanded tensor.
  explicit Parameter(Tensor value);
  Parameter(const Parameter&) = default;
  Parameter& operator=(const Parameter&) = delete;
  ~Parameter() = default;
};

/// A tensor that belongs to a module's state but is not trained: read like a Tensor, written only
/// by its layer, by copy_() and by loading. It reaches no optimizer and takes no gradient.
class CAIRN_API Buffer {
 public:
  /// Says why values are unacceptable, by throwing.
  using Check = void (*)(const char* name, const Tensor& values);

  Buffer(std::string name, Tensor value, Check check = nullptr);
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // ---- reading ----
  const Tensor& tensor() const { return *shown_; }
  operator const Tensor&() const { return *shown_; }  // NOLINT(google-explicit-constructor)
  bool defined() const { return shown_->defined(); }
  Shape shape() const { return shown_->shape(); }
  int64_t size(int64_t d) const { return shown_->size(d); }
  int64_t dim() const { return shown_->dim(); }
  int64_t numel() const { return shown_->numel(); }
  DType dtype() const { return shown_->dtype(); }
  Strides strides() const { return shown_->strides(); }
  bool is_contiguous() const { return shown_->is_contiguous(); }
  Tensor operator[](int64_t i) const { return (*shown_)[i]; }
  template <Arithmetic T>
  T item() const {
    return shown_->item<T>();
  }
  template <Arithmetic T>
  T at(const Dims& index) const {
    return shown_->at<T>(index);
  }
  template <Arithmetic T>
  std::vector<T> to_vector() const {
    return shown_->to_vector<T>();
  }
  template <Element T>
  const T* data() const {
    return shown_->data<T>();
  }
  Tensor clone() const { return shown_->clone(); }
  Tensor detach() const { return shown_->detach(); }
  Tensor to(DType dtype) const { return shown_->to(dtype); }
  bool requires_grad() const { return false; }

  // ---- writing ----
  /// Sets the values, frozen or not. The shape must be the buffer's; the dtype is converted.
  Buffer& copy_(const Tensor& values);
  /// From now on the layer's own recording passes this buffer by.
  void freeze() { frozen_ = true; }
  void unfreeze() { frozen_ = false; }
  bool frozen() const { return frozen_; }
  /// requires_grad_(false) says the same as freeze(). (PyTorch ignores it on a buffer.) true
  /// throws: a buffer is never trained by gradient.
  Buffer& requires_grad_(bool requires_grad);

  // ---- for modules ----
  /// Is it part of the module's state now? A layer without a record has buffers that only answer.
  bool listed() const { return listed_; }
  /// Was it ever given values by copy_() or by loading?
  bool assigned() const { return assigned_; }
  /// What it holds itself and state_dict() lists, whatever it shows.
  const Tensor& stored() const { return value_; }

 private:
  friend class nn::Module;
  friend struct nn::Statistics;

  /// The values in the buffer's dtype. Throws Error unless it takes them; `name` is for the
  /// message.
  Tensor accepted(const char* name, const Tensor& values) const;
  /// The last step of copy_() and of loading, which cannot fail: `to` is what it shows or what it
  /// stores. The values were accepted.
  void assign(const Tensor& to, const Tensor& values) noexcept;

  std::string name_;  // its path, once its module is registered
  Tensor value_;
  const Tensor* shown_ = &value_;  // another buffer's, where a layer keeps several records
  Check check_;
  bool frozen_ = false, listed_ = true, assigned_ = false;
};

namespace nn {
using cairn::Buffer;
using cairn::Parameter;
}  // namespace nn

}  // namespace cairn

template <>
struct fmt::formatter<cairn::Buffer> : fmt::formatter<cairn::Tensor> {};
