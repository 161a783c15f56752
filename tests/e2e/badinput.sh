#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What the world does to us: settings that are wrong, folders that cannot be
# written, disks that are full, strange things in Queue, and processes begun
# in a strange state.  Each time: what is said (one line that names the thing),
# the exit status, and that nothing was lost, half kept, or touched that is
# not ours.

# In a mount namespace of its own, where it may fill a disk.
if [ "${1:-}" != --inside ]; then
	for way in -m '-m -r'; do
		# shellcheck disable=SC2086 # words are meant
		unshare $way true 2>/dev/null &&
			exec unshare $way "$0" --inside
	done
	mounts=no
fi
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

mounts=${mounts:-yes}
mkdir "$WORK/disk"
disk() { mount -t tmpfs -o "$1" none "$WORK/disk"; }
# A file of it may still be closing: then it goes with its last user.
disk_away() { umount -l "$WORK/disk"; }
trap 'umount -l "$WORK/disk" 2>/dev/null || :; cleanup' EXIT
[ $mounts = no ] || { disk size=64k 2>/dev/null && disk_away; } || mounts=no
export LC_ALL=C
printf 'Subject: s\n\nbody\n' >"$WORK/m"
{ printf 'Subject: s\n\n'; head -c 200000 /dev/zero | tr '\0' '\n'; } \
	>"$WORK/large"
write_conf

same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}
# All files below a folder, with their content.
state_of() { find "$@" ! -type d ! -name log -printf '%p %y %i %n %s %t\n' | sort; }

# fails 'name' STATUS REGEX command...: one line that says so, nothing kept,
# nothing changed.
INPUT=$WORK/m
fails() {
	name=$1 wanted=$2 why=$3
	shift 3
	before=$(state_of "$ROOT" "$WORK/disk" 2>/dev/null || :)
	expect_exit "$name" "$wanted" "$@" <"$INPUT"
	expect_empty "$name (stdout)" "$STDOUT"
	same "$name: one line" "$(grep -c '' "$STDERR")" 1
	expect_file_has "$name: what, and what to do" "$STDERR" "^sendmail: .*$why"
	same "$name: nothing is changed" \
		"$(state_of "$ROOT" "$WORK/disk" 2>/dev/null || :)" "$before"
}

# ---- settings ------------------------------------------------------------------

# configured 'name' STATUS REGEX line...
configured() {
	name=$1 wanted=$2 why=$3
	shift 3
	write_conf
	printf '%s\n' "$@" >>"$CONF"
	fails "$name" "$wanted" "$why" sendmail -odq bob@far.test
	write_conf
}
configured 'an unknown setting' 78 \
	'mailroot\.conf line 6: unknown setting "SmartHorst" \(did you mean SmartHost\?\)' \
	'SmartHorst = mail.test'
configured 'a setting of nobody' 78 'unknown setting "Frobnicate"' 'Frobnicate = 1'
configured 'a bad number' 78 'line 6: HopCount "many" must be' 'HopCount = many'
configured 'a number too large' 78 'line 6: RemoteSmtpPort "65536"' \
	'RemoteSmtpPort = 65536'
configured 'a bad word' 78 'line 6: DeliveryMode "soon" must be one of' \
	'DeliveryMode = soon'
configured 'a bad host' 78 'line 6: SmartHost' 'SmartHost = a b/c'
configured 'a bad address' 78 'line 6: PostmasterAddress' \
	'PostmasterAddress = @'
configured 'a bad path' 78 'line 6: QueueDirectory "here"' 'QueueDirectory = here'
configured 'an unknown verb' 78 'line 6: .*CHUNKING' \
	'SmtpOutboundCommandSupportOptions = CHUNCKING'
configured 'no value at all' 78 'line 6: ' 'SmartHost'
configured 'a bad section' 78 'line 6: ' '[domain' 'SmartHost = x.test'
configured 'not for one domain' 78 'line 7: MailRoot' '[domain x.test]' \
	'MailRoot = /tmp'
