#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What becomes of a message on its way in: line ends, dots, the header, what
# is added and what is taken away, long lines, limits; and that size and
# number cost no memory.  Most look at the file in Queue, which is what goes
# over the wire; the last ones look at a server's end of it.

. "$(dirname "$0")/lib.sh"

ME=$(id -un)@client.test
export LC_ALL=C
TEXT=$WORK/text
write_conf

# The text of the one message in Queue, octet for octet, into $TEXT.
take_text() {
	: >"$TEXT"
	set -- "$ROOT"/Queue/*.eml
	[ $# -eq 1 ] && [ -f "$1" ] || return 0
	at=$(sed -n '1s/.*envelope=0*\([0-9]*\) .*/\1/p' "$1")
	tail -c "+$((at + 1))" "$1" >"$TEXT"
}

# takes 'name' 'input, as printf reads it' argument...
takes() {
	name=$1 input=$2
	shift 2
	rm -rf "$ROOT/Queue"
	# shellcheck disable=SC2059 # the input is a format
	printf "$input" >"$WORK/input"
	expect_exit "$name" 0 sendmail -odq "$@" <"$WORK/input"
	expect_silent "$name"
	take_text
	check "$name: no bare CR or LF" legal "$TEXT"
}
# As many CRs as LFs as lines that end in both.
legal() {
	lines=$(wc -l <"$1")
	[ "$lines" = "$(LC_ALL=C grep -ac "$(printf '\r')\$" "$1")" ] &&
		[ "$lines" = "$(tr -dc '\r' <"$1" | wc -c)" ]
}

# refuses 'name' STATUS REGEX argument...: $WORK/input; nothing is kept.
refuses() {
	name=$1 wanted=$2 why=$3
	shift 3
	rm -rf "$ROOT/Queue"
	expect_exit "$name" "$wanted" sendmail "$@" <"$WORK/input"
	expect_empty "$name (stdout)" "$STDOUT"
	check "$name: one line" test "$(grep -c '' "$STDERR")" = 1
	expect_file_has "$name: why" "$STDERR" "^sendmail: .*$why"
	check "$name: nothing kept" \
		test -z "$(find "$ROOT" -type f ! -path '*/State/*')"
}

