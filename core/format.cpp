// Shapes, dtypes and tensors as text.
#include <cairn/core/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace cairn {
namespace {

constexpr int64_t summarise_above = 1000;  // elements; as PyTorch and NumPy do
constexpr int64_t edge = 3;                // items shown at each end of a summarised dimension

// Prints the values of a tensor, all in one format and one width.
class Numbers {
 public:
  explicit Numbers(const Tensor& x) : x_(x.detach()), summarised_(x.numel() > summarise_above) {
    if (!is_floating(x.dtype())) {
      spec_ = "{}";
    } else {
      double largest = 0, smallest = HUGE_VAL;
      bool whole = true;
      each(x_, [&](double v) {
        if (!std::isfinite(v)) return;
        whole &= v == std::trunc(v);
        largest = std::max(largest, std::abs(v));
        if (v != 0) smallest = std::min(smallest, std::abs(v));
      });
      const bool wide = largest >= 1e8 || smallest < 1e-4 || largest > 1e5 * smallest;
      spec_ = whole && largest < 1e8 ? "{:.0f}." : wide && largest > 0 ? "{:.4e}" : "{:.4f}";
    }
    each(x_, [&](double v) { width_ = std::max(width_, formatted(v).size()); });
  }

  std::string text() const {
    if (x_.dim() > 0) return list(x_, 0);
    return x_.dtype() == DType::int64 ? fmt::format("{}", x_.item<int64_t>())
                                      : formatted(x_.item<double>());
  }

 private:
  // Calls f for each element that is printed.
  template <class F>
  void each(const Tensor& x, F f) const {
    if (x.dim() == 0) {
      f(x.item<double>());
    } else {
      for_printed(
          x, [&](int64_t i) { each(x[i], f); }, [] {});
    }
  }

  // Calls item(i) for each printed index of dimension 0, and gap() where some are left out.
  template <class Item, class Gap>
  void for_printed(const Tensor& x, Item item, Gap gap) const {
    const int64_t n = x.size(0);
    const bool cut = summarised_ && n > 2 * edge;
    for (int64_t i = 0; i < n; ++i) {
      if (cut && i == edge) {
        gap();
        i = n - edge;
      }
      item(i);
    }
  }

  std::string formatted(double v) const {
    if (!std::isfinite(v)) return fmt::format("{}", detail::shown(v));
    return x_.dtype() == DType::int64 ? fmt::format("{:.0f}", v)
                                      : fmt::format(fmt::runtime(spec_), v);
  }

  std::string list(const Tensor& x, std::size_t depth) const {
    const bool rows = x.dim() > 1;
    // Rows stand below each other, matrices with a blank line between.
    const std::string separator =
        rows ? "," + std::string(static_cast<std::size_t>(x.dim()) - 1, '\n') +
                   std::string(depth + 8, ' ')
             : ", ";
    std::string text = "[";
    const auto add = [&](const std::string& item) {
      if (text.size() > 1) text += separator;
      text += item;
    };
    for_printed(
        x,
        [&](int64_t i) {
          const Tensor item = x[i];
          if (rows) {
            add(list(item, depth + 1));
          } else if (x.dtype() == DType::int64) {
            add(fmt::format("{:>{}}", item.item<int64_t>(), width_));
          } else {
            add(fmt::format("{:>{}}", formatted(item.item<double>()), width_));
          }
        },
        [&] { add("..."); });
    return text + "]";
  }

  Tensor x_;
  bool summarised_;
  std::string spec_;
  std::size_t width_ = 0;
};

}  // namespace

std::ostream& detail::put(std::ostream& to, const std::string& text) { return to << text; }

auto detail::write(const TextFormatter& spec, const std::string& text, fmt::format_context& to)
    -> fmt::format_context::iterator {
  return spec.format(fmt::string_view(text), to);
}

std::string to_string(const DimList& list) {
  return fmt::format("[{}]", fmt::join(list.begin(), list.end(), ", "));
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int64:
      break;
  }
  return "int64";
}

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "tensor(undefined)";
  std::string text = "tensor(" + (x.numel() == 0 ? "[]" : Numbers(x).text());
  if (x.numel() == 0 || x.numel() > summarise_above) text += ", shape=" + to_string(x.shape());
  if (x.dtype() != DType::float32) text += ", dtype=" + to_string(x.dtype());
  if (x.requires_grad()) text += ", requires_grad=true";
  return text + ")";
}

}  // namespace cairn
