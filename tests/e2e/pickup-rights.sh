#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Pickup, whose files they are: other owners and their limits, files that may
# not be read or removed, folders that may not be read or written, and a plain
# user's run over a MailRoot of his own.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pickup-lib.sh"

[ "$(id -u)" = 0 ] || { skip 'files of several users: needs root'; finish; }
chmod 755 "$WORK"
# The checkout may be below a private directory.
cp "$BUILD/sendmail" "$WORK/sendmail"
start_smtpd -r 'RCPT/later@ reply 451 4.2.1 not now'
settings

# own UID: the MailRoot and what is in it is his from now on.
own() {
	chown -R "$1:7000" "$ROOT"
	chmod 666 "$LOG"
}
# run_as UID 'name': a run in that user's name.
run_as() {
	expect_exit "$2: the run" "${3:-0}" env -i PATH="$PATH" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		setpriv --reuid "$1" --regid 7000 --clear-groups \
		"$WORK/sendmail" -C "$CONF" -q </dev/null
}
# from UID NAME: his finished file.
from() {
	printf 'To: bob@far.test\nSubject: %s\n\nbody\n' "$2" | put "$2"
	chown "$1:7000" "$PICK/$2"
}

# ---- a plain user --------------------------------------------------------------------

fresh
from 7001 mine
own 7001
run_as 7001 'a plain user'
where 'a plain user' 0 0 0 1
sunk
expect_file_has 'he is the sender' "$WORK/sunk" '^mail: <uid7001@client.test>'
lines 'and the submitter' 1 ' accepted uid=7001 '

fresh
from 7001 readonly
chmod 444 "$PICK/readonly"
own 7001
run_as 7001 'a read-only file'
where 'a read-only file: sent once, and gone' 0 0 0 1

# ---- other owners -----------------------------------------------------------------------

fresh
from 7001 foreign
from 7002 foreigner
run 'of two others'
where 'of two others' 0 0 0 2
sunk
expect_file_has 'one is the sender' "$WORK/sunk" '^mail: <uid7001@client.test>'
expect_file_has 'the other too' "$WORK/sunk" '^mail: <uid7002@client.test>'
expect_file_has 'Received names him' "$WORK/sunk" 'from userid 7002'
lines 'the log too' 1 ' accepted uid=7002 .* pickup=foreigner'

fresh
printf 'x-receiver: b@@y\n\nbody\n' | put 'bad'
chown 7001:7000 "$PICK/bad"
run 'a bad one of another'
where 'a bad one of another' 0 0 1 0
lines 'a bad one of another' 1 ' refused level=warning uid=7001 pickup=bad'
expect_file_has 'Badmail names him' "$(find "$ROOT/Badmail" -type f)" \
	'^x-returned: <uid7001@client.test>'

settings 'MaxMessagesPerHour = 2'
fresh
for n in 1 2 3 4; do from 7001 "many$n"; done
from 7002 few
run 'over the limit'
where 'over the limit: two wait' 2 0 0 3
lines 'over the limit: one line' 1 \
	' pickup level=warning file=many. others=1 text=waits error="user 7001 has sent 2 messages'
: >"$LOG"
rm "$ROOT"/State/sent-*
run 'the hour is over'
where 'the hour is over' 0 0 0 5
settings

# ---- what may not be read -----------------------------------------------------------------

