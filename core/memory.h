// A caching allocator for storages, tensors and graph nodes: freed blocks are reused.
#pragma once

#include <cairn/core/export.h>

#include <cstddef>

namespace cairn::detail {

inline constexpr std::size_t alignment = 64;  // a cache line, and the widest vector

/// At least `bytes` bytes, aligned to a cache line. Throws OutOfMemory naming `op`.
CAIRN_API void* allocate(const char* op, std::size_t bytes);

/// Frees a block of allocate(). `bytes` must be the number that allocate() was given.
CAIRN_API void deallocate(void* block, std::size_t bytes) noexcept;

/// Adds `bytes`, which may be negative, to MemoryStats::in_use.
void count_data(std::ptrdiff_t bytes) noexcept;

}  // namespace cairn::detail
