#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Out by SMTP, judged by what is on the wire: verbs and masks, 8-bit text on
# 7-bit ways, and recipients that each have a fate of their own.

. "$(dirname "$0")/lib.sh"

ALL=PIPELINING,SIZE,8BITMIME,CHUNKING,DSN,ENHANCEDSTATUSCODES
KEY=SmtpOutboundCommandSupportOptions

# ---- helpers ----------------------------------------------------------------

printf 'Subject: plain\n\nfirst line\n.a dot\n..two dots\n\nlast\n' >"$WORK/plain"
printf 'Subject: accents\nMIME-Version: 1.0\n%s\n%s\n\nGr\303\274\303\237e\n' \
	'Content-Type: text/plain; charset=utf-8' \
	'Content-Transfer-Encoding: 8bit' >"$WORK/accents"

# deliver 'name' FILE [arguments]: it goes out at once and in silence, and the
# dialogue is that of this message alone.
deliver() {
	what=$1 file=$2
	shift 2
	: >"$DIALOGUE"
	expect_exit "$what" 0 sendmail -i -f alice@client.test "$@" <"$file"
	expect_silent "$what"
}
said() { expect_file_has "$1" "$DIALOGUE" "^[0-9]+ C: $2"; }
unsaid() { expect_file_lacks "$1" "$DIALOGUE" "^[0-9]+ C: $2"; }
commands() { grep -c "^[0-9]* C: $1" "$DIALOGUE" || :; }
newest() { find "$SINKDIR" -name '*.msg' | sort | tail -n 1; }
# The octets of a stored message, without smtpd's own lines.
text_of() { sed '1,/^$/d' "$1"; }
clean() { rm -rf "$ROOT" "$WORK/log"; }
# correct 'name': the server is stopped, and had nothing to complain of.
correct() {
	stop_smtpd "$SERVER"
	check "$1: the dialogue was correct" test "$VIOLATIONS" = 0
}
# How often it wrote to the network.  A debugger and a leak check exclude each
# other.
writes() {
	cat >"$WORK/traced" <<-END
		#!/bin/sh
		exec strace -f -qq -e trace=sendto,sendmsg -e signal=none \\
			-o "$WORK/trace" "$BUILD/sendmail" "\$@"
	END
	chmod +x "$WORK/traced"
	env -i PATH="$PATH" ASAN_OPTIONS=detect_leaks=0 "$WORK/traced" -C "$CONF" \
		-f alice@client.test "$@" <"$WORK/plain" >"$STDOUT" 2>"$STDERR"
	grep -c 'send[a-z]*([0-9]' "$WORK/trace" || :
}

# ---- everything offered, everything used ------------------------------------

start_smtpd -e "$ALL"
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'everything' "$WORK/accents" -N success,failure,delay -R hdrs \
	-V ticket+7 bob@far.test carol@far.test
said 'EHLO with our name' 'EHLO client\.test$'
said 'parameters of MAIL' \
	'MAIL FROM:<alice@client.test> SIZE=[0-9]+ RET=HDRS ENVID=[^ ]+ BODY=8BITMIME$'
said 'parameters of RCPT' \
	'RCPT TO:<bob@far.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob@far.test$'
said 'both recipients in one transaction' 'RCPT TO:<carol@far.test>'
said 'BDAT' 'BDAT [0-9]+ LAST$'
unsaid 'no DATA' DATA
said 'a good-bye' QUIT
check 'the size that was said is the size that came' test \
	"$(sed -n 's/.*SIZE=\([0-9]*\).*/\1/p' "$DIALOGUE")" = \
	"$(text_of "$(newest)" | wc -c)"
check 'one message' test "$(count_sink)" = 1
check 'nothing stays' test "$(count Queue)" = 0
deliver 'plain text' "$WORK/plain" bob@far.test
unsaid 'no BODY for 7-bit text' '.*BODY='
unsaid 'no DSN parameters unasked' '.*(NOTIFY|ORCPT|RET|ENVID)='
text_of "$(newest)" | tr -d '\r' | sed '1,/^$/d' >"$WORK/body"
sed '1,/^$/d' "$WORK/plain" >"$WORK/want"
check 'BDAT carries the text as it is' cmp -s "$WORK/body" "$WORK/want"
write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = -CHUNKING"
deliver 'by DATA' "$WORK/plain" bob@far.test
text_of "$(newest)" | tr -d '\r' | sed '1,/^$/d' >"$WORK/body"
check 'dots are doubled and undoubled' cmp -s "$WORK/body" "$WORK/want"
correct everything

