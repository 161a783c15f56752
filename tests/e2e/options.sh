#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# The command line: each letter that sendmail 8 and its successors know, with
# its arity and its effect; what is refused, and how; and the argument lists
# that real programs use, each of which must simply work.

. "$(dirname "$0")/lib.sh"

ME=$(id -un)@client.test
printf 'Subject: hello\n\none\n.\ntwo\n' >"$WORK/m"
printf 'To: bob@far.test\nBcc: dan@far.test\nSubject: hello\n\nbody\n' \
	>"$WORK/t"
write_conf

# The envelope of the one message in Queue, on one line without BODY and ORCPT.
envelope() {
	set -- "$ROOT"/Queue/*.eml
	[ $# -eq 1 ] && [ -f "$1" ] || { echo "$# files"; return; }
	tr -d '\r' <"$1" | awk '
		sub(/^x-sender: /, "") || sub(/^x-receiver: /, "") {
			gsub(/ (BODY=[^ ]*|ORCPT=[^ ]*) */, " ")
			gsub(/ +/, " "); sub(/ $/, "")
			line = line (line ? " | " : "") $0
		}
		/^Received: / { exit }
		END { print line }'
}

# same 'name' GOT WANTED
same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}

# takes 'name' ENVELOPE argument...: queued from $INPUT, silently.
INPUT=$WORK/m
takes() {
	name=$1 wanted=$2
	shift 2
	rm -rf "$ROOT/Queue"
	expect_exit "$name" 0 sendmail -odq "$@" <"$INPUT"
	expect_silent "$name"
	same "$name: envelope" "$(envelope)" "$wanted"
}
stored() { cat "$ROOT"/Queue/*.eml; }

# refuses 'name' REGEX argument...: 64, one line that says why, nothing kept.
refuses() {
	name=$1 wanted=$2
	shift 2
	rm -rf "$ROOT/Queue"
	expect_exit "$name" 64 sendmail "$@" <"$INPUT"
	expect_empty "$name (stdout)" "$STDOUT"
	same "$name: one line" "$(grep -c '^sendmail: ' "$STDERR")" 1
	expect_file_has "$name: reason" "$STDERR" "$wanted"
	same "$name: nothing kept" "$(find "$ROOT" -type f ! -path '*/State/*')" ''
}

# ---- where options end, and lists ---------------------------------------------

plain="<$ME> | <bob@far.test>"
takes 'one recipient' "$plain" bob@far.test
takes 'two recipients' "$plain | <carol@far.test>" bob@far.test carol@far.test
takes 'a list in one argument' "$plain | <carol@far.test>" \
	'bob@far.test,carol@far.test'
takes '-- ends the options' "$plain" -- bob@far.test
takes 'an address that begins with - behind --' "<$ME> | <-x@far.test>" \
	-- -x@far.test
takes 'behind the first address nothing is an option' \
	"<$ME> | <bob@far.test> | <-t@far.test>" bob@far.test -t@far.test
takes '-- behind an address is an address' \
	"<$ME> | <bob@far.test> | <-->" bob@far.test --
takes 'an empty argument names nobody' "$plain" '' bob@far.test
refuses 'no recipients' 'no recipients'
refuses 'only empty recipients' 'no recipients' ''
refuses 'no recipients behind --' 'no recipients' --
refuses '-t and none in the header' 'no recipients' -t

# ---- letters with an effect ------------------------------------------------------

INPUT=$WORK/t
takes '-t' "<$ME> | <bob@far.test> | <dan@far.test>" -t
takes '-t twice' "<$ME> | <bob@far.test> | <dan@far.test>" -t -t
takes '-t and arguments' \
	"<$ME> | <eve@far.test> | <bob@FAR.test> | <dan@far.test>" \
	-t eve@far.test bob@FAR.test
takes '-ti' "<$ME> | <bob@far.test> | <dan@far.test>" -ti
takes '-tiv' "<$ME> | <bob@far.test> | <dan@far.test>" -tiv
takes '-tifX: a cluster may end in a value' \
	"<a@x.test> | <bob@far.test> | <dan@far.test>" -tifa@x.test
INPUT=$WORK/m

takes 'without -i a dot ends the message' "$plain" bob@far.test
expect_file_lacks 'without -i: cut' "$(echo "$ROOT"/Queue/*)" '^two$'
for option in '-i' '-oi' '-o i' '-oitrue' '-O IgnoreDots=true' \
	'-OIgnoreDots=1' '-ni' '-in'; do
	# shellcheck disable=SC2086 # words are meant
	takes "$option" "$plain" $option bob@far.test
	expect_file_has "$option: the dot is text" \
		"$(echo "$ROOT"/Queue/*)" '^\.$'
	expect_file_has "$option: goes on" "$(echo "$ROOT"/Queue/*)" '^two$'
done

for letter in f r; do
	x="<a@x.test> | <bob@far.test>"
	takes "-$letter detached" "$x" -$letter a@x.test bob@far.test
	takes "-$letter attached" "$x" -${letter}a@x.test bob@far.test
	takes "-$letter <...>" "$x" -$letter '<a@x.test>' bob@far.test
	takes "-$letter with a name" "$x" -$letter 'Ann <a@x.test>' bob@far.test
	takes "-$letter bare" "<ann@client.test> | <bob@far.test>" \
		-$letter ann bob@far.test
	takes "-$letter ''" "<> | <bob@far.test>" -$letter '' bob@far.test
	takes "-$letter <>" "<> | <bob@far.test>" -$letter '<>' bob@far.test
	takes "-$letter<> attached" "<> | <bob@far.test>" "-$letter<>" \
		bob@far.test
	takes "-$letter: the last one counts" "$x" -$letter b@x.test \
		-f '<>' -${letter}a@x.test bob@far.test
done
takes '-f -- is a value' "<--@client.test> | <bob@far.test>" -f -- bob@far.test

takes '-F detached' "$plain" -F 'Ann Author' bob@far.test
expect_file_has '-F: From' "$(echo "$ROOT"/Queue/*)" "^From: Ann Author <$ME>$"
takes '-F attached' "$plain" -FCronDaemon bob@far.test
expect_file_has '-F attached: From' "$(echo "$ROOT"/Queue/*)" \
	"^From: CronDaemon <$ME>$"
takes '-F empty' "$plain" -F '' bob@far.test
expect_file_has '-F empty: From' "$(echo "$ROOT"/Queue/*)" "^From: $ME$"
takes '-F and -f' "<a@x.test> | <bob@far.test>" -F 'Ann, Author' -f a@x.test \
	bob@far.test
expect_file_has '-F and -f: From' "$(echo "$ROOT"/Queue/*)" \
	'^From: "Ann, Author" <a@x\.test>$'
printf 'From: x@y.test\n\nb\n' >"$WORK/from"
INPUT=$WORK/from
takes '-F where From stands' "$plain" -F Ann bob@far.test
expect_file_has '-F: From stays' "$(echo "$ROOT"/Queue/*)" '^From: x@y\.test$'
expect_file_lacks '-F: unused' "$(echo "$ROOT"/Queue/*)" 'Ann'
INPUT=$WORK/m

takes '-N -R -V detached' \
	"<$ME> RET=HDRS ENVID=00ab | <bob@far.test> NOTIFY=FAILURE,DELAY" \
	-N failure,delay -R hdrs -V 00ab bob@far.test
takes '-N -R -V attached' \
	"<$ME> RET=FULL ENVID=00ab | <bob@far.test> NOTIFY=SUCCESS,DELAY,FAILURE" \
	-Nsuccess,delay,failure -RFULL -V00ab bob@far.test
takes '-N never' "<$ME> | <bob@far.test> NOTIFY=NEVER" -N never bob@far.test
takes '-N with a word that is none' "$plain" -N sometimes bob@far.test
takes '-V is written as xtext' "<$ME> ENVID=a+20b+3Dc | <bob@far.test>" \
	-V 'a b=c' bob@far.test
refuses '-R with a word that is none' '^sendmail: -R half: ' -R half \
	bob@far.test

for mode in q d; do
	takes "-od$mode" "$plain" -od$mode bob@far.test
	takes "-o d$mode" "$plain" -o d$mode bob@far.test
done
takes '-O DeliveryMode=q' "$plain" -odi -O DeliveryMode=q bob@far.test
takes '-O long word, attached' "$plain" -odi -ODeliveryMode=queueonly \
	bob@far.test
refuses '-odx' 'x' -odx bob@far.test
refuses '-oex' 'x' -oex bob@far.test
refuses '-O without =' 'Key=value' -O DeliveryMode bob@far.test
refuses '-O unknown' 'unknown setting "Nonsense"' -O Nonsense=1 bob@far.test
refuses '-O nearly known' 'did you mean DeliveryMode' -O DelivryMode=q \
	bob@far.test
# sendmail's long names: read, without effect, refused, or unknown.
for option in DeliveryMode=q ErrorMode=m IgnoreDots=false SuperSafe=true \
	NoRecipientAction=none Timeout.queuereturn=5d timeout.CONNECT=1m \
	EightBitMode=pass MaxRecipientsPerMessage=5 QueueSortOrder=host \
	PrivacyOptions=goaway MaxHopCount=30 LogLevel=9 UserDatabaseSpec=x \
	AliasWait=1 XscriptFileBufferSize=0 'HeloName=a.b.test' \
	CACertFile=/etc/ssl/certs/ca-certificates.crt; do
	takes "-O $option" "$plain" -odq -O "$option" bob@far.test
done
: >"$WORK/log"
takes '-O SuperSafe' "$plain" -O SuperSafe=interactive bob@far.test
expect_file_has '-O SuperSafe: a log line' "$WORK/log" \
	'-O SuperSafe: a name of sendmail.*no meaning here'
takes '-O HeloName' "$plain" -O HeloName=helo.test bob@far.test
expect_file_has '-O HeloName: is FullyQualifiedDomainName' \
	"$(echo "$ROOT"/Queue/*)" '^Received: .*helo\.test|by helo\.test'
for option in SoftBounce:-odq FallbackSmartHost:SmartHost \
	ConnectOnlyTo:SmartHost DefaultAuthInfo:RouteUserName; do
	refuses "-O ${option%:*}" "matter of ${option#*:}" \
		-O "${option%:*}=x" bob@far.test
done
for option in SuperSaf= Time= Timeoutx=1 .=1 =1 ' =1' TimeoutSuperSafe=1; do
	refuses "-O $option" '-O: ' -O "$option" bob@far.test
done
refuses '-O with a value that is none' 'HopCount "many"' \
	-O MaxHopCount=many bob@far.test
printf 'SuperSafe = true\n' >"$WORK/foreign.conf"
expect_exit 'sendmail names are not for the file' 78 sendmail \
	-C "$WORK/foreign.conf" bob@far.test <"$WORK/m"
many=
for i in $(seq 200); do many="$many -i -odq -O SuperSafe=1"; done
# shellcheck disable=SC2086 # words are meant
takes 'two hundred repeats' "$plain" $many bob@far.test
takes '-ov' "$plain" -ov bob@far.test

# What passes it on says how far it has come.
takes '-h below HopCount' "$plain" -h 100 bob@far.test
rm -rf "$ROOT/Queue"
expect_exit '-h above HopCount' 69 sendmail -h 101 bob@far.test <"$INPUT"
expect_file_has '-h above HopCount: why' "$STDERR" \
	'^sendmail: 5\.4\.6 mail loop: -h says 101 hops, HopCount is 100$'
same '-h above HopCount: nothing kept' "$(count Queue)" 0

# -L: a word of the caller's in the log, which stays one word.
: >"$WORK/log"
takes '-L' "$plain" -L shop_1.x-y bob@far.test
expect_file_has '-L: in the log' "$WORK/log" ' accepted tag=shop_1\.x-y '
: >"$WORK/log"
takes '-L with all kinds of things' "$plain" \
	-L "$(printf 'a b\n"=%s' 0123456789012345678901234567890123456789)" \
	bob@far.test
expect_file_has '-L: cleaned and cut' "$WORK/log" \
	' accepted tag=a_b___01234567890123456789012345 '
: >"$WORK/log"
takes '-L empty' "$plain" -L '' bob@far.test
expect_file_lacks '-L empty' "$WORK/log" 'tag='

# What is said before the log is known is in it, also as JSON.
: >"$WORK/log"
takes 'a JSON log' "$plain" -O LogFormat=json -O 'Timeout.x="y\\' -L 'a"b' \
	bob@far.test
check 'a JSON log: two objects' python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
sys.exit([l["event"] for l in lines] != ["note", "accepted"] or
    {l["tag"] for l in lines} != {"a_b"})' "$WORK/log"

refuses '-h without a number' '^sendmail: -h many: ' -h many bob@far.test
refuses '-Q' 'quarantine' -Q why bob@far.test
refuses '-o without a letter' '^sendmail: -o ' -o '' bob@far.test

# ---- letters without one -----------------------------------------------------------

# They take what they have always taken, so that a value never becomes a
# recipient, and a recipient never a value.
for option in -B8BITMIME '-B 8BITMIME' '-B 7BIT' -Bwhatever \
	'-h 3' -h17 -Ac -Am '-A c' '-L tag' -Ltag '-p SMTP:host' \
	-pSMTP '-M rval' -Mrval -MXx '-T 3d' -T3d -d -d8.99 -d0-99.1 -E -E0 \
	-J -Jfoo -G -U -c -m -n -s -x -GUcmnsx '-X trace' -Xtrace '-D trace' \
	-Dtrace -om -oo -o7 -o8 '-oA alias' -oL9 -oT3d -or30m -os -oem -oep -oeq \
	-oee -oew '-oe m' -em -ep '-e p' -eq -ee -ew -oe -bm '-b m' -ba \
	'-odi -odq' '-odb -odq' '-odf -odq' '-O ErrorMode=m' \
	'-O Verbose=true' -v; do
	case $option in
	'-oA alias') # the value of -o is "A", then comes an address
		takes "$option" "<$ME> | <alias> | <bob@far.test>" \
			-oA alias bob@far.test; continue ;;
	'-oe m') takes "$option" "<$ME> | <m> | <bob@far.test>" \
			-oe m bob@far.test; continue ;;
	esac
	# shellcheck disable=SC2086 # words are meant
	takes "$option" "$plain" $option -odq bob@far.test
done
same '-X and -D open nothing' "$(find . "$WORK" -name trace 2>/dev/null)" ''

# A value that is missing is no value of another option.
for letter in f r F b C O o e N R V B h A L p M D T X Q; do
	refuses "-$letter without its value" "^sendmail: -$letter " -$letter
done

# ---- modes and long options ------------------------------------------------------------

for mode in t d P z S X '' mm p1; do
	refuses "-b$mode is no mode" 'no such mode' -b "$mode" bob@far.test
done
for option in -bi -bh -bH -I; do
	expect_exit "$option does nothing" 0 sendmail $option </dev/null
	expect_silent "$option"
done
ln -s "$BUILD/sendmail" "$WORK/newaliases"
ln -s "$BUILD/sendmail" "$WORK/mailq"
expect_exit 'newaliases' 0 "$WORK/newaliases" </dev/null
expect_silent 'newaliases'
rm -rf "$ROOT/Queue"
expect_exit 'mailq, empty' 0 "$WORK/mailq" -C "$CONF"
expect_file_has 'mailq, empty' "$STDOUT" 'is empty'
takes 'something for mailq' "$plain" bob@far.test
expect_exit 'mailq' 0 "$WORK/mailq" -C "$CONF"
expect_file_has 'mailq counts' "$STDOUT" 'Total requests: 1'
expect_exit '-bp' 0 sendmail -bp
expect_file_has '-bp' "$STDOUT" 'Total requests: 1'
expect_exit '-bp --json' 0 sendmail -bp --json
expect_file_has '-bp --json' "$STDOUT" '^\{.*"bob@far.test"'
for name in send-mail sendmail.mailroot smail; do
	ln -s "$BUILD/sendmail" "$WORK/$name"
	rm -rf "$ROOT/Queue"
	expect_exit "called $name" 0 "$WORK/$name" -C "$CONF" -odq \
		bob@far.test <"$WORK/m"
	same "called $name: it is sendmail" "$(envelope)" "$plain"
done
for name in hoststat purgestat; do
	ln -s "$BUILD/sendmail" "$WORK/$name"
	expect_exit "called $name" 0 "$WORK/$name" </dev/null
	expect_silent "called $name"
done

for mode in d:daemon t:rules P:mailq z:compiled S:batched; do
	refuses "-b${mode%:*} says what else" "${mode#*:}" "-b${mode%:*}"
done

for letter in a g j k l u w y z H K P S W Y Z 0 1 8 ? : + =; do
	refuses "-$letter is unknown" "unknown option -" "-$letter" bob@far.test
done
refuses 'unknown in a cluster' 'unknown option -z' -tiz bob@far.test
refuses 'unknown and not printable' 'unknown option -[?]$|unknown option -[?] ' \
	"$(printf -- '-\001')" bob@far.test
refuses 'a dash in a cluster' 'unknown option --' -t-i bob@far.test
refuses 'an unknown long option' 'unknown option --frobnicate' --frobnicate \
	bob@far.test
refuses 'a long option of one letter' 'unknown option --t' --t bob@far.test
for option in -qR -qI -qS -qG -qGgroup -qL -qQ '-q!Rfar.test'; do
	refuses "$option" "^sendmail: $option: wants an interval" "$option"
done
refuses '-q with a selector and an interval' 'for one run' -qRfar.test -q15m
refuses '-q with nonsense' '^sendmail: -q5x' -q5x
refuses '-bD without -q' '-bD' -bD
expect_exit '--version' 0 sendmail --version
expect_file_has '--version' "$STDOUT" '^mailroot [0-9]'
expect_exit '--help' 0 sendmail --help

# The three lists of options are one: the table.
expect_exit '--manual' 0 sendmail --manual
listed=$(sed -n 's/^\.It Fl \(.\)\( .*\)\{0,1\}$/\1/p' "$STDOUT" | sort |
	tr -d '\n')
same '--manual lists each letter' "$listed" \
	"$(printf '%s\n' t i f r F v b q C O o e N R V B h A L p M D T X Q d E \
		J G I U c m n s x | sort | tr -d '\n')"
expect_exit '--help again' 0 sendmail --help
same '--help lists the same' "$(sed -n 's/^  -\([^-]\)[ []*.*/\1/p' "$STDOUT" |
	sort | tr -d '\n')" "$listed"