# body_is 'name' 'as printf writes it'
body_is() {
	# shellcheck disable=SC2059
	printf "$2" >"$WORK/wanted"
	sed '1,/^\r$/d' "$TEXT" >"$WORK/body"
	if cmp -s "$WORK/body" "$WORK/wanted"; then good; else
		bad "$1"
		od -c "$WORK/body" | head -n 20
	fi
}
# What stands before the first empty line.
head_has() {
	sed '/^\r$/,$d' "$TEXT" >"$WORK/head"
	expect_file_has "$1" "$WORK/head" "$2"
}
head_lacks() {
	sed '/^\r$/,$d' "$TEXT" >"$WORK/head"
	expect_file_lacks "$1" "$WORK/head" "$2"
}
# field_is 'name' FIELD 'its value, unfolded and decoded'
field_is() {
	got=$(python3 - "$TEXT" "$2" <<-'END'
		import email, email.policy, sys
		with open(sys.argv[1], "rb") as f:
		    m = email.message_from_binary_file(f, policy=email.policy.default)
		sys.stdout.buffer.write("|".join(m.get_all(sys.argv[2], [])).encode())
	END
	)
	if [ "$got" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$got" "$3"
	fi
}
receivers() {
	tr -d '\r' <"$(echo "$ROOT"/Queue/*.eml)" |
		sed -n 's/^x-receiver: <\([^>]*\)>.*/\1/p' | tr '\n' ' '
}

# ---- line ends ---------------------------------------------------------------

H='Subject: s\n\n'
takes 'LF' "${H}a\nb\n" bob@far.test
body_is 'LF becomes CRLF' 'a\r\nb\r\n'
takes 'CRLF' 'Subject: s\r\n\r\na\r\nb\r\n' bob@far.test
body_is 'CRLF stays' 'a\r\nb\r\n'
head_has 'CRLF: the header is one' '^Subject: s$'
takes 'mixed: CRLF header, LF body' 'Subject: s\r\nX-A: 1\r\n\r\na\nb\n' \
	bob@far.test
body_is 'mixed' 'a\r\nb\r\n'
takes 'mixed in the header' 'Subject: s\nX-A: 1\r\nX-B: 2\n\r\na\r\nb\n' \
	bob@far.test
head_has 'mixed in the header: the last field' '^X-B: 2$'
body_is 'mixed in the header' 'a\r\nb\r\n'
takes 'CR CR LF' 'Subject: s\r\r\n\r\r\na\r\r\nb\r\r\r\n' bob@far.test
head_has 'CR CR LF: the header' '^Subject: s$'
body_is 'CR CR LF is one line end' 'a\r\nb\r\n'
takes 'a bare CR' "${H}a\rb\nc\r d\n\re\n" bob@far.test
body_is 'a bare CR is a blank' 'a b\r\nc  d\r\n e\r\n'
takes 'a bare CR in the header' 'Subject: s\rBcc: x@far.test\n\na\n' \
	bob@far.test
head_has 'a bare CR begins no field' '^Subject: s Bcc: x@far\.test$'
check 'a bare CR hides no recipient' test "$(receivers)" = 'bob@far.test '
takes 'CR . CR LF' "${H}a\r.\r\nb\r.\rc\n.\rd\n" -i bob@far.test
body_is 'CR . CR LF ends nothing' 'a .\r\nb . c\r\n. d\r\n'
takes 'no newline at the end' "${H}a\nb" bob@far.test
body_is 'no newline at the end gets one' 'a\r\nb\r\n'
takes 'CR at the end' "${H}a\nb\r" bob@far.test
body_is 'CR at the end is a line end' 'a\r\nb\r\n'
takes 'empty lines stay' "${H}\n\na\n\n\n" bob@far.test
body_is 'empty lines stay' '\r\n\r\na\r\n\r\n\r\n'

# ---- dots ----------------------------------------------------------------------

takes 'a lone dot' "${H}a\n.\nb\n" bob@far.test
body_is 'a lone dot ends the input' 'a\r\n'
takes 'a lone dot, CRLF' "${H}a\r\n.\r\nb\r\n" bob@far.test
body_is 'a lone dot, CRLF' 'a\r\n'
takes 'a lone dot at the very end' "${H}a\n." bob@far.test
body_is 'a lone dot at the very end' 'a\r\n'
takes 'a lone dot with -i' "${H}a\n.\nb\n." -i bob@far.test
body_is 'with -i it is text' 'a\r\n.\r\nb\r\n.\r\n'
takes 'stuffed dots' "${H}..\n..a\n...\n.b\n. \n" bob@far.test
body_is '.. becomes .' '.\r\n.a\r\n..\r\n.b\r\n. \r\n'
takes 'stuffed dots with -i' "${H}..\n..a\n...\n" -i bob@far.test
body_is 'with -i .. stays' '..\r\n..a\r\n...\r\n'
takes 'a dot in the header' 'Subject: s\n.\nb\n' bob@far.test
body_is 'a dot in the header ends the input' ''
takes 'nothing but a dot' '.\n' bob@far.test
body_is 'nothing but a dot' ''

# ---- the header: what is dropped ---------------------------------------------------

takes 'From_' "From root Sun Nov 22 01:00:00 2026\n${H}a\n" bob@far.test
head_lacks 'From_ is gone' '^From root'
head_has 'From_: the header follows' '^Subject: s$'
takes '>From_' ">From root Sun Nov 22\nFrom x y\n${H}a\n" bob@far.test
head_lacks '>From_ is gone' 'root Sun|^From x y'
takes 'From_ in the body' "${H}From here on\n>From there\n" bob@far.test
body_is 'From_ in the body stays' 'From here on\r\n>From there\r\n'

bcc='To: bob@far.test\nBcc: ann@far.test,\n\tdan@far.test\n (x),\n eve@far.test
bcc : fay@far.test
RESENT-BCC: gus@far.test,\n  hal@far.test\nX-Last: 1\n\nbody\nBcc: text\n'
takes 'Bcc without -t' "$bcc" bob@far.test
head_lacks 'Bcc is stripped' '^[Bb][Cc][Cc]|@far\.test,$|ann@|dan@|eve@|fay@'
head_lacks 'Resent-Bcc is stripped' 'RESENT-BCC|gus@|hal@'
head_has 'what follows a stripped field stays' '^X-Last: 1$'
body_is 'Bcc in the body is text' 'body\r\nBcc: text\r\n'
check 'Bcc without -t receives nothing' test "$(receivers)" = 'bob@far.test '
takes 'Bcc with -t' "${bcc%%RESENT*}\nbody\n" -t
head_lacks 'Bcc with -t is stripped' '^[Bb][Cc][Cc]|ann@|dan@|eve@|fay@'
check 'Bcc with -t receives, folded too' test "$(receivers)" = \
	'bob@far.test ann@far.test dan@far.test eve@far.test fay@far.test '
takes 'Resent with -t' 'To: a@far.test\nCc: b@far.test\nResent-To: c@far.test
Resent-Bcc: d@far.test,\n e@far.test\nResent-From: x@y.test\n\n' -t
check 'Resent with -t: only these' test "$(receivers)" = \
	'c@far.test d@far.test e@far.test '
head_lacks 'Resent-Bcc with -t' 'd@far|e@far'
head_has 'Resent-To stays' '^Resent-To: c@far\.test$'
takes 'Return-Path and Content-Length' \
	'Return-Path: <x@y.test>\nContent-Length: 7\nSubject: s\n\na\n' bob@far.test
head_lacks 'they are dropped' 'Return-Path|Content-Length'

# ---- the header: what is added ---------------------------------------------------------

takes 'only a subject' "${H}a\n" bob@far.test
head_has 'From is added' "^From: (.* <)?$ME>?$"
head_has 'Date is added' \
	'^Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [-+][0-9]{4}$'
head_has 'Message-ID is added' '^Message-ID: <[^ <>@]+@client\.test>$'
head_has 'Received is added' '^Received: '
check 'Received stands first' test "$(head -c 9 "$TEXT")" = 'Received:'
check 'Received once' test "$(grep -c '^Received:' "$TEXT")" = 1
takes 'all there' 'Date: Mon, 1 Jan 2024 00:00:00 +0000\nMESSAGE-ID: <x@y>
from: <x@y.test>\n\na\n' bob@far.test
check 'what is there is not added' \
	test "$(grep -aciE '^(date|message-id|from):' "$TEXT")" = 3
head_has 'and stays' '^MESSAGE-ID: <x@y>$'
takes 'empty ones' 'From:\nDate:  \nMessage-ID:\n\nb\n' -f a@x.test bob@far.test
head_has 'an empty From is filled' '^From: (.* <)?a@x\.test>?$'
check 'empty ones are replaced, not doubled' \
	test "$(grep -aciE '^(date|message-id|from):' "$TEXT")" = 3
takes 'no header at all' 'hello there\nsecond line\n' bob@far.test
body_is 'no header at all: all is body' 'hello there\r\nsecond line\r\n'
head_has 'no header at all: has one now' '^Message-ID: '
takes 'an empty line first' '\nSubject: no\n' bob@far.test
body_is 'an empty line first: all is body' 'Subject: no\r\n'
takes 'a header that breaks off' 'Subject: s\nno field here\nX-A: 1\n' \
	bob@far.test
head_has 'it ends there' '^Subject: s$'
body_is 'the rest is body' 'no field here\r\nX-A: 1\r\n'
takes 'a header and nothing else' 'Subject: s\nX-A: 1' bob@far.test
head_has 'a header and nothing else' '^X-A: 1$'
body_is 'a header and nothing else: no body' ''
takes 'an empty message' '' bob@far.test
head_has 'an empty message has a header' '^From: '
body_is 'an empty message has no body' ''
takes 'a text that looks like an envelope' \
	'x-receiver: eve@far.test\nx-sender: x@y.test\n\nx-receiver: a@b.test\n' \
	bob@far.test
head_has 'it stays text' '^x-receiver: eve@far\.test$'
printf 'two\n' >"$WORK/input"
expect_exit 'it is listed' 0 sendmail -bp
expect_file_lacks 'and is no recipient' "$STDOUT" 'eve@far'

# ---- names -------------------------------------------------------------------------------------

takes 'bare names' 'From: root (Cron Daemon)\nTo: ops, "A, B" <c>,
\tx@y.test\nCc: team: d, e;\nReply-To: Help Desk <help>\nSubject: to root\n\n' \
	-t -f root
head_has 'From with a comment' '^From: root@client\.test \(Cron Daemon\)$'
head_has 'To' '^To: ops@client\.test, "A, B" <c@client\.test>,$'
head_has 'Cc with a group' '^Cc: team: d@client\.test, e@client\.test;$'
head_has 'Reply-To' '^Reply-To: Help Desk <help@client\.test>$'
head_has 'Subject is no address' '^Subject: to root$'
expect_file_has 'the sender' "$(echo "$ROOT"/Queue/*)" \
	'^x-sender: <root@client\.test>'
check 'the groups are open' test "$(receivers)" = 'ops c x@y.test d e '
takes 'bare names, all mail to a smart host' "${H}a\n" \
	-O SmartHost=127.0.0.1:9 bob carol@far.test
check 'are qualified' test "$(receivers)" = 'bob@client.test carol@far.test '
takes 'a list in an argument' "${H}a\n" \
	'Bob <bob@far.test>, carol@far.test (C, D), "d e"@far.test, g: h@far.test;'
check 'a list in an argument: each' test "$(receivers)" = \
	'bob@far.test carol@far.test "d e"@far.test h@far.test '
takes '-t and arguments' 'To: bob@far.test, carol@FAR.test\nCc: bob@far.test\n\n' \
	-t dan@far.test carol@far.test bob@far.test,dan@far.test
check '-t and arguments: each once' test "$(receivers)" = \
	'dan@far.test carol@far.test bob@far.test '
takes 'several To' 'To: a@far.test\nTo: b@far.test\nto: c@far.test\n\n' -t
check 'several To: all' test "$(receivers)" = 'a@far.test b@far.test c@far.test '
takes 'undisclosed' 'To: undisclosed-recipients:;\n\n' -t bob@far.test
check 'an empty group is nobody' test "$(receivers)" = 'bob@far.test '
head_has 'and stays' '^To: undisclosed-recipients:;$'
takes '-t with routes and comments' \
	'To: <@relay.test:bob@far.test>, (c) dan (x) @ far.test\n\n' -t
check 'routes are not obeyed' test "$(receivers)" = 'bob@far.test dan@far.test '

# ---- text that is not ASCII ------------------------------------------------------------------------

takes '-F with UTF-8' "${H}a\n" -F 'Jürgen Müller' -f j@x.test bob@far.test
head_lacks '-F: no 8-bit octet' "$(printf '[\200-\377]')"
field_is '-F: decoded' From 'Jürgen Müller <j@x.test>'
takes '-F with a comma' "${H}a\n" -F 'Müller, Jürgen' -f j@x.test bob@far.test
field_is '-F with a comma: decoded' From '"Müller, Jürgen" <j@x.test>'
takes '-F with a line end' "${H}a\n" -F "$(printf 'A\nBcc: x@y.test')" \
	-f j@x.test bob@far.test
head_lacks '-F with a line end makes no field' '^Bcc'
takes '8-bit headers' 'Subject: Grüße aus Köln\nFrom: Jörg <j@x.test>
To: "Ärzte, Die" <a@far.test>, Jürgen (Müßig) <b@far.test>
X-Note: über\n\nGrüße\n' -t
head_lacks '8-bit headers: none is left' "$(printf '[\200-\377]')"
field_is '8-bit Subject' Subject 'Grüße aus Köln'
field_is '8-bit From' From 'Jörg <j@x.test>'
field_is '8-bit X-Note' X-Note 'über'
check '8-bit To is addressed' test "$(receivers)" = 'a@far.test b@far.test '
body_is '8-bit text is stored as it is' 'Grüße\r\n'
expect_file_has '8-bit text is declared' "$(echo "$ROOT"/Queue/*)" \
	'^x-sender: .*BODY=8BITMIME'
takes 'Latin-1 header' 'Subject: Gr\374\337e\n\na\n' bob@far.test
field_is 'Latin-1 Subject' Subject 'Grüße'

# ---- limits ---------------------------------------------------------------------------------------------

# header OCTETS: that many in CRLF form, the empty line with them, in LF form.
header() {
	awk -v n="$1" 'BEGIN {
		print "Subject: large"; n -= 16 + 2
		while (n > 200) { printf "X-Fill: %090d\n", 0; n -= 100 }
		printf "X-Fill: %0*d\n\n", n - 10, 0 }'
}
{ header 1048576; echo body; } >"$WORK/input"
rm -rf "$ROOT/Queue"
expect_exit 'a header of 1 MiB' 0 sendmail -odq bob@far.test <"$WORK/input"
take_text
check 'a header of 1 MiB is whole' test "$(grep -c '^X-Fill' "$TEXT")" -gt 10000
body_is 'a header of 1 MiB: body' 'body\r\n'
{ header 1048577; echo body; } >"$WORK/input"
refuses 'a header over 1 MiB' 65 'larger than 1048576 octets' -odq bob@far.test
head -c 3000000 /dev/zero | tr '\0' 'x' | sed 's/^/X: /' >"$WORK/input"
refuses 'one field of 3 MB' 65 'header' -odq bob@far.test

