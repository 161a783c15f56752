#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# SMTP on standard input and output (-bs): the dialogues of tests/smtpd, random
# sessions against a model, the ways in which it is started, and a kill or an
# error at each of its system calls.

. "$(dirname "$0")/lib.sh"

write_conf
start_smtpd -r 'END delay 3000'

# tally 'name' command...: its last line has the sum; the rest is for us.
tally() {
	name=$1
	shift
	"$@" >"$WORK/out" 2>&1 || :
	sed '$d' "$WORK/out" | grep -v '^SKIPPED' || :
	sum=$(sed -n '$s/.*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' \
		"$WORK/out")
	if [ -z "$sum" ]; then
		bad "$name: no sum"
		tail -n 20 "$WORK/out"
		return
	fi
	passed=$((passed + ${sum% *}))
	failed=$((failed + ${sum#* }))
	sed -n 's/^SKIPPED [^:]*: //p' "$WORK/out" >"$WORK/skips"
	while read -r why; do skip "$why"; done <"$WORK/skips"
}

program=$BUILD/sendmail
tally dialogues "$TOP/tests/smtpd/play.py" "$program" "$CONF" "$WORK" \
	"$TOP/tests/smtpd"
tally model "$TOP/tests/smtpd/model.py" "$program" "$CONF" "$WORK" 150
tally ways "$TOP/tests/smtpd/ways.py" "$program" "$CONF" "$WORK" "$PORT" \
	"$SINKDIR"
tally kill "$TOP/tests/smtpd/kill.py" "$program" "$CONF" "$WORK"
stop_smtpd
check 'what went out was correct' test "$VIOLATIONS" = 0
finish
