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
END
: >"$C/index"
export OPENSSL_CONF="$C/cnf"	# the server's Python reads it too
ssl() { openssl "$@" 2>>"$C/said"; }
ssl ecparam -name prime256v1 -genkey -noout -out "$C/key"
# issuer FILE NAME: one who signs.
issuer() {
	ssl ecparam -name prime256v1 -genkey -noout -out "$C/$1.key"
	ssl req -x509 -new -key "$C/$1.key" -subj "/CN=$2" -days 10 \
		-addext basicConstraints=critical,CA:TRUE -out "$C/$1.pem"
}
# leaf FILE ISSUER 'names': a server's, with its key.
serial=1
leaf() {
	serial=$((serial + 1))
	echo "subjectAltName = $3" >"$C/ext"
	ssl req -new -key "$C/key" -subj "/CN=$1" -out "$C/req"
	ssl x509 -req -in "$C/req" -CA "$C/$2.pem" -CAkey "$C/$2.key" -days 5 \
		-set_serial "$serial" -extfile "$C/ext" -out "$C/$1.pem"
	cat "$C/key" >>"$C/$1.pem"
}
HERE=DNS:localhost,IP:127.0.0.1
issuer ca 'Test CA'
issuer strange 'Strange CA'
leaf good ca $HERE
leaf wrong ca DNS:other.test
leaf partial ca 'DNS:local*'
leaf unknown strange $HERE
leaf client ca DNS:client.test
# "localhost", NUL, ".evil.test"; the text form cannot say it.
leaf nul ca DER:301682146c6f63616c686f7374002e6576696c2e74657374
ssl req -x509 -new -key "$C/key" -subj /CN=self -days 5 \
	-addext "subjectAltName = $HERE" -out "$C/self.pem"
cat "$C/key" >>"$C/self.pem"
echo "subjectAltName = $HERE" >"$C/ext"
ssl ca -config "$C/cnf" -batch -notext -in "$C/req" -cert "$C/ca.pem" \
	-keyfile "$C/ca.key" -extfile "$C/ext" -startdate 20200101000000Z \
	-enddate 20200201000000Z -out "$C/expired.pem"
cat "$C/key" >>"$C/expired.pem"
cp "$C/ca.pem" "$C/hashed/$(ssl x509 -in "$C/ca.pem" -noout -hash).0"
print_of() {
	ssl x509 -in "$C/$1.pem" -noout -fingerprint -sha256 | sed 's/.*=//'
}
KEYPRINT=$(ssl ec -in "$C/key" -pubout -outform DER | sha256sum | cut -c 1-64)
NOPRINT=$(printf %064d 0)

# ---- helpers ----------------------------------------------------------------

printf 'Subject: hello\n\nthe secret text\n' >"$WORK/letter"
# start_server options...: sets PORT, HOST, SEEN (what it saw) and SERVER.
start_server() {
	nservers=$((nservers + 1))
	SEEN=$WORK/seen.$nservers
	: >"$SEEN"
	: >"$SEEN.out"
	"$TOP/tests/e2e/tls-server" "$SEEN" "$@" >"$SEEN.out" 2>"$SEEN.err" &
	SERVER=$!
	servers="$servers $SERVER"
	if ! wait_for 10 grep -q '^listening' "$SEEN.out"; then
		bad "tls-server $* does not start"
		show "$SEEN.err"
		finish
	fi
	PORT=$(sed -n '1s/.*://p' "$SEEN.out")
	HOST=127.0.0.1:$PORT
}
stop_server() {
	kill "$SERVER" 2>/dev/null || :
	wait "$SERVER" 2>/dev/null || :
	expect_empty "$1: the server had no trouble" "$SEEN.err"
}
clean() { rm -rf "$ROOT" "$WORK/log"; }
# The server has seen the end of every connection: no more comes.
over() {
	[ "$(grep -c ' B: ' "$SEEN")" = "$(grep -c ' Z: ' "$SEEN")" ]
}
# attempt 'name' 'Key = value'...: one message, on a new State.
VERBOSE=
attempt() {
	what=$1
	shift
	clean
	: >"$SEEN"
	write_conf "SmartHost = $HOST" 'AddressFamily = ipv4' "$@"
	# shellcheck disable=SC2086 # -v or nothing
	expect_exit "$what" 0 sendmail $VERBOSE -f alice@client.test \
		bob@far.test <"$WORK/letter"
	[ -n "$VERBOSE" ] || expect_silent "$what"
	check "$what: the server is done" wait_for 5 over
}
# fate 'name' tls|clear|'reason': what became of it, and what must hold then.
fate() {
	case $2 in
	tls|clear)
		check "$1: delivered" test "$(count Queue)" = 0
		expect_file_has "$1: $2" "$SEEN" "^[0-9]+ $2 D: the secret text"
		expect_file_has "$1: log" "$WORK/log" ' sent '
		;;
	*)	check "$1: it waits" test "$(count Queue)" = 1
		sendmail -bp >"$WORK/mailq"
		tr -s '\n ' '  ' <"$WORK/mailq" >"$WORK/mailq.line"
		expect_file_has "$1: mailq" "$WORK/mailq.line" "Deferred: .*$2"
		expect_file_has "$1: log" "$WORK/log" " deferred .*$2"
		expect_file_lacks "$1: nobody has it" "$SEEN" ' [A-Z]: .*secret'
		expect_file_lacks "$1: nobody knows of it" "$SEEN" \
			' C: .*(MAIL|RCPT|alice|AUTH)'
		;;
	esac
	[ "$2" = clear ] || expect_file_lacks "$1: nothing in clear" "$SEEN" \
		'clear (D: |C: .*(MAIL|AUTH|RCPT|DATA|BDAT|secret|alice))'
}
connections() { grep -c ' B: ' "$SEEN" || :; }
saw() { expect_file_has "$1" "$SEEN" "$2"; }
unseen() { expect_file_lacks "$1" "$SEEN" "$2"; }
TRUST="TlsCAFile = $C/ca.pem"
USER='RouteUserName = alice'
SECRET=3wU_geheim+Wort
PASSWORD="RoutePassword = $SECRET"