# Each letter without an effect says why; each row is a sentence.
check '--help: reasons' sh -c '! grep -E "accepted: (not used|never)|accepted$" \
	"$1"' sh "$STDOUT"
same '--help: no row without help' \
	"$(grep -cE '^  -[^ ]*( [^ ]*)?  *$' "$STDOUT")" 0

# ---- a queue run of some messages --------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
# picks 'name' COUNT option...: of four messages, not due, so many are sent.
picks() {
	name=$1 wanted=$2
	shift 2
	rm -rf "$ROOT/Queue" "${SINKDIR:?}"/*
	for sender in ann@x.test eve@y.test; do
		for to in bob@far.test carol@away.test; do
			sendmail -odq -f $sender $to <"$WORK/m"
		done
	done
	# Not before tomorrow.
	for file in "$ROOT"/Queue/*.eml; do
		mv "$file" "$ROOT/Queue/$(date -u -d 'now + 3 hours' \
			+%Y%m%dT%H%M%SZ)-${file##*Z-}"
	done
	ID=$(grep -l 'carol@away' "$ROOT"/Queue/*.eml | head -n 1)
	ID=${ID##*Z-} ID=${ID%.eml}
	# shellcheck disable=SC2046 # words are meant
	expect_exit "$name" 0 sendmail $(echo "$@" | sed "s/@ID@/$ID/")
	expect_silent "$name"
	same "$name: sent and waiting" "$(count_sink) $(count Queue)" \
		"$wanted $((4 - wanted))"
}
picks '-q: none is due' 0 -q
picks '-qR: whatever is due' 2 -qRfar.test
picks '-qR: no case' 2 -qRFAR.Test
picks '-qS' 2 -qSann@
picks '-qR and -qS' 1 -qRaway -qSeve
picks '-qR: none' 0 -qRnobody
picks '-qS: a recipient is no sender' 0 -qSbob
picks '-qI' 1 -qI@ID@
picks '-qI of another' 0 -qI@ID@x
picks '-qI and -qR' 1 -qI@ID@ -qR@away
picks '-qR: the last one counts' 2 -qRfar -qRaway
picks '-qf' 0 -qf
picks '-q with options that mean nothing' 2 -qRaway -p X -G -oi
stop_smtpd
write_conf
rm -rf "$ROOT/Queue"

# ---- who writes to us must not die of SIGPIPE --------------------------------------------

# writer CONF PROGRAM STATUS argument...: 5 MB are taken, then comes one line.
writer() {
	python3 - "$@" <<-'END'
		import os, subprocess, sys
		conf, program, want = sys.argv[1], sys.argv[2], int(sys.argv[3])
		p = subprocess.Popen([program, "-C", conf] + sys.argv[4:],
		    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
		try:
		    p.stdin.write(b"x" * 70 + b"\n" + b"y" * 5000000)
		    p.stdin.close()
		except BrokenPipeError:
		    print("broken pipe")
		    sys.exit(1)
		err = p.stderr.read()
		if p.wait() != want or err.count(b"\n") != 1:
		    print(p.returncode, err)
		    sys.exit(1)
	END
}
check 'drained: unknown option' writer "$CONF" "$BUILD/sendmail" 64 -z
check 'drained: unknown mode' writer "$CONF" "$BUILD/sendmail" 64 -bz x@y.test
check 'drained: no recipients' writer "$CONF" "$BUILD/sendmail" 64
check 'drained: -t without any' writer "$CONF" "$BUILD/sendmail" 64 -t
check 'drained: bad setting' writer "$CONF" "$BUILD/sendmail" 64 -O X=y a@b.test
check 'drained: bad sender' writer "$CONF" "$BUILD/sendmail" 65 -f 'a@@b' a@b.test
check 'drained: bad recipient' writer "$CONF" "$BUILD/sendmail" 65 'a@@b'
check 'drained: no configuration' writer "$WORK/none" "$BUILD/sendmail" 78 \
	a@b.test
check 'drained: too large' writer "$CONF" "$BUILD/sendmail" 65 \
	-O MaxMessageSize=100000 a@b.test

# ---- with rights that are borrowed -----------------------------------------------------------

# The program set-group-id to a group that is not the caller's, who is not
# root: then most settings are not his to choose.
mkdir "$WORK/lent"
chmod 755 "$WORK" "$WORK/lent"
cp "$(command -v id)" "$BUILD/sendmail" "$WORK/lent"
chmod 755 "$WORK/lent/sendmail"
lent() {
	setpriv --reuid=65534 --regid=65534 --clear-groups -- env -i "$@"
}
case $BUILD in
*san*)	sanitized=yes ;;
*)	sanitized= ;;
esac
if [ "$sanitized" ]; then
	skip 'borrowed rights: no leak checker may look into such a process'
elif [ "$(id -u)" = 0 ] && chgrp 12 "$WORK/lent"/* &&
	chmod 2755 "$WORK/lent"/* &&
	[ "$(lent "$WORK/lent/id" -g 2>/dev/null)" = 12 ]; then
	for option in '-C /dev/null' -C/dev/null '-X trace' -Xtrace \
		-oQ/tmp '-o Q/tmp' '-O MailRoot=/tmp' '-O SmartHost=localhost' \
		'-O LogFile=/tmp/x' '-OQueueDirectory=/tmp'; do
		# shellcheck disable=SC2086 # words are meant
		expect_exit "borrowed: $option" 64 lent "$WORK/lent/sendmail" \
			$option bob@far.test <"$WORK/m"
		expect_file_has "borrowed: $option says so" "$STDERR" \
			'^sendmail: .*(not allowed|refused)'
	done
	for option in -odx -oex '-O IgnoreDots=maybe'; do
		# shellcheck disable=SC2086
		expect_exit "borrowed: $option may be asked for" 64 lent \
			"$WORK/lent/sendmail" $option bob@far.test <"$WORK/m"
		expect_file_lacks "borrowed: $option" "$STDERR" \
			'not allowed|refused'
	done
else
	skip 'borrowed rights: not root, or no set-group-id files here'
fi

# ---- the callers there are -----------------------------------------------------------------------

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT"
seen=0

# calls 'who' INPUT ENVELOPE argument...: sent at once or soon, in silence.
calls() {
	name=$1 input=$2 wanted=$3
	shift 3
	expect_exit "$name" 0 sendmail "$@" <"$WORK/$input"
	expect_silent "$name"
	seen=$((seen + 1))
	sent=$(printf '%s/%04d.msg' "$SINKDIR" $seen)
	wait_for 10 test -f "$sent" || { bad "$name: not sent"; return; }
	same "$name: envelope" "$(awk '/^$/ { exit }
		sub(/^mail: /, "") || sub(/^rcpt: /, "") {
			gsub(/ (SIZE|BODY|ORCPT)=[^ ]*/, "")
			line = line (line ? " | " : "") $0 }
		END { print line }' "$sent")" "$wanted"
	same "$name: no Bcc" "$(grep -aci '^bcc:' "$sent")" 0
}

