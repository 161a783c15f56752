#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# tests/net/direct.sh: direct delivery in the small world of tests/net/up, which
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
		"$top/tests/net/down" "$dir" >/dev/null 2>&1 || :
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
	TMPDIR=$dir "$dir/client" "$top/tests/net/direct.sh" &
	wait "$!" || exit 1
	exit 0
fi

. "$(dirname "$0")/../e2e/lib.sh"
NAME=net/direct
HERE=$TOP/tests/net
quick=50 crowd=2000	# milliseconds; messages
case $BUILD in
*/san)	quick=250 crowd=500 ;;	# instrumented: several times slower
esac

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
# Of the server that was stopped last.
correct() {
	[ -n "$VIOLATIONS" ] || echo "the server is gone: $(tail -n 1 "$STATISTICS")"
	check 'the dialogue was correct' test "$VIOLATIONS" = 0
}
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
# run & : a queue run that $! names: a function in the background would be a
# shell around it, and a signal only end that.
run() {
	exec env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$BUILD/sendmail" -C "$CONF" -q --flush
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
		-l '[2001:db8::32]:25' -l 192.0.2.7:25 -l 192.0.2.8:25 -l 192.0.2.9:25 \
		-l 192.0.2.21:25 -l 192.0.2.22:25 -l 192.0.2.23:25 \
		-r 'CONNECT/192.0.2.7 reply 421 busy' \
		-r 'CONNECT/192.0.2.8 reply 554 no mail here' \
		-r 'CONNECT/2001:db8::32 reply 554 no reverse name' \
		-r 'CONNECT/192.0.2.9 reply 521 no mail here' "$@"
	live_server=$SERVER
}

echo "$NAME: $(cat "$NET_DIR/state")"
write_conf 'ConnectTimeout = 1' 'ImmediateTimeout = 4'
live
# Whoever is told to send to himself would arrive here.
mkdir "$WORK/ourselves"
start_smtpd -l 127.0.0.1:25 -l '[::1]:25'
loopback_server=$SERVER

# ---- 1. finding the host ----------------------------------------------------

section 'finding the host'
goes 'the preferred MX' bob@far.test mx1.far.test 192.0.2.1
goes 'a CNAME to a domain with MX' bob@cname.test mx1.far.test 192.0.2.1
expect_file_has 'the recipient keeps its domain' "$WORK/log" \
	'to=<bob@cname.test>'
goes 'a chain of CNAMEs' bob@cname2.test mx1.far.test 192.0.2.1
goes 'an MX that is a CNAME' bob@tocname.test alias.test 192.0.2.5
goes 'no MX, an A' bob@aonly.test aonly.test 192.0.2.5
goes 'no MX, an AAAA' bob@aaaaonly.test aaaaonly.test 2001:db8::31
goes 'a capital domain' bob@FAR.Test mx1.far.test 192.0.2.1
fails 'null MX' bob@null.test '556 5\.1\.10 '
goes 'a null MX among others is none' bob@nullmixed.test live.test 192.0.2.5
fails 'NXDOMAIN' bob@nowhere.test '5[0-9][0-9] 5\.1\.2 '
fails 'NXDOMAIN of a top level' bob@nowhere.invalid-tld '5[0-9][0-9] 5\.1\.2 '
waits 'neither MX nor address' bob@nothing.test '4[0-9][0-9] 4\.'
waits 'CNAMEs in a circle' bob@loopcname.test '451 4\.4\.3 '
waits 'SERVFAIL' bob@lame.test '451 4\.4\.3 .*lame\.test'
waits 'SERVFAIL for the name of the only MX' bob@mxlame.test '451 4\.4\.3 '
goes 'SERVFAIL for the first MX, then the next' bob@mxlamefirst.test \
	live.test 192.0.2.5
waits 'the only MX has no such name' bob@allgone.test '451 4\.4\.'
goes 'the first MX has no such name' bob@gonefirst.test live.test 192.0.2.5
waits 'the only MX has no address' bob@notaddress.test '451 4\.4\.'
waits 'an MX that is digits' bob@nonames.test '451 4\.4\.3 .*legal'
goes 'an MX that is digits, and another' bob@somenames.test live.test 192.0.2.5
waits 'an MX with a line end in its name' bob@evil.test '451 4\.4\.3 .*legal'
expect_file_lacks 'it is not in the log' "$WORK/log" 'vil\.live'
goes 'MX with strange names, and another' bob@evilmixed.test live.test 192.0.2.5
expect_file_lacks 'they are not in the log' "$WORK/log" 'vil\.live|ok\.live'
goes '100 MX, truncated over UDP' bob@many.test live.test 192.0.2.5
goes '250 MX' bob@toomany.test live.test 192.0.2.5

