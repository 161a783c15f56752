#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Borrowed rights: the program set-group-id, its caller an ordinary user.  What
# he may ask for, setting by setting and option by option; that no argument,
# variable, descriptor, link or limit shows him the password or another's mail
# or writes where he may not; who may list and run the queue; and that a run
# started by root is mailroot's.

. "$(dirname "$0")/house-lib.sh"

build_house
start_smtpd
house_conf "SmartHost = 127.0.0.1:$PORT"
printf 'Subject: hello\n\nbody of the message\n' >"$WORK/m"
chmod 644 "$WORK/m"

clear_all() { rm -rf "${SPOOL:?}"/*/* "${SPOOL:?}"/*/.tmp-* "${SINKDIR:?}"/*; }
# What stands, in Queue, Drop, Badmail, Pickup and at the server.
stands() {
	echo "$(count Queue) $(count Drop) $(count Badmail) $(count Pickup)" \
		"$(count_sink)"
}
submit() { expect_exit "$1" 0 as "$2" "$SENDMAIL" -odq "$3" <"$WORK/m"; }

# ---- the ordinary way ----------------------------------------------------------

expect_exit 'alice sends' 0 as alice "$SENDMAIL" bob@far.test <"$WORK/m"
expect_silent 'alice sends'
same 'alice sends: it arrived' "$(stands)" '0 0 0 0 1'
clear_all
submit 'alice queues' alice bob@far.test
submit 'carol queues' carol bob@far.test
submit 'root queues' root bob@far.test
same 'three stand' "$(stands)" '3 0 0 0 0'
same 'owners and modes' "$(stat -c '%U %G %a' "$SPOOL"/Queue/*.eml | sort)" \
	"$(printf '%s mailroot 660\n' alice carol root)"
for user in alice www-data; do
	for what in "ls $SPOOL/Queue" "cat $(echo "$SPOOL"/Queue/*1*.eml)" \
		"touch $SPOOL/Queue/x" "ls $SPOOL/State" "ls $SPOOL/Pickup" \
		"ls $SPOOL/Badmail" "ls $SPOOL/Drop" "cat $LOG" \
		'cat /etc/mailroot/password' "cat $WORK/house/hidden"; do
		# shellcheck disable=SC2086 # words are meant
		check "$user: no $what" sh -c '! "$@" 2>/dev/null' sh \
			setpriv --reuid=$user --regid=$user --init-groups $what
	done
done

# ---- looking -----------------------------------------------------------------------

listed() { as "$@" 2>"$WORK/said" | grep -c '<bob@far.test>' || :; }
same 'alice lists hers' "$(listed alice "$SENDMAIL" -bp)" 1
same 'www-data lists none' "$(listed www-data "$SENDMAIL" -bp)" 0
same 'alice lists hers, JSON' \
	"$(as alice "$SENDMAIL" -bp --json | grep -c '"uid":'$ALICE)" 1
same 'alice lists no other, JSON' \
	"$(as alice "$SENDMAIL" -bp --json | grep -c '"uid"')" 1
touch "$SPOOL/Queue/foreign"
same 'alice sees no foreign names' \
	"$(as alice "$SENDMAIL" -bp | grep -c foreign)" 0
rm "$SPOOL/Queue/foreign"
same 'otto, an operator, lists all' "$(listed otto "$SENDMAIL" -bp)" 3
same 'root lists all' "$(listed root "$SENDMAIL" -bp)" 3

# ---- running ------------------------------------------------------------------------

for option in -q -q15m --flush -qRfar -qIx -qSalice '-bD -q1m' '-q -v'; do
	[ "$option" != --flush ] || option='-q --flush'
	# shellcheck disable=SC2086 # words are meant
	expect_exit "alice: $option" 77 as alice "$SENDMAIL" $option </dev/null
	same "alice: $option: one line" \
		"$(grep -c '^sendmail: a queue run is not for everybody' \
		"$STDERR")" 1
done
same 'nothing was run' "$(stands)" '3 0 0 0 0'
expect_file_has 'a refused run is logged' "$LOG" \
	" refused .*uid=$ALICE cwd=$WORK/house/alice text=.a queue run"
# What is refused is read to its end first: no SIGPIPE for who writes.
cat >"$WORK/writer.py" <<'EOF'
import signal, subprocess, sys
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
    stderr=subprocess.PIPE)
try:
    for i in range(64):
        p.stdin.write(b"y" * 16384)
        p.stdin.flush()
    p.stdin.close()
    p.stdin = None
    err = p.communicate()[1]
    print(p.returncode, err.count(b"\n"))
except BrokenPipeError:
    print("broken pipe")
EOF
chmod 644 "$WORK/writer.py"
for option in 77:-q 77:-q1m 64:-C/x 64:-X/x 64:-oQ/x 64:-OMailRoot=/x \
	64:-OTlsCAFile=/x; do
	same "drained: ${option#*:}" "$(as alice python3 "$WORK/writer.py" \
		"$SENDMAIL" "${option#*:}" bob@far.test)" "${option%:*} 1"
done

# Nor by SMTP on standard input, where mail is taken all the same.
clear_all
submit 'carol queues' carol bob@far.test
printf '%s\r\n' 'EHLO x.test' 'ETRN far.test' 'ETRN @far.test' \
	'MAIL FROM:<a@b.test>' 'RCPT TO:<bob@far.test>' DATA 'Subject: s' '' b . \
	QUIT >"$WORK/smtp"
expect_exit 'alice: -bs' 0 as alice "$SENDMAIL" -bs -odq <"$WORK/smtp"
expect_empty 'alice: -bs (stderr)' "$STDERR"
same 'alice: -bs: mail is taken' "$(tr -d '\r' <"$STDOUT" |
	sed -n 's/^\(250\) 2\.[01]\.[0-5].*/\1/p' | tr '\n' ' ')" '250 250 250 '
same 'alice: -bs: ETRN is not hers' "$(grep -c '^459 ' "$STDOUT")" 2
same 'both stand, nothing was run' "$(stands)" '2 0 0 0 0'
clear_all
for user in alice carol root; do
	submit "$user queues" $user bob@far.test
done

# The runner: root becomes mailroot, whole, before it touches the spool.
stop_smtpd
start_smtpd -r 'CONNECT delay 3000'
house_conf "SmartHost = 127.0.0.1:$PORT"
as root "$SENDMAIL" -q </dev/null &
runner=$!
# The directory of our process in /proc.
own() {
	find /proc -maxdepth 2 -name exe -lname "$SENDMAIL" -printf '%h\n' \
		2>/dev/null | head -n 1 | grep .
}
ids() { sed -n 's/^\([UG]id\|Groups\):[	 ]*//p' "$1/status" | tr '\t' ' ' |
	sed 's/ *$//'; }
wait_for 5 own >"$WORK/own" || bad 'a run of root: it does not run'
# It opens the queue and connects as nobody else.
check 'a run of root: it connects' wait_for 5 grep -q ' -- ' "$DIALOGUE"
runs=$(tail -n 1 "$WORK/own")
same 'a run of root is mailroot' "$(ids "$runs")" \
	"$(printf '%s\n' "$MAILROOT $MAILROOT $MAILROOT $MAILROOT" \
	"$MAILROOT $MAILROOT $MAILROOT $MAILROOT" "$MAILROOT $READERS")"
same 'and cannot gain anything' "$(sed -n 's/^CapEff:	*//p' \
	"$runs/status")" 0000000000000000
wait $runner || :
same 'a run of root sends all' "$(stands)" '0 0 0 0 3'
same 'what it leaves in State is its own' \
	"$(find "$SPOOL/State" ! -user mailroot ! -user alice ! -user carol \
	! -user root)" ''
stop_smtpd
start_smtpd -r 'RCPT/later reply 450 4.2.0 later' \
	-r 'RCPT/never reply 550 5.1.1 never'
house_conf "SmartHost = 127.0.0.1:$PORT" 'SmtpRemoteNDRExpireMinutes = 0'
clear_all
submit 'alice, for later' alice later@far.test
submit 'alice, for never' alice never@far.test
submit 'alice, local' alice bob@local.test
expect_exit 'a run of root' 0 as root "$SENDMAIL" -q --flush </dev/null
expect_silent 'a run of root'
same 'given up, returned, local' "$(count Badmail) $(count Drop)" '1 1'
same 'Badmail: owner and mode' \
	"$(stat -c '%U %G %a' "$SPOOL"/Badmail/*.eml)" 'alice mailroot 660'
same 'Drop: owner, group and mode' \
	"$(stat -c '%U %G %a' "$SPOOL"/Drop/*.eml)" 'mailroot mailread 660'
same 'reports are the runner'"'"'s' \
	"$(stat -c '%U %G %a' "$SPOOL"/Queue/*.eml | sort -u)" \
	'mailroot mailroot 660'
stop_smtpd
start_smtpd
house_conf "SmartHost = 127.0.0.1:$PORT"

# An operator: the group's rights are all he has.  They suffice to send; the
# names of other people's files in Queue are then for the runner to remove.
clear_all
for user in alice carol otto root; do
	submit "$user queues" $user bob@far.test
done
expect_exit 'otto, an operator: -q' 0 as otto "$SENDMAIL" -q </dev/null
expect_silent 'otto, an operator: -q'
same 'his run sends all' "$(count_sink)" 4
same 'and keeps what is not his, marked' "$(count Queue) $(cat \
	"$SPOOL"/Queue/*.eml | grep -c '^x-received: ')" '3 3'
expect_exit 'and once more' 0 as otto "$SENDMAIL" -q --flush </dev/null
expect_silent 'and once more'
as root "$SENDMAIL" -q --flush </dev/null
same 'nothing twice, and nothing is left' "$(stands)" '0 0 0 0 4'

# Who stops his own process holds nobody up.
clear_all
submit 'alice queues' alice bob@far.test
submit 'carol queues' carol bob@far.test
mkfifo "$WORK/house/slow"
chmod 666 "$WORK/house/slow"
as alice "$SENDMAIL" bob@far.test <"$WORK/house/slow" &
stopped=$!
exec 9>"$WORK/house/slow"
printf 'Subject: half\n\n' >&9
wait_for 5 own >"$WORK/own"
mine=$(basename "$(cat "$WORK/own")")
check 'alice stops it' as alice sh -c "kill -STOP $mine"
began=$(date +%s%3N)
expect_exit 'the run goes on' 0 as root timeout 20 "$SENDMAIL" -q </dev/null
took=$(($(date +%s%3N) - began))
check "and is not held up ($took ms)" test "$took" -lt 3000
same 'the others are sent' "$(stands)" '0 0 0 0 2'
as alice sh -c "kill -CONT $mine"
printf 'the rest\n' >&9
exec 9>&-
wait $stopped || :
same 'and so is his in the end' "$(stands)" '0 0 0 0 3'

# ---- every setting -------------------------------------------------------------------

# A value for each kind, nasty where it can be; none may be heard.
nasty() {
	case $1 in
	*Directory|MailRoot|*File) echo "$WORK/house/alice/made" ;;
	*Command) echo "touch $WORK/house/alice/made" ;;
	SmartHost|NameServers|BindAddress) echo 127.0.0.9 ;;
	*) echo 1 ;;
	esac
}
"$SENDMAIL" --settings | awk '$1 ~ /^[A-Z][A-Za-z]*:?$/ { sub(":", "", $1); print $1 }' \
	>"$WORK/settings"
