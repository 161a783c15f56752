#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# tests/net/.y.sh: direct delivery in the small world of tests/net/up, which
# it makes for itself.  BUILD names the build directory.  In reading order:
# finding the host, connecting, many, down, smart hosts, several runs, -bv,
# real servers.

# ---- outside: the world, then this script again within ----------------------

if [ -z "${NET_DIR:-}" ]; then
	set -eu
	top=$(cd "$(dirname "$0")/../.." && pwd)
	BUILD=$(cd "${BUILD:-$top/build}" && pwd)
	export BUILD
	dir=$(mktemp -d)
	leave() {
		"$top/tests/net/down" "$dir"
		rm -rf "$dir"
	}
	trap leave EXIT
	trap 'exit 130' HUP INT TERM
	status=0
	"$top/tests/net/up" "$dir" 280 >"$dir/up" 2>&1 || status=$?
	if [ "$status" -eq 77 ]; then
		echo "SKIPPED net/direct: all of it: $(cat "$dir/up")"
		echo 'net/direct: 0 passed, 0 failed, 1 skipped'
		exit 0
	fi
	cat "$dir/up"
	[ "$status" -eq 0 ] || exit 1
	"$dir/client" "$top/tests/net/.y.sh" &
	wait "$!" || exit 1
	exit 0
fi

. "$(dirname "$0")/../e2e/lib.sh"
NAME=net/direct
HERE=$TOP/tests/net
LIVE=$WORK/live		# what the scripted hosts received

# ---- tools ------------------------------------------------------------------

# start_world NAME [options of smtpd.c]: a server in the world; sets SERVER.
# Its mail goes to WORK/NAME, its dialogue to WORK/NAME.dialogue.
start_world() {
	where=$WORK/$1
	shift
	mkdir -p "$where"
	: >"$where.out"
	"$NET_DIR/world" "$BUILD/tests/tools/smtpd" -w 240 -d "$where" \
		-t "$where.dialogue" "$@" >"$where.out" 2>&1 &
	SERVER=$!
	servers="$servers $SERVER"
	eval "server_$SERVER=\$where.out"
	wait_for 5 grep -q '^listening' "$where.out" || {
		echo "FAILED $NAME: smtpd did not start: $(cat "$where.out")"
		exit 1
	}
}

received() { find "$WORK/$1" -name '*.msg' 2>/dev/null | wc -l; }
received_over() { [ "$(received "$1")" -ge "$2" ]; }
received_is() { [ "$(received "$1")" -eq "$2" ]; }
# The recipients of all messages a server received, a line each.
receivers() {
	find "$WORK/$1" -name '*.msg' -exec sed -n '/^$/q; s/^rcpt: *//p' \
		'{}' ';' | tr -d '<>\r'
}
empty_root() { rm -rf "$ROOT"; }
# section 'name': how long the one before took.
section() {
	now=$(date +%s)
	[ -z "${title:-}" ] || echo "$NAME: $title: $((now - since)) s"
	title=$1 since=$now
}
now_ms() { date +%s%3N; }

# send ADDRESS...: one message, its log alone in WORK/log.
send() {
	: >"$WORK/log"
	sendmail -f alice@client.test "$@" <<-END
		Subject: to $1

		text
	END
}
queue_for() {
	for to; do
		sendmail -odq -f alice@client.test "$to" <<-END
			Subject: to $to

			text
		END
	done
}

# goes 'name' ADDRESS HOST IP: delivered at once, there.
goes() {
	expect_exit "$1: accepted" 0 send "$2"
	expect_file_has "$1" "$WORK/log" " sent .* host=$3 address=$4 "
}
# waits 'name' ADDRESS 'regex': accepted and kept, for that reason.
waits() {
	expect_exit "$1: accepted" 0 send "$2"
	expect_file_has "$1" "$WORK/log" " deferred .*reply=\"?$3"
}
# fails 'name' ADDRESS 'regex': refused for good while the caller waits.
fails() {
	status=0
	send "$2" >"$STDOUT" 2>"$STDERR" || status=$?
	case $status in
	67|68|69) good ;;
	*)	bad "$1: status $status, not 67 to 69"
		show "$WORK/log" ;;
	esac
	expect_file_has "$1" "$WORK/log" " failed .*reply=\"?$3"
}
# timed LIMIT_MS 'name' command...: and how long it took is in MS.
timed() {
	limit=$1 what=$2
	shift 2
	begin=$(now_ms)
	"$@"
	MS=$(($(now_ms) - begin))
	if [ "$MS" -le "$limit" ]; then good; else
		bad "$what: $MS ms, want at most $limit"
	fi
}

