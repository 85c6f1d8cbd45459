// Blocks are reused, counted and given back.
#include "support/approx.h"

#include <cairn/core/machine.h>
#include <cairn/core/memory.h>
#include <cairn/core/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace cairn;

TEST_CASE("memory_stats: counts the data of living tensors, once however many see it") {
  const int64_t before = memory_stats().in_use;
  {
    const Tensor x = zeros({1000});
    const std::vector<Tensor> others{x, x.view({10, 100})};
    CHECK(memory_stats().in_use - before == 4000);
    CHECK(memory_stats().peak >= before + 4000);
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("memory_stats: prints as a sentence") {
  const MemoryStats stats{.in_use = 1, .cached = 2, .peak = 3};
  CHECK(fmt::format("{}", stats) == "1 byte in use, 2 cached, 3 at the peak");
}

TEST_CASE("release_cached_memory: nothing stays cached") {
  { const Tensor x = zeros({1 << 20}); }
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
}

TEST_CASE("memory: what is cached is bounded, for tensors of changing sizes, too") {
  release_cached_memory();
  constexpr int64_t largest = 100'000'000, always = 64 << 20;              // bytes
  const int64_t most = (memory_stats().in_use + largest) * 5 / 4 * 3 / 2;  // sizes are rounded up
  uint64_t random = 1;
  for (int i = 0; i < 300; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const auto bytes = static_cast<int64_t>(random >> 33) % largest;
    const Tensor x = empty({bytes / 4 + 1});
    const MemoryStats now = memory_stats();
    CHECK(now.cached + now.in_use <= std::max(always, most));
  }
  release_cached_memory();
}

#if CAIRN_TEST_POOLS

TEST_CASE("memory: a step like the last one finds all its blocks again") {
  const auto step = [] {
    std::vector<const void*> places;
    std::vector<Tensor> living;
    for (const int64_t n : {20'000, 500'000, 20'000, 3'000'000}) {
      living.push_back(empty({n}));
      places.push_back(living.back().view_of().data);
    }
    std::sort(places.begin(), places.end());
    return places;
  };
  const auto first = step();
  const Tensor other = empty({70'000});
  CHECK(step() == first);
}

TEST_CASE("memory_stats: what another thread caches is counted") {
  std::atomic<bool> cached{false}, done{false};
  release_cached_memory();
  std::thread thread([&] {
    { const Tensor x = zeros({1000}); }
    cached = true;
    while (!done) std::this_thread::yield();
  });
  while (!cached) std::this_thread::yield();
  CHECK(memory_stats().cached >= 4000);
  done = true;
  thread.join();
  CHECK(memory_stats().cached < 4000);
}

#endif

TEST_CASE("memory: data of more than eight bytes lies at a cache line") {
  const auto remainder = [](const Tensor& x, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(x.data<float>()) % alignment;
  };
  for (int64_t n = 0; n <= 2; ++n) CHECK(remainder(zeros({n}), sizeof(int64_t)) == 0);
  for (int64_t n = 3; n < 5000; n = n * 3 / 2 + 1) {
    CHECK(remainder(zeros({n}), detail::alignment) == 0);
  }
}

TEST_CASE("memory: blocks of all sizes hold what is written while others come and go") {
  std::vector<Tensor> tensors;
  for (int64_t i = 0; i < 300; ++i) {
    tensors.push_back(full({i * i}, i, {.dtype = DType::int64}));
    if (i % 3 == 0)
      tensors[static_cast<std::size_t>(i / 2)] = full({i * 5}, i / 2, {.dtype = DType::int64});
  }
  bool intact = true;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (const auto v : tensors[i].to_vector<std::size_t>()) intact &= v == i;
  }
  CHECK(intact);
}

TEST_CASE("memory: a tensor may die in another thread than made it") {
  const int64_t before = memory_stats().in_use;
  for (int i = 0; i < 20; ++i) {
    Tensor small = zeros({10}), large = zeros({100'000});
    std::thread([a = std::move(small), b = std::move(large)]() mutable {
      a = b = Tensor();
    }).join();
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("memory: after an allocation that cannot be had all goes on") {
  const MemoryStats before = memory_stats();
  CHECK_THROWS_WITH_AS(empty({int64_t{1} << 52}),
                       "empty: cannot allocate 18014398509482048 bytes (16777216.0 GiB)",
                       OutOfMemory);
  CHECK(memory_stats().in_use == before.in_use);
  CHECK(zeros({10}).numel() == 10);
}

TEST_CASE("build_info: says what the library was built with") {
  const BuildInfo info = build_info();
  CHECK(info.version == version());
  CHECK_FALSE(info.compiler.empty());
  CHECK_FALSE(info.blas.empty());
  CHECK_FALSE(info.instruction_set.empty());
  CHECK(fmt::format("{}", info).starts_with("cairn " + version() + " ("));
}