check 'there are settings' test "$(grep -c . "$WORK/settings")" -gt 40
every=
while read -r key; do
	value=$(nasty "$key")
	case $key in
	DeliveryMode) value=q good=yes ;;
	ErrorMode) value=m good=yes ;;
	IgnoreDots|Verbose) value=false good=yes ;;
	*) good= ;;
	esac
	clear_all
	: >"$LOG"
	if [ "$good" ]; then
		expect_exit "-O $key: honoured" 0 as alice "$SENDMAIL" -odq \
			-O "$key=$value" bob@far.test <"$WORK/m"
		expect_silent "-O $key: honoured"
		same "-O $key: queued" "$(stands)" '1 0 0 0 0'
	else
		expect_exit "-O $key: refused" 64 as alice "$SENDMAIL" -odq \
			-O "$key=$value" bob@far.test <"$WORK/m"
		expect_file_has "-O $key: refused" "$STDERR" \
			"^sendmail: -O: $key .* is refused: only root"
		same "-O $key: one line" "$(grep -c '' "$STDERR")" 1
		expect_file_has "-O $key: logged" "$LOG" \
			" refused .*uid=$ALICE cwd=$WORK/house/alice text=.*$key"
		same "-O $key: nothing stands" "$(stands)" '0 0 0 0 0'
	fi
	# The environment is not even read.
	var=SENDMAIL_$(echo "$key" | tr '[:lower:]' '[:upper:]')
	expect_exit "$var: not read" 0 as alice "$var=$(nasty "$key")" \
		"$SENDMAIL" -odq bob@far.test <"$WORK/m"
	expect_silent "$var: not read"
	every="$every $var=$(nasty "$key" | tr ' ' _)"
	clear_all