# ---- every failure at every level -------------------------------------------

# level 'failure' LEVEL EXPECTED 'Key = value'...
level() {
	about="$1, $2" becomes=$3 level=$2
	shift 3
	attempt "$about" "TlsSecurityLevel = $level" "$TRUST" "$@"
	fate "$about" "$becomes"
}
# What becomes of the message, for each failure (the server's, or that of its
# certificate) and each level; "pinned" and "unpinned" are both fingerprint.
#
#	clear	sent without TLS, on the one connection there was
#	again	TLS was tried; sent without it, on a second connection
#	tls	sent in TLS
#	waits	in Queue, for the reason in the last column; at unpinned, for a
#		certificate, that it is not pinned.  One connection, and on it
#		nothing of the message, its people or a user.
TABLE='
failure     none   may    encrypt verify pinned unpinned reason
nostarttls  clear  clear  waits   waits  waits  waits    offers no STARTTLS
refuse      clear  clear  waits   waits  waits  waits    refuses STARTTLS: .*454 4\.7\.0 TLS not available
alert       clear  again  waits   waits  waits  waits    TLS alert .*handshake failure
reset       clear  again  waits   waits  waits  waits    Connection reset
close       clear  again  waits   waits  waits  waits    lost connection
old         clear  again  waits   waits  waits  waits    refuses TLS from TLSv1.2 on
inject      clear  waits  waits   waits  waits  waits    ATTACK
good        clear  tls    tls     tls    tls    waits    -
expired     clear  tls    tls     waits  tls    waits    has expired \(2020-?02-?01
wrong       clear  tls    tls     waits  tls    waits    is not for this name, but for .*other\.test
partial     clear  tls    tls     waits  tls    waits    is not for this name, but for .*local\*
unknown     clear  tls    tls     waits  tls    waits    an issuer that is not trusted here: .*Strange CA
self        clear  tls    tls     waits  tls    waits    is self-signed
nul         clear  tls    tls     waits  tls    waits    has a NUL in a name'

# again 'name' 'reason': the second connection was in clear from its start.
again() {
	check "$1: two connections" test "$(connections)" = 2
	first=$(sed -n '1s/ .*//p' "$SEEN")
	saw "$1: TLS first" "^$first clear C: STARTTLS"
	unseen "$1: not again" "^$((first + 1)) .*(C: STARTTLS| [TF]: )"
	expect_file_has "$1: the log has the reason" "$WORK/log" \
		" tls level=warning .*$2"
}
# cell FAILURE LEVEL EXPECTED 'reason' 'Key = value'...
cell() {
	failure=$1 column=$2 expected=$3 why=$4
	shift 4
	about="$failure, $column"
	case $column in
	pinned|unpinned) strict=fingerprint ;;
	*)	strict=$column ;;
	esac
	attempt "$about" "TlsSecurityLevel = $strict" "$TRUST" "$@"
	case $expected in
	again)	fate "$about" clear ;;
	waits)	fate "$about" "$why" ;;
	*)	fate "$about" "$expected" ;;
	esac
	case $expected in
	again)	again "$about" "$why" ;;
	*)	check "$about: one connection" test "$(connections)" = 1 ;;
	esac
	case $expected in
	clear|again)
		expect_file_has "$about: the log says clear" "$WORK/log" \
			' sent .* tls=none' ;;
	tls)	expect_file_has "$about: the log says TLS" "$WORK/log" \
			' sent .* tls="?TLSv1\.3' ;;
	esac
	case $column,$expected in
	none,*)	unseen "$about: no TLS" 'C: STARTTLS| [TF]: ' ;;
	verify,tls|pinned,tls)
		expect_file_has "$about: trusted" "$WORK/log" \
			' tls="TLSv1.3 trusted"' ;;
	*,tls)	expect_file_lacks "$about: not trusted" "$WORK/log" trusted ;;
	esac
}
# row FAILURE its six cells 'reason'
row() {
	failure=$1 reason=$8
	case $failure in
	nostarttls|refuse|alert|reset|close|old|inject)
		kind=server pin=$(print_of good) unpinned=$reason
		start_server --cert "$C/good.pem" --fault "$failure" ;;
	*)	kind=certificate pin=$(print_of "$failure")
		unpinned='not one of those pinned: its fingerprint is'
		start_server --cert "$C/$failure.pem" ;;
	esac
	# Names that would fit, but for what is wrong with them.
	case $failure in partial|nul) HOST=localhost:$PORT ;; esac
	cell "$failure" none "$2" "$reason"
	cell "$failure" may "$3" "$reason"
	cell "$failure" encrypt "$4" "$reason"
	cell "$failure" verify "$5" "$reason"
	[ "$kind,$5" != certificate,waits ] || expect_file_has \
		"$failure: the line that would pin it" "$WORK/log" \
		"TlsFingerprint = $KEYPRINT"
	cell "$failure" pinned "$6" "$reason" "TlsFingerprint = $NOPRINT $pin"
	cell "$failure" unpinned "$7" "$unpinned" "TlsFingerprint = $NOPRINT"
	[ $kind = server ] || expect_file_has "$failure: and there" \
		"$WORK/log" "TlsFingerprint = $KEYPRINT"
	# With a user it is never again in clear, whatever the level.
	if [ "$3" = again ]; then
		attempt "$failure, with a user" "$USER" "$PASSWORD" "$TRUST" \
			'TlsSecurityLevel = may'
		fate "$failure, with a user" "$reason"
		check "$failure, with a user: once" test "$(connections)" = 1
	fi
	stop_server "$failure"
}
rows=0
while read -r failure none may encrypt verify pinned unpinned reason; do
	case $failure in ''|failure) continue ;; esac
	rows=$((rows + 1))
	row "$failure" "$none" "$may" "$encrypt" "$verify" "$pinned" \
		"$unpinned" "$reason"
