#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Limits for a host that many share: MaxMessagesPerHour, MaxQueuedPerUser, who
# is free of them, and what the log says of a caller.

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || { skip 'limits are for others than root: needs root'; finish; }
chmod 755 "$WORK"
# The checkout may be below a private directory.
cp "$BUILD/sendmail" "$WORK/sendmail"
mkdir -p "$ROOT" "$WORK/site"
chmod 777 "$ROOT"
: >"$WORK/log"
chmod 666 "$WORK/log"

# as UID: submits one message in that user's name, from the site's directory.
as() {
	# shellcheck disable=SC2086 # EXTRA_ENV is a list
	(cd "$WORK/site" && printf 'Subject: hello\n\nbody\n' |
		env -i PATH="$PATH" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} $EXTRA_ENV \
		setpriv --reuid "$1" --regid 7000 --clear-groups \
		"$WORK/sendmail" -C "$CONF" -odq bob@far.test)
}
fresh() {
	rm -rf "$ROOT/Queue" "$ROOT/State"
	mkdir -m 1777 "$ROOT/Queue" "$ROOT/State"
	: >"$WORK/log"
}

# ---- an hour ---------------------------------------------------------------------

write_conf 'MaxMessagesPerHour = 3' 'UnlimitedUsers = 7003, nobody'
fresh
for n in 1 2 3; do
	expect_exit "message $n" 0 as 7001
	expect_silent "message $n"
done
expect_exit 'the fourth' 77 as 7001
check 'one line' test "$(wc -l <"$STDERR")" = 1
expect_file_has 'it says which limit' "$STDERR" \
	'^sendmail: user 7001 has sent 3 messages in the last hour.*MaxMessagesPerHour'
check 'nothing of it is kept' test "$(find "$ROOT/Queue" -type f | wc -l)" = 3
expect_exit 'another user' 0 as 7002
for n in 1 2 3 4 5; do
	expect_exit "a number in UnlimitedUsers, $n" 0 as 7003
	expect_exit "a name in UnlimitedUsers, $n" 0 as 65534
	expect_exit "root, $n" 0 as 0
done
expect_file_has 'the log names uid and directory' "$WORK/log" \
	"accepted uid=7001 .*cwd=$WORK/site"
expect_file_has 'and the refusal' "$WORK/log" 'user 7001 has sent 3'

# The hour before counts for the part of it that is less than an hour ago.
fresh
hour=$(($(date +%s) / 3600))
left=$((3600 - $(date +%s) % 3600))
if [ "$left" -gt 30 ]; then
	printf '%0100d' 0 >"$ROOT/State/sent-7001-$((hour - 1))"
	chmod 666 "$ROOT/State/"*
	# At least three of the hundred are inside the hour, unless it is
	# nearly over.
	if [ "$left" -gt 200 ]; then
		expect_exit 'the hour before counts' 77 as 7001
	fi
	mv "$ROOT/State/sent-7001-$((hour - 1))" \
		"$ROOT/State/sent-7001-$((hour - 2))"
	expect_exit 'the one before that does not' 0 as 7001
	expect_exit 'a run' 0 sendmail -q
	check 'what is over is forgotten' test ! -e \
		"$ROOT/State/sent-7001-$((hour - 2))"
	check 'what is not is kept' test -e "$ROOT/State/sent-7001-$hour"
fi

# ---- many at once --------------------------------------------------------------

cat >"$WORK/held.py" <<'END'
import os, subprocess, sys, time
root, argv = sys.argv[1], sys.argv[2:]
def unfinished():
    return subprocess.run("ls -A %s/Queue | grep -c tmp" % root, shell=True,
        stdout=subprocess.PIPE).stdout.strip()
# Each has asked for leave before the first is counted.
all = [subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    env=dict(os.environ)) for i in range(4)]
for turn in range(200):
    if unfinished() == b"4":
        break
    time.sleep(0.05)
else:
    sys.exit("they did not begin")
