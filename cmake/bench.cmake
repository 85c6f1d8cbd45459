# The programs that bench/run.py measures: the rows in Cairn, in its peers, and at the limit.
# The invariant: no program of Cairn links another library of this kind, and none is required.

function(bench_program name folder)
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench/${folder})
  target_include_directories(bench_${name} PRIVATE bench)
  list(JOIN ARGN ":" includes)
  target_compile_definitions(bench_${name} PRIVATE
    BENCH_CXX="${CMAKE_CXX_COMPILER}" BENCH_INCLUDES="${includes}")
endfunction()

get_target_property(fmt_includes fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
cairn_program(benchmarks bench_cairn bench/cairn.cpp)
bench_program(cairn "" ${cairn_include_dir} ${fmt_includes})

# Counts the bytes of the heap in any of these programs that was built without a sanitizer.
add_library(bench_heap MODULE EXCLUDE_FROM_ALL bench/support/heap.cpp)
target_compile_features(bench_heap PRIVATE cxx_std_20)
set_target_properties(bench_heap PROPERTIES
  OUTPUT_NAME heap LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)

# The limit calls the BLAS itself, and is compiled for this machine.
cairn_program(benchmarks bench_limits bench/limits.cpp)
bench_program(limits "")
target_link_libraries(bench_limits PRIVATE BLAS::BLAS Threads::Threads)
target_include_directories(bench_limits SYSTEM PRIVATE ${CAIRN_CBLAS_INCLUDE_DIR})
target_compile_options(bench_limits PRIVATE -O3 -march=native -ffast-math)
add_dependencies(benchmarks bench_heap)

# --- The peers ------------------------------------------------------------------------------------

add_custom_target(peers)

# The CPU libraries of libtorch, found through CMAKE_PREFIX_PATH. Its CMake package is not used,
# because that of a CUDA build requires the CUDA toolkit. The two small libraries of CUDA that
# torch_cpu loads stand beside it, in the folder that PyPI's packages share.
find_path(TORCH_INCLUDE_DIR torch/csrc/api/include/torch/torch.h)
find_library(TORCH_CPU_LIBRARY torch_cpu)
find_library(TORCH_C10_LIBRARY c10)
mark_as_advanced(TORCH_INCLUDE_DIR TORCH_CPU_LIBRARY TORCH_C10_LIBRARY)
if(TORCH_INCLUDE_DIR AND TORCH_CPU_LIBRARY AND TORCH_C10_LIBRARY)
  set(torch_includes ${TORCH_INCLUDE_DIR} ${TORCH_INCLUDE_DIR}/torch/csrc/api/include)
  add_executable(bench_libtorch EXCLUDE_FROM_ALL bench/peers/libtorch.cpp)
  bench_program(libtorch peers ${torch_includes})
  add_dependencies(peers bench_libtorch)
  target_compile_features(bench_libtorch PRIVATE cxx_std_20)
  target_include_directories(bench_libtorch SYSTEM PRIVATE ${torch_includes})
  target_link_libraries(bench_libtorch PRIVATE ${TORCH_CPU_LIBRARY} ${TORCH_C10_LIBRARY})
  target_link_options(bench_libtorch PRIVATE LINKER:--allow-shlib-undefined)
  cmake_path(GET TORCH_INCLUDE_DIR PARENT_PATH torch_package)
  file(GLOB cuda_libraries ${torch_package}/../nvidia/*/lib)
  set_target_properties(bench_libtorch PROPERTIES BUILD_RPATH "${cuda_libraries}")
endif()

# The code in dlib's headers is compiled for this machine.
find_package(dlib QUIET)
if(dlib_FOUND)
  add_executable(bench_dlib EXCLUDE_FROM_ALL bench/peers/dlib.cpp)
  bench_program(dlib peers)
  add_dependencies(peers bench_dlib)
  target_compile_options(bench_dlib PRIVATE -O3 -march=native)
  target_link_libraries(bench_dlib PRIVATE dlib::dlib)
endif()
