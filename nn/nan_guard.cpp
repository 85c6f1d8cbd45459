// NanGuard watches the ops of its thread through core's Observer.
#include <cairn/core/autograd.h>
#include <cairn/core/ops.h>
#include <cairn/core/record.h>
#include <cairn/nn/module.h>
#include <cairn/nn/nan_guard.h>

#include <fmt/format.h>

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace cairn::nn {

namespace {

struct Unwatched {
  Unwatched() = default;
  ~Unwatched() { detail::exchange_observer(before); }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;

  detail::Observer* before = detail::exchange_observer(nullptr);
};

}  // namespace

class NanGuard::Watch final : public detail::Observer {
 public:
  explicit Watch(const NanGuardOptions& options)
      : options_(options), walks_(detail::walk_depth()), before_(detail::exchange_observer(this)) {}
  ~Watch() override { detail::exchange_observer(before_); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void computed(const char* op, const Tensor& y, std::span<const Tensor* const> inputs) override {
    // The ops of a gradient are examined as a whole, in differentiated().
    if (detail::walk_depth() != walks_) return;
    const std::string found = not_finite(y);
    if (found.empty()) return;
    std::string given;
    for (const Tensor* input : inputs) {
      if (!input->defined()) continue;
      const std::string where = not_finite(*input);
      given += fmt::format("{}{} ({})", given.empty() ? "" : ", ", input->shape(),
                           where.empty() ? "finite" : where);
    }
    check(false, "{}: the output {} is not finite: {}; its inputs are {}", op, y.shape(), found,
          given);
  }

  // The address of a node that has died may be that of a later one, which overwrites the path.
  void joins(const detail::Node& node) override {
    paths_[&node] = detail::CallScope::innermost_path();
  }

  void differentiated(const detail::Node& node, const Tensor& dy,
                      std::span<const Gradients::Entry> dx) override {
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (!dx[i].wanted || !dx[i].value.defined()) continue;
      const std::string found = not_finite(dx[i].value);
      if (found.empty()) continue;
      const std::string given = not_finite(dy);
      try {
        check(
            false,
            "{}: the gradient of input {}, {}, is not finite: {}; the gradient of the output, {}, "
            "is {}",
            node.name(), i, dx[i].value.shape(), found, dy.shape(),
            given.empty() ? "finite" : "not finite already: " + given);
      } catch (Error& error) {
        const auto path = paths_.find(&node);
        if (path != paths_.end() && !path->second.empty()) error.enter(path->second);
        throw;
      }
    }
  }

 private:
  // "nan at [0, 2]", or nothing if all values are as they should be.
  std::string not_finite(const Tensor& x) {
    if (x.numel() == 0 || !is_floating(x.dtype())) return "";
    const NoGrad no_grad;
    const Unwatched unwatched;  // the ops below
    const Tensor values = x.detach().flatten();
    const Tensor good = options_.allow_infinite ? !isnan(values) : isfinite(values);
    const auto first = argmin(good, 0).item<int64_t>();
    const bool all = good.at<int64_t>({first}) != 0;
    const auto value = values.to(DType::float64).at<double>({first});
    return all ? "" : fmt::format("{} at {}", detail::shown(value), index_of(first, x.shape()));
  }

  // The index of an element that is number `flat` in row-major order.
  static Shape index_of(int64_t flat, const Shape& shape) {
    std::vector<int64_t> index(static_cast<std::size_t>(shape.size()));
    for (int64_t d = shape.size(); d-- > 0; flat /= shape[d]) {
      index[static_cast<std::size_t>(d)] = flat % shape[d];
    }
    return index;
  }

  NanGuardOptions options_;
  int walks_;
  detail::Observer* before_;
  std::unordered_map<const detail::Node*, std::string> paths_;
};

NanGuard::NanGuard(const NanGuardOptions& options) : watch_(std::make_unique<Watch>(options)) {}
NanGuard::~NanGuard() = default;

}  // namespace cairn::nn
