#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# TLS and AUTH against programs that are not ours: a real Exim (GnuTLS, its own
# PLAIN, LOGIN, CRAM-MD5 and EXTERNAL) that takes mail only after AUTH, and a
# real Postfix that takes it only after STARTTLS.  Nothing is installed: both
# run from where tests/deps unpacked them, in a directory of this test, on
# loopback.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postfix-lib.sh"

PEERS=$TOP/build/peers
if [ ! -x "$PEERS/exim/usr/sbin/exim4" ]; then
	skip 'Exim is not unpacked: tests/deps'
	finish
fi
if ! command -v openssl >/dev/null; then
	skip 'no certificates without the openssl command: tests/deps'
	finish
fi
if [ "$(id -u)" -ne 0 ]; then
	skip 'a real Exim and a real Postfix need root'
	finish
fi
# Exim looks up a user of its own, who is there only where it is installed: it
# gets a passwd of its own, in a mount namespace.
if ! unshare -m mount --bind /etc/passwd /etc/passwd 2>/dev/null; then
	skip 'no mount namespace here: Exim finds no user'
	finish
fi

printf 'Subject: hello\n\nthe text\n.a dot\n..two dots\n.\n\nFrom here\n' \
	>"$WORK/letter"
python3 - >"$WORK/large" <<'END'
import random
r = random.Random(2)
print("Subject: large\n")
for i in range(10000):
    print(r.choice(("", ".", "..", "From ", "\t")) + "x" * r.randrange(200))
END

certificates
# client NAME ISSUER: a client's certificate, to "alice", with its key.
client() {
	ssl req -new -key "$C/key" -subj /CN=alice -out "$C/req"
	ssl x509 -req -in "$C/req" -CA "$C/$2.pem" -CAkey "$C/$2.key" -days 5 \
		-set_serial 3 -out "$C/$1.pem"
	cat "$C/key" >>"$C/$1.pem"
}
client alice ca
client forged strange

# ---- a real Exim --------------------------------------------------------------

SECRET='geheim +W0rt=%'
E=$WORK/exim
uid=64103
chmod 711 "$WORK"
mkdir "$E" "$E/spool" "$E/logs" "$E/mail" "$E/tls"
cp "$C/good.pem" "$C/ca.pem" "$C/key" "$E/tls"
chown -R $uid "$E/spool" "$E/logs" "$E/mail" "$E/tls"
chmod 600 "$E/tls/key"
{
	grep -v '^Debian-exim:' /etc/passwd
	echo "Debian-exim:x:$uid:$uid::/nonexistent:/bin/sh"
} >"$E/passwd"
{
	grep -v '^Debian-exim:' /etc/group
	echo "Debian-exim:x:$uid:"
} >"$E/group"
# A copy has not the set-user-id bit, under which its libraries in the tree
# would not be found.
cp "$PEERS/exim/usr/sbin/exim4" "$E/exim4"
chmod 755 "$E/exim4"
EPORT=$(free_port)
cat >"$E/conf" <<END
exim_path = $E/exim4
primary_hostname = mx.exim.test
spool_directory = $E/spool
log_file_path = $E/logs/%s
log_selector = +smtp_no_mail +smtp_connection +received_recipients
pid_file_path = $E/spool/pid
keep_environment = LD_LIBRARY_PATH
deliver_drop_privilege = true
local_interfaces = 127.0.0.1
daemon_smtp_ports = $EPORT
host_lookup =
rfc1413_hosts =
tls_advertise_hosts = *
tls_certificate = $E/tls/good.pem
tls_privatekey = $E/tls/key
tls_verify_certificates = $E/tls/ca.pem
tls_try_verify_hosts = *
auth_advertise_hosts = \${if def:tls_in_cipher {*}}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  accept authenticated = *
  deny local_parts = carol
    message = 530 5.7.0 Authentication required
  deny message = relay not permitted
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = $E/mail
  maildir_format
  create_directory
begin retry
* * F,1h,10m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq{\$auth2}{alice}}{eq{\$auth3}{$SECRET}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and {{eq{\$auth1}{alice}}{eq{\$auth2}{$SECRET}}}}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{\$auth1}{alice}{$SECRET}fail}
  server_set_id = \$auth1
