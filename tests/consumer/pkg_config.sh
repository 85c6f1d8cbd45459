#!/usr/bin/env bash
# Builds the user's program from pkg-config's answer alone and runs it.
#   pkg_config.sh <compiler> <prefix of an installed Cairn> <program to write> [--static]
set -euo pipefail
compiler=$1 prefix=$2 program=$3 static=${4:-}
here=$(dirname "$0")

libdir=$(dirname "$(find "$prefix" -name 'libcairn.*' -print -quit)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
flags=$(pkg-config $static --cflags --libs cairn)
echo "pkg-config says: $flags"

# shellcheck disable=SC2086  # the flags are several words
"$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
  "$here/main.cpp" "$here/second.cpp" -o "$program" $flags
LD_LIBRARY_PATH=$libdir "$program"
