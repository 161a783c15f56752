#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# Names whose mail goes elsewhere: what an alias file may hold, and what of it
# is not obeyed.

. "$(dirname "$0")/lib.sh"

cat >"$WORK/aliases" <<'END'
# the usual ones
postmaster: root
root:	admin@far.test,
	"Alice A." <alice@far.test>
ROOTLIKE: \root
loop1: loop2
loop2: loop1
keeper: keeper, copy@far.test
deep0: deep1
deep1: deep2
deep2: end@far.test
program: "|/bin/cat >/tmp/never"
file: /tmp/never
list: :include:/etc/passwd
broken: a@@b
"quoted name": quoted@far.test
END
printf 'Subject: x\n\nbody\n' >"$WORK/m"

start_smtpd
write_conf "SmartHost = 127.0.0.1:$PORT" "AliasFile = $WORK/aliases" \
	'LocalDomains = local.test'

# reaches 'name' ADDRESS RECIPIENT...: exactly these are in the sink.
reaches() {
	what=$1
	address=$2
	shift 2
	rm -f "$SINKDIR"/*.msg
	expect_exit "$what" 0 sendmail -i "$address" <"$WORK/m"
	expect_silent "$what"
	sed -n 's/^rcpt: <\([^>]*\)>.*/\1/p' "$SINKDIR"/*.msg 2>/dev/null |
		sort >"$WORK/got"
	for r; do echo "$r"; done | sort >"$WORK/want"
	check "$what: who gets it" cmp -s "$WORK/got" "$WORK/want"
}

reaches 'a list' root admin@far.test alice@far.test
reaches 'two steps' postmaster admin@far.test alice@far.test
reaches 'in any case' PostMaster admin@far.test alice@far.test
reaches 'at our domain' root@client.test admin@far.test alice@far.test
reaches 'a backslash' rootlike root@client.test
reaches 'a chain' deep0 end@far.test
reaches 'a copy for itself' keeper keeper@client.test copy@far.test
reaches 'no alias' other other@client.test
reaches 'another domain' root@far.test root@far.test
reaches 'broken stays' broken broken@client.test
for odd in program file list; do
	reaches "$odd is not obeyed" $odd $odd@client.test
	expect_file_has "$odd is logged" "$WORK/log" "alias $odd"
done
reaches 'a loop ends' loop1 loop1@client.test
check 'nothing was run or written' test ! -e /tmp/never

# At a local domain an alias goes before Drop; without one Drop has it.
reaches 'a local domain' root@local.test admin@far.test alice@far.test
expect_exit 'local without alias' 0 sendmail bob@local.test <"$WORK/m"
check 'in Drop' test "$(count Drop)" = 1

# -bv says so; a file that is missing has no aliases, an odd one is logged.
expect_exit '-bv' 0 sendmail -bv root </dev/null
expect_file_has '-bv: alias' "$STDOUT" 'root is an alias'
expect_file_has '-bv: whither' "$STDOUT" 'admin@far.test'
write_conf "SmartHost = 127.0.0.1:$PORT" "AliasFile = $WORK/none"
reaches 'no file' root root@client.test
mkdir "$WORK/dir"
write_conf "SmartHost = 127.0.0.1:$PORT" "AliasFile = $WORK/dir"
reaches 'no plain file' root root@client.test
expect_file_has 'no plain file: logged' "$WORK/log" 'AliasFile .*cannot be read'

stop_smtpd
finish