printf '%s\n' 'From: root (Cron Daemon)' 'To: ops@far.test,b@far.test' \
	'Subject: Cron <root@vm> job' 'X-Cron-Env: <SHELL=/bin/sh>' '' 'out put' \
	. 'more' >"$WORK/cron"
printf 'To: bob@far.test\r\nSubject: s\r\nBcc: dan@far.test\r\n\r\na\nb\r\n' \
	>"$WORK/php"
printf 'To: bob@far.test\nSubject: s\n\na\n..b\n' >"$WORK/stuffed"
printf 'To: bob@far.test\nSubject: s\nBcc: dan@far.test\n\na\n' >"$WORK/bcc"
printf 'From: ann@x.test\nTo: bob@far.test\nSubject: s\n\nno newline' \
	>"$WORK/pear"
printf 'BCC: dan@far.test\nSubject: s\n\na\n' >"$WORK/onlybcc"
sed 's/$/\r/' "$WORK/bcc" >"$WORK/crlf"

calls 'Debian cron' cron "<$ME> | <ops@far.test> | <b@far.test>" \
	-FCronDaemon -i -B8BITMIME -oem ops@far.test,b@far.test
calls 'cronie' cron "<$ME> | <ops@far.test> | <b@far.test>" \
	-FCronDaemon -i -odi -oem -oi -t -f "${ME%@*}"
