// What Cairn knows of the machine it runs on and takes from it.
#pragma once

#include <cairn/core/format.h>

#include <cstdint>
#include <string>

namespace cairn {

/// How many threads large operations may use, the calling one included; at first the number of
/// processors. The number never changes a result. Throws Error unless n is 1 to 4096.
CAIRN_API void set_num_threads(int64_t n);
CAIRN_API int64_t num_threads();

/// Memory held for tensor data, in bytes.
struct MemoryStats {
  int64_t in_use;  ///< by living tensors
  int64_t cached;  ///< freed, kept for reuse: by the process and by the calling thread
  int64_t peak;    ///< the most that was ever in use
};
CAIRN_API MemoryStats memory_stats();

/// Gives back to the system what is cached by the process and by the calling thread.
CAIRN_API void release_cached_memory();

/// "0.2.0"
CAIRN_API std::string version();

/// What this library was built with and found.
struct BuildInfo {
  std::string version;
  std::string compiler;
  std::string blas;             ///< OpenBLAS's own description, or "CBLAS" for another library
  std::string blas_core;        ///< the core OpenBLAS chose its kernels for
  std::string instruction_set;  ///< what Cairn's own kernels are compiled for
};
CAIRN_API BuildInfo build_info();

CAIRN_API std::string to_string(const MemoryStats& stats);
CAIRN_API std::string to_string(const BuildInfo& info);

}  // namespace cairn

template <>
struct fmt::formatter<cairn::MemoryStats> : cairn::detail::Printed<cairn::MemoryStats> {};
template <>
struct fmt::formatter<cairn::BuildInfo> : cairn::detail::Printed<cairn::BuildInfo> {};
