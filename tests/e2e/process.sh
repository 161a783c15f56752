#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# The process a caller makes for us: closed, odd and leaked descriptors, an
# environment that is empty or lies, signals, masks and limits, a directory
# that is gone, a machine without /dev, a name or a writable root.  Whatever it
# is: status 0 and the message stands or was sent, or another status, one line,
# and nothing stands.

. "$(dirname "$0")/lib.sh"

ME=$(id -un)@client.test
{
	printf 'From: ann@local.test\nSubject: hello\n\n'
	i=0
	while [ $i -lt 200 ]; do
		echo "line $i of the text that must arrive as it is"
		i=$((i + 1))
	done
	echo 'the last line'
} >"$WORK/m"
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
chmod 755 "$WORK"

same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}

# launch WORD... -- argument...: the program, from a process that each WORD
# made odd; prints its status on standard output and keeps what it said in
# $WORK/out and $WORK/err.
cat >"$WORK/launch.py" <<'EOF'
import ctypes, fcntl, os, resource, signal, socket, stat, sys, time

work, program = os.environ["W"], os.environ["P"]
words = sys.argv[1:sys.argv.index("--")]
args = sys.argv[sys.argv.index("--") + 1:]
env = {}
if "ASAN_OPTIONS" in os.environ:
    env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
