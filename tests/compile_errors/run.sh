#!/usr/bin/env bash
# Compiles each line of lines.cpp that must not compile, and looks for the sentence that the
# compiler must say.
#   run.sh <compiler> <flag>...
set -euo pipefail
file=$(dirname "$0")/lines.cpp
compile() { LC_ALL=C "$@" -std=c++20 -fsyntax-only "$file" 2>&1; }

compile "$@" || { echo "lines.cpp does not compile without a bad line"; exit 1; }
failed=0
while read -r line says; do
  if log=$(compile "$@" "-DLINE=$line"); then
    echo "line $line compiles"
  elif grep -qF -- "$says" <<<"$log"; then
    continue
  else
    echo "line $line: the compiler does not say '$says', but:"
    echo "$log"
  fi
  failed=1
done < <(sed -nE '/LINE == /{s/.*LINE == ([0-9]+).*/\1/;N;s/\n *\/\/ says: / /p}' "$file")
exit $failed
