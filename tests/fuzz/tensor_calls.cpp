// Calls that make, view, change, compute and read tensors.
#include "fuzz/calls.h"

#include <fmt/format.h>

namespace cairn::fuzz {
namespace {

Tensor add_up(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return tensor(sum, {.dtype = DType::float64});
}

}  // namespace

std::vector<Call> tensor_calls() {
  using enum Call::Kind;
  return {
      // making tensors
      {"full", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         const Scalar v = a.p.scalar();
         return full(s, v, a.p.options());
       }},
      {"zeros", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         return zeros(s, a.p.options());
       }},
      {"empty", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         const NoGrad guard;
         return empty(s, a.p.options()).zero_();
       }},
      {"eye", effect,
       [](Args& a) {
         const int64_t n = a.p.number();
         return eye(n, a.p.options());
       }},
      {"arange", effect,
       [](Args& a) {
         const Scalar begin = a.p.scalar(), end = a.p.scalar(), step = a.p.scalar();
         return arange(begin, end, step, a.p.options());
       }},
      {"linspace", effect,
       [](Args& a) {
         const Scalar begin = a.p.scalar(), end = a.p.scalar();
         const int64_t n = a.p.number();
         return linspace(begin, end, n, a.p.options());
       }},
      {"from_data", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         std::vector<double> v;
         for (int i = a.p.byte() % 16; i > 0; --i) v.push_back(a.p.real());
         return from_data(v, s);
       }},
      {"from_blob", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         if (s.numel() > 8) return Tensor();
         return from_blob(new float[8](), s, [](const float* data) { delete[] data; });
       }},
      {"rand", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         return rand(s, a.p.options());
       }},
      {"randn", effect,
       [](Args& a) {
         const Shape s = a.p.shape();
         return randn(s, a.p.options());
       }},
      {"randint", effect,
       [](Args& a) {
         const int64_t low = a.p.number(), high = a.p.number();
         return randint(low, high, a.p.shape());
       }},
      {"randperm", effect, [](Args& a) { return randperm(a.p.number()); }},
      {"full_like", effect,
       [](Args& a) {
         const Tensor x = a.tensor();
         return full_like(x, a.p.scalar());
       }},
      {"rand_like", effect, [](Args& a) { return rand_like(a.tensor()); }},

      // views and copies
      {"reshape", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.reshape(a.p.sizes());
       }},
      {"view", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.view(a.p.sizes());
       }},
      {"transpose", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t i = a.p.number(), j = a.p.number();
         return x.transpose(i, j);
       }},
      {"t", exact, [](Args& a) { return a.tensor().t(); }},
      {"permute", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.permute(a.p.dims());
       }},
      {"unsqueeze", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.unsqueeze(a.p.number());
       }},
      {"squeeze", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.squeeze(a.p.number());
       }},
      {"expand", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.expand(a.p.sizes());
       }},
      {"select", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t d = a.p.number(), i = a.p.number();
         return x.select(d, i);
       }},
      {"slice", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t d = a.p.number(), i = a.p.number(), j = a.p.number(), step = a.p.number();
         return x.slice(d, i, j, step);
       }},
      {"flatten", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t from = a.p.number(), to = a.p.number();
         return x.flatten(from, to);
       }},
      {"clone", exact, [](Args& a) { return a.tensor().clone(); }},
      {"contiguous", exact, [](Args& a) { return a.tensor().contiguous(); }},
      {"to", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x.to(a.p.dtype());
       }},
      {"detach", exact, [](Args& a) { return a.tensor().detach(); }},
      {"the same", exact, [](Args& a) { return a.tensor(); }},

      // in place
      {"copy_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.copy_(a.tensor());
       }},
      {"add_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.add_(a.tensor());
       }},
      {"sub_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.sub_(a.tensor());
       }},
      {"mul_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.mul_(a.tensor());
       }},
      {"div_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.div_(a.tensor());
       }},
      {"fill_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.fill_(a.p.scalar());
       }},
      {"add_ scalar", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.add_(a.p.scalar());
       }},
      {"mul_ scalar", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         return x.mul_(a.p.scalar());
       }},
      {"clamp_", exact,
       [](Args& a) {
         Tensor x = a.tensor();
         const Scalar low = a.p.scalar();
         return x.clamp_(low, a.p.scalar());
       }},
      {"mutable_data", effect,
       [](Args& a) {
         Tensor x = a.tensor();
         x.mutable_data<float>();
         return x;
       }},

      // ops with arguments that may be absurd
      {"clamp", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Scalar low = a.p.scalar();
         return clamp(x, low, a.p.scalar());
       }},
      {"pow", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return pow(x, a.p.scalar());
       }},
      {"x + scalar", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x + a.p.scalar();
       }},
      {"scalar / x", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return a.p.scalar() / x;
       }},
      {"maximum scalar", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return maximum(x, a.p.scalar());
       }},
      {"==", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x == a.tensor();
       }},
      {"<", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return x < a.p.scalar();
       }},
      {"where", exact,
       [](Args& a) {
         const Tensor mask = a.tensor(), x = a.tensor();
         return where(mask, x, a.p.scalar());
       }},
      {"leaky_relu", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return leaky_relu(x, a.p.real());
       }},
      {"sum", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Dims d = a.p.dims();
         return sum(x, d, a.p.flag());
       }},
      {"mean", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Dims d = a.p.dims();
         return mean(x, d, a.p.flag());
       }},
      {"var", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Dims d = a.p.dims();
         const int64_t n = a.p.number();
         return var(x, d, {.correction = n, .keepdim = a.p.flag()});
       }},
      {"amax", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Dims d = a.p.dims();
         return amax(x, d, a.p.flag());
       }},
      {"argmax", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t d = a.p.number();
         return argmax(x, d, a.p.flag());
       }},
      {"logsumexp", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         const Dims d = a.p.dims();
         return logsumexp(x, d, a.p.flag());
       }},
      {"softmax", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         return softmax(x, a.p.number());
       }},
      {"log_softmax", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         return log_softmax(x, a.p.number());
       }},
      {"matmul", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         return matmul(x, a.tensor());
       }},
      {"linear", rounded,
       [](Args& a) {
         const Tensor x = a.tensor(), w = a.tensor();
         return linear(x, w, a.tensor());
       }},
      {"cat", exact,
       [](Args& a) {
         const std::vector<Tensor> parts = a.tensors();
         return cat(parts, a.p.number());
       }},
      {"stack", exact,
       [](Args& a) {
         const std::vector<Tensor> parts = a.tensors();
         return stack(parts, a.p.number());
       }},
      {"index_select", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t d = a.p.number();
         return index_select(x, d, a.tensor());
       }},
      {"gather", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         const int64_t d = a.p.number();
         return gather(x, d, a.tensor());
       }},
      {"one_hot", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return one_hot(x, a.p.number());
       }},
      {"cross_entropy", rounded,
       [](Args& a) {
         const Tensor x = a.tensor();
         return cross_entropy(x, a.tensor());
       }},
      {"batch_norm", effect,
       [](Args& a) {
         const Tensor x = a.tensor(), m = a.tensor(), v = a.tensor(), w = a.tensor(),
                      b = a.tensor();
         const bool training = a.p.flag();
         const double momentum = a.p.real();
         return batch_norm(x, m, v, w, b,
                           {.training = training, .momentum = momentum, .eps = a.p.real()});
       }},

      // reading
      {"item", exact,
       [](Args& a) { return tensor(a.tensor().item<double>(), {.dtype = DType::float64}); }},
      {"at", exact,
       [](Args& a) {
         const Tensor x = a.tensor();
         return tensor(x.at<float>(a.p.dims()));
       }},
      {"to_vector", exact,
       [](Args& a) {
         const std::vector<double> values = a.tensor().to_vector<double>();
         return add_up(values);
       }},
      {"print", effect, [](Args& a) { return tensor(fmt::format("{}", a.tensor()).size()); }},
      {"allclose", exact,
       [](Args& a) {
         const Tensor x = a.tensor(), y = a.tensor();
         const double rtol = a.p.real();
         return tensor(allclose(x, y, rtol, a.p.real()));
       }},
      {"data", effect,
       [](Args& a) {
         a.tensor().data<double>();
         return Tensor();
       }},
  };
}

}  // namespace cairn::fuzz
