#!/usr/bin/env bash
# The container mesh of docker-compose.yml: up, down, or compose ARGS… with its
# settings. The owner's private key is mounted into node1 alone; the others get the
# token of an invite.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=dist/mesh
key=$dir/owner.pem

compose() {
	if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

settings() {
	mkdir -p $dir
	[ -f $key ] || REALM_OWNER_KEY=$key dist/image/bin/realm init >/dev/null
	REALM_ENROLL_TOKEN=$(cat $dir/lan.token 2>/dev/null || echo none)
	REALM_FAR_TOKEN=$(cat $dir/far.token 2>/dev/null || true)
	export REALM_ENROLL_TOKEN REALM_FAR_TOKEN
	export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-realm}
}

invite() { # prints a token; in a home where no node is up
	REALM_OWNER_KEY=$key dist/image/bin/realm --home $dir/no-node invite --uses 0 "$@" 2>/dev/null
}

peer_of() { # peer id of a running node
	compose exec -T "$1" /bin/realm whoami --json | sed -n 's/.*"peer": *"\([^"]*\)".*/\1/p'
}

case ${1:-} in
up)
	settings
	if [ -z "$(compose ps -q node1 2>/dev/null)" ]; then # else they are members, and keep their settings
		rm -f $dir/*.token
		invite --lan >$dir/lan.token
		settings
	fi
	compose up -d node1 node2 node3 node4 node5
	peer=
	for _ in $(seq 1 50); do
		peer=$(peer_of node1 2>/dev/null) && [ -n "$peer" ] && break
		sleep 0.2
	done
	[ -n "$peer" ] || { compose logs --tail 20 node1; echo "node1 did not come up" >&2; exit 1; }
	[ -f $dir/far.token ] || invite --bootstrap "/dns4/node1/udp/4001/quic-v1/p2p/$peer" >$dir/far.token
	settings
	compose up -d node6
	cat <<EOT

Six nodes are up. node1 holds the owner's key; try:

  e2e/mesh.sh compose exec node1 realm peers
  e2e/mesh.sh compose exec node1 realm fn deploy --wasm /samples/double.wasm --name double
  e2e/mesh.sh compose exec node6 realm fn exec double 21

Stop them with: make mesh-down
EOT
	;;
down)
	settings
	compose down -v --remove-orphans
	rm -f $dir/*.token
	;;
compose)
	shift
	settings
	compose "$@"
	;;
*)
	echo "usage: $0 up | down | compose ARGS…" >&2
	exit 2
	;;
esac
