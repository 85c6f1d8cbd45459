// What the machine must do for each row, written as plainly as possible: the same products called
// directly, one pass over the bytes that have to move, a small network's step by hand. There is no
// graph, no allocation and no check. It is compiled for this machine only, with -ffast-math.
#include "support/rows.h"

#include <cblas.h>
#include <cmath>
#include <memory>
#include <new>
#include <thread>

extern "C" {
// OpenBLAS has these functions. Another BLAS may not.
// NOLINTBEGIN(readability-redundant-declaration)
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] char* openblas_get_corename();
// NOLINTEND(readability-redundant-declaration)
}

using bench::Row;
using bench::Run;

namespace {

using std::size_t;

int threads = 1;

// Calls f(begin, end) for parts of [0, n), one part for each thread if there is enough work.
template <class F>
void split(size_t n, F f) {
  constexpr size_t least = 500'000;  // to start a thread takes about as long as so many elements
  if (threads == 1 || n < least) return f(size_t{0}, n);
  std::vector<std::thread> others;
  const auto count = static_cast<size_t>(threads);
  const size_t part = (n + count - 1) / count;
  for (size_t begin = part; begin < n; begin += part) {
    others.emplace_back(f, begin, std::min(begin + part, n));
  }
  f(size_t{0}, std::min(part, n));
  for (std::thread& t : others) t.join();
}

// Values in [-1, 1), aligned to a cache line. Copies share them.
class Floats {
 public:
  explicit Floats(size_t n)
      : size_(n), data_(static_cast<float*>(::operator new (n * 4, std::align_val_t{64})), Free{}) {
    unsigned state = 1;
    for (size_t i = 0; i < n; ++i) {
      state = state * 1664525 + 1013904223;
      data()[i] = static_cast<float>(state >> 8) / (1 << 23) - 1;
    }
  }
  float* data() const { return data_.get(); }
  operator float*() const { return data(); }  // NOLINT(google-explicit-constructor)
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  size_t size_;
  std::shared_ptr<float> data_;
};

// ---- products ----

enum Flip : bool { plain, flipped };

// c (m, n) = a b + beta c. A flipped operand is stored as its transpose.
void product(Flip flip_a, Flip flip_b, size_t m, size_t n, size_t k, const float* a, const float* b,
             float beta, float* c) {
  const auto i = [](size_t x) { return static_cast<int>(x); };
  cblas_sgemm(CblasRowMajor, flip_a ? CblasTrans : CblasNoTrans, flip_b ? CblasTrans : CblasNoTrans,
              i(m), i(n), i(k), 1, a, i(flip_a ? m : k), b, i(flip_b ? k : n), beta, c, i(n));
}

Run matmul(size_t n) {
  return [=, a = Floats(n * n), b = Floats(n * n), c = Floats(n * n)] {
    product(plain, plain, n, n, n, a, b, 0, c);
  };
}

// ---- networks by hand ----

void sgd(const Floats& p, const Floats& g, const Floats& momentum) {
  split(p.size(), [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      momentum[i] = 0.9F * momentum[i] + g[i];
      p[i] -= 1e-6F * momentum[i];
    }
  });
}

struct Dense {
  size_t batch, in, out;
  Floats w{out * in}, b{out}, dw{out * in}, db{out}, mw{out * in}, mb{out};

  bool tiny() const { return batch * in * out < 8192; }  // a call of BLAS costs more

  void forward(const float* x, float* y) const {
    if (!tiny()) {
      for (size_t i = 0; i < batch; ++i) {
        for (size_t j = 0; j < out; ++j) y[i * out + j] = b[j];
      }
      return product(plain, flipped, batch, out, in, x, w, 1, y);
    }
    for (size_t i = 0; i < batch; ++i) {
      for (size_t j = 0; j < out; ++j) {
        float sum = b[j];
        for (size_t k = 0; k < in; ++k) sum += x[i * in + k] * w[j * in + k];
        y[i * out + j] = sum;
      }
    }
  }
  void backward(const float* x, const float* dy, float* dx) const {
    std::fill_n(db.data(), out, 0.0F);
    for (size_t i = 0; i < batch; ++i) {
      for (size_t j = 0; j < out; ++j) db[j] += dy[i * out + j];
    }
    if (!tiny()) {
      product(flipped, plain, out, in, batch, dy, x, 0, dw);
      if (dx != nullptr) product(plain, plain, batch, in, out, dy, w, 0, dx);
      return;
    }
    std::fill_n(dw.data(), out * in, 0.0F);
    std::fill_n(dx, batch * in, 0.0F);
    for (size_t i = 0; i < batch; ++i) {
      for (size_t j = 0; j < out; ++j) {
        for (size_t k = 0; k < in; ++k) {
          dw[j * in + k] += dy[i * out + j] * x[i * in + k];
          dx[i * in + k] += dy[i * out + j] * w[j * in + k];
        }
      }
    }
  }
  void update() const {
    sgd(w, dw, mw);
    sgd(b, db, mb);
  }
};

