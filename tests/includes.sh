#!/usr/bin/env bash
# Includes point one way, core <- nn and core <- optim, and what only one file may use stays in that file.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# forbid <rule> <pattern> <file>...: no line of these files matches.
forbid() {
  local rule=$1 pattern=$2
  shift 2
  if grep -nE "$pattern" "$@"; then
    echo "  ^ $rule"
    failed=1
  fi
}

sources() { find "$@" -name '*.h' -o -name '*.cpp'; }
except() { grep -vxE "$1"; }

forbid "core knows only core" '#include <cairn/(nn|optim)/' $(sources core)
forbid "nn does not know optim" '#include <cairn/optim/' $(sources nn)
forbid "optim does not know nn" '#include <cairn/nn/' $(sources optim)
forbid "nn includes of core's insides only writing.h and norms.h" \
  '#include <cairn/core/(loops|kernels|ops)/|#include <cairn/core/internal/([^wn]|w[^r]|n[^o])' $(sources nn)
forbid "only cairn.h includes everything" '#include <cairn/cairn\.h>' $(sources core nn optim)
forbid "headers are named from the root: <cairn/...>" '#include "' $(sources core nn optim)
forbid "only core/internal/blas.cpp knows BLAS" '#include <cblas' $(sources core nn optim | except core/internal/blas.cpp)
forbid "only core/internal/parallel.cpp makes threads" '#include <(thread|pthread\.h)>|std::(thread|jthread|async)\b' \
  $(sources core nn optim | except core/internal/parallel.cpp)

exit $failed
