#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What a caller is told.  Status 0: each recipient has it, or it stands
# somewhere durably, or its failure has been reported.  Any other: nothing of
# it stands anywhere, and one line says why.  Success is silent.

. "$(dirname "$0")/lib.sh"

printf 'From: ann@local.test\nSubject: hello\n\nbody\n' >"$WORK/m"
start_smtpd -e 'PIPELINING,8BITMIME,SIZE 100000,DSN,ENHANCEDSTATUSCODES' \
	-r 'RCPT/nouser reply 550 5.1.1 no such user' \
	-r 'RCPT/nohost reply 550 5.1.2 no such host' \
	-r 'RCPT/policy reply 554 5.7.1 not from you' \
	-r 'RCPT/plain reply 550 no mailbox here' \
	-r 'RCPT/later reply 450 4.2.0 greylisted' \
	-r 'MAIL/badsender reply 550 5.7.1 sender refused' \
	-r 'MAIL/busy reply 451 4.3.2 busy' \
	-r 'END/content@ reply 554 5.6.0 no such content' \
	-r 'END/virus@ reply 550 5.7.1 refused as it is' \
	-r 'END/full@ reply 452 4.3.1 disk full'
HOST="SmartHost = 127.0.0.1:$PORT"
write_conf "$HOST"
printf 'Subject: large\n\n' >"$WORK/large"
head -c 150000 /dev/zero | tr '\0' '\n' >>"$WORK/large"