done <<END
$TABLE
END
check "all $rows failures" test $rows = 14

start_server --cert "$C/good.pem"
level 'the key is pinned' fingerprint tls "TlsFingerprint = $KEYPRINT"
level 'nothing is pinned' fingerprint 'no fingerprint to compare'
unseen 'nothing is pinned: not even EHLO' ' C: '
level 'hashed' verify tls 'TlsCAFile =' "TlsCADirectory = $C/hashed"
level 'an empty directory' verify 'certs/empty' 'TlsCAFile =' \
	"TlsCADirectory = $C/empty"
level 'no such file' verify 'No such file' "TlsCAFile = $C/none"
expect_file_has 'no such file: alert' "$WORK/log" 'settings.*No such file'
level 'AlwaysUseSsl' may tls 'AlwaysUseSsl = true'
level 'mask 0' may clear 'SmtpOutboundCommandSupportOptions = 0'
level 'mask 0' encrypt 'mask 0' 'SmtpOutboundCommandSupportOptions = 0'
HOST=localhost:$PORT
level 'a name' verify tls
saw 'a name: it is asked for' ' T: TLSv1.3 localhost$'
stop_server good
start_server --cert "$C/good.pem" --max TLSv1_2
level 'TLS 1.2' verify tls
saw 'TLS 1.2' ' T: TLSv1.2 $'
level 'TLS 1.2 is too old' encrypt 'refuses TLS from TLSv1.3 on' \
	'TlsMinProtocol = TLSv1.3'
stop_server 'TLS 1.2'
start_server --cert "$C/good.pem" --ask "$C/ca.pem"
level 'our certificate' encrypt tls "TlsCertFile = $C/client.pem" \
	"TlsKeyFile = $C/client.pem"