calls 'anacron' cron "<$ME> | <ops@client.test>" -FAnacron -odi ops
calls 'at' bcc "<$ME> | <alice@client.test>" -i alice
calls 'systemd-cron' cron "<$ME> | <user@client.test>" -i -B 8BITMIME user
calls 'busybox crond' bcc \
	"<$ME> | <user@client.test> | <bob@far.test> | <dan@far.test>" -ti user
calls 'PHP mail()' php "<$ME> | <bob@far.test> | <dan@far.test>" -t -i
calls 'PHP mail() with -f' php "<b@x.test> | <bob@far.test> | <dan@far.test>" \
	-t -i -fb@x.test
calls 'PHPMailer isMail' php "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-t -i -fa@x.test
calls 'PHPMailer isSendmail' bcc "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-fa@x.test -i -t
calls 'PHPMailer, options twice' bcc \
	"<a@x.test> | <bob@far.test> | <dan@far.test>" -t -i -fa@x.test -i -t
calls 'CodeIgniter' php "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-oi -f a@x.test -t
calls 'Symfony -t' stuffed "<a@x.test> | <bob@far.test> | <bcc@far.test>" \
	-fa@x.test -- bob@far.test bcc@far.test
calls 'Symfony -oi -t' bcc "<a@x.test> | <bob@far.test>" \
	-oi -fa@x.test bob@far.test
