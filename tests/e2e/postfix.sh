#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Against programs that are not ours: Postfix's smtp-sink with its ways to
# misbehave, and a real Postfix as smart host.  Nothing is installed: both run
# from where tests/deps unpacked them, in a directory of this test.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postfix-lib.sh"

if [ ! -x "$TREE/usr/sbin/smtp-sink" ]; then
	skip 'Postfix is not unpacked: tests/deps'
	finish
fi
LIBRARIES=$(libraries "$TREE")

# ---- helpers ----------------------------------------------------------------

listens() {
	python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null
}
# fill N: that many messages in Queue, due, each with a number of its own.
fill() {
	clean
	submit 'one to copy' "$WORK/letter" -odq bob@far.test
	python3 - "$ROOT/Queue" "$1" <<-'END'
		import glob, os, sys
		folder, n = sys.argv[1], int(sys.argv[2])
		first, = glob.glob(folder + "/*.eml")
		octets = open(first, "rb").read()
		name = os.path.basename(first)
		for i in range(n):
		    with open("%s/%s%011d.eml" % (folder, name[:26], i), "wb") as f:
		        f.write(octets.replace(b"number 0000", b"number %04d" % i))
		os.unlink(first)
	END
}

printf 'Subject: hello\n\nnumber 0000\n.a dot\n..two dots\n.\n\nFrom here\n' \
	>"$WORK/letter"
printf 'Subject: accents\nMIME-Version: 1.0\n%s\n%s\n\nGr\303\274\303\237e\n.\n' \
	'Content-Type: text/plain; charset=utf-8' \
	'Content-Transfer-Encoding: 8bit' >"$WORK/accents"
python3 - >"$WORK/large" <<'END'
import random
r = random.Random(1)
print("Subject: large\n")
size = 0
while size < 10000000:
    line = r.choice(("", ".", "..", "From ", "\t")) + "x" * r.randrange(200)
    print(line)
    size += len(line) + 1
END

# ---- smtp-sink --------------------------------------------------------------

nsinks=0
# start_sink options...: sets PORT, SINK (a file a message) and SERVER.
start_sink() {
	nsinks=$((nsinks + 1))
	SINK=$WORK/sink.$nsinks
	mkdir "$SINK"
	PORT=$(free_port)
	# It will not be root without being asked.
	[ "$(id -u)" -ne 0 ] || set -- -u root "$@"
	LD_LIBRARY_PATH=$LIBRARIES "$TREE/usr/sbin/smtp-sink" "$@" \
		-d "$SINK/%H%M%S." "127.0.0.1:$PORT" 100 >"$SINK.log" 2>&1 &
	SERVER=$!
	servers="$servers $SERVER"
	if ! wait_for 5 listens "$PORT"; then
		bad "smtp-sink $* does not listen"
		show "$SINK.log"
		finish
	fi
	clean
	write_conf "SmartHost = 127.0.0.1:$PORT"
}
stop_sink() {
	kill "$SERVER" 2>/dev/null || :
	wait "$SERVER" 2>/dev/null || :
}
sunk() { find "$SINK" -type f | wc -l; }
one() { find "$SINK" -type f; }
# It ends every message with an empty line of its own.
same_in_sink() {
	sed '$d' "$(one)" >"$WORK/stored"
	same_text "$1" "$2" "$WORK/stored"
}