saw 'our certificate' 'K: client$'
level 'none of ours' encrypt 'certificate required'
level 'none of ours' may clear
again 'none of ours, may' 'certificate required'
stop_server 'our certificate'

# ---- TLS at once ------------------------------------------------------------

start_server --cert "$C/good.pem" --implicit --auth PLAIN --password "$SECRET"
HOST=smtps://127.0.0.1:$PORT
for strict in none may encrypt verify; do
	level smtps:// $strict tls
	unseen "smtps://, $strict: nothing before TLS" 'clear C: |STARTTLS'
done
attempt 'smtps:// with a user' "$USER" "$PASSWORD" "$TRUST"
fate 'smtps:// with a user' tls
saw 'smtps:// with a user' 'tls A: PLAIN yes'
stop_server smtps://
start_server --cert "$C/wrong.pem" --implicit
HOST=smtps://127.0.0.1:$PORT
level 'smtps://, wrong name' verify 'not for this name'
stop_server 'smtps://, wrong name'
# A handshake that fails there is never made good in clear, at any level.
for fault in alert reset close old; do
	reason=$(printf '%s\n' "$TABLE" | sed -n "s/^$fault  *\([a-z]*  *\)\{6\}//p")
	start_server --cert "$C/good.pem" --implicit --fault $fault
	HOST=smtps://127.0.0.1:$PORT
	for strict in none may encrypt verify fingerprint; do
		level "smtps://, $fault" $strict "$reason" \
			"TlsFingerprint = $(print_of good)"
		check "smtps://, $fault, $strict: one connection" \
			test "$(connections)" = 1
	done
	stop_server "smtps://, $fault"
done
start_server
HOST=smtps://127.0.0.1:$PORT
for strict in none may encrypt; do
	level 'smtps:// without TLS' $strict 'is not TLS'
done
stop_server 'smtps:// without TLS'
for host in smtps://127.0.0.1 127.0.0.1:465; do
	write_conf "SmartHost = $host"
	sendmail -bv bob@far.test >"$WORK/bv" 2>&1 || :
	expect_file_has "-bv, $host" "$WORK/bv" '127\.0\.0\.1.* port 465'
done

# ---- AUTH -------------------------------------------------------------------

# A password goes to who has proved his name, without any word on it.
start_server --cert "$C/unknown.pem" --auth PLAIN --password "$SECRET"
attempt 'a user implies verify' "$USER" "$PASSWORD" "$TRUST"
fate 'a user implies verify' 'not trusted here'
attempt 'unless a level is named' "$USER" "$PASSWORD" "$TRUST" \
	'TlsSecurityLevel = encrypt'
fate 'unless a level is named' tls
saw 'unless a level is named' 'tls A: PLAIN yes'
stop_server 'a user implies verify'

# secret_kept 'name': neither log, -v nor Queue has it, in any form.
B64=$(printf %s "$SECRET" | base64)
BOTH=$(printf '\0alice\0%s' "$SECRET" | base64)
secret_kept() {
	find "$WORK/log" "$STDERR" "$STDOUT" "$ROOT" -type f \
		-exec cat '{}' + >"$WORK/all"
	check "$1: no password in log, -v, Queue" test 0 = "$(grep -acF \
		-e "$SECRET" -e "$B64" -e "$BOTH" "$WORK/all")"
}
# refused 'name': it waits, no report went, and the log is loud.
refused() {
	check "$1: it waits" test "$(count Queue)" = 1
	check "$1: no report" test "$(count Badmail)$(count Drop)" = 00
	unseen "$1: no mail" 'C: MAIL| D: '
	secret_kept "$1"
}
VERBOSE=-v
for way in PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256; do
	start_server --cert "$C/good.pem" --auth "$way" --password "$SECRET"
	attempt "AUTH $way" "$USER" "$PASSWORD" "$TRUST"
	fate "AUTH $way" tls
	saw "AUTH $way" "tls A: $way yes"
	secret_kept "AUTH $way"
	expect_file_has "AUTH $way: -v shows it" "$STDERR" "AUTH $way"
	attempt "AUTH $way, wrong" "$USER" "RoutePassword = x$SECRET" "$TRUST"
	refused "AUTH $way, wrong"
	saw "AUTH $way, wrong" "tls A: $way no"
	expect_file_has "AUTH $way, wrong: log" "$WORK/log" \
		' deferred .*"535 5\.7\.8 authentication failed'
	stop_server "AUTH $way"
done
start_server --cert "$C/good.pem" --password "$SECRET" \
	--auth 'LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 NTLM'
