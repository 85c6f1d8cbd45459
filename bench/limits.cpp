// What the machine must do for each row, written as plainly as possible: the same products called
// directly, one pass over the bytes that have to move, a small network's step by hand. There is no
// graph, no allocation and no check. It is compiled for this machine only, with -ffast-math.
#include "limits/floats.h"
#include "limits/networks.h"
#include "support/rows.h"
#include "support/work.h"

#include <cmath>
#include <functional>
#include <numeric>

extern "C" {
// OpenBLAS has these functions. Another BLAS may not.
// NOLINTBEGIN(readability-redundant-declaration)
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] char* openblas_get_corename();
// NOLINTEND(readability-redundant-declaration)
}

using bench::Row;
using bench::Run;
using limits::Dense;
using limits::Floats;
using limits::split;
using std::size_t;

namespace {

Run matmul(size_t n) {
  return [=, a = Floats(n * n), b = Floats(n * n), c = Floats(n * n)] {
    limits::product(limits::plain, limits::plain, n, n, n, a, b, 0, c);
  };
}

// ---- passes over memory ----

// y = f(x...) for n elements of each operand.
template <class F, class... X>
Run pass(size_t n, F f, const X&... x) {
  return [=, y = Floats(n)] {
    split(n, [=](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) y[i] = f(x[i]...);
    });
  };
}

Run both(const Run& a, const Run& b) {
  return [=] {
    a();
    b();
  };
}

const auto affine = [](float x) { return 1.5F * x + 0.25F; };
const auto combine = [](float g, float x) { return 1.5F * g + 0.25F * x; };

// A norm reads its input once and writes once. Its backward reads two tensors and writes one.
Run norm_of(const bench::Normalisation& norm) {
  const auto n = static_cast<size_t>(
      std::accumulate(norm.shape.begin(), norm.shape.end(), int64_t{1}, std::multiplies<>()));
  const Floats x(n), g(n);
  const Run forward = pass(n, affine, x);
  return norm.backward ? both(forward, pass(n, combine, g, x)) : forward;
}

// The sum of f(i) over [0, n), in a place that the compiler must write.
template <class F>
Run total(size_t n, F f) {
  return [=] {
    split(n, [=](size_t begin, size_t end) {
      float sum = 0;
      for (size_t i = begin; i < end; ++i) sum += f(i);
      volatile float result = sum;
      static_cast<void>(result);
    });
  };
}

Run sum(size_t n) {
  return total(n, [x = Floats(n)](size_t i) { return x[i]; });
}

Run sum_rows(size_t side) {
  return [=, m = Floats(side * side), sums = Floats(side)] {
    split(side * side, [=](size_t begin, size_t end) {  // adds rows begin / side to end / side
      const Floats& to = begin == 0 ? sums : Floats(side);
      for (size_t i = begin / side; i < end / side; ++i) {
        for (size_t j = 0; j < side; ++j) to[j] += m[i * side + j];
      }
    });
  };
}

Run bias_add(size_t side) {
  return [=, m = Floats(side * side), y = Floats(side * side), b = Floats(side)] {
    split(side * side, [=](size_t begin, size_t end) {
      for (size_t i = begin; i < end; i += side) {
        for (size_t j = 0; j < side; ++j) y[i + j] = m[i + j] + b[j];
      }
    });
  };
}

Run mse_loss(size_t n) {
  const Floats p(n), t(n);
  return both(total(n, [=](size_t i) { return (p[i] - t[i]) * (p[i] - t[i]); }),
              pass(
                  n, [](float a, float b) { return 1e-7F * (a - b); }, p, t));
}

// mean(exp(p² + p) p) and its gradient, exp(p² + p) (1 + p (2 p + 1)) / n
Run chain_of_ops(size_t n) {
  const Floats p(n);
  return both(total(n, [=](size_t i) { return std::exp(p[i] * p[i] + p[i]) * p[i]; }),
              pass(
                  n, [](float x) { return std::exp(x * x + x) * (1 + x * (2 * x + 1)); }, p));
}

Run sgd_step(size_t tensors, size_t elements) {
  std::vector<Run> steps;
  for (size_t i = 0; i < tensors; ++i) {
    steps.emplace_back([p = Floats(elements), g = Floats(elements), m = Floats(elements)] {
      limits::sgd(p, g, m, 1e-4F);
    });
  }
  return [=] {
    for (const Run& step : steps) step();
  };
}

// ---- scalars ----

Run tiny_graph() {
  struct Values {
    volatile double a = -41, b = 2, da = 0, db = 0;
  };
  return [v = std::make_shared<Values>()] {
    const double a = v->a, b = v->b, e = a + b - (a * b + b * b * b);
    v->da = e * (1 - b);
    v->db = e * (1 - a - 3 * b * b);
  };
}

