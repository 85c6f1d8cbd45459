// A program in bytes, for libFuzzer: each byte names a call or one of its arguments, sensible or
// absurd. Whatever the bytes say, a call gives a result or throws Error, and after an Error
// nothing has changed. The sanitizers watch the rest.
//
// Every input is a program: a call's number, its arguments, and the place for its result, again
// and again. A run begins with those in corpus/, which seeds.py writes from words; a program that
// once failed has its line there too.
#include <cairn/cairn.h>
#include <cairn/core/internal/shapes.h>

#include "core/ops/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What is larger cannot be had: absurd sizes come back as an Error, at once.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

namespace {

using namespace cairn;

void expect(bool ok, const char* promise, const char* call) {
  if (ok) return;
  fmt::print(stderr, "\n{}: broken promise: {}\n", call, promise);
  std::abort();
}

// ---- what a program works on ----

struct Net : nn::Module {
  Net(int64_t in, int64_t features, const nn::BatchNormOptions& options)
      : linear(child("linear", nn::Linear(in, features))),
        norm(child("norm", nn::BatchNorm1d(features, options))) {}
  Tensor forward(const Tensor& x) override { return norm(linear(x)); }

  nn::Linear& linear;
  nn::BatchNorm1d& norm;
};

struct World {
  std::array<Tensor, 8> pool{
      arange(12).reshape({3, 4}),
      tensor({{0.5, -1.5}, {2, 1}, {-3, 0}}, {.dtype = DType::float64}).t(),
      tensor({{1, 0, 2}, {2, 1, 0}}, {.dtype = DType::int64}),
      ones({3, 1}, {.requires_grad = true}),
      linspace(-1, 1, 24).reshape({2, 3, 4}).slice(2, 0, 4, 2),
      tensor({2.5, -1, 0.25}, {.requires_grad = true}),
      tensor(0.75, {.dtype = DType::float64}),
      zeros({0, 3}),
  };
  std::optional<Net> net{std::in_place, 4, 3, nn::BatchNormOptions{}};
  nn::StatsSnapshot snapshot;
  std::unique_ptr<optim::SGD> sgd;
  bool grad_enabled = true;
  int differentiable_walks = 3;  // each may multiply the graph

