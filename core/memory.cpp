// Freed blocks are kept in lists, one for each size class. Each thread has lists of small blocks,
// so that a tiny model's step takes no lock. The process has lists of large blocks, so that one
// thread reuses what another freed. A block's first bytes link it to its neighbours in its list.
#include <cairn/core/check.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/machine.h>
#include <cairn/core/memory.h>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

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
constexpr std::size_t small_classes = 16 + 4 * 5;  // those of up to small_limit bytes
constexpr std::size_t small_limit = 32 << 10;      // bytes; a thread caches blocks up to this size
constexpr std::size_t thread_budget = 64 << 20;    // bytes; a full thread cache frees blocks

#ifdef CAIRN_BYPASS_POOLS
constexpr bool pooled = false;
#else
constexpr bool pooled = true;
#endif

// Asks for pages of 2 MiB in a large block. Its addresses then take fewer entries of the
// processor's table of pages, which a walk over columns would otherwise overflow. The system may
// refuse.
void advise_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t page = 2 << 20, enough = 4 << 20;
  if (bytes < enough) return;
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const std::uintptr_t first = (address + page - 1) / page * page;
  const std::uintptr_t last = (address + bytes) / page * page;
  madvise(static_cast<std::byte*>(block) + (first - address), last - first, MADV_HUGEPAGE);
#endif
}

void* from_system(std::size_t bytes) noexcept {
  void* const block = ::operator new (bytes, std::align_val_t{alignment}, std::nothrow);
  if (block != nullptr) advise_huge_pages(block, bytes);
  return block;
}
void to_system(void* block) noexcept { ::operator delete (block, std::align_val_t{alignment}); }

std::atomic<std::ptrdiff_t> in_use{0}, peak{0};

// The freed small blocks of a thread, in one list for each size class.
class SmallBlocks {
 public:
  void* take(SizeClass c) noexcept {
    Link* const block = heads_[c.index];
    if (block == nullptr) return nullptr;
    heads_[c.index] = block->next;
    set_bytes(bytes() - c.bytes);
    return block;
  }
  void put(void* block, SizeClass c) noexcept {
    heads_[c.index] = new (block) Link{heads_[c.index]};
    set_bytes(bytes() + c.bytes);
  }
  /// Another thread may ask, for memory_stats().
  std::size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  void release() noexcept {
    for (Link*& head : heads_) {
      while (head != nullptr) {
        Link* const next = head->next;
        to_system(head);
        head = next;
      }
    }
    set_bytes(0);
  }

 private:
  struct Link {
    Link* next;
  };
  void set_bytes(std::size_t n) noexcept { bytes_.store(n, std::memory_order_relaxed); }

  std::array<Link*, small_classes> heads_{};
  std::atomic<std::size_t> bytes_{0};  // only the thread itself changes it
};

// The freed large blocks of the process. What is freed and what is in use are bounded together: the
// block that was freed longest ago goes first. A step like the last one then finds all its blocks,
// and a program whose sizes change does not keep them all.
class LargeBlocks {
 public:
  /// A freed block of this class, or null: then the caller gets one from the system. Counts it.
  void* take(SizeClass c) noexcept {
    in_use_ += c.bytes;
    peak_ = std::max(peak_, in_use_);
    Block* const block = heads_[c.index];
    if (block != nullptr) unlink(*block);
    return block;
  }
  void put(void* place, SizeClass c) noexcept {
    in_use_ -= c.bytes;
    auto* const block = new (place) Block{.size = c, .next = heads_[c.index], .older = newest_};
    if (block->next != nullptr) block->next->previous = block;
    (newest_ != nullptr ? newest_->newer : oldest_) = block;
    heads_[c.index] = newest_ = block;
    bytes_ += c.bytes;
  }
  /// The system had no block, though all() gave it everything: what take() counted is not in use.
  void give_up(SizeClass c) noexcept { peak_ = in_use_ -= c.bytes; }

  struct Block {
    SizeClass size;
    Block *next = nullptr, *previous = nullptr;  // of its class
    Block *older = nullptr, *newer = nullptr;    // of all
  };
  /// Takes out the oldest blocks beyond the bound. They are linked by `older`.
  Block* excess() noexcept {
    constexpr std::size_t always = 64 << 20;  // bytes
    return take_out(std::max(always, peak_ + peak_ / 2));
  }
  /// Takes out all blocks, and forgets the peak.
  Block* all() noexcept {
    peak_ = in_use_;
    return take_out(0);
  }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  Block* take_out(std::size_t bound) noexcept {
    Block* out = nullptr;
    while (oldest_ != nullptr && bytes_ + in_use_ > bound) {
      Block* const block = oldest_;
      unlink(*block);
      block->older = std::exchange(out, block);
    }
    return out;
  }
  void unlink(Block& block) noexcept {
    (block.previous != nullptr ? block.previous->next : heads_[block.size.index]) = block.next;
    if (block.next != nullptr) block.next->previous = block.previous;
    (block.newer != nullptr ? block.newer->older : newest_) = block.older;
    (block.older != nullptr ? block.older->newer : oldest_) = block.newer;
    bytes_ -= block.size.bytes;
  }

