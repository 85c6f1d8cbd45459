#!/usr/bin/env bash
# Builds a program from pkg-config's answer alone, as strictly as a user may, and runs it.
#   pkg_config.sh <compiler> <prefix of an installed Cairn> <static|shared> <program> <source or flag>...
set -euo pipefail
compiler=$1 prefix=$2 kind=$3 program=$4
shift 4

libdir=$(dirname "$(find "$prefix" -name 'libcairn.*' -print -quit)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
options=(--cflags --libs)
[[ $kind == shared ]] || options+=(--static)
flags=$(pkg-config "${options[@]}" cairn)
echo "pkg-config says: $flags"

# shellcheck disable=SC2086  # the flags are several words
"$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "$@" -o "$program" $flags
LD_LIBRARY_PATH=$libdir "$program"
