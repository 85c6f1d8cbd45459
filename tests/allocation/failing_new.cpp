// All forms of new and delete, over malloc and free, which the address sanitizer watches as well.
#include "allocation/failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> live{0};
std::atomic<int64_t> until_failure{0};  // 0: none is to fail
std::atomic<bool> again_and_again{false}, failed{false};

// Is it this one that fails?
bool fails() noexcept {
  if (again_and_again && failed) return true;
  int64_t left = until_failure.load();
  while (left > 0 && !until_failure.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 1) failed = true;
  return left == 1;
}

void* give(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) noexcept {
  if (fails()) return nullptr;
  const std::size_t whole = (bytes / alignment + 1) * alignment;  // as aligned_alloc wants it
  void* const block = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, whole)
                                                            : std::malloc(bytes > 0 ? bytes : 1);
  if (block != nullptr) ++live;
  return block;
}

void take(void* block) noexcept {
  if (block != nullptr) --live;
  std::free(block);
}

void* give_or_throw(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) {
  void* const block = give(bytes, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

// clang-format off
using std::align_val_t, std::nothrow_t, std::size_t;
void* operator new(size_t n) { return give_or_throw(n); }
void* operator new[](size_t n) { return give_or_throw(n); }
void* operator new(size_t n, align_val_t a) { return give_or_throw(n, number(a)); }
void* operator new[](size_t n, align_val_t a) { return give_or_throw(n, number(a)); }
void* operator new(size_t n, const nothrow_t&) noexcept { return give(n); }
void* operator new[](size_t n, const nothrow_t&) noexcept { return give(n); }
void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept { return give(n, number(a)); }
void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept { return give(n, number(a)); }
void operator delete(void* p) noexcept { take(p); }
void operator delete[](void* p) noexcept { take(p); }
void operator delete(void* p, size_t) noexcept { take(p); }
void operator delete[](void* p, size_t) noexcept { take(p); }
void operator delete(void* p, align_val_t) noexcept { take(p); }
void operator delete[](void* p, align_val_t) noexcept { take(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { take(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { take(p); }
void operator delete(void* p, const nothrow_t&) noexcept { take(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { take(p); }
void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { take(p); }
void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { take(p); }
// clang-format on

namespace cairn::test {

int64_t live_blocks() { return live; }

FailingNew::FailingNew(int64_t k, Failing how) {
  failed = false;
  again_and_again = how == Failing::from_then_on;
  until_failure = k;
}

FailingNew::~FailingNew() {
  until_failure = 0;
  again_and_again = false;
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): it is asked of a guard
bool FailingNew::struck() const { return failed; }

}  // namespace cairn::test
