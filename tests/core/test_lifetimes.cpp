// Writing between forward and backward: an error, or the gradient of the values that were there.
// Never a wrong gradient; and no error where the gradient does not depend on what was written.
#include "core/ops/table.h"
#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/core/random.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// What is written to: a tensor, and one that has its storage, of which it may be a view.
struct Target {
  Tensor x, base;
};

struct Writer {
  const char* name;
  void (*write)(const Target&);
};

void write_raw(Tensor x) {
  if (x.numel() == 0) return;
  if (x.dtype() == DType::int64) {
    x.mutable_data<int64_t>()[0] += 1;
  } else {
    x.mutable_data<double>()[0] += 1;
  }
}

// Every way of writing, and every handle that one may write through. Those that hold numbers with
// a fraction refuse int64, which is for the caller to pass over.
const std::array writers{
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
std::vector<std::vector<bool>> every_choice(const Op& op) {
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
Tensors gradients(const Tensor& y, const Tensors& leaves, const Tensor& dy,
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
Tensors gradients(const Tensor& y, const Tensors& leaves) {
  return gradients(y, leaves, make(positive, 0, y.shape()));
}

bool same(const Tensors& a, const Tensors& b, const Tolerance& tolerance = {}) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](auto& x, auto& y) { return bool(close(x, y, tolerance)); });
}

// What becomes of gradients that are asked for after a write.
enum class Fate { right, refused, wrong };

template <class F>
Fate fate_of(F are_right) {
  try {
    return are_right() ? Fate::right : Fate::wrong;
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool stale = text.find("was written to after the forward") != std::string::npos ||
                       text.find("that an in-place op has changed since") != std::string::npos;
    if (!stale) throw;
    return Fate::refused;
  }
}

// Does the gradient depend on the values of operand k? Asked of the numbers, not of the engine:
// they are put in the opposite order.
bool depends_on(const Op& op, const std::vector<bool>& wanted, std::size_t k) {
  const Operands usual(op, wanted), changed(op, wanted);
  const NoGrad guard;
  const Tensor& x = changed.inputs[k];
  const Tensor order = x.numel() - 1 - arange(x.numel(), i64);
  x.detach().copy_(index_select(x.flatten(), 0, order).reshape(x.shape()));
  const GradMode enabled(true);
  return !same(gradients(op.f(usual.inputs), usual.leaves),
               gradients(op.f(changed.inputs), changed.leaves));
}

// PyTorch's list: tools/autograd/derivatives.yaml, the formulas of these ops that name `result`.
// (logsumexp is there, too; here it is made of other ops.)
bool saves_output(const Op& op, const std::vector<bool>& wanted) {
  static const std::set<std::string> names{"exp",        "expm1",       "sqrt",    "rsqrt",
                                           "reciprocal", "tanh",        "sigmoid", "relu",
                                           "softmax",    "log_softmax", "amax",    "amin"};
  const std::string name = op.name, first = name.substr(0, name.find(' '));
  if (name == "pow") return wanted[1];  // for the exponent
  return names.count(first) > 0 || name == "pow(2, x)" || name == "pow(0, x)";
}

// Is it a number of theirs that makes the gradient of these constant? They keep x all the same.
bool is_degenerate(const std::string& op) {
  static const std::set<std::string> names{"pow(x, 0)", "pow(x, 1)", "pow(0, x)", "clamp, crossed",
                                           "fill_"};
  return names.count(op) > 0;
}

}  // namespace

TEST_CASE("lifetimes: every write to an operand, after every op, is caught or does no harm") {
  int64_t cases = 0, refused = 0;
  for (const Op& op : table()) {
    for (const std::vector<bool>& wanted : every_choice(op)) {
      const Operands untouched(op, wanted);
      const Tensors expected = gradients(op.f(untouched.inputs), untouched.leaves);
      for (std::size_t k = 0; k < op.operands.size(); ++k) {
        const bool needed = depends_on(op, wanted, k) || is_degenerate(op.name);
        for (const Writer& writer : writers) {
          INFO(std::string(op.name) << ", operand " << k << ", " << std::string(writer.name)
                                    << ", wanted " << fmt::format("{}", fmt::join(wanted, " ")));
          const Operands operands(op, wanted);
          const Tensor y = op.f(operands.inputs);
          try {
            const NoGrad guard;
            writer.write(operands.targets[k]);
          } catch (const Error& error) {
            INFO(std::string(error.what()));
            CHECK(op.operands[k].dtype == DType::int64);
            continue;
          }
          const Fate fate = fate_of([&] { return same(gradients(y, operands.leaves), expected); });
          CHECK(fate != Fate::wrong);
          CHECK((fate == Fate::right || needed));
          ++cases;
          refused += fate == Fate::refused;
        }
      }
    }
  }
  CHECK(refused > cases / 4);
}

