#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Not a benchmark: the mistakes that cost a fixed time or a system call a line
# are seen here, on any machine.

. "$(dirname "$0")/lib.sh"

# ---- helpers ----------------------------------------------------------------

printf 'Subject: hello\n\nhello\n' >"$WORK/letter"
{ cat "$WORK/letter"; yes 'a line of forty octets, so that it grows' |
	head -n 100000; } >"$WORK/large"
now() { date +%s%3N; }
# A debugger and a leak check exclude each other.
traced() {
	calls=$1 input=$2
	shift 2
	env -i PATH="$PATH" ASAN_OPTIONS=detect_leaks=0 strace -f -qq \
		-e signal=none -e trace="$calls" -o "$WORK/trace" \
		"$BUILD/sendmail" -C "$CONF" "$@" <"$input" >"$STDOUT" 2>"$STDERR"
}
calls() { grep -Ec "^[0-9]+ +($1)\\(" "$WORK/trace" || :; }
# to_net: what was written to the network; nothing else is sent.
to_net() { calls 'send|sendto|sendmsg'; }
SENDING=sendto,sendmsg

# ---- no stall ---------------------------------------------------------------

# Nagle's algorithm against a delayed acknowledgement costs 40 ms a message.
# Starting the program is measured apart: a sanitizer makes it slow.
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
check 'a hundred in a row' python3 - "$BUILD/sendmail" "$CONF" <<'END'
import os, statistics, subprocess, sys, time
env = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS")}

def median(n, *arguments):
    spans = []
    for i in range(n):
        began = time.monotonic()
        subprocess.run([sys.argv[1], *arguments], check=True, env=env,
                       stdout=subprocess.DEVNULL,
                       input=b"Subject: hello\n\nhello\n")
        spans.append(1000 * (time.monotonic() - began))
    return statistics.median(spans)

start = median(20, "--version")
send = median(100, "-C", sys.argv[2], "-f", "a@client.test", "b@far.test")
if send - start >= 44:
    sys.exit("a delivery takes %.1f ms, a start %.1f ms" % (send, start))
END
check 'all hundred are there' test "$(count_sink)" = 100
stop_smtpd
check 'a hundred in a row: correct' test "$VIOLATIONS" = 0

# The reply to QUIT is nobody's business.
for action in 'delay 3000' silent; do
	start_smtpd -r "QUIT $action"
	write_conf "SmartHost = 127.0.0.1:$PORT"
	began=$(now)
	expect_exit "QUIT $action" 0 sendmail -f alice@client.test bob@far.test \
		<"$WORK/letter"
	took=$(($(now) - began))
	check "QUIT $action is not waited for ($took ms)" test "$took" -lt 1500
	check "QUIT $action: delivered" test "$(count_sink)" = 1
	stop_smtpd
done

# A hundred messages in a run: the disk and the network, and no pauses.
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1'
for n in 1 2 3 4 5 6 7 8 9 10; do
	expect_exit "queued $n" 0 sendmail -odq -f alice@client.test \
		bob@far.test <"$WORK/letter"
done
began=$(now)
expect_exit 'ten in a run' 0 sendmail -q
took=$(($(now) - began))
check "ten in a run: no stall between them ($took ms)" test "$took" -lt 400
stop_smtpd
check 'ten in a run: one connection' test "$CONNECTIONS.$MESSAGES" = 1.10

# ---- system calls -----------------------------------------------------------

if ! strace -o /dev/null true 2>/dev/null; then
	skip 'strace cannot trace here: how often the system is called'
	finish
fi

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" 'MaxOutConnectionsPerDomain = 1'
traced "$SENDING,setsockopt" "$WORK/letter" -f alice@client.test bob@far.test
check 'EHLO, all of the message, QUIT: three writes' test "$(to_net)" = 3
expect_file_has 'TCP_NODELAY' "$WORK/trace" 'setsockopt.*TCP_NODELAY, \[1\]'
many=$(i=0; while [ $i -lt 100 ]; do echo "r$i@far.test"; i=$((i + 1)); done)
# shellcheck disable=SC2086 # a list
traced "$SENDING" "$WORK/letter" -f alice@client.test $many
check 'a hundred recipients: the same three' test "$(to_net)" = 3
for n in 1 2 3 4 5; do
	sendmail -odq -f alice@client.test bob@far.test <"$WORK/letter"
done
traced "$SENDING" /dev/null -q
check 'five in a run: EHLO, five, QUIT' test "$(to_net)" = 7

# No copying a line at a time: 4 MB, 100,000 lines, pieces of 64 KiB.
size=$(wc -c <"$WORK/large")
pieces=$((size / 65536))
traced read,write,pread64,pwrite64,$SENDING "$WORK/large" \
	-f alice@client.test bob@far.test
for call in read write pread64; do
	n=$(calls "$call")
	check "4 MB: $n times $call" test "$n" -le $((3 * pieces + 60))
done
n=$(to_net)
check "4 MB: $n times to the network" test "$n" -le $((4 * pieces + 60))
traced "$SENDING,fsync,fdatasync" "$WORK/letter" -f alice@client.test \
	bob@far.test
check 'delivered at once: nothing is synced' test "$(calls 'f(data)?sync')" = 0
stop_smtpd
check 'system calls: correct' test "$VIOLATIONS" = 0

finish