# Four seconds each: at the same time.
deferred_quietly() {
	# shellcheck disable=SC2086 # options
	sendmail -O "LogFile=$WORK/$1.log" ${3:-} -f alice@client.test "$2" \
		<<-END
		Subject: silence
	END
}
begin=$(now_ms)
deferred_quietly silent1 bob@silent.test & one=$!
deferred_quietly silent2 bob@mxsilent.test & two=$!
deferred_quietly silent3 bob@far.test '-O NameServers=198.51.100.254' & three=$!
deferred_quietly refuses bob@far.test '-O NameServers=[::1]' & four=$!
deferred_quietly nobody bob@far.test '-O NameServers=127.0.0.9' & five=$!
expect_exit 'name servers that are silent: accepted' 0 wait "$one"
expect_exit 'an MX with silent name servers: accepted' 0 wait "$two"
expect_exit 'a silent resolver: accepted' 0 wait "$three"
expect_exit 'a resolver that refuses: accepted' 0 wait "$four"
expect_exit 'a resolver that is not there: accepted' 0 wait "$five"
MS=$(($(now_ms) - begin))
check "ImmediateTimeout holds during DNS ($MS ms)" test "$MS" -lt 6000
for log in silent1 silent2 silent3 refuses nobody; do
	expect_file_has "$log: it waits" "$WORK/$log.log" \
		' deferred .*reply="?4[0-9][0-9] 4\.4\.'
done

# Our own name.
goes 'our own name is the last MX' bob@selflast.test live.test 192.0.2.5
fails 'our own name is the first MX' bob@selffirst.test '5[0-9][0-9] 5\.4\.6 '
fails 'our own name is an equal MX' bob@selfequal.test '5[0-9][0-9] 5\.4\.6 '
fails 'our own name is the only MX' bob@client.test '5[0-9][0-9] 5\.4\.6 '
waits 'hosts behind our own name are not tried' bob@behindus.test '451 4\.4\.1'
expect_file_lacks 'not even named' "$WORK/log" 'live\.test'

# Addresses that are ours or nobody's.
for domain in loopback thisnet linklocal multicast aloopback; do
	waits "$domain" bob@$domain.test '4[0-9][0-9] 4\.4\.'
	expect_file_lacks "$domain: never connected" "$WORK/log" \
		'refused|timed out'
done
goes 'the first MX is loopback' bob@loopfirst.test live.test 192.0.2.5

# Address literals.
goes 'an IPv4 literal' 'bob@[192.0.2.1]' 192.0.2.1 192.0.2.1
goes 'an IPv6 literal' 'bob@[IPv6:2001:db8::31]' 2001:db8::31 2001:db8::31
goes 'an IPv6 literal in capitals' 'bob@[IPV6:2001:DB8::31]' '[^ ]*' \
	2001:db8::31
waits 'a literal where nobody listens' 'bob@[192.0.2.99]' '451 4\.4\.1 .*refused'

# ---- 2. connecting ----------------------------------------------------------

section 'connecting'
goes 'the first MX refuses the connection' bob@rst.test live.test 192.0.2.5
goes 'the first MX greets with 421' bob@busyfirst.test live.test 192.0.2.5
goes 'the first MX greets with 554' bob@shutfirst.test live.test 192.0.2.5
goes 'the third address of a host' bob@twice.test mx.twice.test 192.0.2.5
waits 'all MX refuse the connection' bob@allrst.test '451 4\.4\.1 .*refused'
waits '554 from one, no connection to the other' bob@someshut.test '4[0-9][0-9] '
fails '554 and 521 from all' bob@allshut.test '5[0-9][0-9] '
goes 'IPv4 before IPv6' bob@both.test mx.both.test 192.0.2.5
expect_exit 'AddressFamily: accepted' 0 send -O AddressFamily=ipv6 bob@both.test
expect_file_has 'AddressFamily = ipv6' "$WORK/log" ' sent .*address=2001:db8::31 '
empty_root		# and with it what is known of hosts
timed 900 'a dead IPv4 address costs no time-out where IPv6 works' \
	goes 'IPv6 where IPv4 is swallowed' bob@sixlive.test mx.sixlive.test \
	2001:db8::31
