// What a program of the fuzzer works on, all that can be seen of it, and what must always hold.
#pragma once

#include <cairn/cairn.h>
#include <cairn/core/internal/shapes.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::fuzz {

inline void expect(bool ok, const char* promise, const char* call) {
  if (ok) return;
  fmt::print(stderr, "\n{}: broken promise: {}\n", call, promise);
  std::abort();
}

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
inline void each_element(const detail::View& x, F f) {
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
inline void describe(const Tensor& x, std::string& text) {
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

inline std::string describe(const World& world) {
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

inline void check_tensor(const Tensor& x, const char* call) {
  if (!x.defined()) return;
  const detail::View& view = x.view_of();
  expect(view.numel == view.shape.numel(), "numel is the product of the sizes", call);
  expect(view.contiguous == detail::is_contiguous(view.shape, view.strides), "is_contiguous", call);
  expect(view.numel == 0 || view.data >= view.storage->data(), "a view lies in its storage", call);
  const Tensor g = x.grad();
  expect(!g.defined() || (g.shape() == x.shape() && g.dtype() == x.dtype()),
         "a gradient has its tensor's shape and dtype", call);
}

inline bool same_values(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (!is_floating(a.dtype())) return a.to_vector<int64_t>() == b.to_vector<int64_t>();
  const std::vector<double> left = a.to_vector<double>(), right = b.to_vector<double>();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double l, double r) { return l == r || (std::isnan(l) && std::isnan(r)); });
}

}  // namespace cairn::fuzz