expect_exit 'a bad setting, -q' 78 sendmail -O X=1 -C /nonexistent/conf -q
: >"$CONF"
printf 'MailRoot = %s\n\000\n' "$ROOT" >"$CONF"
fails 'a configuration that is no text' 78 'NUL' sendmail bob@far.test
write_conf
fails 'a configuration that is a directory' 78 \
	'smtpd?|cannot be read \(Is a directory\)' sendmail -C "$WORK" bob@far.test
fails 'a configuration that is not there' 78 \
	'none: cannot be read \(No such file or directory\): correct its name' \
	sendmail -C "$WORK/none" bob@far.test
EXTRA_ENV=SENDMAIL_HOPCOUNT=many
fails 'a bad value in the environment' 78 'SENDMAIL_HOPCOUNT' sendmail bob@far.test
EXTRA_ENV=
fails 'a bad value by -O' 64 'HopCount "many" must be' sendmail -O HopCount=many \
	bob@far.test
fails 'an unknown setting by -O' 64 'did you mean MailRoot' \
	sendmail -O MailRoo=/tmp bob@far.test

# ---- recipients and text (more in options, message, status) ------------------------

fails 'no recipients' 64 'no recipients: give addresses, or -t' sendmail
fails 'a malformed address' 65 'a@@b' sendmail -odq 'a@@b'
fails 'a line end in an address' 65 'refused|no address' sendmail -odq \
	"$(printf 'a@b.test\nRCPT TO:<c@d.test>')"
printf 'Subject: s\n\na\000b\n' >"$WORK/nul"
INPUT=$WORK/nul
fails 'NUL' 65 'NUL octet; encode it as MIME' sendmail -odq bob@far.test
INPUT=$WORK/m

# ---- folders that cannot be written --------------------------------------------------

: >"$WORK/file"
fails 'MailRoot below a file' 73 'file/x/Queue: Not a directory; .*set MailRoot' \
	sendmail -O MailRoot="$WORK/file/x" -odq bob@far.test
fails 'MailRoot below nothing' 73 'Queue: No such file or directory; ' \
	sendmail -O MailRoot="$WORK/a/b/c/d" -odq bob@far.test
fails 'Queue is a file' 73 'file: Not a directory; ' \
	sendmail -O QueueDirectory="$WORK/file" -odq bob@far.test
check 'Queue is a file: it still is' test -f "$WORK/file" -a ! -s "$WORK/file"
expect_exit 'Drop is a file: mail waits' 0 sendmail \
	-O DropDirectory="$WORK/file" bob@local.test <"$WORK/m"
expect_silent 'Drop is a file: mail waits'
same 'Drop is a file: in Queue' "$(count Queue) $(count Drop)" '1 0'
expect_exit 'Drop is a file: mailq' 0 sendmail -bp
expect_file_has 'Drop is a file: the reason' "$STDOUT" \
	'Deferred: 451 4\.3\.0 Drop: Not a directory'
expect_exit 'Drop is back: the run' 0 sendmail -q --flush
same 'Drop is back' "$(count Queue) $(count Drop)" '0 1'
rm -rf "$ROOT"

