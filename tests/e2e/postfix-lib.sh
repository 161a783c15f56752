# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# A real Postfix where it was unpacked, and what tests against other people's
# servers say again and again; sourced by them behind lib.sh:
#
#	. "$(dirname "$0")/postfix-lib.sh"
#	postfix_needs
#	postfix_make <<-END
#		virtual_mailbox_maps = static:bob/
#	END
#	PORT=$(free_port)
#	postfix_start "$PORT" <<-END
#		127.0.0.1:$PORT inet n - n - - smtpd
#	END
#	...
#	postfix_stop
#
# It delivers mail for far.test into directories below $P/box, and writes its
# log into $P/log.

TREE=$TOP/build/peers/postfix
DAEMONS=$TREE/usr/lib/postfix/sbin
P=$WORK/postfix
export LC_ALL=C

# ---- helpers ----------------------------------------------------------------

# libraries TREE: where the programs of an unpacked tree find theirs.
libraries() {
	find "$1" -name '*.so*' -exec dirname '{}' ';' | sort -u |
		paste -sd :
}
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
# greets PORT 'words'
greets() {
	python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
s.settimeout(5)
ok = s.recv(200).startswith(sys.argv[2].encode())
s.sendall(b"QUIT\r\n")
sys.exit(not ok)' "$1" "$2" 2>/dev/null
}
clean() { rm -rf "$ROOT" "$WORK/log"; }
has() { grep -Eq -e "$2" "$1"; }
# submit 'name' FILE arguments...: accepted, in silence.
submit() {
	what=$1 file=$2
	shift 2
	expect_exit "$what" 0 sendmail -i -f alice@client.test "$@" <"$file"
	expect_silent "$what"
}
holds() { check "$1: $3 in $2" test "$(count "$2")" = "$3"; }
# waits 'name' 'reason': the message is in Queue and no report went.
waits() {
	holds "$1" Queue 1
	holds "$1: no report" Badmail 0
	holds "$1: no report" Drop 0
	sendmail -bp | tr -s '\n ' '  ' >"$WORK/mailq"
	expect_file_has "$1: mailq" "$WORK/mailq" "Deferred: .*$2"
	expect_file_has "$1: log" "$WORK/log" " deferred .*$2"
}
# same_text 'name' SENT RECEIVED: the bodies are equal, octet by octet, but for
# the ends of lines.
body() { tr -d '\r' <"$1" | sed '1,/^$/d'; }
same_text() {
	body "$2" >"$WORK/sent"
	body "$3" >"$WORK/received"
	check "$1: equal bodies" cmp "$WORK/sent" "$WORK/received"
}
# boxed FOLDER: how many came; taken 'name' FOLDER: the one, in $WORK/taken.
boxed() { find "$1" -path '*/new/*' -type f 2>/dev/null | wc -l; }
boxed_at_least() { [ "$(boxed "$1")" -ge "$2" ]; }
taken() {
	check "$1: delivered" wait_for 10 boxed_at_least "$2" 1
	check "$1: once" test "$(boxed "$2")" = 1
	: >"$WORK/taken"
	find "$2" -path '*/new/*' -type f -exec mv '{}' "$WORK/taken" ';'
}

# ---- certificates -----------------------------------------------------------

# certificates: in $C, ca.pem and its key ca.key, and good.pem with its key
# "key" for localhost and 127.0.0.1; strange.pem is somebody else's issuer.
C=$WORK/certs
ssl() { OPENSSL_CONF=$C/cnf openssl "$@" 2>>"$C/said"; }
certificates() {
	mkdir "$C"
	printf '[req]\ndistinguished_name = dn\n[dn]\n' >"$C/cnf"
	for who in ca strange; do
		ssl ecparam -name prime256v1 -genkey -noout -out "$C/$who.key"
		ssl req -x509 -new -key "$C/$who.key" -subj "/CN=$who" \
			-days 10 -out "$C/$who.pem" \
			-addext basicConstraints=critical,CA:TRUE
	done
	ssl ecparam -name prime256v1 -genkey -noout -out "$C/key"
	echo 'subjectAltName = DNS:localhost,IP:127.0.0.1' >"$C/ext"
	ssl req -new -key "$C/key" -subj /CN=localhost -out "$C/req"
	ssl x509 -req -in "$C/req" -CA "$C/ca.pem" -CAkey "$C/ca.key" -days 5 \
		-set_serial 2 -extfile "$C/ext" -out "$C/good.pem"
}

# ---- Postfix ----------------------------------------------------------------

# Its users are any that every Debian has.
postfix_needs() {
	lacks=
	for user in news games nobody; do
		id "$user" >/dev/null 2>&1 || lacks="$lacks and the user $user"
	done
	if [ ! -x "$DAEMONS/master" ]; then
		skip 'Postfix is not unpacked: tests/deps'
		finish
	fi
	if [ "$(id -u)" -ne 0 ] || [ -n "$lacks" ]; then
		skip "a real Postfix needs root$lacks"
		finish
	fi
	POSTFIX_LIBRARIES=$(libraries "$TREE")
}

# postfix_make <more of main.cf.  Its processes drop their rights, so that
# others must be able to pass through our directory.
postfix_make() {
	chmod 711 "$WORK"
	mkdir "$P" "$P/etc" "$P/spool" "$P/data" "$P/box"
	chown news "$P/data"
	chown nobody "$P/box"
	for folder in active bounce corrupt defer deferred flush hold incoming \
		maildrop private public saved trace; do
		mkdir -m 700 "$P/spool/$folder"
		chown news "$P/spool/$folder"
	done
	mkdir "$P/spool/pid"
	chgrp games "$P/spool/maildrop" "$P/spool/public"
	chmod 730 "$P/spool/maildrop"
	chmod 710 "$P/spool/public"
	cat >"$P/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $P/spool
data_directory = $P/data
daemon_directory = $DAEMONS
command_directory = $TREE/usr/sbin
sendmail_path = $TREE/usr/sbin/sendmail
mailq_path = $TREE/usr/sbin/sendmail
newaliases_path = $TREE/usr/sbin/sendmail
meta_directory = $P/etc
shlib_directory = $TREE/usr/lib/postfix
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE
 POSTLOG_HOSTNAME SASL_PATH LD_LIBRARY_PATH=$POSTFIX_LIBRARIES
maillog_file = $P/log
maillog_file_prefixes = /
mail_owner = news
setgid_group = games
default_privs = nobody
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:none here
virtual_mailbox_domains = far.test
virtual_mailbox_base = $P/box
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
END
	cat >>"$P/etc/main.cf"
}

# postfix_start PORT <its first services: started when PORT greets.  In a
# process group of its own, which it ends as a whole.
postfix_start() {
	{
		cat
		cat <<'END'
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
	} >"$P/etc/master.cf"
	LD_LIBRARY_PATH=$POSTFIX_LIBRARIES setsid "$DAEMONS/master" \
		-c "$P/etc" -d >"$P/stdout" 2>&1 </dev/null &
	postfix=$!
	servers="$servers $postfix"
	wait_for 10 greets "$1" '220 relay.test ESMTP Postfix' && return 0
	bad 'Postfix does not start'
	show "$P/stdout"
	[ ! -e "$P/log" ] || show "$P/log"
	finish
}

postfix_stop() {
	kill "$postfix"
	wait "$postfix" 2>/dev/null || :
}