calls 'SwiftMailer -t' stuffed "<a@x.test> | <bob@far.test>" -t -fa@x.test
calls 'SwiftMailer, null sender' stuffed "<> | <bob@far.test>" -t -f ''
calls 'PEAR Mail' pear "<b@x.test> | <bob@far.test> | <carol@far.test>" \
	-i -fb@x.test -- bob@far.test carol@far.test
calls 'git send-email' bcc \
	"<a@x.test> | <bob@far.test> | <carol@far.test> | <alice@far.test>" \
	-f a@x.test -i bob@far.test carol@far.test alice@far.test
calls 'git-multimail' bcc "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-oi -f a@x.test -t
mutt="<a@x.test> RET=HDRS | <bob@far.test> NOTIFY=FAILURE,DELAY"
calls 'mutt' bcc "$mutt | <c@far.test> NOTIFY=FAILURE,DELAY" \
	-oem -oi -B8BITMIME -f a@x.test -N failure,delay -R hdrs -- \
	bob@far.test c@far.test
calls 'neomutt' bcc "<$ME> | <bob@far.test>" -oem -oi -- bob@far.test
calls 'GNU mailutils' bcc "<alice@vm> | <bob@far.test> | <dan@far.test>" \
	-oi -f alice@vm -t
calls 'bsd-mailx' bcc "<$ME> | <bob@far.test> | <dan@far.test>" -i -t
calls 's-nail' bcc "<a@x.test> | <bob@far.test> | <c@far.test>" \
	-i -F 'Ann Author' -f a@x.test -- bob@far.test c@far.test