said = [p.communicate(b"Subject: x\n\nbody\n")[1] for p in all]
print([p.returncode for p in all], unfinished().decode(),
    sum(b"sendmail: user 7001 has" in s for s in said))
END
for limit in MaxMessagesPerHour MaxQueuedPerUser; do
	write_conf "$limit = 2"
	fresh
	python3 "$WORK/held.py" "$ROOT" setpriv --reuid 7001 --regid 7000 \
		--clear-groups "$WORK/sendmail" -C "$CONF" -odq bob@far.test \
		>"$STDOUT" 2>&1 || :
	expect_file_has "$limit, four at once: two are told" "$STDOUT" \
		'^\[0, 0, 77, 77\] 0 2$'
	check "$limit, four at once: two are kept" test "$(count Queue)" = 2
done

# The same by -bs.
write_conf 'MaxMessagesPerHour = 1'
fresh
cat >"$WORK/two.py" <<'END'
import os, subprocess, sys
def session():
    p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=dict(os.environ))
    p.stdout.readline()
    return p
def ask(p, *lines):
    for line in lines:
        p.stdin.write(line + b"\r\n")
        p.stdin.flush()
        reply = p.stdout.readline()
    return reply
a, b = session(), session()
for p in a, b:
    ask(p, b"HELO x.test", b"MAIL FROM:<a@far.test>", b"RCPT TO:<b@far.test>",
        b"DATA")
print(ask(a, b"Subject: x\r\n\r\nbody\r\n.")[:3].decode(),
    ask(b, b"Subject: x\r\n\r\nbody\r\n.")[:3].decode())
for p in a, b:
    ask(p, b"QUIT")
    p.wait()
END
check 'two sessions, a limit of one' test "$(python3 "$WORK/two.py" setpriv \
	--reuid 7001 --regid 7000 --clear-groups "$WORK/sendmail" -C "$CONF" \
	-odq -bs 2>"$STDERR")" = '250 450'
check 'two sessions, a limit of one: one is kept' test "$(count Queue)" = 1

# A count is a file: who may write no file as large as that would be free.
write_conf 'MaxMessagesPerHour = 10000'
fresh
printf '%03000d' 0 >"$ROOT/State/sent-7001-$(($(date +%s) / 3600))"
chmod 666 "$ROOT/State/"*
status=0
printf 'Subject: x\n\nbody\n' | prlimit --core=0 --fsize=2000 setpriv \
	--reuid 7001 --regid 7000 --clear-groups "$WORK/sendmail" -C "$CONF" \
	-odq bob@far.test 2>"$STDERR" || status=$?
check 'a count that cannot grow: 77' test "$status" = 77
check 'a count that cannot grow: nothing is kept' test "$(count Queue)" = 0

# ---- what waits ------------------------------------------------------------------

write_conf 'MaxQueuedPerUser = 2'
fresh
expect_exit 'one waits' 0 as 7001
expect_exit 'two wait' 0 as 7001
expect_exit 'a third may not' 77 as 7001
expect_file_has 'it says which limit' "$STDERR" 'MaxQueuedPerUser'
expect_exit 'another user' 0 as 7002
rm -f "$ROOT"/Queue/*
expect_exit 'when they are gone' 0 as 7001

# A writer that is still writing gets the line, and no SIGPIPE.
write_conf 'MaxMessagesPerHour = 1'
fresh
expect_exit 'the one' 0 as 7001
yes 'a line of some length, to fill the pipe' | head -c 1000000 \
	>"$WORK/large"
status=0
(set +e; (cat "$WORK/large"; echo $? >"$WORK/writer") |
	setpriv --reuid 7001 --regid 7000 --clear-groups "$WORK/sendmail" \
	-C "$CONF" -odq bob@far.test 2>"$STDERR") || status=$?
check 'the status' test "$status" = 77
check 'the input was read to its end' test "$(cat "$WORK/writer")" = 0
finish
