#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What happens to a message that cannot go at once: the schedule, runs and
# their neighbours, reports, Badmail, Drop, and looking at all of it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/queue-lib.sh"

# ---- the schedule -----------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
submit '-odq' -odq -f alice@client.test bob@far.test
holds '-odq' Queue 1
run '-q works off what is due'
holds '-q' Queue 0
check '-q: delivered' test "$(sunk)" = 1

write_conf "SmartHost = 127.0.0.1:$CLOSED" 'SmtpRemoteProgressiveRetry = 2,5,15'
submit 'a host that is down' -f alice@client.test bob@far.test
holds 'a host that is down' Queue 1
expect_file_has 'the reason' "$WORK/held" '^x-status: 451 4\.4\.1 .*refused'
# Each interval varies by a fifth; a second may pass between.
n=1
for minutes in 2 5 15 15; do
	in=$(due_in)
	check "attempt $n: next in $minutes minutes ($in s)" test \
		"$in" -ge $((minutes * 48 - 2)) -a "$in" -le $((minutes * 72 + 1))
	expect_file_has "attempt $n is counted" "$WORK/held" \
		"^x-created: .* attempts=000$n last=2"
	tries=$(grep -c ' deferred ' "$WORK/log")
	run "attempt $n: -q finds nothing due"
	check "attempt $n: nothing was tried" test \
		"$(grep -c ' deferred ' "$WORK/log")" = "$tries"
	run "attempt $n: --flush does not wait" --flush
	holds "after attempt $n" Queue 1
	n=$((n + 1))
done
write_conf "SmartHost = 127.0.0.1:$PORT"
run 'not due'
check 'not due: not sent' test "$(sunk)" = 1
run 'once the host is up' --flush
holds 'once the host is up' Queue 0
check 'once the host is up: delivered' test "$(sunk)" = 2

# A name of the far future is a wrong clock's: due now.  One within the longest
# interval is not.
submit 'to be renamed' -odq -f alice@client.test bob@far.test
for name in "$ROOT"/Queue/*.eml; do
	mv "$name" "$ROOT/Queue/20990101T000000Z-${name##*Z-}"
done
run 'the far future is now'
holds 'the far future' Queue 0
submit 'from a clock that is a month ahead' -odq -f alice@client.test bob@far.test
age '-30 days'
run 'the clock is right again'
holds 'the clock is right again' Queue 0
check 'a month ahead: delivered' test "$(sunk)" = 4
stop_smtpd
check 'the schedule: correct' test "$VIOLATIONS" = 0

# ---- again and again --------------------------------------------------------

clean
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
background -bD -q1s
submit 'while a runner runs' -odq -f alice@client.test bob@far.test
check '-bD -q1s: delivered' wait_for 5 queue_empty
submit 'a second' -odq -f alice@client.test bob@far.test
check '-bD -q1s: delivered again' wait_for 5 queue_empty
kill -TERM "$RUNNER"
began=$(now)
ended '-bD -q1s ends on SIGTERM' 0
took=$(($(now) - began))
check "at once ($took ms)" test "$took" -lt 1000

began=$(now)
run '-q1s, detached' -q1s
took=$(($(now) - began))
check "the caller goes on ($took ms)" test "$took" -lt 900
# The runner is whoever was started with this very configuration.
runner() {
	for cmdline in /proc/[0-9]*/cmdline; do
		pid=${cmdline%/cmdline}
		! { tr '\0' '\n' <"$cmdline" | grep -qx -e "$CONF"; } 2>/dev/null ||
			echo "${pid#/proc/}"
	done
}
RUNNER=$(runner)
servers="$servers $RUNNER"
check 'there is one runner' test "$(echo "$RUNNER" | wc -w)" = 1
submit 'for the detached one' -odq -f alice@client.test bob@far.test
check 'detached: delivered' wait_for 5 queue_empty
check 'its input and output are nobody'"'"'s' test \
	"$(readlink "/proc/$RUNNER/fd/0" "/proc/$RUNNER/fd/1" "/proc/$RUNNER/fd/2" |
	sort -u)" = /dev/null