TEST_CASE("lifetimes: every write to an output is caught by those ops that keep it, and no other") {
  for (const Op& op : table()) {
    for (const std::vector<bool>& wanted : every_choice(op)) {
      const Operands untouched(op, wanted);
      const Tensors expected = gradients(op.f(untouched.inputs), untouched.leaves);
      for (const Writer& writer : writers) {
        INFO(std::string(op.name) << ", " << std::string(writer.name));
        const Operands operands(op, wanted);
        const Tensor y = op.f(operands.inputs);
        try {
          const NoGrad guard;
          writer.write({y, y});
        } catch (const Error&) {  // expanded; or no place for random numbers
          CHECK((std::string(op.name) == "expand" || !y.is_contiguous()));
          continue;
        }
        const Fate fate = fate_of([&] { return same(gradients(y, operands.leaves), expected); });
        CHECK(fate == (saves_output(op, wanted) ? Fate::refused : Fate::right));
      }
    }
  }
}

TEST_CASE("lifetimes: a write between two backwards is caught or does no harm") {
  // A forward and a backward with create_graph; what is asked for then is the second gradient.
  struct Twice {
    Operands operands;
    Tensor y, dy;
    Tensors first, leaves;

    explicit Twice(const Op& op)
        : operands(op, every_choice(op)[0]),
          y(op.f(operands.inputs)),
          dy(make(positive, 0, y.shape()).requires_grad_(true)),
          first(gradients(y, operands.leaves, dy, true)),
          leaves(operands.leaves) {
      leaves.push_back(dy);
    }
    Tensors targets() const {
      Tensors all = operands.inputs;
      all.insert(all.end(), first.begin(), first.end());
      all.push_back(dy);
      all.push_back(y);
      return all;
    }
    Tensor total() const {
      Tensor sum_of_all = zeros({}, f64);
      for (const Tensor& g : first) sum_of_all = sum_of_all + sum(g * make(positive, 1, g.shape()));
      return sum_of_all;
    }
  };
  for (const Op& op : table()) {
    const Twice untouched(op);
    const Tensors expected = gradients(untouched.total(), untouched.leaves);
    for (std::size_t k = 0; k < untouched.targets().size(); ++k) {
      for (const Writer& writer : writers) {
        INFO(std::string(op.name) << ", target " << k << ", " << std::string(writer.name));
        const Twice twice(op);
        const Tensor total = twice.total(), target = twice.targets()[k];
        try {
          const NoGrad guard;
          writer.write({target, target});
        } catch (const Error&) {
          continue;
        }
        const Fate fate = fate_of([&] { return same(gradients(total, twice.leaves), expected); });
        CHECK(fate != Fate::wrong);
      }
    }
  }
}

TEST_CASE("lifetimes: a write in a graph is caught, or is as good as a write to a clone") {
  // Operands that an op made, so that they may be written with gradients enabled. The gradient is
  // that of the op's output from before and of the written tensor together.
  const auto run = [](const Op& op, std::size_t k, const Writer& writer, bool to_clone,
                      bool& written, Tensors& leaves) {
    const Operands operands(op, every_choice(op)[0]);
    leaves = operands.leaves;
    Tensors made;
    for (const Tensor& x : operands.inputs) made.push_back(x * 1);
    const Tensor y = op.f(made), x = k < made.size() ? made[k] : y;
    const Tensor before = k < made.size() ? y : y * 2, target = to_clone ? x.clone() : x;
    try {
      if (written) writer.write({target, target});
    } catch (const Error&) {
      written = false;
    }
    return sum(before * make(positive, 0, before.shape())) +
           sum(target.to(DType::float64) * make(positive, 1, target.shape()));
  };
  for (const Op& op : table()) {
    if (std::string(op.name) == "contiguous") continue;      // it returns its operand
    for (std::size_t k = 0; k <= op.operands.size(); ++k) {  // the last one stands for the output
      for (const Writer& writer : writers) {
        INFO(std::string(op.name) << ", target " << k << ", " << std::string(writer.name));
        bool written = true;
        Tensors leaves, others;
        const Fate fate = fate_of([&] {
          const Tensors actual = gradients(run(op, k, writer, false, written, leaves), leaves);
          const Tensors expected = gradients(run(op, k, writer, true, written, others), others);
          // The clone may change the order in which gradients are summed.
          return same(actual, expected, {.relative = 1e-14, .absolute = 1e-14});
        });
        CHECK(fate != Fate::wrong);
        CHECK((fate == Fate::right || written));  // what was refused has changed nothing
      }
    }
  }
}
