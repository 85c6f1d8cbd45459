#include "support/approx.h"

#include <cairn/core/autograd.h>
#include <cairn/nn/batch_norm.h>
#include <cairn/optim/sgd.h>

#include <fmt/format.h>

#include <concepts>

using namespace cairn;
using namespace cairn::nn;
using namespace cairn::test;

static_assert(!std::derived_from<Buffer, Tensor>);
static_assert(!std::is_copy_assignable_v<Buffer> && !std::is_copy_constructible_v<Buffer>);
static_assert(!std::is_assignable_v<Buffer&, Tensor>);
static_assert(std::is_convertible_v<Buffer&, const Tensor&>);
static_assert(!std::is_copy_assignable_v<Parameter>);

namespace {

struct Holder : Module {
  Buffer& b = buffer("b", tensor({1, 2, 3}));
  Tensor forward(const Tensor& x) override { return x; }
};

}  // namespace

TEST_CASE("buffer: it reads as a tensor") {
  const Holder m;
  const Tensor& t = m.b;
  CHECK(equal(t, tensor({1, 2, 3})));
  CHECK(m.b.shape() == Shape{3});
  CHECK(m.b.size(0) == 3);
  CHECK(m.b.dim() == 1);
  CHECK(m.b.numel() == 3);
  CHECK(m.b.strides() == Strides{1});
  CHECK(m.b.is_contiguous());
  CHECK(m.b.detach().data<float>() == m.b.data<float>());
  CHECK(m.b.dtype() == DType::float32);
  CHECK(m.b[2].item<double>() == 3);
  CHECK(m.b.at<int>({1}) == 2);
  CHECK(m.b.to_vector<float>() == std::vector<float>{1, 2, 3});
  CHECK(m.b.data<float>()[0] == 1);
  CHECK(m.b.defined());
  CHECK_FALSE(m.b.requires_grad());
  CHECK(equal(m.b.to(DType::float64), tensor({1, 2, 3}, f64)));
  CHECK(equal(m.b + tensor({1, 1, 1}), tensor({2, 3, 4})));
  CHECK(m.b->mean().item<double>() == 2);
  CHECK(equal(m.b->slice(0, 1, 3), tensor({2, 3})));
  CHECK(fmt::format("{}", m.b) == "tensor([1., 2., 3.])");
}

TEST_CASE("buffer: nobody writes to it through a handle, a view, detach() or a pointer") {
  Holder m;
  const auto refuses = [&](Tensor t) {
    CHECK_ERROR_MENTIONS(t.copy_(ones({1})), "copy_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.fill_(1), "fill_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.zero_(), "zero_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.add_(1), "add_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.sub_(1), "sub_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t *= 2, "mul_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t /= 2, "div_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.clamp_(0, 1), "clamp_:", "[3]", "a buffer");
    CHECK_ERROR_MENTIONS(t.mutable_data<float>(), "mutable_data:", "[3]", "a buffer");
    const NoGrad guard;
    CHECK_ERROR_MENTIONS(t.zero_(), "zero_:", "[3]", "a buffer");
  };
  refuses(m.b);
  refuses(m.b.tensor().detach());
  refuses(m.b.tensor().view({3}));
  refuses(m.b.tensor().slice(0, 0, 3));
  refuses(m.b.tensor().reshape({3, 1}).select(1, 0));
  refuses(m.state_dict().at("b"));
  CHECK_ERROR_MENTIONS(m.b[0].zero_(), "zero_:", "[]", "a buffer");
  CHECK(equal(m.b, tensor({1, 2, 3})));
  m.b.clone().zero_();  // a copy is one's own
}

TEST_CASE("buffer: the tensor it was made from is not guarded, and does not reach it") {
  struct Taking : Module {
    Buffer& b;
    explicit Taking(const Tensor& t) : b(buffer("b", t)) {}
  };
  Tensor t = tensor({1, 2});
  const Taking m(t);
  t.zero_();
  CHECK(equal(m.b, tensor({1, 2})));
}

TEST_CASE("buffer: requires_grad_(false) says the same as freeze()") {
  Holder m;
  CHECK_FALSE(m.b.frozen());
  m.b.requires_grad_(false);
  CHECK(m.b.frozen());
  m.b.unfreeze();
  CHECK_FALSE(m.b.frozen());
  m.b.freeze();
  CHECK(m.b.frozen());
}

TEST_CASE("buffer: copy_() writes it, frozen or not, in its own dtype") {
  Holder m;
  m.b.freeze();
  m.b.copy_(tensor({4, 5, 6}, f64));
  CHECK(equal(m.b, tensor({4, 5, 6})));
  m.b.copy_(m.b);
  CHECK(equal(m.b, tensor({4, 5, 6})));
  CHECK(m.b.frozen());
}

TEST_CASE("buffer: a write to it makes saved tensors stale") {
  Holder m;
  const Tensor x = ones({3}, {.requires_grad = true});
  const Tensor y = sum(x * m.b);
  m.b.copy_(zeros({3}));
  CHECK_ERROR_MENTIONS(y.backward(), "mul:", "[3]", "was written to");
}
