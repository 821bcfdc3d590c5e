#!/bin/sh
# Builds the workloads of the benchmarks, each with one export: run(n). They are in the
# repository, so that who measures needs no compiler of C (made by clang 14, -O2).
set -eu
cd "$(dirname "$0")"
for c in *.c; do
	clang --target=wasm32 -O2 -ffreestanding -nostdlib -Wl,--no-entry -Wl,--export=run -Wl,--strip-all -Wl,-z,stack-size=65536 -o "${c%.c}.wasm" "$c"
done
