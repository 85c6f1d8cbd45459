#!/usr/bin/env bash
# Every op that core/ops.h and core/tensor.h declare stands in the table of tests and in docs/ops.md.
set -euo pipefail
cd "$(dirname "$0")/.."

ops=$(sed -n '/---- arithmetic/,$p' core/ops.h | grep -oP 'CAIRN_API Tensor \K\w+(?=\()')
members=$(sed -n '/---- views/,/---- autograd/p' core/tensor.h | grep -oP '^  Tensor&? \K\w+(?=\()')
(( $(wc -w <<<"$ops $members") > 80 )) || { echo "the declarations were not found"; exit 1; }

exempt='to'  # its gradient is checked in tests/core/test_autograd.cpp
failed=0
for op in $(sort -u <<<"$ops"$'\n'"$members"); do
  grep -qE "\b$op\(" docs/ops.md && continue
  echo "$op has no line in docs/ops.md"
  failed=1
done
for op in $(sort -u <<<"$ops"$'\n'"$members" | grep -vxE "$exempt"); do
  grep -qE "\{\"$op\b|\b$op\(" tests/core/ops/table.h && continue
  echo "$op has no line in tests/core/ops/table.h"
  failed=1
done
exit $failed