goes 'refused over IPv6, then IPv4' bob@sixshut.test mx.sixshut.test 192.0.2.5
timed 3000 'a swallowed MX costs one ConnectTimeout' \
	goes 'the first MX is down' bob@down.test live.test 192.0.2.5

# Equal preference: each of three has its turn in 24.
: >"$WORK/log.all"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
	send bob@equal.test
	cat "$WORK/log" >>"$WORK/log.all"
done
for host in a b c; do
	expect_file_has "equal preference: $host has its turn" "$WORK/log.all" \
		" sent .* host=$host.equal.test "
done

# The first goes away.
stop_smtpd "$live_server"
correct
start_world second -l 192.0.2.2:25 -l 192.0.2.5:25
second=$SERVER
goes 'fail-over to the second MX' bob@far.test mx2.far.test 192.0.2.2
stop_smtpd "$second"

# ---- 3. many ----------------------------------------------------------------

section 'many'
listeners='' rcpts=''
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

empty_root
start_many fan -r 'CONNECT delay 500'
# shellcheck disable=SC2086
timed 6000 '200 domains, half a second each' send $rcpts
check '200 messages' received_is fan 200
stop_smtpd
check "most of them at the same time ($(most))" test "$(most)" -ge 100
check 'a connection each' test "$CONNECTIONS" = 200
correct

start_many few
# shellcheck disable=SC2086
expect_exit 'MaxOutConnections: accepted' 0 \
	send -O MaxOutConnections=7 $rcpts
check 'MaxOutConnections: all 200' received_is few 200
stop_smtpd
check "MaxOutConnections = 7 holds ($(most))" test "$(most)" -le 7

start_many shared
expect_exit 'one transaction: accepted' 0 \
	send bob@far.test carol@FAR.test dave@far.test bob@d001.test
check 'recipients of one domain share a transaction' received_is shared 2
expect_exit 'MaxRecipients: accepted' 0 send -O MaxRecipients=2 \
	a@far.test b@far.test c@far.test d@far.test e@far.test
check 'MaxRecipients = 2 makes three of five' received_is shared 5
stop_smtpd

# A run shares connections.
i=0 far=''
while [ "$i" -lt 30 ]; do i=$((i + 1)) far="$far r$i@far.test"; done
run_of_30() {
	# shellcheck disable=SC2086
	queue_for $far
	expect_exit "$*: the run" 0 sendmail "$@" -q --flush
	check "$*: all 30" received_is run30 30
	stop_smtpd
	rm -rf "$WORK/run30" "$ROOT"
}
start_many run30
run_of_30 -O MaxBatchedMessages=10 -O MaxOutConnectionsPerDomain=1
check "MaxBatchedMessages = 10: three connections ($CONNECTIONS)" \
	test "$CONNECTIONS" = 3
start_many run30
run_of_30 -O MaxSessionSize=500 -O MaxOutConnectionsPerDomain=1
check "MaxSessionSize: more than ten connections ($CONNECTIONS)" \
	test "$CONNECTIONS" -gt 10
start_many run30 -r 'MAIL delay 20'
run_of_30 -O MaxOutConnectionsPerDomain=2
check "MaxOutConnectionsPerDomain = 2 ($(most))" test "$(most)" -eq 2
check "they were shared ($CONNECTIONS)" test "$CONNECTIONS" -le 6

# One with many messages does not hold up one with one.
start_many turns
# shellcheck disable=SC2086
queue_for $far
# shellcheck disable=SC2086
queue_for $far last@d001.test
expect_exit 'taking turns: the run' 0 \
	sendmail -O MaxOutConnections=1 -O MaxBatchedMessages=0 -q --flush