# By somebody who is not root.
mkdir "$WORK/bin" "$WORK/foreign"
cp "$BUILD/sendmail" "$WORK/bin/sendmail"
chmod 755 "$WORK" "$WORK/bin" "$WORK/bin/sendmail" "$WORK/foreign"
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups -- env -i \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$WORK/bin/sendmail" -C "$CONF" "$@"
}
if setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	start_smtpd
	foreign="MailRoot = $WORK/foreign"
	write_conf "$foreign" "SmartHost = 127.0.0.1:$PORT"
	chmod 644 "$CONF"
	chmod 666 "$WORK/log" 2>/dev/null || : >"$WORK/log"
	fails 'MailRoot of another: -odq' 73 \
		'foreign/Queue: Permission denied; ' nobody -odq bob@far.test
	fails 'MailRoot of another: -odb with local mail' 73 'Permission denied' \
		nobody -odb bob@far.test,ann@local.test
	fails 'MailRoot of another: no server' 73 'Permission denied' \
		nobody -O SmartHost=127.0.0.1:1 bob@far.test
	same 'MailRoot of another: nothing was sent so far' "$(count_sink)" 0
	expect_exit 'MailRoot of another: one transaction' 0 nobody bob@far.test \
		<"$WORK/m"
	expect_silent 'MailRoot of another: one transaction'
	same 'MailRoot of another: is sent at once' "$(count_sink)" 1
	same 'MailRoot of another: is left empty' \
		"$(find "$WORK/foreign" -mindepth 1)" ''
	chmod 600 "$CONF"
	fails 'an unreadable configuration' 78 \
		'mailroot\.conf: cannot be read \(Permission denied\): correct its name or its mode' \
		nobody bob@far.test
	mkdir "$WORK/own"
	chown 65534:65534 "$WORK/own"
	write_conf "MailRoot = $WORK/own"
	chmod 644 "$CONF"
	expect_exit 'a MailRoot of his own' 0 nobody -odq bob@far.test <"$WORK/m"
	expect_silent 'a MailRoot of his own'
	same 'a MailRoot of his own: kept' "$(ls "$WORK/own/Queue" | wc -l)" 1
	# A uid that nobody else has, nor a line in /etc/passwd: the limit of
	# processes counts all of a uid.
	uid=$((2000000 + $$))
	chown -R $uid "$WORK/own"
	write_conf "MailRoot = $WORK/own" "SmartHost = 127.0.0.1:$PORT"
	chmod 644 "$CONF"
	expect_exit 'fork fails: -odb' 0 prlimit --nproc=0 setpriv --reuid=$uid \
		--regid=65534 --clear-groups -- env -i \
		ASAN_OPTIONS=detect_leaks=0 "$WORK/bin/sendmail" -C "$CONF" -odb \
		bob@far.test <"$WORK/m"
	expect_silent 'fork fails: -odb'
	same 'fork fails: kept, and not sent' \
		"$(ls "$WORK/own/Queue" | wc -l) $(count_sink)" '2 1'
	expect_exit 'a uid without a name' 0 sendmail -q --flush
	cat "$SINKDIR"/*.msg >"$WORK/all"
	expect_file_has 'a uid without a name sends' "$WORK/all" \
		"^mail: <uid$uid@client\.test>"
	stop_smtpd
else
	skip 'folders of another: this user cannot become nobody'
fi
write_conf

# ---- full disks ----------------------------------------------------------------------------

if [ $mounts = yes ]; then
	start_smtpd
	# Queue on a disk of 64 KiB: what does not fit is not kept, in part or
	# whole, nor is it sent.
	write_conf "MailRoot = $WORK/disk/root" "SmartHost = 127.0.0.1:$PORT"
	disk size=64k
	expect_exit 'a small disk, a small message' 0 sendmail -odq bob@far.test \
		<"$WORK/m"
	INPUT=$WORK/large
	for mode in -odi -odq -odb; do
		fails "a small disk, a large message ($mode)" 74 \
			'disk/root/Queue: No space left on device; make room there' \
			sendmail $mode bob@far.test
	done
	INPUT=$WORK/m
	head -c 100000 /dev/zero >"$WORK/disk/fill" 2>/dev/null || :
	for mode in -odi -odq -odb; do
		fails "a full disk ($mode)" 74 'No space left on device; make room' \
			sendmail $mode bob@far.test
	done
	same 'nothing was sent' "$(count_sink)" 0
	expect_exit 'a full disk: the run can still send' 0 sendmail -q --flush
	expect_silent 'a full disk: the run can still send'
	same 'and has room again' "$(count_sink) $(ls "$WORK/disk/root/Queue")" '1 '
	rm "$WORK/disk/fill"
	expect_exit 'room again' 0 sendmail -odq bob@far.test <"$WORK/m"
	disk_away

	# No inode is left for one more file.
	disk nr_inodes=5,size=1m
	mkdir -p "$WORK/disk/root/Queue" "$WORK/disk/root/State"
	expect_exit 'the last inode' 0 sendmail -odq bob@far.test <"$WORK/m"
	fails 'no inodes' 74 'No space left on device; make room' sendmail -odq \
		bob@far.test
	disk_away

	# Drop full: the mail waits in Queue, and no part of it is in Drop.
	disk size=64k
	write_conf "DropDirectory = $WORK/disk/Drop"
	expect_exit 'Drop is full' 0 sendmail bob@local.test <"$WORK/large"
	expect_silent 'Drop is full'
	same 'Drop is full: in Queue' "$(count Queue)" 1
	same 'Drop is full: nothing in part' "$(find "$WORK/disk" -type f)" ''
	expect_exit 'Drop is full: mailq' 0 sendmail -bp
	expect_file_has 'Drop is full: the reason' "$STDOUT" \
		'Deferred: 451 4\.3\.0 Drop: No space left on device'
	disk_away
	rm -rf "$ROOT"

	# Badmail full: what is given up stays where it is.
	disk size=64k
	write_conf "BadMailDirectory = $WORK/disk/Badmail" \
		'SmtpRemoteNDRExpireMinutes = 0' 'SmartHost = 127.0.0.1:1'
	expect_exit 'Badmail is full' 0 sendmail -odq -f '<>' bob@far.test \
		<"$WORK/large"
	status=0
	sendmail -q --flush >"$STDOUT" 2>"$STDERR" || status=$?
	same 'Badmail is full: still in Queue' "$(count Queue)" 1
	same 'Badmail is full: nothing in part' "$(find "$WORK/disk" -type f)" ''
	disk_away
	expect_exit 'Badmail has room: the run' 0 sendmail \
		-O BadMailDirectory="$ROOT/Badmail" -q --flush
	same 'Badmail has room' "$(count Queue) $(count Badmail)" '0 1'
	rm -rf "$ROOT"

	# A disk that is read-only.
	disk ro,size=1m
	write_conf "MailRoot = $WORK/disk"
	fails 'a read-only disk' 73 'Queue: Read-only file system; ' \
		sendmail -odq bob@far.test
	disk_away
	stop_smtpd
else
	skip 'full and read-only disks: no mount namespace to be had'
fi
write_conf

# RLIMIT_FSIZE is a full disk, too.
limited() {
	prlimit --core=0 --fsize=4096 env -i \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$BUILD/sendmail" -C "$CONF" "$@"
}
write_conf "LogFile = /dev/null"
INPUT=$WORK/large
fails 'a limit of file sizes' 74 'File too large; raise the limit' \
	limited -odq bob@far.test
INPUT=$WORK/m
expect_exit 'below it' 0 limited -odq bob@far.test <"$WORK/m"
same 'below it: kept' "$(count Queue)" 1
rm -rf "$ROOT"
write_conf

# ---- strange things in Queue ------------------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
for who in good torn-short torn-long link hard twin; do
	expect_exit "queued: $who" 0 sendmail -odq $who@far.test <"$WORK/m"
	mv "$ROOT"/Queue/*.eml "$WORK/$who"
done
Q=$ROOT/Queue
# Names as we make them, each another digit: 20260101T000000Z-<id>.eml.
named() { echo "20260101T000000Z-1m80n0000000000000$1.eml"; }
cp "$WORK/good" "$Q/$(named 00)"
head -c -1 "$WORK/torn-short" >"$Q/$(named 01)"
{ cat "$WORK/torn-long"; echo more; } >"$Q/$(named 02)"
: >"$Q/$(named 03)"
head -c 5000 /dev/zero >"$Q/$(named 04)"
sed '1s/envelope=0*/envelope=999999/' "$WORK/good" >"$Q/$(named 05)"
{ head -n 2 "$WORK/good"; echo; } >"$Q/$(named 06)"
ln -s "$WORK/link" "$Q/$(named 07)"
ln -s "$Q/none" "$Q/$(named 08)"
mkfifo "$Q/$(named 09)"
mkdir "$Q/$(named 0a)"
ln "$WORK/hard" "$Q/$(named 0b)"
cp "$WORK/twin" "$Q/$(named 0c)"
ln "$Q/$(named 0c)" "$Q/$(named 0d)"
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$Q/$(named 0e)"
cp "$WORK/good" "$Q/README"
cp "$WORK/good" "$Q/20260101T000000Z-short.eml"
cp "$WORK/good" "$Q/20269999T000000Z-1m80n000000000000010.eml"
cp "$WORK/good" "$Q/$(named 11).bak"
cp "$WORK/good" "$Q/.hidden"
mkdir "$Q/.d" "$Q/lost+found"
ln -s /etc/passwd "$Q/.tmp-link"
cp "$WORK/good" "$Q/.tmp-young"
cp "$WORK/good" "$Q/.tmp-old"
cp "$WORK/good" "$Q/.tmp-held"
touch -d '2 hours ago' "$Q/.tmp-old" "$Q/.tmp-held"
touch -h -d '2 hours ago' "$Q/.tmp-link"
python3 -c 'import fcntl, sys, time
f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(60)' \
	"$Q/.tmp-held" &