for pair in 'LOGIN PLAIN=PLAIN' 'LOGIN=LOGIN' '=SCRAM-SHA-256' \
	'PLAIN CRAM-MD5=CRAM-MD5'; do
	attempt "AuthMechanisms $pair" "$USER" "$PASSWORD" "$TRUST" \
		"AuthMechanisms = ${pair%=*}"
	fate "AuthMechanisms $pair" tls
	saw "AuthMechanisms $pair" "A: ${pair#*=} yes"
done
attempt 'none of them' "$USER" "$PASSWORD" "$TRUST" \
	'AuthMechanisms = SCRAM-SHA-1'
fate 'none of them' 'none will do of: '
stop_server AuthMechanisms
start_server --cert "$C/good.pem" --auth SCRAM-SHA-256 --lie \
	--password "$SECRET"
attempt 'a server that does not know it' "$USER" "$PASSWORD" "$TRUST"
refused 'a server that does not know it'
saw 'a server that does not know it' 'A: SCRAM-SHA-256 no'
stop_server 'a server that does not know it'
start_server --cert "$C/good.pem" --auth-clear PLAIN
attempt 'AUTH offered before TLS only' "$USER" "$PASSWORD" "$TRUST"
fate 'AUTH offered before TLS only' \
	'534 5\.7\.9 AUTH must be, and the server offers none'
stop_server 'AUTH offered before TLS only'
# Servers that repeat what they heard.
start_server --cert "$C/good.pem" --auth PLAIN \
	--say "AUTH=535 5.7.8 $BOTH is wrong"
attempt 'AUTH with an echo' "$USER" "$PASSWORD" "$TRUST"
refused 'AUTH with an echo'
stop_server 'AUTH with an echo'
VERBOSE=

# ---- in clear, to this machine ----------------------------------------------

start_server --auth-clear 'PLAIN CRAM-MD5' --password "$SECRET"
attempt 'AUTH without TLS' "$USER" "$PASSWORD"
fate 'AUTH without TLS' 'offers no STARTTLS'
for clear in none may; do
	attempt "AUTH without TLS, $clear" "$USER" "$PASSWORD" \
		"TlsSecurityLevel = $clear" 'AuthMechanisms = PLAIN LOGIN'
	fate "AUTH without TLS, $clear" 'without TLS none will do of: PLAIN'
	attempt "allowed, $clear" "$USER" "$PASSWORD" \
		"TlsSecurityLevel = $clear" 'AuthMechanisms = PLAIN LOGIN' \
		'AllowAuthInClear = true'
	fate "allowed, $clear" clear
	saw "allowed, $clear" 'clear A: PLAIN yes'
done
stop_server 'in clear'
# ---- where the password is --------------------------------------------------

start_server --cert "$C/good.pem" --auth PLAIN --password "$SECRET"
# from 'name' 'Key = value'...: the password comes from there.
from() {
	about=$1
	shift
	attempt "$about" "$USER" "$TRUST" "$@"
	fate "$about" tls
	saw "$about" 'A: PLAIN yes'
	secret_kept "$about"
}
printf '%s\nnot this\n' "$SECRET" >"$WORK/secret"
chmod 600 "$WORK/secret"
from 'a file' "RoutePasswordFile = $WORK/secret"
expect_file_lacks 'a file: no complaint' "$WORK/log" everybody
chmod 644 "$WORK/secret"
from 'a file for all to read' "RoutePasswordFile = $WORK/secret"
expect_file_has 'a file for all to read' "$WORK/log" 'can be read by everybody'
from 'a command' "RoutePasswordCommand = echo '$SECRET'; echo no"
EXTRA_ENV="SENDMAIL_ROUTEPASSWORD=$SECRET"
from 'the environment'
EXTRA_ENV=
# unready 'name' 'reason' 'Key = value'...: no password, no mail, no word.
unready() {
	about=$1 reason=$2
	shift 2
	attempt "$about" "$USER" "$TRUST" "$@"
	fate "$about" "$reason"
	expect_file_has "$about: log" "$WORK/log" " settings .*$reason"
}
unready 'no file' 'cannot read RoutePasswordFile' \
	"RoutePasswordFile = $WORK/none"
unready 'a command that fails' 'RoutePasswordCommand gave no password' \
	"RoutePasswordCommand = echo '$SECRET'; exit 3"
secret_kept 'a command that fails'
unready 'a silent command' 'RoutePasswordCommand gave no password' \
	'RoutePasswordCommand = true'
ours=$HOST oserver=$SERVER oseen=$SEEN

