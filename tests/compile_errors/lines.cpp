// Lines that must not compile. Above each stands a part of what the compiler must say; run.sh
// compiles the lines one by one. Without -DLINE the file compiles.
#include <cairn/cairn.h>

#include <vector>

using namespace cairn;

#ifndef LINE
#define LINE 0
#endif

[[maybe_unused]] static void lines(nn::Linear& layer, nn::Module& model, Tensor x) {
#if LINE == 1
  // says: write std::move(layer), or construct the module here
  nn::Sequential net{layer, nn::ReLU()};
#elif LINE == 2
  // says: write std::move(layer), or construct the module here
  nn::Sequential().push_back(layer);
#elif LINE == 3
  // says: a module is not copied: is an & missing? See nn::clone()
  nn::Linear copy = layer;
#elif LINE == 4
  // says: write weight.copy_(values) under NoGrad
  layer.weight = x;
#elif LINE == 5
  // says: write weight.copy_(values) under NoGrad
  layer.weight = layer.bias;
#elif LINE == 6
  // says: write weight.copy_(values) under NoGrad
  layer.weight = x * 2;
#elif LINE == 7
  // says: write running_mean.copy_(values)
  nn::BatchNorm1d(2).running_mean = x;
#elif LINE == 8
  // says: one batch stands in braces, {x}
  nn::estimate_running_stats(model, x);
#elif LINE == 9
  // says: one batch stands in braces, {x}
  nn::audit_stats(model, x);
#elif LINE == 10
  // says: from_data() takes float, double or int64_t values
  from_data(std::vector<int>{1, 2}, {2});
#elif LINE == 11
  // says: from_blob() takes float*, double* or int64_t*
  int values[2] = {1, 2};
  from_blob(values, {2});
#elif LINE == 12
  // says: a bool is no size and no dimension
  x.sum(true);
#elif LINE == 13
  // says: a bool is no size and no dimension
  zeros(true);
#elif LINE == 14
  // says: nn::clone() needs a default constructor or make_like()
  struct Net : nn::Module {
    explicit Net(int) {}
  };
  nn::clone(Net(1));
#elif LINE == 15
  // says: write std::move(layer), or construct the module here
  nn::Sequential(nn::ReLU()).replace(0, layer);
#elif LINE == 16
  // says: write std::move(net), or nn::clone(net)
  nn::Sequential net;
  nn::Sequential().extend(net);
#endif
  static_cast<void>(layer), static_cast<void>(model), static_cast<void>(x);
}

// A member without its &.
struct Forgotten : nn::Module {
#if LINE == 17
  // says: a module is not copied: is an & missing? See nn::clone()
  nn::Linear fc = child("fc", nn::Linear(2, 2));
#else
  nn::Linear& fc = child("fc", nn::Linear(2, 2));
#endif
};

int main() { static_cast<void>(Forgotten()); }
