// The smallest program that uses everything: a step of training, formatted output, an error caught.
#include <cairn/cairn.h>
#include <fmt/core.h>

#if __has_include(<core/tensor.h>) || __has_include(<nn/linear.h>) || __has_include(<cairn.h>)
#error "Cairn's own folders are in the user's include path"
#endif

cairn::Tensor targets();  // second.cpp

int main() {
  cairn::manual_seed(1);
  cairn::nn::Linear fc(3, 1);
  cairn::optim::SGD opt(fc.parameters(), {.lr = 0.1});
  cairn::Tensor loss = cairn::mse_loss(fc(cairn::randn({4, 3})), targets());
  loss.backward();
  opt.step();
  fmt::print("{}\n", fc.weight.grad());

  try {
    fc(cairn::randn({4, 7}));
  } catch (const cairn::Error& error) {
    fmt::print("caught: {}\n", error.what());
    return 0;
  }
  return 1;
}
