# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What queue.sh does again and again; sourced by it behind lib.sh.

cat >"$WORK/letter" <<'END'
Subject: hello
Message-ID: <one@client.test>

number 0000
END
clean() { rm -rf "$ROOT" "$WORK/log"; }
# submit 'name' arguments...: accepted, in silence.
submit() {
	what=$1
	shift
	expect_exit "$what" 0 sendmail "$@" <"$WORK/letter"
	expect_silent "$what"
}
run() {
	what=$1
	shift
	expect_exit "$what" 0 sendmail -q "$@" </dev/null
	expect_silent "$what"
}
# holds 'name' FOLDER N; the text of all that is there is in $WORK/held.
holds() {
	check "$1: $3 in $2" test "$(count "$2")" = "$3"
	find "$ROOT/$2" -name '*.eml' -exec cat '{}' + >"$WORK/held" 2>/dev/null || :
}
sunk() { find "$SINKDIR" -name '*.msg' 2>/dev/null | wc -l; }
has() { grep -q "$1" "$2" 2>/dev/null; }
at_least() { [ "$(sunk)" -ge "$1" ]; }
queue_empty() { [ "$(count Queue)" = 0 ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }
now() { date +%s%3N; }
# due_in: seconds from now until the one message in Queue is due.
due_in() {
	due=$(find "$ROOT/Queue" -name '*.eml' -printf '%f\n' | sed -n \
		'1s/^\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z-.*/\1-\2-\3T\4:\5:\6Z/p')
	echo $(($(date -d "$due" +%s) - $(date +%s)))
}
# background arguments...: a simple command, so that RUNNER is sendmail itself.
background() {
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$BUILD/sendmail" -C "$CONF" "$@" \
		</dev/null >"$STDOUT" 2>"$STDERR" &
	RUNNER=$!
	servers="$servers $RUNNER"
}
ended() {
	status=0
	wait "$RUNNER" || status=$?
	check "$1: status $status" test "$status" = "$2"
}
# fill N: that many messages, due, each with a number of its own.
fill() {
	clean
	submit 'one to copy' -odq -f alice@client.test bob@far.test
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
# numbers: how often each number of fill arrived: "ARRIVED DIFFERENT".
numbers() {
	find "$SINKDIR" -name '*.msg' -exec sed -n 's/^number \([0-9]*\).*/\1/p' \
		'{}' + | sort >"$WORK/numbers"
	echo "$(wc -l <"$WORK/numbers") $(sort -u "$WORK/numbers" | wc -l)"
}
# dsn 'name' FILE 'python': the report in FILE as Python's email package sees
# it: m the message, head and rcpts the fields, text the words, original.
cat >"$WORK/dsn" <<'END'
import email, email.policy, email.utils, sys
octets = open(sys.argv[1], "rb").read()
if octets.startswith(b"mail: "):
    octets = octets.split(b"\n\n", 1)[1]
while octets.startswith(b"x-"):
    octets = octets.split(b"\r\n", 1)[1]
m = email.message_from_bytes(octets, policy=email.policy.compat32)
assert not m.defects, m.defects
assert m.get_content_type() == "multipart/report", m.get_content_type()
assert m.get_param("report-type") == "delivery-status"
assert m["Auto-Submitted"].startswith("auto-")
assert m["MIME-Version"] == "1.0" and m["From"] and m["To"]
assert email.utils.parsedate(m["Date"]) and m["Message-ID"]
words, status, original = m.get_payload()
assert words.get_content_type() == "text/plain"
assert status.get_content_type() == "message/delivery-status"
text = " ".join(words.get_payload().split())
head, *rcpts = status.get_payload()
assert head["Reporting-MTA"] == "dns; client.test"
assert email.utils.parsedate(head["Arrival-Date"])
for r in rcpts:
    assert r["Final-Recipient"].startswith("rfc822; ")
    assert r["Action"] in ("failed", "delayed")
    assert email.utils.parsedate(r["Last-Attempt-Date"])
if not eval("(" + sys.argv[2] + ")"):
    sys.exit("%s\n%s" % (head, "".join(map(str, rcpts))))
END
dsn() { check "$1" python3 "$WORK/dsn" "$2" "$3"; }
drop_file() { find "$ROOT/Drop" -name '*.eml' | head -n 1; }

start_smtpd
stop_smtpd
CLOSED=$PORT
# age SPAN: what is in Queue came that much earlier ("2 days"), or later ("-9
# hours"), and all that is written about it too: the clock's way past it.
age() {
	python3 - "$ROOT/Queue" $(($(date -d "2026-01-01 $1" +%s) -
		$(date -d 2026-01-01 +%s))) <<-'END'
		import datetime, glob, os, re, sys
		back = datetime.timedelta(seconds=int(sys.argv[2]))
		def earlier(form):
		    def shift(m):
		        t = datetime.datetime.strptime(m[0].decode(), form)
		        return (t - back).strftime(form).encode()
		    return shift
		for path in glob.glob(sys.argv[1] + "/*.eml"):
		    head, created, rest = open(path, "rb").read().split(b"\r\n", 2)
		    created = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z",
		                     earlier("%Y-%m-%dT%H:%M:%SZ"), created)
		    if b"attempts=0000" not in created:
		        created = re.sub(rb"\d{8}T\d{6}Z", earlier("%Y%m%dT%H%M%SZ"),
		                         created)
		    name = re.sub(rb"^\d{8}T\d{6}Z", earlier("%Y%m%dT%H%M%SZ"),
		                  os.path.basename(path).encode())
		    os.unlink(path)
		    with open(os.path.join(sys.argv[1].encode(), name), "wb") as f:
		        f.write(b"\r\n".join((head, created, rest)))
	END
}