  template <class F>
  void each_tensor(F f) const {
    for (const Tensor& x : pool) f(x);
    for (const auto& [name, p] : net->named_parameters()) f(p);
    for (const auto& [name, b] : net->named_buffers()) f(b.tensor());
    for (const Buffer* b :
         {&net->norm.running_mean, &net->norm.running_var, &net->norm.num_batches_tracked}) {
      f(b->tensor());  // listed or not
    }
    if (!sgd) return;
    for (const optim::SGD::Group& group : sgd->groups()) {
      for (const auto& state : group.state()) f(state[0]);
    }
  }
};

constexpr int64_t most_elements = 256;  // of a tensor that is kept

// f(a pointer) for every element, in order, found without Cairn's help.
template <class F>
void each_element(const detail::View& x, F f) {
  for (int64_t i = 0; i < x.numel; ++i) {
    int64_t rest = i, offset = 0;
    for (int64_t d = x.shape.size() - 1; d >= 0; --d) {
      offset += rest % x.shape[d] * x.strides[d];
      rest /= x.shape[d];
    }
    f(x.data + offset * element_size(x.dtype));
  }
}

// All that can be seen of a tensor, and of its gradient.
void describe(const Tensor& x, std::string& text) {
  const auto append = [&text](const void* bytes, std::size_t count) {
    text.append(static_cast<const char*>(bytes), count);
  };
  text += x.defined() ? 'x' : '-';
  if (!x.defined()) return;
  const detail::View& view = x.view_of();
  append(&view.shape, sizeof view.shape);
  append(&view.strides, sizeof view.strides);
  text += static_cast<char>(view.dtype);
  text += x.requires_grad() ? 'g' : '-';
  text += x.is_leaf() ? 'l' : '-';
  each_element(view, [&](const std::byte* element) {
    append(element, static_cast<std::size_t>(element_size(view.dtype)));
  });
  describe(x.grad(), text);
}

std::string describe(const World& world) {
  std::string text;
  world.each_tensor([&](const Tensor& x) { describe(x, text); });
  const nn::BatchNorm1d& norm = world.net->norm;
  text += to_string(norm.stats_mode()) + norm.selected_stats();
  for (const bool flag : {norm.has_record(), norm.is_training(), norm.running_mean.frozen(),
                          norm.running_var.frozen(), norm.num_batches_tracked.frozen()}) {
    text += flag ? '1' : '0';
  }
  if (world.sgd) text += fmt::format("{}", world.sgd->groups().size());
  return text;
}

void check_tensor(const Tensor& x, const char* call) {
  if (!x.defined()) return;
  const detail::View& view = x.view_of();
  expect(view.numel == view.shape.numel(), "numel is the product of the sizes", call);
  expect(view.contiguous == detail::is_contiguous(view.shape, view.strides), "is_contiguous", call);
  expect(view.numel == 0 || view.data >= view.storage->data(), "a view lies in its storage", call);
  const Tensor g = x.grad();
  expect(!g.defined() || (g.shape() == x.shape() && g.dtype() == x.dtype()),
         "a gradient has its tensor's shape and dtype", call);
}

bool same_values(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (!is_floating(a.dtype())) return a.to_vector<int64_t>() == b.to_vector<int64_t>();
  const std::vector<double> left = a.to_vector<double>(), right = b.to_vector<double>();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double l, double r) { return l == r || (std::isnan(l) && std::isnan(r)); });
}

// ---- reading a program ----

class Program {
 public:
  Program(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  bool done() const { return at_ == end_; }
  const uint8_t* position() const { return at_; }
  void rewind(const uint8_t* to) { at_ = to; }

  uint8_t byte() { return done() ? uint8_t{0} : *at_++; }
  bool flag() { return byte() % 2 == 1; }
  template <class T, std::size_t N>
  T one_of(const T (&values)[N]) {
    return values[byte() % N];
  }
  DType dtype() { return one_of({DType::float32, DType::float64, DType::int64}); }

  /// A dimension, an index, a count: mostly a small one.
  int64_t number() { return small_or_absurd(-4, 9); }
  int64_t size() { return small_or_absurd(0, 6); }
  Shape shape() {
    return list<Shape>([this] { return size(); });
  }
  Dims dims() {
    return list<Dims>([this] { return number(); });
  }
  /// Sizes of which some may be negative.
  Shape sizes() {
    return list<Shape>([this] { return number(); });
  }
  Scalar scalar() {
    using Limits = std::numeric_limits<double>;
    const uint8_t b = byte();
    if (b < 128) return b % 16 - 4;
    if (b < 192) return (b % 16 - 4) * 0.375;
    if (b >= 252) return b % 2 == 0 ? INT64_MAX : INT64_MIN;
    static constexpr double special[]{-0.0,
                                      1e300,
                                      -1e300,
                                      1e-300,
                                      Limits::infinity(),
                                      -Limits::infinity(),
                                      1e38,
                                      Limits::denorm_min(),
                                      Limits::quiet_NaN(),
                                      1e-8};
    return special[b % std::size(special)];
  }
  double real() { return scalar().to<double>(); }
  TensorOptions options() {
    const DType kind = dtype();
    return {.dtype = kind, .requires_grad = flag()};
  }

 private:
  int64_t small_or_absurd(int64_t low, int64_t count) {
    const uint8_t b = byte();
    if (b < 216) return low + b % count;
    static constexpr int64_t absurd[]{
        INT64_MIN,        INT64_MIN + 1,       INT64_MAX,           INT64_MAX - 1, int64_t{1} << 62,
        int64_t{1} << 32, -(int64_t{1} << 62), int64_t{3037000500}, 4096,          65537};
    return absurd[b % std::size(absurd)];
  }
  template <class List, class F>
  List list(F item) {
    const uint8_t b = byte();
    List result;
    for (int i = b < 240 ? b % 5 : b % 10; i > 0; --i) result.push_back(item());
    return result;
  }

  const uint8_t *at_, *end_;
};

// A call's arguments. The tensors come from the pool; or, when a call is repeated to compare, they
// are contiguous copies of what they were before it.
class Args {
 public:
  Args(Program& program, World& its_world) : p(program), world(its_world) {}