# ---- the masks --------------------------------------------------------------

# features: the verbs that were used, as the dialogue shows them.
features() {
	for verb in EHLO HELO BDAT DATA; do
		! grep -q "C: $verb" "$DIALOGUE" || printf '%s ' "$verb"
	done
	for word in SIZE= BODY=8BITMIME RET= NOTIFY=; do
		! grep -q "C: .* $word" "$DIALOGUE" || printf '%s ' "$word"
	done
}
# masked MASK 'features': one message with 8-bit text under this mask.
masked() {
	write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = $1"
	deliver "mask $1" "$WORK/accents" -N success -R full bob@far.test
	found=$(features)
	check "mask $1 uses $found" test "$found" = "$2 "
	text_of "$(newest)" >"$WORK/text"
	case $2 in
	*8BITMIME*) expect_file_has "mask $1: raw" "$WORK/text" "$(printf \
		'^Gr\303\274\303\237e$')" ;;
	*)	expect_file_has "mask $1: encoded" "$WORK/text" \
			'^(Gr=C3=BC=C3=9Fe|R3LDvMOfZ[Qg][o=0]+.*)$' ;;
	esac
}
start_smtpd -e "$ALL"
WHOLE='SIZE= BODY=8BITMIME RET= NOTIFY='
masked 7697601 "EHLO BDAT $WHOLE"
masked 7 "EHLO BDAT $WHOLE"
masked 2 "EHLO BDAT $WHOLE"
masked 5 "EHLO DATA $WHOLE"
masked 1 "EHLO DATA $WHOLE"
masked 4551873 "EHLO DATA $WHOLE"
masked 3503297 'EHLO BDAT SIZE= RET= NOTIFY='
masked 0 'HELO DATA'
masked -1 "EHLO BDAT $WHOLE"
masked 0x7574C1 "EHLO BDAT $WHOLE"
masked '-CHUNKING' "EHLO DATA $WHOLE"
masked 'all, -dsn' 'EHLO BDAT SIZE= BODY=8BITMIME'
masked '5 +CHUNKING -SIZE' 'EHLO BDAT BODY=8BITMIME RET= NOTIFY='
masked none 'EHLO DATA'
masked 'none 8BITMIME' 'EHLO DATA BODY=8BITMIME'
masked 'none SIZE DSN' 'EHLO DATA SIZE= RET= NOTIFY='
correct masks

# Per domain: the section beats all, for its domain, also in one message.
start_smtpd -e "$ALL"
write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = 7" \
	'[domain old.test]' "$KEY = 5" \
	'[domain *.ancient.test]' "$KEY = 0"
deliver 'a section: old.test' "$WORK/accents" bob@old.test
check 'old.test has no BDAT' test "$(features)" = \
	'EHLO DATA SIZE= BODY=8BITMIME '
deliver 'a section: mx.ancient.test' "$WORK/accents" bob@mx.ancient.test
check 'below ancient.test there is only HELO' test "$(features)" = 'HELO DATA '
deliver 'a section: another domain' "$WORK/accents" bob@far.test
check 'far.test has all' test "$(features)" = \
	'EHLO BDAT SIZE= BODY=8BITMIME '
deliver 'three ways for one message' "$WORK/accents" \
	bob@old.test bob@mx.ancient.test bob@far.test
check 'each recipient its way' test \
	"$(commands 'BDAT') $(commands DATA) $(commands HELO) $(commands RCPT)" = '1 2 1 3'
deliver 'a section loses to none: -O' "$WORK/accents" -O "$KEY=7" bob@old.test
check 'old.test keeps its mask against -O' test "$(commands DATA)" = 1
correct sections

