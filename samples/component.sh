#!/bin/sh
# Puts the component NAME, which is written in C, into build/: made from its source where clang, wasm-ld and
# jco (npm install) are, and otherwise the file that is kept beside the source.
#
#     ./component.sh NAME
set -eu
cd "$(dirname "$0")"
name=$1
mkdir -p build
if command -v clang >/dev/null && command -v wasm-ld >/dev/null && command -v node >/dev/null &&
	[ -d node_modules/@bytecodealliance/jco ]; then
	clang --target=wasm32-unknown-unknown -Os -Wall -Wextra -Werror -nostdlib \
		-Wl,--no-entry -Wl,--strip-all -o "build/$name.core.wasm" "$name/main.c"
	node component.mjs "build/$name.core.wasm" "build/$name.wasm"
	rm "build/$name.core.wasm"
else
	cp "$name/$name.wasm" "build/$name.wasm"
fi
