// Every differentiable op, one line each. A line is all it takes for an op to be checked in
// test_table.cpp: its gradients to the second order and its values, over every layout of its
// inputs, empty ones included, and its refusal of undefined tensors.
#pragma once

#include "core/ops/operand.h"

#include <cmath>
#include <functional>

namespace cairn::test {

struct Op {
  const char* name;
  std::vector<Operand> operands;
  std::function<Tensor(const std::vector<Tensor>&)> f;
};

using Inputs = const std::vector<Tensor>&;

inline const Operand matrix = reals.of({3, 4}, {0, 4});
inline const Operand cube = reals.of({2, 3, 4}, {2, 0, 4});
inline const Operand batch = reals.of({4, 3, 2}, {0, 3, 2});  // (N, C, L)
inline const Operand per_channel = positive.of({3}, {3});
inline const Operand row = reals.of({4}, {4});  // what is written into a matrix

inline Tensor beside(const Tensor& x, double value) {
  return full({3}, value, {.dtype = x.dtype()});
}

// clang-format off
inline const std::vector<Op>& table() {
  static const std::vector<Op> ops{
      // arithmetic
      {"add", {reals, reals}, [](Inputs x) { return x[0] + x[1]; }},
      {"sub", {reals, reals}, [](Inputs x) { return x[0] - x[1]; }},
      {"mul", {reals, reals}, [](Inputs x) { return x[0] * x[1]; }},
      {"div", {reals, positive}, [](Inputs x) { return x[0] / x[1]; }},
      {"neg", {reals}, [](Inputs x) { return -x[0]; }},
      {"x + 2", {reals}, [](Inputs x) { return x[0] + 2; }},
      {"2 - x", {reals}, [](Inputs x) { return 2 - x[0]; }},
      {"x * 3", {reals}, [](Inputs x) { return x[0] * 3; }},
      {"x / 3", {reals}, [](Inputs x) { return x[0] / 3; }},
      {"2 / x", {positive}, [](Inputs x) { return 2 / x[0]; }},
      {"x * x", {reals}, [](Inputs x) { return x[0] * x[0]; }},
      {"maximum", {reals, reals}, [](Inputs x) { return maximum(x[0], x[1]); }},
      {"minimum", {reals, reals}, [](Inputs x) { return minimum(x[0], x[1]); }},
      {"pow", {positive, reals}, [](Inputs x) { return pow(x[0], x[1]); }},
      {"pow(x, 3)", {reals}, [](Inputs x) { return pow(x[0], 3); }},
      {"pow(x, 2)", {reals}, [](Inputs x) { return pow(x[0], 2); }},
      {"pow(x, 1)", {reals}, [](Inputs x) { return pow(x[0], 1); }},
      {"pow(x, 0)", {reals}, [](Inputs x) { return pow(x[0], 0); }},
      {"pow(x, 2.5)", {positive}, [](Inputs x) { return pow(x[0], 2.5); }},
      {"pow(x, -1)", {positive}, [](Inputs x) { return pow(x[0], -1); }},
      {"pow(x, -0.5)", {positive}, [](Inputs x) { return pow(x[0], -0.5); }},
      {"pow(2, x)", {reals}, [](Inputs x) { return pow(2, x[0]); }},
      {"pow(0, x)", {positive}, [](Inputs x) { return pow(0, x[0]); }},
      {"remainder", {reals, positive}, [](Inputs x) { return remainder(0.125 * x[0] + 2.375, 1 + x[1] / 64); }},
      {"x % 0.7", {reals}, [](Inputs x) { return (0.125 * x[0] + 1) % 0.7; }},
      {"where", {integers_below(2), reals, reals}, [](Inputs x) { return where(x[0], x[1], x[2]); }},

      // of one element
      {"exp", {reals}, [](Inputs x) { return exp(x[0]); }},
      {"expm1", {reals}, [](Inputs x) { return expm1(x[0]); }},
      {"log", {positive}, [](Inputs x) { return log(x[0]); }},
      {"log1p", {positive}, [](Inputs x) { return log1p(x[0]); }},
      {"sqrt", {positive}, [](Inputs x) { return sqrt(x[0]); }},
      {"rsqrt", {positive}, [](Inputs x) { return rsqrt(x[0]); }},
      {"reciprocal", {positive}, [](Inputs x) { return reciprocal(x[0]); }},
      {"square", {reals}, [](Inputs x) { return square(x[0]); }},
      {"abs", {reals}, [](Inputs x) { return abs(x[0]); }},
      {"sign", {reals}, [](Inputs x) { return sign(x[0]); }},
      {"floor", {reals}, [](Inputs x) { return floor(x[0]) * x[0]; }},
      {"sin", {reals}, [](Inputs x) { return sin(x[0]); }},
      {"cos", {reals}, [](Inputs x) { return cos(x[0]); }},
      {"tanh", {reals}, [](Inputs x) { return tanh(x[0]); }},
      {"erf", {reals}, [](Inputs x) { return erf(x[0]); }},
      {"sigmoid", {reals}, [](Inputs x) { return sigmoid(x[0]); }},
      {"relu", {reals}, [](Inputs x) { return relu(x[0]); }},
      {"gelu", {reals}, [](Inputs x) { return gelu(x[0]); }},
      {"leaky_relu", {reals}, [](Inputs x) { return leaky_relu(x[0], 0.2); }},
      {"silu", {reals}, [](Inputs x) { return silu(x[0]); }},
      {"softplus", {reals}, [](Inputs x) { return softplus(x[0]); }},
      {"softplus, also above 20", {reals}, [](Inputs x) { return softplus(x[0] * 11); }},
      {"softplus, beta 2, threshold 3", {reals}, [](Inputs x) { return softplus(x[0], 2, 3); }},
      {"clamp", {reals}, [](Inputs x) { return clamp(x[0], -1, 0.5); }},
      {"clamp, crossed", {reals}, [](Inputs x) { return clamp(x[0], 0.5, -1); }},

      // reduction
      {"sum", {cube}, [](Inputs x) { return sum(x[0]); }},
      {"sum {0}", {reals}, [](Inputs x) { return sum(x[0], {0}); }},
      {"sum {1}", {cube}, [](Inputs x) { return sum(x[0], {1}); }},
      {"sum {0, -1}, keepdim", {cube}, [](Inputs x) { return sum(x[0], {0, -1}, true); }},
      {"mean {1}", {reals.of({2, 3, 4}, {2, 3, 0})}, [](Inputs x) { return mean(x[0], {1}); }},
      {"mean {0, 2}, keepdim", {reals.of({2, 3, 4}, {2, 0, 4})}, [](Inputs x) { return mean(x[0], {0, 2}, true); }},
      {"mean {-1}, keepdim", {matrix}, [](Inputs x) { return mean(x[0], {-1}, true); }},
      {"mean", {reals.of({2, 3, 4}, {1})}, [](Inputs x) { return mean(x[0]); }},
      {"var", {reals.of({3, 4}, {2})}, [](Inputs x) { return var(x[0]); }},
      {"var {1}", {matrix}, [](Inputs x) { return var(x[0], {1}); }},
      {"var {0}, biased, keepdim", {reals.of({3, 4}, {3, 0})}, [](Inputs x) { return var(x[0], {0}, {.correction = 0, .keepdim = true}); }},
      {"var {1}, correction 3", {matrix}, [](Inputs x) { return var(x[0], {1}, {.correction = 3}); }},
      {"std {1}", {matrix}, [](Inputs x) { return x[0].std({1}); }},
      {"var_mean {0}", {reals.of({3, 4}, {3, 0})}, [](Inputs x) { const auto [v, m] = var_mean(x[0], {0}); return v * m; }},
      {"prod", {reals.of({2, 3}, {2})}, [](Inputs x) { return prod(x[0]); }},
      {"prod {1}", {cube}, [](Inputs x) { return prod(x[0], {1}); }},
      {"prod {0, 2}, keepdim", {reals.of({2, 3, 2}, {2, 0, 2})}, [](Inputs x) { return prod(x[0], {0, 2}, true); }},
      {"norm", {matrix.of({3, 4}, {1})}, [](Inputs x) { return norm(x[0]); }},
      {"norm {1}", {matrix}, [](Inputs x) { return norm(x[0], 2, {1}); }},
      {"norm 1 {0, 2}, keepdim", {cube}, [](Inputs x) { return norm(x[0], 1, {0, 2}, true); }},
      {"norm 3 {-1}", {matrix}, [](Inputs x) { return norm(x[0], 3, {-1}); }},
      {"norm 1.5 {0}", {reals.of({3, 4}, {3, 0})}, [](Inputs x) { return norm(x[0], 1.5, {0}); }},
      {"norm 0 {1}", {matrix}, [](Inputs x) { return norm(x[0], 0, {1}) * x[0].sum({1}); }},
      {"norm inf {1}", {matrix}, [](Inputs x) { return norm(x[0], HUGE_VAL, {1}); }},
      {"norm -inf {1}", {matrix}, [](Inputs x) { return norm(x[0], -HUGE_VAL, {1}); }},
      {"cumsum 1", {matrix}, [](Inputs x) { return cumsum(x[0], 1); }},
      {"cumsum 0", {cube}, [](Inputs x) { return cumsum(x[0], 0); }},
      {"chunk 1", {matrix}, [](Inputs x) { const auto parts = chunk(x[0], 2, 1); return parts.front() * parts.back(); }},
      {"amax {2}", {cube}, [](Inputs x) { return amax(x[0], {2}); }},
      {"amin {0, 2}, keepdim", {cube}, [](Inputs x) { return amin(x[0], {0, 2}, true); }},
      {"amax {-1}", {matrix}, [](Inputs x) { return amax(x[0], {-1}); }},
      {"amin {-1}", {matrix}, [](Inputs x) { return amin(x[0], {-1}); }},
      {"logsumexp {1}", {matrix}, [](Inputs x) { return logsumexp(x[0], {1}); }},
      {"logsumexp {-1}", {matrix}, [](Inputs x) { return logsumexp(x[0], {-1}); }},
      {"logsumexp {0, 2}, keepdim", {cube}, [](Inputs x) { return logsumexp(x[0], {0, 2}, true); }},
      {"softmax 1", {matrix}, [](Inputs x) { return softmax(x[0], 1); }},
      {"softmax 0", {cube}, [](Inputs x) { return softmax(x[0], 0); }},
      {"log_softmax -1", {matrix}, [](Inputs x) { return log_softmax(x[0], -1); }},

      // products
      {"matmul 2 x 2", {matrix, reals.of({4, 2}, {4, 2})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 2 x 2, no inner", {reals.of({3, 4}, {3, 0}), reals.of({4, 2}, {0, 2})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 1 x 1", {reals.of({4}, {0}), reals.of({4}, {0})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 2 x 1", {matrix, row}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 1 x 2", {row, reals.of({4, 2}, {4, 0})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 3 x 2", {cube, reals.of({4, 2}, {4, 2})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 2 x 3", {matrix, reals.of({2, 4, 2}, {0, 4, 2})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 3 x 1", {cube, row}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul 1 x 3", {reals.of({3}, {0}), reals.of({2, 3, 4}, {2, 0, 4})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul of batches that broadcast", {reals.of({2, 1, 3, 4}, {2, 1, 3, 4}), reals.of({3, 4, 2}, {0, 4, 2})}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"linear", {matrix, reals.of({2, 4}, {2, 4}), reals.of({2}, {2})}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear, no bias", {matrix, reals.of({2, 4}, {2, 4})}, [](Inputs x) { return linear(x[0], x[1]); }},
      {"linear of rank 3", {cube, reals.of({2, 4}, {2, 4}), reals.of({2}, {2})}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear of rank 1", {row, reals.of({2, 4}, {0, 4}), reals.of({2}, {0})}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear, no features", {reals.of({3, 4}, {3, 0}), reals.of({2, 4}, {2, 0}), reals.of({2}, {2})}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},

      // joining and picking
      {"cat 0", {matrix, reals.of({2, 4}, {0, 4})}, [](Inputs x) { return cat({x[0], x[1], x[0]}); }},
      {"cat -1", {reals.of({3, 4}, {3, 0}), reals.of({3, 2}, {3, 2})}, [](Inputs x) { return cat({x[0], x[1]}, -1); }},
      {"cat 1 with [0]", {reals.of({0}, {0}), matrix, reals.of({3, 2}, {0, 2})}, [](Inputs x) { return cat({x[0], x[1], x[0], x[2]}, 1); }},
      {"stack 1", {matrix, matrix}, [](Inputs x) { return stack({x[0], x[1]}, 1); }},
      {"stack -1", {matrix, matrix}, [](Inputs x) { return stack({x[0], x[1]}, -1); }},
      {"index_select 1", {matrix, integers_below(4).of({6}, {0})}, [](Inputs x) { return index_select(x[0], 1, x[1]); }},
      {"index_select 1 of a cube", {cube, integers_below(4).of({3}, {0})}, [](Inputs x) { return index_select(x[0], 2, x[1]); }},
      {"index_select 0", {matrix, integers_below(3).of({2}, {0})}, [](Inputs x) { return index_select(x[0], 0, x[1]); }},
      {"gather 0", {matrix, integers_below(3).of({2, 3}, {0, 3})}, [](Inputs x) { return gather(x[0], 0, x[1]); }},
      {"gather -1", {matrix, integers_below(4).of({3, 6}, {0, 6})}, [](Inputs x) { return gather(x[0], -1, x[1]); }},

      // losses and normalisation
      {"mse_loss", {reals.of({3, 4}, {1, 4}), reals.of({3, 4}, {1, 4})}, [](Inputs x) { return mse_loss(x[0], x[1]); }},
      {"mse_loss, sum", {matrix, matrix}, [](Inputs x) { return mse_loss(x[0], x[1], {.reduction = Reduction::sum}); }},
      {"mse_loss, none", {matrix, matrix}, [](Inputs x) { return mse_loss(x[0], x[1], {.reduction = Reduction::none}); }},
      {"mse_loss, none, broadcast", {reals, reals}, [](Inputs x) { return mse_loss(x[0], x[1], {.reduction = Reduction::none, .broadcast = true}); }},
      {"mse_loss, broadcast", {matrix.of({3, 4}, {1, 4}), row}, [](Inputs x) { return mse_loss(x[0], x[1], {.broadcast = true}); }},
      {"cross_entropy", {reals.of({3, 4}, {1, 4}), integers_below(4).of({3}, {1})}, [](Inputs x) { return cross_entropy(x[0], x[1]); }},
      {"batch_norm by the batch", {batch, per_channel, per_channel}, [](Inputs x) { return batch_norm(x[0], {}, {}, x[1], x[2], {.training = true}); }},
      {"batch_norm by the batch, plain", {batch}, [](Inputs x) { return batch_norm(x[0], {}, {}, {}, {}, {.training = true}); }},
      {"batch_norm by the batch, (N, C)", {reals.of({4, 3}, {0, 3}), per_channel}, [](Inputs x) { return batch_norm(x[0], {}, {}, x[1], {}, {.training = true, .eps = 0.1}); }},
      {"batch_norm by the record", {batch, per_channel, per_channel}, [](Inputs x) { return batch_norm(x[0], beside(x[0], 0.3), beside(x[0], 1.7), x[1], x[2]); }},
      {"batch_norm by the record, bias alone", {batch, per_channel}, [](Inputs x) { return batch_norm(x[0], beside(x[0], 0.3), beside(x[0], 1.7), {}, x[1]); }},

      // views and copies
      {"reshape", {cube}, [](Inputs x) { return x[0].reshape({x[0].size(1) * 2, 4}); }},
      {"view", {cube}, [](Inputs x) { return x[0].contiguous().view({4, x[0].size(1) * 2}); }},
      {"flatten", {cube}, [](Inputs x) { return x[0].flatten(0, 1); }},
      {"flatten of a scalar", {reals.of({}, {})}, [](Inputs x) { return x[0].flatten(); }},
      {"flatten of dimension 0", {matrix}, [](Inputs x) { return x[0].flatten(0, 0); }},
      {"transpose", {cube}, [](Inputs x) { return x[0].transpose(0, -1); }},
      {"t", {matrix}, [](Inputs x) { return x[0].t(); }},
      {"permute", {cube}, [](Inputs x) { return x[0].permute({2, 0, -2}); }},
      {"unsqueeze", {matrix}, [](Inputs x) { return x[0].unsqueeze(1); }},
      {"squeeze", {reals.of({3, 1, 4}, {0, 1, 4})}, [](Inputs x) { return x[0].squeeze(1); }},
      {"squeeze -1", {reals.of({3, 1}, {0, 1})}, [](Inputs x) { return x[0].squeeze(-1); }},
      {"expand", {reals.of({1, 4}, {1, 0})}, [](Inputs x) { return x[0].expand({2, 3, -1}); }},
      {"select", {reals.of({3, 4}, {3, 0})}, [](Inputs x) { return x[0][-1]; }},
      {"select 1", {matrix}, [](Inputs x) { return x[0].select(1, 2); }},
      {"slice", {cube}, [](Inputs x) { return x[0].slice(-1, 1, 4, 2); }},
      {"slice to nothing", {matrix}, [](Inputs x) { return x[0].slice(1, 3, 2); }},
      {"slice beyond the ends", {matrix}, [](Inputs x) { return x[0].slice(1, -9, 99, 3); }},
      {"clone", {matrix}, [](Inputs x) { return x[0].clone(); }},
      {"contiguous", {matrix}, [](Inputs x) { return x[0].contiguous(); }},

      // in place
      {"add_", {matrix, row}, [](Inputs x) { return x[0].clone().add_(x[1]); }},
      {"sub_", {matrix, row}, [](Inputs x) { return x[0].clone().sub_(x[1]); }},
      {"mul_", {matrix, row}, [](Inputs x) { return x[0].clone().mul_(x[1]); }},
      {"div_", {matrix, positive.of({4}, {4})}, [](Inputs x) { return x[0].clone().div_(x[1]); }},
      {"x += x", {matrix}, [](Inputs x) { Tensor y = x[0] * 2; return y += y; }},
      {"x *= w, then x *= x[0]", {matrix, row}, [](Inputs x) { Tensor y = x[0] * 2; y *= x[1]; return y *= square(x[0]); }},
      {"add_ 2, mul_ 3", {matrix}, [](Inputs x) { return x[0].clone().add_(2).mul_(3); }},
      {"sub_ 2, div_ 3", {matrix}, [](Inputs x) { return x[0].clone().sub_(2).div_(3); }},
      {"clamp_", {matrix}, [](Inputs x) { return x[0].clone().clamp_(-1, 0.5); }},
      {"copy_", {matrix, row}, [](Inputs x) { return x[0].clone().mul_(2).copy_(x[1]); }},
      {"fill_", {matrix}, [](Inputs x) { return x[0].clone().fill_(3) * x[0]; }},
      {"zero_", {matrix}, [](Inputs x) { return x[0].clone().zero_() + x[0]; }},
  };
  return ops;
}

/// Ops that no gradient passes, and tensors from nothing.
inline const std::vector<Op>& without_gradient() {
  static const std::vector<Op> ops{
      {"==", {reals, reals}, [](Inputs x) { return x[0] == x[1]; }},
      {"x == 1", {reals}, [](Inputs x) { return x[0] == 1; }},
      {"1 == x", {reals}, [](Inputs x) { return 1 == x[0]; }},
      {"!=", {reals, reals}, [](Inputs x) { return x[0] != x[1]; }},
      {"x != 1", {reals}, [](Inputs x) { return x[0] != 1; }},
      {"1 != x", {reals}, [](Inputs x) { return 1 != x[0]; }},
      {"<", {reals, reals}, [](Inputs x) { return x[0] < x[1]; }},
      {"x < 1", {reals}, [](Inputs x) { return x[0] < 1; }},
      {"1 < x", {reals}, [](Inputs x) { return 1 < x[0]; }},
      {"<=", {reals, reals}, [](Inputs x) { return x[0] <= x[1]; }},
      {"x <= 1", {reals}, [](Inputs x) { return x[0] <= 1; }},
      {"1 <= x", {reals}, [](Inputs x) { return 1 <= x[0]; }},
      {">", {reals, reals}, [](Inputs x) { return x[0] > x[1]; }},
      {"x > 1", {reals}, [](Inputs x) { return x[0] > 1; }},
      {"1 > x", {reals}, [](Inputs x) { return 1 > x[0]; }},
      {">=", {reals, reals}, [](Inputs x) { return x[0] >= x[1]; }},
      {"x >= 1", {reals}, [](Inputs x) { return x[0] >= 1; }},
      {"1 >= x", {reals}, [](Inputs x) { return 1 >= x[0]; }},
      {"logical_and", {integers_below(2), integers_below(3)}, [](Inputs x) { return logical_and(x[0], x[1]); }},
      {"logical_or", {integers_below(2), integers_below(3)}, [](Inputs x) { return logical_or(x[0], x[1]); }},
      {"logical_xor", {integers_below(2), integers_below(3)}, [](Inputs x) { return logical_xor(x[0], x[1]); }},
      {"logical_not", {integers_below(2)}, [](Inputs x) { return logical_not(x[0]); }},
      {"&", {integers_below(2), integers_below(2)}, [](Inputs x) { return x[0] & x[1]; }},
      {"|", {integers_below(2), integers_below(2)}, [](Inputs x) { return x[0] | x[1]; }},
      {"!", {integers_below(2)}, [](Inputs x) { return !x[0]; }},
      {"isnan", {reals}, [](Inputs x) { return isnan(x[0]); }},
      {"isinf", {reals}, [](Inputs x) { return isinf(x[0]); }},
      {"isfinite", {reals}, [](Inputs x) { return isfinite(x[0]); }},
      {"argmin 1", {matrix}, [](Inputs x) { return argmin(x[0], 1); }},
      {"argmin 0, keepdim", {cube}, [](Inputs x) { return argmin(x[0], 0, true); }},
      {"argmax 1", {matrix}, [](Inputs x) { return argmax(x[0], 1); }},
      {"argmax 0, keepdim", {cube}, [](Inputs x) { return argmax(x[0], 0, true); }},
      {"one_hot", {integers_below(4)}, [](Inputs x) { return one_hot(x[0], 4); }},
      {"arange(0, 1, 0.1) float32", {}, [](Inputs) { return arange(0, 1, 0.1, {.dtype = DType::float32}); }},
      {"arange(1, 1.3, 0.1) float32", {}, [](Inputs) { return arange(1, 1.3, 0.1, {.dtype = DType::float32}); }},
      {"arange(2, -1, -0.3) float32", {}, [](Inputs) { return arange(2, -1, -0.3, {.dtype = DType::float32}); }},
      {"linspace(-0.3, 0.7, 11) float32", {}, [](Inputs) { return linspace(-0.3, 0.7, 11, {.dtype = DType::float32}); }},
      {"linspace(2, 1, 1) float32", {}, [](Inputs) { return linspace(2, 1, 1, {.dtype = DType::float32}); }},
      {"eye(3) float32", {}, [](Inputs) { return eye(3, {.dtype = DType::float32}); }},
      {"arange(0, 1, 0.1) float64", {}, [](Inputs) { return arange(0, 1, 0.1, {.dtype = DType::float64}); }},
      {"arange(1, 1.3, 0.1) float64", {}, [](Inputs) { return arange(1, 1.3, 0.1, {.dtype = DType::float64}); }},
      {"arange(2, -1, -0.3) float64", {}, [](Inputs) { return arange(2, -1, -0.3, {.dtype = DType::float64}); }},
      {"linspace(-0.3, 0.7, 11) float64", {}, [](Inputs) { return linspace(-0.3, 0.7, 11, {.dtype = DType::float64}); }},
      {"linspace(2, 1, 1) float64", {}, [](Inputs) { return linspace(2, 1, 1, {.dtype = DType::float64}); }},
      {"eye(3) float64", {}, [](Inputs) { return eye(3, {.dtype = DType::float64}); }},
      {"arange(7, -2, -3) int64", {}, [](Inputs) { return arange(7, -2, -3, {.dtype = DType::int64}); }},
      {"linspace(0, 10, 4) int64", {}, [](Inputs) { return linspace(0, 10, 4, {.dtype = DType::int64}); }},
  };
  return ops;
}
// clang-format on

}  // namespace cairn::test
