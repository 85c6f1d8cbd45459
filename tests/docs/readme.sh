#!/usr/bin/env bash
# README.md shows what its program prints. The last digit of a loss is the machine's: it depends on the BLAS.
# usage: readme.sh <the program>
set -euo pipefail
cd "$(dirname "$0")/../.."

shown() { awk '/^It prints:$/ { on = 1; next } on && /^```/ { if (++fences == 2) exit; next } on && fences' README.md; }
rounded() { sed -E 's/(loss [0-9]+\.[0-9]{3})[0-9]/\1/'; }

diff <(shown | rounded) <("$1" | rounded)
