#!/usr/bin/env bash
# Lays out dist/image and builds the image realm:dev from it. Nothing is pulled.
set -euo pipefail
cd "$(dirname "$0")/.."
unset GOWORK # one build over all modules, whoever calls
arch=$(docker version --format '{{.Server.Arch}}')
root=dist/image
rm -rf $root
mkdir -p $root/{bin,etc/ssl/certs,usr/share,var/lib/realm,tmp}
chmod 1777 $root/tmp

version=$(git describe --tags --always --dirty 2>/dev/null || echo v0.0.0-dev)
commands=()
for c in realm casd meshd runnerd gatewayd upgraded; do commands+=("./$c/cmd/$c"); done
CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath \
	-ldflags "-s -w -X github.com/realm-mesh/realm/internal/kit/buildinfo.Version=$version" \
	-o $root/bin/ "${commands[@]}"

cp "$(go env GOROOT)/lib/time/zoneinfo.zip" $root/usr/share/
for roots in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
	[ -f $roots ] && cp -L $roots $root/etc/ssl/certs/ca-certificates.crt && break
done
[ -f $root/etc/ssl/certs/ca-certificates.crt ] || {
	echo "No CA roots found on this machine: install the package ca-certificates." >&2
	exit 1
}
DOCKER_BUILDKIT=0 docker build -q -t realm:dev -f Dockerfile $root
