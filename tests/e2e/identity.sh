#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Who sends: MasqueradeDomain, SenderMap, EnvelopeFrom, HeaderFrom and
# AddSender, on the wire: the envelope and the header of each combination.

. "$(dirname "$0")/lib.sh"

ME=$(id -un)
start_smtpd

# conf 'Key = value'...: beside a smart host.
conf() { write_conf "SmartHost = 127.0.0.1:$PORT" "$@"; }

# sent 'name' ENVELOPE FROM [option...]: sends what stands in $INPUT; FROM is
# the From of what arrived, its other sender fields behind it.
INPUT=$WORK/m
sent() {
	name=$1 envelope=$2 from=$3
	shift 3
	rm -f "$SINKDIR"/*
	expect_exit "$name" 0 sendmail -i "$@" bob@far.test <"$INPUT"
	expect_silent "$name"
	got=$(sed -n 's/^mail: <\([^>]*\)>.*/\1/p; /^$/q' "$SINKDIR"/*.msg)
	same "$name: envelope" "$got" "$envelope"
	same "$name: header" "$(tr -d '\r' <"$(echo "$SINKDIR"/*.msg)" |
		sed '1,/^$/d' | sed '/^$/q' | grep -Ei '^(From|Sender|Reply-To|Resent-From):' |
		tr '\n' '|')" "$from"
}
same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}
text() { printf '%s\n' "$@" '' 'body' >"$WORK/m"; }

# ---- nothing is set ------------------------------------------------------------

NAME_OF=$(getent passwd "$ME" | cut -d: -f5 | cut -d, -f1)
conf
text 'Subject: x' 'From: Ann <ann@client.test>'
sent 'as it is' "$ME@client.test" 'From: Ann <ann@client.test>|'
sent '-f' 'a@b.test' 'From: Ann <ann@client.test>|' -f a@b.test

# ---- MasqueradeDomain --------------------------------------------------------------

conf 'MasqueradeDomain = example.com' 'LocalDomains = local.test, web1.test'
text 'Subject: x' 'From: root (Cron Daemon)' 'Reply-To: dora@local.test' \
	'Sender: "The Web" <www@web1.test>'
sent 'masqueraded' "$ME@example.com" 'From: root@example.com (Cron Daemon)|Reply-To: dora@example.com|Sender: "The Web" <www@example.com>|'
sent 'a local -f' 'www@example.com' 'From: root@example.com (Cron Daemon)|Reply-To: dora@example.com|Sender: "The Web" <www@example.com>|' -f www@local.test
text 'Subject: x' 'From: Ann <ann@far.test>' 'Resent-From: bea'
sent 'a foreign From, a Resent block' 'ann@far.test' 'From: Ann <ann@far.test>|Resent-From: bea@example.com|' -f ann@far.test
sent 'the null sender stays' '' 'From: Ann <ann@far.test>|Resent-From: bea@example.com|' -f '<>'
text 'Subject: x' "To: dora@web1.test"
rm -f "$SINKDIR"/*
expect_exit 'a recipient there' 0 sendmail -i -F X bob@far.test <"$WORK/m"
expect_file_has 'recipients are not masqueraded' "$(echo "$SINKDIR"/*.msg)" \
	'^To: dora@web1\.test$'
expect_file_has 'nor is the Message-ID' "$(echo "$SINKDIR"/*.msg)" \
	'^Message-ID: <.*@client\.test>$'
expect_file_has 'a From that is added is' "$(echo "$SINKDIR"/*.msg)" \
	"^From: X <$ME@example\\.com>\$"

# ---- SenderMap ------------------------------------------------------------------------

printf '# who is who\nnobody: n@far.test\n%s: shop@example.com # the shop\n' \
	"$ME" >"$WORK/map"
conf "SenderMap = $WORK/map"
text 'Subject: x'
sent 'his own address' 'shop@example.com' 'From: S <shop@example.com>|' -F S
sent '-f goes before it' 'a@b.test' 'From: S <a@b.test>|' -F S -f a@b.test
echo "$(id -u): shop" >"$WORK/map"
sent 'by number, at DefaultDomain' 'shop@client.test' \
	'From: S <shop@client.test>|' -F S
echo "$ME: no address" >"$WORK/map"
: >"$WORK/log"
sent 'a line that is none' "$ME@client.test" "From: S <$ME@client.test>|" -F S
expect_file_has 'is in the log' "$WORK/log" 'SenderMap .*no address'
conf "SenderMap = $WORK/nomap"
: >"$WORK/log"
sent 'no such file' "$ME@client.test" "From: S <$ME@client.test>|" -F S
expect_file_has 'is in the log too' "$WORK/log" 'cannot read SenderMap'

# ---- EnvelopeFrom ------------------------------------------------------------------------

conf 'EnvelopeFrom = relay@example.com'
text 'Subject: x' 'From: Ann <ann@far.test>'
sent 'forced' 'relay@example.com' 'From: Ann <ann@far.test>|'
sent 'whatever -f says' 'relay@example.com' 'From: Ann <ann@far.test>|' -f a@b.test
sent 'but for the null sender' '' 'From: Ann <ann@far.test>|' -f ''
text 'Subject: x'
sent 'a missing From is who -f says' 'relay@example.com' 'From: S <a@b.test>|' \
	-F S -f a@b.test
echo "$ME: shop@example.com" >"$WORK/map"
conf "SenderMap = $WORK/map" 'EnvelopeFrom = own'
text 'Subject: x' 'From: Ann <ann@far.test>'
sent 'each his own' 'shop@example.com' 'From: Ann <ann@far.test>|' -f a@b.test

# ---- HeaderFrom ----------------------------------------------------------------------------

conf 'HeaderFrom = site@example.com'
sent 'a From that is there stays' 'a@b.test' 'From: Ann <ann@far.test>|' -f a@b.test
text 'Subject: x'
sent 'a missing one is added' 'a@b.test' 'From: S <site@example.com>|' \
	-F S -f a@b.test
conf 'HeaderFrom = site@example.com' 'HeaderFromMode = always'
text 'Subject: x' 'From: "Ann, the first" <ann@far.test>' 'Sender: x@y.test'
sent 'always' "$ME@client.test" 'From: "Ann, the first" <site@example.com>|Reply-To: "Ann, the first" <ann@far.test>|'
text 'Subject: x' 'From: Ann <ann@far.test>' 'Reply-To: r@far.test'
sent 'a Reply-To that is there stays' "$ME@client.test" 'From: Ann <site@example.com>|Reply-To: r@far.test|'
text 'Subject: x' 'From: Ann <site@example.com>'
sent 'it is there already' "$ME@client.test" 'From: Ann <site@example.com>|'
text 'Subject: x' 'From: Ann <ann@far.test>, bea@far.test'
sent 'one for several' "$ME@client.test" 'From: site@example.com|Reply-To: Ann <ann@far.test>, bea@far.test|'
text 'Subject: x' 'From: Jörg <joerg@far.test>'
sent 'an encoded name' "$ME@client.test" 'From: =?utf-8?Q?J=C3=B6rg?= <site@example.com>|Reply-To: =?utf-8?Q?J=C3=B6rg?= <joerg@far.test>|'
conf "SenderMap = $WORK/map" 'HeaderFrom = own' 'HeaderFromMode = always'
text 'Subject: x' 'From: ann@far.test' 'Reply-To: r@far.test'
sent 'own' 'a@b.test' 'From: shop@example.com|Reply-To: r@far.test|' -f a@b.test

conf 'HeaderFrom = site@example.com' 'HeaderFromMode = always'
text 'Subject: x' 'From: ann@far.test' 'Reply-To: r@far.test' \
	'Resent-From: bea@far.test'
sent 'Resent-From stays' 'a@b.test' 'From: site@example.com|Reply-To: r@far.test|Resent-From: bea@far.test|' -f a@b.test
conf 'HeaderFrom = site@example.com'
text 'Subject: x' 'To: carl@far.test'
sent '-t with -f' 'a@b.test' 'From: S <site@example.com>|' -t -F S -f a@b.test
sent '-t with the null sender' '' 'From: S <site@example.com>|' -t -F S -f '<>'

# ---- Sender ---------------------------------------------------------------------------------

conf
text 'Subject: x' 'From: ann@far.test, bea@far.test'
sent 'several want a Sender' "$ME@client.test" "From: ann@far.test, bea@far.test|Sender: $ME@client.test|"
text 'Subject: x' 'From: ann@far.test'
sent 'one does not' "$ME@client.test" 'From: ann@far.test|'
conf 'AddSender = yes'
sent 'AddSender' 'ann@far.test' "From: ann@far.test|Sender: $ME@client.test|" -f ann@far.test
text 'Subject: x' "From: $ME"
sent 'the user himself' "$ME@client.test" "From: $ME@client.test|"
text 'Subject: x' 'From: ann@far.test' 'Sender: c@far.test'
sent 'one that is there stays' "$ME@client.test" 'From: ann@far.test|Sender: c@far.test|'

# ---- a uid without a passwd entry ---------------------------------------------------------------

# By number he is in the map, else he is uidN.
uid=$((2000000 + $$))
stranger() {
	setpriv --reuid=$uid --regid=65534 --clear-groups -- env -i \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$WORK/sendmail" -C "$CONF" "$@"
}
from_stranger() {
	rm -f "$SINKDIR"/*
	expect_exit "$1" 0 stranger -i bob@far.test <"$WORK/m"
	expect_silent "$1"
	expect_file_has "$1: envelope" "$(echo "$SINKDIR"/*.msg)" "^mail: <$2>"
	expect_file_has "$1: header" "$(echo "$SINKDIR"/*.msg)" "^From: $2"
}
if setpriv --reuid=$uid --regid=65534 --clear-groups true 2>/dev/null; then
	cp "$BUILD/sendmail" "$WORK/sendmail"
	mkdir "$WORK/own"
	chown $uid "$WORK/own"
	chmod 755 "$WORK"
	text 'Subject: x'
	conf "MailRoot = $WORK/own"
	chmod 644 "$CONF"
	from_stranger 'no name' "uid$uid@client\\.test"
	echo "$uid: shop@example.com" >"$WORK/map"
	conf "MailRoot = $WORK/own" "SenderMap = $WORK/map"
	chmod 644 "$CONF" "$WORK/map"
	from_stranger 'no name, in the map' 'shop@example\.com'
else
	skip 'a uid without a passwd entry: this user cannot become one'
fi

# ---- by the other ways in ----------------------------------------------------------------------

conf 'MasqueradeDomain = example.com' 'HeaderFrom = own' \
	'HeaderFromMode = always'
rm -f "$SINKDIR"/*
printf 'EHLO me.test\r\nMAIL FROM:<web@client.test>\r\nRCPT TO:<bob@far.test>\r\nDATA\r\nFrom: web@client.test\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n' |
	sendmail -bs >"$STDOUT" 2>"$STDERR"
one_is_there() { [ "$(count_sink)" = 1 ]; }
check '-bs: it arrives' wait_for 10 one_is_there
expect_file_has '-bs: the same rules' "$(echo "$SINKDIR"/*.msg)" \
	"^From: $ME@example\\.com\$"

# ---- mistakes -----------------------------------------------------------------------------------

conf 'EnvelopeFrom = not an address'
expect_exit 'no address' 78 sendmail bob@far.test <"$WORK/m"
expect_file_has 'is named' "$STDERR" 'EnvelopeFrom .*address'
conf 'HeaderFromMode = sometimes'
expect_exit 'no mode' 78 sendmail bob@far.test <"$WORK/m"
expect_file_has 'is named' "$STDERR" 'HeaderFromMode .*missing, always'

stop_smtpd
check 'the dialogues were correct' test "$VIOLATIONS" = 0
finish
