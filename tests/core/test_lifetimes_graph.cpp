// Writing between two backwards, and in a graph: never a wrong gradient.
#include "core/writers.h"

using namespace cairn;
using namespace cairn::test;
using namespace cairn::test::writing;

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
        const Verdict verdict =
            verdict_of([&] { return same(gradients(total, twice.leaves), expected); });
        CHECK(verdict != Verdict::wrong);
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
        const Verdict verdict = verdict_of([&] {
          const Tensors actual = gradients(run(op, k, writer, false, written, leaves), leaves);
          const Tensors expected = gradients(run(op, k, writer, true, written, others), others);
          // The clone may change the order in which gradients are summed.
          return same(actual, expected, {.relative = 1e-14, .absolute = 1e-14});
        });
        CHECK(verdict != Verdict::wrong);
        CHECK((verdict == Verdict::right || written));  // what was refused has changed nothing
      }
    }
  }
}