calls 'nmh, the blind copy' onlybcc "<$ME> | <dan@far.test>" -t -i
calls 'sendmail.el' bcc "<$ME> | <bob@far.test> | <dan@far.test>" \
	-oi -oep -odi -t
calls 'message.el' bcc "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-oi -f a@x.test -oem -odb -t
calls 'Email::Sender' bcc "<a@x.test> | <bob@far.test>" \
	-i -f a@x.test -- bob@far.test
calls 'MIME::Lite' bcc "<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-t -oi -oem -fa@x.test
calls 'Mail::Mailer' bcc "<$ME> | <bob@far.test> | <dan@far.test>" -t
calls 'Request Tracker, two -f' bcc \
	"<rt-bob=far.test@x.test> | <bob@far.test> | <dan@far.test>" \
	-oi -t -f '<>' -f rt-bob=far.test@x.test
sympa=NOTIFY=SUCCESS,DELAY,FAILURE
calls 'Sympa' pear "<> ENVID=0000abcd | <a@far.test> $sympa | <b@far.test> $sympa" \
	-oi -odi -oem -N success,delay,failure -V0000abcd -f '' -- \
	a@far.test b@far.test
calls 'Majordomo' pear "<owner@x.test> | <bob@far.test>" -oi -oee \
	-fowner@x.test -- bob@far.test
