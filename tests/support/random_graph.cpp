#include "support/random_graph.h"

#include "core/ops/table.h"

#include <cairn/core/internal/shapes.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>

namespace cairn::test {
namespace {

constexpr int64_t most_elements = 60;
constexpr double most = 100;  // values beyond are not kept: differences of them are all rounding

double largest_of(const Tensor& x) {
  double largest = 0;
  for (const double v : x.detach().to_vector<double>()) {
    if (!(std::abs(v) <= largest)) largest = std::abs(v);  // NaN too
  }
  return largest;
}

bool lies_between(const Tensor& x, double low, double high) {
  const auto values = x.detach().to_vector<double>();
  return std::all_of(values.begin(), values.end(), [=](double v) { return v >= low && v <= high; });
}

// The refusals that a random program may meet; any other Error is a bug, here or there.
bool may_be_refused(const std::string& message) {
  constexpr std::array expected{
      "was written to after the forward",                     // a saved tensor
      "with a tensor that an in-place op has changed since",  // a view from before a write, used
      "is a view of a tensor that an in-place op has changed since",  // ... or written
      "is a view of a tensor in a graph",                             // written through
      "is expanded",                                                  // written
      "a leaf",                                                       // ... contiguous() may be one
      "of no values",                                                 // amax()
  };
  return std::any_of(expected.begin(), expected.end(),
                     [&](const char* part) { return message.find(part) != std::string::npos; });
}

// What is written in place, with an operand from where it is defined.
struct Write {
  const char* name;
  std::optional<Operand> operand;
  std::function<void(Tensor&, const Tensor&)> apply;
};
const std::array writes{
    Write{"add_", reals, [](Tensor& x, const Tensor& y) { x.add_(y); }},
    Write{"sub_", reals, [](Tensor& x, const Tensor& y) { x.sub_(y); }},
    Write{"mul_", reals, [](Tensor& x, const Tensor& y) { x.mul_(y); }},
    Write{"div_", positive, [](Tensor& x, const Tensor& y) { x.div_(y); }},
    Write{"copy_", reals, [](Tensor& x, const Tensor& y) { x.copy_(y); }},
    Write{"mul_ 2", {}, [](Tensor& x, const Tensor&) { x.mul_(2); }},
    Write{"clamp_", {}, [](Tensor& x, const Tensor&) { x.clamp_(-1.1, 0.7); }},
    Write{"fill_", {}, [](Tensor& x, const Tensor&) { x.fill_(0.5); }},
};

}  // namespace

double RandomGraph::uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(random_() >> 11) * 0x1p-53);
}

Tensor RandomGraph::numbers(const Shape& shape, double low, double high) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& v : values) v = uniform(low, high);
  return from_data(values, shape);
}

RandomGraph::RandomGraph(uint64_t seed) : random_(seed) {
  const uint64_t count = 2 + below(3);
  for (uint64_t k = 0; k < count; ++k) {
    Shape shape;
    for (uint64_t d = below(4); d > 0; --d) shape.push_back(static_cast<int64_t>(1 + below(4)));
    const Layout layout = every_layout[below(3)];
    Tensor x = copy_in(layout, numbers(shape, -2, 2));
    leaves_.push_back(x.requires_grad_(true));
  }
  now_ = leaves_;
  for (uint64_t left = 5 + below(20); left > 0; --left) {
    if (one_in(6)) {
      add_write();
    } else if (one_in(12)) {
      // A constant for the gradient, so it must be one for the differences, too. Stretched, so that
      // it does not tie with the value that it comes from.
      const std::size_t from = some_value({});
      const auto kept = std::make_shared<Tensor>();
      add_value(fmt::format("0.9 * v{}.detach() + 0.07", from), [from, kept](const Tensors& v) {
        if (!kept->defined()) *kept = v[from].detach().clone();
        return 0.9 * *kept + 0.07;
      });
    } else {
      add_op(table()[below(table().size())]);
    }
  }
  for (const Tensor& x : now_) largest_ = std::max(largest_, largest_of(x));
  choose_outputs();
  now_.clear();
}

// Half of the time one of the latest, so that graphs grow deep as well as wide; of three, one that
// has the shape if there is one.
std::size_t RandomGraph::some_value(const Shape& shape) {
  const std::size_t n = now_.size();
  std::size_t value = 0;
  for (int draw = 0; draw < 3; ++draw) {
    value = one_in(2) ? n - 1 - below(std::min<std::size_t>(n, 4)) : below(n);
    if (now_[value].shape() == shape) break;
  }
  return value;
}

