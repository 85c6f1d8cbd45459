// The workers start with the first large op and end with the process. One op at a time uses them.
// A caller that finds them in use, and a chunk that itself calls parallel_for(), does all its
// chunks alone, with the same result.
#include <cairn/core/check.h>
#include <cairn/core/internal/parallel.h>
#include <cairn/core/internal/processors.h>
#include <cairn/core/machine.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace cairn {
namespace detail {
namespace {

// How many threads may work at an op.
std::atomic<int64_t>& wanted_threads() {
  static std::atomic<int64_t> wanted{default_threads()};
  return wanted;
}

class Pool {
 public:
  ~Pool() { resize(1); }

  static int64_t threads() { return wanted_threads().load(std::memory_order_relaxed); }

  // A fork waits for the op that uses the workers.
  void lock() { turn_.lock(); }
  void unlock() { turn_.unlock(); }

  void run(int64_t n, int64_t grain, RangeFunction f) noexcept {
    const std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn.owns_lock() || threads() == 1) {
      for (int64_t i = 0; i < n; i += grain) f(i, std::min(i + grain, n));
      return;
    }
    resize(threads());
    Job job{n, grain, f};
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++generation_;
      busy_ = workers_.size();
    }
    wake_.notify_all();
    job.work();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return busy_ == 0; });
  }

 private:
  struct Job {
    int64_t n, grain;
    RangeFunction f;
    std::atomic<int64_t> next{0};

    void work() {
      for (;;) {
        const int64_t i = next.fetch_add(grain, std::memory_order_relaxed);
        if (i >= n) return;
        f(i, std::min(i + grain, n));
      }
    }
  };

  void resize(int64_t threads) noexcept {
    const auto count = static_cast<std::size_t>(threads - 1);
    if (workers_.size() > count) {
      {
        const std::lock_guard lock(mutex_);
        stop_ = true;
      }
      wake_.notify_all();
      for (std::thread& worker : workers_) worker.join();
      workers_.clear();
      stop_ = false;
    }
    try {
      while (workers_.size() < count) {
        workers_.emplace_back([this, seen = generation_] { serve(seen); });
      }
    } catch (const std::exception&) {  // fewer threads do the same work
    }
  }

  void serve(uint64_t seen) {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      Job& job = *job_;
      lock.unlock();
      job.work();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex turn_;  // held by the op that uses the workers
  std::vector<std::thread> workers_;
  std::mutex mutex_;  // guards the members below
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  uint64_t generation_ = 0;
  std::size_t busy_ = 0;
  bool stop_ = false;
};

// The pool of this process. After a fork() the workers exist in the parent alone. The child then
// abandons the old pool, whose threads it can neither join nor destroy: it constructs a new one in
// its place, which needs no memory.
class ProcessPool {
 public:
  ProcessPool() {
    construct();
    at_fork([] { pool().lock(); }, [] { pool().unlock(); }, [] { current().construct(); });
  }
  ~ProcessPool() { pool_->~Pool(); }
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  static Pool& pool() { return *current().pool_; }

 private:
  static ProcessPool& current() {
    static ProcessPool of_this_process;
    return of_this_process;
  }
  void construct() { pool_ = new (storage_) Pool; }

  alignas(Pool) std::byte storage_[sizeof(Pool)];
  Pool* pool_ = nullptr;
};

thread_local bool inside_chunk = false;

}  // namespace

void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) {
  pthread_atfork(before, in_parent, in_child);  // fails only if no memory is left
}

void run_chunks(int64_t n, int64_t grain, RangeFunction f) noexcept {
  if (inside_chunk) {
    for (int64_t i = 0; i < n; i += grain) f(i, std::min(i + grain, n));
    return;
  }
  auto marked = [f](int64_t begin, int64_t end) {
    inside_chunk = true;
    f(begin, end);
    inside_chunk = false;
  };
  ProcessPool::pool().run(n, grain, RangeFunction(marked));
}

}  // namespace detail

void set_num_threads(int64_t n) {
  check(n >= 1 && n <= detail::max_threads, "set_num_threads: {} threads; give 1 to {}", n,
        detail::max_threads);
  detail::wanted_threads().store(n, std::memory_order_relaxed);
}

int64_t num_threads() { return detail::Pool::threads(); }

}  // namespace cairn
