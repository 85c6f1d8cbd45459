# Installs the library, its public headers, a CMake package and a pkg-config file.
# The invariant: an installed Cairn can be moved to another prefix and still finds its dependencies.

include(CMakePackageConfigHelpers)

# Public headers are in core/, nn/ and optim/. Only our own sources include headers in subfolders.
file(GLOB public_headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
  cairn.h core/*.h nn/*.h optim/*.h)
foreach(header IN LISTS public_headers)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cairn/${folder})
endforeach()

install(TARGETS cairn EXPORT cairn-targets)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cairn)
install(EXPORT cairn-targets NAMESPACE cairn:: DESTINATION ${package_dir})
configure_package_config_file(cmake/cairn-config.cmake.in cairn-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(cairn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cairn-config.cmake ${PROJECT_BINARY_DIR}/cairn-config-version.cmake
  DESTINATION ${package_dir})

# pkg-config knows no targets, so cairn.pc lists the libraries of a static link.
# Its prefix is relative to the file.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
  BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir} OUTPUT_VARIABLE prefix_from_pc)
list(JOIN BLAS_LIBRARIES " " blas_libraries)
configure_file(cmake/cairn.pc.in cairn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cairn.pc DESTINATION ${pkgconfig_dir})
