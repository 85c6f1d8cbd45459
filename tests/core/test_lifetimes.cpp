// Writing between forward and backward: an error, or the gradient of the values that were there.
// Never a wrong gradient; and no error where the gradient does not depend on what was written.
#include "core/writers.h"

#include <fmt/format.h>

#include <set>

using namespace cairn;
using namespace cairn::test;
using namespace cairn::test::writing;

namespace {

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
  if (first == "norm") return name != "norm 0 {1}";
  return names.contains(first) || name == "pow(2, x)" || name == "pow(0, x)";
}

// Is it a number of theirs that makes the gradient of these constant? They keep x all the same.
bool is_degenerate(const std::string& op) {
  static const std::set<std::string> names{"pow(x, 0)", "pow(x, 1)", "pow(0, x)", "clamp, crossed",
                                           "fill_"};
  return names.contains(op);
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
          const Verdict verdict =
              verdict_of([&] { return same(gradients(y, operands.leaves), expected); });
          CHECK(verdict != Verdict::wrong);
          CHECK((verdict == Verdict::right || needed));
          ++cases;
          refused += verdict == Verdict::refused;
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
        const Verdict verdict =
            verdict_of([&] { return same(gradients(y, operands.leaves), expected); });
        CHECK(verdict == (saves_output(op, wanted) ? Verdict::refused : Verdict::right));
      }
    }
  }
}
