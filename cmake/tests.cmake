# The tests: the unit tests, the rule about includes, and a user's program built in every way Cairn can be had.
# Whatever is wrong in them shows in ctest's result; ./dev test runs them all.

find_package(doctest QUIET)
if(doctest_FOUND)
  file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS tests/test_*.cpp tests/support/*.cpp)
  cairn_program(cairn_tests ${test_sources})
  target_include_directories(cairn_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(cairn_tests PRIVATE doctest::doctest)
  target_compile_definitions(cairn_tests PRIVATE CAIRN_DATA_DIR="${PROJECT_SOURCE_DIR}/data")
  add_test(NAME unit COMMAND cairn_tests)
else()
  message(STATUS "doctest not found (Debian: doctest-dev): no unit tests")
endif()