{ for i in $(seq 100); do echo "Received: by hop$i"; done; echo; } \
	>"$WORK/hops"
cp "$WORK/hops" "$WORK/input"
expect_exit '100 hops' 0 sendmail -odq bob@far.test <"$WORK/input"
{ echo 'Received: one more'; cat "$WORK/hops"; } >"$WORK/input"
refuses '101 hops' 69 '5\.4\.6 mail loop' -odq bob@far.test
refuses 'HopCount 15' 69 'HopCount' -O HopCount=15 bob@far.test

awk 'BEGIN { print "Subject: s\n"; for (i = 0; i < 3000; i++)
	printf "%098d\n", i }' >"$WORK/input"
refuses 'larger than MaxMessageSize' 65 'MaxMessageSize \(200000 octets\)' \
	-odq -O MaxMessageSize=200000 bob@far.test
expect_exit 'MaxMessageSize 0 is none' 0 sendmail -odq -O MaxMessageSize=0 \
	bob@far.test <"$WORK/input"
# To the octet: what is stored is what is counted.
rm -rf "$ROOT/Queue"
expect_exit 'its size' 0 sendmail -odq bob@far.test <"$WORK/input"
take_text
size=$(wc -c <"$TEXT")
expect_exit 'MaxMessageSize reached' 0 sendmail -odq \
	-O MaxMessageSize="$size" bob@far.test <"$WORK/input"
