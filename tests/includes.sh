#!/usr/bin/env bash
# Includes point one way, core <- nn and core <- optim. Internal headers stay internal. Core's code
# does not speak of nn.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

# forbid <rule> <pattern> <file>...: no line of these files matches; comments are left aside.
forbid() {
  local rule=$1 pattern=$2
  shift 2
  if grep -nP "^((?!//).)*?($pattern)" "$@"; then
    echo "  ^ $rule"
    failed=1
  fi
}

sources() { find "$@" -name '*.h' -o -name '*.cpp'; }
except() { grep -vxE "$1"; }
public=$(find cairn.h core nn optim -maxdepth 1 -name '*.h')  # what is installed

forbid "core knows only core" '#include <cairn/(nn|optim)/' $(sources core)
forbid "nn does not know optim" '#include <cairn/optim/' $(sources nn)
forbid "optim does not know nn" '#include <cairn/nn/' $(sources optim)
forbid "nn and optim include core's public headers, writing.h and norms.h" \
  '#include <cairn/core/(?!\w+\.h>|internal/(writing|norms)\.h>)' $(sources nn optim)
forbid "a public header includes public headers only" '#include <cairn/\w+/\w+/' $public
forbid "core's code does not speak of nn: the layer words its own errors" \
  '\bnn::|\bStatsMode\b|\bModule\b|\b[Ll]ayers?\b|"[^"]*\bmodule' $(sources core)
forbid "only cairn.h includes everything" '#include <cairn/cairn\.h>' $(sources core nn optim)
forbid "headers are named from the root: <cairn/...>" '#include "' $(sources cairn.h core nn optim)
forbid "only core/internal/blas.cpp knows BLAS" '#include <cblas' \
  $(sources core nn optim | except core/internal/blas.cpp)
forbid "only core/internal/parallel.cpp makes threads" \
  '#include <(thread|pthread\.h)>|std::(thread|jthread|async)\b' \
  $(sources core nn optim | except core/internal/parallel.cpp)

exit $failed
