// I want a transformer block of my own, with causal attention and layer norm written in plain ops,
// that learns to say the previous token of a sequence.
#include <cairn/cairn.h>

#include "expect.h"

#include <cmath>

using namespace cairn;

const int64_t tokens = 6, length = 8, width = 16, heads = 2;

struct LayerNorm : nn::Module {
  Parameter& weight = parameter("weight", ones({width}));
  Parameter& bias = parameter("bias", zeros({width}));
  Tensor forward(const Tensor& x) override {
    const Tensor centred = x - x.mean({-1}, true);
    return centred * rsqrt(x.var({-1}, {.correction = 0, .keepdim = true}) + 1e-5) * weight + bias;
  }
};

struct Attention : nn::Module {
  nn::Linear& qkv = child("qkv", nn::Linear(width, 3 * width));
  nn::Linear& out = child("out", nn::Linear(width, width));

  Tensor forward(const Tensor& x) override {
    const int64_t n = x.size(0), t = x.size(1), d = width / heads;
    const Tensor split = qkv(x).reshape({n, t, 3, heads, d}).permute({2, 0, 3, 1, 4});
    const Tensor q = split[0], k = split[1], v = split[2];  // (n, heads, t, d)
    const Tensor scores = matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(d));
    const Tensor later = arange(t).unsqueeze(0) > arange(t).unsqueeze(1);  // (t, t)
    const Tensor weights = softmax(where(later, -1e9, scores), -1);
    return out(matmul(weights, v).transpose(1, 2).reshape({n, t, width}));
  }
};

struct Transformer : nn::Module {
  Parameter& embedding = parameter("embedding", randn({tokens, width}));
  Parameter& position = parameter("position", randn({length, width}));
  LayerNorm& norm1 = child("norm1", LayerNorm());
  Attention& attention = child("attention", Attention());
  LayerNorm& norm2 = child("norm2", LayerNorm());
  nn::Sequential& mlp =
      child("mlp", nn::Sequential{nn::Linear(width, 32), nn::ReLU(), nn::Linear(32, width)});
  nn::Linear& head = child("head", nn::Linear(width, tokens));

  // (n, length) int64 -> (n, length, tokens)
  Tensor forward(const Tensor& text) override {
    const Tensor e = index_select(embedding, 0, text.flatten());
    Tensor x = e.reshape({text.size(0), length, width}) + position;
    x = x + attention(norm1(x));
    x = x + mlp(norm2(x));
    return head(x);
  }
};

int main() {
  manual_seed(0);
  Transformer model;
  optim::SGD opt(model.parameters(), {.lr = 0.1, .momentum = 0.9});
  double loss = 0;
  for (int step = 0; step < 300; ++step) {
    const Tensor text = randint(0, tokens, {32, length});
    const Tensor logits = model(text).slice(1, 1, length).flatten(0, 1);
    const Tensor error = cross_entropy(logits, text.slice(1, 0, length - 1).flatten());
    opt.zero_grad();
    error.backward();
    opt.step();
    loss = error.item<double>();
  }

  const NoGrad guard;
  const Tensor text = randint(0, tokens, {100, length}), logits = model(text);
  const Tensor said = logits.argmax(-1).slice(1, 1, length);
  const double right =
      (said == text.slice(1, 0, length - 1)).to(DType::float64).mean().item<double>();
  fmt::print("loss {:.4f}, accuracy {:.3f}\n", loss, right);
  expect(right > 0.95, "the accuracy is only {}", right);

  // Another last token changes nothing before it.
  Tensor other = text.clone();
  other.select(1, length - 1).copy_(tokens - 1 - text.select(1, length - 1));
  const Tensor changed = model(other);
  expect(allclose(changed.slice(1, 0, length - 1), logits.slice(1, 0, length - 1), 0, 0),
         "attention sees later tokens");
  expect(!allclose(changed, logits, 0, 0), "the last token has no effect at all");
}