argv0 = ["sendmail", "-C", os.path.join(work, "mailroot.conf")]
stdin = os.open(os.path.join(work, "m"), os.O_RDONLY)
out = os.open(os.path.join(work, "out"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
err = os.open(os.path.join(work, "err"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
held, closed, ignored, block, limits = [], [], [], [], []
decoy = timer = None

def lie(path):
    for name in ("USER LOGNAME HOME MAIL EMAIL NAME HOSTNAME SHELL PATH IFS TZ "
        "TZDIR TMPDIR TMP LANG LC_ALL LANGUAGE LOCPATH NLSPATH LD_BIND_NOW "
        "LD_DEBUG_OUTPUT MALLOC_ARENA_MAX OPENSSL_CONF OPENSSL_MODULES "
        "OPENSSL_ENGINES SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE RANDFILE "
        "RES_OPTIONS LOCALDOMAIN HOSTALIASES CARES_HOSTS RESOLV_HOST_CONF "
        "NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES SENDMAIL "
        "SENDMAIL_ SENDMAILX PYTHONPATH").split():
        env[name] = path

for w in words:
    name, _, value = w.partition("=")
    if name == "close":
        closed = [int(c) for c in value]
    elif name == "stdin":
        if value == "socket":
            a, b = socket.socketpair()
            if os.fork() == 0:
                os.dup2(b.fileno(), 1)
                os.close(a.fileno())
                os.execvp("cat", ["cat", os.path.join(work, "m")])
            b.close()
            stdin = a.fileno()
            held.append(a)
        elif value == "offset":
            os.lseek(stdin, len(open(os.path.join(work, "front")).read()), 0)
        elif value == "append":
            stdin = os.open(os.path.join(work, "both"), os.O_RDONLY)
            os.lseek(stdin, os.path.getsize(os.path.join(work, "front")), 0)
        elif value == "unlinked":
            name = os.path.join(work, "gone")
            open(name, "w").write(open(os.path.join(work, "m")).read())
            stdin = os.open(name, os.O_RDWR)
            os.unlink(name)
        else:
            stdin = os.open(value, os.O_RDONLY)
    elif name == "leak":
        # The last of them is written to, locked, and far up.
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        decoy = os.open(os.path.join(work, "decoy"), os.O_RDWR | os.O_CREAT)
        os.ftruncate(decoy, 0)
        os.write(decoy, b"decoy")
        fcntl.flock(decoy, fcntl.LOCK_EX)
        for i in range(int(value)):
            held.append(os.dup(decoy))
        os.dup2(decoy, 3999)
        for fd in range(3, 4000):
            try: os.set_inheritable(fd, True)
            except OSError: pass
    elif name == "env":
        lie(value)
    elif name == "var":
        k, _, v = value.partition("=")
        env[k] = v
    elif name == "ignore":
        ignored = [getattr(signal, "SIG" + n) for n in value.split(",")]
    elif name == "block":
        block = [s for s in signal.valid_signals()] if value == "ALL" else \
            [getattr(signal, "SIG" + n) for n in value.split(",")]
    elif name == "alarm":
        timer = getattr(signal, "ITIMER_" + value)
    elif name == "umask":
        os.umask(int(value, 8))
    elif name == "limit":
        k, _, v = value.partition(":")
        limits.append((getattr(resource, "RLIMIT_" + k), int(v)))
    elif name == "cwd":
        d = os.path.join(work, "cwd")
        os.makedirs(d, exist_ok=True)
        os.chmod(d, 0o755)
        os.chdir(d)
        if value == "gone":
            os.rmdir(d)
        elif value == "closed":
            os.chmod(d, 0)
        else:
            for i in range(40):
                os.makedirs("x" * 200, exist_ok=True)
                os.chdir("x" * 200)
    elif name == "argc":
        argv0, args = [""], []
    elif name == "uid":
        os.setgroups([])
        os.setresgid(int(value), int(value), int(value))
        os.setresuid(int(value), int(value), int(value))
    else:
        sys.exit("launch: " + w)

pid = os.fork()
if pid == 0:
    for source, to in ((stdin, 0), (out, 1), (err, 2)):
        os.dup2(source, to)
    if "leak" not in " ".join(words):
        os.closerange(3, 200)
    for fd in closed:
        os.close(fd)
    signal.pthread_sigmask(signal.SIG_BLOCK, block)
    for n in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
        signal.signal(n, signal.SIG_DFL)
    for n in ignored:
        signal.signal(n, signal.SIG_IGN)
    if timer is not None:               # a child has none of its parent's
        signal.setitimer(timer, 0.2 if timer == signal.ITIMER_REAL else 0.02)
    for what, value in limits:
        resource.setrlimit(what, (value, value))
    if argv0 == [""]:                   # Python knows better
        none = (ctypes.c_char_p * 1)(None)
        where = (ctypes.c_char_p * 3)(
            b"SENDMAIL_MAILROOT=" + os.path.join(work, "root").encode(),
            ("ASAN_OPTIONS=" + env.get("ASAN_OPTIONS", "")).encode(), None)
        name = (ctypes.c_char_p * 2)(b"", None)
        ctypes.CDLL(None).execve(program.encode(),
            none if "argc=0" in words else name, where)
    os.execve(program, argv0 + args, env)
if decoy is not None:
    # Only the one we started may still hold it.
    for fd in held + [3999, decoy]:
        os.close(fd)
_, status = os.waitpid(pid, 0)
if decoy is not None:
    fd = os.open(os.path.join(work, "decoy"), os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("locked", end=" ")
    if os.read(fd, 100) != b"decoy":
        print("written", end=" ")
print(os.WEXITSTATUS(status) if os.WIFEXITED(status)
    else "signal %d" % os.WTERMSIG(status))
EOF
# The checkout may be below a private directory.
PROGRAM=$WORK/sendmail
cp "$BUILD/sendmail" "$PROGRAM"
launch() {
	env -i PATH="$PATH" W="$WORK" P="$PROGRAM" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		timeout -k 5 60 python3 "$WORK/launch.py" "$@"
}

# whole FILE: our message, all of it, and nothing else.
whole() {
	[ "$(tr -d '\r' <"$1" | sed -n '/^$/,$p' | sed 1d | cksum)" = \
		"$(sed -n '/^$/,$p' "$WORK/m" | sed 1d | cksum)" ]
}
# Everything that stands: how many, and each is whole.
stands() {
	n=0
	for file in "$ROOT"/Queue/*.eml "$ROOT"/Drop/*.eml "$SINKDIR"/*.msg; do
		[ -f "$file" ] || continue
		n=$((n + 1))
		case $file in
		*.msg)	sed '1,/^$/d' "$file" >"$WORK/shown" ;;
		*/Queue/*) tr -d '\r' <"$file" |
				sed -n '/^Received: /,$p' >"$WORK/shown" ;;
		*)	cp "$file" "$WORK/shown" ;;
		esac
		whole "$WORK/shown" || { bad "$1: not the message: $file"
			show "$file"; }
	done
	echo "$n"
}
clear_all() { rm -rf "$ROOT" "${SINKDIR:?}"/*; }

# works 'name' WORD... -- argument...: 0, silent, one whole message.
works() {
	name=$1
	shift
	clear_all
	got=$(launch "$@")
	same "$name: status" "$got" 0
	expect_empty "$name (stdout)" "$WORK/out"
	expect_empty "$name (stderr)" "$WORK/err"
	same "$name: one message" "$(stands "$name")" 1
	same "$name: nothing unfinished" \
		"$(find "$ROOT" -name '.tmp-*' 2>/dev/null)" ''
}
# fails 'name' STATUS WORD... -- argument...: nothing stands, one line at most.
fails() {
	name=$1 wanted=$2
	shift 2
	clear_all
	got=$(launch "$@")
	same "$name: status" "$got" "$wanted"
	expect_empty "$name (stdout)" "$WORK/out"
	same "$name: nothing stands" "$(stands "$name")" 0
}
# holds 'name' WORD... -- argument...: either of the two.
holds() {
	name=$1
	shift
	clear_all
	got=$(launch "$@")
	n=$(stands "$name")
	case $got in
	0)	same "$name: 0, and the message is there" "$n" 1
		expect_empty "$name (stderr)" "$WORK/err" ;;
	signal*) # Killed between a reply or the commit and the exit.
		check "$name: $got, and no two are there" test "$n" -le 1 ;;
	*)	same "$name: $got, and nothing is there" "$n" 0 ;;
	esac
	expect_empty "$name (stdout)" "$WORK/out"
	check "$name: one line at most" test \
		"$(grep -c '' "$WORK/err")" -le 1
	echo "$got" >>"$WORK/statuses"
}

# ---- descriptors -------------------------------------------------------------

# Closed: what is opened next must not become one of them.
for closed in 0 1 2 01 02 12 012; do
	for mode in -odi -odq -odb; do
		case $closed in
		0*)	# Nothing can be read: an empty message, as sendmail's.
			clear_all
			got=$(launch "close=$closed" -- $mode -f a@b.test b@c.test)
			same "$closed closed, $mode: status" "$got" 0
			wait_for 10 sh -c '[ -n "$(ls "$1"/*.eml "$2"/*.msg \
				2>/dev/null)" ]' sh "$ROOT/Queue" "$SINKDIR" ||
				bad "$closed closed, $mode: nothing there"
			expect_empty "$closed closed, $mode (stderr)" \
				"$WORK/err" ;;
		*)	works "$closed closed, $mode" "close=$closed" -- \
				$mode bob@local.test ;;
		esac
	done
	fails "$closed closed, refused option" 64 "close=$closed" -- -z b@c.test
	fails "$closed closed, no recipients" 64 "close=$closed" --
	fails "$closed closed, bad address" 65 "close=$closed" -- 'a@@b'
	clear_all
	sendmail -odq bob@far.test <"$WORK/m"
	cp "$ROOT"/Queue/*.eml "$WORK/before"
	same "$closed closed, mailq: status" "$(launch "close=$closed" -- -bp)" \
		0
	check "$closed closed, mailq: changes nothing" cmp -s \
		"$(echo "$ROOT"/Queue/*.eml)" "$WORK/before"
	same "$closed closed, -v -q: status" \
		"$(launch "close=$closed" -- -v -q)" 0
	same "$closed closed, -v -q: sent whole" "$(stands "$closed, -q")" 1
done

printf 'this is not for us\n' >"$WORK/front"
cat "$WORK/front" "$WORK/m" >"$WORK/both"
works 'standard input is a socket' stdin=socket -- bob@local.test
works 'standard input is a file at its offset' stdin=append -- bob@local.test
works 'standard input is a file without a name' stdin=unlinked -- -i \
	bob@local.test
fails 'standard input is a directory' 74 stdin=/ -- bob@local.test
expect_file_has 'a directory: says so' "$WORK/err" 'cannot read the message'
clear_all
same 'standard input is /dev/null' \
	"$(launch stdin=/dev/null -- -odq b@c.test)" 0
same 'an empty message is one' "$(count Queue)" 1

# Two hundred leaked ones, one locked and far up: neither we nor a child that
# goes on have them.
works 'leaked descriptors' leak=200 -- -odi bob@far.test
works 'a leaked one above the limit' leak=0 limit=NOFILE:64 -- \
	-odi bob@far.test
stop_smtpd
start_smtpd -r 'CONNECT delay 2000'
write_conf "SmartHost = 127.0.0.1:$PORT"
clear_all
same 'leaked descriptors and -odb: status, lock' \
	"$(launch leak=200 -- -odb bob@far.test)" 0
same 'the child is at work' "$(count_sink) $(count Queue)" '0 1'
ours=
for process in /proc/[0-9]*; do
	[ "$(readlink "$process/exe" 2>/dev/null)" = \
		"$(readlink -f "$PROGRAM")" ] &&
		grep -aq "$CONF" "$process/cmdline" && ours=$process
done
check 'the child is found' test -n "$ours"
# Anything but /dev/null, sockets, the loop's own, the queue, and the log.
same 'the child holds nothing else' "$(for fd in "$ours"/fd/*; do
	readlink "$fd"; done | grep -vE "^(/dev/null|socket:|anon_inode:|pipe:)" |
	grep -v "^$ROOT/Queue" | grep -v "^$WORK/log")" ''
same 'the child is in a session of its own' \
	"$(cut -d' ' -f6 "$ours/stat")" "$(cut -d' ' -f5 "$ours/stat")"

# Nobody who reads our output to its end waits for the child.
arrived() { [ "$(count_sink) $(count Queue)" = '1 0' ]; }
check 'the child sends' wait_for 15 arrived
clear_all
now_ms() { echo $(($(date +%s%N) / 1000000)); }
began=$(now_ms)
# shellcheck disable=SC2034 # that it ends is what counts
said=$(sendmail -odb bob@far.test <"$WORK/m" 2>&1)
took=$(($(now_ms) - began))
check "a captured -odb ends at once ($took ms)" test "$took" -lt 1500
check 'and what it left to its child arrives' wait_for 15 arrived
stop_smtpd
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"

# ---- the environment ----------------------------------------------------------

works 'no environment' -- bob@far.test
sent() { cat "$SINKDIR"/*.msg; }
sent >"$WORK/plain"
for value in /etc/shadow ../../x '%n%s' '' root 0 nobody@evil.test; do
	works "a lying environment: $value" "env=$value" -- bob@far.test
	sent | grep -vE '^ *(Date|Message-ID|Received|	|for )' |
		grep -v ' id ' >"$WORK/lied"
	grep -vE '^ *(Date|Message-ID|Received|	|for )' "$WORK/plain" |
		grep -v ' id ' >"$WORK/told"
	check "a lying environment: $value: the same mail" \
		cmp -s "$WORK/lied" "$WORK/told"
done
works 'the sender is the uid, not $USER' var=USER=eve var=LOGNAME=eve \
	var=HOME=/home/eve var=EMAIL=eve@evil.test -- -odq bob@far.test
expect_file_has 'the sender is the uid' "$(echo "$ROOT"/Queue/*.eml)" \
	"^x-sender: <$ME>"
works 'a huge environment' "var=X=$(head -c 100000 /dev/zero | tr '\0' x)" \
	-- bob@far.test
works 'SENDMAIL_ variables of somebody else' var=SENDMAIL_NOSUCH=1 \
	var=SENDMAIL_=1 var=SENDMAIL=/usr/sbin/sendmail -- bob@far.test
fails 'SENDMAIL_ variable with a bad value' 78 var=SENDMAIL_HOPCOUNT=many \
	-- bob@far.test
works 'LISTEN_FDS of another process' var=LISTEN_FDS=1 var=LISTEN_PID=1 \
	-- bob@far.test

# ---- signals, timers, masks -------------------------------------------------------

works 'signals ignored' ignore=HUP,INT,QUIT,TERM,CHLD,PIPE,ALRM,USR1 -- \
	bob@far.test
works 'SIGCHLD ignored, local and remote' ignore=CHLD -- bob@far.test
works 'SIGCHLD ignored, -odq' ignore=CHLD -- -odq bob@far.test
works 'all signals blocked' block=ALL -- bob@far.test
clear_all
same 'SIGCHLD ignored and -odb' "$(launch ignore=CHLD -- -odb bob@far.test)" 0
check 'SIGCHLD ignored and -odb: sent' wait_for 10 arrived
clear_all
same 'all signals blocked and -odb' "$(launch block=ALL -- -odb bob@far.test)" 0
check 'all signals blocked and -odb: sent' wait_for 10 arrived
mkfifo "$WORK/slow"
for timer in REAL PROF VIRTUAL; do
	# It would ring while we read.
	(sleep 0.3; cat "$WORK/m") >"$WORK/slow" &
	works "a timer of the caller's: $timer" "alarm=$timer" \
		"stdin=$WORK/slow" -- bob@far.test
	wait $! || :
done
# SIGTERM that was blocked is not, and is obeyed.
cat >"$WORK/term.py" <<'EOF'
import os, signal, subprocess, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
p.stdin.write(b"Subject: x\n\nhalf")
p.stdin.flush()
time.sleep(0.3)
p.send_signal(signal.SIGTERM)
try:
    print(p.wait(10))
except subprocess.TimeoutExpired:
    p.kill()
    print("hangs")
EOF
clear_all
same 'a blocked SIGTERM is heard' "$(python3 "$WORK/term.py" \
	"$BUILD/sendmail" -C "$CONF" bob@far.test 2>/dev/null)" 143
same 'and nothing stands' "$(stands 'a blocked SIGTERM')" 0

# State is there where the log is.
modes() { stat -c '%a %n' "$ROOT" "$ROOT"/* "$ROOT"/*/*.eml | sed "s|$ROOT||
	s|[^/]*\.eml|M|; /^2770 .State$/d"; }
for mask in 000 022 027 077 777; do
	works "umask $mask" "umask=$mask" -- -odq bob@far.test
	same "umask $mask: modes" "$(modes)" \
		"$(printf '755 \n3770 /Queue\n660 /Queue/M')"
	works "umask $mask, Drop" "umask=$mask" -- bob@local.test
	same "umask $mask: modes of Drop" "$(modes | grep -v Queue)" \
		"$(printf '755 \n2770 /Drop\n660 /Drop/M')"
done

# ---- directories and users ------------------------------------------------------------

works 'the directory is gone' cwd=gone -- bob@far.test
works 'the directory is deeper than a path' cwd=deep -- bob@far.test
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$ROOT"
	chmod 777 "$ROOT"
	# A uid that nobody knows, with a root of its own.
	nobody=3954321
	install -d -o $nobody "$WORK/own"
	printf '' >"$WORK/log"
	chown $nobody "$WORK/log" "$WORK/out" "$WORK/err"
	ROOT=$WORK/own/root
	write_conf "SmartHost = 127.0.0.1:$PORT"
	works 'a uid without a name' uid=$nobody -- -odq bob@far.test
	expect_file_has 'it is uidN' "$(echo "$ROOT"/Queue/*.eml)" \
		"^x-sender: <uid$nobody@client\.test>"
	works 'the directory cannot be read' cwd=closed uid=$nobody -- \
		bob@far.test
	# No more processes: what the child would do is the queue's.  (The
	# leak checker is a process.)
	before=${ASAN_OPTIONS:-}
	ASAN_OPTIONS=detect_leaks=0
	clear_all
	got=$(launch uid=$nobody limit=NPROC:0 -- -odb bob@far.test)
	same '-odb without a process' "$got" 0
	same '-odb without a process: queued' "$(count Queue)" 1
	works 'no more processes' uid=$nobody limit=NPROC:0 -- bob@far.test
	ASAN_OPTIONS=$before
	chown 0 "$WORK/log" "$WORK/out" "$WORK/err"
	rm -rf "$ROOT"
	ROOT=$WORK/root
	write_conf "SmartHost = 127.0.0.1:$PORT"
else
	skip 'other users: not root'
fi

# ---- limits --------------------------------------------------------------------------------

: >"$WORK/statuses"
for mode in -odi -odq; do
	for size in 0 1 100 1000 4096; do
		fails "$mode, files of $size octets" 74 "limit=FSIZE:$size" -- \
			$mode bob@local.test
		# The line goes to a file, too.
		[ $size -lt 100 ] || same "$mode, files of $size octets: why" \
			"$(grep -c '^sendmail: .*File too large' "$WORK/err")" 1
	done
	for n in 3 4 5 6 7 8 9 10 11 12 16; do
		holds "$mode, $n descriptors" "limit=NOFILE:$n" -- $mode \
			bob@far.test
	done
	if [ "${BUILD%/san}" != "$BUILD" ]; then
		skip 'small memory: the sanitizers need more'
		continue
	fi
	for mb in 4 8 10 12 14 16 18 20 24 32 64; do
		holds "$mode, $mb MB of memory" \
			"limit=AS:$((mb * 1048576))" -- $mode bob@far.test
	done
	for kb in 16 32 64 96 128 192 256 512; do
		holds "$mode, $kb KB of stack" "limit=STACK:$((kb * 1024))" -- \
			$mode bob@far.test
	done
	holds "$mode, no locked memory, no data" limit=MEMLOCK:0 limit=CORE:0 \
		limit=NICE:0 -- $mode bob@far.test
done
check 'some limits were wide enough' grep -q '^0$' "$WORK/statuses"
check 'some were too small' grep -qv '^0$' "$WORK/statuses"

# ---- no name, no machine -------------------------------------------------------------------------

fails 'argc 0' 64 argc=0 --
fails 'an empty name' 64 argc=1 --

if [ "$(id -u)" != 0 ] || ! unshare --mount --uts true 2>/dev/null; then
	skip 'no /dev, no root, no name: no namespaces here'
	finish
fi

# inside 'what to do first': the same in rooms of its own, $WORK as it is.
inside() {
	clear_all
	mkdir -p "$ROOT"
	status=0
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		WORK="$WORK" ROOT="$ROOT" unshare --mount --uts \
		sh -c "mount --make-rprivate / && $1 &&
		shift && exec \"\$@\"" sh "$@" <"$WORK/m" \
		>"$WORK/out" 2>"$WORK/err" || status=$?
}
judge() {
	same "$1: status" "$status" 0
	expect_empty "$1 (stdout)" "$WORK/out"
	expect_empty "$1 (stderr)" "$WORK/err"
	same "$1: one message" "$(stands "$1")" 1
}
for mode in -odi -odq; do
	inside 'mount -t tmpfs none /dev' "$BUILD/sendmail" -C "$CONF" $mode \
		bob@far.test
	judge "an empty /dev, $mode"
	inside 'mount -t tmpfs none /dev && exec 1>&- 2>&-' \
		"$BUILD/sendmail" -C "$CONF" $mode bob@far.test
	judge "an empty /dev and closed descriptors, $mode"
	[ "${BUILD%/san}" = "$BUILD" ] || {
		skip 'an empty /proc: the sanitizers read it'; continue; }
	inside 'mount -t tmpfs none /proc' "$BUILD/sendmail" -C "$CONF" $mode \
		bob@far.test
	judge "an empty /proc, $mode"
done
inside 'mount -t tmpfs none /dev' "$BUILD/sendmail" -C "$CONF" -odb bob@far.test
same 'an empty /dev, -odb: status' "$status" 0
check 'an empty /dev, -odb: sent' wait_for 10 arrived
# Without a syslog the log is in State.
grep -v '^LogFile' "$CONF" >"$WORK/nolog.conf"
inside 'mount -t tmpfs none /dev' "$BUILD/sendmail" -C "$WORK/nolog.conf" \
	bob@far.test
judge 'no syslog'
expect_file_has 'no syslog: the log is in State' "$ROOT/State/log" ' accepted '

# A root that cannot be written, with a spool that can, and without.
readonly='mount --bind "$WORK" "$WORK" && mount -o remount,ro,bind /'
inside "$readonly" "$BUILD/sendmail" -C "$CONF" bob@far.test
judge 'a read-only root'
inside "$readonly" "$BUILD/sendmail" -C "$CONF" -odq bob@far.test
judge 'a read-only root, -odq'
all="$readonly"' && mount -o remount,ro,bind "$WORK"'
inside "$all" "$BUILD/sendmail" -C "$CONF" bob@far.test
judge 'nothing can be written: sent from memory'
inside "$all" "$BUILD/sendmail" -C "$CONF" -odq bob@far.test
same 'nothing can be written, -odq: status' "$status" 73
expect_file_has 'nothing can be written, -odq' "$WORK/err" \
	'^sendmail: cannot keep the message .*Read-only'

# A host whose name is one word, or none.
grep -vE '^(FullyQ|DefaultD)' "$CONF" >"$WORK/noname.conf"
for name in box box. 15b0717dc4c2 '(none)' -; do
	: >"$DIALOGUE"
	inside "echo '127.0.0.1 localhost' >\"\$WORK/hosts\" &&
		mount --bind \"\$WORK/hosts\" /etc/hosts &&
		{ [ ! -e /etc/mailname ] ||
			mount --bind /dev/null /etc/mailname; } &&
		hostname -- '$name' 2>/dev/null || :; :" \
		"$BUILD/sendmail" -C "$WORK/noname.conf" -f a@b.test bob@far.test
	judge "the host is called $name"
	expect_file_has "the host is called $name: EHLO" "$DIALOGUE" \
		'C: EHLO (\[127\.0\.0\.1\]|[a-z0-9-]+\.[a-z0-9.-]*[a-z0-9])$'
done
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0
finish