start_sink
submit 'sink' "$WORK/letter" bob@far.test carol@far.test
check 'sink: one message' test "$(sunk)" = 1
same_in_sink 'sink' "$WORK/letter"
expect_file_has 'sink: bob' "$(one)" '^X-Rcpt-Args: <bob@far\.test>'
expect_file_has 'sink: carol' "$(one)" '^X-Rcpt-Args: <carol@far\.test>'
holds 'sink' Queue 0
stop_sink
start_sink
submit 'sink, 8 bits' "$WORK/accents" bob@far.test
same_in_sink 'sink, 8 bits' "$WORK/accents"
expect_file_has 'sink, 8 bits: declared' "$(one)" '^X-Mail-Args: .*BODY=8BITMIME'
stop_sink
start_sink
submit 'sink, 10 MB' "$WORK/large" bob@far.test
same_in_sink 'sink, 10 MB' "$WORK/large"
stop_sink
for options in -p -e -8 '-8 -p' '-8 -E'; do
	# shellcheck disable=SC2086 # a list
	start_sink $options
	submit "sink $options" "$WORK/letter" bob@far.test carol@far.test
	same_in_sink "sink $options" "$WORK/letter"
	holds "sink $options" Queue 0
	rm "$(one)"
	submit "sink $options, 8 bits" "$WORK/accents" bob@far.test
	check "sink $options: equal content" python3 - "$WORK/accents" "$(one)" <<-'END'
		import email, sys
		a, b = (email.message_from_bytes(open(p, "rb").read())
		        .get_payload(decode=True).replace(b"\r", b"").rstrip()
		        for p in sys.argv[1:])
		sys.exit(a != b)
	END
	case $options in
	*8*|-e)	expect_file_lacks "sink $options: 7 bits" "$(one)" \
			"$(printf '[\200-\377]')|BODY=8" ;;
	esac
	stop_sink
done
# It refuses (-r for now, -f for good) or hangs up (-q) at a command.
for command in CONNECT EHLO,HELO MAIL RCPT DATA .; do
	for action in -r -q; do
		start_sink $action $command
		submit "sink $action $command" "$WORK/letter" bob@far.test
		holds "sink $action $command: it waits" Queue 1
		stop_sink
	done
done
for command in MAIL RCPT DATA .; do
	start_sink -f $command
	expect_exit "sink -f $command" 69 sendmail -f alice@client.test \
		bob@far.test <"$WORK/letter"
	check "sink -f $command: one line" test "$(wc -l <"$STDERR")" = 1
	holds "sink -f $command" Queue 0
	stop_sink
done
start_sink -f EHLO
submit 'sink without EHLO' "$WORK/letter" bob@far.test
same_in_sink 'sink without EHLO' "$WORK/letter"
stop_sink
start_sink
fill 1000
expect_exit 'sink, a thousand' 0 sendmail -q
check 'sink, a thousand: all there' test "$(find "$SINK" -type f -exec \
	grep -ah '^number [0-9]' '{}' + | sort -u | wc -l)$(sunk)" = 10001000
holds 'sink, a thousand' Queue 0
stop_sink

# ---- a real Postfix -----------------------------------------------------------

postfix_needs
postfix_make <<END
virtual_mailbox_maps = texthash:$P/etc/users
virtual_mailbox_limit = 0
message_size_limit = 20000000
in_flow_delay = 0
END
for user in bob carol; do
	echo "$user@far.test $user/"
done >"$P/etc/users"
PORT=$(free_port)
postfix_start "$PORT" <<END
127.0.0.1:$PORT inet n - n - - smtpd
END
# arrived 'name' WHO: one new message; it is moved to $WORK/arrived.
arrived() {
	taken "$1, to $2" "$P/box/$2"
	mv "$WORK/taken" "$WORK/arrived"
}

# Every way to say it, once.
for mask in 7 5 -PIPELINING '5 -PIPELINING' 3503297 0; do
	write_conf "SmartHost = 127.0.0.1:$PORT" \
		"SmtpOutboundCommandSupportOptions = $mask"
	clean
	submit "Postfix, mask $mask" "$WORK/letter" bob@far.test carol@far.test
	holds "Postfix, mask $mask" Queue 0
	for who in bob carol; do
		arrived "Postfix, mask $mask" $who
		same_text "Postfix, mask $mask, $who" "$WORK/letter" "$WORK/arrived"
	done
	submit "Postfix, mask $mask, 8 bits" "$WORK/accents" bob@far.test
	arrived "Postfix, mask $mask, 8 bits" bob
	case $mask in
	3503297|0)
		expect_file_has "mask $mask: encoded" "$WORK/arrived" \
			'^(Gr=C3=BC=C3=9Fe|R3LDvMOf[A-Za-z0-9+/=]+)$' ;;
	*)	same_text "mask $mask, 8 bits" "$WORK/accents" "$WORK/arrived" ;;
	esac
