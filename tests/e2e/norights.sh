#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Without rights: the set-group-id bit has no effect (NoNewPrivileges, nosuid, a
# user namespace, a copy without it, a system without the group), or what it
# gives does not suffice (the settings or the password cannot be read).  The
# caller sees a success, the message goes through Pickup, and the runner, who
# has the rights and the settings, sends it: over TLS, with AUTH, to the smart
# host and nowhere else.

. "$(dirname "$0")/house-lib.sh"

build_house
printf 'Subject: hello\n\nbody of the message\n' >"$WORK/m"
chmod 644 "$WORK/m"
mkdir -m 755 "$WORK/certs"
ssl() { openssl "$@" 2>>"$WORK/said"; }
ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-keyout "$WORK/certs/key" -subj /CN=localhost -days 5 \
	-addext 'subjectAltName = DNS:localhost,IP:127.0.0.1' \
	-out "$WORK/certs/ca.pem"
cat "$WORK/certs/key" "$WORK/certs/ca.pem" >"$WORK/certs/server"
chmod 644 "$WORK/certs/ca.pem"

# The smart host, which wants TLS and the password, and one who takes all that
# comes past it: port 25 is where mail would go without the settings.
SEEN=$WORK/seen
: >"$SEEN"
: >"$SEEN.out"
"$TOP/tests/e2e/tls-server" "$SEEN" --cert "$WORK/certs/server" --auth PLAIN \
	--password "$SECRET" --life 290 >"$SEEN.out" 2>"$SEEN.err" &
servers="$servers $!"
wait_for 10 grep -q '^listening' "$SEEN.out" || { bad 'no tls-server'; finish; }
HOST=127.0.0.1:$(sed -n '1s/.*://p' "$SEEN.out")
start_smtpd -l 127.0.0.1:25 -l '[::1]:25'
settings() {
	house_conf "SmartHost = $HOST" 'RouteUserName = alice' \
		'RoutePasswordFile = /etc/mailroot/password' \
		"TlsCAFile = $WORK/certs/ca.pem" 'AuthMechanisms = PLAIN' \
		'NameServers = 127.0.0.1:9' "$@"
}
settings


clear_all() {
	rm -rf "${SPOOL:?}"/*/* "${SPOOL:?}"/*/.tmp-* "${SINKDIR:?}"/*
	: >"$SEEN"
	: >"$LOG"
}
# Messages the smart host has, all of them by TLS and a user who proved himself.
arrived() { grep -c 'tls D: body of the message' "$SEEN" || :; }
nobody_else() {
	same "$1: nothing past the smart host" "$(count_sink) $(grep -cE \
		'clear (D:|C: (MAIL|AUTH|RCPT|DATA))' "$SEEN")" '0 0'
}
# How many stand: Queue, Drop, Badmail, Pickup.
stands() {
	echo "$(count Queue) $(count Drop) $(count Badmail) $(count Pickup)"
}
# picked 'name' OWNER N: so many whole messages of this owner are in Pickup,
# nothing was sent, and the runner sends them.
MEND=:				# what the operator does before it
picked() {
	same "$1: in Pickup" "$(stands)" "0 0 0 $3"
	same "$1: owner" "$(stat -c %u "$SPOOL"/Pickup/*.eml | sort -u)" "$2"
	for file in "$SPOOL"/Pickup/*.eml; do
		same "$1: whole" "$(wc -c <"$file")" "$(sed -n \
			'1s/.*envelope=0*\([0-9]*\) message=0*\([0-9]*\).*/\1 \2/p' \
			"$file" | awk '{ print $1 + $2 }')"
	done
	same "$1: nothing unfinished" "$(find "$SPOOL" -name '.tmp-*')" ''
	same "$1: nothing sent yet" "$(arrived)" 0
	nobody_else "$1, before the run"
	$MEND
	# What was written in this second may still grow.
	sleep 1.2
	expect_exit "$1: the run" 0 as root "$SENDMAIL" -q </dev/null
	same "$1: sent by the run" "$(arrived) $(stands)" "$3 0 0 0 0"
	same "$1: with the password" "$(grep -c 'tls A: PLAIN yes' \
		"$SEEN")" "$(grep -c 'tls A:' "$SEEN")"
	nobody_else "$1"
	clear_all
}
# goes 'name' OWNER command...: the caller sees a success each time.
goes() {
	about=$1 owner=$2
	shift 2
	n=0
	for mode in -odi -odb -odq -odd; do
		for to in bob@far.test 'bob@[127.0.0.1]'; do
			expect_exit "$about, $mode $to" 0 "$@" $mode "$to" \
				<"$WORK/m"
			expect_silent "$about, $mode $to"
			n=$((n + 1))
		done
	done
	# As PHP's mail() calls it.
	printf 'To: bob@far.test\r\nSubject: x\r\n\r\nbody of the message\n' \
		>"$WORK/php"
	expect_exit "$about, as PHP" 0 "$@" -t -i -fweb@x.test <"$WORK/php"
	expect_silent "$about, as PHP"
	# As Symfony does.
	printf '%s\r\n' 'HELO [127.0.0.1]' 'MAIL FROM:<web@x.test>' \
		'RCPT TO:<bob@far.test>' DATA 'Subject: x' '' \
		'body of the message' . QUIT >"$WORK/smtp"
	expect_exit "$about, -bs" 0 "$@" -bs <"$WORK/smtp"
	same "$about, -bs: replies" "$(cut -c 1-3 "$STDOUT" | tr '\n' ' ')" \
		'220 250 250 250 354 250 221 '
	expect_empty "$about, -bs (stderr)" "$STDERR"
	picked "$about" "$owner" $((n + 2))
}