// Batch norm of a matrix.
struct Norm {
  size_t batch, channels;
  Floats weight{channels}, bias{channels}, dweight{channels}, dbias{channels};
  Floats mweight{channels}, mbias{channels}, mean{channels}, inverse{channels};

  // Calls f(i, c) for every element, row by row.
  template <class F>
  void each(F f) const {
    for (size_t i = 0; i < batch; ++i) {
      for (size_t c = 0; c < channels; ++c) f(i * channels + c, c);
    }
  }
  void forward(const float* x, float* y) const {
    const auto n = static_cast<float>(batch);
    std::fill_n(mean.data(), channels, 0.0F);
    std::fill_n(inverse.data(), channels, 0.0F);
    each([&](size_t i, size_t c) { mean[c] += x[i] / n; });
    each([&](size_t i, size_t c) { inverse[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
    for (size_t c = 0; c < channels; ++c) inverse[c] = 1 / std::sqrt(inverse[c] / n + 1e-5F);
    each([&](size_t i, size_t c) { y[i] = (x[i] - mean[c]) * inverse[c] * weight[c] + bias[c]; });
  }
  void backward(const float* x, const float* dy, float* dx) const {
    const auto n = static_cast<float>(batch);
    std::fill_n(dweight.data(), channels, 0.0F);
    std::fill_n(dbias.data(), channels, 0.0F);
    each([&](size_t i, size_t c) {
      dbias[c] += dy[i];
      dweight[c] += dy[i] * (x[i] - mean[c]) * inverse[c];
    });
    if (dx == nullptr) return;
    each([&](size_t i, size_t c) {
      const float normalised = (x[i] - mean[c]) * inverse[c];
      dx[i] = weight[c] * inverse[c] * (dy[i] - (dbias[c] + normalised * dweight[c]) / n);
    });
  }
  void update() const {
    sgd(weight, dweight, mweight);
    sgd(bias, dbias, mbias);
  }
};

// The mean squared error's gradient. The loss itself goes to a place that the compiler must write.
void mse(const float* y, const Floats& target, float* dy) {
  float loss = 0;
  for (size_t i = 0; i < target.size(); ++i) {
    const float d = y[i] - target[i];
    loss += d * d;
    dy[i] = 2 * d / static_cast<float>(target.size());
  }
  volatile float result = loss;
  static_cast<void>(result);
}

Run simple(bool training) {
  constexpr size_t n = 32;
  return [=, norm1 = Norm{n, 10}, dense = Dense{n, 10, 5}, norm2 = Norm{n, 5}, x = Floats(n * 10),
          a = Floats(n * 10), b = Floats(n * 5), y = Floats(n * 5), target = Floats(n * 5),
          dy = Floats(n * 5), db = Floats(n * 5), da = Floats(n * 10)] {
    norm1.forward(x, a);
    dense.forward(a, b);
    norm2.forward(b, y);
    if (!training) return;
    mse(y, target, dy);
    norm2.backward(b, dy, db);
    dense.backward(a, db, da);
    norm1.backward(x, da, nullptr);
    norm1.update();
    dense.update();
    norm2.update();
  };
}

Run mlp(const std::vector<size_t>& sizes, size_t batch, bool norm) {
  struct Layer {
    Dense dense;
    Norm norm;
    Floats y, z, dy, dz;  // of the product, of what follows it, and their gradients
  };
  std::vector<Layer> layers;
  for (size_t i = 1; i < sizes.size(); ++i) {
    const size_t n = batch * sizes[i];
    layers.push_back({{batch, sizes[i - 1], sizes[i]},
                      {batch, sizes[i]},
                      Floats(n),
                      Floats(n),
                      Floats(n),
                      Floats(n)});
  }
  const Floats x(batch * sizes.front()), target(batch * sizes.back());
  return [=] {
    const float* at = x;
    for (const Layer& l : layers) {
      l.dense.forward(at, l.y);
      at = l.y;
      if (&l == &layers.back()) break;
      if (norm) l.norm.forward(l.y, l.z);
      const float* const from = norm ? l.z : l.y;
      split(l.z.size(), [=](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) l.z[i] = from[i] > 0 ? from[i] : 0;
      });
      at = l.z;
    }
    mse(at, target, layers.back().dy);
    for (size_t i = layers.size(); i-- > 0;) {
      const Layer& l = layers[i];
      if (i == 0) {
        l.dense.backward(x, l.dy, nullptr);
        break;
      }
      const Layer& below = layers[i - 1];
      l.dense.backward(below.z, l.dy, below.dz);
      float* const to = norm ? below.dz : below.dy;
      split(below.z.size(), [=](size_t begin, size_t end) {
        for (size_t k = begin; k < end; ++k) to[k] = below.z[k] > 0 ? below.dz[k] : 0;
      });
      if (norm) below.norm.backward(below.y, below.dz, below.dy);
    }
    for (const Layer& l : layers) {
      l.dense.update();
      if (norm && &l != &layers.back()) l.norm.update();
    }
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
Run norm(size_t n, bool backward) {
  const Floats x(n), g(n);
  const Run forward = pass(n, affine, x);
  return backward ? both(forward, pass(n, combine, g, x)) : forward;
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
      split(p.size(), [=](size_t begin, size_t end) {
        for (size_t j = begin; j < end; ++j) {
          m[j] = 0.9F * m[j] + g[j] + 1e-4F * p[j];
          p[j] -= 1e-6F * m[j];
        }
      });
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
      {"simple_step", [] { return simple(true); }},
      {"simple_infer", [] { return simple(false); }},
      {"linear_infer_b1",
       [] {
         return [l = Dense{1, 64, 64}, x = Floats(64), y = Floats(64)] { l.forward(x, y); };
       }},
      {"mlp_s",
       [] {
         return mlp({64, 128, 128, 10}, 64, false);
       }},
      {"mlp_s_bn",
       [] {
         return mlp({64, 128, 128, 10}, 64, true);
       }},
      {"mlp_m",
       [] {
         return mlp({784, 1024, 1024, 10}, 256, false);
       }},
      {"mlp_m_bn",
       [] {
         return mlp({784, 1024, 1024, 10}, 256, true);
       }},
      {"mlp_l",
       [] {
         return mlp({1024, 4096, 4096, 10}, 1024, false);
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
  const auto add_norm = [&](std::string name, size_t n, const std::vector<std::string>& kinds) {
    name += '_';
    for (const std::string& kind : kinds) {
      rows.push_back({name + kind, [=] { return norm(n, kind.ends_with("fb")); }});
    }
  };
  add_norm("bn1d_32x64", size_t{32} * 64, {"train_fb", "eval_fb"});
  add_norm("bn1d_4096x1024", size_t{4096} * 1024, {"train_f", "train_fb", "eval_fb"});
  add_norm("bn1d_256x64x256", size_t{256} * 64 * 256, {"train_fb", "eval_fb"});
  add_norm("bn2d_32x64x56x56", size_t{32} * 64 * 56 * 56,
           {"train_f", "train_fb", "eval_f", "eval_fb"});
  add_norm("bn2d_32x512x7x7", size_t{32} * 512 * 7 * 7, {"train_fb"});
  add_norm("bn3d_8x32x16x28x28", size_t{8} * 32 * 16 * 28 * 28, {"train_fb"});
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const auto set_threads = [](int n) {
    threads = n;
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(n);
  };
  const auto about = [] {
    return openblas_get_corename != nullptr ? std::string(openblas_get_corename()) : "no OpenBLAS";
  };
  return bench::answer({argv + 1, argv + argc}, table(),
                       {.set_threads = set_threads, .about = about});
}