done
expect_file_has 'BDAT, one command each' "$P/log" \
	'disconnect .* ehlo=1 mail=1 rcpt=2 bdat=1 quit=1 commands=6$'
expect_file_has 'DATA, one command each' "$P/log" \
	'disconnect .* ehlo=1 mail=1 rcpt=2 data=1 quit=1 commands=6$'
expect_file_has 'HELO' "$P/log" \
	'disconnect .* helo=1 mail=1 rcpt=2 data=1 quit=1 commands=6$'
expect_file_lacks 'no protocol error' "$P/log" \
	'improper|lost connection after [^C]|timeout'

# One unknown user stops nobody, and is the sender's to know.
write_conf "SmartHost = 127.0.0.1:$PORT" 'LocalDomains = client.test'
clean
submit 'one unknown' "$WORK/letter" bob@far.test nobody@far.test carol@far.test
arrived 'one unknown' bob
arrived 'one unknown' carol
holds 'one unknown' Queue 0
holds 'one unknown: a report' Drop 1
cat "$ROOT"/Drop/*.eml >"$WORK/report"
expect_file_has 'in Postfix'"'"' own words' "$WORK/report" \
	'^Diagnostic-Code: smtp; 550 5\.1\.1 <nobody@far\.test>: Recipient'
clean
expect_exit 'all unknown' 67 sendmail -f alice@client.test nobody@far.test \
	<"$WORK/letter"
expect_file_has 'all unknown' "$STDERR" '550 5\.1\.1 .*User unknown'

# 10 MB either way; and what is larger than it takes is known before MAIL.
for mask in 7 5 0; do
	write_conf "SmartHost = 127.0.0.1:$PORT" \
		"SmtpOutboundCommandSupportOptions = $mask"
	submit "10 MB, mask $mask" "$WORK/large" bob@far.test
	arrived "10 MB, mask $mask" bob
	same_text "10 MB, mask $mask" "$WORK/large" "$WORK/arrived"
done
write_conf "SmartHost = 127.0.0.1:$PORT"
clean
cat "$WORK/large" "$WORK/large" "$WORK/large" >"$WORK/too-large"
expect_exit '30 MB' 65 sendmail -i -f alice@client.test bob@far.test \
	<"$WORK/too-large"
expect_file_has '30 MB' "$STDERR" '5\.3\.4 .*takes 20000000'
holds '30 MB' Queue 0

# A thousand in one run, on few connections.
fill 1000
before=$(grep -c 'smtpd.*: connect from' "$P/log")
expect_exit 'a thousand' 0 sendmail -q
holds 'a thousand' Queue 0
check 'a thousand: delivered' wait_for 60 boxed_at_least "$P/box/bob" 1000
check 'a thousand: all different' test "$(find "$P/box/bob/new" -type f -exec \
	grep -h '^number [0-9]' '{}' + | sort -u | wc -l)$(boxed "$P/box/bob")" = 10001000
connections=$(($(grep -c 'smtpd.*: connect from' "$P/log") - before))
check "a thousand: few connections ($connections)" test "$connections" -le 40
check 'a thousand: equal bodies' python3 - "$WORK/letter" "$P/box/bob/new" <<'END'
import glob, re, sys
want = open(sys.argv[1], "rb").read().split(b"\n\n", 1)[1]
for path in glob.glob(sys.argv[2] + "/*"):
    got = open(path, "rb").read().split(b"\n\n", 1)[1]
    got = re.sub(rb"^number \d{4}", b"number 0000", got)
    assert got == want, (path, got)
END

postfix_stop
finish
