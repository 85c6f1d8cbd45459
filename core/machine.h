// The number of threads, the memory in use, and how the library was built.
#pragma once

#include <cairn/core/format.h>

#include <cstdint>
#include <string>

namespace cairn {

/// Sets how many threads a large op may use, the calling one included. The default is the number
/// of processors that the process may use, by its affinity mask and its cgroup's quota, or what the
/// environment variable CAIRN_NUM_THREADS says. The number never changes a result. Throws Error
/// unless n is 1 to 4096.
CAIRN_API void set_num_threads(int64_t n);
CAIRN_API int64_t num_threads();

/// The memory that Cairn holds, in bytes.
struct MemoryStats {
  int64_t in_use;  ///< data of living tensors; borrowed memory does not count
  int64_t cached;  ///< free blocks kept for reuse, by the process and by its threads
  int64_t peak;    ///< the largest in_use so far
};
CAIRN_API MemoryStats memory_stats();

/// Returns to the system the blocks that the process and the calling thread cache.
///
/// Blocks over 32 KiB, cached and in use, take together at most 1.5 times what was in use at the
/// peak since this call, or 64 MiB if that is more. What was freed longest ago is returned first.
/// Each thread keeps at most 64 MiB of smaller blocks.
CAIRN_API void release_cached_memory();

/// "0.2.0"
CAIRN_API std::string version();

/// How this library was built, and which BLAS it found.
struct BuildInfo {
  std::string version;
  std::string compiler;
  std::string blas;             ///< OpenBLAS's own description, or "CBLAS" for another library
  std::string blas_core;        ///< the CPU core for which OpenBLAS chose its kernels
  std::string instruction_set;  ///< which one Cairn's own loops use
  std::string threads;          ///< how many an op uses by default, and why
};
CAIRN_API BuildInfo build_info();

CAIRN_API std::string to_string(const MemoryStats& stats);
CAIRN_API std::string to_string(const BuildInfo& info);

}  // namespace cairn

template <>
struct fmt::formatter<cairn::MemoryStats> : cairn::detail::Printed<cairn::MemoryStats> {};
template <>
struct fmt::formatter<cairn::BuildInfo> : cairn::detail::Printed<cairn::BuildInfo> {};
