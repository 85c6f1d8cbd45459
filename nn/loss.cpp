// Prints the options of the losses.
#include <cairn/nn/loss.h>

namespace cairn::nn {

std::string MSELoss::extra_repr() const {
  constexpr const char* names[] = {"mean", "sum", "none"};
  return std::string("reduction=") + names[static_cast<std::size_t>(options_.reduction)];
}

std::shared_ptr<Module> MSELoss::make_like() const { return std::make_shared<MSELoss>(options_); }

}  // namespace cairn::nn