# ---- with rights, to compare -----------------------------------------------------

expect_exit 'with rights' 0 as www-data "$SENDMAIL" bob@far.test <"$WORK/m"
same 'with rights: sent at once' "$(arrived) $(stands)" '1 0 0 0 0'
nobody_else 'with rights'
clear_all

# ---- the bit has no effect ---------------------------------------------------------

goes 'NoNewPrivileges' $WWW as www-data setpriv --no-new-privs "$SENDMAIL"
goes 'NoNewPrivileges, a variable' $ALICE as alice \
	SENDMAIL_SMARTHOST=127.0.0.1:25 setpriv --no-new-privs "$SENDMAIL"
# Without rights the environment and -O are his own; the runner's are not.
goes 'NoNewPrivileges, -O' $ALICE as alice setpriv --no-new-privs "$SENDMAIL" \
	-O SmartHost=127.0.0.1:25 -O TlsSecurityLevel=none

mkdir "$WORK/house/nosuid"
mount -t tmpfs -o mode=755,nosuid none "$WORK/house/nosuid"
install -o 0 -g $MAILROOT -m 2755 "$BUILD/sendmail" "$WORK/house/nosuid"
goes 'nosuid' $WWW as www-data "$WORK/house/nosuid/sendmail"
umount "$WORK/house/nosuid"

install -o 0 -g 0 -m 755 "$BUILD/sendmail" "$WORK/house/plain"
goes 'a plain copy' $WWW as www-data "$WORK/house/plain"

if as alice unshare --user true 2>/dev/null; then
	goes 'a user namespace' $ALICE as alice unshare --user "$SENDMAIL"
	goes 'root of a user namespace' $ALICE as alice unshare --user \
		--map-root-user "$SENDMAIL"
	expect_exit 'its root runs no queue' 71 as alice unshare --user \
		--map-root-user "$SENDMAIL" -q </dev/null
	same 'its root runs no queue: one line' "$(grep -c '' "$STDERR")" 1
else
	skip 'a user namespace: not for ordinary users here'
fi

# No user and no group of that name: the folders belong to numbers.
cp /etc/passwd /etc/group "$WORK"
sed -i '/^mailroot:/d' /etc/passwd
sed -i '/^mailroot:/d; s/:mailroot$/:/' /etc/group
goes 'no user mailroot' $WWW as www-data "$WORK/house/plain"
cat "$WORK/passwd" >/etc/passwd
cat "$WORK/group" >/etc/group

