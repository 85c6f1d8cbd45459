// Three rows of bench/cairn.cpp in dlib, whose networks are types. The solver is dlib's own SGD.
#include <dlib/dnn.h>
#include <dlib/revision.h>

#include "support/rows.h"

using bench::Row;
using bench::Run;

namespace {

using Sample = dlib::matrix<float, 0, 1>;

// The batch is copied into a tensor once, before the work that is measured.
template <class Network>
Run step(long batch, long in, long out, float momentum) {
  struct Training {
    Network net;
    std::vector<dlib::sgd> solvers = {};
    dlib::resizable_tensor x = {};
    std::vector<dlib::matrix<float>> targets = {};
  };
  const auto t = std::make_shared<Training>();
  dlib::rand random;
  const auto draw = [&](long n) {
    Sample values(n);
    for (float& v : values) v = static_cast<float>(random.get_random_gaussian());
    return values;
  };
  std::vector<Sample> samples;
  for (long i = 0; i < batch; ++i) {
    samples.push_back(draw(in));
    t->targets.push_back(draw(out));
  }
  t->net.to_tensor(samples.begin(), samples.end(), t->x);
  t->solvers.assign(Network::num_computational_layers, dlib::sgd(0, momentum));
  return [=] {
    t->net.compute_parameter_gradients(t->x, t->targets.begin());
    t->net.update_parameters(t->solvers, 1e-3);
  };
}

// clang-format off
using Simple = dlib::loss_mean_squared_multioutput<
    dlib::bn_fc<dlib::fc<5, dlib::bn_fc<dlib::input<Sample>>>>>;
template <unsigned long Hidden>
using Mlp = dlib::loss_mean_squared_multioutput<
    dlib::fc<10, dlib::relu<dlib::fc<Hidden, dlib::relu<dlib::fc<Hidden,
    dlib::input<Sample>>>>>>>;
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Row> rows = {
      {"simple_step", [] { return step<Simple>(32, 10, 5, 0); }},
      {"mlp_s", [] { return step<Mlp<128>>(64, 64, 10, 0.9F); }},
      {"mlp_m", [] { return step<Mlp<1024>>(256, 784, 10, 0.9F); }},
  };
  const auto about = [] {
    return "dlib " + std::to_string(DLIB_MAJOR_VERSION) + "." + std::to_string(DLIB_MINOR_VERSION);
  };
  return bench::answer({argv + 1, argv + argc}, rows, {.set_threads = [](int) {}, .about = about});
}