# PIPELINING shows in how often is written: EHLO, one group, QUIT.
if strace -o /dev/null true 2>/dev/null; then
	start_smtpd -e "$ALL"
	write_conf "SmartHost = 127.0.0.1:$PORT"
	check 'pipelined with BDAT: three writes' test \
		"$(writes bob@far.test carol@far.test)" = 3
	write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = -CHUNKING"
	check 'pipelined with DATA: four writes' test \
		"$(writes bob@far.test carol@far.test)" = 4
	write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = -PIPELINING"
	check 'masked: every command waits' test \
		"$(writes bob@far.test carol@far.test)" = 6
	correct pipelining
	start_smtpd -e SIZE,8BITMIME,DSN
	write_conf "SmartHost = 127.0.0.1:$PORT"
	check 'not offered: every command waits' test \
		"$(writes bob@far.test carol@far.test)" = 7
	correct 'no pipelining'
else
	skip 'strace cannot trace here: how often is written'
fi

# ENHANCEDSTATUSCODES: whether the X.Y.Z of a reply is read.
start_smtpd -e "$ALL" -r 'RCPT reply 550 5.7.1 not you'
write_conf "SmartHost = 127.0.0.1:$PORT"
expect_exit 'the status is read' 69 sendmail bob@far.test <"$WORK/plain"
expect_file_has 'the status is read' "$STDERR" '550 5\.7\.1 not you'
write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = -ENHANCEDSTATUSCODES"
expect_exit 'the status is not read' 67 sendmail bob@far.test <"$WORK/plain"
expect_file_has 'it is but text' "$STDERR" '550 5\.0\.0 5\.7\.1 not you'
correct 'enhanced status'

# ---- old and odd servers ----------------------------------------------------

start_smtpd -r 'EHLO reply 502 5.5.1 what is EHLO'
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'EHLO refused' "$WORK/accents" -N success bob@far.test
check 'then HELO, on the same connection' test "$(features)" = 'EHLO HELO DATA '
correct 'EHLO refused'
check 'one connection' test "$CONNECTIONS" = 1

start_smtpd -r 'EHLO close'
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'closed on EHLO' "$WORK/plain" bob@far.test
check 'then HELO, on another' test "$(features)" = 'EHLO HELO DATA '
correct 'closed on EHLO'
check 'two connections' test "$CONNECTIONS" = 2

start_smtpd -e "$ALL" -r 'BDAT reply 502 5.5.1 what is BDAT'
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'BDAT announced and unknown' "$WORK/plain" bob@far.test
said 'then DATA in the same session' DATA
check 'delivered' test "$(count_sink)" = 1
correct 'BDAT unknown'
check 'in one connection' test "$CONNECTIONS" = 1

start_smtpd -e "$ALL" -r 'MAIL/SIZE reply 555 5.5.4 no parameters' \
	-r 'RCPT/NOTIFY reply 555 5.5.4 no parameters'
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'parameters refused' "$WORK/plain" -N success bob@far.test
check 'delivered without them' test "$(count_sink)" = 1
said 'MAIL once more' 'MAIL FROM:<alice@client.test>$'
said 'RCPT once more' 'RCPT TO:<bob@far.test>$'
stop_smtpd

start_smtpd -e ''
write_conf "SmartHost = 127.0.0.1:$PORT"
deliver 'EHLO without any keyword' "$WORK/accents" -N success bob@far.test
check 'nothing is used that was not offered' test "$(features)" = 'EHLO DATA '
correct 'no keyword'

# ---- size -------------------------------------------------------------------

{ cat "$WORK/plain"; yes 'a line of forty octets, so that it grows' | head -n 50; } >"$WORK/large"
start_smtpd -e "SIZE 1000,PIPELINING,CHUNKING"
small=$SERVER sport=$PORT
write_conf "SmartHost = 127.0.0.1:$sport"
expect_exit 'too large' 65 sendmail bob@far.test <"$WORK/large"
expect_file_has 'too large' "$STDERR" '5\.3\.4.*takes 1000'
check 'one line' test "$(wc -l <"$STDERR")" = 1
unsaid 'it is known before MAIL' MAIL
check 'nothing kept' test "$(count Queue)" = 0
deliver 'small enough' "$WORK/plain" bob@far.test
sdialogue=$DIALOGUE
start_smtpd -e "SIZE 1500"
write_conf "SmartHost = 127.0.0.1:$sport, 127.0.0.1:$PORT"
expect_exit 'too large for both' 65 sendmail bob@far.test <"$WORK/large"
expect_file_has 'too large for both' "$STDERR" '5\.3\.4'
check 'nothing kept of that' test "$(count Queue)" = 0
correct 'too large for both'
start_smtpd -e "SIZE 1000000"
write_conf "SmartHost = 127.0.0.1:$sport, 127.0.0.1:$PORT"
deliver 'the second takes it' "$WORK/large" bob@far.test
check 'the second has it' test "$(count_sink)" = 1
expect_file_has 'the first was asked' "$sdialogue" 'S: 250.SIZE 1000'
correct 'the second takes it'
# The second, which might take it, is down: that is no verdict.
expect_exit 'the second is down' 0 sendmail bob@far.test <"$WORK/large"
expect_silent 'the second is down'
check 'it waits' test "$(count Queue)" = 1
stop_smtpd "$small"
check 'the small server saw no wrong' test "$VIOLATIONS" = 0
clean

