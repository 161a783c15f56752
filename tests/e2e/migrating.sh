#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# doc/migrating: the settings files in it are taken as they stand, and so is
# what the pages say that -bv answers; the names and defaults in their tables
# are those of the program.

. "$(dirname "$0")/lib.sh"

DOC=$TOP/doc/migrating
"$BUILD/sendmail" --settings |
	sed -n 's/^  \([A-Za-z]*\) .*/\1/p' >"$WORK/known"
"$BUILD/sendmail" --settings |
	sed -n 's/^  \([A-Za-z]*\) .*\. (\(.*\))$/\1|\2/p' >"$WORK/defaults"

# Without a network a question to the DNS ends at once.
alone='unshare --net'
[ "$(id -u)" -eq 0 ] || alone='unshare --user --net'
$alone true 2>/dev/null || alone=

# block FILE 'last line before it': the indented lines behind that line, less
# four blanks.  An empty line belongs to it.
block() {
	awk -v head="$2" '
		found && /^[^ ]/ { exit }
		found { print substr($0, 5) }
		index($0, head) && substr($0, length($0) - length(head) + 1) == head {
			found = 1
		}' "$1"
}
# verify ADDRESS: with the page's settings; no rights, no log, no aliases.
verify() {
	$alone env -i "$BUILD/sendmail" -C "$WORK/page.conf" \
		-O AliasFile=/nonexistent -O LogFile="$WORK/log" -bv "$1"
}

for page in ssmtp msmtp dma nullmailer postfix iis; do
	block "$DOC/$page" '/etc/mailroot/mailroot.conf:' >"$WORK/page.conf"
	check "$page: it has settings" grep -q ' = ' "$WORK/page.conf"
	addresses=$(sed -n 's/^.*`sendmail -bv \([^`]*\)` says:$/\1/p' \
		"$DOC/$page")
	check "$page: it says what -bv answers" test -n "$addresses"
	for address in $addresses; do
		expect_exit "$page: $address" 0 verify "$address"
		cp "$STDOUT" "$WORK/answer"
		block "$DOC/$page" "\`sendmail -bv $address\` says:" |
			grep . >"$WORK/lines"
		while IFS= read -r line; do
			# The last line names a few of several.
			case $line in
			*';'*|'  from a'*)
				for part in $(echo "${line#  }" |
				    sed 's/ /~/g; s/;~/ /g'); do
					expect_file_has "$page: $address" \
						"$WORK/answer" \
						"$(echo "$part" | sed 's/~/ /g
							s/[][]/\\&/g')(;|\$)"
				done ;;
			*)	check "$page: $address: $line" grep -qF -e "$line" \
					"$WORK/answer" ;;
			esac
		done <"$WORK/lines"
	done

	# Tables: from a line that begins with "there" or "name" to the next line
	# that is not indented.
	awk '/^    (there|name) / { table = $1; next }
		/^[^ ]/ { table = "" }
		table && NF { sub(/^    /, ""); print table "|" $0 }' \
		"$DOC/$page" >"$WORK/rows"
	check "$page: it has a table" test -s "$WORK/rows"
	while IFS='|' read -r table row; do
		if [ "$table" = name ]; then
			name_=${row%% *}
			here=$(echo "$row" | sed 's/   */|/g' | cut -d'|' -f4)
			check "$page: $name_ is $here here" \
				grep -qxF -e "$name_|$here" "$WORK/defaults"
		else
			here=$(echo "$row" | sed 's/   */|/g' | cut -d'|' -f2)
			[ "$here" != - ] || { good; continue; }
			check "$page: there is a setting $here" \
				grep -qxF -e "$here" "$WORK/known"
		fi
	done <"$WORK/rows"
done

# A last look: one message through the settings of each, to a server of ours.
start_smtpd
for page in ssmtp msmtp dma nullmailer postfix iis; do
	block "$DOC/$page" '/etc/mailroot/mailroot.conf:' |
		sed '/^\[domain/,$d' >"$CONF"
	expect_exit "$page: a message" 0 sendmail -O "SmartHost=127.0.0.1:$PORT" \
		-O RemoteSmtpPort=25 -O TlsSecurityLevel=none -O RouteUserName= \
		-O AlwaysUseSsl=false -O "MailRoot=$ROOT" -O "LogFile=$WORK/log" \
		-f sender you@example.org <<-END
			Subject: from $page
	END
	expect_silent "$page: a message"
	domain=$(sed -n 's/^DefaultDomain = //p' "$CONF")
	# The last one that came.
	last=$(ls "$SINKDIR"/*.msg | tail -n 1)
	expect_file_has "$page: its sender" "$last" "sender@$domain"
done
check 'each came' test "$(count_sink)" = 6
stop_smtpd
check 'the dialogues were correct' test "$VIOLATIONS" = 0

finish
