# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What an end-to-end test needs; sourced by it, from any directory:
#
#	#!/bin/sh
#	. "$(dirname "$0")/lib.sh"
#	start_smtpd -r 'RCPT/nobody@ reply 550 5.1.1 no such user'
#	write_conf "SmartHost = 127.0.0.1:$PORT"
#	expect_exit 'one good recipient' 0 sendmail bob@far.test <<-END
#		Subject: hello
#	END
#	expect_silent 'success is silent'
#	check 'one message arrived' test "$(count_sink)" = 1
#	stop_smtpd
#	check 'the dialogue was correct' test "$VIOLATIONS" = 0
#	finish
#
# A test touches nothing outside $WORK, which goes away at its end.

set -eu

NAME=e2e/$(basename "$0" .sh)
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
WORK=$(mktemp -d)
ROOT=$WORK/root			# the MailRoot
CONF=$WORK/mailroot.conf
STDOUT=$WORK/stdout		# of the last expect_exit
STDERR=$WORK/stderr
LOGENV=
EXTRA_ENV=			# 'NAME=value ...' for sendmail, no blanks
passed=0 failed=0 skipped=0 servers='' nservers=0
: >"$STDOUT"
: >"$STDERR"

# A test that stops half way prints no summary, and tests/run counts that.
cleanup() {
	for server in $servers; do
		kill "$server" 2>/dev/null || :
	done
	rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- sendmail ---------------------------------------------------------------

# write_conf 'Key = value'...: the settings, besides those every test needs.
# A later line wins, so that any of them can be given again.
write_conf() {
	{
		echo "MailRoot = $ROOT"
		echo 'FullyQualifiedDomainName = client.test'
		echo 'DefaultDomain = client.test'
		echo 'LocalDomains = local.test'
		echo "LogFile = $WORK/log"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} | awk -F ' *= *' '
		# A key given twice is an error in the file: keep the last.
		/^\[/ { section = 1 }
		{ line[NR] = $0; if (!section && $1 != "") last[$1] = NR }
		section || $1 == "" { always[NR] = 1 }
		END { for (i = 1; i <= NR; i++) {
			split(line[i], part, " *= *")
			if (always[i] || last[part[1]] == i) print line[i]
		} }' >"$CONF"
	# A file of others than root's may not name a LogFile.
	[ "$(id -u)" -ne 0 ] || return 0
	LOGENV=SENDMAIL_$(sed -n 's/^LogFile *= */LOGFILE=/p' "$CONF")
	sed '/^LogFile/d' "$CONF" >"$CONF.new" && mv "$CONF.new" "$CONF"
}

# The program as a caller without an environment starts it.
sendmail() {
	# shellcheck disable=SC2086 # EXTRA_ENV is a list
	env -i PATH="$PATH" ${LOGENV:+"$LOGENV"} ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		$EXTRA_ENV "$BUILD/sendmail" -C "$CONF" "$@"
}

# ---- the small server -------------------------------------------------------

# start_smtpd [options of tests/tools/smtpd.c]: sets PORT, SINKDIR, DIALOGUE
# and SERVER.  Each has a directory of its own; several may run at once.
start_smtpd() {
	nservers=$((nservers + 1))
	SINKDIR=$WORK/smtpd.$nservers/sink
	DIALOGUE=$WORK/smtpd.$nservers/dialogue
	mkdir -p "$SINKDIR"
	: >"$WORK/smtpd.$nservers/stdout"
	case " $* " in
	*' -l '*) ;;
	*) set -- -l 127.0.0.1:0 "$@" ;;
	esac
	"$BUILD/tests/tools/smtpd" -w 120 -d "$SINKDIR" -t "$DIALOGUE" "$@" \
		>"$WORK/smtpd.$nservers/stdout" &
	SERVER=$!
	servers="$servers $SERVER"
	eval "server_$SERVER=\$WORK/smtpd.\$nservers/stdout"
	wait_for 5 grep -q '^listening' "$WORK/smtpd.$nservers/stdout" || {
		echo "FAILED $NAME: smtpd did not start"
		exit 1
	}
	PORT=$(sed -n '1s/.*://p' "$WORK/smtpd.$nservers/stdout")
}

# stop_smtpd [SERVER]: sets MESSAGES, CONNECTIONS, VIOLATIONS; the whole
# account is in the file STATISTICS.
stop_smtpd() {
	eval "STATISTICS=\$server_${1:-$SERVER}"
	kill "${1:-$SERVER}" 2>/dev/null || :
	wait "${1:-$SERVER}" 2>/dev/null || :
	others=
	for server in $servers; do
		[ "$server" = "${1:-$SERVER}" ] || others="$others $server"
	done
	servers=$others
	MESSAGES=$(sed -n 's/^messages \([0-9]*\) .*/\1/p' "$STATISTICS")
	CONNECTIONS=$(sed -n 's/.* connections //p' "$STATISTICS")
	VIOLATIONS=$(sed -n 's/^violations //p' "$STATISTICS")
}

# ---- what is there ----------------------------------------------------------

# count Queue|Badmail|Drop|Pickup: committed messages in that folder.
count() { find "$ROOT/$1" -name '*.eml' ! -name '.*' 2>/dev/null | wc -l; }
count_sink() { find "$SINKDIR" -name '*.msg' 2>/dev/null | wc -l; }

# wait_for SECONDS command...: until it succeeds; fails when time is up.
wait_for() {
	turns=$(($1 * 20))
	shift
	until "$@"; do
		turns=$((turns - 1))
		[ "$turns" -gt 0 ] || return 1
		sleep 0.05
	done
}

# ---- judgement --------------------------------------------------------------

good() { passed=$((passed + 1)); }
bad() {
	failed=$((failed + 1))
	echo "FAILED $NAME: $1"
}
show() { sed 's/^/    /' "$1" | head -n 40; }

# check 'name' command...: it must succeed.
check() {
	name=$1
	shift
	if "$@"; then good; else
		bad "$name"
		echo "    $*"
	fi
}

# expect_exit 'name' STATUS command...: its output goes to STDOUT, STDERR.
expect_exit() {
	name=$1 want=$2
	shift 2
	status=0
	"$@" >"$STDOUT" 2>"$STDERR" || status=$?
	if [ "$status" = "$want" ]; then good; else
		bad "$name: status $status, want $want"
		show "$STDERR"
	fi
}

# expect_empty 'name' FILE; expect_silent 'name': both outputs of expect_exit.
expect_empty() {
	if [ ! -s "$2" ]; then good; else
		bad "$1: not empty"
		show "$2"
	fi
}
expect_silent() {
	expect_empty "$1 (stdout)" "$STDOUT"
	expect_empty "$1 (stderr)" "$STDERR"
}

# expect_file_has 'name' FILE 'regex'; expect_file_lacks.  Extended regex; CR
# at the end of lines is not seen, so that $ works.
expect_file_has() {
	if tr -d '\r' <"$2" | grep -Eq -e "$3"; then good; else
		bad "$1: no line with $3"
		show "$2"
	fi
}
expect_file_lacks() {
	if tr -d '\r' <"$2" | grep -Eq -e "$3"; then
		bad "$1: a line with $3"
		show "$2"
	else good; fi
}

# skip 'reason': something this machine cannot show.  Never quiet.
skip() {
	skipped=$((skipped + 1))
	echo "SKIPPED $NAME: $1"
}

finish() {
	tail=
	[ "$skipped" -eq 0 ] || tail=", $skipped skipped"
	echo "$NAME: $passed passed, $failed failed$tail"
	[ "$failed" -eq 0 ] || exit 1
	exit 0
}