same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}
# stands 'name' 'Queue Drop Badmail sink': how many messages; then all is
# cleared away.  What is unfinished counts as a failure.
stands() {
	same "$1: in Queue, Drop, Badmail, and at the server" \
		"$(count Queue) $(count Drop) $(count Badmail) $(count_sink)" "$2"
	same "$1: nothing unfinished" "$(find "$WORK" -name '.tmp-*')" ''
	rm -rf "$ROOT" "${SINKDIR:?}"/*
}

# refused 'name' STATUS REGEX argument...: one line, nothing kept.
INPUT=$WORK/m
refused() {
	name=$1 wanted=$2 why=$3
	shift 3
	expect_exit "$name" "$wanted" sendmail "$@" <"$INPUT"
	expect_empty "$name (stdout)" "$STDOUT"
	same "$name: one line" "$(grep -c '' "$STDERR")" 1
	expect_file_has "$name: why" "$STDERR" "^sendmail: .*$why"
	stands "$name" '0 0 0 0'
}
# done_silently 'name' 'where it stands' argument...
done_silently() {
	name=$1 where=$2
	shift 2
	expect_exit "$name" 0 sendmail "$@" <"$INPUT"
	expect_silent "$name"
	[ "$where" = later ] || stands "$name" "$where"
}

# ---- success -------------------------------------------------------------------

done_silently 'sent' '0 0 0 1' bob@far.test
done_silently 'into Drop' '0 1 0 0' bob@local.test
done_silently 'both' '0 1 0 1' bob@local.test carol@far.test
done_silently '-odq' '1 0 0 0' -odq bob@far.test
done_silently '-odd' '1 0 0 0' -odd bob@far.test
done_silently '-odq queues local mail too' '1 0 0 0' -odq bob@local.test
done_silently 'refused for now, RCPT' '1 0 0 0' later@far.test
done_silently 'refused for now, MAIL' '1 0 0 0' -f busy@x.test bob@far.test
done_silently 'refused for now, the text' '1 0 0 0' full@far.test
done_silently 'one sent, one waits' '1 0 0 1' bob@far.test later@far.test
done_silently 'nobody there' '1 0 0 0' -O SmartHost=127.0.0.1:1 bob@far.test
expect_exit '-v' 0 sendmail -v bob@far.test <"$WORK/m"
expect_empty '-v leaves standard output alone' "$STDOUT"
expect_file_has '-v shows the dialogue' "$STDERR" 'RCPT TO:<bob@far\.test>'
stands '-v' '0 0 0 1'

# ---- all refused while the caller waits ---------------------------------------------

refused 'no such user' 67 'nouser@far\.test.*550 5\.1\.1 no such user' \
	-f ann@local.test nouser@far.test
refused 'no such user, plainly' 67 '550 .*no mailbox here' plain@far.test
refused 'no such host' 68 '5\.1\.2' nohost@far.test
refused 'policy' 69 '5\.7\.1' policy@far.test
refused 'the sender' 69 'sender refused' -f badsender@x.test bob@far.test
refused 'the text' 65 '5\.6\.0' content@far.test
refused 'the text, for its taste' 69 '5\.7\.1' virus@far.test
refused 'several' 67 'nouser@far.*all other' nouser@far.test nouser2@far.test
refused 'several, in several transactions' 67 'nouser1@far' \
	-O MaxRecipients=1 nouser1@far.test nouser2@far.test nouser3@far.test
refused '-oew' 67 'nouser@far' -oew nouser@far.test
refused '-oep' 67 'nouser@far' -oep nouser@far.test
refused 'null sender' 67 'nouser@far' -f '<>' nouser@far.test
INPUT=$WORK/large
refused 'larger than the server says' 65 '5\.3\.4' bob@far.test
expect_file_lacks 'and no MAIL was said for it' "$DIALOGUE" \
	'MAIL .* SIZE=1[0-9]{5}'
INPUT=$WORK/m
expect_exit '-oeq' 67 sendmail -oeq nouser@far.test <"$WORK/m"
expect_silent '-oeq'
stands '-oeq' '0 0 0 0'
expect_exit '-eq' 67 sendmail -eq nouser@far.test <"$WORK/m"
expect_silent '-eq'
stands '-eq' '0 0 0 0'

# ---- reports by mail ----------------------------------------------------------------

# reported 'name' REGEX...: the one report is in Drop and says so.
reported() {
	name=$1
	shift
	report=$(echo "$ROOT"/Drop/*.eml)
	[ -f "$report" ] || { bad "$name: $(count Drop) reports"; return; }
	expect_file_has "$name: from nobody" "$report" '^Return-Path: <>$'
	expect_file_has "$name: to the sender" "$report" \
		'^x-receiver: ann@local\.test$'
	expect_file_has "$name: a report" "$report" \
		'report-type="?delivery-status'
	for words; do
		expect_file_has "$name: $words" "$report" "$words"
	done
}
words='550 5\.1\.1 no such user'
done_silently 'some refused' later -f ann@local.test bob@far.test nouser@far.test
reported 'some refused' "$words" '^Final-Recipient: .*nouser@far\.test' \
	'^Action: failed$' '^Status: 5\.1\.1$'
expect_file_lacks 'some refused: only these' "$report" \
	'^Final-Recipient: .*bob@far'
stands 'some refused' '0 1 0 1'
expect_exit 'remote refused, local taken' 0 sendmail -f ann@local.test \
	bob@local.test nouser@far.test <"$WORK/m"
expect_silent 'remote refused, local taken'
stands 'remote refused, local taken' '0 2 0 0'
done_silently 'one refused, one waits' later -f ann@local.test \
	later@far.test nouser@far.test
reported 'one refused, one waits' "$words"
expect_exit 'one refused, one waits: mailq' 0 sendmail -bp
expect_file_has 'the one who waits' "$STDOUT" '<later@far\.test>'
expect_file_lacks 'not the other' "$STDOUT" 'nouser'
stands 'one refused, one waits' '1 1 0 0'
for option in -oem -oee -em '-O ErrorMode=mail' \
	'-O ErrorMode=mail-back-and-0'; do
	# shellcheck disable=SC2086 # words are meant
	done_silently "$option" later $option -f ann@local.test nouser@far.test
	reported "$option" "$words"
	stands "$option" '0 1 0 0'
done
done_silently '-oem, to a remote sender' '1 0 0 0' -oem -f ann@away.test \
	nouser@far.test
done_silently '-oem, no sender' '0 0 1 0' -oem -f '<>' nouser@far.test
done_silently 'some refused, no sender' '0 0 1 1' -f '<>' bob@far.test \
	nouser@far.test
done_silently '-odb: nobody waits' later -odb -f ann@local.test nouser@far.test
returned() { [ "$(count Drop) $(count Queue)" = '1 0' ]; }
wait_for 10 returned || :
reported '-odb: nobody waits' "$words"
stands '-odb: nobody waits' '0 1 0 0'
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0

# ---- how long it takes ------------------------------------------------------------------

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# -odb: the caller goes on at once, also one that reads our output to its end.
start_smtpd -r 'CONNECT delay 1500'
HOST="SmartHost = 127.0.0.1:$PORT"
write_conf "$HOST"
began=$(now_ms)
said=$(sendmail -odb bob@far.test <"$WORK/m" 2>&1)
took=$(($(now_ms) - began))
same '-odb says nothing' "$said" ''
check "-odb holds nobody ($took ms)" test $took -lt 1000
same '-odb: kept until it is sent' "$(count Queue) $(count_sink)" '1 0'
wait_sent() { [ "$(count Queue) $(count_sink)" = "$1" ]; }
check '-odb: sent in the end' wait_for 10 wait_sent '0 1'
began=$(now_ms)
done_silently '-odi waits' later -odi bob@far.test
took=$(($(now_ms) - began))
check "-odi waits ($took ms)" test $took -ge 1400
same '-odi: sent' "$(count Queue) $(count_sink)" '0 2'
stop_smtpd
done_silently '-odb of local mail' '0 1 0 2' -odb bob@local.test

start_smtpd -r 'EHLO silent'
write_conf "SmartHost = 127.0.0.1:$PORT" 'ImmediateTimeout = 1'
began=$(now_ms)
done_silently 'a server that is silent' '1 0 0 0' bob@far.test
took=$(($(now_ms) - began))
check "ImmediateTimeout holds ($took ms)" \
	test $((took >= 900 && took < 3000)) = 1
stop_smtpd

# ---- the reading of standard input ------------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
for mode in -odi -odq -odb; do
	INPUT=$WORK
	refused "$mode: standard input is a directory" 74 \
		'cannot read the message' $mode bob@far.test
	expect_exit "$mode: it was opened for writing" 74 sendmail $mode \
		bob@far.test 0>"$WORK/written"
	stands "$mode: it was opened for writing" '0 0 0 0'
	# The signal comes before the text is whole.
	for signal in TERM INT HUP; do
		python3 - "$CONF" "$BUILD/sendmail" $mode $signal \
			>"$WORK/judged" <<-'END' || :
			import signal, subprocess, sys, time
			conf, program, mode, name = sys.argv[1:]
			p = subprocess.Popen([program, "-C", conf, mode, "bob@far.test"],
			    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
			    stderr=subprocess.STDOUT)
			p.stdin.write(b"Subject: s\n\nhalf of")
			p.stdin.flush()
			time.sleep(0.15)
			p.send_signal(getattr(signal, "SIG" + name))
			said = p.stdout.read()
			p.wait(10)
			print(p.returncode != 0, said.count(b"\n") <= 1)
		END
		same "$mode: SIG$signal while reading" "$(cat "$WORK/judged")" \
			'True True'
		stands "$mode: SIG$signal while reading" '0 0 0 0'
	done
done
INPUT=$WORK/m

# ---- who cannot be anybody -----------------------------------------------------------------------

refused 'a bad recipient' 65 'a@@b.*is no address' 'a@@b'
refused 'too many hops, by -h' 69 '5\.4\.6 mail loop: -h says 101' -h 101 \
	bob@far.test
refused 'a bad recipient among good ones' 65 'no address' bob@far.test '<a b>'
refused 'a bad domain' 65 'refused' 'bob@far_.-..test'
refused 'a bad sender' 65 'the sender .*is no address' -f 'a@b@c' bob@far.test
refused 'two senders' 65 'more than one' -f 'a@x.test, b@x.test' bob@far.test
refused 'no recipients' 64 'no recipients'
refused 'no configuration' 78 'mailroot\.none.*cannot be read' \
	-C "$WORK/mailroot.none" bob@far.test
stop_smtpd
same 'nobody was bothered' "$CONNECTIONS" 0

# ---- who writes gets our line, and no SIGPIPE -----------------------------------------------------

cat >"$WORK/writer.py" <<'END'
import os, resource, signal, subprocess, sys
want, limit, argv = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def before():
    if limit >= 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    stderr=subprocess.PIPE, preexec_fn=before)
try:
    for piece in range(64):     # a megabyte: larger than any pipe
        p.stdin.write(b"x" * 70 + b"\n" + b"y" * 16313)
        p.stdin.flush()
    p.stdin.close()
except BrokenPipeError:
    print("broken pipe")
    sys.exit(1)
p.stdin = None
out, err = p.communicate()
if str(p.returncode) != want or err.count(b"\n") != 1 or out:
    print(p.returncode, out, err)
    sys.exit(1)
END
# drained 'name' STATUS argument...: a megabyte is taken, then comes the line.
LIMIT=-1
drained() {
	about=$1 wanted=$2
	shift 2
	check "drained: $about" env -i PATH="$PATH" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} ${EXTRA_ENV:+"$EXTRA_ENV"} \
		python3 "$WORK/writer.py" "$wanted" $LIMIT "$BUILD/sendmail" "$@"
	same "drained: $about: nothing kept" \
		"$(count Queue) $(count Drop) $(count Badmail)" '0 0 0'
}
rm -rf "$ROOT"
write_conf 'SmartHost = 127.0.0.1:1'
for option in -z --nosuch -t-i -bd -bz -b -Qx '-h x' '-R x' -odx -oex -o \
	-OX -OX=y -OSoftBounce=1 -OHopCount=x -bD -qx --flush; do
	# shellcheck disable=SC2086 # words are meant
	drained "$option" 64 -C "$CONF" $option
done
drained 'no recipients' 64 -C "$CONF"
drained 'an empty recipient' 64 -C "$CONF" ''
drained '-t and no recipients' 64 -C "$CONF" -t
drained 'bad recipient' 65 -C "$CONF" 'a@@b'
drained 'bad sender' 65 -C "$CONF" -f 'a@@b' a@b.test
drained 'two senders' 65 -C "$CONF" -f 'a@b.test, c@d.test' a@b.test
drained '-h' 69 -C "$CONF" -h 101 a@b.test
drained 'too large' 65 -C "$CONF" -O MaxMessageSize=1000 a@b.test
drained 'no configuration' 78 -C "$WORK/none" a@b.test
drained 'a directory as configuration' 78 -C "$WORK" a@b.test
for line in 'NoSuch = 1' 'HopCount = many' 'no setting' '[domain' \
	'HopCount 3' '[domain x.test]
LogFile = /x'; do
	printf '%s\n' "$line" >"$WORK/bad.conf"
	drained "configuration: $line" 78 -C "$WORK/bad.conf" a@b.test
done
EXTRA_ENV=SENDMAIL_HOPCOUNT=many
drained 'environment' 78 -C "$CONF" a@b.test
EXTRA_ENV=
LIMIT=5000
drained 'files may not grow' 74 -C "$CONF" -odq a@b.test
LIMIT=-1
: >"$WORK/file"
for where in "$WORK/file" "$WORK/file/below" /proc/none; do
	drained "nowhere to keep it: $where, -odq" 73 -C "$CONF" \
		-O MailRoot="$where" -odq a@b.test
	drained "nowhere to keep it: $where, two ways" 73 -C "$CONF" \
		-O MailRoot="$where" -O SmartHostType=0 a@b.test c@d.test
done

# ---- -N, -R and -V, on the wire and in reports -----------------------------------------------------

start_smtpd -e 'PIPELINING,8BITMIME,SIZE 100000,DSN,ENHANCEDSTATUSCODES' \
	-r 'RCPT/nouser reply 550 5.1.1 no such user'
write_conf "SmartHost = 127.0.0.1:$PORT"
# wire 'name' MAIL-REGEX RCPT-REGEX argument...
wire() {
	name=$1 mail=$2 rcpt=$3
	shift 3
	: >"$DIALOGUE"
	expect_exit "$name" 0 sendmail -f ann@local.test "$@" bob@far.test \
		<"$WORK/m"
	expect_silent "$name"
	expect_file_has "$name: MAIL" "$DIALOGUE" "C: MAIL FROM:<ann@local.test>$mail$"
	expect_file_has "$name: RCPT" "$DIALOGUE" "C: RCPT TO:<bob@far.test>$rcpt$"
}
O=' ORCPT=rfc822;bob@far.test'
wire 'no DSN asked for' '( SIZE=[0-9]*)?( BODY=[78A-Z]*)?' ''
wire '-N' '( SIZE=[0-9]*)?' " NOTIFY=SUCCESS,FAILURE,DELAY$O" -N success,failure,delay
wire '-N never' '.*' " NOTIFY=NEVER$O" -N never
wire '-N never, failure' '.*' " NOTIFY=NEVER$O" -N never,failure
wire '-N, any case, any order' '.*' " NOTIFY=DELAY,FAILURE$O" -N Delay,FAILURE
wire '-N, the last one counts' '.*' " NOTIFY=NEVER$O" -N success -N never
wire '-R hdrs' '.* RET=HDRS.*' '.*' -R hdrs
wire '-R full' '.* RET=FULL.*' '.*' -Rfull
wire '-V' '.* ENVID=QQ\+20314159.*' '.*' -V 'QQ 314159'
wire '-V, xtext already' '.* ENVID=a\+2Bb.*' '.*' -V a+2Bb
wire 'all of them' '.* RET=HDRS ENVID=x1.*' " NOTIFY=FAILURE$O" \
	-Nfailure -Rhdrs -Vx1
wire 'those without an effect' '( SIZE=[0-9]*)?( BODY=[78A-Z]*)?' '' \
	-B8BITMIME -G -U -pSMTP:h -Ltag -h3
rm -rf "$ROOT" "${SINKDIR:?}"/*
# In a report of ours.
done_silently '-V and -R hdrs in a report' later -oem -f ann@local.test \
	-Rhdrs -Vx1 nouser@far.test
reported '-V and -R hdrs in a report' '^Original-Envelope-Id: x1$' \
	'^Content-Type: text/rfc822-headers'
expect_file_lacks '-R hdrs: no text' "$report" '^body$'
stands '-R hdrs' '0 1 0 0'
done_silently '-R full in a report' later -oem -f ann@local.test -Rfull \
	-N failure nouser@far.test
reported '-R full in a report' '^Content-Type: message/rfc822' '^body$' \
	'^Original-Recipient: rfc822; ?nouser@far\.test$'
stands '-R full' '0 1 0 0'
for when in never success delay; do
	done_silently "-N $when: no report of failure" later -oem \
		-f ann@local.test -N $when nouser@far.test
	same "-N $when: no report of failure" "$(count Drop)" 0
	rm -rf "$ROOT" "${SINKDIR:?}"/*
done
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0
start_smtpd -e 'PIPELINING'
write_conf "SmartHost = 127.0.0.1:$PORT"
wire 'a server without DSN' '' '' -Nfailure -Rhdrs -Vx1
stop_smtpd
same 'and the dialogue was correct' "$VIOLATIONS" 0
# ---- what fails behind the promise ----------------------------------------------------------------

# Two next hops: the message is committed, then tried.  With less memory than
# that takes, whatever ends the program must not say "failed".
start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" '[domain b.test]' \
	"SmartHost = localhost:$PORT"
cat >"$WORK/memory.py" <<'END'
import os, resource, shutil, subprocess, sys
root, sink, argv = sys.argv[1], sys.argv[2], sys.argv[3:]
def messages(path):
    return [f for f in os.listdir(path) if f[0] != "."] \
        if os.path.isdir(path) else []
def run(kb):
    shutil.rmtree(root, ignore_errors=True)
    for f in messages(sink):
        os.unlink(sink + "/" + f)
    p = subprocess.run(argv, input=b"Subject: s\n\nbody\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
            (kb * 1024, kb * 1024)))
    return p.returncode, len(messages(root + "/Queue")), len(messages(sink))
kb = 2048
while run(kb)[0] in (127, -6, -7, -11):   # not our program yet
    kb += 64
kept = 0
for kb in range(kb - 64, kb + 16384, 16):
    status, queue, sent = run(kb)
    kept += queue > 0
    if status and (queue or sent):
        print("status", status, "with", kb, "KiB:", queue, sent)
        sys.exit(1)
    if sent == 2:
        break
sys.exit(0 if kept else 2)
END
case $BUILD in
*/san)	skip 'out of memory: the sanitizers need all of it' ;;
*)	status=0
	python3 "$WORK/memory.py" "$ROOT" "$SINKDIR" "$BUILD/sendmail" -C \
		"$CONF" a@a.test b@b.test || status=$?
	if [ "$status" = 2 ]; then
		skip 'out of memory: no limit here lets the commit pass alone'
	else
		same 'out of memory: failed means that nothing stands' \
			"$status" 0
	fi ;;