holder=$!
servers="$servers $holder" # ended with them
sleep 0.3

before=$(state_of "$Q")
expect_exit 'mailq' 0 timeout 10 env -i "$BUILD/sendmail" -C "$CONF" -bp
same 'mailq touches nothing' "$(state_of "$Q")" "$before"
expect_empty 'mailq: no error' "$STDERR"
expect_file_has 'mailq: one good message' "$STDOUT" 'Total requests: 1$'
expect_file_has 'mailq: the good one' "$STDOUT" '<good@far\.test>'
expect_file_lacks 'mailq follows no link' "$STDOUT" '<(link|hard|twin)@far'
same 'mailq: names what is no message' \
	"$(grep -c 'not a whole message' "$STDOUT")" 6
expect_exit 'mailq --json' 0 timeout 10 env -i "$BUILD/sendmail" -C "$CONF" \
	-bp --json
check 'mailq --json: an object a line' python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
sys.exit(sum("sender" in l for l in lines) != 1)' "$STDOUT"

keep="$(named 0[7-9a-e]) README 20260101T000000Z-short.eml .hidden .tmp-young
	20269999T000000Z-1m80n000000000000010.eml $(named 11).bak .tmp-link
	.tmp-held"
kept() { ( cd "$Q" && for name in $keep; do
	state_of "$name"; done ) 2>&1; }