check 'taking turns: all 61' received_is turns 61
place=$(grep -l 'rcpt: *<last@' "$WORK"/turns/*.msg | sed 's/.*0*\([0-9][0-9]*\)\.msg/\1/')
check "the one of the other domain is not last (place $place of 61)" \
	test "${place:-61}" -le 40
stop_smtpd
empty_root

# Hosts that ask for it are spared, and the others are not held up.
start_many slowly
write_conf 'ConnectTimeout = 1' 'ImmediateTimeout = 4' \
	'[domain far.test]' 'MessagesPerMinute = 2'
queue_for a@far.test b@far.test c@far.test d@far.test e@far.test \
	a@d001.test b@d001.test c@d001.test
run &
runner=$!
sleep 2.5
# Both at once, or the second half a minute later: either is two a minute.
spared=$(receivers slowly | grep -c far.test || :)
check "MessagesPerMinute = 2: one or two of five ($spared)" \
	test "$spared" -ge 1 -a "$spared" -le 2
check 'MessagesPerMinute: the other domain has all' \
	test "$(receivers slowly | grep -c d001.test)" -eq 3
kill "$runner" 2>/dev/null || :
wait "$runner" 2>/dev/null || :
check 'MessagesPerMinute: the others still wait' \
	test "$(count Queue)" = $((5 - spared))
stop_smtpd
empty_root

# ---- 4. down ----------------------------------------------------------------

section 'down'
# slow_ones FILE MS; summary FILE
slow_ones() { awk -v limit="$2" '$1 >= limit { n++ } END { print n + 0 }' "$1"; }
summary() {
	sort -n "$1" | awk '{ v[NR] = $1; if ($2) bad++ } END {
		printf "median %d ms, worst %d ms, %d failed\n", v[int((NR + 1) / 2)],
			v[NR], bad }'
}
# submit FILE FROM TO PATTERN: one after the other, each timed.
submit() {
	file=$1
	shift
	"$HERE/submit" "$1" "$2" 1 "$3" "$BUILD/sendmail" -C "$CONF" \
		-f alice@client.test >"$file"
}

write_conf 'ConnectTimeout = 2' 'ImmediateTimeout = 4'
queue_for 1@b001.test 2@b001.test 3@b001.test 4@b001.test 5@b001.test \
	6@b001.test 7@b001.test 8@b001.test 9@b001.test
timed 3900 'a dead destination costs one time-out a run' \
	sendmail -q --flush
check 'all nine wait' test "$(count Queue)" = 9
empty_root

# smart_hole 'name' SETTING: submissions one after the other.
smart_hole() {
	write_conf 'ConnectTimeout = 2' 'ImmediateTimeout = 4' "SmartHost = $2"
	submit "$WORK/first" 0 0 r%d@far.test
	check "$1: the first waits for its time-out" \
		test "$(slow_ones "$WORK/first" 1900)" = 1
	# The machine may be busy with something else: then again.
	for _ in 1 2 3; do
		submit "$WORK/hundred" 1 100 r%d@far.test
		[ "$(slow_ones "$WORK/hundred" $quick)" != 0 ] || break
	done
	check "$1: the next 100 under $quick ms ($(summary "$WORK/hundred"))" \
		test "$(slow_ones "$WORK/hundred" $quick)" = 0
	check "$1: every one is in the queue" test "$(count Queue)" -ge 101
}
smart_hole 'smart host by address' '[198.51.100.129]'
grep -L 'attempts=0000' "$ROOT"/Queue/*.eml >"$WORK/counted" || :
check 'only the first counts as an attempt' \
	test "$(wc -l <"$WORK/counted")" -eq 1
empty_root
smart_hole 'smart host by name' hole.test
empty_root

# It comes back: runs do not listen to what is known, and a success ends it.
write_conf 'ConnectTimeout = 2' 'ImmediateTimeout = 4' 'SmartHost = smart.test'
expect_exit 'refused: accepted' 0 send bob@far.test
expect_file_has 'refused: it was tried' "$WORK/log" 'refused'
expect_exit 'known to be down: accepted' 0 send bob@far.test
expect_file_lacks 'known to be down: not tried again' "$WORK/log" \
	' host=[^ ]+ address='
start_world back -l 192.0.2.3:25
expect_exit 'known to be down, but back: accepted' 0 send bob@far.test
check 'it is not asked yet' received_is back 0
expect_exit 'a run asks whatever is known' 0 sendmail -q --flush
check 'and delivers all three' received_is back 3
goes 'then a caller is served at once' bob@far.test smart.test 192.0.2.3
stop_smtpd
# What is our own fault is nobody's.
expect_exit 'BindAddress: accepted' 0 \
	send -O BindAddress=192.0.2.200 -O SmartHost=smart2.test bob@far.test
start_world ours -l 192.0.2.4:25
expect_exit 'after a local error: accepted' 0 \
	send -O SmartHost=smart2.test bob@far.test
check 'a local error marks no host as down' received_is ours 1
stop_smtpd
empty_root

# Port 25 is dropped for all.
write_conf 'ConnectTimeout = 2' 'ImmediateTimeout = 4'
: >"$WORK/log"
submit "$WORK/hundred" 1 100 bob@b%03d.test
check "port 25 dropped: at most 3 of 100 are slow ($(summary "$WORK/hundred"))" \
	test "$(slow_ones "$WORK/hundred" 900)" -le 3
check 'port 25 dropped: all are in the queue' test "$(count Queue)" = 100
expect_file_has 'the log says that port 25 seems to be blocked' "$WORK/log" \
	'[Pp]ort 25 .*block'
expect_file_has 'and that a smart host is needed' "$WORK/log" \
	'[Pp]ort 25 .*([Ss]mart ?[Hh]ost)'
rm -rf "$WORK/live"
live
expect_exit 'one more to be sent: accepted' 0 send bob@far.test
expect_exit 'a run tries them all' 0 sendmail -q --flush
check 'and delivers the one' received_is live 1
goes 'one success, and all is well' bob@far.test mx1.far.test 192.0.2.1
stop_smtpd
empty_root

# ---- 5. smart hosts and sections --------------------------------------------

section 'smart hosts and sections'
live -r 'RCPT/later@ reply 451 4.7.1 later' -r 'RCPT/no@ reply 550 5.1.1 no' \
	-r 'END/vanish@ close'
start_world smart -l 192.0.2.3:25 -l 192.0.2.3:2525 -e ''
smart_server=$SERVER
with_smart() {
	type=$1
	shift
	write_conf 'ConnectTimeout = 1' 'ImmediateTimeout = 4' \
		'SmartHost = smart.test' "$@"
	echo "SmartHostType = $type" | cat - "$CONF" >"$CONF.new"
	mv "$CONF.new" "$CONF"
}
with_smart 0
goes 'SmartHostType 0: direct' bob@far.test mx1.far.test 192.0.2.1
with_smart 2
goes 'SmartHostType 2: always' bob@far.test smart.test 192.0.2.3
goes 'SmartHostType 2: no name is asked' bob@nowhere.test smart.test 192.0.2.3
with_smart 1
goes 'SmartHostType 1: direct first' bob@far.test mx1.far.test 192.0.2.1
goes 'SmartHostType 1: refused connections' bob@allrst.test smart.test 192.0.2.3
goes 'SmartHostType 1: a swallowed host' bob@b001.test smart.test 192.0.2.3
goes 'SmartHostType 1: SERVFAIL' bob@lame.test smart.test 192.0.2.3
goes 'SmartHostType 1: 421 as greeting' 'bob@[192.0.2.7]' smart.test 192.0.2.3
goes 'SmartHostType 1: 451 to RCPT' later@far.test smart.test 192.0.2.3
fails 'SmartHostType 1: 550 to RCPT is final' no@far.test '550 5\.1\.1 '
fails 'SmartHostType 1: NXDOMAIN is final' bob@nowhere.test \
	'5[0-9][0-9] 5\.1\.2 '
fails 'SmartHostType 1: null MX is final' bob@null.test '556 5\.1\.10 '
expect_exit 'SmartHostType 1: some recipients: accepted' 0 \
	send bob@far.test later@far.test bob@allrst.test
expect_file_has 'the good one directly' "$WORK/log" \
	' sent .*to=<bob@far.test>.*host=mx1.far.test '
expect_file_has 'the deferred one by the smart host' "$WORK/log" \
	' sent .*to=<later@far.test>.*host=smart.test '
expect_file_has 'the unreachable one by the smart host' "$WORK/log" \
	' sent .*to=<bob@allrst.test>.*host=smart.test '
waits 'SmartHostType 1: lost after the end of data' vanish@far.test '4[0-9][0-9] '
check 'SmartHostType 1: that one was not sent twice' \
	test "$(receivers smart | grep -c vanish@)" -eq 0
queue_for bob@allrst.test later@far.test
expect_exit 'SmartHostType 1 in a run' 0 sendmail -q
check 'SmartHostType 1 in a run: nothing but the lost one waits' \
	test "$(count Queue)" -eq 1
empty_root

with_smart 0 '[domain far.test]' 'SmartHost = smart.test' \
	'RemoteSmtpPort = 2525' 'SmtpOutboundCommandSupportOptions = 0' \
	'SmtpRemoteProgressiveRetry = 1000' \
	'[domain *.sub.test]' 'SmartHostType = 2' '[domain d001.test]' \
	'RemoteSmtpPort = 2525'
: >"$WORK/smart.dialogue"
goes 'a section: its smart host' bob@far.test smart.test 192.0.2.3
expect_file_has 'a section: its verb mask' "$WORK/smart.dialogue" ' C: HELO '
goes 'a section is for its domain alone' bob@aonly.test aonly.test 192.0.2.5
start_world port -l 203.0.113.1:2525
goes 'a section: its port' bob@d001.test mx.d001.test 203.0.113.1
stop_smtpd
stop_smtpd "$smart_server"
empty_root
waits 'a section: its retry list' bob@far.test '4[0-9][0-9] '
hours=$(($(date +%s) / 3600))
due=$(find "$ROOT/Queue" -name '*.eml' | sed 's|.*/||; s/-.*//')
due=$(date -u -d "$(echo "$due" | sed 's/\(....\)\(..\)\(..\)T\(..\)\(..\).*/\1-\2-\3 \4:\5/')" +%s)
check 'a section: due in about 1000 minutes' \
	test $((due / 3600 - hours)) -ge 12
stop_smtpd "$live_server"
empty_root

# ---- 6. several runs --------------------------------------------------------

section 'several runs'
# once NAME COUNT: each of r1..rCOUNT received, and how often.
once() {
	receivers "$1" | sed 's/@.*//' | sort | uniq -c | awk -v want="$2" '
		{ n++; twice += $1 - 1 }
		END { printf "%d received, %d twice\n", n, twice
		      exit n != want || twice != 0 }' >"$WORK/once"
}
write_conf 'ConnectTimeout = 5' 'MaxOutConnectionsPerDomain = 2'
start_many crowd
"$HERE/submit" 1 $crowd 2 r%d@d%03d.test "$BUILD/sendmail" -C "$CONF" -odq \
	-f alice@client.test >"$WORK/filled"
check "$crowd messages are queued" test "$(count Queue)" = $crowd
runs=
begin=$(now_ms)
for _ in 1 2 3 4 5 6 7 8; do
	run &
	runs="$runs $!"
done
n=0
for run in $runs; do
	n=$((n + 1))
	case $n in
	2|5|7)	wait_for 20 received_over crowd $((crowd * n / 32)) || :
		kill "$run" 2>/dev/null || : ;;
	esac