# ---- 8 bits on a way of 7 ---------------------------------------------------

mkdir "$WORK/mime"
python3 - "$WORK/mime" <<'END'
# Messages with raw 8-bit text, each with an odd corner.
import os, sys

HEAD = "Subject: {}\nMIME-Version: 1.0\n"
UTF8 = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
TEXT = "Grüße aus Köln\n.\n=41 is no A\ntrailing blank \n\n日本語\n"
PNG = "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n"

def parts(kind, boundary, *bodies):
    return ("Content-Type: multipart/%s; boundary=\"%s\"\n\npreamble\n" %
            (kind, boundary) +
            "".join("--%s\n%s\n" % (boundary, b) for b in bodies) +
            "--%s--\n" % boundary)

inner = parts("alternative", "in=_ner", UTF8 + "\n" + TEXT,
              UTF8.replace("plain", "html") + "\n<p>Gr\u00fc\u00dfe</p>\n")
flat = HEAD.format("embedded") + UTF8 + "\n" + TEXT
messages = {
    "plain": HEAD.format("plain") + UTF8 + "\n" + TEXT,
    "binary-ish": HEAD.format("dense") + UTF8 + "\n" + "äöüß" * 300 + "\n",
    "multipart": HEAD.format("multipart") +
        parts("mixed", "out", UTF8 + "\n" + TEXT, PNG),
    "nested": HEAD.format("nested") + parts("mixed", "out", inner, PNG),
    "rfc822": HEAD.format("carrier") + parts("mixed", "out",
        "Content-Type: text/plain\n\nsee below\n",
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n" +
        flat),
    "no-header": "Subject: no MIME at all\n\n" + TEXT,
    "long-line": HEAD.format("long") + UTF8 + "\n" + "é" * 3000 + "\nend\n",
}
for name, text in messages.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(text.encode())
with open(os.path.join(sys.argv[1], "latin1"), "wb") as f:
    f.write((HEAD.format("latin1") + UTF8.replace("utf-8", "iso-8859-1") +
             "\nFran\xe7ois \xe0 la plage\n").encode("latin-1"))
END
cat >"$WORK/compare" <<'END'
# compare ORIGINAL STORED: 7 bits, legal lines, and the same leaves.
import email, sys

def leaves(octets):
    m = email.message_from_bytes(octets)
    return [(p.get_content_type(), p.get_param("charset"), p.get_filename(),
             (p.get_payload(decode=True) or b"").replace(b"\r\n", b"\n").rstrip(b"\n"))
            for p in m.walk() if not p.is_multipart()], m

original, stored = (open(p, "rb").read() for p in sys.argv[1:])
stored = stored.split(b"\n\n", 1)[1]
assert all(b < 128 for b in stored), "8-bit octets on a 7-bit way"
assert all(len(l) <= 998 for l in stored.split(b"\r\n")), "a long line"
(a, ma), (b, mb) = leaves(original), leaves(stored)
if ma.get_content_type() == "text/plain" and "MIME-Version" not in ma:
    a = [(b[0][0], b[0][1], None, a[0][3])]
assert a == b, "%r became %r" % (a, b)
assert ma["Subject"] == mb["Subject"]
for p in mb.walk():
    encoding = str(p.get("Content-Transfer-Encoding", "7bit")).lower()
    assert encoding in ("7bit", "quoted-printable", "base64"), encoding
    assert not p.is_multipart() or encoding == "7bit", "an encoded multipart"
