# The unit tests, and the programs of users, built against Cairn in every supported way.
# The invariant: ctest runs all tests. Tests write to the build tree only.

find_package(doctest QUIET)
if(doctest_FOUND)
  file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS tests/test_*.cpp tests/support/*.cpp)
  cairn_program(tests cairn_tests ${test_sources})
  target_include_directories(cairn_tests PRIVATE tests)
  target_link_libraries(cairn_tests PRIVATE doctest::doctest)
  set_source_files_properties(tests/support/golden.cpp PROPERTIES
    COMPILE_DEFINITIONS CAIRN_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
  # Whether freed blocks are kept, which tests/core/test_memory.cpp tests.
  set_source_files_properties(tests/core/test_memory.cpp PROPERTIES
    COMPILE_DEFINITIONS CAIRN_TEST_POOLS=$<BOOL:${CAIRN_POOLS}>)
  add_test(NAME unit COMMAND cairn_tests)

  # The C++ blocks of the documentation are compiled and run: a test includes each of them.
  include(cmake/snippets.cmake)
  set(snippets ${PROJECT_BINARY_DIR}/snippets)
  foreach(page IN ITEMS modules ops statistics)
    cairn_snippets(${PROJECT_SOURCE_DIR}/docs/${page}.md ${snippets}/${page})
    file(READ tests/docs/test_${page}.cpp test)
    foreach(name IN LISTS cairn_snippet_names)
      string(FIND "${test}" "#include \"${page}/${name}.inc\"" found)
      if(found EQUAL -1)
        message(FATAL_ERROR "docs/${page}.md: tests/docs/test_${page}.cpp does not include ${name}.inc")
      endif()
    endforeach()
  endforeach()
  target_include_directories(cairn_tests PRIVATE ${snippets})
  set_source_files_properties(tests/docs/test_statistics.cpp PROPERTIES
    COMPILE_DEFINITIONS CAIRN_DOCS_DIR="${PROJECT_SOURCE_DIR}/docs")

  cairn_snippets(${PROJECT_SOURCE_DIR}/README.md ${snippets}/readme)
  cairn_program(tests readme_program tests/docs/readme.cpp)
  target_include_directories(readme_program PRIVATE ${snippets})
  add_test(NAME readme
    COMMAND ${PROJECT_SOURCE_DIR}/tests/docs/readme.sh $<TARGET_FILE:readme_program>)

  # With the pools off, all memory of Cairn comes from operator new, which this program replaces.
  if(NOT CAIRN_POOLS)
    file(GLOB allocation_sources CONFIGURE_DEPENDS tests/allocation/*.cpp)
    cairn_program(tests cairn_allocation_tests ${allocation_sources}
      tests/support/approx.cpp tests/support/main.cpp)
    target_include_directories(cairn_allocation_tests PRIVATE tests)
    target_link_libraries(cairn_allocation_tests PRIVATE doctest::doctest)
    add_test(NAME allocation COMMAND cairn_allocation_tests)
  endif()
else()
  message(STATUS "doctest not found (Debian: doctest-dev): no unit tests")
endif()

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  return()  # users do not link an instrumented library
endif()

# What a new user would write, against the public headers alone. Each program checks its results.
file(GLOB programs CONFIGURE_DEPENDS tests/programs/*.cpp)
foreach(source IN LISTS programs)
  cmake_path(GET source STEM name)
  cairn_program(tests program_${name} ${source})
  target_link_libraries(program_${name} PRIVATE Threads::Threads)
  add_test(NAME program.${name} COMMAND program_${name})
endforeach()

add_test(NAME includes COMMAND ${PROJECT_SOURCE_DIR}/tests/includes.sh)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_test(NAME vectorised COMMAND ${PROJECT_SOURCE_DIR}/tests/vectorised.sh $<TARGET_FILE:cairn>)
endif()
add_test(NAME every_op COMMAND ${PROJECT_SOURCE_DIR}/tests/every_op.sh)

# Mistakes that the compiler finds, and what it says about them.
add_test(NAME compile_errors COMMAND ${PROJECT_SOURCE_DIR}/tests/compile_errors/run.sh
  ${CMAKE_CXX_COMPILER} -I${cairn_include_dir}
  -I$<JOIN:$<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>, -I>)

set(consumer_source ${PROJECT_SOURCE_DIR}/tests/consumer)
set(consumer_build ${PROJECT_BINARY_DIR}/consumer)

# Builds and runs the user's project. It is not optimised, to save time, and not cleaned, so that a
# second run is quick.
function(cairn_consumer name)
  add_test(NAME consumer.${name} COMMAND ${CMAKE_CTEST_COMMAND}
    --build-and-test ${consumer_source} ${consumer_build}/${name}
    --build-generator ${CMAKE_GENERATOR} --build-makeprogram ${CMAKE_MAKE_PROGRAM} --build-noclean
    --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_CXX_FLAGS=-O0 ${ARGN}
    --test-command consumer)
endfunction()

# From the source tree. FetchContent itself calls add_subdirectory(), so that this tests both. It
# builds Cairn shared, and the shared install below is made from it.
cairn_consumer(fetch_content
  -DCAIRN_FROM=FetchContent -DCAIRN_SOURCE_DIR=${PROJECT_SOURCE_DIR} -DBUILD_SHARED_LIBS=ON)

add_test(NAME consumer.optimised COMMAND ${consumer_source}/optimised.sh
  ${CMAKE_COMMAND} ${CMAKE_CXX_COMPILER} ${PROJECT_SOURCE_DIR} ${consumer_build}/optimised)

# Installed.
set(installed_from_static ${PROJECT_BINARY_DIR})
set(installed_from_shared ${consumer_build}/fetch_content)
foreach(kind IN ITEMS static shared)
  set(prefix ${consumer_build}/installed_${kind})
  add_test(NAME consumer.install_${kind}
    COMMAND ${CMAKE_COMMAND} --install ${installed_from_${kind}} --prefix ${prefix})
  cairn_consumer(find_package_${kind} -DCAIRN_FROM=find_package -DCMAKE_PREFIX_PATH=${prefix})
  add_test(NAME consumer.pkg_config_${kind} COMMAND ${consumer_source}/pkg_config.sh
    ${CMAKE_CXX_COMPILER} ${prefix} ${kind} ${consumer_build}/pkg_config_${kind}
    ${consumer_source}/main.cpp ${consumer_source}/second.cpp)

  set_tests_properties(consumer.install_${kind} PROPERTIES FIXTURES_SETUP installed_${kind})
  set_tests_properties(consumer.find_package_${kind} consumer.pkg_config_${kind} PROPERTIES
    FIXTURES_REQUIRED installed_${kind})
endforeach()
set_tests_properties(consumer.install_shared PROPERTIES DEPENDS consumer.fetch_content)

# A shared Cairn exports its own symbols only, and all that is documented: test_api.cpp names it.
add_test(NAME consumer.exports COMMAND ${consumer_source}/exports.sh
  ${consumer_build}/installed_shared libcairn.so.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set_tests_properties(consumer.exports PROPERTIES FIXTURES_REQUIRED installed_shared)
if(doctest_FOUND)
  file(GLOB api_tests CONFIGURE_DEPENDS tests/*/test_api.cpp)
  add_test(NAME consumer.exports_api COMMAND ${consumer_source}/pkg_config.sh
    ${CMAKE_CXX_COMPILER} ${consumer_build}/installed_shared shared ${consumer_build}/exports_api
    ${api_tests} ${PROJECT_SOURCE_DIR}/tests/support/main.cpp
    -I$<TARGET_PROPERTY:doctest::doctest,INTERFACE_INCLUDE_DIRECTORIES>)
  set_tests_properties(consumer.exports_api PROPERTIES FIXTURES_REQUIRED installed_shared)
endif()