# Who may write Queue and may not make the file: a full disk is no reason to
# try Pickup, and nothing is lost where neither is there.
mv "$SPOOL/Pickup" "$SPOOL/away"
expect_exit 'no Pickup, -odq' 73 as www-data "$WORK/house/plain" -odq \
	bob@far.test <"$WORK/m"
expect_exit 'no Pickup, at once' 73 as www-data "$WORK/house/plain" \
	bob@far.test <"$WORK/m"
same 'no Pickup: one line' "$(grep -c '' "$STDERR")" 1
same 'no Pickup: nothing is sent without the password' \
	"$(arrived) $(stands)" '0 0 0 0 0'
nobody_else 'no Pickup'
mv "$SPOOL/away" "$SPOOL/Pickup"
chmod 700 "$SPOOL/Pickup"
expect_exit 'a closed Pickup' 73 as www-data "$WORK/house/plain" bob@far.test \
	<"$WORK/m"
chmod 3733 "$SPOOL/Pickup"
clear_all

# ---- settings and secrets that cannot be read ---------------------------------------

chmod 600 "$CONF"
goes 'unreadable settings, set-group-id' $WWW as www-data "$SENDMAIL"
goes 'unreadable settings, plain' $WWW as www-data "$WORK/house/plain"
expect_exit 'unreadable settings: said in the log' 0 as www-data "$SENDMAIL" \
	bob@far.test <"$WORK/m"
for run in -q -bp '-bv bob@far.test' '-q15m'; do
	# shellcheck disable=SC2086 # words are meant
	expect_exit "unreadable settings: $run" 78 as www-data "$SENDMAIL" $run \
		</dev/null
done
clear_all
mv "$SPOOL/Pickup" "$SPOOL/away"
expect_exit 'unreadable settings, no Pickup' 78 as www-data "$SENDMAIL" \
	bob@far.test <"$WORK/m"
expect_file_has 'unreadable settings, no Pickup' "$STDERR" \
	'mailroot\.conf: cannot be read'
same 'unreadable settings, no Pickup: nothing' "$(arrived) $(stands)" '0 0 0 0 0'
nobody_else 'unreadable settings, no Pickup'
mv "$SPOOL/away" "$SPOOL/Pickup"
# For the runner the password would be out of reach, too, until it is mended.
chmod 644 "$CONF"
chmod 700 /etc/mailroot
MEND='chmod 755 /etc/mailroot'
goes 'an unreadable /etc/mailroot' $WWW as www-data "$SENDMAIL"
MEND=:

# The rights are there, the password is not for them: loud, and it waits.
chown 0:0 /etc/mailroot/password
expect_exit 'an unreadable secret' 0 as www-data "$SENDMAIL" bob@far.test \
	<"$WORK/m"
expect_silent 'an unreadable secret'
same 'an unreadable secret: it waits' "$(arrived) $(( $(count Queue) +
	$(count Pickup) ))" '0 1'
expect_file_has 'an unreadable secret: in the log' "$LOG" \
	'RoutePasswordFile /etc/mailroot/password: Permission denied'
nobody_else 'an unreadable secret'
chown 0:$MAILROOT /etc/mailroot/password
sleep 1.2
expect_exit 'the secret is back' 0 as root "$SENDMAIL" -q --flush \
	</dev/null
same 'the secret is back: sent' "$(arrived) $(stands)" '1 0 0 0 0'
nobody_else 'the secret is back'
clear_all
goes 'an unreadable secret, no rights' $WWW as www-data setpriv --no-new-privs \
	"$SENDMAIL"

# A queue of one's own, and a secret that is not: it waits there.
install -d -o $ALICE -g $ALICE "$WORK/house/alice/root"
expect_exit 'a queue of his own' 0 as alice "$WORK/house/plain" \
	-O MailRoot="$WORK/house/alice/root" \
	bob@far.test <"$WORK/m"
expect_silent 'a queue of his own'
same 'a queue of his own: it waits, and nothing is sent' \
	"$(find "$WORK/house/alice/root/Queue" -name '*.eml' | wc -l) $(arrived)" \
	'1 0'
nobody_else 'a queue of his own'

expect_empty 'the server had no trouble' "$SEEN.err"
stop_smtpd
same 'nobody came past the smart host' "$CONNECTIONS" 0
finish
