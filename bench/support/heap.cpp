// Counts the bytes of the heap. Preloaded into a program, its malloc() and free() replace those of
// the C library, which still do the work. The same count then holds for every library.
#include <dlfcn.h>
#include <malloc.h>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

// NOLINTBEGIN: the C library's headers name these functions and their parameters in their own way
// The C library's own functions, under the names by which a replacement may call them.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

std::atomic<int64_t> in_use{0}, peak{0}, start{0};

void* count(void* block) {
  if (block == nullptr) return block;
  const int64_t now = in_use += static_cast<int64_t>(malloc_usable_size(block));
  for (int64_t seen = peak; seen < now && !peak.compare_exchange_weak(seen, now);) {
  }
  return block;
}
void discount(void* block) {
  if (block != nullptr) in_use -= static_cast<int64_t>(malloc_usable_size(block));
}

}  // namespace

extern "C" {

void bench_heap_start() {
  start = in_use.load();
  peak = in_use.load();
}
int64_t bench_heap_peak() { return peak - start; }

void* malloc(std::size_t bytes) { return count(__libc_malloc(bytes)); }
void* calloc(std::size_t n, std::size_t bytes) { return count(__libc_calloc(n, bytes)); }
void* realloc(void* block, std::size_t bytes) {
  discount(block);
  void* const moved = __libc_realloc(block, bytes);
  if (moved == nullptr && bytes != 0) count(block);  // the old block lives on
  return count(moved);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return count(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  *block = memalign(alignment, bytes);
  return *block == nullptr ? ENOMEM : 0;
}
void free(void* block) {
  discount(block);
  __libc_free(block);
}
}
// NOLINTEND
