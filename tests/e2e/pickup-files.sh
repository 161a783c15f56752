#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Pickup, what kind of files there are: unfinished ones, other kinds, huge ones,
# names, owners and rights, ones that change while they are read; what a kill
# leaves; and the runner that watches.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pickup-lib.sh"

start_smtpd
settings
me=$(id -un 2>/dev/null || echo "uid$(id -u)")@client.test
one() { what=$1; shift; taken "$what" alice@client.test bob@far.test "$@"; }
now_ms() { date +%s%3N; }

# ---- unfinished ------------------------------------------------------------------

fresh
: >"$PICK/empty"
stays 'empty' 1 ''
touch -d '2 hours ago' "$PICK/empty"
stays 'empty for long' 1 'file=empty text="has been empty'

fresh
letter young >"$PICK/young"
begun=$(date +%s%N)
one 'just written: the run waits until it has rested'
check 'just written: for a second' \
	test $((($(date +%s%N) - begun) / 1000000)) -ge 900

fresh
letter future | put 'future'
touch -d '1 hour' "$PICK/future"
one 'of the future, just changed'

# beside WRITER: runs, one after another, as long as it writes.
beside() {
	while kill -0 "$1" 2>/dev/null; do
		sendmail -q </dev/null
		sleep 0.2
	done
	wait "$1" || :
}
# A slow cat: none of the runs beside it may take a part.
fresh
seq 1 8 >"$WORK/parts"
{
	letter slow
	while read -r n; do
		echo "part $n"
		sleep 0.5
	done <"$WORK/parts"
} | cat >"$PICK/slow" &
beside $!
one 'a slow cat'
check 'a slow cat: whole' grep -q '^part 8' "$WORK/sunk"

# In pieces, opened each time anew.
fresh
{
	letter pieces >"$PICK/pieces"
	for n in 1 2 3 4 5; do
		sleep 0.6
		echo "piece $n" >>"$PICK/pieces"
	done
} &
beside $!
one 'in pieces'
check 'in pieces: whole' grep -q '^piece 5' "$WORK/sunk"

# A run beside one that is never at rest ends all the same.
fresh
letter busy >"$PICK/busy"
{
	n=0
	while [ $n -lt 40 ]; do
		echo more >>"$PICK/busy"
		sleep 0.1
		n=$((n + 1))
	done
} &
writer=$!
begun=$(date +%s)
stays 'never at rest' 1 ''
check 'never at rest: the run ends' test $(($(date +%s) - begun)) -lt 4
wait "$writer" || :

# Locks, of flock(1) and as .NET's streams take them.
fresh
letter locked | put 'locked'
flock "$PICK/locked" sh -c "echo held >'$WORK/held'; sleep 3" &
holder=$!
wait_for 5 test -s "$WORK/held"
stays 'an exclusive lock' 1 ''
touch -d '2 hours ago' "$PICK/locked"
stays 'one for long' 1 'file=locked text="has been empty, locked'
wait "$holder" || :
one 'unlocked'

fresh
python3 - "$PICK/dotnet.eml" "$WORK/go" <<'END' &
import fcntl, os, sys, time
with open(sys.argv[1], "xb", buffering=0) as f:
    fcntl.flock(f, fcntl.LOCK_SH)
    f.write(b"X-Sender: alice@client.test\r\nX-Receiver: bob@far.test\r\n")
    os.utime(sys.argv[1], (time.time() - 60,) * 2)
    open(sys.argv[2], "w").close()
    time.sleep(2)
    f.write(b"Subject: shared\r\n\r\nwhole\r\n")
    os.utime(sys.argv[1], (time.time() - 60,) * 2)
END
writer=$!
wait_for 5 test -e "$WORK/go"
stays 'a shared lock, as of .NET' 1 ''
wait "$writer" || :
one 'a shared lock, released'
check 'whole' grep -q '^whole' "$WORK/sunk"

# Names that say it.
fresh
letter temporary | put 'a.tmp'
letter temporary | put 'b.TMP'
letter temporary | put '.hidden'
letter temporary | put '.eml'
letter temporary | put '.tmp-of-now'
letter temporary | put '.tmp-of-old'
touch "$PICK/.tmp-of-now"
touch -d '2 hours ago' "$PICK/.tmp-of-old"
: >"$LOG"
run 'temporary names'
where 'temporary names' 5 0 0 0
lines 'temporary names' 1 ' recovered file=.tmp-of-old'
check 'only the orphan went' test ! -e "$PICK/.tmp-of-old"

