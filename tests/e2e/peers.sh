#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Thirteen ways in which other small sendmails were seen to lose, leak or
# spoil mail (dma, nullmailer, msmtp, ssmtp, esmtp, busybox, mini-sendmail).
# Each is a test here, named for what they did.

. "$(dirname "$0")/lib.sh"

export LC_ALL=C
printf 'Subject: s\n\nbody\n' >"$WORK/m"

same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}
# begin [options of smtpd]: a new server, an empty MailRoot.
begin() {
	rm -rf "$ROOT"
	start_smtpd "$@"
	write_conf "SmartHost = 127.0.0.1:$PORT"
}
# sends 'name' argument...: $WORK/m, with success and in silence.
sends() {
	name=$1
	shift
	expect_exit "$name" 0 sendmail "$@" <"$WORK/m"
	expect_silent "$name"
}
# end 'name' MESSAGES QUEUED
end() {
	stop_smtpd
	same "$1: at the server, in Queue" "$(count_sink) $(count Queue)" "$2 $3"
	same "$1: the dialogue was correct" "$VIOLATIONS" 0
}
recipients() {
	cat "$SINKDIR"/*.msg | sed -n 's/^rcpt: <\([^>]*\)>.*/\1/p' | tr '\n' ' '
}

# 1. dma, nullmailer, busybox: CR CR LF out of what PHP 8 writes.
begin
printf 'To: bob@far.test\r\nSubject: s\r\nX-A: 1\r\n\r\na\nb\r\n' >"$WORK/m"
sends 'CRLF input' -t -i
same 'CRLF input: no CR is doubled' \
	"$(grep -ac "$(printf '\r\r')" "$SINKDIR/0001.msg")" 0
expect_file_has 'CRLF input: the header is whole' "$SINKDIR/0001.msg" '^X-A: 1$'
end 'CRLF input' 1 0

# 2. msmtp, ssmtp, esmtp: one bad recipient, and nobody gets it; nullmailer
# returns the good one too; busybox forgets the bad one.
printf 'Subject: s\n\nbody\n' >"$WORK/m"
begin -r 'RCPT/bad@ reply 550 5.1.1 no such user'
sends 'one of two is refused' -f ann@local.test bob@far.test bad@far.test
same 'one of two is refused: the other has it' "$(recipients)" 'bob@far.test '
same 'one of two is refused: its sender knows' "$(count Drop)" 1
expect_file_has 'one of two is refused: who, and why' \
	"$(echo "$ROOT"/Drop/*)" '^Final-Recipient: .*bad@far\.test'
expect_file_lacks 'one of two is refused: not the good one' \
	"$(echo "$ROOT"/Drop/*)" '^Final-Recipient: .*bob@far\.test'
end 'one of two is refused' 1 0

# 3. nullmailer, msmtp: the good recipient waits with the greylisted one.
begin -r 'RCPT/grey@#1 reply 450 4.2.0 greylisted'
sends 'one of two is greylisted' bob@far.test grey@far.test
same 'one of two is greylisted: the other has it' "$(recipients)" \
	'bob@far.test '
expect_exit 'one of two is greylisted: the run' 0 sendmail -q --flush
same 'one of two is greylisted: each has it once' "$(recipients)" \
	'bob@far.test grey@far.test '
end 'one of two is greylisted' 2 0

# 4. dma destroys a message because of a 451 to EHLO; dma and nullmailer
# return it because of the greeting.
begin -r 'EHLO reply 451 4.3.2 not now' -r 'HELO reply 451 4.3.2 not now'
sends 'EHLO is 451' -f ann@local.test bob@far.test
same 'EHLO is 451: no report' "$(count Drop)" 0
end 'EHLO is 451' 0 1
begin -r 'CONNECT reply 554 5.7.1 go away'
sends 'the greeting is 554' -f ann@local.test bob@far.test
same 'the greeting is 554: no report' "$(count Drop)" 0
end 'the greeting is 554' 0 1
begin -r 'EHLO reply 502 5.5.1 what?'
sends 'EHLO is unknown' bob@far.test
expect_file_has 'EHLO is unknown: HELO' "$DIALOGUE" 'C: HELO client\.test'
end 'EHLO is unknown' 1 0

# 5. dma: a server that goes away behind the final dot, and 300 s of CPU.
for offers in PIPELINING CHUNKING; do
	begin -e $offers -r 'END close'
	before=$(date +%s)
	sends "gone behind the end ($offers)" bob@far.test
	check "gone behind the end ($offers): at once" \
		test $(($(date +%s) - before)) -lt 5
	waits() { [ "$(count Queue)" = 1 ]; }
	wait_for 5 waits || :
	expect_file_has "gone behind the end ($offers): perhaps a duplicate" \
		"$(echo "$ROOT"/Queue/*.eml)" 'possibly delivered'
	end "gone behind the end ($offers)" 0 1
done

# 6. dma: -bv and modes that nobody knows send the mail.
begin
for mode in v t z; do
	sendmail -b$mode bob@far.test <"$WORK/m" >"$STDOUT" 2>"$STDERR" || :
done
expect_exit '-bt' 64 sendmail -bt bob@far.test <"$WORK/m"
end '-bv and unknown modes send nothing' 0 0
same '-bv and unknown modes ask nobody' "$CONNECTIONS" 0