done <"$WORK/settings"
clear_all
# shellcheck disable=SC2086 # words are meant
expect_exit 'all variables at once' 0 as alice $every "$SENDMAIL" \
	bob@far.test <"$WORK/m"
same 'all variables at once: sent as ever' "$(stands)" '0 0 0 0 1'
# sendmail's names are refused like ours; those without effect have none.
clear_all
for key in CACertFile QueueDirectory HeloName; do
	expect_exit "-O $key" 64 as alice "$SENDMAIL" -odq -O "$key=x" \
		bob@far.test <"$WORK/m"
done
expect_exit '-O SuperSafe' 0 as alice "$SENDMAIL" -odq -O SuperSafe=no \
	bob@far.test <"$WORK/m"

# ---- every option -----------------------------------------------------------------------

# What the value may be, and what becomes of it.
tried=0
try() {
	clear_all
	tried=$((tried + 1))
	wanted=$1
	shift
	expect_exit "alice: $*" "$wanted" as alice "$SENDMAIL" -odq "$@" \
		bob@far.test <"$WORK/m"
	case $wanted in
	0)	same "alice: $*: queued" "$(stands)" '1 0 0 0 0' ;;
	*)	same "alice: $*: nothing" "$(stands)" '0 0 0 0 0'
		same "alice: $*: one line" "$(grep -c '' "$STDERR")" 1 ;;
	esac
}
made=$WORK/house/alice/made
"$SENDMAIL" --help | sed -n 's/^  -\([^-]\)\([ []*\)\([^ ]*\).*/\1 \2\3/p' |
	cut -c 1-3 >"$WORK/options"