check 'it is in a session of its own' test \
	"$(cut -d ' ' -f 6 "/proc/$RUNNER/stat")" != "$(cut -d ' ' -f 6 /proc/$$/stat)"
kill -TERM "$RUNNER"
check 'detached: ends on SIGTERM' wait_for 5 gone "$RUNNER"

if unshare -pf true 2>/dev/null; then
	env -i PATH="$PATH" unshare -pf --kill-child "$BUILD/sendmail" \
		-C "$CONF" -q1s </dev/null >/dev/null 2>&1 &
	outer=$!
	servers="$servers $outer"
	submit 'for process 1' -odq -f alice@client.test bob@far.test
	check 'process 1: delivered' wait_for 5 queue_empty
	check 'process 1 stays in the foreground' kill -0 "$outer"
	kill -TERM "$(cat "/proc/$outer/task/$outer/children")"
	status=0
	wait "$outer" || status=$?
	check "process 1 ends on SIGTERM: status $status" test "$status" = 0
else
	skip 'no process namespaces here: sendmail as process 1'
fi
stop_smtpd
check 'again and again: correct' test "$VIOLATIONS" = 0

# ---- many messages, several runs --------------------------------------------

fill 300
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
background -q
run 'two runs at once'
ended 'two runs at once' 0
check '300 messages, each once' test "$(numbers)" = '300 300'
holds 'two runs at once' Queue 0
stop_smtpd
check 'two runs: correct' test "$VIOLATIONS" = 0

fill 300
start_smtpd -r 'END delay 5'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1' \
	'SmtpOutboundCommandSupportOptions = -CHUNKING'
background -q
victim=$RUNNER
wait_for 5 at_least 20
background -q
wait_for 5 at_least 50
kill -KILL "$victim"
wait "$victim" 2>/dev/null || :
ended 'the other run goes on' 0
run 'what the dead one had' --flush
holds 'after the kill' Queue 0
found=$(numbers)
check "a kill: all are there, one at most twice ($found)" \
	test "$found" = '300 300' -o "$found" = '301 300'
stop_smtpd
check 'a kill: the server counted no more' test "$MESSAGES" -le 301

fill 40
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1' \
	'MaxBatchedMessages = 10'
run 'ten a connection'
check 'ten a connection: each once' test "$(numbers)" = '40 40'
stop_smtpd
check 'ten a connection: four connections' test "$CONNECTIONS" = 4
check 'ten a connection: ten each' test \
	"$(grep -c '^connection [0-9]* messages 10$' "$STATISTICS")" = 4

fill 40
start_smtpd -r 'END delay 30'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 3'
run 'three at a time'
check 'three at a time: each once' test "$(numbers)" = '40 40'
stop_smtpd
expect_file_has 'three at a time' "$STATISTICS" '^max concurrent 3$'

# A server that has had enough of this connection, or dies in the middle, costs
# no more than the message it was at.
fill 20
start_smtpd -r 'MAIL#6 close' -r 'MAIL#12 reset'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1' \
	'SmtpOutboundCommandSupportOptions = -CHUNKING'
run 'interrupted twice'
check 'interrupted twice: each once' test "$(numbers)" = '20 20'
stop_smtpd
check 'interrupted twice: three connections' test "$CONNECTIONS" = 3
fill 20
start_smtpd -r 'MAIL#6 reply 421 4.3.2 enough'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1'
run 'enough of this connection'
holds 'enough of this connection: the message goes on another' Queue 0
check 'enough of this connection: each once' test "$(numbers)" = '20 20'
stop_smtpd
fill 20
start_smtpd -r 'END#6 close'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1'
run 'a verdict is missing'
holds 'a verdict is missing' Queue 1
expect_file_has 'a verdict is missing' "$WORK/held" 'possibly delivered'
check 'a verdict is missing: the others came' test "$(numbers)" = '19 19'
run 'and again' --flush
check 'and again: each once' test "$(numbers)" = '20 20'
stop_smtpd

