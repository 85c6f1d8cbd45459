// A program in bytes, for libFuzzer: each byte names a call or one of its arguments, sensible or
// absurd. Whatever the bytes say, a call gives a result or throws Error, and after an Error
// nothing has changed. The sanitizers watch the rest.
//
// Every input is a program: a call's number, its arguments, and the place for its result, again
// and again. A run begins with those in corpus/, which seeds.py writes from words; a program that
// once failed has its line there, too.
#include "core/ops/table.h"
#include "fuzz/calls.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

// What is larger cannot be had: absurd sizes come back as an Error, at once.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

namespace cairn::fuzz {
namespace {

// f(args), first as the program says. An operand that lies otherwise must give the same values.
template <class F>
void run(World& world, Program& program, const char* name, Call::Kind kind, F f) {
  const std::string before = describe(world);
  const uint8_t* const begin = program.position();
  Args args(program, world);
  Tensor y;
  try {
    const GradMode mode(world.grad_enabled);
    y = f(args);
  } catch (const std::exception& error) {
    expect(dynamic_cast<const Error*>(&error) != nullptr ||
               dynamic_cast<const std::bad_alloc*>(&error) != nullptr,
           "only Error and std::bad_alloc come out", name);
    expect(*error.what() != '\0', "an exception says something", name);
    expect(describe(world) == before, "after an exception nothing has changed", name);
    return;
  }
  world.each_tensor([&](const Tensor& x) { check_tensor(x, name); });
  check_tensor(y, name);
  if (!y.defined() || y.numel() > most_elements) return;

  if (kind != Call::effect && args.has_tensors()) {
    const uint8_t* const end = program.position();
    program.rewind(begin);
    args.repeat();
    const NoGrad guard;
    const Tensor again = f(args);
    expect(kind == Call::exact ? same_values(y, again) : y.shape() == again.shape(),
           "strides do not change a result", name);
    program.rewind(end);
  }
  world.pool[program.byte() % 8] = y;
}

const std::vector<Call>& calls() {
  static const std::vector<Call> all = [] {
    std::vector<Call> both = tensor_calls();
    const std::vector<Call> more = model_calls();
    both.insert(both.end(), more.begin(), more.end());
    return both;
  }();
  return all;
}

bool adds_up(std::string_view op) {
  static constexpr std::string_view names[]{"sum",      "mean",          "var",       "logsumexp",
                                            "softmax",  "log_softmax",   "matmul",    "linear",
                                            "mse_loss", "cross_entropy", "batch_norm"};
  return std::any_of(std::begin(names), std::end(names),
                     [op](std::string_view name) { return op.substr(0, name.size()) == name; });
}

}  // namespace
}  // namespace cairn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace cairn;
  using namespace cairn::fuzz;
  manual_seed(1);
  World world;
  Program program(data, data + size);
  while (!program.done()) {
    const uint8_t b = program.byte();
    if (b < calls().size()) {
      const Call& call = calls()[b];
      run(world, program, call.name, call.kind, call.f);
    } else {  // one of the ops that the tests know, all without arguments but tensors
      const test::Op& op = test::table()[program.byte() % test::table().size()];
      run(world, program, op.name, adds_up(op.name) ? Call::rounded : Call::exact, [&](Args& a) {
        std::vector<Tensor> x(op.operands.size());
        for (Tensor& operand : x) operand = a.tensor();
        return op.f(x);
      });
    }
  }
  return 0;
}