external:
  driver = external
  public_name = EXTERNAL
  server_param2 = \${certextract{subject,CN}{\$tls_in_peercert}}
  server_condition = \${if and {{eq{\$tls_in_certificate_verified}{1}}\\
    {eq{\$auth1}{\$auth2}}}}
  server_set_id = \$auth1
END
chmod 644 "$E/conf"
# exec all the way, so that $! is the daemon.
# shellcheck disable=SC2016 # the inner shell's
LD_LIBRARY_PATH=$(libraries "$PEERS/exim") unshare -m sh -ec '
	mount --make-rprivate /
	mount --bind "$0/passwd" /etc/passwd
	mount --bind "$0/group" /etc/group
	exec "$0/exim4" -C "$0/conf" -bdf -q1m' "$E" \
	>"$E/out" 2>&1 </dev/null &
exim=$!
# It is ended when its children are: they would make their directories anew.
no_exim() {
	! find /proc/[0-9]*/exe -maxdepth 0 -lname "$E/exim4*" 2>/dev/null |
		grep -q .
}
end_exim() {
	kill "$exim" 2>/dev/null || :
	wait "$exim" 2>/dev/null || :
	wait_for 5 no_exim || :
}
trap 'end_exim; cleanup' EXIT
if ! wait_for 10 greets "$EPORT" '220 mx.exim.test ESMTP Exim'; then
	bad 'Exim does not start'
	show "$E/out"
	[ ! -e "$E/logs/main" ] || show "$E/logs/main"
	finish
fi

LOG=$E/logs/main
printf '%s\nnot this\n' "$SECRET" >"$WORK/secret"
printf 'x%s\n' "$SECRET" >"$WORK/wrong"
chmod 600 "$WORK/secret" "$WORK/wrong"
# exim_conf 'Key = value'...: as a careful administrator has it, and then those.
exim_conf() {
	clean
	: >"$LOG"
	write_conf "SmartHost = 127.0.0.1:$EPORT" 'RouteUserName = alice' \
		"RoutePasswordFile = $WORK/secret" \
		'TlsSecurityLevel = verify' "TlsCAFile = $C/ca.pem" "$@"
}
# logged 'name' 'regex': Exim's word may come a moment later.
logged() {
	wait_for 5 has "$LOG" "$2" || :
	expect_file_has "$1: Exim's log" "$LOG" "$2"
}
# nothing 'name': Exim has accepted nothing.
nothing() {
	expect_file_lacks "$1: nothing accepted" "$LOG" ' <= '
	check "$1: nothing delivered" test "$(boxed "$E/mail")" = 0
}
secret_kept() {
	cat "$WORK/log" "$STDERR" "$STDOUT" >"$WORK/all"
	check "$1: no password shown" test 0 = "$(grep -acF -e "$SECRET" \
		-e "$(printf %s "$SECRET" | base64)" \
		-e "$(printf '\0alice\0%s' "$SECRET" | base64)" "$WORK/all")"
}