refuses 'MaxMessageSize less one' 65 'MaxMessageSize' -odq \
	-O MaxMessageSize=$((size - 1)) bob@far.test
printf 'Subject: s\n\na\000b\n' >"$WORK/input"
refuses 'NUL in the body' 65 'NUL' -odq bob@far.test
printf 'Subject: \000s\n\na\n' >"$WORK/input"
refuses 'NUL in the header' 65 'NUL' -odq bob@far.test
{ printf 'Subject: s\n\n'; head -c 3000000 /dev/zero | tr '\0' x; printf '\000'
} >"$WORK/input"
refuses 'NUL behind 3 MB' 65 'NUL' -odq bob@far.test
printf 'Subject: s\n\n.\n\000\n' >"$WORK/input"
expect_exit 'NUL behind the end' 0 sendmail -odq bob@far.test <"$WORK/input"

# ---- long lines --------------------------------------------------------------------------------------------

# Each of these goes in by python and comes out by python: the decoded content
# must be equal, and no line longer than 998.
mkdir "$WORK/long"
rm -rf "$ROOT/Queue"
python3 - "$WORK/long" <<-'END'
	import os, sys
	x = b"x" * 998
	e = "ä".encode()
	text = b"words and more words " * 60
	both = (b"Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n"
	    b"preamble\n--b\nContent-Type: text/plain; charset=utf-8\n\n" + text +
	    b"\n--b\nContent-Type: application/x-y\n"
	    b"Content-Disposition: attachment; filename=y\n\n" + x + x +
	    b"\n--b\nContent-Type: text/html\n"
	    b"Content-Transfer-Encoding: quoted-printable\n\n" +
	    b"=3Dabc " * 300 + b"\n--b\nContent-Type: image/png\n"
	    b"Content-Transfer-Encoding: base64\n\n" + b"QUJD" * 700 +
	    b"\n--b--\n")
	for name, data in {
	    "998": b"Subject: s\n\n" + x + b"\n",
	    "999": b"Subject: s\n\n" + x + b"y\n",
	    "5000": b"Subject: s\n\nshort\n" + x * 5 + b"\n.\n..a\n",
	    "no-newline": b"Subject: s\n\n" + x * 2,
	    "no-header": text + b"\nand so on\n",
	    "utf-8": b"Subject: s\n\n" + e * 2000 + b"\n" + b"plain = text \n",
	    "latin-1": b"Subject: s\n\n" + b"\xe4\xf6 " * 900 + b"\n",
	    "dots": b"Subject: s\n\n" + text + b"\n" + b".a\n" * 20,
	    "from": b"Subject: s\n\n" + text + b"\nFrom here\n--b\n=20\n",
	    "multipart": both,
	    "1-mib-line": b"Subject: s\n\n" + text * 800 + b"\nend\n",
	}.items():
	    with open(os.path.join(sys.argv[1], name), "wb") as f:
	        f.write(data)