before=$(kept)
expect_exit 'a run among strange things' 0 timeout 20 env -i "$BUILD/sendmail" \
	-C "$CONF" -q --flush
expect_silent 'a run among strange things'
same 'only the good one is sent' "$(cat "$SINKDIR"/*.msg |
	sed -n 's/^rcpt: //p')" '<good@far.test>'
check 'the good one is gone' test ! -e "$Q/$(named 00)"
same 'strange things are left as they were' "$(kept)" "$before"
check 'folders too' test -d "$Q/$(named 0a)" -a -d "$Q/.d" -a -d "$Q/lost+found"
same 'torn ones are in Badmail' "$(count Badmail)" 6
same 'torn ones are whole there' "$(cat "$ROOT"/Badmail/* | wc -c)" \
	"$(($(wc -c <"$WORK/torn-short") - 1 + $(wc -c <"$WORK/torn-long") + 5 +
	5000 + $(sed '1s/envelope=0*/envelope=999999/' "$WORK/good" | wc -c) +
	$(head -n 2 "$WORK/good" | wc -c) + 1))"
expect_file_has 'torn ones are logged' "$WORK/log" 'torn'
expect_file_has 'links are logged' "$WORK/log" 'foreign.*left alone'
check 'an old unfinished file is gone' test ! -e "$Q/.tmp-old"
expect_file_has 'and logged' "$WORK/log" ' recovered file=[.]tmp-old'
check 'what a link points to is as it was' cmp -s "$WORK/link" "$Q/$(named 07)"
expect_exit 'the run again' 0 timeout 20 env -i "$BUILD/sendmail" -C "$CONF" \
	-q --flush
same 'nothing more is sent' "$(count_sink)" 1
same 'nothing is changed' "$(kept)" "$before"
kill "$holder"
wait "$holder" 2>/dev/null || :
stop_smtpd
rm -rf "$ROOT"

# A torn file is never deleted, also if Badmail may not hold so much.
mkdir -p "$Q"
head -c 5000 /dev/zero >"$Q/$(named 20)"
for kb in 1 0; do
	sendmail -O MaxBadMailFolderSize=$kb -q --flush >"$STDOUT" 2>"$STDERR" ||
		:
	same "a torn file larger than Badmail ($kb KB): still there" \
		"$(find "$ROOT" -name "$(named 20)" | wc -l)" 1