# 7. ssmtp: exit 0, and nothing sent.
begin
sends '-odq' -odq bob@far.test
same '-odq: it is in Queue' "$(count Queue)" 1
expect_exit '-q' 0 sendmail -q
same '-q: it is sent' "$(recipients)" 'bob@far.test '
sends '-V envid' -V envid carol@far.test
sends '--' -- -x@far.test
same 'each was sent' "$(recipients)" 'bob@far.test carol@far.test -x@far.test '
expect_exit 'no recipients' 64 sendmail <"$WORK/m"
printf 'HELO x.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<dan@far.test>\r\nDATA\r
Subject: s\r\n\r\nbody\r\n.\r\nQUIT\r\n' >"$WORK/dialogue"
status=0
sendmail -bs <"$WORK/dialogue" >"$STDOUT" 2>"$STDERR" || status=$?
if [ "$status" = 0 ]; then
	check '-bs sends, or says that it does not' wait_for 5 \
		grep -q '^rcpt: <dan@far' "$SINKDIR/0004.msg"
	end '-bs and the others' 4 0
else
	end '-bs and the others' 3 0
fi

# 8. nullmailer: the -- is lost on the way, and an address becomes an option.
begin
sends 'addresses like options' -f ann@far.test -- -x@far.test -fx@far.test \
	-t -odq@far.test -C/etc/passwd@far.test
same 'addresses like options: are addresses' "$(recipients)" \
	'-x@far.test -fx@far.test -t@client.test -odq@far.test -C/etc/passwd@far.test '
expect_file_has 'addresses like options: the sender' "$SINKDIR/0001.msg" \
	'^mail: <ann@far\.test>'
end 'addresses like options' 1 0

# 9. All but one put a line of 5002 octets on the wire, that one refuses it;
# ssmtp cuts a field at 2048.
begin
word=$(printf 'w%.0s' $(seq 900))
{ printf 'X-Long: %s\n %s\n %s end\nSubject: s\n\n' "$word" "$word" "$word"
	printf '%05000d\n' 7; } >"$WORK/m"
sends 'a line of 5000 octets' bob@far.test
expect_file_has 'a field of 3000 octets is whole' "$SINKDIR/0001.msg" \
	'^ w{900} end$'
check 'a line of 5000 octets: legal, and the same' python3 - \
	"$SINKDIR/0001.msg" <<-'END'
	import email, sys
	data = open(sys.argv[1], "rb").read().split(b"\n\n", 1)[1]
	m = email.message_from_bytes(data)
	body = m.get_payload(decode=True).replace(b"\r\n", b"\n")
	sys.exit(body != b"%05000d\n" % 7 or
	         max(len(l) for l in data.split(b"\r\n")) > 998)
END
end 'a line of 5000 octets' 1 0

# 10. All seven: a bare CR goes through, and with it a second message.
for offers in PIPELINING,8BITMIME CHUNKING; do
	begin -e $offers
	printf 'Subject: s\n\na\r.\r\nMAIL FROM:<evil@x.test>\r\n' >"$WORK/m"
	printf 'b\n.\rc\r\r.\rd\n\r.\r\ne\r' >>"$WORK/m"
	sends "smuggling ($offers)" -i bob@far.test
	check "smuggling ($offers): no bare CR or LF" python3 - \
		"$SINKDIR/0001.msg" <<-'END'
		import sys
		data = open(sys.argv[1], "rb").read().split(b"\n\n", 1)[1]
		rest = data.replace(b"\r\n", b"")
		sys.exit(b"\r" in rest or b"\n" in rest)
	END
	end "smuggling ($offers)" 1 0
done

# 11. dma, mini-sendmail: a folded Bcc is lost, or shown to all.
begin
printf 'To: bob@far.test\nBcc: eve@x.test,\n fay@x.test\nSubject: s\n\nbody\n' \
	>"$WORK/m"
sends 'a folded Bcc' -t
same 'a folded Bcc: each has it' "$(recipients)" \
	'bob@far.test eve@x.test fay@x.test '
sed '1,/^$/d' "$SINKDIR/0001.msg" >"$WORK/seen"
expect_file_lacks 'a folded Bcc: nobody sees it' "$WORK/seen" \
	'[Bb]cc|eve@|fay@'
end 'a folded Bcc' 1 0

# 12. All seven: 8-bit text, raw and not declared, whatever the server offers.
printf 'Subject: Gr\303\274\303\237e\n\nsch\303\266n\n' >"$WORK/m"
begin -e PIPELINING,8BITMIME
sends '8-bit text, offered' bob@far.test
expect_file_has '8-bit text is declared' "$SINKDIR/0001.msg" \
	'^mail: .* BODY=8BITMIME'
end '8-bit text, offered' 1 0
for option in PIPELINING ''; do
	begin -e "$option"
	sends "8-bit text, not offered ($option)" bob@far.test
	expect_file_has "8-bit text is encoded ($option)" \
		"$SINKDIR/0001.msg" '^sch=C3=B6n$'
	expect_file_lacks "8-bit text is not raw ($option)" \
		"$SINKDIR/0001.msg" "$(printf '[\200-\377]')"
	end "8-bit text, not offered ($option)" 1 0
done

# 13. All: a message that is too large is sent to find that out.
begin -e 'PIPELINING,SIZE 10000'
{ printf 'Subject: s\n\n'; head -c 20000 /dev/zero | tr '\0' '\n'; } >"$WORK/m"
expect_exit 'too large for the server' 65 sendmail bob@far.test <"$WORK/m"
expect_file_has 'too large for the server: says so' "$STDERR" '5\.3\.4'
expect_file_lacks 'too large for the server: not tried' "$DIALOGUE" \
	'C: (MAIL|DATA)'
end 'too large for the server' 0 0

finish