  Tensor tensor() {
    const uint8_t b = p.byte();
    if (repeating_) return copies_.at(next_++);
    Tensor x = b == 255 ? Tensor() : world.pool[b % 8];
    copies_.push_back(x.defined() ? x.detach().clone() : x);
    return x;
  }
  std::vector<Tensor> tensors() {
    std::vector<Tensor> all;
    for (int i = p.byte() % 4; i > 0; --i) all.push_back(tensor());
    return all;
  }
  void repeat() { repeating_ = true; }
  bool has_tensors() const { return !copies_.empty(); }

  Program& p;
  World& world;

 private:
  std::vector<Tensor> copies_;
  std::size_t next_ = 0;
  bool repeating_ = false;
};

// ---- the calls ----

struct Call {
  const char* name;
  enum Kind {
    exact,    // the result depends on the operands' values alone, not on how they lie
    rounded,  // the same up to the order of additions
    effect,   // it depends on more than its operands, or changes more
  } kind;
  Tensor (*f)(Args& a);
};

nn::BatchNormOptions norm_options(Program& p) {
  nn::BatchNormOptions options;
  if (p.flag()) options.eps = p.real();
  if (p.flag()) options.momentum = p.flag() ? std::optional(p.real()) : std::nullopt;
  options.affine = !p.flag();
  options.track_running_stats = !p.flag();
  options.check_finite = p.flag();
  return options;
}

optim::SGDOptions sgd_options(Program& p) {
  optim::SGDOptions options{.lr = 0.1};
  for (double* value :
       {&options.lr, &options.momentum, &options.dampening, &options.weight_decay}) {
    if (p.flag()) *value = p.real();
  }
  options.nesterov = p.flag();
  options.maximize = p.flag();
  return options;
}

BackwardOptions backward_options(Args& a) {
  BackwardOptions options{.retain_graph = a.p.flag(), .create_graph = a.p.flag()};
  if (options.create_graph && a.world.differentiable_walks-- <= 0) options.create_graph = false;
  return options;
}

Tensor hook(uint8_t kind, const Tensor& g) {
  switch (kind % 6) {
    case 0:
      return {};
    case 1:
      return g * 2;
    case 2:
      return g.sum();  // of another shape
    case 3:
      throw Error("hook: thrown");
    case 4:
      return g.to(DType::float64);
    default: {
      const GradMode enabled(true);
      const Tensor x = g.detach().requires_grad_();
      return grad({(x * x).sum()}, {x})[0];
    }
  }
}

Buffer& buffer(Args& a) {
  nn::BatchNorm1d& norm = a.world.net->norm;
  return *a.p.one_of({&norm.running_mean, &norm.running_var, &norm.num_batches_tracked});
}

Tensor add_up(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return tensor(sum, {.dtype = DType::float64});
}

// Each is one call of Cairn's: what fails must have changed nothing. Arguments are read into
// variables first, as C++ would leave their order open. New calls go last: a corpus knows them by
// number.
// clang-format off
const std::vector<Call>& calls() {
  using enum Call::Kind;
  static const std::vector<Call> all{
      // making tensors
      {"full", effect, [](Args& a) { const Shape s = a.p.shape(); const Scalar v = a.p.scalar(); return full(s, v, a.p.options()); }},
      {"zeros", effect, [](Args& a) { const Shape s = a.p.shape(); return zeros(s, a.p.options()); }},
      {"empty", effect, [](Args& a) { const Shape s = a.p.shape(); const NoGrad guard; return empty(s, a.p.options()).zero_(); }},
      {"eye", effect, [](Args& a) { const int64_t n = a.p.number(); return eye(n, a.p.options()); }},
      {"arange", effect, [](Args& a) { const Scalar begin = a.p.scalar(), end = a.p.scalar(), step = a.p.scalar(); return arange(begin, end, step, a.p.options()); }},
      {"linspace", effect, [](Args& a) { const Scalar begin = a.p.scalar(), end = a.p.scalar(); const int64_t n = a.p.number(); return linspace(begin, end, n, a.p.options()); }},
      {"from_data", effect, [](Args& a) { const Shape s = a.p.shape(); std::vector<double> v; for (int i = a.p.byte() % 16; i > 0; --i) v.push_back(a.p.real()); return from_data(v, s); }},
      {"from_blob", effect, [](Args& a) { const Shape s = a.p.shape(); if (s.numel() > 8) return Tensor(); return from_blob(new float[8](), s, [](const float* data) { delete[] data; }); }},
      {"rand", effect, [](Args& a) { const Shape s = a.p.shape(); return rand(s, a.p.options()); }},
      {"randn", effect, [](Args& a) { const Shape s = a.p.shape(); return randn(s, a.p.options()); }},
      {"randint", effect, [](Args& a) { const int64_t low = a.p.number(), high = a.p.number(); return randint(low, high, a.p.shape()); }},
      {"randperm", effect, [](Args& a) { return randperm(a.p.number()); }},
      {"full_like", effect, [](Args& a) { const Tensor x = a.tensor(); return full_like(x, a.p.scalar()); }},
      {"rand_like", effect, [](Args& a) { return rand_like(a.tensor()); }},

      // views and copies
      {"reshape", exact, [](Args& a) { const Tensor x = a.tensor(); return x.reshape(a.p.sizes()); }},
      {"view", exact, [](Args& a) { const Tensor x = a.tensor(); return x.view(a.p.sizes()); }},
      {"transpose", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t i = a.p.number(), j = a.p.number(); return x.transpose(i, j); }},
      {"t", exact, [](Args& a) { return a.tensor().t(); }},
      {"permute", exact, [](Args& a) { const Tensor x = a.tensor(); return x.permute(a.p.dims()); }},
      {"unsqueeze", exact, [](Args& a) { const Tensor x = a.tensor(); return x.unsqueeze(a.p.number()); }},
      {"squeeze", exact, [](Args& a) { const Tensor x = a.tensor(); return x.squeeze(a.p.number()); }},
      {"expand", exact, [](Args& a) { const Tensor x = a.tensor(); return x.expand(a.p.sizes()); }},
      {"select", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t d = a.p.number(), i = a.p.number(); return x.select(d, i); }},
      {"slice", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t d = a.p.number(), i = a.p.number(), j = a.p.number(), step = a.p.number(); return x.slice(d, i, j, step); }},
      {"flatten", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t from = a.p.number(), to = a.p.number(); return x.flatten(from, to); }},
      {"clone", exact, [](Args& a) { return a.tensor().clone(); }},
      {"contiguous", exact, [](Args& a) { return a.tensor().contiguous(); }},
      {"to", exact, [](Args& a) { const Tensor x = a.tensor(); return x.to(a.p.dtype()); }},
      {"detach", exact, [](Args& a) { return a.tensor().detach(); }},
      {"the same", exact, [](Args& a) { return a.tensor(); }},

      // in place
      {"copy_", exact, [](Args& a) { Tensor x = a.tensor(); return x.copy_(a.tensor()); }},
      {"add_", exact, [](Args& a) { Tensor x = a.tensor(); return x.add_(a.tensor()); }},
      {"sub_", exact, [](Args& a) { Tensor x = a.tensor(); return x.sub_(a.tensor()); }},
      {"mul_", exact, [](Args& a) { Tensor x = a.tensor(); return x.mul_(a.tensor()); }},
      {"div_", exact, [](Args& a) { Tensor x = a.tensor(); return x.div_(a.tensor()); }},
      {"fill_", exact, [](Args& a) { Tensor x = a.tensor(); return x.fill_(a.p.scalar()); }},
      {"add_ scalar", exact, [](Args& a) { Tensor x = a.tensor(); return x.add_(a.p.scalar()); }},
      {"mul_ scalar", exact, [](Args& a) { Tensor x = a.tensor(); return x.mul_(a.p.scalar()); }},
      {"clamp_", exact, [](Args& a) { Tensor x = a.tensor(); const Scalar low = a.p.scalar(); return x.clamp_(low, a.p.scalar()); }},
      {"mutable_data", effect, [](Args& a) { Tensor x = a.tensor(); x.mutable_data<float>(); return x; }},

      // ops with arguments that may be absurd
      {"clamp", exact, [](Args& a) { const Tensor x = a.tensor(); const Scalar low = a.p.scalar(); return clamp(x, low, a.p.scalar()); }},
      {"pow", exact, [](Args& a) { const Tensor x = a.tensor(); return pow(x, a.p.scalar()); }},
      {"x + scalar", exact, [](Args& a) { const Tensor x = a.tensor(); return x + a.p.scalar(); }},
      {"scalar / x", exact, [](Args& a) { const Tensor x = a.tensor(); return a.p.scalar() / x; }},
      {"maximum scalar", exact, [](Args& a) { const Tensor x = a.tensor(); return maximum(x, a.p.scalar()); }},
      {"==", exact, [](Args& a) { const Tensor x = a.tensor(); return x == a.tensor(); }},
      {"<", exact, [](Args& a) { const Tensor x = a.tensor(); return x < a.p.scalar(); }},
      {"where", exact, [](Args& a) { const Tensor mask = a.tensor(), x = a.tensor(); return where(mask, x, a.p.scalar()); }},
      {"leaky_relu", exact, [](Args& a) { const Tensor x = a.tensor(); return leaky_relu(x, a.p.real()); }},
      {"sum", rounded, [](Args& a) { const Tensor x = a.tensor(); const Dims d = a.p.dims(); return sum(x, d, a.p.flag()); }},
      {"mean", rounded, [](Args& a) { const Tensor x = a.tensor(); const Dims d = a.p.dims(); return mean(x, d, a.p.flag()); }},
      {"var", rounded, [](Args& a) { const Tensor x = a.tensor(); const Dims d = a.p.dims(); const int64_t n = a.p.number(); return var(x, d, {.correction = n, .keepdim = a.p.flag()}); }},
      {"amax", exact, [](Args& a) { const Tensor x = a.tensor(); const Dims d = a.p.dims(); return amax(x, d, a.p.flag()); }},
      {"argmax", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t d = a.p.number(); return argmax(x, d, a.p.flag()); }},
      {"logsumexp", rounded, [](Args& a) { const Tensor x = a.tensor(); const Dims d = a.p.dims(); return logsumexp(x, d, a.p.flag()); }},
      {"softmax", rounded, [](Args& a) { const Tensor x = a.tensor(); return softmax(x, a.p.number()); }},
      {"log_softmax", rounded, [](Args& a) { const Tensor x = a.tensor(); return log_softmax(x, a.p.number()); }},
      {"matmul", rounded, [](Args& a) { const Tensor x = a.tensor(); return matmul(x, a.tensor()); }},
      {"linear", rounded, [](Args& a) { const Tensor x = a.tensor(), w = a.tensor(); return linear(x, w, a.tensor()); }},
      {"cat", exact, [](Args& a) { const std::vector<Tensor> parts = a.tensors(); return cat(parts, a.p.number()); }},
      {"stack", exact, [](Args& a) { const std::vector<Tensor> parts = a.tensors(); return stack(parts, a.p.number()); }},
      {"index_select", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t d = a.p.number(); return index_select(x, d, a.tensor()); }},
      {"gather", exact, [](Args& a) { const Tensor x = a.tensor(); const int64_t d = a.p.number(); return gather(x, d, a.tensor()); }},
      {"one_hot", exact, [](Args& a) { const Tensor x = a.tensor(); return one_hot(x, a.p.number()); }},
      {"cross_entropy", rounded, [](Args& a) { const Tensor x = a.tensor(); return cross_entropy(x, a.tensor()); }},
      {"batch_norm", effect, [](Args& a) { const Tensor x = a.tensor(), m = a.tensor(), v = a.tensor(), w = a.tensor(), b = a.tensor(); const bool training = a.p.flag(); const double momentum = a.p.real(); return batch_norm(x, m, v, w, b, {.training = training, .momentum = momentum, .eps = a.p.real()}); }},

      // reading
      {"item", exact, [](Args& a) { return tensor(a.tensor().item<double>(), {.dtype = DType::float64}); }},
      {"at", exact, [](Args& a) { const Tensor x = a.tensor(); return tensor(x.at<float>(a.p.dims())); }},
      {"to_vector", exact, [](Args& a) { const std::vector<double> values = a.tensor().to_vector<double>(); return add_up(values); }},
      {"print", effect, [](Args& a) { return tensor(fmt::format("{}", a.tensor()).size()); }},
      {"allclose", exact, [](Args& a) { const Tensor x = a.tensor(), y = a.tensor(); const double rtol = a.p.real(); return tensor(allclose(x, y, rtol, a.p.real())); }},
      {"data", effect, [](Args& a) { a.tensor().data<double>(); return Tensor(); }},

      // autograd
      {"requires_grad_", effect, [](Args& a) { Tensor x = a.tensor(); return x.requires_grad_(a.p.flag()); }},
      {"backward", effect, [](Args& a) { const Tensor x = a.tensor(); const Tensor g = a.p.flag() ? a.tensor() : Tensor(); x.backward(g, backward_options(a)); return Tensor(); }},
      {"backward of the sum", effect, [](Args& a) { const Tensor x = a.tensor().sum(); x.backward({}, backward_options(a)); return Tensor(); }},
      {"grad()", effect, [](Args& a) { const std::vector<Tensor> y = a.tensors(), x = a.tensors(), g = a.tensors(); const BackwardOptions o = backward_options(a); const std::vector<Tensor> dx = grad(y, x, {.grad_outputs = g, .retain_graph = o.retain_graph, .create_graph = o.create_graph, .allow_unused = a.p.flag()}); for (std::size_t i = 0; i < x.size(); ++i) expect(!dx[i].defined() || dx[i].shape() == x[i].shape(), "a gradient has its input's shape", "grad()"); return dx[0]; }},
      {"set_grad", effect, [](Args& a) { Tensor x = a.tensor(); x.set_grad(a.tensor()); return Tensor(); }},
      {"its grad", effect, [](Args& a) { return a.tensor().grad(); }},
      {"retain_grad", effect, [](Args& a) { Tensor x = a.tensor(); return x.retain_grad(); }},
      {"register_hook", effect, [](Args& a) { Tensor x = a.tensor(); const uint8_t kind = a.p.byte(); HookHandle handle = x.register_hook([kind](const Tensor& g) { return hook(kind, g); }); if (kind > 200) handle.remove(); return Tensor(); }},
      {"grad mode", effect, [](Args& a) { a.world.grad_enabled = !a.p.flag(); return Tensor(); }},

      // modules
      {"build a net", effect, [](Args& a) { const int64_t in = a.p.size(), out = a.p.size(); Net net(in, out, norm_options(a.p)); if (in * out <= most_elements) { a.world.sgd.reset(); a.world.net.emplace(std::move(net)); } return Tensor(); }},
      {"net(x)", effect, [](Args& a) { return (*a.world.net)(a.tensor()); }},
      {"norm(x)", effect, [](Args& a) { return a.world.net->norm(a.tensor()); }},
      {"train", effect, [](Args& a) { a.world.net->train(a.p.flag()); return Tensor(); }},
      {"stats mode", effect, [](Args& a) { a.world.net->norm.set_stats_mode(a.p.one_of({nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen})); return Tensor(); }},
      {"reset_running_stats", effect, [](Args& a) { a.world.net->norm.reset_running_stats(); return Tensor(); }},
      {"freeze", effect, [](Args& a) { buffer(a).requires_grad_(a.p.flag()); return Tensor(); }},
      {"unfreeze", effect, [](Args& a) { buffer(a).unfreeze(); return Tensor(); }},
      {"buffer copy_", effect, [](Args& a) { Buffer& b = buffer(a); b.copy_(a.tensor()); return Tensor(); }},
      {"a buffer", effect, [](Args& a) { return buffer(a).tensor(); }},
      {"a parameter", effect, [](Args& a) { const std::vector<Tensor> all = a.world.net->parameters(); return Tensor(all.at(a.p.byte() % all.size())); }},
      {"net.to", effect, [](Args& a) { a.world.net->to(a.p.dtype()); return Tensor(); }},
      {"net.requires_grad_", effect, [](Args& a) { a.world.net->requires_grad_(a.p.flag()); return Tensor(); }},
      {"net.zero_grad", effect, [](Args& a) { a.world.net->zero_grad(); return Tensor(); }},
      {"net.load_state_dict", effect, [](Args& a) { StateDict dict = a.world.net->state_dict(); const char* const name = a.p.one_of({"linear.weight", "linear.bias", "norm.weight", "norm.running_var", "norm.num_batches_tracked", "other"}); if (a.p.flag()) dict.erase(name); else dict[name] = a.tensor(); a.world.net->load_state_dict(dict, {.strict = a.p.flag()}); return Tensor(); }},
      {"mse_loss", rounded, [](Args& a) { const Tensor x = a.tensor(), y = a.tensor(); return nn::MSELoss({.reduction = a.p.one_of({Reduction::mean, Reduction::sum, Reduction::none}), .broadcast = a.p.flag()})(x, y); }},

      // optimizers
      {"SGD", effect, [](Args& a) { const std::vector<Tensor> params = a.p.flag() ? a.tensors() : a.world.net->parameters(); a.world.sgd = std::make_unique<optim::SGD>(params, sgd_options(a.p)); return Tensor(); }},
      {"add_group", effect, [](Args& a) { const std::vector<Tensor> params = a.tensors(); if (a.world.sgd) { const optim::SGDOptions o = sgd_options(a.p); a.world.sgd->add_group(params, {.lr = o.lr, .momentum = o.momentum, .nesterov = o.nesterov}); } return Tensor(); }},
      {"step", effect, [](Args& a) { if (a.world.sgd) a.world.sgd->step(); return Tensor(); }},
      {"sgd.zero_grad", effect, [](Args& a) { if (a.world.sgd) a.world.sgd->zero_grad({.set_to_none = a.p.flag()}); return Tensor(); }},
      {"a group's options", effect, [](Args& a) { if (a.world.sgd) static_cast<optim::SGDOptions&>(a.world.sgd->groups()[0]) = sgd_options(a.p); return Tensor(); }},
      {"lr by group", effect, [](Args& a) { if (a.world.sgd) a.world.sgd->lr(a.p.flag() ? 0 : 1) = a.p.flag() ? 0.01 : -1; return Tensor(); }},
      {"move the SGD", effect, [](Args& a) { if (a.world.sgd) { optim::SGD moved = std::move(*a.world.sgd); *a.world.sgd = std::move(moved); } return Tensor(); }},
      {"sgd.load_state_dict", effect, [](Args& a) { if (!a.world.sgd) return Tensor(); StateDict dict = a.world.sgd->state_dict(); dict[a.p.one_of({"groups.0.lr", "groups.0.nesterov", "state.0.momentum_buffer", "state.1.momentum_buffer", "other"})] = a.tensor(); a.world.sgd->load_state_dict(dict); return Tensor(); }},

      // randomness
      {"set_state", effect, [](Args& a) { default_generator().set_state(a.p.flag() ? default_generator().state() : a.tensor()); return Tensor(); }},

      // statistics
      {"select_stats", effect, [](Args& a) { nn::select_stats(*a.world.net, a.p.one_of({"main", "clean", "", "a.b"}), {.create = a.p.flag()}); return Tensor(); }},
      {"add_stats", effect, [](Args& a) { nn::add_stats(*a.world.net, a.p.one_of({"clean", "noisy"})); return Tensor(); }},
      {"erase_stats", effect, [](Args& a) { nn::erase_stats(*a.world.net, a.p.one_of({"clean", "noisy"})); return Tensor(); }},
      {"rename_stats", effect, [](Args& a) { nn::rename_stats(*a.world.net, a.p.one_of({"clean", "noisy"}), a.p.one_of({"clean", "night", "main"})); return Tensor(); }},
      {"copy a record", effect, [](Args& a) { nn::copy_stats(*a.world.net, a.p.one_of({"main", "clean"}), a.p.one_of({"main", "noisy"}), {.create = a.p.flag()}); return Tensor(); }},
      {"clone", effect, [](Args& a) { const nn::BatchNorm1d copy = nn::clone(a.world.net->norm); return copy.running_mean.clone(); }},
      {"SelectStats", effect, [](Args& a) { const nn::SelectStats guard(*a.world.net, a.p.one_of({"main", "noisy", "a.b"}), {.create = a.p.flag()}); return Tensor(); }},
      {"StatsGuard", effect, [](Args& a) { const nn::StatsGuard guard(*a.world.net, a.p.one_of({nn::StatsMode::track, nn::StatsMode::hold, nn::StatsMode::frozen})); return (*a.world.net)(a.tensor()); }},
      {"AccumulateStats", effect, [](Args& a) { const nn::AccumulateStats guard(*a.world.net); Tensor y; for (const Tensor& x : a.tensors()) y = (*a.world.net)(x); return y; }},
      {"estimate", effect, [](Args& a) { nn::estimate_running_stats(*a.world.net, a.tensors()); return Tensor(); }},
      {"snapshot_stats", effect, [](Args& a) { a.world.snapshot = nn::snapshot_stats(*a.world.net); return Tensor(); }},
      {"restore_stats", effect, [](Args& a) { nn::restore_stats(*a.world.net, a.world.snapshot); return Tensor(); }},
      {"copy_stats", effect, [](Args& a) { const Net other(4, a.p.size(), norm_options(a.p)); nn::copy_stats(other, *a.world.net); return Tensor(); }},
      {"audit_stats", effect, [](Args& a) { return tensor(to_string(nn::audit_stats(*a.world.net, a.world.snapshot, a.tensors())).size()); }},
  };
  return all;
}
// clang-format on

// ---- running it ----

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

bool adds_up(std::string_view op) {
  static constexpr std::string_view names[]{"sum",      "mean",          "var",       "logsumexp",
                                            "softmax",  "log_softmax",   "matmul",    "linear",
                                            "mse_loss", "cross_entropy", "batch_norm"};
  return std::any_of(std::begin(names), std::end(names),
                     [op](std::string_view name) { return op.substr(0, name.size()) == name; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
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