# A section with a server of its own gets nobody else's password.
start_server --cert "$C/good.pem" --auth 'PLAIN CRAM-MD5' \
	--auth-clear 'PLAIN' --password "$SECRET"
theirs=$HOST HOST=$ours
: >"$oseen"
for clear in none may encrypt verify; do
	case $clear in
	none)	way=clear ;;
	*)	way=tls ;;
	esac
	attempt "a section, $clear" "$USER" "$PASSWORD" "$TRUST" \
		'AllowAuthInClear = true' '[domain far.test]' \
		"SmartHost = $theirs" "TlsSecurityLevel = $clear"
	fate "a section, $clear" $way
	unseen "a section, $clear: no AUTH" 'C: AUTH'
done
attempt 'a section with a user' "$USER" "$PASSWORD" "$TRUST" \
	'[domain far.test]' "SmartHost = $theirs" 'RouteUserName = carol' \
	'RoutePassword = hers' 'AuthMechanisms = PLAIN'
check 'a section with a user: it waits' test "$(count Queue)" = 1
saw 'a section with a user: hers' \
	"C: AUTH PLAIN $(printf '\0carol\0hers' | base64)"
unseen 'a section with a user: not ours' "$BOTH|$B64"
expect_empty 'nobody else was called' "$oseen"
# Nor does one that an argument or the environment names, whose caller may be
# anybody: no user at all, or with another user no password.
for source in argument environment; do
	clean
	: >"$SEEN"
	write_conf "SmartHost = $ours" "$USER" "$PASSWORD" "$TRUST"
	case $source in
	argument)
		expect_exit "another host, $source" 0 sendmail \
			-O "SmartHost=$theirs" -f alice@client.test \
			bob@far.test <"$WORK/letter" ;;
	environment)
		EXTRA_ENV="SENDMAIL_SMARTHOST=$theirs"
		expect_exit "another host, $source" 0 sendmail \
			-f alice@client.test bob@far.test <"$WORK/letter"
		EXTRA_ENV= ;;
	esac
	check "another host, $source: the server is done" wait_for 5 over
	fate "another host, $source" tls
	unseen "another host, $source: no AUTH" 'C: AUTH'
done
clean
: >"$SEEN"
expect_exit 'another host and user' 0 sendmail -O "SmartHost=$theirs" \
	-O RouteUserName=carol -f alice@client.test bob@far.test \
	<"$WORK/letter"
check 'another host and user: the server is done' wait_for 5 over
fate 'another host and user' 'none will do of: '
expect_empty 'still nobody else was called' "$oseen"
stop_server 'a section'
SERVER=$oserver SEEN=$oseen

# ---- several messages, one TLS ----------------------------------------------

clean
: >"$SEEN"
write_conf "SmartHost = $HOST" "$USER" "$PASSWORD" "$TRUST" \
	'MaxOutConnectionsPerDomain = 1'
for who in one two three four five; do
	expect_exit "$who waits" 0 sendmail -odq -f alice@client.test \
		"$who@far.test" <"$WORK/letter"
done
check 'five wait' test "$(count Queue)" = 5
expect_exit 'a run' 0 sendmail -q
check 'a run: none waits' test "$(count Queue)" = 0
check 'a run: the server is done' wait_for 5 over
check 'a run: five came' test "$(grep -c 'tls D: the secret' "$SEEN")" = 5
check 'a run: one connection' test "$(connections)" = 1
check 'a run: one handshake, one AUTH' test \
	"$(grep -c ' T: ' "$SEEN") $(grep -c ' A: PLAIN yes' "$SEEN")" = '1 1'
stop_server 'a run'

# ---- a machine of its own ---------------------------------------------------

# alone 'name' ADDRESS PORT 'server options' 'Key = value'...: in a network and
# with a /dev of its own; what went to syslog is in $WORK/syslog.
cat >"$WORK/alone" <<'END'
set -eu
work=$1 conf=$2 sendmail=$3 address=$4
shift 4
ip link set lo up
[ "$address" = 127.0.0.1 ] || ip addr add "$address/32" dev lo
mkdir -p "$work/dev"
mount -t tmpfs none "$work/dev"
: >"$work/dev/null"
mount --bind /dev/null "$work/dev/null"
mount --rbind "$work/dev" /dev
"$@" --address "$address" --life 20 --syslog "$work/syslog" >"$work/out" &
server=$!
for _ in $(seq 200); do
	! grep -q '^listening' "$work/out" || break
	sleep 0.05
