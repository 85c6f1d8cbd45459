#!/usr/bin/env bash
# vectorised.sh <libcairn.a>: the loops that are compiled for AVX2 and AVX-512 use their registers.
# A compiler that does not inline a loop into its function compiles it for the baseline, silently.
set -euo pipefail

kernels=(multiply_panel dot_products fold_run fold_columns map_dense
  map_with_constant write_run
  'NormKernels.*measure' 'NormKernels.*products' 'NormKernels.*apply' 'NormKernels.*input_gradient')

# "<function> <number of instructions with wide registers>" for each function of vectorised()
wide=$(objdump -dC --no-show-raw-insn "$1" |
  awk '/^[0-9a-f]+ </ { f = $0 } /%[yz]mm/ && f ~ /at_v[34]/ { n[f]++ }
       END { for (f in n) print f, n[f] }')

failed=0
for kernel in "${kernels[@]}"; do
  for level in at_v3 at_v4; do
    if ! grep -q "$level.*$kernel" <<<"$wide"; then
      echo "$level: no function of $kernel uses wide registers"
      failed=1
    fi
  done
done
(( failed )) || echo "all loops are vectorised"
exit $failed
