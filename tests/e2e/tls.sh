#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# TLS and AUTH: what becomes of a message when either fails, at every level,
# and that nothing goes in clear that may not.  tls-server is the other side.

. "$(dirname "$0")/lib.sh"

if ! command -v openssl >/dev/null; then
	skip 'no certificates without the openssl command: tests/deps'
	finish
fi

# ---- certificates -----------------------------------------------------------

C=$WORK/certs
mkdir "$C" "$C/hashed" "$C/empty"
cat >"$C/cnf" <<END
[req]
distinguished_name = dn
[dn]
[ca]
default_ca = mine
[mine]
database = $C/index
new_certs_dir = $C
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