check 'there are options' test "$(grep -c . "$WORK/options")" -gt 30
while read -r letter value; do
	case $letter in
	t|i|v|G|U|c|m|n|s|x) try 0 "-$letter" ;;
	f|r|F|L|p|M|A|T|B) try 0 "-$letter" made; try 0 "-${letter}made" ;;
	h) try 0 -h 3 ;;
	N) try 0 -N success ;;
	R) try 0 -R hdrs ;;
	V) try 0 -V made ;;
	D) try 0 -D "$made"; try 0 "-D$made" ;;
	d|E|J) try 0 "-$letter" ;;
	e) try 0 -e m ;;
	Q) try 64 -Q made ;;
	C|X)	try 64 "-$letter" "$made"; try 64 "-$letter$made"
		try 64 "-i$letter$made"
		: >"$LOG"
		try 64 "-$letter" /etc/mailroot/password
		expect_file_lacks "-$letter password" "$STDERR" horse
		expect_file_has "-$letter: logged" "$LOG" \
			" refused .*uid=$ALICE cwd=$WORK/house/alice text=-$letter" ;;
	o)	try 0 -om; try 64 "-oQ$made"; try 64 -o "Q$made"
		: >"$LOG"
		try 64 "-oQ$made"
		expect_file_has '-oQ: logged' "$LOG" " refused .*text=-oQ" ;;
	O) try 64 -O "QueueDirectory=$made"; try 64 "-OLogFile=$made" ;;
	b) try 64 -bd; try 0 -bm ;;
	q) expect_exit 'alice: -q' 77 as alice "$SENDMAIL" -q </dev/null ;;
	I) expect_exit 'alice: -I' 0 as alice "$SENDMAIL" -I </dev/null ;;
	*) bad "the option -$letter is not tried as an ordinary user: $value" ;;
	esac