done
for run in $runs; do wait "$run" || :; done
MS=$(($(now_ms) - begin))
expect_exit 'the last run' 0 sendmail -q --flush
check "8 runs of $crowd, three ended: each exactly once ($MS ms)" \
	once crowd $crowd
cat "$WORK/once"
check 'nothing waits' test "$(count Queue)" = 0
stop_smtpd
correct

# Killed without a word: nothing is lost, and twice is at most what was under
# way, which is what the promise says.
start_many killed
"$HERE/submit" 1 400 2 r%d@d%03d.test "$BUILD/sendmail" -C "$CONF" -odq \
	-f alice@client.test >"$WORK/filled"
runs=
for _ in 1 2 3 4; do
	run &
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
once killed 400 || :
echo "$NAME: two of four runs killed: $(cat "$WORK/once")"
expect_file_has 'killed runs lose nothing' "$WORK/once" '^400 received'
check 'nothing waits' test "$(count Queue)" = 0
stop_smtpd
twice=$(sed 's/.*, \([0-9]*\) twice/\1/' "$WORK/once")
check "what came twice ($twice) was under way: a message a session ($(most))" \
	test "$twice" -le "$(most)"

# The progress line: on a terminal only.
start_many line
queue_for bob@far.test carol@d001.test
expect_exit 'a run without a terminal' 0 sendmail -q --flush
expect_silent 'a run without a terminal is silent'
queue_for bob@far.test carol@d001.test
python3 - "$BUILD/sendmail" -C "$CONF" -q --flush >"$WORK/terminal" 2>&1 <<'END' || :
import pty, sys
sys.exit(pty.spawn(sys.argv[1:], lambda fd: __import__("os").read(fd, 1024)))
END
expect_file_has 'on a terminal: how many are done' "$WORK/terminal" '2.*(done|sent|delivered)|(done|sent|delivered).*2'
expect_file_has 'on a terminal: how many wait' "$WORK/terminal" 'wait'
stop_smtpd
empty_root

