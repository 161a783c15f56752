#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Servers that are down, silent, or die half-way, and callers that run out of
# time: the next host has the message, or Queue has it, and nobody has it
# twice without a word in the log.

. "$(dirname "$0")/lib.sh"

# ---- helpers ----------------------------------------------------------------

printf 'Subject: hello\nMessage-ID: <one@client.test>\n\nhello\n' >"$WORK/letter"
clean() { rm -rf "$ROOT" "$WORK/log"; }
deliver() {
	what=$1
	shift
	expect_exit "$what" 0 sendmail -f alice@client.test "$@" bob@far.test \
		<"$WORK/letter"
	expect_silent "$what"
}
# Milliseconds, to measure spans with.
now() { date +%s%3N; }
# begin FILE arguments...: sendmail in the background, SENDER.  A simple
# command, so that the process is sendmail itself.
begin() {
	input=$1
	shift
	# shellcheck disable=SC2086 # EXTRA_ENV is a list
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		$EXTRA_ENV "$BUILD/sendmail" -C "$CONF" -f alice@client.test "$@" \
		<"$input" >"$STDOUT" 2>"$STDERR" &
	SENDER=$!
}
# ended 'name' STATUS: how it ended.
ended() {
	status=0
	wait "$SENDER" || status=$?
	check "$1: status $status" test "$status" = "$2"
	expect_silent "$1"
}
sunk() { sed -n 's/^rcpt: //p' "$SINKDIR"/*.msg 2>/dev/null | wc -l; }
# queued 'name' N: so many wait in Queue; the last one is in $WORK/queued.
queued() {
	check "$1: $2 in Queue" test "$(count Queue)" = "$2"
	cat "$ROOT"/Queue/*.eml >"$WORK/queued" 2>/dev/null || :
}
waits_with() {
	queued "$1" 1
	expect_file_has "$1: the reason" "$WORK/queued" "^x-status: $2"
}
queue_empty() { [ "$(count Queue)" = 0 ]; }
has() { grep -q "$1" "$2" 2>/dev/null; }

# A port that swallows every SYN: its backlog is full, and stays so.
start_black_hole() {
	python3 -c '
import socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
there = listener.getsockname()
full = []
for i in range(4):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(there)
    full.append(s)
probe = socket.socket()
probe.settimeout(1)
try:
    probe.connect(there)
    print("open", flush=True)
except TimeoutError:
    print(there[1], flush=True)
probe.close()
time.sleep(120)' >"$WORK/hole" &
	servers="$servers $!"
	wait_for 10 test -s "$WORK/hole"
	HOLE=$(cat "$WORK/hole")
}
# A name server that knows smart.test (two addresses, the first of which
# nobody listens on), says NXDOMAIN to gone.test, and nothing for silent.test.
start_dns() {
	python3 -c '
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    q, peer = s.recvfrom(4096)
    at, name = 12, []
    while q[at]:
        name.append(q[at + 1:at + 1 + q[at]].decode().lower())
        at += 1 + q[at]
    question, kind = q[12:at + 5], struct.unpack(">H", q[at + 1:at + 3])[0]
    name = ".".join(name)
    if name == "silent.test":
        continue
    found = name == "smart.test"
    answers = [b"\x7f\x00\x00\x63", b"\x7f\x00\x00\x01"] \
        if found and kind == 1 else []
    s.sendto(q[:2] + struct.pack(">HHHHH", 0x8180 | (0 if found else 3), 1,
             len(answers), 0, 0) + question +
             b"".join(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + a
                      for a in answers), peer)' >"$WORK/dns" &
	servers="$servers $!"
	wait_for 5 test -s "$WORK/dns"
	DNS=$(cat "$WORK/dns")
}

start_dns
start_black_hole
start_smtpd
stop_smtpd
CLOSED=$PORT			# nobody listens there

# ---- the first host is a black hole ------------------------------------------

case $HOLE in
open)	skip 'a full backlog does not swallow connections here' ;;
*)	start_smtpd
	write_conf "SmartHost = 127.0.0.1:$HOLE, 127.0.0.1:$PORT"
	began=$(now)
	deliver 'first host black-holed'
	took=$(($(now) - began))
	check "the second has it within ImmediateTimeout ($took ms)" \
		test "$(sunk)" = 1 -a "$took" -lt 15000
	queued 'first host black-holed' 0
	check 'by one process' test "$(sed -n 's/.*mailroot\[\([0-9]*\)\].*/\1/p' \
		"$WORK/log" | sort -u | wc -l)" = 1
	expect_file_has 'it is in the log' "$WORK/log" \
		'host .*address=127\.0\.0\.1 reply=".*(timed out|Connection timed)'
	stop_smtpd

	clean
	write_conf "SmartHost = 127.0.0.1:$HOLE" 'ImmediateTimeout = 1'
	began=$(now)
	deliver 'the only host black-holed'
	took=$(($(now) - began))
	check "within ImmediateTimeout and a second ($took ms)" \
		test "$took" -lt 2000
	waits_with 'the only host black-holed' '4[0-9][0-9] 4\.4\.[0-9] '

	# In a run it costs one time-out, not one a message.
	clean
	write_conf "SmartHost = 127.0.0.1:$HOLE" 'ConnectTimeout = 1'
	for n in 1 2 3 4 5; do
		deliver "for the black hole, $n" -odq
	done
	began=$(now)
	expect_exit 'a run into the black hole' 0 sendmail -q
	took=$(($(now) - began))
	check "a run: one time-out for all ($took ms)" test "$took" -lt 1900
	queued 'a run: all five wait' 5
	check 'a run: all five know why' test \
		"$(grep -c '^x-status: 451 4\.4\.1 ' "$WORK/queued")" = 5

	clean
	write_conf "SmartHost = 127.0.0.1:$HOLE"
	begin "$WORK/letter" bob@far.test
	wait_for 5 has accepted "$WORK/log"
	sleep 0.1
	kill -TERM "$SENDER"
	ended 'SIGTERM while connecting' 0
	waits_with 'SIGTERM while connecting' '4[0-9][0-9] .*signal' ;;
esac

# ---- the first host says no, or goes -----------------------------------------

# second_has 'name' RULE...: the first host has these rules, and the message
# goes to the second within this very attempt.
second_has() {
	name_=$1
	shift
	clean
	start_smtpd "$@"
	first=$SERVER fport=$PORT
	start_smtpd
	write_conf "SmartHost = 127.0.0.1:$fport, 127.0.0.1:$PORT" \
		'RemoteTimeout = 1'
	deliver "$name_"
	check "$name_: the second has it" test "$(sunk)" = 1
	queued "$name_" 0
	stop_smtpd
	check "$name_: correct" test "$VIOLATIONS" = 0
	stop_smtpd "$first"
	check "$name_: the first has nothing" test "$MESSAGES" = 0
}
clean
start_smtpd
write_conf "SmartHost = 127.0.0.1:$CLOSED, 127.0.0.1:$PORT"
deliver 'first host refused'
check 'first host refused: the second has it' test "$(sunk)" = 1
queued 'first host refused' 0
stop_smtpd
second_has 'greeting 421' -r 'CONNECT reply 421 4.3.2 closing down'
second_has 'greeting 554' -r 'CONNECT reply 554 5.3.2 no mail here'
second_has 'no greeting' -r 'CONNECT close'
second_has 'reset' -r 'CONNECT reset'
second_has 'half a greeting' -r 'CONNECT half 220 smtp'
second_has 'silent from the begin' -r 'CONNECT silent'
second_has 'closes on EHLO and HELO' -r 'EHLO close' -r 'HELO close'
second_has 'EHLO 421' -r 'EHLO reply 421 4.3.2 no time'
second_has 'EHLO 4xx' -r 'EHLO reply 451 4.3.0 not now'
second_has 'silent after EHLO' -r 'EHLO silent'
second_has 'closes after MAIL' -e SIZE,CHUNKING -r 'MAIL close'
second_has 'closes after RCPT' -e SIZE,PIPELINING -r 'RCPT close'
second_has 'closes at DATA' -e PIPELINING,SIZE -r 'DATA close'
second_has 'silent at DATA' -e SIZE -r 'DATA silent'

# A 421 in the middle ends the session; what it was said to waits or goes to
# the second host, and nobody has it twice.
rm -rf "$WORK"/smtpd.*
for command in MAIL RCPT DATA BDAT END; do
	for offers in SIZE PIPELINING CHUNKING PIPELINING,CHUNKING; do
		case $command.$offers in
		DATA.*CHUNKING|BDAT.SIZE|BDAT.PIPELINING) continue ;;
		esac
		clean
		start_smtpd -e $offers -r "$command#1 reply 421 4.3.2 busy"
		first=$SERVER fport=$PORT
		start_smtpd
		write_conf "SmartHost = 127.0.0.1:$fport, 127.0.0.1:$PORT"
		deliver "421 to $command ($offers)" carol@far.test
		# Before the end of data the second host has it at once.
		case $command in
		MAIL | RCPT* | DATA) queued "421 to $command ($offers)" 0 ;;
		esac
		expect_exit "421 to $command ($offers), again" 0 sendmail -q --flush
		queued "421 to $command ($offers), again" 0
		check "421 to $command ($offers): each once" test \
			"$(cat "$WORK"/smtpd.*/sink/*.msg | grep -c '^rcpt: ')" = 2
		stop_smtpd
		check "421 to $command: correct" test "$VIOLATIONS" = 0
		stop_smtpd "$first"
		check "421 to $command: correct" test "$VIOLATIONS" = 0
		rm -rf "$WORK"/smtpd.*
	done