done
rm -rf "$ROOT"

# Badmail and Queue as links of the operator's: these he may have.
mkdir "$WORK/elsewhere" "$ROOT"
ln -s "$WORK/elsewhere" "$ROOT/Queue"
expect_exit 'Queue is a link to a folder' 0 sendmail -odq bob@far.test <"$WORK/m"
same 'Queue is a link to a folder: kept' "$(ls "$WORK/elsewhere" | wc -l)" 1
rm -rf "$ROOT"
write_conf

# Killed while reading: what is left is never sent, and goes in the end.
python3 - "$BUILD/sendmail" "$CONF" "$ROOT/Queue" <<-'END'
	import glob, subprocess, sys, time
	program, conf, queue = sys.argv[1:]
	p = subprocess.Popen([program, "-C", conf, "bob@far.test"], env={},
	    stdin=subprocess.PIPE)
	p.stdin.write(b"Subject: s\n\n" + b"text\n" * 100000)
	p.stdin.flush()
	for i in range(100):
	    if glob.glob(queue + "/.tmp-*"):
	        break
	    time.sleep(0.05)
	p.kill()
	p.wait()
END
same 'killed while reading: one rest' "$(ls -A "$ROOT/Queue" | wc -l)" 1
expect_exit 'killed while reading: the run' 0 sendmail -q --flush
same 'killed while reading: it stays an hour' "$(ls -A "$ROOT/Queue" | wc -l)" 1
touch -d '61 minutes ago' "$ROOT"/Queue/.tmp-*
expect_exit 'killed while reading: an hour later' 0 sendmail -q
same 'killed while reading: it is gone' "$(ls -A "$ROOT/Queue" | wc -l)" 0
rm -rf "$ROOT"

# ---- how we are begun -------------------------------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"

# One message, wherever it stands; at the server; no more in Queue.
total() {
	[ $(($(count Queue) + $(count Drop) + $(count_sink))) = 1 ]
}
arrived() { [ "$(count_sink)" = 1 ]; }
gone() { [ "$(count Queue)" = 0 ]; }

