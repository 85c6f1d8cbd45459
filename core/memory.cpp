// Freed blocks are kept in lists, one for each size class. Each thread has lists of small blocks,
// so that a tiny model's step takes no lock. The process has lists of large blocks, so that one
// thread reuses what another freed. A block's first bytes link it to the next in its list.
#include <cairn/core/check.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/machine.h>
#include <cairn/core/memory.h>

#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <new>

namespace cairn {
namespace detail {
namespace {

// Size classes: multiples of 64 bytes up to 1 KiB, then four for each doubling, which add at most
// a quarter to what was asked for.
struct SizeClass {
  std::size_t index, bytes;
};

[[maybe_unused]] SizeClass size_class(std::size_t bytes) {
  constexpr std::size_t step = 64, linear_limit = 1024;
  if (bytes <= linear_limit) {
    const std::size_t index = bytes == 0 ? 0 : (bytes - 1) / step;
    return {index, (index + 1) * step};
  }
  const auto exponent = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // >= 10
  const std::size_t quarter = std::size_t{1} << (exponent - 2);
  const std::size_t part = (bytes - 1) / quarter;  // 4..7
  return {linear_limit / step + (exponent - 10) * 4 + part - 4, (part + 1) * quarter};
}

constexpr std::size_t class_count = 16 + 4 * 54;
constexpr std::size_t small_limit = 32 << 10;   // bytes; a thread caches blocks up to this size
constexpr std::size_t thread_budget = 4 << 20;  // bytes; a full thread cache frees blocks

#ifdef CAIRN_BYPASS_POOLS
constexpr bool pooled = false;
#else
constexpr bool pooled = true;
#endif

struct Link {
  Link* next;
};

void* from_system(std::size_t bytes) noexcept {
  return ::operator new (bytes, std::align_val_t{alignment}, std::nothrow);
}
void to_system(void* block) noexcept { ::operator delete (block, std::align_val_t{alignment}); }

std::atomic<std::ptrdiff_t> in_use{0}, peak{0};

// The lists of freed blocks, one for each size class.
class Lists {
 public:
  void* take(SizeClass c) noexcept {
    Link* const block = heads_[c.index];
    if (block == nullptr) return nullptr;
    heads_[c.index] = block->next;
    bytes_ -= c.bytes;
    return block;
  }
  void put(void* block, SizeClass c) noexcept {
    heads_[c.index] = new (block) Link{heads_[c.index]};
    bytes_ += c.bytes;
  }
  std::size_t bytes() const noexcept { return bytes_; }
  void release() noexcept {
    for (Link*& head : heads_) {
      while (head != nullptr) {
        Link* const next = head->next;
        to_system(head);
        head = next;
      }
    }
    bytes_ = 0;
  }

 private:
  std::array<Link*, class_count> heads_{};
  std::size_t bytes_ = 0;
};

// Never destroyed, since static tensors free their blocks after main(). Not on the heap, since
// deallocate() may call shared() first and must not throw.
struct Shared {
  std::mutex mutex;
  Lists lists;
};
Shared& shared() noexcept {
  alignas(Shared) static std::byte place[sizeof(Shared)];
  static Shared* const lists = [] {
    auto* const made = new (place) Shared;
    // A child of fork() must not find the lock held by a thread that it does not have.
    const auto unlock = [] { shared().mutex.unlock(); };
    at_fork([] { shared().mutex.lock(); }, unlock, unlock);
    return made;
  }();
  return *lists;
}

thread_local bool thread_lists_gone = false;  // trivially destructible: readable at exit

struct ThreadLists : Lists {
  ~ThreadLists() {
    release();
    thread_lists_gone = true;
  }
};
thread_local ThreadLists thread_lists;

[[maybe_unused]] bool is_local(SizeClass c) { return c.bytes <= small_limit && !thread_lists_gone; }

[[maybe_unused]] void* from_pool(SizeClass c) {
  void* block = nullptr;
  if (is_local(c)) {
    block = thread_lists.take(c);
  } else {
    const std::lock_guard lock(shared().mutex);
    block = shared().lists.take(c);
  }
  if (block == nullptr) block = from_system(c.bytes);
  if (block == nullptr) {  // free the caches and try again
    release_cached_memory();
    block = from_system(c.bytes);
  }
  return block;
}

}  // namespace

void* allocate(const char* op, std::size_t bytes) {
  void* block = nullptr;
  if (bytes < std::size_t{1} << 62) {
    if constexpr (pooled) {
      block = from_pool(size_class(bytes));
    } else {
      block = from_system(bytes);
    }
  }
  if (block == nullptr) throw OutOfMemory(op, bytes);
  return block;
}

void deallocate(void* block, std::size_t bytes) noexcept {
  if constexpr (!pooled) {
    to_system(block);
  } else {
    const SizeClass c = size_class(bytes);
    if (!is_local(c)) {
      const std::lock_guard lock(shared().mutex);
      shared().lists.put(block, c);
    } else if (thread_lists.bytes() < thread_budget) {
      thread_lists.put(block, c);
    } else {
      to_system(block);
    }
  }
}

void count_data(std::ptrdiff_t bytes) noexcept {
  const std::ptrdiff_t now = in_use.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::ptrdiff_t highest = peak.load(std::memory_order_relaxed);
  while (now > highest && !peak.compare_exchange_weak(highest, now, std::memory_order_relaxed)) {
  }
}

}  // namespace detail

MemoryStats memory_stats() {
  const std::lock_guard lock(detail::shared().mutex);
  const std::size_t own = detail::thread_lists_gone ? 0 : detail::thread_lists.bytes();
  return {.in_use = detail::in_use.load(),
          .cached = static_cast<int64_t>(detail::shared().lists.bytes() + own),
          .peak = detail::peak.load()};
}

void release_cached_memory() {
  if (!detail::thread_lists_gone) detail::thread_lists.release();
  const std::lock_guard lock(detail::shared().mutex);
  detail::shared().lists.release();
}

}  // namespace cairn
