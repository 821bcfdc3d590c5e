#!/bin/sh
# Unpacks the program, compiles it without a network, and leaves it in out/app.
set -eu
PATH="$PATH:/usr/local/go/bin:/usr/lib/go/bin"
HOME="$PWD" GOCACHE="$PWD/cache" GOPATH="$PWD/go" GOTMPDIR="$PWD"
export PATH HOME GOCACHE GOPATH GOTMPDIR GOPROXY=off GOFLAGS=-mod=vendor GOTOOLCHAIN=local CGO_ENABLED=0
mkdir -p out
tar xzf "${REALM_ASSETS:-/tmp/assets}/build-job.tar.gz"
out="$PWD/out/app"
cd build-job
go version
go build -trimpath -o "$out" .
