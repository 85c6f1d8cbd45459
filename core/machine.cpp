// The build information. The rest of machine.h is in memory.cpp and internal/parallel.cpp.
#include <cairn/core/check.h>
#include <cairn/core/internal/blas.h>
#include <cairn/core/internal/processors.h>
#include <cairn/core/internal/vectorised.h>
#include <cairn/core/machine.h>

#include <fmt/format.h>

namespace cairn {

std::string version() { return CAIRN_VERSION; }

BuildInfo build_info() {
#ifdef __clang__
  const auto compiler = [] { return fmt::format("clang {}.{}", __clang_major__, __clang_minor__); };
#else
  const auto compiler = [] { return fmt::format("g++ {}.{}", __GNUC__, __GNUC_MINOR__); };
#endif
  return BuildInfo{.version = version(),
                   .compiler = compiler(),
                   .blas = blas::description(),
                   .blas_core = blas::core(),
                   .instruction_set = detail::to_string(detail::instruction_set()),
                   .threads = detail::describe_default_threads()};
}

std::string to_string(const MemoryStats& stats) {
  return fmt::format("{} {} in use, {} cached, {} at the peak", stats.in_use,
                     stats.in_use == 1 ? "byte" : "bytes", stats.cached, stats.peak);
}

std::string to_string(const BuildInfo& info) {
  return fmt::format("cairn {} ({}, {}); BLAS: {}, core {}; threads: {}", info.version,
                     info.compiler, info.instruction_set, info.blas, info.blas_core, info.threads);
}

}  // namespace cairn