done <"$WORK/options"
check 'all were tried' test "$tried" -gt 40
same 'no option made a file' "$(find "$WORK/house/alice" -mindepth 1)" ''

# ---- the password ------------------------------------------------------------------------

stop_smtpd
# login SERVER-OPTION...: a server that wants the password, for a caller's -v.
login() {
	nservers=$((nservers + 1))
	SEEN=$WORK/seen.$nservers
	: >"$SEEN"
	: >"$SEEN.out"
	"$TOP/tests/e2e/tls-server" "$SEEN" --auth-clear 'PLAIN LOGIN CRAM-MD5' \
		--password "$SECRET" "$@" >"$SEEN.out" 2>"$SEEN.err" &
	SERVER=$!
	servers="$servers $SERVER"
	wait_for 10 grep -q '^listening' "$SEEN.out" || {
		bad 'tls-server does not start'; finish; }
	PORT=$(sed -n '1s/.*://p' "$SEEN.out")
	house_conf "SmartHost = 127.0.0.1:$PORT" 'RouteUserName = alice' \
		'RoutePasswordFile = /etc/mailroot/password' \
		'AllowAuthInClear = true' 'TlsSecurityLevel = none' \
		"AuthMechanisms = $WAY"
}
# hides 'name' FILE: the secret is not in there, in no form.
hides() {
	for form in "$SECRET" 'correct horse' "$(printf %s "$SECRET" | base64)" \
		"$(printf '\0alice\0%s' "$SECRET" | base64)" \
		"$(printf %s "$SECRET" | od -An -tx1 | tr -d ' \n')"; do
		if grep -aqF -e "$form" "$2"; then
			bad "$1: the password is in $2"
			return
		fi
	done
	good
}
for WAY in PLAIN LOGIN CRAM-MD5; do
	login
	expect_exit "$WAY, -v" 0 as alice "$SENDMAIL" -v bob@far.test <"$WORK/m"
	expect_file_has "$WAY, -v: the rights were there" "$SEEN" "A: $WAY yes"
	expect_file_has "$WAY, -v: shown" "$STDERR" "AUTH $WAY"
	hides "$WAY, -v, stderr" "$STDERR"
	hides "$WAY, -v, stdout" "$STDOUT"
	hides "$WAY, -v, log" "$LOG"
	kill "$SERVER" || :
	wait "$SERVER" 2>/dev/null || :
done
WAY=PLAIN
login --say "AUTH=535 5.7.8 wrong: $(printf '\0alice\0%s' "$SECRET" | base64)"
expect_exit 'a server that echoes' 0 as alice "$SENDMAIL" -v bob@far.test \
	<"$WORK/m"
hides 'a server that echoes, stderr' "$STDERR"
hides 'a server that echoes, log' "$LOG"
as alice "$SENDMAIL" -bp >"$WORK/listing"
hides 'a server that echoes, mailq' "$WORK/listing"
kill "$SERVER" || :
wait "$SERVER" 2>/dev/null || :
clear_all

# A command reads it with the rights that its caller has not, and neither what
# it says on standard error nor its memory is his.
cat >"$WORK/house/token" <<EOF
#!/bin/sh
cat /etc/mailroot/password
echo "it is $SECRET" >&2
id -u >$WORK/house/log/token
id -g >>$WORK/house/log/token
cat "/proc/\$\$/status" >>$WORK/house/log/token
EOF
chmod 755 "$WORK/house/token"
login
house_conf "SmartHost = 127.0.0.1:$PORT" 'RouteUserName = alice' \
	"RoutePasswordCommand = $WORK/house/token" 'AllowAuthInClear = true' \
	'TlsSecurityLevel = none' 'AuthMechanisms = PLAIN'
expect_exit 'a command' 0 as alice "$SENDMAIL" bob@far.test <"$WORK/m"
expect_file_has 'a command: it read the password' "$SEEN" 'A: PLAIN yes'
expect_silent 'a command'
same 'a command: whose it is' "$(head -n 2 "$WORK/house/log/token" |
	tr '\n' ' ')" "$ALICE $MAILROOT "
same 'a command: no group of the caller is left to it' \
	"$(awk '/^Gid:/ { print $2, $3, $4 }' "$WORK/house/log/token")" \
	"$MAILROOT $MAILROOT $MAILROOT"
