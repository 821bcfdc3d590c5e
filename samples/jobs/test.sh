#!/bin/sh
# An asset is to be read, and perhaps not to be executed where it lies: copy it.
set -eu
cp "${REALM_ASSETS:-/tmp/assets}/app" app
chmod +x app
got=$(./app Realm)
echo "it says: $got"
test "$got" = "Hello, Realm!"
