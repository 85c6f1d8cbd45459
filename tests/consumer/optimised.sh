#!/usr/bin/env bash
# Checks that a subproject without a build type and without an -O flag compiles Cairn with -O3 and
# says so, that the user's own files are left alone, and that the user's own choice is kept.
#   optimised.sh <cmake> <compiler> <Cairn's source> <directory>
set -euo pipefail
cmake=$1 compiler=$2 source=$3 directory=$4
unset CXXFLAGS CMAKE_BUILD_TYPE
said="Cairn: no build type and no -O flag is set, so Cairn is compiled with -O3"

# commands <name> <option>...: configures, and prints CMake's output and the compile commands.
commands() {
  local build=$directory/$1
  rm -rf "$build"
  "$cmake" -S "$source/tests/consumer" -B "$build" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCAIRN_FROM=FetchContent -DCAIRN_SOURCE_DIR="$source" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "${@:2}"
  grep '"command"' "$build/compile_commands.json"
}

fail() { echo "$1"; exit 1; }

log=$(commands default)
grep -qF "$said" <<<"$log" || fail "the default build does not say that it uses -O3"
grep 'core/tensor.cpp' <<<"$log" | grep -q -e ' -O3 ' || fail "the library is not compiled with -O3"
! grep 'consumer/main.cpp' <<<"$log" | grep -q -e ' -O' || fail "the user's files got an -O flag"

for choice in CMAKE_BUILD_TYPE=Debug CMAKE_CXX_FLAGS=-O1; do
  log=$(commands chosen "-D$choice")
  ! grep -qF "$said" <<<"$log" || fail "$choice: it says that it uses -O3"
  ! grep -q -e ' -O3 ' <<<"$log" || fail "$choice: -O3 is added to the user's choice"
done
