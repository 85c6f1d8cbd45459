// Every op against PyTorch: tests/golden/ops.txt holds calls of each line of the table, with
// inputs, value and gradients. Here they are repeated in each dtype and layout.
#include "core/ops/table.h"
#include "support/approx.h"
#include "support/golden.h"
#include "support/layout.h"
#include "support/rows.h"

#include <cairn/core/autograd.h>

#include <algorithm>
#include <set>

using namespace cairn;
using namespace cairn::test;

namespace {

using Tensors = std::vector<Tensor>;

// One call, "<op>/<case>" in the file. dx is undefined for an int64 input, dy where y has no graph.
struct Call {
  std::string op, name;
  Tensors x = {}, dx = {};
  Tensor y = {}, dy = {};
};

std::vector<Call> calls() {
  std::vector<Call> calls;
  for (const auto& [path, values] : golden("ops")) {
    const std::size_t end = path.rfind('/'), middle = path.rfind('/', end - 1);
    const std::string name = path.substr(0, end), what = path.substr(end + 1);
    if (calls.empty() || calls.back().name != name) {
      calls.push_back({.op = path.substr(0, middle), .name = name});
    }
    Call& call = calls.back();
    if (what == "y") {
      call.y = values;
    } else if (what == "dy") {
      call.dy = values;
    } else if (what.starts_with("dx")) {
      call.dx[std::stoul(what.substr(2))] = values;
    } else {
      call.x.push_back(values);
      call.dx.emplace_back();
    }
  }
  return calls;
}

const Op* find(const std::string& name) {
  for (const auto* ops : {&table(), &without_gradient()}) {
    for (const Op& op : *ops) {
      if (op.name == name) return &op;
    }
  }
  return nullptr;
}

Tensor as(DType dtype, const Tensor& x) { return is_floating(x.dtype()) ? x.to(dtype) : x; }

// x in that layout; expanded only if its rows are equal.
Tensor lay(const Tensor& x, Layout layout) {
  const Tensor y = copy_in(layout, x);
  return equal(y, x) ? y : copy_in(Layout::contiguous, x);
}

// A call computes with a few functions that are each right to an ulp or two, hence 8 ulps; where
// terms cancel, to 2 ulps of the largest, about 4: inputs reach 2 and dy 2.5.
Tolerance few_ulps(DType dtype) {
  const double ulp = dtype == DType::float64 ? 2.3e-16 : 1.2e-7;
  return {.relative = 8 * ulp, .absolute = 2 * 4 * ulp};
}

Layout layout_of(std::size_t k, std::size_t first, std::size_t step) {
  return every_layout[(first + step * k) % std::size(every_layout)];
}

// Repeats the call, the k-th input in layout_of(k, first, step).
void repeat(const Call& call, const Op& op, DType dtype, std::size_t first, std::size_t step) {
  Tensors x, wanted, expected;
  for (std::size_t k = 0; k < call.x.size(); ++k) {
    x.push_back(
        lay(as(dtype, call.x[k]), layout_of(k, first, step)).requires_grad_(call.dx[k].defined()));
    if (!call.dx[k].defined()) continue;
    wanted.push_back(x[k]);
    expected.push_back(as(dtype, call.dx[k]));
  }
  const Tensor y = op.f(x), dy = call.dy.defined() ? as(dtype, call.dy) : Tensor();
  CHECK(close(y.detach(), as(dtype, call.y), few_ulps(dtype)));
  REQUIRE(y.requires_grad() == dy.defined());
  if (!dy.defined()) return;
  for (const bool create_graph : {true, false}) {  // recorded ops; fused kernels
    const Tensors dx = grad(
        {y}, wanted, {.grad_outputs = {dy}, .retain_graph = true, .create_graph = create_graph});
    for (std::size_t i = 0; i < dx.size(); ++i) {
      CAPTURE(i);
      CHECK(close(dx[i].detach(), expected[i], few_ulps(dtype)));
    }
  }
}

}  // namespace

TEST_CASE("every op: PyTorch's values and gradients, in each dtype and layout") {
  for (const Call& call : calls()) {
    const Op* const op = find(call.op);
    CHECK_MESSAGE(op != nullptr, call.op << " has no line in tests/core/ops/table.h");
    if (op == nullptr) continue;
    const bool given_reals = std::any_of(call.x.begin(), call.x.end(),
                                         [](const Tensor& x) { return is_floating(x.dtype()); });
    std::vector<DType> dtypes{call.y.dtype()};
    if (given_reals) dtypes = {DType::float32, DType::float64};
    for (const DType dtype : dtypes) {
      for (std::size_t first = 0; first < std::size(every_layout); ++first) {
        for (const std::size_t step : {0U, 1U}) {
          std::string text = call.name + " " + std::string(to_string(dtype));
          for (std::size_t k = 0; k < call.x.size(); ++k) {
            text += std::string(" ") + name_of(layout_of(k, first, step));
          }
          check_row(text, [&] { repeat(call, *op, dtype, first, step); });
        }
      }
    }
  }
}

TEST_CASE("every op has numbers from PyTorch, and every number an op") {
  std::set<std::string> in_table, in_file;
  for (const auto* ops : {&table(), &without_gradient()}) {
    for (const Op& op : *ops) in_table.insert(op.name);
  }
  for (const Call& call : calls()) in_file.insert(call.op);
  for (const std::string& name : in_table) {
    CHECK_MESSAGE(in_file.contains(name), name << " has no line in tests/golden/ops.py");
  }
  for (const std::string& name : in_file) {
    CHECK_MESSAGE(in_table.contains(name), name << " has no line in tests/core/ops/table.h");
  }
}
