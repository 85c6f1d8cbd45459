// The options of SGD and its arithmetic.
#include <cairn/optim/internal/optimizer_of.h>
#include <cairn/optim/sgd.h>

namespace cairn::optim {

template <class O, class F>
void SGDRule::each_option(O& options, F f) {
  f("lr", options.lr);
  f("momentum", options.momentum);
  f("dampening", options.dampening);
  f("weight_decay", options.weight_decay);
  f("nesterov", options.nesterov);
  f("maximize", options.maximize);
}

void SGDRule::check_options(std::size_t group, const Options& o) {
  check_not_negative(name, group, "lr", o.lr);
  check_not_negative(name, group, "momentum", o.momentum);
  check_not_negative(name, group, "weight_decay", o.weight_decay);
  check(std::isfinite(o.dampening), "SGD: group {}: dampening is {}; it must be finite", group,
        o.dampening);
  check(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
        "SGD: group {}: nesterov needs momentum > 0 and dampening 0, got {} and {}", group,
        o.momentum, o.dampening);
}

bool SGDRule::uses(const Options& o, std::size_t) { return o.momentum != 0; }

void SGDRule::update(const Options& options, const Tensor& param, const Tensor& grad,
                     std::span<const Tensor> state, bool first) noexcept {
  const auto full_gradient = [o = options]<class T>(T p, T g) {
    return (o.maximize ? -g : g) + static_cast<T>(o.weight_decay) * p;
  };
  if (options.momentum == 0) {
    const auto plain = [=, o = options]<class T>(T p, T g) {
      return p - static_cast<T>(o.lr) * full_gradient(p, g);
    };
    return detail::write(plain, {param}, {param, grad});
  }
  const auto with_momentum = [=, o = options]<class T>(T p, T g, T b) {
    const auto lr = static_cast<T>(o.lr), mu = static_cast<T>(o.momentum);
    const T d = full_gradient(p, g);
    b = first ? d : mu * b + (1 - static_cast<T>(o.dampening)) * d;
    return std::array{p - lr * (o.nesterov ? d + mu * b : b), b};
  };
  detail::write(with_momentum, {param, state[0]}, {param, grad, state[0]});
}

template class OptimizerOf<SGDRule>;

}  // namespace cairn::optim
