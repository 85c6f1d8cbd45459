// Steps of small networks, by hand: products called directly, and loops.
#pragma once

#include "limits/floats.h"
#include "support/rows.h"
#include "support/work.h"

#include <cblas.h>
#include <cmath>

namespace limits {

using bench::Run;

enum Flip : bool { plain, flipped };

// c (m, n) = a b + beta c. A flipped operand is stored as its transpose.
inline void product(Flip flip_a, Flip flip_b, size_t m, size_t n, size_t k, const float* a,
                    const float* b, float beta, float* c) {
  const auto i = [](size_t x) { return static_cast<int>(x); };
  cblas_sgemm(CblasRowMajor, flip_a ? CblasTrans : CblasNoTrans, flip_b ? CblasTrans : CblasNoTrans,
              i(m), i(n), i(k), 1, a, i(flip_a ? m : k), b, i(flip_b ? k : n), beta, c, i(n));
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
inline void mse(const float* y, const Floats& target, float* dy) {
  float loss = 0;
  for (size_t i = 0; i < target.size(); ++i) {
    const float d = y[i] - target[i];
    loss += d * d;
    dy[i] = 2 * d / static_cast<float>(target.size());
  }
  volatile float result = loss;
  static_cast<void>(result);
}

inline Run simple(bool training) {
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

inline Run mlp(const bench::Network& network) {
  const std::vector<size_t> sizes(network.sizes.begin(), network.sizes.end());
  const auto batch = static_cast<size_t>(network.batch);
  const bool norm = network.norm;
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

}  // namespace limits