// A shape that broadcasts to this one.
Shape RandomGraph::narrowed(const Shape& shape) {
  Shape result = shape;
  for (int64_t d = 0; d < result.size(); ++d) {
    if (one_in(4)) result[d] = 1;
  }
  while (!result.empty() && one_in(5)) result.erase(0);
  return result;
}

RandomGraph::Tensors RandomGraph::values() const {
  Tensors v = leaves_;
  for (const Step& step : steps_) step.apply(v);
  return v;
}

// Keeps a step if it can be done and gives ordinary numbers; a write, if all that there is can be
// differentiated after it.
bool RandomGraph::add(Step step, bool writes_in_place) {
  steps_.push_back(std::move(step));
  try {
    Tensors v = values();
    bool ordinary = true;
    for (const Tensor& x : v) ordinary &= x.numel() <= most_elements && largest_of(x) <= most;
    if (ordinary && writes_in_place) {
      Tensors tracked;
      for (const Tensor& x : v) {
        if (x.requires_grad()) tracked.push_back(x);
      }
      Tensors ones;
      for (const Tensor& x : tracked) ones.push_back(ones_like(x));
      grad(tracked, leaves_, {.grad_outputs = ones, .retain_graph = true, .allow_unused = true});
    }
    if (ordinary) {
      now_ = std::move(v);
      return true;
    }
  } catch (const Error& error) {
    if (!may_be_refused(error.what())) throw;
    ++refused_;
  }
  steps_.pop_back();
  return false;
}

int64_t RandomGraph::add_value(const std::string& text, std::function<Tensor(const Tensors&)> f) {
  const std::size_t number = now_.size();
  const bool added = add({fmt::format("v{} = {}", number, text),
                          [f = std::move(f)](Tensors& v) { v.push_back(f(v)); }});
  return added ? static_cast<int64_t>(number) : -1;
}

// Another shape by views: expanded, or flattened, repeated if it is too small, and cut down.
int64_t RandomGraph::reshaped(std::size_t value, const Shape& target) {
  const Shape shape = now_[value].shape();
  const int64_t have = shape.numel(), want = target.numel();
  if (shape == target) return static_cast<int64_t>(value);
  if (have == 0 || want == 0) return -1;
  if (detail::broadcasts_to(shape, target)) {
    return add_value(fmt::format("v{}.expand({})", value, to_string(target)),
                     [=](const Tensors& v) { return v[value].expand(target); });
  }
  if (have == want) {
    return add_value(fmt::format("v{}.reshape({})", value, to_string(target)),
                     [=](const Tensors& v) { return v[value].reshape(target); });
  }
  const int64_t times = (want + have - 1) / have, longest = times * have;
  const auto step = static_cast<int64_t>(1 + below(static_cast<uint64_t>(longest / want)));
  const int64_t length = (want - 1) * step + 1;
  const auto begin = static_cast<int64_t>(below(static_cast<uint64_t>(longest - length + 1)));
  const std::string repeated = times == 1 ? "" : fmt::format(".expand([{}, -1]).flatten()", times);
  return add_value(fmt::format("v{}.flatten(){}.slice(0, {}, {}, {}).reshape({})", value, repeated,
                               begin, begin + length, step, to_string(target)),
                   [=](const Tensors& v) {
                     Tensor x = v[value].flatten();
                     if (times > 1) x = x.expand({times, have}).flatten();
                     return x.slice(0, begin, begin + length, step).reshape(target);
                   });
}

// A value as an operand wants it: in this shape, and with numbers where the op is defined.
int64_t RandomGraph::fitted(std::size_t value, const Operand& operand, const Shape& shape) {
  const int64_t k = reshaped(value, shape);
  if (k < 0) return -1;
  const auto from = static_cast<std::size_t>(k);
  if (lies_between(now_[from], operand.low, operand.high)) return k;
  const double scale = uniform(0.5, 1) / std::max(1.0, largest_of(now_[from]));
  const double middle = (operand.low + operand.high) / 2, half = (operand.high - operand.low) / 2;
  return add_value(fmt::format("{} + {} * tanh({} * v{})", middle, half, scale, from),
                   [=](const Tensors& v) { return middle + half * tanh(scale * v[from]); });
}