fresh
from 7002 secret
chmod 600 "$PICK/secret"
own 7001
chown 7002 "$PICK/secret"
run_as 7001 'unreadable'
where 'unreadable: to Badmail' 0 0 1 0
lines 'unreadable' 1 ' refused level=warning uid=7002 pickup=secret text=.*cannot be read.*unreadable in Badmail'
bad=$(find "$ROOT/Badmail" -type f -name '*.unreadable')
check 'under a name that is no message' test -n "$bad"
check 'as it was' test "$(stat -c '%u %a' "$bad")" = '7002 600'
# However large its owner makes it, nothing else goes for it.
printf 'To: b@@y\n\nbody\n' | put 'bad'
run_as 7001 'another to Badmail'
check 'another is in Badmail' test "$(count Badmail)" = 1
truncate -s 1T "$bad" 2>/dev/null || truncate -s 15T "$bad"
settings 'SmtpRemoteNDRExpireMinutes = 0'
expect_exit 'a message that expires' 0 env -i PATH="$PATH" \
	${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
	setpriv --reuid 7001 --regid 7000 --clear-groups "$WORK/sendmail" \
	-C "$CONF" -odq later@far.test </dev/null
run_as 7001 'it expires'
check 'both are in Badmail' test "$(count Badmail)" = 2
settings

fresh
from 7001 young
own 7001
chown 7002 "$PICK/young"
chmod 600 "$PICK/young"
touch "$PICK/young"
run_as 7001 'unreadable and young'
where 'unreadable and young: it waits' 1 0 0 0

fresh
from 7001 unseen
own 7001
chown 7002 "$PICK"
chmod 3733 "$PICK"
: >"$LOG"
run_as 7001 'a Pickup that may not be read'
expect_silent 'a Pickup that may not be read'
where 'a Pickup that may not be read' 1 0 0 0
lines 'one line' 1 ' pickup level=warning text="PickupDirectory cannot be read'

# ---- what may not be removed ----------------------------------------------------------------

# Sent and still there, it would be sent again by each run.
stuck() {
	where "$1: not sent" 1 0 0 0
	lines "$1: one line" 1 ' pickup level=warning file=stuck text="cannot be removed, so it is not sent'
}
fresh
from 7002 stuck
own 7001
chown 7003:7000 "$PICK"
chmod 1777 "$PICK"
chown 7002 "$PICK/stuck"
run_as 7001 'in a sticky folder'
stuck 'in a sticky folder'
run_as 7001 'in a sticky folder, again'
where 'in a sticky folder, again' 1 0 0 0

fresh
from 7001 stuck
own 7001
chmod 555 "$PICK"
run_as 7001 'in a folder that may not be written'
stuck 'in a folder that may not be written'
run_as 7001 'again'
where 'in a folder that may not be written, again' 1 0 0 0
chmod 755 "$PICK"
: >"$LOG"
run_as 7001 'when it may be written'
where 'when it may be written: once' 0 0 0 1

fresh
from 7001 stuck
if chattr +i "$PICK/stuck" 2>/dev/null; then
	run 'immutable'
	stuck 'immutable'
	run 'immutable, again'
	where 'immutable, again' 1 0 0 0
	chattr -i "$PICK/stuck"
	touch -d '5 seconds ago' "$PICK/stuck"
	: >"$LOG"
	run 'mutable'
	where 'mutable: once' 0 0 0 1
else
	skip 'this file system has no immutable files'
fi

# ---- no Queue to put it into ------------------------------------------------------------------

fresh
from 7001 waiting
mkdir "$ROOT/Queue"
own 7001
chmod 555 "$ROOT/Queue"
run_as 7001 'Queue may not be written'
where 'Queue may not be written: it waits' 1 0 0 0
lines 'Queue may not be written' 1 ' pickup level=err file=waiting text="cannot make a message in '
chmod 755 "$ROOT/Queue"
run_as 7001 'when it may be written'
where 'when it may: once' 0 0 0 1

# ---- who fills it with what is of no use ---------------------------------------------------------

fresh
n=0
while [ $n -lt 120 ]; do
	echo 'no recipients' >"$PICK/junk-$n.eml"
	n=$((n + 1))
done
chown 7006 "$PICK"/junk-*
printf 'x-sender: a@client.test\nx-receiver: bob@far.test\n\nSubject: x\n\nbody\n' \
	>"$PICK/good.eml"
chown 7001 "$PICK/good.eml"
touch -d '1 minute ago' "$PICK"/*
: >"$LOG"
run 'junk'
check 'junk: the mail of another is sent' test "$(count_sink)" = 1
check 'junk: fifty of them in one run' \
	test "$(find "$ROOT/Badmail" -name '*.eml' | wc -l)" = 50
lines 'junk: the rest waits, in one line' 1 \
	'50 files of user 7006 could not be used'
run 'junk, the next run'
run 'junk, the third'
check 'junk: in the end all are in Badmail' \
	test "$(find "$ROOT/Badmail" -name '*.eml' | wc -l)" = 120

# ---- mail of one who has no rights ---------------------------------------------------------------

# He may neither read the folder nor write Queue: the message comes here, and
# the run takes it at once, because it says itself that it is whole.
fresh
mkdir "$ROOT/Queue"
chmod 700 "$ROOT/Queue"
chmod 3733 "$PICK"
expect_exit 'without rights' 0 env -i PATH="$PATH" \
	${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
	setpriv --reuid 7005 --regid 7005 --clear-groups \
	"$WORK/sendmail" -C "$CONF" -f web@client.test bob@far.test <<-END
		Subject: without rights
	END
where 'without rights: it is in Pickup' 1 0 0 0
: >"$LOG"
run 'taken at once'
where 'taken at once' 0 0 0 1
lines 'it is his' 1 ' accepted uid=7005 from=<web@client.test> '

stop_smtpd
check 'the dialogue was correct' test "$VIOLATIONS" = 0
finish
