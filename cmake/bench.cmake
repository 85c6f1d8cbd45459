# The benchmarks of Cairn, and the same benchmarks of other libraries if those are found.
# The invariant: no program of Cairn links another library of this kind, and none is required.

get_target_property(fmt_includes fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
list(JOIN fmt_includes ":" fmt_includes)

file(GLOB benchmarks CONFIGURE_DEPENDS bench/*.cpp)
foreach(source IN LISTS benchmarks)
  cmake_path(GET source STEM name)
  cairn_program(benchmarks bench_${name} ${source})
  target_include_directories(bench_${name} PRIVATE bench)
  target_compile_definitions(bench_${name} PRIVATE
    BENCH_CXX="${CMAKE_CXX_COMPILER}" BENCH_INCLUDES="${cairn_include_dir}:${fmt_includes}")
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()

# The CPU libraries of libtorch, found through CMAKE_PREFIX_PATH. Its CMake package is not used,
# because that of a CUDA build requires the CUDA toolkit.
find_path(TORCH_INCLUDE_DIR torch/csrc/api/include/torch/torch.h)
find_library(TORCH_CPU_LIBRARY torch_cpu)
find_library(TORCH_C10_LIBRARY c10)
mark_as_advanced(TORCH_INCLUDE_DIR TORCH_CPU_LIBRARY TORCH_C10_LIBRARY)
if(TORCH_INCLUDE_DIR AND TORCH_CPU_LIBRARY AND TORCH_C10_LIBRARY)
  set(torch_includes ${TORCH_INCLUDE_DIR} ${TORCH_INCLUDE_DIR}/torch/csrc/api/include)
  add_executable(peer_libtorch EXCLUDE_FROM_ALL bench/peers/libtorch.cpp)
  add_dependencies(benchmarks peer_libtorch)
  target_compile_features(peer_libtorch PRIVATE cxx_std_20)
  target_include_directories(peer_libtorch PRIVATE bench)
  target_include_directories(peer_libtorch SYSTEM PRIVATE ${torch_includes})
  target_link_libraries(peer_libtorch PRIVATE ${TORCH_CPU_LIBRARY} ${TORCH_C10_LIBRARY})
  list(JOIN torch_includes ":" torch_includes)
  target_compile_definitions(peer_libtorch PRIVATE
    BENCH_CXX="${CMAKE_CXX_COMPILER}" BENCH_INCLUDES="${torch_includes}")
  set_target_properties(peer_libtorch PROPERTIES
    OUTPUT_NAME libtorch RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/peers)
endif()