esac
rm -rf "$ROOT" "${SINKDIR:?}"/*

# The queue can no more be written when the attempt is over.
if [ "$(id -u)" = 0 ]; then
	start_smtpd -r 'RCPT/slow delay 1500' -r 'RCPT/later reply 451 4.2.0 no'
	write_conf "SmartHost = 127.0.0.1:$PORT" '[domain b.test]' \
		"SmartHost = localhost:$PORT"
	chmod 755 "$WORK"
	: >"$WORK/log"
	chmod 666 "$WORK/log"
	mkdir -m 777 "$ROOT"
	mkdir -m 777 "$ROOT/Queue" "$ROOT/State"
	cp "$BUILD/sendmail" "$WORK/sendmail"
	(wait_for 10 grep -q 'C: RCPT.*slow' "$DIALOGUE" &&
		chmod 555 "$ROOT/Queue") &
	closer=$!
	expect_exit 'Queue closed behind the commit' 0 env -i PATH="$PATH" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		setpriv --reuid 7001 --regid 7001 --clear-groups \
		"$WORK/sendmail" -C "$CONF" slow@a.test later@b.test <"$WORK/m"
	wait "$closer"
	expect_silent 'Queue closed behind the commit'
	expect_file_has 'Queue closed behind the commit: logged' "$WORK/log" \
		'could not be stored'
	stands 'Queue closed behind the commit' '1 0 0 1'
else
	skip 'a Queue that closes: needs root'
fi
finish
