// Blocks for storages, tensors and graph nodes: taken from the system once, then reused.
#pragma once

#include <cairn/core/export.h>

#include <cstddef>

namespace cairn::detail {

inline constexpr std::size_t alignment = 64;  // a cache line, and the widest vector

/// At least `bytes` bytes, aligned to a cache line. Throws OutOfMemory naming `op`.
CAIRN_API void* allocate(const char* op, std::size_t bytes);

/// Takes back a block of allocate(); `bytes` as given there.
CAIRN_API void deallocate(void* block, std::size_t bytes) noexcept;

/// Keeps the count behind memory_stats().
void count_data(std::ptrdiff_t bytes) noexcept;

}  // namespace cairn::detail