  std::array<Block*, class_count> heads_{};
  Block *newest_ = nullptr, *oldest_ = nullptr;
  std::size_t bytes_ = 0, in_use_ = 0, peak_ = 0;
};

void free_all(LargeBlocks::Block* block) noexcept {
  while (block != nullptr) to_system(std::exchange(block, block->older));
}

// Never destroyed, since static tensors free their blocks after main(). Not on the heap, since
// deallocate() may call shared() first and must not throw.
struct ThreadBlocks;
struct Shared {
  std::mutex mutex;
  LargeBlocks large;
  ThreadBlocks* threads = nullptr;  // those that have blocks, for memory_stats()
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

// The small blocks of this thread. The pointer is null before their first use and after their end.
// It needs no guard, as an object with a constructor does, at every allocation. Both variables are
// trivially destructible, so they can be read while the thread ends.
constinit thread_local ThreadBlocks* thread_blocks = nullptr;
constinit thread_local bool thread_blocks_gone = false;

struct ThreadBlocks : SmallBlocks {
  ThreadBlocks() {
    const std::lock_guard lock(shared().mutex);
    next = std::exchange(shared().threads, this);
    if (next != nullptr) next->previous = this;
    thread_blocks = this;
  }
  ~ThreadBlocks() {
    release();
    thread_blocks = nullptr;
    thread_blocks_gone = true;
    const std::lock_guard lock(shared().mutex);
    (previous != nullptr ? previous->next : shared().threads) = next;
    if (next != nullptr) next->previous = previous;
  }
  ThreadBlocks(const ThreadBlocks&) = delete;
  ThreadBlocks& operator=(const ThreadBlocks&) = delete;

  ThreadBlocks *next = nullptr, *previous = nullptr;
};

[[gnu::noinline]] ThreadBlocks* make_blocks_of_this_thread() {
  thread_local ThreadBlocks blocks;
  return &blocks;
}
// Returns null once the blocks of this thread are gone.
ThreadBlocks* blocks_of_this_thread() {
  const bool first = thread_blocks == nullptr && !thread_blocks_gone;
  return first ? make_blocks_of_this_thread() : thread_blocks;
}

bool is_small(SizeClass c) { return c.bytes <= small_limit; }

// A large block that was freed. Counts the one that the caller gets from the system otherwise.
void* take_large(SizeClass c) {
  void* block = nullptr;
  LargeBlocks::Block* excess = nullptr;
  {
    const std::lock_guard lock(shared().mutex);
    block = shared().large.take(c);
    excess = shared().large.excess();
  }
  free_all(excess);
  return block;
}

void put_large(void* block, SizeClass c) noexcept {
  LargeBlocks::Block* excess = nullptr;
  {
    const std::lock_guard lock(shared().mutex);
    shared().large.put(block, c);
    excess = shared().large.excess();
  }
  free_all(excess);
}

[[maybe_unused]] void* from_pool(SizeClass c) {
  void* block = nullptr;
  if (!is_small(c)) {
    block = take_large(c);
  } else if (ThreadBlocks* const blocks = blocks_of_this_thread()) {
    block = blocks->take(c);
  }
  if (block == nullptr) block = from_system(c.bytes);
  if (block == nullptr) {  // free the caches and try again
    release_cached_memory();
    block = from_system(c.bytes);
  }
  if (block == nullptr && !is_small(c)) {
    const std::lock_guard lock(shared().mutex);
    shared().large.give_up(c);
  }
  return block;
}

[[maybe_unused]] void to_pool(void* block, SizeClass c) noexcept {
  if (!is_small(c)) return put_large(block, c);
  ThreadBlocks* const blocks = blocks_of_this_thread();
  if (blocks != nullptr && blocks->bytes() < thread_budget) {
    blocks->put(block, c);
  } else {
    to_system(block);
  }
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
  if constexpr (pooled) {
    to_pool(block, size_class(bytes));
  } else {
    to_system(block);
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
  std::size_t cached = detail::shared().large.bytes();
  for (auto* t = detail::shared().threads; t != nullptr; t = t->next) cached += t->bytes();
  return {.in_use = detail::in_use.load(),
          .cached = static_cast<int64_t>(cached),
          .peak = detail::peak.load()};
}

void release_cached_memory() {
  if (detail::thread_blocks != nullptr) detail::thread_blocks->release();
  detail::LargeBlocks::Block* blocks = nullptr;
  {
    const std::lock_guard lock(detail::shared().mutex);
    blocks = detail::shared().large.all();
  }
  detail::free_all(blocks);
}

}  // namespace cairn
