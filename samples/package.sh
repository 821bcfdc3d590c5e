#!/bin/sh
# Builds the Go program of a package, and puts it into samples/build/NAME/ with the files
# that go with it: what realm package create makes a package of.
set -eu
name=$1
cd "$(dirname "$0")"
out=build/$name
rm -rf "$out"
mkdir -p "$out"
echo "package $name"
GOWORK=off GOOS=wasip1 GOARCH=wasm "${GO:-go}" build -trimpath -ldflags '-s -w' -o "$out/$name.wasm" "./$name"
for f in "$name"/*; do
	case $f in *.go) ;; *) cp -R "$f" "$out/" ;; esac
done