calls 'Ruby mail' crlf "<a@x.test> | <bob@far.test> | <c@far.test>" \
	-i -f a@x.test -- bob@far.test c@far.test
calls 'ActionMailer with -i -t' bcc \
	"<a@x.test> | <bob@far.test> | <dan@far.test>" \
	-i -t -f a@x.test -- bob@far.test dan@far.test
calls 'nodemailer' crlf "<a@x.test> | <bob@far.test> | <c@far.test>" \
	-i -f a@x.test bob@far.test c@far.test
calls 'nodemailer, args -t' crlf \
	"<$ME> | <bob@far.test> | <c@far.test> | <dan@far.test>" \
	-i -t bob@far.test c@far.test
calls 'gomail' crlf "<a@x.test> | <bob@far.test>" -i -f a@x.test bob@far.test
calls 'Python' bcc "<$ME> | <bob@far.test> | <dan@far.test>" -t -oi
calls 'sudo' bcc "<$ME> | <bob@far.test> | <dan@far.test>" -t
calls 'vacation' bcc "<alice@client.test> | <bob@far.test>" \
	-f alice -- bob@far.test
calls 'fail2ban' pear "<f2b@x.test> | <bob@far.test>" -f f2b@x.test bob@far.test
calls 'procmail' pear "<$ME> | <fwd@far.test> | <other@client.test>" \
	-oi fwd@far.test other