# ---- 7. what would happen ---------------------------------------------------

section 'what would happen'
start_many asked
write_conf '[domain d002.test]' 'SmartHost = smart.test:2525'
bv() {
	status=0
	sendmail -bv "$@" >"$STDOUT" 2>"$STDERR" </dev/null || status=$?
	cat "$STDERR" >>"$STDOUT"
}
bv bob@far.test
expect_file_has '-bv: the MX in order' "$STDOUT" 'mx1\.far\.test'
expect_file_has '-bv: the second too' "$STDOUT" 'mx2\.far\.test'
expect_file_has '-bv: its addresses' "$STDOUT" '192\.0\.2\.1'
expect_file_has '-bv: IPv6 too' "$STDOUT" '2001:db8::1'
check '-bv: status 0' test "$status" -eq 0
bv bob@local.test
expect_file_has '-bv: local' "$STDOUT" '[Dd]rop|[Ll]ocal'
printf 'boxes: bob@local.test\n' >"$WORK/aliases"
bv -O "AliasFile=$WORK/aliases" boxes
expect_file_has '-bv: an alias' "$STDOUT" 'bob@local\.test'
bv bob@d002.test
expect_file_has '-bv: a smart host' "$STDOUT" 'smart\.test'
expect_file_has '-bv: its port' "$STDOUT" '2525'
bv bob@null.test
expect_file_has '-bv: null MX' "$STDOUT" '5\.1\.10|null MX'
bv bob@nowhere.test
expect_file_has '-bv: NXDOMAIN' "$STDOUT" '5\.1\.2|does not exist'
bv bob@selffirst.test
expect_file_has '-bv: our own name' "$STDOUT" '5\.4\.6|our|ourselves'
bv 'bob@[192.0.2.1]' bob@aonly.test
expect_file_has '-bv: a literal' "$STDOUT" '192\.0\.2\.1([^0-9]|$)'
expect_file_has '-bv: two addresses, the second' "$STDOUT" '192\.0\.2\.5'
stop_smtpd
check '-bv connects to nobody' test "$CONNECTIONS" = 0
check '-bv leaves nothing' test ! -e "$ROOT/Queue" -o "$(count Queue)" = 0
empty_root