done
status=0
"$sendmail" -C "$conf" -f alice@client.test bob@far.test || status=$?
sleep 0.1
kill $server
exit $status
END
alone() {
	about=$1 address=$2 port=$3 options=$4
	shift 4
	clean
	SEEN=$WORK/seen.alone
	: >"$SEEN"
	: >"$WORK/syslog"
	: >"$WORK/out"
	write_conf "SmartHost = $address:$port" "$@"
	# shellcheck disable=SC2086 # a list
	expect_exit "$about" 0 unshare -rnm sh "$WORK/alone" "$WORK" "$CONF" \
		"$BUILD/sendmail" "$address" "$TOP/tests/e2e/tls-server" "$SEEN" \
		--port "$port" $options <"$WORK/letter"
}
# loud 'name' 'regex' 'server options' 'Key = value'...: syslog has it as
# mail.alert.  The lines of a LogFile have no priority.
loud() {
	about=$1 reason=$2 options=$3
	shift 3
	alone "$about" 127.0.0.1 2525 "--cert $C/good.pem $options" \
		'LogFile =' "$USER" "$TRUST" "$@"
	expect_file_has "$about: alert" "$WORK/syslog" "^<17>.*$reason"
}
if unshare -rnm mount -t tmpfs none "$C/empty" 2>/dev/null; then
	alone 'allowed, but elsewhere' 192.0.2.1 2525 '--auth-clear PLAIN' \
		"$USER" "$PASSWORD" 'TlsSecurityLevel = may' \
		'AllowAuthInClear = true'
	saw 'allowed, but elsewhere: called' 'C: EHLO'
	fate 'allowed, but elsewhere' 'without TLS none will do of: PLAIN'
	for host in smtps://127.0.0.1 smtps://127.0.0.1:465 127.0.0.1:465; do
		alone "$host" 127.0.0.1 465 "--implicit --cert $C/good.pem" \
			"SmartHost = $host" 'RemoteTimeout = 2' "$TRUST" \
			'TlsSecurityLevel = verify'
		fate "$host" tls
	done
	loud 'no AUTH' 'deferred .*534 5\.7\.9 .*offers none' '' "$PASSWORD"
	loud 'wrong password' 'deferred .*535 5\.7\.8 ' '--auth PLAIN' "$PASSWORD"
	loud 'no such mechanism' 'deferred .*534 5\.7\.9 .*none will do' \
		'--auth NTLM' "$PASSWORD"
	loud 'no file' 'settings .*cannot read RoutePasswordFile' '--auth PLAIN' \
		"RoutePasswordFile = $WORK/none"
	loud 'a file for all' 'can be read by everybody' '--auth PLAIN' \
		"RoutePasswordFile = $WORK/secret"
	loud 'no such CA' 'settings .*No such file' '--auth PLAIN' "$PASSWORD" \
		"TlsCAFile = $C/none"
	expect_file_lacks 'syslog: no password' "$WORK/syslog" "$SECRET|$B64|$BOTH"
else
	skip 'no namespaces here: port 465, syslog, another address'
fi

# ---- what is read, and what stays -------------------------------------------

# OpenSSL's own configuration and environment could say whom to trust, and load
# code: neither counts.
printf '%s\n' 'openssl_conf = all' '[all]' 'ssl_conf = ssl' '[ssl]' \
	'system_default = mine' '[mine]' 'MinProtocol = TLSv1.3' >"$C/strict"
EXTRA_ENV="OPENSSL_CONF=$C/strict SSL_CERT_FILE=$C/ca.pem \
SSL_CERT_DIR=$C/hashed OPENSSL_MODULES=$C OPENSSL_ENGINES=$C"
start_server --cert "$C/good.pem" --max TLSv1_2
level 'a configuration of OpenSSL' encrypt tls
saw 'a configuration of OpenSSL' ' T: TLSv1.2 '
level 'trust from the environment' verify 'not trusted here' 'TlsCAFile ='
EXTRA_ENV=
# opens 'name' 'regex' 'Key = value'...: every file of TLS that it opens fits.
opens() {
	about=$1 allowed=$2
	shift 2
	clean
	write_conf "SmartHost = $HOST" "$@"
	strace -f -e trace=open,openat -o "$WORK/strace" env -i PATH="$PATH" \
		ASAN_OPTIONS=detect_leaks=0 "$BUILD/sendmail" -C "$CONF" \
		-f alice@client.test bob@far.test <"$WORK/letter" || :
	check "$about: delivered" test "$(count Queue)" = 0
	grep -E '/ssl/|\.cnf|certs' "$WORK/strace" | grep -v 'lib(ssl|crypto)' |
		grep -Ev "$allowed" >"$WORK/opened" || :
	expect_empty "$about: opened" "$WORK/opened"
}
if strace -o /dev/null true 2>/dev/null; then
	opens 'no level asks for trust: may' '^$' "TlsCAFile = $C/none" \
		'TlsSecurityLevel = may'
	opens 'no level asks for trust: encrypt' '^$' \
		'TlsSecurityLevel = encrypt'
	opens 'no level asks for trust: fingerprint' '^$' \
		'TlsSecurityLevel = fingerprint' "TlsFingerprint = $KEYPRINT"
	opens 'one issuer is asked for' "$C/hashed(/[0-9a-f]{8}\.0)?\"" \
		'TlsSecurityLevel = verify' "TlsCADirectory = $C/hashed"