for way in PLAIN=plain LOGIN=login CRAM-MD5=cram; do
	about="Exim, ${way%=*}" driver=${way#*=}
	exim_conf "AuthMechanisms = ${way%=*}"
	submit "$about" "$WORK/letter" bob@far.test
	holds "$about" Queue 0
	taken "$about" "$E/mail"
	same_text "$about" "$WORK/letter" "$WORK/taken"
	expect_file_has "$about: by TLS and AUTH" "$WORK/taken" 'with esmtpsa'
	logged "$about" \
		" <= alice@client\.test .*P=esmtpsa X=TLS1\.[23]:.* A=$driver:alice"
	submit "$about, large" "$WORK/large" bob@far.test
	taken "$about, large" "$E/mail"
	same_text "$about, large" "$WORK/large" "$WORK/taken"

	# A wrong password is the administrator's trouble, not the sender's.
	about="$about, wrong"
	exim_conf "AuthMechanisms = ${way%=*}" "RoutePasswordFile = $WORK/wrong"
	submit "$about" "$WORK/letter" bob@far.test
	waits "$about" '535 '
	logged "$about" "$driver authenticator failed .*: 535 "
	nothing "$about"
	secret_kept "$about"
	# It goes as soon as that is put right.
	write_conf "SmartHost = 127.0.0.1:$EPORT" 'RouteUserName = alice' \
		"RoutePasswordFile = $WORK/secret" "TlsCAFile = $C/ca.pem"
	expect_exit "$about, put right" 0 sendmail -q --flush
	holds "$about, put right" Queue 0
	taken "$about, put right" "$E/mail"
	same_text "$about, put right" "$WORK/letter" "$WORK/taken"
done

# A certificate is the secret, and only its owner's name is believed.
external_conf() {
	who=$1
	shift
	exim_conf "RouteUserName = $who" 'RoutePasswordFile =' \
		'AuthMechanisms = EXTERNAL' "$@"
}
external_conf alice "TlsCertFile = $C/alice.pem" "TlsKeyFile = $C/alice.pem"
submit 'Exim, EXTERNAL' "$WORK/letter" bob@far.test
taken 'Exim, EXTERNAL' "$E/mail"
same_text 'Exim, EXTERNAL' "$WORK/letter" "$WORK/taken"
logged 'Exim, EXTERNAL' \
	' <= alice@client\.test .*P=esmtpsa X=TLS1\.[23]:.* A=external:alice'
for bad in 'mallory alice another' 'alice forged forged' 'alice - none'; do
	# shellcheck disable=SC2086 # three words
	set -- $bad
	about="Exim, EXTERNAL, $3"
	external_conf "$1"
	[ "$2" = - ] || external_conf "$1" "TlsCertFile = $C/$2.pem" \
		"TlsKeyFile = $C/$2.pem"
	submit "$about" "$WORK/letter" bob@far.test
	waits "$about" '535 '
	expect_file_has "$about: an alert" "$WORK/log" \
		' deferred level=alert .*"535 '
	logged "$about" 'external authenticator failed .*: 535 '
	nothing "$about"
done

# The strongest of the three is taken without being named.
exim_conf
submit 'Exim, unnamed' "$WORK/letter" bob@far.test
taken 'Exim, unnamed' "$E/mail"
logged 'Exim, unnamed' ' <= .* A=cram:alice'
exim_conf 'AuthMechanisms = SCRAM-SHA-256'
submit 'Exim, not offered' "$WORK/letter" bob@far.test
waits 'Exim, not offered' 'none will do of: '
nothing 'Exim, not offered'
exim_conf 'RouteUserName = mallory'
submit 'Exim, another user' "$WORK/letter" bob@far.test
waits 'Exim, another user' '535 '
nothing 'Exim, another user'

# Without a user it is Exim's to say: its words reach the caller.
bare() {
	clean
	: >"$LOG"
	write_conf "SmartHost = 127.0.0.1:$EPORT" 'TlsSecurityLevel = verify' \
		"TlsCAFile = $C/ca.pem"
}
bare
expect_exit 'no user, 550' 67 sendmail -i -f alice@client.test bob@far.test \
	<"$WORK/letter"
expect_file_has 'no user, 550: told' "$STDERR" \
	'<bob@far\.test>: 550 .*relay not permitted'
holds 'no user, 550' Queue 0
logged 'no user, 550' 'X=TLS1.* rejected RCPT <bob@far\.test>'
nothing 'no user, 550'
# With 530 it is again the administrator's trouble: a user is missing.
bare
submit 'no user, 530' "$WORK/letter" carol@far.test
waits 'no user, 530' '530 5\.7\.0 Authentication required'
logged 'no user, 530' 'X=TLS1.* rejected RCPT <carol@far\.test>'
nothing 'no user, 530'

# ---- who is not trusted gets nothing ------------------------------------------

exim_conf "TlsCAFile = $C/strange.pem"
submit 'wrong CA' "$WORK/letter" bob@far.test
waits 'wrong CA' 'not trusted here'
logged 'wrong CA: nothing after it' 'no MAIL in .* C=EHLO,STARTTLS$'
nothing 'wrong CA'
exim_conf "TlsCAFile = $C/strange.pem" 'RouteUserName =' 'RoutePasswordFile ='
submit 'wrong CA, no user' "$WORK/letter" bob@far.test
waits 'wrong CA, no user' 'not trusted here'
logged 'wrong CA, no user: nothing after it' 'no MAIL in .* C=EHLO,STARTTLS$'
nothing 'wrong CA, no user'

# ---- a run: one connection, one AUTH ------------------------------------------

exim_conf 'MaxOutConnectionsPerDomain = 1'
for who in one two three four five; do
	submit "a run, $who" "$WORK/letter" -odq "$who@far.test"
done
holds 'a run, before' Queue 5
expect_exit 'a run' 0 sendmail -q
holds 'a run' Queue 0
check 'a run: five came' wait_for 10 boxed_at_least "$E/mail" 5
check 'a run: five, each with AUTH' test \
	"$(grep -c ' <= .*P=esmtpsa.* A=cram:alice' "$LOG")" = 5
check 'a run: one connection' test \
	"$(grep -c 'SMTP connection from \[127.*TCP/IP conn' "$LOG")" = 1
end_exim
check 'Exim is ended' no_exim
trap cleanup EXIT

# ---- a real Postfix -----------------------------------------------------------

postfix_needs
postfix_make <<END
virtual_mailbox_maps = static:bob/
smtpd_tls_cert_file = $C/good.pem
smtpd_tls_key_file = $C/key
smtpd_tls_CAfile = $C/ca.pem
smtpd_tls_security_level = encrypt
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
END
PPORT=$(free_port) SPORT=$(free_port) KPORT=$(free_port)
postfix_start "$PPORT" <<END
127.0.0.1:$PPORT inet n - n - - smtpd
127.0.0.1:$SPORT inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:$KPORT inet n - n - - smtpd
  -o smtpd_tls_req_ccert=yes
END
# postfix_conf HOST 'Key = value'...
postfix_conf() {
	host=$1
	shift
	clean
	write_conf "SmartHost = $host" 'TlsSecurityLevel = verify' \
		"TlsCAFile = $C/ca.pem" "$@"
}
# arrives 'name' HOST 'Key = value'...: over TLS, whole.
arrives() {
	about=$1
	shift
	for kind in letter large; do
		postfix_conf "$@"
		submit "$about, $kind" "$WORK/$kind" bob@far.test
		holds "$about, $kind" Queue 0
		taken "$about, $kind" "$P/box"
		same_text "$about, $kind" "$WORK/$kind" "$WORK/taken"
		expect_file_has "$about, $kind: by TLS" "$WORK/taken" \
			'using TLSv1\.[23] with cipher'
	done
}
# stays 'name' 'reason' HOST 'Key = value'...: it waits, and never came.
stays() {
	about=$1 reason=$2
	shift 2
	postfix_conf "$@"
	submit "$about" "$WORK/letter" bob@far.test
	waits "$about" "$reason"
}
HERE=127.0.0.1:$PPORT
arrives 'Postfix' "$HERE"
arrives 'Postfix, encrypt' "$HERE" 'TlsSecurityLevel = encrypt'
arrives 'Postfix, smtps' "smtps://127.0.0.1:$SPORT"
arrives 'Postfix, our certificate' "127.0.0.1:$KPORT" \
	"TlsCertFile = $C/good.pem" "TlsKeyFile = $C/key"
accepted=$(grep -c 'cleanup.*message-id=' "$P/log")
check 'Postfix: eight came' test "$accepted" = 8
stays 'Postfix, none' '530 5\.7\.0 Must issue a STARTTLS' "$HERE" \
	'TlsSecurityLevel = none' 'SmtpOutboundCommandSupportOptions = -PIPELINING'
# Before STARTTLS it reads what follows a refused BDAT as commands, against RFC
# 3030, and says so last: then those are the words.
stays 'Postfix, none, at once' \
	'(530 5\.7\.0 Must issue a STARTTLS|unexpected words at BDAT: 221 )' \
	"$HERE" 'TlsSecurityLevel = none'
stays 'Postfix, wrong CA' 'not trusted here' "$HERE" \
	"TlsCAFile = $C/strange.pem"
stays 'Postfix, smtps, wrong CA' 'not trusted here' \
	"smtps://127.0.0.1:$SPORT" "TlsCAFile = $C/strange.pem"
# It offers no AUTH here: a user must not be forgotten.
stays 'Postfix, a user' '534 5\.7\.9 AUTH must be' "$HERE" \
	'RouteUserName = alice' "RoutePasswordFile = $WORK/secret"
check 'Postfix: none of those came' test "$accepted" = \
	"$(grep -c 'cleanup.*message-id=' "$P/log")"
postfix_stop
finish
