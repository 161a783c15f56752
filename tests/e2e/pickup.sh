#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Pickup, what is in the files: the forms of IIS, .NET and ours, plain messages,
# moved files of Queue, Badmail and Drop, dots, and what cannot be used.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pickup-lib.sh"

start_smtpd
settings
me=$(id -un 2>/dev/null || echo "uid$(id -u)")@client.test

# ---- forms ---------------------------------------------------------------------------

fresh
put 'iis.txt' <<'END'
x-sender: Sender
x-receiver: bob@far.test
x-receiver: carl@far.test
From: "Somebody" <else@client.test>
To: not-me@far.test
Bcc: nor-me@far.test
Subject: iis

body
END
taken 'IIS' Sender@client.test bob@far.test carl@far.test
expect_file_has 'IIS: Received' "$WORK/sunk" 'with pickup id '
expect_file_has 'IIS: the header' "$WORK/sunk" '^To: not-me@far.test$'
expect_file_lacks 'IIS: no block' "$WORK/sunk" '^[Xx]-[Rr]eceiver|^[Xx]-[Ss]ender'
expect_file_lacks 'IIS: no Bcc' "$WORK/sunk" '^Bcc|nor-me'

fresh
put 'dotnet.eml' <<'END'
X-Sender: =?utf-8?B?w4RsaWNlIMOEbGljZQ==?=
 =?utf-8?B?IMOEbGljZQ==?=
 <alice@client.test>
X-Receiver: "Bob, B" <bob@far.test>
X-Receiver: carl@far.test
MIME-Version: 1.0
From: alice@client.test
To: "Bob, B" <bob@far.test>
Date: 7 Nov 2018 10:00:00 +0000
Subject: dotnet
Content-Type: text/plain; charset=us-ascii

body
END
taken '.NET' alice@client.test bob@far.test carl@far.test
expect_file_has '.NET: the date stays' "$WORK/sunk" '^Date: 7 Nov 2018 10:00:00'
expect_file_has '.NET: a Message-ID is added' "$WORK/sunk" '^Message-ID: <'

fresh
put 'replay' <<'END'
X-Sender: <alice@client.test> BODY=7bit RET=HDRS ENVID=e1
X-Receiver: <bob@far.test> NOTIFY=FAILURE ORCPT=rfc822;bob@elsewhere.test
X-CreatedBy: MSExchange15
X-EndOfInjectedXHeaders: 100
X-Mailer: mine
Subject: replay

body
END
taken 'Replay' alice@client.test bob@far.test
expect_file_has 'Replay: parameters of the sender' "$DIALOGUE" \
	'MAIL FROM:<alice@client.test>.* RET=HDRS ENVID=e1'
expect_file_has 'Replay: and of the receiver' "$DIALOGUE" \
	'RCPT TO:<bob@far.test> NOTIFY=FAILURE ORCPT=rfc822;bob@elsewhere.test'
expect_file_has 'Replay: the rest of the header' "$WORK/sunk" '^X-Mailer: mine'
expect_file_lacks 'Replay: without its own' "$WORK/sunk" '^X-CreatedBy|^X-EndOf'

fresh
put 'plain' <<'END'
From: Al <al@client.test>
To: bob@far.test, Carl <carl@far.test>
Cc: dora@far.test,
 bob@far.test
Bcc: eve@far.test
Subject: plain

body
END
taken 'plain' al@client.test bob@far.test carl@far.test dora@far.test \
	eve@far.test
expect_file_lacks 'plain: no Bcc' "$WORK/sunk" '^Bcc|^To: .*eve'

fresh
put 'sender' <<'END'
From: al@client.test
Sender: boss@client.test
To: bob@far.test

body
END
taken 'Sender before From' boss@client.test bob@far.test

fresh
put 'nobody' <<'END'
To: bob@far.test
Subject: nobody

body
END
taken 'no From: its owner' "$me" bob@far.test
expect_file_has 'no From: one is added' "$WORK/sunk" "^From: .*$me"

fresh
printf 'To: bob@far.test\r\nSubject: crlf\r\n\r\none\r\ntwo\r\n' | put 'crlf'
taken 'CRLF' "$me" bob@far.test
tail -n 2 "$WORK/sunk" >"$WORK/crlf"
fresh
printf '\357\273\277To: bob@far.test\nSubject: lf\n\none\ntwo' | put 'lf'
taken 'LF, a mark of Windows, no end' "$me" bob@far.test
tail -n 2 "$WORK/sunk" >"$WORK/lf"
check 'both are the same text' cmp -s "$WORK/crlf" "$WORK/lf"

fresh
put 'local' <<'END'
x-sender: alice@client.test
x-receiver: ann@local.test
x-receiver: bob@far.test

body
END
run 'local and remote'
where 'local and remote' 0 0 0 1
check 'one is in Drop' test "$(count Drop)" = 1

# ---- moved files -----------------------------------------------------------------------

