#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# The runner that stays (-bD -q1h): what appears in Queue is worked off at once
# and not in an hour; it is quiet when there is nothing to do; it shows the log
# of others; it ends cleanly; it is missed when it is not there.

. "$(dirname "$0")/lib.sh"

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" 'LogFile = stderr' \
	"AliasFile = $WORK/aliases"

runner() {
	# shellcheck disable=SC2086 # EXTRA_ENV is a list
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		$EXTRA_ENV "$BUILD/sendmail" -C "$CONF" -bD -q1h "$@" \
		>"$WORK/runner.out" 2>"$WORK/runner.err" &
	RUNNER=$!
	servers="$servers $RUNNER"
	wait_for 10 test -e "$ROOT/State/last-run"
}
sent() { [ "$(count_sink)" -ge "$1" ]; }
empty() { [ "$(count Queue)" = 0 ]; }
dropped() { [ "$(count Drop)" = 1 ]; }
says() { grep -Eq -e "$1" "$WORK/runner.err"; }

# ---- it watches ---------------------------------------------------------------

check 'the runner starts on an empty volume' runner
check 'it made Queue' test -d "$ROOT/Queue"
expect_exit 'queued' 0 sendmail -odq bob@far.test <<-END
	Subject: one
END
expect_silent 'a submission is silent where LogFile is stderr'
check 'sent at once, not in an hour' wait_for 10 sent 1
check 'and gone from Queue' wait_for 10 empty
check 'the log of the submission is shown' wait_for 5 says ' accepted '
check 'and the own one' says ' sent '
expect_exit 'local mail' 0 sendmail -odq ann@local.test <<-END
	Subject: two
END
check 'written to Drop at once' wait_for 10 dropped

# What was written before it began to watch is not shown again.
lines=$(grep -c ' accepted ' "$WORK/runner.err")
check 'each line is shown once' test "$lines" = 2

# Pickup, and an AliasFile that changes while it runs.
cat >"$ROOT/Pickup/one.eml" <<-END
	x-sender: a@client.test
	x-receiver: news@local.test

	Subject: picked up
END
check 'a file in Pickup is taken' wait_for 5 sh -c "ls '$ROOT'/Drop | grep -c . | grep -qx 2"
echo 'news: bob@far.test' >"$WORK/aliases"
cat >"$ROOT/Pickup/two.eml" <<-END
	x-sender: a@client.test
	x-receiver: news@local.test

	Subject: picked up
END
check 'the new alias is known' wait_for 5 sent 2

# Nor is it lost when somebody empties the file.
: >"$ROOT/State/log"
expect_exit 'queued behind that' 0 sendmail -odq -L behind ann@local.test <<-END
	Subject: three
END
check 'the log is shown after it was emptied' wait_for 5 says \
	' accepted tag=behind'

# ---- it is quiet ----------------------------------------------------------------