END
for input in "$WORK"/long/*; do
	name=${input##*/}
	rm -rf "$ROOT/Queue"
	expect_exit "long line: $name" 0 sendmail -odq -i bob@far.test <"$input"
	expect_silent "long line: $name"
	take_text
	cp "$TEXT" "$input.out"
done
if python3 - "$WORK/long" >"$WORK/judged" <<-'END'
	import email, glob, sys
	def leaves(data):
	    m = email.message_from_bytes(data)
	    return [(p.get_content_type(), p.get_filename(),
	             p.get_payload(decode=True).replace(b"\r\n", b"\n").rstrip(b"\n"))
	            for p in m.walk() if not p.is_multipart()]
	bad = 0
	for name in sorted(glob.glob(sys.argv[1] + "/*[!t]")):
	    if name.endswith(".out"):
	        continue
	    data = open(name, "rb").read()
	    out = open(name + ".out", "rb").read()
	    if not data.startswith((b"Subject", b"Content")):
	        data = b"\n" + data
	    a, b = leaves(data.replace(b"\n", b"\r\n")), leaves(out)
	    lines = max(len(l) for l in out.split(b"\r\n"))
	    if [x[1:] for x in a] != [x[1:] for x in b] or lines > 998:
	        bad = 1
	        print(name, lines, str(a)[:300], str(b)[:300])
	sys.exit(bad)
