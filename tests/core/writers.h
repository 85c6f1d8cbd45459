// Every way of writing to a tensor, every op with its operands, and what becomes of the gradients.
#pragma once

#include "core/ops/table.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>

#include <algorithm>
#include <array>

namespace cairn::test::writing {

using Tensors = std::vector<Tensor>;

// What is written to: a tensor, and one that has its storage, of which it may be a view.
struct Target {
  Tensor x, base;
};

struct Writer {
  const char* name;
  void (*write)(const Target&);
};

inline void write_raw(Tensor x) {
  if (x.numel() == 0) return;
  if (x.dtype() == DType::int64) {
    x.mutable_data<int64_t>()[0] += 1;
  } else {
    x.mutable_data<double>()[0] += 1;
  }
}

// Every way of writing, and every handle that one may write through. Those that hold numbers with
// a fraction refuse int64, which is for the caller to pass over.
inline const std::array writers{
    Writer{"add_", [](const Target& t) { Tensor(t.x).add_(ones_like(t.x)); }},
    Writer{"add_ 1", [](const Target& t) { Tensor(t.x).add_(1); }},
    Writer{"sub_", [](const Target& t) { Tensor(t.x).sub_(ones_like(t.x)); }},
    Writer{"sub_ 1", [](const Target& t) { Tensor(t.x).sub_(1); }},
    Writer{"mul_", [](const Target& t) { Tensor(t.x).mul_(full_like(t.x, 3)); }},
    Writer{"mul_ 3", [](const Target& t) { Tensor(t.x).mul_(3); }},
    Writer{"div_", [](const Target& t) { Tensor(t.x).div_(full_like(t.x, 3)); }},
    Writer{"div_ 3", [](const Target& t) { Tensor(t.x).div_(3); }},
    Writer{"clamp_", [](const Target& t) { Tensor(t.x).clamp_(5, 6); }},
    Writer{"copy_", [](const Target& t) { Tensor(t.x).copy_(full_like(t.x, 3)); }},
    Writer{"fill_", [](const Target& t) { Tensor(t.x).fill_(3); }},
    Writer{"zero_", [](const Target& t) { Tensor(t.x).zero_(); }},
    Writer{"+=", [](const Target& t) { Tensor(t.x) += ones_like(t.x); }},
    Writer{"+= 1", [](const Target& t) { Tensor(t.x) += 1; }},
    Writer{"-=", [](const Target& t) { Tensor(t.x) -= ones_like(t.x); }},
    Writer{"-= 1", [](const Target& t) { Tensor(t.x) -= 1; }},
    Writer{"*=", [](const Target& t) { Tensor(t.x) *= full_like(t.x, 3); }},
    Writer{"*= 3", [](const Target& t) { Tensor(t.x) *= 3; }},
    Writer{"/=", [](const Target& t) { Tensor(t.x) /= full_like(t.x, 3); }},
    Writer{"/= 3", [](const Target& t) { Tensor(t.x) /= 3; }},
    Writer{"mutable_data", [](const Target& t) { write_raw(t.x); }},
    Writer{"fill_uniform",
           [](const Target& t) {
             Tensor x = t.x;
             Generator(1).fill_uniform(x, 5, 6);
           }},
    Writer{"fill_normal",
           [](const Target& t) {
             Tensor x = t.x;
             Generator(1).fill_normal(x);
           }},
    Writer{"detach()", [](const Target& t) { t.x.detach().fill_(3); }},
    Writer{"a view", [](const Target& t) { t.x.unsqueeze(0).fill_(3); }},
    Writer{"a part", [](const Target& t) { t.x.unsqueeze(0).slice(-1, 0, 1).fill_(3); }},
    Writer{"a view of a detached view",
           [](const Target& t) { t.x.unsqueeze(0).detach().transpose(0, -1).fill_(3); }},
    Writer{"the base", [](const Target& t) { Tensor(t.base).fill_(3); }},
    Writer{"another view of the base", [](const Target& t) { t.base.flatten().fill_(3); }},
    Writer{"mutable_data of the base", [](const Target& t) { write_raw(t.base); }},
};

// The operands of a line, each a view of a base of its own; those that are wanted are leaves.
struct Operands {
  std::vector<Target> targets;
  Tensors inputs, leaves;

  Operands(const Op& op, const std::vector<bool>& wanted) {
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      const Operand& operand = op.operands[k];
      Shape twice = operand.shape;
      twice.insert(0, 2);
      const Tensor base = zeros(twice, {.dtype = operand.dtype});
      Tensor x = base[0];
      x.copy_(make(operand, k, operand.shape));
      if (wanted[k]) leaves.push_back(x.requires_grad_(true));
      targets.push_back({x, base});
      inputs.push_back(x);
    }
  }
};

// All floating operands, and each of them alone.
inline std::vector<std::vector<bool>> every_choice(const Op& op) {
  std::vector<bool> all;
  for (const Operand& operand : op.operands) all.push_back(is_floating(operand.dtype));
  std::vector<std::vector<bool>> choices{all};
  if (std::count(all.begin(), all.end(), true) < 2) return choices;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (!all[k]) continue;
    choices.emplace_back(all.size(), false);
    choices.back()[k] = true;
  }
  return choices;
}

// Zeros where the output does not depend on the leaf.
inline Tensors gradients(const Tensor& y, const Tensors& leaves, const Tensor& dy,
                         bool create_graph = false) {
  Tensors result(leaves.size());
  if (y.requires_grad()) {
    result = grad({y}, leaves,
                  {.grad_outputs = {dy}, .create_graph = create_graph, .allow_unused = true});
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!result[i].defined()) result[i] = zeros_like(leaves[i]);
  }
  return result;
}
inline Tensors gradients(const Tensor& y, const Tensors& leaves) {
  return gradients(y, leaves, make(positive, 0, y.shape()));
}

inline bool same(const Tensors& a, const Tensors& b, const Tolerance& tolerance = {}) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](auto& x, auto& y) { return bool(close(x, y, tolerance)); });
}

// What becomes of gradients that are asked for after a write.
enum class Verdict { right, refused, wrong };

template <class F>
Verdict verdict_of(F are_right) {
  try {
    return are_right() ? Verdict::right : Verdict::wrong;
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool stale = text.find("was written to after the forward") != std::string::npos ||
                       text.find("that an in-place op has changed since") != std::string::npos;
    if (!stale) throw;
    return Verdict::refused;
  }
}

}  // namespace cairn::test::writing