done

# Only one host: it waits, with the reason; nothing of it is permanent.
alone() {
	name_=$1 reason=$2
	shift 2
	clean
	start_smtpd "$@"
	write_conf "SmartHost = 127.0.0.1:$PORT" 'RemoteTimeout = 1'
	deliver "$name_, alone"
	waits_with "$name_, alone" "$reason"
	check "$name_: no report" test "$(count Drop)$(count Badmail)" = 00
	stop_smtpd
	check "$name_: correct" test "$VIOLATIONS" = 0
}
alone 'greeting 554' '554 5\.3\.2 no mail here' \
	-r 'CONNECT reply 554 5.3.2 no mail here'
alone 'greeting 421' '421 4\.3\.2 closing' -r 'CONNECT reply 421 4.3.2 closing'
alone 'silent after EHLO' '451 4\.4\.2 ' -r 'EHLO silent'
# The whole message rode with its MAIL: nobody knows how far it was read.
alone 'closes after MAIL with BDAT behind it' '451 .*\[possibly delivered\]' \
	-r 'MAIL close'
alone 'authentication wanted' '530 5\.7\.0 log in first' \
	-r 'MAIL reply 530 5.7.0 log in first'
expect_file_has 'that is the operator'"'"'s to know' "$WORK/log" 'log in first'
clean
write_conf "SmartHost = 127.0.0.1:$CLOSED"
deliver 'connection refused, alone'
waits_with 'connection refused, alone' '451 4\.4\.1 .*refused'