END
then good; else
	bad 'long lines: decoded content and line length'
	show "$WORK/judged"
fi
check '998 octets are left alone' sh -c \
	'! grep -qi "^content-transfer-encoding" "$1"' - "$WORK/long/998.out"
check '999 octets are not' \
	grep -qi '^content-transfer-encoding' "$WORK/long/999.out"

x=$(printf '%01200d' 0)
signed="Content-Type: multipart/signed; boundary=b; micalg=pgp-sha256;
 protocol=\"application/pgp-signature\"\nMIME-Version: 1.0

--b\nContent-Type: text/plain

%s\n--b\nContent-Type: application/pgp-signature\n\nsig\n--b--\n"
# shellcheck disable=SC2059
printf "$signed" "$x" >"$WORK/input"
refuses 'a signed message with a long line' 65 'signed.*998' -odq bob@far.test
# shellcheck disable=SC2059
takes 'a signed message without' "$(printf "$signed" short)" bob@far.test
check 'a signed message is left alone' grep -q '^short' "$TEXT"

words=$(printf 'word %.0s' $(seq 1000))
takes 'a header line of 5000 octets' "Subject: $words\n\na\n" bob@far.test
check 'it is folded' test "$(awk '{ if (length > n) n = length }
	END { print n }' "$TEXT")" -le 999
field_is 'and says the same' Subject "${words% }"
takes 'a word of 5000 octets' "Subject: $(printf '%05000d' 0)\n\na\n" bob@far.test
field_is 'is encoded' Subject "$(printf '%05000d' 0)"
printf 'X-Token: %05000d\n\na\n' 0 >"$WORK/input"
refuses 'what cannot be folded' 65 'X-Token.*998' -odq bob@far.test

# ---- the same at the other end -------------------------------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
printf 'Subject: s\r\n\na\rb\r\r\n..\n.c\n\303\244\n' >"$WORK/input"
expect_exit 'sent' 0 sendmail -i bob@far.test <"$WORK/input"
expect_silent 'sent'
sed '1,/^$/d' "$SINKDIR/0001.msg" >"$TEXT"
body_is 'what arrives' 'a b\r\n..\r\n.c\r\n\303\244\r\n'
stop_smtpd
check 'the dialogue was correct' test "$VIOLATIONS" = 0

# ---- many recipients ---------------------------------------------------------------------------------------------

rm -rf "$ROOT/Queue"
awk 'BEGIN { printf "To: first@far.test"
	for (i = 1; i < 5000; i++) printf ",\n user%d@far.test", i
	printf "\nBcc: last@far.test"
	for (i = 5001; i < 10000; i++) printf ", user%d@far.test", i
	print "\n\nto all" }' >"$WORK/input"
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
expect_exit '10,000 recipients' 0 sendmail -odq -t first@far.test last@far.test \
	<"$WORK/input"