# A run that is told to end ends what cannot be cut short, and nothing else.
fill 14
start_smtpd -r 'END delay 200'
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 2'
background -q
wait_for 5 at_least 3
kill -TERM "$RUNNER"
began=$(now)
ended 'a run and SIGTERM' 0
took=$(($(now) - began))
check "a run and SIGTERM: soon ($took ms)" test "$took" -lt 1000
left=$(count Queue)
check "a run and SIGTERM: what is left ($left)" test "$left" = $((14 - $(sunk)))
run 'the rest' --flush
check 'a run and SIGTERM: each once' test "$(numbers)" = '14 14'
stop_smtpd

# A locked message belongs to somebody: it is passed over, at once.
fill 3
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
locked=$(find "$ROOT/Queue" -name '*.eml' | sort | sed -n 2p)
python3 -c '
import fcntl, sys, time
f = open(sys.argv[1])
fcntl.flock(f, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)' "$locked" >"$WORK/locked" &
holder=$!
servers="$servers $holder"
wait_for 5 test -s "$WORK/locked"
began=$(now)
run 'past a lock' --flush
took=$(($(now) - began))
check "past a lock ($took ms)" test "$took" -lt 900
holds 'past a lock' Queue 1
check 'it is the locked one' test -e "$locked"
kill "$holder"
wait "$holder" 2>/dev/null || :
run 'without the lock'
check 'without the lock: each once' test "$(numbers)" = '3 3'
stop_smtpd

