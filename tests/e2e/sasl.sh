#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# AUTH against the SASL of others: a real Postfix that asks Dovecot's auth
# service, and one that asks Cyrus's library.  Both speak to us in TLS only,
# with a certificate that is verified.  Each mechanism carries one message, and
# with a wrong secret none: it waits, with the server's words, and the log has
# an alert.  Nothing is installed: all run from where tests/deps unpacked them,
# on loopback.
#
# EXTERNAL is not here: Postfix never hands the client's certificate on.  A
# real Exim believes it, in tlspeers.sh, with its own PLAIN, LOGIN, CRAM-MD5.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postfix-lib.sh"

PEERS=$TOP/build/peers
if ! command -v openssl >/dev/null; then
	skip 'no certificates without the openssl command: tests/deps'
	finish
fi
postfix_needs
certificates
printf 'Subject: hello\n\nthe text\n.a dot\n' >"$WORK/letter"
SECRET='geheim+W0rt=%'

# ---- tokens -----------------------------------------------------------------

# token NAME KEY SECONDS: an access token of alice's (RFC 7519), signed, that
# is good for so long.
token() {
	python3 - "$2" "$3" >"$WORK/$1" <<'END'
import base64, hmac, json, sys, time
def code(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=")
now = int(time.time())
text = b".".join(code(json.dumps(x).encode()) for x in (
    {"alg": "HS256", "typ": "JWT"},
    {"sub": "alice", "iat": now - 3600, "nbf": now - 3600,
     "exp": now + int(sys.argv[2])}))
key = sys.argv[1].encode()
print((text + b"." + code(hmac.new(key, text, "sha256").digest())).decode())
END
	chmod 600 "$WORK/$1"
}
printf '%s\n' "$SECRET" >"$WORK/password"
printf 'x%s\n' "$SECRET" >"$WORK/password-wrong"
chmod 600 "$WORK/password" "$WORK/password-wrong"
token token 'the key of the test' 600
token token-wrong 'another key' 600
token token-old 'the key of the test' -60

# ---- Dovecot's auth service -------------------------------------------------

D=$WORK/dovecot
DTREE=$PEERS/dovecot
DOVECOT_WAYS='PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
	OAUTHBEARER XOAUTH2'
dovecot_start() {
	mkdir -p "$D/run" "$D/state" "$D/keys/default/HS256"
	echo "alice:{PLAIN}$SECRET" >"$D/users"
	printf 'the key of the test' | base64 >"$D/keys/default/HS256/default"
	cat >"$D/oauth2" <<-END
		introspection_mode = local
		local_validation_key_dict = fs:posix:prefix=$D/keys/
		username_attribute = sub
	END
	cat >"$D/conf" <<-END
		base_dir = $D/run
		state_dir = $D/state
		libexec_dir = $DTREE/usr/lib/dovecot
		import_environment = LD_LIBRARY_PATH
		log_path = $D/log
		auth_verbose = yes
		auth_failure_delay = 0
		default_internal_user = nobody
		default_internal_group = games
		default_login_user = news
		protocols =
		ssl = no
		auth_mechanisms = $(echo $DOVECOT_WAYS)
		service auth {
		  unix_listener $D/auth {
		    mode = 0666
		  }
		}
		service anvil {
		  unix_listener anvil-auth-penalty {
		    mode = 0
		  }
		}
		passdb {
		  driver = passwd-file
		  args = $D/users
		  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
		}
		passdb {
		  driver = oauth2
		  args = $D/oauth2
		  mechanisms = oauthbearer xoauth2
		}
	END
	# doveconf hands the settings on: else dovecot would call the one that
	# is installed.
	LD_LIBRARY_PATH=$(libraries "$DTREE") "$DTREE/usr/bin/doveconf" \
		-f service=master -c "$D/conf" -m master \
		-e "$DTREE/usr/sbin/dovecot" -F -c "$D/conf" \
		>"$D/out" 2>&1 </dev/null &
	dovecot=$!
	servers="$servers $dovecot"
	wait_for 10 test -S "$D/auth" && return 0
	bad 'Dovecot does not start'
	show "$D/out"
	[ ! -e "$D/log" ] || show "$D/log"
	return 1
}

# ---- Cyrus's library --------------------------------------------------------

CTREE=$PEERS/cyrus
CYRUS_WAYS='PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256'
cyrus_make() {
	# Debian's Postfix looks for it here, others where it is told to.
	mkdir "$WORK/cyrus" "$P/etc/sasl"
	cat >"$P/etc/sasl/smtpd.conf" <<-END
		pwcheck_method: auxprop
		auxprop_plugin: sasldb
		sasldb_path: $WORK/cyrus/db
		mech_list: $(echo $CYRUS_WAYS)
	END
	printf %s "$SECRET" | LD_LIBRARY_PATH=$(libraries "$CTREE") \
		SASL_PATH=$SASL_PATH "$CTREE/usr/sbin/saslpasswd2" -p -c \
		-f "$WORK/cyrus/db" -u relay.test alice \
		>"$WORK/cyrus/out" 2>&1 || :
	if [ ! -s "$WORK/cyrus/db" ]; then
		bad 'saslpasswd2 makes no user'
		show "$WORK/cyrus/out"
		return 1
	fi
	chown -R news "$WORK/cyrus"
}

# ---- a real Postfix, once with each -----------------------------------------

DPORT=$(free_port) CPORT=$(free_port)
# The modules lie where their machine's other libraries do.
SASL_PATH=$(dirname "$(find "$CTREE" -name 'libscram.so' 2>/dev/null)")
export SASL_PATH
postfix_make <<END
virtual_mailbox_maps = static:bob/
smtpd_tls_cert_file = $C/good.pem
smtpd_tls_key_file = $C/key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_authenticated_header = yes
smtpd_sasl_local_domain = relay.test
smtpd_error_sleep_time = 0
cyrus_sasl_config_path = $P/etc/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, defer
smtpd_recipient_restrictions = permit_sasl_authenticated, defer
END
peers=
if [ ! -x "$DTREE/usr/lib/dovecot/auth" ]; then
	skip 'Dovecot is not unpacked: tests/deps'
elif dovecot_start; then
	peers="Dovecot"
fi
if [ ! -x "$CTREE/usr/sbin/saslpasswd2" ]; then
	skip 'Cyrus SASL is not unpacked: tests/deps'
elif cyrus_make; then
	peers="$peers Cyrus"
fi
POSTFIX_LIBRARIES=$POSTFIX_LIBRARIES:$(libraries "$CTREE" 2>/dev/null)
sed -i "s|LD_LIBRARY_PATH=.*|LD_LIBRARY_PATH=$POSTFIX_LIBRARIES|" \
	"$P/etc/main.cf"
postfix_start "$DPORT" <<END
127.0.0.1:$DPORT inet n - n - - smtpd
  -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=$D/auth
127.0.0.1:$CPORT inet n - n - - smtpd
  -o smtpd_sasl_type=cyrus -o smtpd_sasl_path=smtpd
END

# asks HOST FILE 'Key = value'...: settings as a careful administrator has them.
asks() {
	host=$1 file=$2
	shift 2
	clean
	write_conf "SmartHost = $host" 'RouteUserName = alice' \
		"RoutePasswordFile = $WORK/$file" 'TlsSecurityLevel = verify' \
		"TlsCAFile = $C/ca.pem" "$@"
}
accepted() { grep -c 'smtpd.*: [0-9A-F]*: client=' "$P/log" || :; }
# kept_secret 'name' FILE: neither log, mailq nor -v has what is in it.
kept_secret() {
	word=$(cat "$WORK/$2")
	cat "$WORK/log" "$WORK/mailq" "$STDERR" "$STDOUT" >"$WORK/all"
	check "$1: no secret shown" test 0 = "$(grep -acF -e "$word" \
		-e "$(printf %s "$word" | base64 -w 0)" \
		-e "$(printf '\0alice\0%s' "$word" | base64 -w 0)" "$WORK/all")"
}

# proves 'name' HOST WAY FILE: the message arrives, by this mechanism.
proves() {
	about=$1 host=$2 way=$3 file=$4
	asks "$host" "$file" "AuthMechanisms = $way"
	submit "$about" "$WORK/letter" bob@far.test
	holds "$about" Queue 0
	taken "$about" "$P/box"
	same_text "$about" "$WORK/letter" "$WORK/taken"
	expect_file_has "$about: by TLS" "$WORK/taken" 'using TLSv1\.[23]'
	expect_file_has "$about: by AUTH" "$WORK/taken" \
		'\(Authenticated sender: alice(@relay\.test)?\)'
	expect_file_has "$about: Postfix's log" "$P/log" \
		"client=.*sasl_method=$way, sasl_username=alice"
	expect_file_lacks "$about: no alert" "$WORK/log" level=
}
# fails 'name' HOST WAY FILE: with this secret it waits, loudly.
fails() {
	about=$1 host=$2 way=$3 file=$4
	before=$(accepted)
	asks "$host" "$file" "AuthMechanisms = $way"
	expect_exit "$about" 0 sendmail -v -i -f alice@client.test \
		bob@far.test <"$WORK/letter"
	expect_file_has "$about: -v shows it" "$STDERR" "AUTH $way"
	waits "$about" '535 5\.7\.8 .*authentication fail'
	expect_file_has "$about: an alert" "$WORK/log" \
		' deferred level=alert .*"535 5\.7\.8 '
	expect_file_has "$about: Postfix's log" "$P/log" \
		"SASL $way authentication failed"
	check "$about: nothing accepted" test "$(accepted)" = "$before"
	check "$about: nothing delivered" test "$(boxed "$P/box")" = 0
	expect_file_lacks "$about: nothing sent" "$STDERR" ' > (MAIL|BDAT|DATA)'
	kept_secret "$about" "$file"
}
for peer in $peers; do
	case $peer in
	Dovecot) port=$DPORT ways=$DOVECOT_WAYS ;;
	Cyrus)	port=$CPORT ways=$CYRUS_WAYS ;;
	esac
	for way in $ways; do
		case $way in
		*OAUTH*) proof=token ;;
		*)	proof=password ;;
		esac
		proves "$peer, $way" 127.0.0.1:$port $way $proof
		fails "$peer, $way, wrong" 127.0.0.1:$port $way $proof-wrong
		[ $proof = password ] || fails "$peer, $way, expired" \
			127.0.0.1:$port $way token-old
	done
	# Of all that it offers, unnamed: the strongest.
	asks 127.0.0.1:$port password
	submit "$peer, unnamed" "$WORK/letter" bob@far.test
	taken "$peer, unnamed" "$P/box"
	check "$peer, unnamed: the strongest" test SCRAM-SHA-256 = "$(sed -n \
		's/.*client=.*sasl_method=\([^,]*\),.*/\1/p' "$P/log" | tail -n 1)"
	# Another's certificate: not a word of AUTH.
	asks localhost:$port password "TlsCAFile = $C/strange.pem"
	submit "$peer, strange" "$WORK/letter" bob@far.test
	waits "$peer, strange" 'not trusted here'
done
postfix_stop
[ -z "${dovecot:-}" ] || kill "$dovecot"
finish