# queued: one message of ours in Queue, to be moved.
queued() {
	fresh
	expect_exit 'to be moved' 0 sendmail -odq -f alice@client.test \
		-N failure,delay -V env1 bob@far.test carl@far.test <<-END
		Subject: moved

		body
	END
}
queued
mv "$ROOT"/Queue/*.eml "$PICK"
: >"$LOG"
taken 'moved from Queue, without a rest' alice@client.test bob@far.test \
	carl@far.test
expect_file_has 'moved: NOTIFY' "$DIALOGUE" \
	'RCPT TO:<carl@far.test> NOTIFY=FAILURE,DELAY'
check 'moved: two hops' test "$(grep -c '^Received' "$WORK/sunk")" = 2
expect_file_lacks 'moved: no envelope' "$WORK/sunk" '^x-'

queued
sed 's/^x-receiver: <bob/x-received: <bob/' "$ROOT"/Queue/*.eml |
	put 'half.eml'
rm "$ROOT"/Queue/*.eml
: >"$LOG"
taken 'who has it is passed over' alice@client.test carl@far.test

queued
sed 's/^x-receiver: <bob/x-received: <bob/;
	s/^x-receiver: <carl/x-returned: <carl/' "$ROOT"/Queue/*.eml |
	put 'failed.eml'
rm "$ROOT"/Queue/*.eml
: >"$LOG"
taken 'Badmail: once more to who did not get it' alice@client.test \
	carl@far.test

queued
sed 's/^x-receiver:/x-received:/' "$ROOT"/Queue/*.eml | put 'all.eml'
rm "$ROOT"/Queue/*.eml
: >"$LOG"
refused 'all have it' 'no recipients: all of them have the message already'

queued
sed 's/\r$//; s/^Subject: moved/Subject: moved and edited, longer than before/' \
	"$ROOT"/Queue/*.eml | put 'edited.eml'
rm "$ROOT"/Queue/*.eml
: >"$LOG"
taken 'edited' alice@client.test bob@far.test carl@far.test
expect_file_has 'edited: the new text' "$WORK/sunk" '^Subject: moved and edited'

# ---- Drop, and round again --------------------------------------------------------------

settings 'HopCount = 3'
fresh
expect_exit 'to Drop' 0 sendmail -f alice@client.test ann@local.test <<-END
	Subject: round

	body
END
turns=0
while [ "$(count Badmail)" = 0 ] && [ "$turns" -lt 8 ]; do
	turns=$((turns + 1))
	mv "$ROOT"/Drop/*.eml "$PICK"
	touch -d '5 seconds ago' "$PICK"/*
	run "turn $turns"
	[ "$(count Drop)" = 1 ] || break
done
check "HopCount ends the loop (turn $turns)" test "$turns" = 4
where 'the loop' 0 0 1 0
lines 'the loop' 1 ' refused .*mail loop: the message has 4 Received'
settings

# ---- dots --------------------------------------------------------------------------------

dots() { printf 'To: bob@far.test\n\n..two\n.one\n.\nbehind\n' | put 'dots'; }
fresh
dots
taken 'dots as they are' "$me" bob@far.test
expect_file_has 'two stay two' "$WORK/sunk" '^\.\.two$'
expect_file_has 'a lone dot is text' "$WORK/sunk" '^\.$'
expect_file_has 'and does not end it' "$WORK/sunk" '^behind$'
settings 'PickupDotStuffed = yes'
fresh
dots
taken 'stuffed' "$me" bob@far.test
expect_file_has 'two become one' "$WORK/sunk" '^\.two$'
expect_file_has 'one stays one' "$WORK/sunk" '^\.one$'
expect_file_lacks 'the lone dot ended it' "$WORK/sunk" '^behind$|^\.$'
queued
sed 's/^body/..two\r\n.\r\nbehind/' "$ROOT"/Queue/*.eml | put 'ours.eml'
rm "$ROOT"/Queue/*.eml
: >"$LOG"
taken 'ours is not stuffed' alice@client.test bob@far.test carl@far.test
expect_file_has 'ours: two stay two' "$WORK/sunk" '^\.\.two$'
expect_file_has 'ours: whole' "$WORK/sunk" '^behind$'
settings

# ---- what cannot be used --------------------------------------------------------------------

fresh
printf 'From: al@client.test\nSubject: for nobody\n\nbody\n' | put 'none'
refused 'no recipients' 'no recipients: neither x-receiver nor To, Cc and Bcc'
fresh
printf 'x-sender: al@client.test\nx-receiver: bob@@far.test\n\nbody\n' |
	put 'address'
refused 'a bad receiver' 'the x-receiver .*bob@@far.test.* is no address'
fresh
printf 'x-sender: al@client.test, be@client.test\nx-receiver: b\n\nbody\n' |
	put 'sender'
refused 'a bad sender' 'the x-sender .* is no address: more than one'
fresh
printf 'x-sender: al@far..test\nx-receiver: bob@far.test\n\nbody\n' |
	put 'sender'
refused 'a sender that is no mailbox' 'the sender .* is no address'
fresh
printf 'From: al@@client.test\nTo: bob@far.test\n\nbody\n' | put 'from'
refused 'a From that cannot be read' 'the sender .*al@@client.test'
fresh
printf 'x-receiver: bob@far..test\n\nbody\n' | put 'domain'
refused 'a bad domain' 'bob@far..test'
fresh
printf 'To: bob@far.test\n\nbo\0dy\n' | put 'nul'
refused 'NUL' 'contains a NUL octet'
fresh
{ letter utf16 | iconv -f us-ascii -t utf-16; } | put 'utf16.txt'
refused 'UTF-16' 'contains a NUL octet'
fresh
{
	printf 'To: bob@far.test\nContent-Type: multipart/signed; boundary=b\n'
	printf '\n--b\n\n%08000d\n--b\n\nsignature\n--b--\n' 0
} | put 'signed'
refused 'a long line in a signed part' 'a signed part has a line of over'
fresh
i=0
while [ "$i" -lt 120 ]; do
	i=$((i + 1))
	echo 'Received: from a by b; Sun, 22 Nov 2026 01:00:00 +0000'
done >"$WORK/hops"
{ cat "$WORK/hops"; letter hops; } | put 'hops'
refused 'a loop' 'mail loop: the message has 120 Received'

settings 'MaxMessageSize = 10000'
fresh
{ letter large; yes 'sixteen octets.' | head -n 1000; } | put 'large'
refused 'too large' 'larger than MaxMessageSize'

# What is in Badmail comes back when what was wrong is mended.
settings
mv "$ROOT/Badmail" "$WORK/kept"

# What is too large by itself is nobody else's trouble.
fresh
python3 -c '
print("x-sender: alice@client.test")
for n in range(70000): print("x-receiver: %0800d@far.test" % n)
print("Subject: many\n\nbody")' | put 'many'
letter other | put 'other'
run 'more recipients than an envelope holds'
where 'more recipients than an envelope holds: one is sent' 0 0 1 1
lines 'more recipients than an envelope holds' 1 \
	' refused .* pickup=many text="its recipients need more than'
fresh
{ letter large; yes 'sixteen octets.' | head -n 20000; } | put 'large'
{ printf 'Subject: for nobody\n\n'; yes 'sixteen octets.' | head -n 20000; } |
	put 'larger'
letter other | put 'other'
limited() { (ulimit -f 200 && sendmail -q </dev/null); }
expect_exit 'a limit of file sizes' 0 limited
where 'a limit of file sizes: one is sent' 2 0 0 1
lines 'a limit of file sizes' 1 ' file=large text=waits error=.*File too large'
lines 'a limit of file sizes, Badmail' 1 ' file=larger text="cannot be used'
run 'without the limit'
where 'without the limit' 0 0 1 2
fresh
mkdir "$ROOT/Badmail"
mv "$WORK"/kept/* "$ROOT/Badmail"
mv "$ROOT"/Badmail/* "$PICK"
touch -d '5 seconds ago' "$PICK"/*
: >"$LOG"
taken 'brought back from Badmail' alice@client.test bob@far.test
check 'all of it' test "$(grep -c '^sixteen octets' "$WORK/sunk")" = 1000
expect_file_lacks 'and nothing more' "$WORK/sunk" '^x-|mailroot-pickup'
fresh
printf 'Subject: for nobody\n\nbody\n' | put 'none'
run 'refused once'
mv "$ROOT"/Badmail/* "$PICK"
touch -d '5 seconds ago' "$PICK"/*
run 'refused twice'
where 'refused twice' 0 0 1 0
check 'with one envelope' test "$(grep -c '^x-mailroot' "$ROOT"/Badmail/*)" = 1

settings 'SendBadTo = ops@far.test'
fresh
printf 'Subject: for nobody\n\nbody\n' | put 'none'
run 'SendBadTo'
where 'SendBadTo: a copy' 0 0 1 1
sunk
expect_file_has 'SendBadTo: to him' "$WORK/sunk" '^rcpt: <ops@far.test>'

settings 'MaxBadMailFolderSize = 0'
fresh
printf 'Subject: for nobody\n\nbody\n' | put 'none'
run 'a Badmail that keeps nothing'
where 'a Badmail that keeps nothing' 0 0 0 0
lines 'it is logged' 1 ' refused .* pickup=none '

# For what nobody accepted nothing that was accepted goes.
settings 'MaxBadMailFolderSize = 8'
fresh
printf 'Subject: for nobody\n\nbody\n' | put 'none'
run 'one is in Badmail'
{ printf 'Subject: for nobody\n\n'; yes 'sixteen octets.' | head -n 400; } |
	put 'larger'
: >"$LOG"
run 'no room'
where 'no room: it stays, the other too' 1 0 1 0
lines 'no room' 1 ' pickup level=warning file=larger text=.*Badmail has no room.*no recipients'
settings

stop_smtpd
check 'the dialogue was correct' test "$VIOLATIONS" = 0
finish