# ---- a large message, cut off in its text -------------------------------------

{ cat "$WORK/letter"; yes 'a line of forty octets, so that it grows' |
	head -n 100000; } >"$WORK/large"
clean
start_smtpd -e SIZE -r 'DATA half 354 go on'
# A half reply is none: it hangs in the middle, and no octet may follow.
write_conf "SmartHost = 127.0.0.1:$PORT" 'RemoteTimeout = 1'
expect_exit 'half a reply to DATA' 0 sendmail bob@far.test <"$WORK/large"
waits_with 'half a reply to DATA' '451 4\.4\.2 '
stop_smtpd
check 'no text was sent' test "$MESSAGES" = 0

# A server that dies while the text is on its way: no duplicate is possible.
clean
start_smtpd -e SIZE
python3 -c '
import socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
for again in range(2):
    c, _ = listener.accept()
    f = c.makefile("rwb", 0)
    f.write(b"220 dying.test\r\n")
    while True:
        line = f.readline().upper()
        if line.startswith(b"DATA"):
            f.write(b"354 go on\r\n")
            c.recv(10000)
            break
        f.write(b"250 ok\r\n")
    f.close()
    c.close()' >"$WORK/dying" &
servers="$servers $!"
wait_for 5 test -s "$WORK/dying"
write_conf "SmartHost = 127.0.0.1:$(cat "$WORK/dying"), 127.0.0.1:$PORT"
expect_exit 'dies in the text' 0 sendmail bob@far.test <"$WORK/large"
check 'dies in the text: the second has it' test "$(sunk)" = 1
expect_file_lacks 'dies in the text: surely no duplicate' "$WORK/log" duplicate
write_conf "SmartHost = 127.0.0.1:$(cat "$WORK/dying")"
expect_exit 'dies in the text, alone' 0 sendmail bob@far.test <"$WORK/large"
waits_with 'dies in the text, alone' '451 4\.4\.2 '
expect_file_lacks 'alone: surely no duplicate' "$WORK/log" duplicate
stop_smtpd

# ---- after the final dot -------------------------------------------------------

