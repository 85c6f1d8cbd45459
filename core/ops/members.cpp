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
Tensor Tensor::argmin(int64_t d, bool keepdim) const { return cairn::argmin(*this, d, keepdim); }
Tensor Tensor::prod(const Dims& dims, bool keepdim) const {
  return cairn::prod(*this, dims, keepdim);
}
Tensor Tensor::norm(Scalar p, const Dims& dims, bool keepdim) const {
  return cairn::norm(*this, p, dims, keepdim);
}
Tensor Tensor::logsumexp(const Dims& dims, bool keepdim) const {
  return cairn::logsumexp(*this, dims, keepdim);
}
Tensor Tensor::cumsum(int64_t d) const { return cairn::cumsum(*this, d); }
Tensor Tensor::add(const Tensor& y) const { return *this + y; }
Tensor Tensor::add(Scalar y) const { return *this + y; }
Tensor Tensor::sub(const Tensor& y) const { return *this - y; }
Tensor Tensor::sub(Scalar y) const { return *this - y; }
Tensor Tensor::mul(const Tensor& y) const { return *this * y; }
Tensor Tensor::mul(Scalar y) const { return *this * y; }
Tensor Tensor::div(const Tensor& y) const { return *this / y; }
Tensor Tensor::div(Scalar y) const { return *this / y; }
Tensor Tensor::remainder(const Tensor& y) const { return cairn::remainder(*this, y); }
Tensor Tensor::remainder(Scalar y) const { return cairn::remainder(*this, y); }
Tensor Tensor::maximum(const Tensor& y) const { return cairn::maximum(*this, y); }
Tensor Tensor::maximum(Scalar y) const { return cairn::maximum(*this, y); }
Tensor Tensor::minimum(const Tensor& y) const { return cairn::minimum(*this, y); }
Tensor Tensor::minimum(Scalar y) const { return cairn::minimum(*this, y); }
Tensor Tensor::logical_and(const Tensor& y) const { return cairn::logical_and(*this, y); }
Tensor Tensor::logical_or(const Tensor& y) const { return cairn::logical_or(*this, y); }
Tensor Tensor::logical_xor(const Tensor& y) const { return cairn::logical_xor(*this, y); }
Tensor Tensor::logical_not() const { return cairn::logical_not(*this); }
Tensor Tensor::isnan() const { return cairn::isnan(*this); }
Tensor Tensor::isinf() const { return cairn::isinf(*this); }
Tensor Tensor::isfinite() const { return cairn::isfinite(*this); }
Tensor Tensor::neg() const { return -*this; }
Tensor Tensor::expm1() const { return cairn::expm1(*this); }
Tensor Tensor::log1p() const { return cairn::log1p(*this); }
Tensor Tensor::rsqrt() const { return cairn::rsqrt(*this); }
Tensor Tensor::reciprocal() const { return cairn::reciprocal(*this); }
Tensor Tensor::floor() const { return cairn::floor(*this); }
Tensor Tensor::erf() const { return cairn::erf(*this); }
Tensor Tensor::leaky_relu(double slope) const { return cairn::leaky_relu(*this, slope); }
Tensor Tensor::gelu() const { return cairn::gelu(*this); }
Tensor Tensor::silu() const { return cairn::silu(*this); }
Tensor Tensor::softplus(double beta, double threshold) const {
  return cairn::softplus(*this, beta, threshold);
}
Tensor Tensor::index_select(int64_t d, const Tensor& index) const {
  return cairn::index_select(*this, d, index);
}
Tensor Tensor::gather(int64_t d, const Tensor& index) const {
  return cairn::gather(*this, d, index);
}
std::vector<Tensor> Tensor::chunk(int64_t n, int64_t d) const { return cairn::chunk(*this, n, d); }
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