void RandomGraph::add_op(const Op& op) {
  const Shape common = now_[some_value({})].shape();
  std::vector<std::size_t> from;  // the number of each operand; of a constant, its place below
  Tensors constants;
  std::string text;
  for (const Operand& operand : op.operands) {
    const bool any_shape = operand.broadcasts && common.numel() > 0;
    const Shape shape = !any_shape                ? operand.shape
                        : op.operands.size() == 1 ? common
                                                  : narrowed(common);
    if (operand.dtype == DType::int64) {
      from.push_back(0);
      constants.push_back(numbers(shape, operand.low, operand.high).to(DType::int64));
      text += fmt::format("{}int64 {}", text.empty() ? "" : ", ", to_string(shape));
      continue;
    }
    const bool again = !from.empty() && one_in(5);
    const std::size_t value = again ? from.back() : some_value(shape);
    const bool fits = any_shape && one_in(2) && detail::broadcasts_to(now_[value].shape(), common);
    const int64_t k = fitted(value, operand, fits ? now_[value].shape() : shape);
    if (k < 0) return;
    from.push_back(static_cast<std::size_t>(k));
    constants.emplace_back();
    text += fmt::format("{}v{}", text.empty() ? "" : ", ", k);
  }
  const auto apply = [&op, from, constants](const Tensors& v) {
    Tensors inputs = constants;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined()) inputs[i] = v[from[i]];
    }
    return op.f(inputs);
  };
  if (is_tame(apply)) add_value(fmt::format("({})({})", op.name, text), apply);
}

// Is the gradient no larger than the values may be? Some ops make noise of a rounding where they
// are given values that are nearly equal.
bool RandomGraph::is_tame(const std::function<Tensor(const Tensors&)>& f) {
  Tensors operands;
  for (const Tensor& x : now_) operands.push_back(x.detach().requires_grad_(true));
  try {
    const Tensor y = f(operands);
    if (!y.requires_grad()) return true;
    const Tensors g =
        grad({y}, operands, {.grad_outputs = {numbers(y.shape(), -1, 1)}, .allow_unused = true});
    return std::all_of(g.begin(), g.end(),
                       [](const Tensor& x) { return !x.defined() || largest_of(x) <= most; });
  } catch (const Error& error) {
    if (!may_be_refused(error.what())) throw;
    return false;
  }
}

void RandomGraph::add_write() {
  if (now_.size() == leaves_.size()) return;
  const std::size_t target =
      leaves_.size() + below(static_cast<uint64_t>(now_.size() - leaves_.size()));
  const Write& write = writes[below(writes.size())];
  std::size_t from = target;
  if (write.operand) {
    const int64_t k =
        fitted(some_value(now_[target].shape()), *write.operand, narrowed(now_[target].shape()));
    if (k < 0) return;
    from = static_cast<std::size_t>(k);
  }
  add({fmt::format("v{}.{}({})", target, write.name, write.operand ? fmt::format("v{}", from) : ""),
       [&write, target, from](Tensors& v) { write.apply(v[target], v[from]); }},
      true);
}

void RandomGraph::choose_outputs() {
  for (std::size_t k = now_.size(); k-- > 0 && outputs_.size() < 3;) {
    const Tensor& y = now_[k];
    if (!y.requires_grad() || (!outputs_.empty() && !one_in(3))) continue;
    const Tensor weight = numbers(y.shape(), 0.5, 1.5);
    try {
      grad({y}, leaves_, {.grad_outputs = {weight}, .retain_graph = true, .allow_unused = true});
      outputs_.emplace_back(k, weight);
    } catch (const Error& error) {
      if (!may_be_refused(error.what())) throw;
      ++refused_;
    }
  }
}

std::vector<RandomGraph::Output> RandomGraph::run() const {
  const Tensors v = values();
  std::vector<Output> result;
  for (const auto& [k, weight] : outputs_) result.push_back({v[k], weight});
  return result;
}

std::string RandomGraph::text() const {
  std::string text;
  for (std::size_t k = 0; k < leaves_.size(); ++k) {
    text += fmt::format("  v{} = leaf {} with strides {}\n", k, to_string(leaves_[k].shape()),
                        to_string(leaves_[k].strides()));
  }
  for (const Step& step : steps_) text += "  " + step.text + "\n";
  text += "  differentiated:";
  for (const auto& [k, weight] : outputs_) text += fmt::format(" v{}", k);
  return text;
}

}  // namespace cairn::test
