# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# The words of tests/clients/rows, which tests/clients/run reads in the world,
# this file first.  A file there is about one program:
#
#	client 'bsd-mailx' 'bsd-mailx' '-i -t'	a row of the table: the name,
#						the package, how it calls us
#	run alice bsd-mailx -s hello bob@far.test <$TEXT
#	exits 0					and not a byte was printed
#	message alice@client.test bob@far.test	the envelope: waits for it
#	field Subject hello
#	body <$TEXT
#
# Of every message is also checked that it has one From, Date and Message-ID,
# no Bcc, and nowhere blind@, whom every row hides that can hide somebody; of
# every row, that status, output, envelope, a field and the body were looked
# at, that no other message came, and that nothing is left in the spool.
#
# shellcheck disable=SC2034 # most of it is for the rows

SINK=/run/sink
TEXT=/clients/text		# six lines, dots among them
FILES=/clients/rows		# <name>.<suffix>: what the row <name> runs
OUT=/run/out
TAKEN=/run/taken
PHP_MAJOR=$(echo /usr/bin/php?.? | sed 's|.*php||')
row=

# ---- judgement --------------------------------------------------------------

good() { echo good >>/run/checks; }
bad() {
	echo bad >>/run/checks
	result=FAILED
	echo "FAILED clients: $row: $1"
}
show() { sed 's/^/    /' "$1" | head -n 40; }
saw() { seen="$seen $1"; }

# ---- rows -------------------------------------------------------------------

# client NAME PACKAGE HOW: begins a row, and ends the one before it.  Without
# the package (- is none) the file ends here, skipped.
client() {
	end_row
	row=$1 package=$2 how=$3 result=works seen=
	if [ "$2" = - ] || grep -q "^$2_" /clients/packages ||
	    dpkg-query -W "$2" >/run/found 2>&1; then
		return 0
	fi
	echo "SKIPPED clients: $row: there is no package $2"
	result=SKIPPED
	end_row
	echo done >/run/done
	exit 0
}

end_row() {
	[ -n "$row" ] || return 0
	if [ "$result" != SKIPPED ]; then
		for what in exits message field body; do
			case $seen in
			*$what*) ;;
			*) bad "the row never looked at: $what" ;;
			esac
		done
		wait_for 50 spool_empty || {
			bad "something is left in the spool"
			spooled >/run/left
			show /run/left
			xargs rm -f </run/left		# not the next row's
		}
		for file in $(new_messages); do
			bad "a message nobody expected"
			show "$file"
			echo "$file" >>"$TAKEN"
		done
	fi
	printf '%s\t%s\t%s\t%s\n' "$row" "$package" "$how" "$result" \
		>>/run/table
	row=
}

# wait_for TENTHS command...
wait_for() {
	turns=$1
	shift
	until "$@"; do
		turns=$((turns - 1))
		[ "$turns" -gt 0 ] || return 1
		sleep 0.1
	done
}
spooled() { find /var/spool/mailroot -type f ! -path '*/State/*'; }
spool_empty() { [ -z "$(spooled)" ]; }

# ---- what is done -----------------------------------------------------------

# as USER command...: what a login would leave of the environment.
as() {
	user=$1
	shift
	home=$(getent passwd "$user" | cut -d : -f 6)
	setpriv --reuid "$user" --regid "$user" --clear-groups -- \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" \
		USER="$user" LOGNAME="$user" SHELL=/bin/sh LANG=C.UTF-8 \
		TZ=UTC sh -c 'cd 2>/dev/null; exec "$@"' sh "$@"
}

# run USER command...: so, and exits asks for what it said.
run() {
	status=0
	as "$@" >"$OUT" 2>&1 || status=$?
}

# exits STATUS [REGEX]: no output, or lines that all are this (extended) regex.
exits() {
	saw exits
	if [ "$status" = "$1" ]; then good; else
		bad "status $status, want $1"
		show "$OUT"
		[ ! -s "$OUT" ] || return 0
	fi
	grep -aEvx -e "${2:-}" "$OUT" >/run/more || :
	[ -n "${2:-}" ] || cp "$OUT" /run/more
	if [ ! -s /run/more ]; then good; else
		bad "it printed"
		show "$OUT"
	fi
}

# ---- what came --------------------------------------------------------------

new_messages() {
	find "$SINK" -name '*.msg' | sort | grep -vxF -f "$TAKEN" || :
}
envelope_of() {
	sed -n '/^$/q; s/^mail: <\([^>]*\)>.*/\1/p' "$1"
	sed -n '/^$/q; s/^rcpt: <\([^>]*\)>.*/\1/p' "$1" | sort
}
find_message() {
	for file in $(new_messages); do
		envelope_of "$file" | cmp -s - /run/wanted && return 0
	done
	return 1
}

# message FROM RCPT...: takes the message with just this envelope, which may
# still be on its way.  "" is the null sender.
message() {
	saw message
	echo "$1" >/run/wanted
	shift
	printf '%s\n' "$@" | sort >>/run/wanted
	if ! wait_for 80 find_message; then
		bad "no message with this envelope"
		show /run/wanted
		echo '    but:'
		for file in $(new_messages); do show "$file"; done
		: >/run/head
		: >/run/body
		return 0
	fi
	good
	echo "$file" >>"$TAKEN"
	# Of the file, the message; of that, head and body, all without CR.
	sed '1,/^$/d; s/\r$//' "$file" >/run/message
	sed '/^$/,$d' /run/message | sed ':a
		N; $!ba; s/\n[ \t]/ /g' >/run/head
	sed '1,/^$/d' /run/message >/run/body
	for name in From Date Message-ID; do
		if [ "$(grep -ic "^$name:" /run/head)" = 1 ]; then good; else
			bad "not one $name"
			show "$file"
		fi
	done
	if grep -iq '^\(resent-\)\{0,1\}bcc:' /run/head ||
	    grep -q 'blind@' /run/message; then
		bad "Bcc can be seen"
		show "$file"
	else good; fi
}

# envelope_has REGEX: a line of the sink's envelope, which parameters stand in.
envelope_has() {
	if sed '/^$/q' "$file" | grep -Eqx -e "$1"; then good; else
		bad "the envelope has no line $1"
		show "$file"
	fi
}

# field NAME [VALUE]: the message has it once, unfolded.  no_field NAME.
field() {
	saw field
	sed -n "s/^$1: *//Ip" /run/head >/run/values
	if [ $# -eq 1 ] && [ "$(grep -c . /run/values)" = 1 ]; then good
	elif [ "$(cat /run/values)" = "${2:-}" ] && [ $# -gt 1 ]; then good
	else
		bad "$1 is not: ${2:-there}"
		show /run/head
	fi
}
no_field() {
	if grep -iq "^$1:" /run/head; then
		bad "there is $1"
		show /run/head
	else good; fi
}

# body: the text of the message is standard input, line ends aside.
# body_has REGEX: has such a line, where the rest is not for us to say.
body() {
	saw body
	sed 's/\r$//' >/run/want
	if cmp -s /run/want /run/body; then good; else
		bad "another text"
		diff /run/want /run/body >/run/diff || :
		show /run/diff
	fi
}
body_has() {
	saw body
	if grep -aEq -e "$1" /run/body; then good; else
		bad "no line of the text with $1"
		show /run/body
	fi
}