rm -f "$WORK/house/log/token"
kill "$SERVER" || :
wait "$SERVER" 2>/dev/null || :
clear_all

# A process at work, with the password in its memory: its caller may end it
# and not look into it.
login --hold 4
(cd "$WORK/house/alice" && ulimit -c unlimited &&
	exec setpriv --reuid=alice --regid=alice --init-groups -- env -i \
	PATH="$PATH" "$SENDMAIL" bob@far.test <"$WORK/m" 2>/dev/null) &
process=$!
check 'it is at work' wait_for 5 grep -q 'A: PLAIN yes' "$SEEN"
check 'the message is out' wait_for 5 grep -q 'D: body of' "$SEEN"
mine=$(basename "$(own)")
cat >"$WORK/peek.py" <<'EOF'
import ctypes, os, sys
pid = int(sys.argv[1])
got = []
for name in "environ mem maps auxv stack syscall io personality".split():
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as f:
            f.read(10)
            got.append(name)
    except OSError:
        pass
for name in ("fd", "map_files", "fdinfo"):
    try:
        got += os.listdir("/proc/%d/%s" % (pid, name))
    except OSError:
        pass
for name in ("cwd", "root", "exe"):
    try:
        got.append(os.readlink("/proc/%d/%s" % (pid, name)))
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, pid, None, None) == 0:       # PTRACE_ATTACH
    got.append("ptrace")
try:
    fd = os.pidfd_open(pid)
    if libc.syscall(438, fd, 0, 0) >= 0:        # pidfd_getfd
        got.append("pidfd_getfd")
except (AttributeError, OSError):
    pass
buf = ctypes.create_string_buffer(8)
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
local = iovec(ctypes.addressof(buf), 8)
remote = iovec(0x400000, 8)
if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1,
        0) >= 0 or ctypes.get_errno() not in (1, 3):
    got.append("process_vm_readv")
print(" ".join(got))
EOF
chmod 644 "$WORK/peek.py"
same 'its caller cannot look into it' \
	"$(as alice python3 "$WORK/peek.py" "$mine")" ''
as alice sh -c "kill -QUIT $mine"
wait $process 2>/dev/null || :
same 'and it leaves no core' "$(find "$WORK/house/alice" / -maxdepth 1 \
	-name 'core*')" ''
kill "$SERVER" || :
wait "$SERVER" 2>/dev/null || :
clear_all

# ---- other people's files ------------------------------------------------------------------

start_smtpd
house_conf "SmartHost = 127.0.0.1:$PORT"
# As text, list, header and variable: what is hidden stays so.
hidden=$WORK/house/hidden
for word in "$hidden" ":include:$hidden" "\"|cat $hidden\"" "@$hidden" \
	"</$hidden>" "file:$hidden"; do
	as alice "$SENDMAIL" -odq -f a@b.test -- "$word" <"$WORK/m" \
		>"$WORK/o" 2>&1 || :
	printf 'To: %s\nSubject: x\n\ny\n' "$word" | as alice "$SENDMAIL" -odq \
		-t >>"$WORK/o" 2>&1 || :
	printf 'alice: %s\n' "$word" >"$WORK/house/alice/aliases"
	as alice HOME="$WORK/house/alice" "$SENDMAIL" -bv alice >>"$WORK/o" \
		2>&1 || :
	expect_file_lacks "$word: not shown" "$WORK/o" 'hidden text|^private'
	check "$word: not sent" sh -c '! grep -rq "hidden text" "$1"' sh "$SPOOL"
done
rm "$WORK/house/alice/aliases"
for name in ALIASES MAILRC HOSTALIASES LOCALDOMAIN RES_OPTIONS OPENSSL_CONF \
	SSL_CERT_FILE SSLKEYLOGFILE TMPDIR LD_PRELOAD LD_LIBRARY_PATH \
	LD_DEBUG_OUTPUT MALLOC_TRACE TZ NLSPATH GCONV_PATH LOCPATH \
	GLIBC_TUNABLES RANDFILE CARES_HOSTS SENDMAIL_C; do
	for value in "$hidden" "$made"; do
		expect_exit "$name=$value" 0 as alice "$name=$value" \
			"$SENDMAIL" bob@far.test <"$WORK/m"
		hides "$name=$value" "$STDERR"
		expect_file_lacks "$name=$value" "$STDERR" 'hidden text'
	done