# Does it have the message or not?  Kept, logged, and the same Message-ID.
for rule in 'END#1 close' 'END#1 accept-then-close' 'END#1 reset' \
	'END#1 silent' 'END#1 half 250 2.0'; do
	for offers in SIZE SIZE,PIPELINING,CHUNKING; do
		clean
		start_smtpd -e "$offers" -r "$rule"
		write_conf "SmartHost = 127.0.0.1:$PORT" 'RemoteTimeout = 1'
		deliver "$rule ($offers)"
		waits_with "$rule ($offers)" '451 .*\[possibly delivered\]'
		expect_file_has "$rule ($offers): logged" "$WORK/log" \
			'deferred .*unsure="possible duplicate"'
		expect_exit "$rule: again" 0 sendmail -q --flush
		queued "$rule: again" 0
		case $rule in *accept*) want=2 ;; *) want=1 ;; esac
		check "$rule: $want in the end" test "$(sunk)" = "$want"
		check "$rule: the same Message-ID" test "$(cat "$SINKDIR"/*.msg |
			grep -c '^Message-ID: <one@client.test>')" = "$want"
		stop_smtpd
		check "$rule: correct" test "$VIOLATIONS" = 0
	done
done

# ---- BDAT and firewalls ----------------------------------------------------------

for action in silent close; do
	clean
	start_smtpd -r "BDAT $action"
	write_conf "SmartHost = 127.0.0.1:$PORT" 'RemoteTimeout = 1'
	deliver "BDAT met by $action"
	waits_with "BDAT met by $action" '451 4\.4\.2 '
	expect_file_has "BDAT met by $action: remembered" "$ROOT/State/no-bdat" \
		'^127\.0\.0\.1 [0-9]+$'
	: >"$DIALOGUE"
	expect_exit 'the next time' 0 sendmail -q --flush
	expect_file_has "after $action by DATA" "$DIALOGUE" 'C: DATA'
	expect_file_lacks "after $action no BDAT" "$DIALOGUE" 'C: BDAT'
	queued 'the next time' 0
	check "after $action delivered once" test "$(sunk)" = 1
	: >"$DIALOGUE"
	deliver 'and the next message'
	expect_file_lacks 'and the next message: no BDAT' "$DIALOGUE" 'C: BDAT'
	# A day later it is tried again.
	echo '127.0.0.1 1000000000' >"$ROOT/State/no-bdat"
	: >"$DIALOGUE"
	deliver 'after a day' -O RemoteTimeout=1
	expect_file_has 'after a day: BDAT again' "$DIALOGUE" 'C: BDAT'
	stop_smtpd
	check "BDAT and $action: correct" test "$VIOLATIONS" = 0
done

# ---- ImmediateTimeout ends behind the final dot -----------------------------------

clean
start_smtpd -r 'END delay 2500'
write_conf "SmartHost = 127.0.0.1:$PORT" 'ImmediateTimeout = 1'
began=$(now)
deliver 'a slow verdict'
took=$(($(now) - began))
check "the caller waits a second ($took ms)" \
	test "$took" -ge 900 -a "$took" -lt 2000
queued 'a slow verdict' 1
# Somebody else's run leaves it alone: it is locked.
began=$(now)
expect_exit 'a run meanwhile' 0 sendmail -q --flush
took=$(($(now) - began))
check "is not held up ($took ms)" test "$took" -lt 900
check 'nobody has it yet' test "$(sunk)" = 0
check 'a child waits for the verdict' wait_for 5 queue_empty
check 'delivered once' test "$(sunk)" = 1
expect_file_has 'by the child' "$WORK/log" ' sent '
stop_smtpd
check 'in one connection' test "$CONNECTIONS" = 1

# Both at the same moment, as nearly as can be.
clean
start_smtpd -r 'END#1 delay 980' -r 'END#2 delay 990' -r 'END#3 delay 995' \
	-r 'END#4 delay 1000' -r 'END#5 delay 1005' -r 'END#6 delay 1020'
write_conf "SmartHost = 127.0.0.1:$PORT" 'ImmediateTimeout = 1'
senders=
for n in 1 2 3 4 5 6; do
	begin "$WORK/letter" "r$n@far.test"
	senders="$senders $SENDER"
done
for SENDER in $senders; do
	ended 'verdict and time-out together' 0
done
check 'each is settled' wait_for 5 queue_empty
stop_smtpd
check 'each once' test "$MESSAGES" = 6

# A silence without end: the child gives up after RemoteTimeout, and says so.
clean
start_smtpd -r 'END#1 silent'
write_conf "SmartHost = 127.0.0.1:$PORT" 'ImmediateTimeout = 1' 'RemoteTimeout = 2'
deliver 'no verdict'
check 'the child gives up' wait_for 6 has duplicate "$WORK/log"
# What it learned is written when the name says when to try again.
scheduled() {
	due=$(find "$ROOT/Queue" -name '*.eml' -printf '%f\n' |
		cut -c 1-8,10-15)
	[ "${due:-0}" -gt "$(date -u -d '+1 minute' +%Y%m%d%H%M%S)" ]
}
check 'and schedules it' wait_for 3 scheduled
waits_with 'no verdict' '451 .*\[possibly delivered\]'
expect_exit 'and again' 0 sendmail -q --flush
queued 'and again' 0
stop_smtpd