# What is not due is not opened, however much it is.
clean
write_conf "SmartHost = 127.0.0.1:$CLOSED"
submit 'makes the folder' -odq -f alice@client.test bob@far.test
rm "$ROOT"/Queue/*.eml
python3 - "$ROOT/Queue" "$(date -u -d '+1 hour' +%Y%m%dT%H%M%SZ)" <<'END'
import sys
for i in range(20000):
    open("%s/%s-%020d.eml" % (sys.argv[1], sys.argv[2], i), "w").close()
END
if strace -o /dev/null true 2>/dev/null; then
	began=$(now)
	status=0
	env -i PATH="$PATH" ASAN_OPTIONS=detect_leaks=0 strace -f -qq \
		-e trace=open,openat -o "$WORK/trace" \
		"$BUILD/sendmail" -C "$CONF" -q || status=$?
	took=$(($(now) - began))
	check '20,000 that are not due: status' test "$status" = 0
	check 'none of them is opened' test "$(grep -c '\.eml' "$WORK/trace")" = 0
	check 'nor is anything else often' test "$(wc -l <"$WORK/trace")" -lt 100
	check "20,000 that are not due ($took ms)" test "$took" -lt 2000
else
	skip 'strace cannot trace here: what is not due is not opened'
fi

# ---- reports ------------------------------------------------------------------

REFUSE='RCPT/nobody@ reply 550 5.1.1 <nobody@far.test>: no such user "here"'

# To a local sender in Drop, with the server's own words.
clean
start_smtpd -r "$REFUSE" -r 'RCPT/full@ reply 552-5.2.2 over\n552 5.2.2 quota'
write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = client.test'
submit 'one refused' -odq -f alice@client.test -V order+2B7 -N failure \
	nobody@far.test bob@far.test
run 'one refused'
holds 'one refused' Queue 0
holds 'one refused' Badmail 0
holds 'one refused' Drop 1
report=$(drop_file)
dsn 'a report with one recipient' "$report" 'len(rcpts) == 1'
dsn 'to the sender' "$report" 'm["To"] == "alice@client.test"'
dsn 'from nobody who answers' "$report" \
	'm["Return-Path"] == "<>" and "postmaster@client.test" in m["From"]'
dsn 'about its message' "$report" \
	'm["In-Reply-To"] == m["References"] == "<one@client.test>"'
dsn 'recipient, action, status' "$report" \
	'(rcpts[0]["Final-Recipient"], rcpts[0]["Action"], rcpts[0]["Status"]) ==
	("rfc822; nobody@far.test", "failed", "5.1.1")'
dsn 'what was asked for' "$report" \
	'(rcpts[0]["Original-Recipient"], head["Original-Envelope-Id"]) ==
	("rfc822; nobody@far.test", "order+7")'
dsn 'who said it' "$report" 'rcpts[0]["Remote-MTA"].startswith("dns; ") and
	"127.0.0.1" in rcpts[0]["Remote-MTA"]'
dsn 'in its own words' "$report" '" ".join(rcpts[0]["Diagnostic-Code"].split()) ==
	"smtp; 550 5.1.1 <nobody@far.test>: no such user \"here\""'
dsn 'for people too' "$report" 'all(w in text for w in ("nobody@far.test",
	"no such user \"here\"", "127.0.0.1", "550 5.1.1"))'
dsn 'with the message' "$report" \
	'"number 0000" in original.as_string() and "hello" in original.as_string()'

# RET=HDRS: the header only.
submit 'headers only' -odq -f alice@client.test -R hdrs nobody@far.test
rm "$ROOT"/Drop/*.eml
run 'headers only'
dsn 'headers only' "$(drop_file)" \
	'original.get_content_type() == "text/rfc822-headers" and
	"number 0000" not in original.as_string() and
	"Subject: hello" in original.as_string()'

# Two in one report; 552 to RCPT is no verdict.
submit 'two refused, one full' -odq -f alice@client.test nobody@far.test \
	nobody@else.test full@far.test
rm "$ROOT"/Drop/*.eml
run 'two refused, one full'
dsn 'two in one report' "$(drop_file)" 'sorted(r["Final-Recipient"]
	for r in rcpts) == ["rfc822; nobody@else.test", "rfc822; nobody@far.test"]'
holds 'full waits' Queue 1
expect_file_has 'full waits: both lines of the answer' "$WORK/held" \
	'^x-status: 552 5\.2\.2 over quota \(127'

# A remote sender has his through the smart host, a copy goes to SendNdrTo.
clean
write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = local.test' \
	'SendNdrTo = watch@local.test'
submit 'a remote sender' -odq -f alice@else.test nobody@far.test
run 'a remote sender'
holds 'the report waits for the next run' Queue 1
expect_file_has 'from the null sender' "$WORK/held" '^x-sender: <>'
run 'and goes out'
holds 'and goes out' Queue 0
newest=$(find "$SINKDIR" -name '*.msg' | sort | tail -n 1)
expect_file_has 'the envelope of the report' "$newest" '^mail: <>'
expect_file_has 'its recipient' "$newest" '^rcpt: <alice@else.test>'
dsn 'the report over the wire' "$newest" 'rcpts[0]["Status"] == "5.1.1"'
holds 'SendNdrTo has a copy' Drop 1
expect_file_has 'the copy' "$WORK/held" '^x-receiver: watch@local\.test'
dsn 'the copy is a report too' "$(drop_file)" 'rcpts[0]["Status"] == "5.1.1"'

# Nobody to tell: Badmail.  Nobody wants to be told: nothing.
clean
write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = client.test'
submit 'the null sender' -odq -f '<>' nobody@far.test
run 'the null sender'
holds 'the null sender' Badmail 1
expect_file_has 'the reason is with it' "$WORK/held" \
	'^x-status: 550 5\.1\.1 .*no such user'
holds 'the null sender' Queue 0
holds 'no report about a report' Drop 0
clean
submit 'NOTIFY=NEVER' -odq -f alice@client.test -N never nobody@far.test
run 'NOTIFY=NEVER'
holds 'NOTIFY=NEVER' Queue 0
holds 'NOTIFY=NEVER' Drop 0
stop_smtpd

# ---- delay and expiry -----------------------------------------------------------

clean
write_conf "SmartHost = 127.0.0.1:$CLOSED" 'LocalDomains = client.test' \
	'SmtpRemoteDelayExpireMinutes = 0'
submit 'late at once' -f alice@client.test bob@far.test
holds 'late at once' Queue 1
holds 'one warning' Drop 1
dsn 'a delay' "$(drop_file)" 'rcpts[0]["Action"] == "delayed" and
	rcpts[0]["Status"] == "4.4.1" and
	email.utils.parsedate(rcpts[0]["Will-Retry-Until"])'
dsn 'with the header only' "$(drop_file)" \
	'original.get_content_type() == "text/rfc822-headers"'
run 'still down' --flush
holds 'no second warning' Drop 1
holds 'it waits on' Queue 1
clean
submit 'who asks for failures only' -f alice@client.test -N failure bob@far.test
holds 'is not warned' Drop 0

clean
write_conf "SmartHost = 127.0.0.1:$CLOSED" 'LocalDomains = client.test' \
	'SmtpRemoteNDRExpireMinutes = 0'
submit 'given up at once' -odq -f alice@client.test bob@far.test
run 'given up at once'
holds 'given up' Queue 0
holds 'given up' Badmail 1
expect_file_has 'the reason stands there' "$WORK/held" \
	'^x-status: 451 4\.4\.1 .*refused'
sed '1,/^Message-ID:/d' "$WORK/held" | tr -d '\r' | sed '1,/^$/d' >"$WORK/body"
check 'and the whole message' test "$(cat "$WORK/body")" = 'number 0000'
holds 'the sender knows' Drop 1
dsn 'the report of an expiry' "$(drop_file)" 'rcpts[0]["Action"] == "failed" and
	rcpts[0]["Status"] == "4.4.7" and "refused" in text'
clean
submit 'NEVER' -odq -f alice@client.test -N never bob@far.test
run 'NEVER expires too'
holds 'NEVER expires too' Badmail 1
holds 'without a word' Drop 0

# In its own time: five days and six attempts, and one warning on the way.
clean
write_conf "SmartHost = 127.0.0.1:$CLOSED" 'LocalDomains = client.test'
submit 'a long story' -f alice@client.test bob@far.test
age '11 hours'
run 'eleven hours'
holds 'eleven hours: it waits' Queue 1
holds 'eleven hours: no word' Drop 0
age '2 hours'
run 'thirteen hours'
holds 'thirteen hours: a warning' Drop 1
dsn 'and no alarm' "$(drop_file)" 'rcpts[0]["Action"] == "delayed"'
age '6 days'
run 'six days, but only three attempts'
holds 'six days: age is not enough' Queue 1
run 'four' --flush
run 'five' --flush
run 'six attempts, but all in a moment' --flush
holds 'six attempts: they were no tries' Queue 1
age '1 day'
run 'seven days'
holds 'seven days: given up' Queue 0
holds 'seven days' Badmail 1
expect_file_has 'seven days: seven attempts' "$WORK/held" '^x-status: 451 4\.4\.1'
holds 'seven days: warned once, returned once' Drop 2
dsn 'the other is the return' \
	"$(grep -l '^Action: failed' "$ROOT"/Drop/*.eml)" 'rcpts[0]["Action"] == "failed"
	and "Given up after 7 days" in text'
# A message whose time lies in the future came from a wrong clock: its age
# begins now.
clean
submit 'from the future' -f alice@client.test bob@far.test
age '-9 days'
run 'from the future'
holds 'from the future: tried, and kept' Queue 1
expect_file_has 'from the future: created now' "$WORK/held" \
	"^x-created: $(date -u +%Y-%m-%d).* attempts=0002"

# Badmail has a size; over it the oldest go.
clean
write_conf "SmartHost = 127.0.0.1:$CLOSED" 'LocalDomains = client.test' \
	'SmtpRemoteNDRExpireMinutes = 0' 'MaxBadMailFolderSize = 3'
for n in 1 2 3 4 5 6; do
	submit "bad $n" -odq -f '<>' "r$n@far.test"
	run "bad $n"
	[ "$n" != 1 ] || oldest=$(find "$ROOT/Badmail" -name '*.eml')
	[ "$n" != 1 ] || sleep 1.1	# names have seconds
done
kept=$(count Badmail)
check "Badmail stays small ($kept)" test "$kept" -ge 2 -a "$kept" -lt 6
check 'the oldest is gone' test ! -e "$oldest"
holds 'the newest is there' Badmail "$kept"
expect_file_has 'the newest is there' "$WORK/held" '^x-return(ed|er): <r6@far'
check 'each removal is in the log' test \
	"$(grep -c ' badmail-removed ' "$WORK/log")" = $((6 - kept))
clean
write_conf "SmartHost = 127.0.0.1:$CLOSED" 'LocalDomains = client.test' \
	'SmtpRemoteNDRExpireMinutes = 0' 'MaxBadMailFolderSize = 0'
submit 'nothing is kept' -odq -f alice@client.test bob@far.test
run 'nothing is kept'
holds 'nothing is kept' Badmail 0
holds 'nothing is kept' Queue 0
holds 'but the sender knows' Drop 1
expect_file_has 'and so does the log' "$WORK/log" ' removed .*MaxBadMail'

# ---- Drop ------------------------------------------------------------------------

clean
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
submit 'local and remote' -f alice@client.test bob@local.test \
	'"carol s"@local.test' dave@far.test
check 'dave has it by SMTP' test "$(sunk)" = 1
expect_file_lacks 'and only dave' "$(find "$SINKDIR" -name '*.msg')" '@local'
holds 'one file for both' Drop 1
holds 'nothing stays' Queue 0
dropped=$(drop_file)
check 'its name is an id' test \
	"$(basename "$dropped" | grep -Ec '^[0-9a-z]{20}\.eml$')" = 1
tr -d '\r' <"$dropped" | head -n 4 >"$WORK/head"
cat >"$WORK/want" <<'END'
x-sender: alice@client.test
x-receiver: bob@local.test
x-receiver: "carol s"@local.test
Return-Path: <alice@client.test>
END
check 'the form of IIS' cmp "$WORK/head" "$WORK/want"
expect_file_lacks 'nothing of ours, and nobody else' "$dropped" \
	'^x-(mailroot|created|status|received)|dave'
check 'every line ends with CRLF' test "$(grep -c '.' "$dropped")" -ge 8 -a \
	"$(grep -vc "$(printf '\r')\$" "$dropped")" = 0
rm "$dropped"
submit 'the null sender' -f '<>' bob@local.test
expect_file_has 'a null sender in Drop' "$(drop_file)" '^Return-Path: <>'

# A reader who looks as often as he can never sees half a file.
{
	cat "$WORK/letter"
	yes 'a line of forty octets, so that it grows' | head -n 500000
	echo 'THE END'
} >"$WORK/large"
clean
submit 'makes the folder' -f alice@client.test bob@local.test
rm "$ROOT"/Drop/*.eml
python3 - "$ROOT/Drop" >"$WORK/seen" <<'END' &
import os, sys, time
seen, until = set(), time.time() + 60
while len(seen) < 3 and time.time() < until:
    for name in os.listdir(sys.argv[1]):
        path = os.path.join(sys.argv[1], name)
        if name.startswith(".") or name in seen:
            continue
        with open(path, "rb") as f:
            f.seek(0, 2)
            size = f.tell()
            f.seek(max(0, size - 9))
            print("whole" if f.read() == b"THE END\r\n" else "half", flush=True)
        seen.add(name)
END
reader=$!
servers="$servers $reader"
for n in 1 2 3; do
	expect_exit "20 MB to Drop, $n" 0 sendmail -f alice@client.test \
		bob@local.test <"$WORK/large"
done
wait "$reader" || :
check 'three whole files were seen' test "$(tr '\n' ' ' <"$WORK/seen")" = \
	'whole whole whole '

# Full: local mail waits, and comes when there is room.
clean
write_conf "SmartHost = 127.0.0.1:$PORT" 'DropDirectoryQuota = 1500' \
	'LocalDomains = local.test client.test'
n=0
while [ "$(count Queue)" = 0 ] && [ $n -lt 20 ]; do
	n=$((n + 1))
	submit "local mail $n" -f alice@client.test bob@local.test
done
check "the quota holds ($n)" test "$n" -ge 2 -a "$n" -lt 10
holds 'the quota' Queue 1
expect_file_has 'full' "$WORK/held" '^x-status: 452 4\.2\.2 '
submit 'remote mail is not concerned' -f alice@client.test bob@far.test
holds 'remote mail' Queue 1
rm "$ROOT"/Drop/*.eml
run 'there is room' --flush
holds 'there is room' Queue 0
holds 'there is room' Drop 1
stop_smtpd
check 'Drop: correct' test "$VIOLATIONS" = 0

# ---- looking ------------------------------------------------------------------------

clean
write_conf "SmartHost = 127.0.0.1:$CLOSED"
mailq() { sendmail -bp "$@"; }
expect_exit 'mailq, empty' 0 mailq
expect_file_has 'mailq, empty' "$STDOUT" 'is empty$'
expect_file_has 'mailq, empty: the total' "$STDOUT" 'Total requests: 0$'
expect_exit 'mailq --json, empty' 0 mailq --json
expect_silent 'mailq --json, empty'
submit 'two' -f alice@client.test bob@far.test carol@else.test
submit 'one more' -odq -f '<>' dave@far.test
expect_exit 'mailq' 0 mailq
expect_empty 'mailq (stderr)' "$STDERR"
expect_file_has 'mailq: how many' "$STDOUT" '\(2 requests\)$'
expect_file_has 'mailq: id, size, sender' "$STDOUT" \
	'^[0-9a-z]{20} +[0-9]+ .* <alice@client\.test>$'
expect_file_has 'mailq: each recipient' "$STDOUT" '^ +<bob@far\.test>$'
expect_file_has 'mailq: with the reason' "$STDOUT" \
	'^ +\(Deferred: 451 4\.4\.1 .*refused'
expect_file_has 'mailq: the next attempt' "$STDOUT" 'next attempt .*\(1 so far\)'
expect_file_has 'mailq: the null sender' "$STDOUT" ' <>$'
expect_file_has 'mailq: the total' "$STDOUT" '^[[:space:]]+Total requests: 2$'
ln -sf "$BUILD/sendmail" "$WORK/mailq"
cp "$STDOUT" "$WORK/listing"
expect_exit 'called mailq' 0 env -i "$WORK/mailq" -C "$CONF"
check 'the name does it' test \
	"$(grep -c Total "$STDOUT")$(wc -l <"$STDOUT")" = "1$(wc -l <"$WORK/listing")"
expect_exit 'mailq --json' 0 mailq --json
check 'mailq --json: an object a line' python3 - "$STDOUT" <<'END'
import json, sys
one, two = (json.loads(line) for line in open(sys.argv[1]))
if not one["sender"]:
    one, two = two, one
assert one["sender"] == "alice@client.test" and two["sender"] == ""
assert [r["address"] for r in one["recipients"]] == \
    ["bob@far.test", "carol@else.test"]
assert all(r["state"] == "waiting" and "refused" in r["reason"]
           for r in one["recipients"])
assert len(one["id"]) == 20 and one["id"] in one["name"]
assert one["attempts"] == 1 and two["attempts"] == 0
END

plugins=$TOP/build/peers/plugins/usr/lib/nagios/plugins
if [ -e "$plugins/check_mailq" ]; then
	mkdir "$WORK/plugins"
	cp "$plugins/check_mailq" "$plugins/utils.pm" "$WORK/plugins"
	cat >"$WORK/plugins/mailq" <<-END
		#!/bin/sh
		exec "$BUILD/sendmail" -C "$CONF" -bp
	END
	chmod +x "$WORK/plugins/mailq"
	sed -i "s|^\(\$PATH_TO_MAILQ *=\).*|\1 \"$WORK/plugins/mailq\";|" \
		"$WORK/plugins/utils.pm"
	expect_exit 'check_mailq' 0 perl -I "$WORK/plugins" \
		"$WORK/plugins/check_mailq" -M sendmail -w 10 -c 20
	expect_file_has 'check_mailq counts right' "$STDOUT" \
		'^OK: sendmail mailq \(2\) is below .*unsent=2;'
	expect_exit 'check_mailq warns' 1 perl -I "$WORK/plugins" \
		"$WORK/plugins/check_mailq" -M sendmail -w 1 -c 20
	expect_exit 'check_mailq is critical' 2 perl -I "$WORK/plugins" \
		"$WORK/plugins/check_mailq" -M sendmail -w 1 -c 2
	rm "$ROOT"/Queue/*.eml
	expect_exit 'check_mailq, empty' 0 perl -I "$WORK/plugins" \
		"$WORK/plugins/check_mailq" -M sendmail -w 10 -c 20
	expect_file_has 'check_mailq, empty' "$STDOUT" 'empty|\(0\)'
else
	skip 'check_mailq is not unpacked: tests/deps'
fi

# ---- the log ----------------------------------------------------------------------------

clean
start_smtpd -r "$REFUSE" -r 'RCPT/busy@ reply 450 4.2.1 busy'
write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = client.test'
submit 'for the log' -f alice@client.test bob@far.test nobody@far.test \
	busy@far.test local@client.test
sed 's/^[0-9TZ:-]* mailroot\[[0-9]*\]: //' "$WORK/log" >"$WORK/lines"
check 'every line has a time, us, and a process' test \
	"$(wc -l <"$WORK/log")" = "$(grep -Ec \
	'^20[0-9T:-]+Z mailroot\[[0-9]+\]: ' "$WORK/log")"
id=$(sed -n 's/ accepted .*//p' "$WORK/lines")
check 'the id is first' test "${#id}" = 20
check 'in every line of the message' test \
	"$(grep -c "^$id " "$WORK/lines")" -ge 6