calls 'maildrop' pear "<> | <fwd@far.test>" -oi -f '' fwd@far.test
calls 'dovecot redirect' pear "<bob@far.test> | <fwd@far.test>" \
	-i -f bob@far.test -- fwd@far.test
calls 'dovecot vacation' crlf "<> | <bob@far.test>" -i -f '<>' -- bob@far.test
calls 'OpenDKIM' bcc "<u@x.test> | <bob@far.test> | <dan@far.test>" \
	-t -fu@x.test
calls 'cups' bcc "<$ME> | <bob@far.test>" bob@far.test
calls 'reportbug' pear "<x@x.test> | <a@far.test> | <b@far.test>" \
	-f x@x.test -oi -oem a@far.test,b@far.test
calls 'mpack' bcc "<$ME> | <bob@client.test>" -oi bob

# Whatever a caller left out: the server was spoken to correctly.
stop_smtpd
same 'the dialogues were correct' "$VIOLATIONS" 0
same 'nothing was left behind' "$(count Queue) $(count Badmail)" '0 0'
# A client of -bs waits for a greeting, and says nothing before.
mkfifo "$WORK/quiet"
sleep 30 >"$WORK/quiet" &
servers="$servers $!"
begun=$(date +%s)
expect_exit '-bs and an unknown option' 64 sendmail -bs --bogus <"$WORK/quiet"
expect_file_has '-bs and an unknown option: the client hears it' "$STDOUT" \
	'^421 4\.3\.5 unknown option --bogus$'
expect_empty '-bs and an unknown option (stderr)' "$STDERR"
check '-bs and an unknown option: at once' \
	test $(($(date +%s) - begun)) -lt 10

finish