live() {
	start_world live \
		-l 192.0.2.1:25 -l '[2001:db8::1]:25' -l 192.0.2.2:25 \
		-l 192.0.2.5:25 -l '[2001:db8::31]:25' \
		-l 192.0.2.7:25 -l 192.0.2.8:25 -l 192.0.2.9:25 \
		-l 192.0.2.21:25 -l 192.0.2.22:25 -l 192.0.2.23:25 \
		-r 'CONNECT/192.0.2.7 reply 421 busy' \
		-r 'CONNECT/192.0.2.8 reply 554 no mail here' \
		-r 'CONNECT/192.0.2.9 reply 521 no mail here' "$@"
	live_server=$SERVER
}

echo "$NAME: $(cat "$NET_DIR/state")"
write_conf 'ConnectTimeout = 1' 'ImmediateTimeout = 4'
# Whoever is told to send to himself would arrive here.
mkdir "$WORK/ourselves"
start_smtpd -l 127.0.0.1:25 -l '[::1]:25'
loopback_server=$SERVER

listeners= rcpts=
n=0
while [ "$n" -lt 200 ]; do
	n=$((n + 1))
	listeners="$listeners -l 203.0.113.$n:25"
	rcpts="$rcpts bob@$(printf 'd%03d.test' "$n")"
done
# start_many NAME [rules]: the 200 hosts, and far.test's.
start_many() {
	name=$1
	shift
	# shellcheck disable=SC2086 # a list
	start_world "$name" $listeners -l 192.0.2.1:25 -l 192.0.2.3:25 "$@"
}
most() { sed -n 's/^max concurrent //p' "$STATISTICS"; }

# ---- 6. several runs --------------------------------------------------------

section 'several runs'
# once NAME COUNT: each of r1..rCOUNT received, and how often.
once() {
	receivers "$1" | sed 's/@.*//' | sort | uniq -c | awk -v want="$2" '
		{ n++; twice += $1 - 1 }
		END { printf "%d received, %d twice\n", n, twice
		      exit n != want || twice != 0 }' >"$WORK/once"
}
write_conf 'ConnectTimeout = 5'
start_many crowd
"$HERE/submit" 1 2000 2 r%d@d%03d.test "$BUILD/sendmail" -C "$CONF" -odq \
	-f alice@client.test >"$WORK/filled"
check '2,000 messages are queued' test "$(count Queue)" = 2000
runs=
begin=$(now_ms)
for _ in 1 2 3 4 5 6 7 8; do
	sendmail -q --flush &
	runs="$runs $!"
done
n=0
for run in $runs; do
	n=$((n + 1))
	case $n in
	2|5|7)	wait_for 20 received_over crowd $((n * 60)) || :
		kill "$run" 2>/dev/null || : ;;
	esac
done
for run in $runs; do wait "$run" || :; done
MS=$(($(now_ms) - begin))
expect_exit 'the last run' 0 sendmail -q --flush
check "8 runs of 2,000, three ended: each exactly once ($MS ms)" once crowd 2000
cat "$WORK/once"; cp "$WORK/log" "$KEEP/log"; cp -r $ROOT $KEEP; cp $WORK/crowd.out $KEEP; cp -r $WORK/crowd $KEEP
check 'nothing waits' test "$(count Queue)" = 0
stop_smtpd
check 'the dialogue was correct' test "$VIOLATIONS" = 0

# Killed without a word: nothing is lost, and twice is at most what was under
# way, which is what the promise says.
start_many killed
"$HERE/submit" 1 400 2 r%d@d%03d.test "$BUILD/sendmail" -C "$CONF" -odq \
	-f alice@client.test >"$WORK/filled"
runs=
for _ in 1 2 3 4; do
	sendmail -q --flush &
	runs="$runs $!"
done
n=0
for run in $runs; do
	n=$((n + 1))
	[ $((n % 2)) -eq 0 ] || continue
	wait_for 20 received_over killed $((n * 30)) || :
	kill -KILL "$run" 2>/dev/null || :
done
for run in $runs; do wait "$run" 2>/dev/null || :; done
expect_exit 'the run after those killed' 0 sendmail -q --flush
once killed 400 || { cp "$WORK/log" "$KEEP/klog"; cp -r "$ROOT" "$KEEP/kroot"; cp -r "$WORK/killed" "$KEEP/killed"; cp "$WORK/killed.dialogue" "$KEEP"; cp "$WORK/killed.out" "$KEEP"; }
echo "$NAME: two of four runs killed: $(cat "$WORK/once")"
expect_file_has 'killed runs lose nothing' "$WORK/once" '^400 received'
check 'and what came twice is less than what was under way' \
	test "$(sed 's/.*, \([0-9]*\) twice/\1/' "$WORK/once")" -le 50
check 'nothing waits' test "$(count Queue)" = 0
stop_smtpd


finish