# ---- real servers -----------------------------------------------------------

section 'real servers'
mkdir "$WORK/bodies"
"$HERE/same" make "$WORK/bodies"
write_conf
three=
for peer in postfix exim opensmtpd; do
	case "$(cat "$NET_DIR/state")" in
	*missing:*" $peer"*) skip "no $peer here" ;;
	*)	three="$three $peer" ;;
	esac
done
# bodies TAG OPTION...: every message to every server in TAG's way.
bodies() {
	tag=$1
	shift
	for peer in $three; do
		for file in "$WORK"/bodies/*.in; do
			sed "1s/TAG/$tag/" "$file" | sendmail -i "$@" \
				-f alice@client.test "bob@$peer.test" ||
				bad "$peer: not accepted"
		done
	done
}
: >"$WORK/log"
bodies once
bodies data -O 'SmtpOutboundCommandSupportOptions=-CHUNKING'
bodies run -odq
expect_exit 'real servers: the run' 0 sendmail -q --flush
check 'real servers took everything' test "$(count Queue)" = 0
for peer in $three; do
	same() { "$HERE/same" compare "$NET_DIR/$peer/mail" once data run >"$WORK/same"; }
	wait_for 10 same || :
	check "$peer: 27 messages, octet by octet" same
	show "$WORK/same"
done

# ---- the end ----------------------------------------------------------------

section 'the end'
STATISTICS=
stop_smtpd "$loopback_server"
check 'nobody was ever connected to himself' test "$CONNECTIONS" = 0
finish
