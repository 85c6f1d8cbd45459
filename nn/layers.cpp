// Layers without parameters, and Sequential, which calls its children in the order they came.
#include <cairn/core/ops.h>
#include <cairn/nn/layers.h>

#include <fmt/format.h>

namespace cairn::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }

Tensor Flatten::forward(const Tensor& x) { return x.flatten(options_.start_dim, options_.end_dim); }

std::string Flatten::extra_repr() const {
  return detail::no_bad_alloc("Flatten", [&] {
    return fmt::format("start_dim={}, end_dim={}", options_.start_dim, options_.end_dim);
  });
}

Module& Sequential::operator[](int64_t i) const {
  const auto n = static_cast<int64_t>(modules_.size());
  check(i >= -n && i < n, "Sequential: there is no module {} of {}", i, n);
  return *modules_[static_cast<std::size_t>(i < 0 ? i + n : i)];
}

Tensor Sequential::forward(const Tensor& x) {
  check_usable();
  Tensor y = x;
  for (Module* const module : modules_) y = (*module)(y);
  return y;
}

}  // namespace cairn::nn
