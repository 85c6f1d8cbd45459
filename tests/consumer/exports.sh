#!/usr/bin/env bash
# What a shared Cairn shows the world: a name with the ABI's version in it, and symbols of its own only.
# (Weak symbols are templates of the standard library and of fmt, which any program may hold as well.)
#   exports.sh <prefix of an installed Cairn> <its SONAME>
set -euo pipefail
library=$(find "$1" -name libcairn.so -print -quit)

soname=$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')
echo "SONAME: $soname"
[[ $soname == "$2" ]]

strangers=$(nm --dynamic --demangle --defined-only "$library" |
  grep -E '^[0-9a-f]+ [A-TX-Z] ' |
  grep -vE '^[0-9a-f]+ . ((vtable|typeinfo|typeinfo name) for )?cairn::' || true)
if [[ $strangers ]]; then
  printf "exported, and not Cairn's own:\n%s\n" "$strangers"
  exit 1
fi