dirty() { awk '/^(Private_Dirty|Pss_Anon):/ { if ($2 > m) m = $2 }
	END { print m + 0 }' "/proc/$1/smaps_rollup"; }
if [ -r /proc/self/smaps_rollup ] && [ "${BUILD##*/}" != san ]; then
	kb=$(dirty "$RUNNER")
	check "idle it needs under 3 MiB of its own ($kb KiB)" \
		test "$kb" -lt 3072
else
	skip 'memory figures (sanitizers, or no smaps_rollup)'
fi
wakes() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"; }
sleep 2
before=$(wakes "$RUNNER")
sleep 2
check 'no wake-ups but the timer' test "$(wakes "$RUNNER")" = "$before"

# ---- it is not driven -----------------------------------------------------------

# Anybody may write to Pickup as often as he likes; each run says what stays.
ln -s /etc/passwd "$ROOT/Pickup/link"
lines=$(grep -c 'file=link' "$WORK/runner.err" || :)
for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
	: >"$ROOT/Pickup/driver"
	sleep 0.08
done
wait_for 5 says 'file=link' || bad 'a run says what stays'
lines=$(($(grep -c 'file=link' "$WORK/runner.err") - lines))
check "events all the time make a few runs ($lines in two seconds)" \
	test "$lines" -le 12
rm -f "$ROOT/Pickup/link" "$ROOT/Pickup/driver"

# ---- it ends ----------------------------------------------------------------------

kill -TERM "$RUNNER"
status=0
wait "$RUNNER" || status=$?
check 'SIGTERM ends it with 0' test "$status" = 0
expect_empty 'nothing on standard output' "$WORK/runner.out"

children() { tr -d ' ' <"/proc/$1/task/$1/children"; }

# As process 1, in a world where every process is its descendant.
if unshare --pid --fork --mount-proc true 2>/dev/null; then
	rm -rf "$ROOT"
	unshare --pid --fork --mount-proc --kill-child \
		"$BUILD/sendmail" -C "$CONF" -q1h \
		>"$WORK/runner.out" 2>"$WORK/runner.err" &
	outer=$!
	servers="$servers $outer"
	check 'it starts as process 1' wait_for 10 test -e \
		"$ROOT/State/last-run"
	first=$(children "$outer")
	expect_exit 'queued' 0 sendmail -odq bob@far.test <<-END
		Subject: three
	END
	check 'sent by process 1' wait_for 10 sent 3
	# A stranger's child that it inherits: gone, and no zombie.
	nsenter -t "$first" -p -m sh -c '(sleep 0.2 &) ; exit 0' || :
	sleep 1
	check 'what it inherits is reaped' test "$(children "$first")" = ''
	kill -TERM "$first"
	status=0
	wait "$outer" || status=$?
	check 'as process 1 SIGTERM ends it with 0' test "$status" = 0
else
	skip 'process 1 (no PID namespaces here)'
fi

# ---- it is missed -------------------------------------------------------------------

write_conf "SmartHost = 127.0.0.1:$PORT"
rm -rf "$ROOT"
: >"$WORK/log"
queued() {
	expect_exit "$1" 0 sendmail -odq bob@far.test <<-END
		Subject: four
	END
}
queued 'the first one'
expect_file_lacks 'nobody is missed yet' "$WORK/log" 'no queue run'
echo "last-run $(($(date +%s) - 3700))" >"$ROOT/State/last-run"
queued 'an hour later'
queued 'and once more'
expect_file_has 'the runner is missed' "$WORK/log" 'no queue run for an hour'
check 'once an hour' test "$(grep -c 'no queue run' "$WORK/log")" = 1
expect_exit 'a run' 0 sendmail -q
: >"$WORK/log"
queued 'after a run'
expect_file_lacks 'it is not missed' "$WORK/log" 'no queue run'

# ---- the log of last resort does not fill the disk ---------------------------------

truncate -s 17M "$ROOT/State/log"
expect_exit 'a run with a large log' 0 sendmail -q
check 'it is put aside' test -s "$ROOT/State/log.old" -a ! -s "$ROOT/State/log"

stop_smtpd
check 'the dialogues were correct' test "$VIOLATIONS" = 0

# ---- State does not grow -----------------------------------------------------------

rm -rf "$ROOT"
expect_exit 'a run' 0 sendmail -odq ann@local.test <<-END
	Subject: x
END
for name in down-mx-old.test down-mx-new.test no-bdat.4711 log.old last-run; do
	echo 'x 1000000000' >"$ROOT/State/$name"
	[ "$name" = down-mx-new.test ] ||
		touch -d '2 hours ago' "$ROOT/State/$name"
done
expect_exit 'a run tidies State' 0 sendmail -q
check 'a hop that was down long ago is forgotten' \
	test ! -e "$ROOT/State/down-mx-old.test"
check 'what a killed process left is removed' \
	test ! -e "$ROOT/State/no-bdat.4711"
check 'a hop that is down is kept' test -e "$ROOT/State/down-mx-new.test"
check 'the old log is kept' test -e "$ROOT/State/log.old"

# A process of the same number was killed while it wrote: so it is in a
# container, at each start.
if unshare --pid --fork true 2>/dev/null; then
	rm -f "$ROOT/State/last-run"
	touch "$ROOT/State/last-run.1"
	expect_exit 'a run as process 1' 0 unshare --pid --fork \
		"$BUILD/sendmail" -C "$CONF" -q
	check 'it could note its end' test -s "$ROOT/State/last-run"
else
	skip 'a process number that comes again: no PID namespaces here'
fi
finish
