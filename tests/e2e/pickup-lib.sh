# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What pickup.sh and pickup-files.sh have in common; sourced by them behind
# lib.sh.

PICK=$ROOT/Pickup
LOG=$WORK/log
# settings 'Key = value'...: all remote mail goes to the sink.
settings() { write_conf "SmartHost = 127.0.0.1:$PORT" "$@"; }
fresh() {
	chattr -R -i "$PICK" 2>/dev/null || :
	rm -rf "$ROOT" "$SINKDIR"/*.msg
	mkdir -p "$PICK"
	: >"$LOG"
}
# put NAME: standard input as a file that came by rename, some time ago.
put() {
	cat >"$WORK/new file"
	touch -d '5 seconds ago' "$WORK/new file"
	mv -- "$WORK/new file" "$PICK/$1"
}
letter() { printf 'From: alice@client.test\nTo: bob@far.test\nSubject: %s\n\nbody\n' "$1"; }
run() {
	expect_exit "$1: the run" 0 sendmail -q </dev/null
	expect_silent "$1"
}
files() { find "$1" -mindepth 1 2>/dev/null | wc -l; }
# where 'name' PICKUP QUEUE BADMAIL SINK: how many are where; nothing unfinished.
where() {
	have="$(files "$PICK") $(files "$ROOT/Queue") $(files "$ROOT/Badmail") $(count_sink)"
	check "$1: Pickup, Queue, Badmail, sink: $have, want $2 $3 $4 $5" \
		test "$have" = "$2 $3 $4 $5"
}
sunk() { find "$SINKDIR" -name '*.msg' -exec cat '{}' + >"$WORK/sunk"; }
# lines 'name' N 'regex': the log has so many of them.
lines() {
	n=$(grep -Ec -e "$3" "$LOG" || :)
	check "$1: $n log lines, want $2: $3" test "$n" = "$2"
}
# taken 'name' SENDER RECEIVER...: the run sends one message, with that
# envelope, and Pickup is empty.
taken() {
	what=$1
	{
		echo "mail: <$2>"
		shift 2
		for rcpt; do echo "rcpt: <$rcpt>"; done | sort
	} >"$WORK/want"
	run "$what"
	where "$what" 0 0 0 1
	sunk
	sed -n '/^$/q;s/> .*/>/;/^mail:/p' "$WORK/sunk" >"$WORK/have"
	sed -n '/^$/q;s/> .*/>/;/^rcpt:/p' "$WORK/sunk" | sort >>"$WORK/have"
	check "$what: the envelope" diff "$WORK/want" "$WORK/have"
	lines "$what: logged" 1 " accepted uid=$(id -u) .* pickup="
}
# refused 'name' 'regex': it goes to Badmail, which says why, and so does the
# log; the octets are as they were.
refused() {
	cp "$PICK"/* "$WORK/was"
	run "$1"
	where "$1" 0 0 1 0
	lines "$1: logged" 1 " refused level=warning uid=$(id -u) pickup=[^ ]* text=.*$2"
	find "$ROOT/Badmail" -name '*.eml' -exec cat '{}' + >"$WORK/bad" \
		2>/dev/null || :
	expect_file_has "$1: the reason is in it" "$WORK/bad" "^x-status: .*$2"
	tail -c "$(wc -c <"$WORK/was")" "$WORK/bad" >"$WORK/tail"
	check "$1: the octets" cmp -s "$WORK/was" "$WORK/tail"
}
# stays 'name' N 'regex': a run leaves these N files, sends nothing, and says
# so in one line (none, if the regex is empty).
stays() {
	: >"$LOG"
	run "$1"
	where "$1" "$2" "$(files "$ROOT/Queue")" 0 0
	check "$1: nothing in Queue" test "$(count Queue)" = 0
	if [ -n "$3" ]; then
		lines "$1" 1 " pickup level=warning .*$3"
	else
		expect_empty "$1: the log" "$LOG"
	fi
}