done
same 'no variable made a file' "$(find "$WORK/house/alice" -mindepth 1)" ''
cmp -s "$hidden" - <<'EOF' && good || bad 'the hidden file was changed'
Subject: private

the hidden text
EOF
clear_all

# Links and other things that a user may put into Pickup (and into Queue, were
# it open): nothing that is not his own plain file goes anywhere.
pick=$SPOOL/Pickup
as alice ln -s "$hidden" "$pick/link.eml"
as alice ln -s /etc/mailroot/password "$pick/secret.eml"
as alice ln -s "$SPOOL/Queue" "$pick/queue.eml"
as alice mkfifo "$pick/fifo.eml"
as alice mkdir "$pick/dir.eml"
# The same file system, or no hard link is possible.
near=/var/spool/near
cp -p "$hidden" $near
chown 0:$MAILROOT $near
if [ "$(cat /proc/sys/fs/protected_hardlinks 2>/dev/null)" = 1 ]; then
	check 'alice: no hard link to it' sh -c '! "$@" 2>/dev/null' sh \
		setpriv --reuid=alice --regid=alice --init-groups \
		ln $near "$pick/hard.eml"
fi
ln $near "$pick/hard2.eml"
for folder in Queue Badmail Drop State; do
	for name in link hard; do
		check "alice: no $name in $folder" sh -c '! "$@" 2>/dev/null' \
			sh setpriv --reuid=alice --regid=alice --init-groups \
			ln -s "$hidden" "$SPOOL/$folder/$name.eml"
	done
done
# Should they stand in Queue all the same, under a message's name:
entry=20200101T000000Z-0123456789abcdefghjk.eml
ln -s "$hidden" "$SPOOL/Queue/$entry"
mkfifo "$SPOOL/Queue/20200101T000000Z-1123456789abcdefghjk.eml"
mkdir "$SPOOL/Queue/20200101T000000Z-2123456789abcdefghjk.eml"
ln $near "$SPOOL/Queue/20200101T000000Z-3123456789abcdefghjk.eml"
expect_exit 'a run over all that' 0 as root timeout 60 "$SENDMAIL" -q --flush \
	</dev/null
check 'nothing hidden was sent' sh -c \
	'! grep -raqE "hidden text|correct horse" "$1"' sh "$SINKDIR"
check 'nothing hidden was copied' sh -c '! find "$1" -type f -links 1 \
	-exec grep -aqE "hidden text|correct horse" {} ";" -print | grep .' sh \
	"$SPOOL"
same 'nor changed' "$(stat -c '%U %G %a %s %h' $near)" 'root mailroot 660 34 3'
check 'the links point where they did' test "$(readlink \
	"$SPOOL/Queue/$entry")" = "$hidden"
same 'the hidden file is whole' "$(stat -c '%U %G %a %s' "$hidden")" \
	"root mailroot 660 34"
same 'the password is whole' "$(stat -c '%U %G %a' /etc/mailroot/password)" \
	'root mailroot 640'
as alice "$SENDMAIL" -bp >"$WORK/listing" 2>&1 || :
expect_file_lacks 'a listing shows nothing of it' "$WORK/listing" 'hidden'
clear_all

# Limits and closed descriptors: an error line never lands in a message, and
# none tells what only the group may read.
cat >"$WORK/tight.py" <<'EOF'
import os, resource, sys
what, value, closed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for fd in closed:
    if fd != "-":
        os.close(int(fd))