Run scalar_chain(size_t n) {
  struct Values {
    volatile float w = 1.0000001F, dw = 0;
    std::vector<float> z;
  };
  const auto v = std::make_shared<Values>();
  v->z.resize(n + 1);
  return [=] {
    const float w = v->w;
    v->z[0] = w;
    for (size_t i = 0; i < n; ++i) v->z[i + 1] = v->z[i] * w;
    float dz = 1, dw = 0;
    for (size_t i = n; i-- > 0; dz *= w) dw += dz * v->z[i];
    v->dw = dw + dz;
  };
}

// ---- the machine ----

// Ten chains of fused multiply-adds, each in a register of the widest vectors. An element counts as
// two operations.
#ifdef __AVX512F__
constexpr size_t vector_bytes = 64;
#else
constexpr size_t vector_bytes = 32;
#endif
constexpr int fma_chains = 10, fma_rounds = 1'000'000;
Run fma_rate() {
  return [] {
    using Vector [[gnu::vector_size(vector_bytes)]] = float;
    volatile float factor = 0.999F;
    const Vector a = Vector{} + factor, b = Vector{} + 1.0F;
    Vector sums[fma_chains] = {};
    for (int i = 0; i < fma_rounds; ++i) {
#pragma GCC unroll 10
      for (Vector& s : sums) s = s * a + b;
    }
    for (const Vector& s : sums) {
      volatile float result = s[0];
      static_cast<void>(result);
    }
  };
}

// Copies 64 MB to another place. It counts the bytes that are read and written.
constexpr size_t copied = 16'000'000;

std::vector<Row> table() {
  constexpr size_t large = 10'000'000, side = 4096, square = side * side;
  const auto copy = [] {
    return pass(
        square, [](float x) { return x; }, Floats(square));
  };
  const auto plus = [](float a, float b) { return a + b; };
  std::vector<Row> rows = {
      {"simple_step", [] { return limits::simple(true); }},
      {"simple_infer", [] { return limits::simple(false); }},
      {"linear_infer_b1",
       [] {
         return [l = Dense{1, 64, 64}, x = Floats(64), y = Floats(64)] { l.forward(x, y); };
       }},
      {"linear_512x1024x1024",
       [] {
         constexpr size_t n = 512, m = 1024;
         return [l = Dense{n, m, m}, x = Floats(n * m), y = Floats(n * m), g = Floats(n * m),
                 dx = Floats(n * m)] {
           l.forward(x, y);
           l.backward(x, g, dx);
         };
       }},
      {"matmul_2048", [] { return matmul(2048); }},
      {"add_1e7", [=] { return pass(large, plus, Floats(large), Floats(large)); }},
      {"exp_1e7",
       [] {
         return pass(
             large, [](float x) { return std::exp(x); }, Floats(large));
       }},
      {"sum_1e7", [] { return sum(large); }},
      {"sum_dim0_4096sq", [] { return sum_rows(side); }},
      {"sum_dim1_4096sq", [] { return sum(square); }},
      {"bias_add_4096sq", [] { return bias_add(side); }},
      {"transpose_copy_4096sq", copy},
      {"add_transposed_4096sq", copy},
      {"add_1000", [=] { return pass(1000, plus, Floats(1000), Floats(1000)); }},
      {"mse_1e7", [] { return mse_loss(large); }},
      {"chain_sq_exp_1e6", [] { return chain_of_ops(1'000'000); }},
      {"sgd_100x1000", [] { return sgd_step(100, 1000); }},
      {"sgd_10x1e6", [] { return sgd_step(10, 1'000'000); }},
      {"tiny_graph", tiny_graph},
      {"scalar_chain_1000", [] { return scalar_chain(1000); }},
      {"fma_rate", fma_rate, int64_t{2} * fma_chains * fma_rounds * int64_t{vector_bytes / 4}},
      {"bandwidth",
       [] {
         return pass(
             copied, [](float x) { return x; }, Floats(copied));
       },
       8 * static_cast<int64_t>(copied)},
  };
  for (const bench::Network& n : bench::networks) {
    rows.push_back({n.name, [&n] { return limits::mlp(n); }});
  }
  for (const bench::Normalisation& n : bench::normalisations) {
    rows.push_back({n.name(), [&n] { return norm_of(n); }});
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const auto set_threads = [](int n) {
    limits::threads = n;
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(n);
  };
  const auto about = [] {
    return openblas_get_corename != nullptr ? std::string(openblas_get_corename()) : "no OpenBLAS";
  };
  return bench::answer({argv + 1, argv + argc}, table(),
                       {.set_threads = set_threads, .about = about});
}