# ---- other kinds ------------------------------------------------------------------

fresh
letter target >"$WORK/target"
ln -s "$WORK/target" "$PICK/link"
stays 'a symbolic link' 1 'file=link text="is a symbolic link'
ln -s /nowhere "$PICK/dangling"
stays 'two of them: one line' 2 'others=1 text="is a symbolic link'
check 'what it names is there' test -s "$WORK/target"

fresh
mkfifo "$PICK/fifo"
stays 'a FIFO' 1 'file=fifo text="is not a regular file'
fresh
mkdir "$PICK/folder"
letter inside >"$PICK/folder/inside"
touch -d '5 seconds ago' "$PICK/folder/inside"
: >"$LOG"
run 'a directory'
check 'a directory and what is in it stay' test -s "$PICK/folder/inside"
lines 'a directory' 1 'file=folder text="is not a regular file'
fresh
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$PICK/socket"
stays 'a socket' 1 'file=socket text="is not a regular file'

fresh
letter twice | put 'twice'
ln "$PICK/twice" "$ROOT/other"
stays 'a hard link' 1 'file=twice text="has another name'
rm "$ROOT/other"
touch -d '5 seconds ago' "$PICK/twice"
: >"$LOG"
one 'its other name is gone'

# ---- huge ---------------------------------------------------------------------------

# tebibyte NAME: as long as that, or as long as the file system allows.
tebibyte() { truncate -s 1T "$PICK/$1" 2>/dev/null || truncate -s 15T "$PICK/$1"; }
fresh
if letter huge | put 'huge' && tebibyte huge; then
	touch -d '5 seconds ago' "$PICK/huge"
	for limit in 1048576 -1; do
		settings "MaxBadMailFolderSize = $limit"
		begun=$(now_ms)
		stays "1 TiB, Badmail $limit" 1 \
			'file=huge text="cannot be used.*larger than MaxMessageSize'
		check "1 TiB is not read ($limit)" \
			test "$(($(now_ms) - begun))" -lt 3000
	done
	settings 'MaxMessageSize = 0'
	begun=$(now_ms)
	stays '1 TiB without a limit' 1 'file=huge text=.*NUL'
	check 'its end is the first NUL' test "$(($(now_ms) - begun))" -lt 3000
else
	skip 'this file system has no files of 1 TiB'
fi
settings

# ---- names --------------------------------------------------------------------------

long=$(printf '%0255d' 0)
newline=$(printf 'new\nline sent uid=0')
utf8=$(printf '\303\244\303\266.eml')
for name in -rf "$newline" "$utf8" "$long" noextension 'a b;$(c)' \
	"$(printf '\377\376')" '%s%n'; do
	fresh
	letter name | put "$name"
	one 'an odd name'
	check 'each log line is one' test -z "$(grep -v '^20..-..-..T' "$LOG")"
	lines 'nothing is forged' 1 '^[^ ]+ [^ ]+ [^ ]+ sent '
done

# ---- while it is read ------------------------------------------------------------------

# slowly 'name' 'python': a run whose every read takes 20 ms, and what is done
# when the copy of $PICK/busy (a) has begun.
slowly() {
	rm -f "$WORK/ready"
	python3 - "$ROOT/Queue" "$PICK/busy" "$WORK/ready" "$2" <<-'END' &
		import glob, os, sys, time
		queue, a, ready, what = sys.argv[1:]
		open(ready, "w").close()
		until = time.time() + 20
		while not any(os.path.getsize(n) > 100000
		              for n in glob.glob(queue + "/.tmp-*")):
		    if time.time() > until:
		        sys.exit("no copy was begun")
		    time.sleep(0.002)
		exec(what)
	END
	writer=$!
	wait_for 5 test -e "$WORK/ready"
	expect_exit "$1: the run" 0 env -i PATH="$PATH" ASAN_OPTIONS=detect_leaks=0 \
		strace -o /dev/null -e trace=pread64 \
		-e inject=pread64:delay_enter=20000 \
		"$BUILD/sendmail" -C "$CONF" -q </dev/null
	status=0
	wait "$writer" || status=$?
	check "$1: it was done" test "$status" = 0
}
# busy: a message of a megabyte and a half, in a Pickup of its own.
busy() {
	fresh
	mkdir -p "$ROOT/Queue"
	{
		letter busy
		yes 'a line of sixty-three octets, long enough to be one of a letter' |
			head -n 24000
	} | put 'busy'
}
if strace -o /dev/null true 2>/dev/null; then
	busy
	slowly 'nothing happens' 'pass'
	where 'nothing happens' 0 0 0 1
	busy
	slowly 'written' 'open(a, "a").write("more\n")'
	where 'written while it is read' 1 0 0 0
	expect_empty 'written while it is read: no line' "$LOG"
	sleep 1.1
	one 'written, and then at rest'
	check 'with what was written' grep -q '^more' "$WORK/sunk"
	busy
	slowly 'written at the same length' \
		'f = open(a, "r+"); f.seek(1400000); f.write("more"); f.close()'
	where 'written at the same length' 1 0 0 0
	busy
	slowly 'cut' 'os.truncate(a, 100)'
	where 'cut while it is read: neither taken nor refused' 1 0 0 0
	busy
	letter another >"$WORK/another"
	touch -d '5 seconds ago' "$WORK/another"
	slowly 'replaced' "os.rename('$WORK/another', a)"
	where 'replaced while it is read' 1 0 0 0
	one 'the other one'
	check 'and it is the other one' grep -q '^Subject: another' "$WORK/sunk"
	busy
	slowly 'withdrawn' 'os.unlink(a)'
	where 'withdrawn while it is read' 0 0 0 0
