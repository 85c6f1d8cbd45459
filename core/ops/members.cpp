// Member functions of Tensor. Each calls the free function of the same name.
#include <cairn/core/ops.h>

namespace cairn {

Tensor Tensor::sum(const Dims& dims, bool keepdim) const {
  return cairn::sum(*this, dims, keepdim);
}
Tensor Tensor::mean(const Dims& dims, bool keepdim) const {
  return cairn::mean(*this, dims, keepdim);
}
Tensor Tensor::var(const Dims& dims, const VarOptions& options) const {
  return cairn::var(*this, dims, options);
}
Tensor Tensor::amax(const Dims& dims, bool keepdim) const {
  return cairn::amax(*this, dims, keepdim);
}
Tensor Tensor::amin(const Dims& dims, bool keepdim) const {
  return cairn::amin(*this, dims, keepdim);
}
Tensor Tensor::argmax(int64_t d, bool keepdim) const { return cairn::argmax(*this, d, keepdim); }
Tensor Tensor::matmul(const Tensor& y) const { return cairn::matmul(*this, y); }
Tensor Tensor::exp() const { return cairn::exp(*this); }
Tensor Tensor::log() const { return cairn::log(*this); }
Tensor Tensor::sqrt() const { return cairn::sqrt(*this); }
Tensor Tensor::abs() const { return cairn::abs(*this); }
Tensor Tensor::sign() const { return cairn::sign(*this); }
Tensor Tensor::square() const { return cairn::square(*this); }
Tensor Tensor::pow(Scalar p) const { return cairn::pow(*this, p); }
Tensor Tensor::pow(const Tensor& p) const { return cairn::pow(*this, p); }
Tensor Tensor::sin() const { return cairn::sin(*this); }
Tensor Tensor::cos() const { return cairn::cos(*this); }
Tensor Tensor::tanh() const { return cairn::tanh(*this); }
Tensor Tensor::sigmoid() const { return cairn::sigmoid(*this); }
Tensor Tensor::relu() const { return cairn::relu(*this); }
Tensor Tensor::clamp(Scalar low, Scalar high) const { return cairn::clamp(*this, low, high); }
Tensor Tensor::softmax(int64_t d) const { return cairn::softmax(*this, d); }
Tensor Tensor::log_softmax(int64_t d) const { return cairn::log_softmax(*this, d); }

}  // namespace cairn
