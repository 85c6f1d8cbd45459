# The dependencies of Cairn: a BLAS with its C interface, fmt and threads.
# The invariant: each is found here only. An error names a missing one and its Debian package.

find_package(Threads REQUIRED)

find_package(fmt QUIET)
if(NOT fmt_FOUND)
  message(FATAL_ERROR "Cairn needs fmt (Debian: libfmt-dev)")
endif()

# The BLAS is the one that the user names, else OpenBLAS, else any that CMake finds.
if(NOT BLA_VENDOR)
  set(BLA_VENDOR OpenBLAS)
  find_package(BLAS QUIET)
  if(NOT BLAS_FOUND)
    set(BLA_VENDOR All)
  endif()
endif()
find_package(BLAS QUIET)
if(NOT BLAS_FOUND)
  message(FATAL_ERROR "Cairn needs a BLAS, preferably OpenBLAS (Debian: libopenblas-dev)")
endif()

message(STATUS "BLAS: ${BLAS_LIBRARIES}")

find_path(CAIRN_CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas
  DOC "The directory of the BLAS's C header, cblas.h")
mark_as_advanced(CAIRN_CBLAS_INCLUDE_DIR)

include(CheckCXXSymbolExists)
include(CMakePushCheckState)
cmake_push_check_state(RESET)
set(CMAKE_REQUIRED_QUIET ON)
set(CMAKE_REQUIRED_LIBRARIES BLAS::BLAS)
if(CAIRN_CBLAS_INCLUDE_DIR)
  set(CMAKE_REQUIRED_INCLUDES ${CAIRN_CBLAS_INCLUDE_DIR})
  check_cxx_symbol_exists(cblas_sgemm cblas.h CAIRN_HAS_CBLAS)
endif()
cmake_pop_check_state()
if(NOT CAIRN_HAS_CBLAS)
  message(FATAL_ERROR "The BLAS found, ${BLAS_LIBRARIES}, lacks cblas_sgemm or its header cblas.h "
    "(Debian: libopenblas-dev has both)")
endif()