else
	skip 'no strace that may trace: nothing changes while it is read'
fi

# ---- storage ---------------------------------------------------------------------------

fresh
letter first | put 'first'
letter second | put 'second'
: >"$ROOT/Queue"
expect_exit 'Queue is no directory' 71 sendmail -q </dev/null
check 'Queue is no directory: all stay' test "$(files "$PICK")" = 2
lines 'Queue is no directory: one line' 1 ' pickup level=err file='

rm "$ROOT/Queue"
rm -rf "$PICK"
: >"$LOG"
run 'no Pickup'
expect_empty 'no Pickup is nothing' "$LOG"

# ---- a kill between the commit and the unlink --------------------------------------------

fresh
letter killed | put 'killed'
if strace -o /dev/null true 2>/dev/null; then
	status=0
	env ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=unlinkat \
		-e inject=unlinkat:signal=KILL:when=1 \
		"$BUILD/sendmail" -C "$CONF" -q </dev/null 2>/dev/null || status=$?
	check 'killed' test "$status" = 137
	where 'killed: both stand' 1 1 0 0
	# shellcheck disable=SC2012
	check 'the copy is committed' test "$(ls "$ROOT/Queue" | grep -c '^20')" = 1
	run 'after the kill'
	where 'after the kill: once' 0 0 0 1
else
	skip 'no strace that may trace'
fi

# ---- the runner that watches ----------------------------------------------------------------

fresh
settings 'LogFile = stderr'
env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
	"$BUILD/sendmail" -C "$CONF" -bD -q1h >/dev/null 2>"$WORK/runner.err" &
RUNNER=$!
servers="$servers $RUNNER"
wait_for 10 test -e "$ROOT/State/last-run"
at_least() { [ "$(count_sink)" -ge "$1" ]; }
letter 'in place' >"$PICK/place"
check 'written in place: sent within 3 s' wait_for 3 at_least 1
letter renamed | put 'renamed'
check 'renamed: sent within 3 s' wait_for 3 at_least 2
python3 - "$PICK/dotnet.eml" <<'END'
import fcntl, sys, time
with open(sys.argv[1], "xb", buffering=0) as f:
    fcntl.flock(f, fcntl.LOCK_SH)
    for piece in (b"X-Sender: alice@client.test\r\n",
                  b"X-Receiver: bob@far.test\r\n\r\n", b"the end\r\n"):
        f.write(piece)
        time.sleep(0.7)
END
check 'as .NET writes: sent within 3 s' wait_for 3 at_least 3
sunk
check 'and whole' grep -q '^the end' "$WORK/sunk"
check 'nothing stays' test "$(files "$PICK")" = 0

# Looking at a file that stays is no event: two runs, and not one after another.
mkfifo "$PICK/fifo"
letter locked | put 'locked'
: >"$WORK/runner.err"
flock "$PICK/locked" sleep 4 &
holder=$!
sleep 3
runs=$(grep -c 'file=fifo' "$WORK/runner.err" || :)
check "a file that stays does not keep it busy ($runs runs)" \
	test "$runs" -ge 1 -a "$runs" -le 3
wait "$holder" || :
kill -TERM "$RUNNER"
status=0
wait "$RUNNER" || status=$?
check "the runner ends cleanly ($status)" test "$status" = 0

stop_smtpd
check 'the dialogue was correct' test "$VIOLATIONS" = 0
finish