uid=$(id -u)
expect_file_has 'accepted' "$WORK/lines" "^$id accepted uid=$uid \
from=<alice@client\.test> size=[0-9]+ nrcpt=4 msgid=<one@client\.test>"
expect_file_has 'sent' "$WORK/lines" "^$id sent uid=$uid from=<alice@client\.test> \
to=<bob@far\.test> hop=\"smart host 127\.0\.0\.1:$PORT\" host=127\.0\.0\.1 \
address=127\.0\.0\.1 tls=none delay=[0-9]+ reply=\"250 2\.0\.0 queued as"
expect_file_has 'failed' "$WORK/lines" \
	"^$id failed .*to=<nobody@far\.test> .*reply=\"550 5\.1\.1 <nobody"
expect_file_has 'deferred' "$WORK/lines" \
	"^$id deferred .*to=<busy@far\.test> .*reply=\"450 4\.2\.1 busy\""
expect_file_has 'local' "$WORK/lines" "^$id sent .*to=<local@client\.test> hop=Drop"
expect_file_has 'returned' "$WORK/lines" "^$id returned .*to=alice@client\.test"
write_conf "SmartHost = 127.0.0.1:$PORT" 'LogFormat = json'
rm "$WORK/log"
submit 'in JSON' -f alice@client.test bob@far.test nobody@far.test
check 'a log in JSON' python3 - "$WORK/log" "$REFUSE" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
events = [l["event"] for l in lines]
assert events[0] == "accepted" and "sent" in events and "failed" in events
assert len({l["id"] for l in lines if l["id"]}) == 1
failed = lines[events.index("failed")]
assert failed["to"] == "<nobody@far.test>"
assert failed["reply"] == sys.argv[2].split(" reply ")[1], failed["reply"]
END
stop_smtpd
check 'the log: correct' test "$VIOLATIONS" = 0

finish