else
	skip 'strace cannot trace here: which files are opened'
fi
stop_server 'what is read'

# A process that goes on behind its sessions has wiped the password, if it is no
# setting of its own.  The middle of it is looked for, because free() writes into
# the head of what it gets.
LONG=$(seq -s - 100 130)
printf '%s\n' "$LONG" >"$WORK/long"
chmod 600 "$WORK/long"
cat >"$WORK/look" <<'END'
import base64, sys
pid, word = sys.argv[1], sys.argv[2].encode()
wanted = [form[44:64] for form in (
    word, base64.b64encode(word), base64.b64encode(b"\0alice\0" + word))]
octets = 0
with open("/proc/%s/maps" % pid) as maps, open("/proc/%s/mem" % pid, "rb") as m:
    for line in maps:
        at, end = (int(x, 16) for x in line.split()[0].split("-"))
        if "rw" not in line.split()[1] or end - at > 1 << 26:
            continue
        m.seek(at)
        text = m.read(end - at)
        octets += len(text)
        for form in wanted:
            if form in text:
                print("%s in %s" % (form, line.strip()))
if octets < 100000:
    print("nothing was read")
END
# memory 'name' WAY 'Key = value'...: what is found is in $WORK/found.
memory() {
	about="$1, memory" way=$2
	shift 2
	clean
	: >"$SEEN"
	write_conf "SmartHost = $HOST" "$USER" "$TRUST" \
		"AuthMechanisms = $way" "$@"
	expect_exit "$about: one waits" 0 sendmail -odq \
		-f alice@client.test bob@far.test <"$WORK/letter"
	# Not by the function: $! must be the program.
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$BUILD/sendmail" -C "$CONF" -bD -q1m </dev/null \
		>"$WORK/run.out" 2>&1 &
	run=$!
	servers="$servers $run"
	check "$about: sent" wait_for 10 grep -q "tls A: $way yes" "$SEEN"
	check "$about: over" wait_for 10 over
	sleep 0.2
	python3 "$WORK/look" "$run" "$LONG" >"$WORK/found" 2>&1 || :
	kill "$run"
	wait "$run" 2>/dev/null || :
}
start_server --cert "$C/good.pem" --password "$LONG" \
	--auth 'PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256'
for way in PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256; do
	memory $way $way "RoutePasswordFile = $WORK/long"
	expect_empty "$way, memory: nothing of it is left" "$WORK/found"
done
memory 'a setting' PLAIN "RoutePassword = $LONG"
expect_file_has 'a setting, memory: it would be found' "$WORK/found" ' in '
stop_server memory

# ---- silence behind the final dot -------------------------------------------

# The child that waits owns the TLS session: the parent may not end it.
queue_empty() { [ "$(count Queue)" = 0 ]; }
for max in TLSv1_2 TLSv1_3; do
	start_server --cert "$C/good.pem" --max $max --hold 2.5
	clean
	write_conf "SmartHost = $HOST" "$TRUST" 'TlsSecurityLevel = verify' \
		'ImmediateTimeout = 1'
	began=$(date +%s%3N)
	expect_exit "$max, silence" 0 sendmail -f alice@client.test \
		bob@far.test <"$WORK/letter"
	took=$(($(date +%s%3N) - began))
	expect_silent "$max, silence"
	check "$max, silence: the caller waits a second ($took ms)" \
		test "$took" -ge 900 -a "$took" -lt 2200
	check "$max, silence: kept meanwhile" test "$(count Queue)" = 1
	check "$max, silence: a child marks it" wait_for 6 queue_empty
	expect_file_has "$max, silence: sent" "$WORK/log" ' sent .*TLSv1'
	check "$max, silence: it ends" wait_for 5 over
	saw "$max, silence: the dialogue went on" 'tls C: QUIT'
	saw "$max, silence: a proper end" ' E: end'
	check "$max, silence: once" test "$(grep -c 'D: the secret' "$SEEN")" = 1
	stop_server "$max, silence"
done
finish