# Closed descriptors, in all combinations: a file we open must not become
# standard error.
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
	for way in bob@far.test bob@local.test '-odq bob@far.test' \
		'-odb bob@far.test'; do
		rm -rf "$ROOT" "${SINKDIR:?}"/*
		case $closed in
		'<'*)	redirect=$closed ;;
		*)	redirect="<$WORK/m $closed" ;;
		esac
		status=0
		eval "sendmail $way $redirect" || status=$?
		same "closed $closed: $way" $status 0
		check "closed $closed: $way: one message" wait_for 5 total
		case $way in
		-odb*)	wait_for 5 arrived || : ;;
		esac
		cat "$ROOT"/*/*.eml "$SINKDIR"/*.msg >"$WORK/all" 2>/dev/null || :
		expect_file_has "closed $closed: $way: it is whole" "$WORK/all" \
			'^Message-ID: '
		expect_file_lacks "closed $closed: $way: and clean" "$WORK/all" \
			'mailroot\[|^sendmail:'
	done
	rm -rf "$ROOT"
	for way in '' '-z' '-t' "-C $WORK/none a@b.test" "'a@@b'"; do
		status=0
		# (Standard error that stays open goes to a file here.)
		eval "sendmail $way 2>$STDERR $redirect" || status=$?
		check "closed $closed: an error is one ($way)" \
			test $status -ge 64 -a $status -le 78
	done
	same "closed $closed: errors leave nothing" "$(state_of "$ROOT" 2>/dev/null)" ''
done

# started 'name' WAYS: python begins us as WAYS say, in a strange state, with
# a server that takes its time.
stop_smtpd
start_smtpd -r 'END/slow@ delay 600'
write_conf "SmartHost = 127.0.0.1:$PORT"
for way in signals-ignored signals-blocked child-ignored alarm no-cwd \
	no-arguments leaked few-files socket offset hangup deep-nice; do
	rm -rf "$ROOT" "${SINKDIR:?}"/*
	mkdir -p "$WORK/cwd"
	if python3 - "$way" "$BUILD/sendmail" "$CONF" "$WORK" \
		>"$WORK/judged" 2>&1 <<-'END'
		import os, resource, select, signal, socket, subprocess, sys, time
		way, program, conf, work = sys.argv[1:]
		to = "slow" if way in ("alarm", "leaked") else "bob"
		args = [program, "-C", conf, "-i", to + "@far.test"]
		text = open(work + "/m", "rb").read()
		more = {}
		ignored = (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
		def prepare():
		    if way in ("signals-ignored", "hangup"):
		        for s in ignored:
		            signal.signal(s, signal.SIG_IGN)
		    if way == "signals-blocked":
		        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
		    if way == "child-ignored":
		        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
		    if way == "alarm":
		        signal.setitimer(signal.ITIMER_REAL, 0.2)
		    if way == "no-cwd":
		        os.chdir(work + "/cwd")
		        os.rmdir(work + "/cwd")
		    if way == "few-files":
		        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
		    if way == "deep-nice":
		        os.nice(19)
		stdin = subprocess.PIPE
		if way in ("child-ignored", "leaked"):
		    args[3:3] = ["-odb"]
		if way == "leaked":
		    ours, theirs = os.pipe()
		    more["pass_fds"] = [theirs]
		if way == "socket":
		    here, stdin = socket.socketpair()
		if way == "offset":
		    with open(work + "/at-offset", "wb") as f:
		        f.write(b"X-Before: this was read by another\n" + text)
		    stdin = open(work + "/at-offset", "rb", buffering=0)
		    stdin.seek(35)
		if way == "no-arguments":
		    more["executable"] = program
		    args = [""] + args[1:]
		p = subprocess.Popen(args, stdin=stdin, stdout=subprocess.PIPE,
		    stderr=subprocess.STDOUT, env={}, preexec_fn=prepare,
		    restore_signals=False, **more)
		if way == "socket":
		    stdin.close()
		    here.sendall(text)
		    here.close()
		elif way != "offset":
		    if way == "hangup":
		        p.stdin.write(text[:5])
		        p.stdin.flush()
		        time.sleep(0.2)
		        p.send_signal(signal.SIGHUP)
		        text = text[5:]
		    p.stdin.write(text)
		    p.stdin.close()
		if way == "leaked":
		    os.close(theirs)
		    p.wait()
		    # End of file at once: nobody else holds the other end.
		    if not select.select([ours], [], [], 0.3)[0]:
		        sys.exit("a descriptor was passed on")
		said = p.stdout.read()
		if p.wait() != 0 or said:
		    sys.exit("%s: %s %s" % (way, p.returncode, said))
	END
	then good; else
		bad "begun with: $way"
		show "$WORK/judged"
	fi
	check "begun with: $way: sent" wait_for 5 arrived
	check "begun with: $way: nothing is left" wait_for 5 gone
	expect_file_lacks "begun with: $way: the text is its own" \
		"$SINKDIR/$(ls "$SINKDIR" | head -n 1)" 'X-Before'
done

# What others may read does not hang on the umask of who called first.
modes() { stat -c '%a %n' "$ROOT" "$ROOT"/* "$ROOT"/Queue/* "$ROOT"/Drop/* |
	sed "/State/d; s#$WORK/##; s#[^/]*\.eml#file#" | sort | tr '\n' ','; }
for mask in 000 022 077 777; do
	rm -rf "$ROOT"
	( umask $mask; exec env -i "$BUILD/sendmail" -C "$CONF" -odq bob@far.test \
		) <"$WORK/m"
	( umask $mask; exec env -i "$BUILD/sendmail" -C "$CONF" bob@local.test \
		) <"$WORK/m"
	got=$(modes)
	same "umask $mask" "$got" \
		'2770 root/Drop,3770 root/Queue,660 root/Drop/file,660 root/Queue/file,755 root,'
done
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0

# A listing that cannot be written is not an empty one.
if [ -c /dev/full ]; then
	status=0
	sendmail -bp >/dev/full 2>"$STDERR" || status=$?
	same 'mailq to a full disk' $status 74
	expect_file_has 'mailq to a full disk: says so' "$STDERR" \
		'cannot write the listing: No space left'
fi
finish