resource.setrlimit(getattr(resource, "RLIMIT_" + what), (value, value))
os.execv(sys.argv[4], sys.argv[4:])
EOF
chmod 644 "$WORK/tight.py"
for closed in - 1 2 12 012; do
	for limit in FSIZE:0 FSIZE:300 FSIZE:1000 NOFILE:5 NOFILE:9 NOFILE:12 \
		AS:20000000 NPROC:0 CORE:0 DATA:300000; do
		status=0
		as alice python3 "$WORK/tight.py" "${limit%:*}" "${limit#*:}" \
			"$closed" "$SENDMAIL" -odq -v bob@far.test <"$WORK/m" \
			>"$WORK/o" 2>"$WORK/e" || status=$?
		case $status in
		0) same "$limit, $closed closed: queued" "$(stands)" '1 0 0 0 0' ;;
		*) same "$limit, $closed closed: $status, nothing" "$(stands)" \
			'0 0 0 0 0' ;;
		esac
		check "$limit, $closed closed: no error text in a file" sh -c \
			'! grep -raqE "^sendmail: " "$1/Queue"' sh "$SPOOL"
		hides "$limit, $closed closed" "$WORK/e"
		clear_all
	done
done

# A log that is longer than the caller's files may be is no way past it; where
# he sends with his own rights it is not in the way.
printf '%03000d\n' 0 >"$LOG"
for options in '-odq' '-odq -bs' ''; do
	status=0
	input=$WORK/m
	[ "$options" != '-odq -bs' ] || input=$WORK/smtp
	# shellcheck disable=SC2086 # words are meant
	as alice python3 "$WORK/tight.py" FSIZE 2000 - "$SENDMAIL" $options \
		bob@far.test <"$input" >"$WORK/o" 2>"$WORK/e" || status=$?
	case $options in
	*-bs)	check 'no room in the log: -bs' grep -q \
			'^450 4.7.1 the log may not grow' "$WORK/o" ;;
	*)	same "no room in the log: status, $options" "$status" 77
		expect_file_has "no room in the log: why, $options" "$WORK/e" \
			'^sendmail: the log may not grow' ;;
	esac
	same "no room in the log: nothing stands, $options" "$(stands)" \
		'0 0 0 0 0'
	same "no room in the log: no half lines, $options" \
		"$(grep -c '' "$LOG")" 1
	clear_all
done
: >"$LOG"

# A folder that root makes, because it is missing, is the runner's all the same.
mv "$LOG" "$LOG.kept"
grep -v '^LogFile' "$CONF" >"$WORK/c" && cat "$WORK/c" >"$CONF"
for user in root alice; do
	rm -rf "${SPOOL:?}/State"
	install -d -o 0 -g 0 -m 755 "$SPOOL"
	as root "$SENDMAIL" -odq bob@far.test <"$WORK/m"
	same 'State, made by root: group and mode' \
		"$(stat -c "%G %a" "$SPOOL/State")" "mailroot 2770"
	as $user "$SENDMAIL" -odq bob@far.test <"$WORK/m"
	expect_file_has "State, made by root: $user can log there" \
		"$SPOOL/State/log" " accepted .*uid=$(id -u $user)"
	clear_all
done
house_conf "SmartHost = 127.0.0.1:$PORT"

# A listening socket is for the inetd of root, not for a user's.
expect_exit 'LISTEN_FDS is not heard' 0 as alice LISTEN_FDS=1 sh -c \
	'LISTEN_PID=$$ exec "$@" 3<"$0"' "$WORK/m" "$SENDMAIL" -odq bob@far.test \
	<"$WORK/m"
same 'LISTEN_FDS: queued' "$(stands)" '1 0 0 0 0'
clear_all

# The child that stays behind has the group, and shows its caller nothing.
stop_smtpd
start_smtpd -r 'CONNECT delay 1500'
house_conf "SmartHost = 127.0.0.1:$PORT"
expect_exit '-odb' 0 as alice "$SENDMAIL" -odb bob@far.test <"$WORK/m"
mine=$(basename "$(own)")
same 'a child in the background cannot be looked into' \
	"$(as alice python3 "$WORK/peek.py" "$mine")" ''
sent() { [ "$(stands)" = '0 0 0 0 1' ]; }
check 'a child in the background: sent' wait_for 10 sent
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0

# Set-user-id by mistake is borrowed too.
install -o mailroot -g mailroot -m 4755 "$BUILD/sendmail" "$SENDMAIL"
expect_exit 'set-user-id: -C' 64 as alice "$SENDMAIL" -C "$WORK/m" b@c.test \
	</dev/null
expect_exit 'set-user-id: -O' 64 as alice "$SENDMAIL" -O MailRoot=/tmp \
	b@c.test </dev/null
finish
