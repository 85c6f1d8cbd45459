// Layers without parameters, and Sequential, which calls its children in order.
#include <cairn/core/ops.h>
#include <cairn/nn/layers.h>

#include <fmt/format.h>

namespace cairn::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }

Tensor Flatten::forward(const Tensor& x) { return x.flatten(options_.start_dim, options_.end_dim); }

std::string Flatten::extra_repr() const {
  return fmt::format("start_dim={}, end_dim={}", options_.start_dim, options_.end_dim);
}

std::shared_ptr<Module> Flatten::make_like() const { return std::make_shared<Flatten>(options_); }

// A module that stands here twice is made once.
std::shared_ptr<Module> Sequential::make_like() const {
  auto made = std::make_shared<Sequential>();
  const auto children = named_children();
  for (const auto& [name, module] : children) {
    std::size_t first = 0;
    while (&children[first].second != &module) ++first;
    first < made->size() ? made->child(name, made->child_at(first).shared_from_this())
                         : made->child(name, new_like(module));
  }
  return made;
}

std::size_t Sequential::index(int64_t i) const {
  const auto n = static_cast<int64_t>(size());
  check(i >= -n && i < n, "Sequential: there is no module {} of {}", i, n);
  return static_cast<std::size_t>(i < 0 ? i + n : i);
}

void Sequential::fail_type(int64_t i, const std::type_info& wanted) const {
  throw Error(fmt::format("Sequential: module {} is a {}, not a {}", i, (*this)[i].kind(),
                          detail::class_name(wanted)));
}

void Sequential::extend(Sequential&& other) {
  check(this != &other, "Sequential: extend() by itself; give another one");
  std::vector<std::string> names;
  for (const auto& [name, module] : other.named_children()) {
    const bool numbered = name.find_first_not_of("0123456789") == std::string::npos;
    names.push_back(numbered ? std::to_string(size() + names.size()) : name);
  }
  take_children(other, names);
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (std::size_t i = 0; i < size(); ++i) y = child_at(i)(y);
  return y;
}

}  // namespace cairn::nn