# ---- signals -------------------------------------------------------------------------

for signal in TERM HUP; do
	clean
	start_smtpd -e SIZE -r 'DATA delay 3000'
	write_conf "SmartHost = 127.0.0.1:$PORT"
	begin "$WORK/letter" bob@far.test
	wait_for 5 has 'C: DATA' "$DIALOGUE"
	began=$(now)
	kill -$signal "$SENDER"
	ended "SIG$signal before the end of data is out" 0
	took=$(($(now) - began))
	check "SIG$signal: at once ($took ms)" test "$took" -lt 1000
	waits_with "SIG$signal" '4[0-9][0-9] .*signal'
	expect_file_lacks "SIG$signal: surely no duplicate" "$WORK/queued" possibly
	stop_smtpd
	check "SIG$signal: the server has nothing" test "$MESSAGES" = 0
done
# A shell's & makes SIGINT ignored: so it stays.
clean
start_smtpd -e SIZE -r 'DATA delay 500'
write_conf "SmartHost = 127.0.0.1:$PORT"
begin "$WORK/letter" bob@far.test
wait_for 5 has 'C: DATA' "$DIALOGUE"
kill -INT "$SENDER"
ended 'an ignored SIGINT' 0
queued 'an ignored SIGINT' 0
stop_smtpd
check 'an ignored SIGINT: delivered' test "$MESSAGES" = 1

clean
start_smtpd -r 'END delay 1500'
write_conf "SmartHost = 127.0.0.1:$PORT"
begin "$WORK/letter" bob@far.test
wait_for 5 has 'octets of text' "$DIALOGUE"
began=$(now)
kill -TERM "$SENDER"
ended 'SIGTERM behind the end of data' 0
took=$(($(now) - began))
check "the caller is free at once ($took ms)" test "$took" -lt 1000
check 'a child hears the verdict' wait_for 5 queue_empty
check 'SIGTERM behind the end: delivered once' test "$(sunk)" = 1
stop_smtpd

# Before all has been read: nothing of it is kept, and the caller is told.
clean
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
mkfifo "$WORK/fifo"
begin "$WORK/fifo" bob@far.test
exec 9>"$WORK/fifo"
cat "$WORK/large" >&9
begun() { [ -n "$(find "$ROOT/Queue" -name '.tmp-*' 2>/dev/null)" ]; }
check 'it has begun' wait_for 5 begun
kill -TERM "$SENDER"
status=0
wait "$SENDER" || status=$?
exec 9>&-
check "SIGTERM while reading: status $status" test "$status" -ne 0 -a "$status" -ne 75
check 'nothing is kept, not even half' test \
	"$(find "$ROOT/Queue" -type f | wc -l)" = 0
check 'nothing was sent' test "$(sunk)" = 0
stop_smtpd

# ---- names ------------------------------------------------------------------------------

clean
start_smtpd
write_conf "SmartHost = smart.test:$PORT" "NameServers = 127.0.0.1:$DNS"
deliver 'a name with two addresses, one of them dead'
check 'a name: delivered' test "$(sunk)" = 1
queued 'a name' 0
write_conf "SmartHost = gone.test:$PORT, smart.test:$PORT" \
	"NameServers = 127.0.0.1:$DNS"
deliver 'the first name is unknown'
check 'the first name is unknown: delivered' test "$(sunk)" = 2
write_conf "SmartHost = gone.test:$PORT" "NameServers = 127.0.0.1:$DNS"
deliver 'an unknown smart host'
waits_with 'an unknown smart host' '451 4\.4\.3 .*gone\.test'
clean
write_conf "SmartHost = silent.test:$PORT" "NameServers = 127.0.0.1:$DNS" \
	'ImmediateTimeout = 1'
deliver 'a silent name server'
waits_with 'a silent name server' '451 4\.4\.[23] '
clean
write_conf "SmartHost = smart.test:$PORT" "NameServers = 127.0.0.1:$CLOSED"
deliver 'no name server'
waits_with 'no name server' '451 4\.4\.3 '
write_conf "SmartHost = 127.0.0.1:$PORT"
expect_exit 'once the name is mended' 0 sendmail -q --flush
queued 'once the name is mended' 0
check 'once the name is mended: delivered' test "$(sunk)" = 3
stop_smtpd

finish