expect_silent '10,000 recipients'
check '10,000 recipients in one file' test "$(count Queue)" = 1
check '10,000 recipients, each once' test "$(receivers | wc -w)" = 10000
expect_exit '10,000 recipients: the run' 0 sendmail -q --flush
expect_silent '10,000 recipients: the run'
check 'all are gone' test "$(count Queue)" = 0
check 'each received it once' test "$(cat "$SINKDIR"/*.msg | grep -a '^rcpt: ' |
	sed 's/>.*//' | sort -u | wc -l)" = 10000
stop_smtpd
check 'in transactions of MaxRecipients' test "$MESSAGES" = 100
check 'with a correct dialogue' test "$VIOLATIONS" = 0
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxRecipients = 1000'
expect_exit '10,000 recipients at once' 0 sendmail -t <"$WORK/input"
expect_silent '10,000 recipients at once'
gone() { [ "$(count Queue)" = 0 ]; }
wait_for 20 gone || :
stop_smtpd
check '10,000 recipients at once, by 1000' test "$MESSAGES" = 10

# ---- large messages ------------------------------------------------------------------------------------------------

# 100 MiB in LF form; the second kind has a line over 998 in each MiB.
awk 'BEGIN { line = "0123456789 the quick brown fox jumps over the dog, gr\303\274\303\237t"
	for (i = 0; i < 15000; i++) print line, i }' >"$WORK/mib"
head -c 1048576 "$WORK/mib" >"$WORK/mib.short"
{ head -c 1046000 "$WORK/mib"; printf '%02500d\n' 0; } >"$WORK/mib.long"
large() { printf 'Subject: large\n\n'; for i in $(seq 100); do cat "$1"; done; }
large "$WORK/mib.short" >"$WORK/large"
large "$WORK/mib.long" >"$WORK/large.long"
{ printf 'Subject: small\n\n'; head -c 2000 "$WORK/mib"; } >"$WORK/small"

# peak FILE: the most memory, in KiB, that sending it took, into $PEAK.  Looked
# up while the server keeps its last answer back, when all the work is done.
peak() {
	: >"$DIALOGUE"
	PEAK=0
	# shellcheck disable=SC2086
	env -i "$BUILD/sendmail" -C "$CONF" -i bob@far.test <"$1" \
		>"$STDOUT" 2>"$STDERR" &
	pid=$!
	if wait_for 60 grep -q 'octets of text' "$DIALOGUE"; then
		PEAK=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
			"/proc/$pid/status")
	fi
	status=0
	wait "$pid" || status=$?
	check "sent: ${1##*/}" test "$status" = 0
	expect_silent "sent: ${1##*/}"
}
within() { [ "$1" -gt 0 ] && [ $(($1 - $2)) -le 1024 ]; }

for way in 'as it is:8BITMIME,SIZE,PIPELINING' 'with BDAT:8BITMIME,CHUNKING,SIZE' \
	're-encoded for the server:SIZE,PIPELINING'; do
	offers=${way#*:} way=${way%:*}
	start_smtpd -e "$offers" -r 'END delay 300'
	write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxMessageSize = 0' \
		'ImmediateTimeout = 100'
	peak "$WORK/small"
	small=$PEAK
	peak "$WORK/large"
	large=$PEAK
	if [ "$way" = 'as it is' ]; then
		check '100 MiB arrived whole' test "$(sed '1,/^$/d' \
			"$SINKDIR/0002.msg" | sed '1,/^\r$/d' | tr -d '\r' |
			cksum)" = "$(sed '1,/^$/d' "$WORK/large" | cksum)"
		peak "$WORK/large.long"
		long=$PEAK
	fi
	stop_smtpd
	check "100 MiB $way: correct dialogue" test "$VIOLATIONS" = 0
	rm -rf "$SINKDIR"
	case $BUILD in
	*san*)	skip "memory for 100 MiB $way: a sanitizer's is no measure"
		continue ;;
	esac
	check "100 MiB $way takes the memory of 2 KiB ($large, $small)" \
		within "$large" "$small"
	[ "$way" != 'as it is' ] ||
		check "100 MiB with long lines too ($long, $small)" \
			within "$long" "$small"
done
check 'nothing was left behind' test "$(count Queue)" = 0
finish