END
seven_bit() {
	for file in "$WORK"/mime/*; do
		deliver "$1: ${file##*/}" "$file" bob@far.test
		unsaid "$1: ${file##*/}" '.*8BITMIME'
		check "$1: ${file##*/} has the same content" \
			python3 "$WORK/compare" "$file" "$(newest)"
	done
	correct "$1"
	check "$1: all came" test "$MESSAGES" = 8
}
start_smtpd -e PIPELINING,SIZE,CHUNKING
write_conf "SmartHost = 127.0.0.1:$PORT"
seven_bit 'server without 8BITMIME'
start_smtpd -e "$ALL"
write_conf "SmartHost = 127.0.0.1:$PORT" "$KEY = 3503297"
seven_bit '8BITMIME masked'
start_smtpd -r 'EHLO reply 500 what'
write_conf "SmartHost = 127.0.0.1:$PORT"
seven_bit 'HELO, by DATA'

# ---- each recipient its own fate --------------------------------------------

for offers in "$ALL" SIZE,8BITMIME CHUNKING; do
	clean
	start_smtpd -e "$offers" \
		-r 'RCPT/nobody@ reply 550 5.1.1 no such user here' \
		-r 'RCPT/busy@#1 reply 450 4.2.1 mailbox busy'
	write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = client.test'
	deliver "mixed fates ($offers)" "$WORK/plain" bob@far.test \
		nobody@far.test busy@far.test carol@far.test
	check 'the good ones have it' test "$(text_of "$(newest)" >/dev/null
		sed -n 's/^rcpt: //p' "$(newest)" | tr '\n' ' ')" = \
		'<bob@far.test> <carol@far.test> '
	check 'one waits' test "$(count Queue)" = 1
	cat "$ROOT"/Queue/*.eml >"$WORK/queued"
	expect_file_has 'bob is done' "$WORK/queued" '^x-received: <bob@far.test>'
	expect_file_has 'nobody is returned' "$WORK/queued" \
		'^x-returned: <nobody@far.test>'
	expect_file_has 'busy waits' "$WORK/queued" '^x-receiver: <busy@far.test>'
	expect_file_has 'with the reason' "$WORK/queued" \
		'^x-status: 450 4\.[20]\.[10] .*mailbox busy \(127\.0\.0\.1\)'
	check 'alice has a report' test "$(count Drop)" = 1
	cat "$ROOT"/Drop/*.eml >"$WORK/report"
	expect_file_has 'about nobody' "$WORK/report" \
		'^Final-Recipient: rfc822; nobody@far.test'
	expect_file_lacks 'and not about busy' "$WORK/report" \
		'^Final-Recipient: rfc822; (busy|bob|carol)'
	expect_exit 'the next run' 0 sendmail -q --flush
	check 'busy has it now, and nobody else again' test "$(
		sed -n 's/^rcpt: //p' "$(newest)")" = '<busy@far.test>'
	check 'the queue is empty' test "$(count Queue)" = 0
	correct 'mixed fates'
done

clean
start_smtpd -r 'RCPT reply 550 5.1.1 no such user here'
write_conf "SmartHost = 127.0.0.1:$PORT"
expect_exit 'all refused' 67 sendmail bob@far.test carol@far.test <"$WORK/plain"
check 'one line' test "$(wc -l <"$STDERR")" = 1
check 'nothing kept' test "$(count Queue)" = 0
expect_exit 'all refused, by mail' 0 sendmail -oem bob@far.test <"$WORK/plain"
expect_silent 'all refused, by mail'
check 'the report waits' test "$(count Queue)" = 1
stop_smtpd

clean
start_smtpd -e "$ALL"
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxRecipients = 40' \
	'MaxOutConnectionsPerDomain = 1'
many=$(i=0; while [ $i -lt 100 ]; do echo "r$i@far.test"; i=$((i + 1)); done)
# shellcheck disable=SC2086 # a list
deliver 'a hundred recipients' "$WORK/plain" $many
check 'three transactions, all recipients' test \
	"$(commands MAIL) $(commands RCPT) $(commands EHLO)" = '3 100 1'
check 'nothing stays of them' test "$(count Queue)" = 0
correct 'a hundred recipients'

finish
