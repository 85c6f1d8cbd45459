// The error messages that many ops share.
#include <cairn/core/internal/operands.h>
#include <cairn/core/ops.h>

#include <algorithm>

namespace cairn::detail {

void fail_undefined(const char* op, std::span<const bool> defined) {
  constexpr const char* ordinals[] = {"first", "second", "third", "fourth", "fifth"};
  const char* const which =
      ordinals[std::find(defined.begin(), defined.end(), false) - defined.begin()];
  fail("{}: the {} tensor is undefined (default-constructed or moved from); assign one first",
       fmt::make_format_args(op, which));
}

void check_number(const char* op, Scalar value, const Tensor& x) {
  check_defined(op, x);
  if (is_floating(x.dtype()) || value.is_whole()) return;
  check(false, "{}: {} beside an int64 tensor {}; convert the tensor with .to(DType::float32)", op,
        value.to<double>(), x.shape());
}

void check_floating(const char* op, const Tensor& x) {
  check_defined(op, x);
  check(is_floating(x.dtype()), "{}: not defined for int64 {}; use .to(DType::float32) first", op,
        x.shape());
}

void fail_dtypes(const char* op, const Tensor& a, const Tensor& b) {
  check(false, "{}: dtypes {} of {} and {} of {} do not mix; convert one, e.g. with .to(x.dtype())",
        op, a.dtype(), a.shape(), b.dtype(), b.shape());
  std::terminate();  // not reached
}

void check_indices(const char* op, const char* what, const Tensor& index, int64_t n) {
  check(index.dtype() == DType::int64, "{}: the {} tensor {} is {}; use .to(DType::int64)", op,
        what, index.shape(), index.dtype());
  if (index.numel() == 0) return;
  const Tensor flat = index.detach().flatten();
  const auto low = flat.amin({0}).item<int64_t>(), high = flat.amax({0}).item<int64_t>();
  check(low >= 0 && high < n, "{}: {} {} is out of range; there are {}, counted from 0", op, what,
        low < 0 ? low : high, n);
}

}  // namespace cairn::detail
