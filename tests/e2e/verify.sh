#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# -bv says why a message waits: what no server could change, and the reason that
# the last attempt left in Queue.  It connects to nobody, runs no command, and
# shows no password.

. "$(dirname "$0")/lib.sh"

printf 'Subject: hello\n\nthe text\n' >"$WORK/letter"
start_smtpd -r 'MAIL reply 451 4.3.2 not today'
HOST=127.0.0.1:$PORT
SECRET=3wU_geheim
# asks 'name' 'Key = value'...: -bv with a smart host and these settings.
asks() {
	about=$1
	shift
	write_conf "SmartHost = $HOST" "$@"
	expect_exit "$about" 0 sendmail -bv bob@far.test
	expect_empty "$about: stderr" "$STDERR"
	expect_file_lacks "$about: no password" "$STDOUT" "$SECRET"
}

# ---- what no server could change --------------------------------------------

# settings, with | between them, a tab, and the reason; none: mail would go.
USER='RouteUserName = alice'
printf '%s\n' "$SECRET" >"$WORK/secret"
: >"$WORK/empty"
chmod 600 "$WORK/secret" "$WORK/empty"
tab=$(printf '\t')
while IFS=$tab read -r settings reason; do
	(IFS='|'
	set -f
	# shellcheck disable=SC2086 # a list
	printf '%s\n' $settings) >"$WORK/settings"
	asks "$settings" "$(cat "$WORK/settings")"
	if [ "$reason" ]; then
		expect_file_has "$settings: says so" "$STDOUT" \
			"^  would wait: .*$reason"
		check "$settings: once" test 1 = \
			"$(grep -c 'would wait' "$STDOUT")"
	else
		expect_file_lacks "$settings: nothing" "$STDOUT" 'would wait'
	fi
done <<END
TlsSecurityLevel = may
TlsSecurityLevel = may|SmtpOutboundCommandSupportOptions = 0
TlsSecurityLevel = encrypt|SmtpOutboundCommandSupportOptions = 0${tab}TLS must be, and the verb mask 0
$USER|RoutePassword = $SECRET|SmtpOutboundCommandSupportOptions = 0${tab}AUTH must be, and the verb mask 0
SmartHost = smtps://$HOST|TlsSecurityLevel = encrypt|SmtpOutboundCommandSupportOptions = 0
TlsSecurityLevel = verify|TlsCAFile = $WORK/none${tab}/none: No such file
TlsSecurityLevel = verify|TlsCADirectory = $WORK/empty${tab}/empty: Not a directory
TlsSecurityLevel = fingerprint${tab}no fingerprint to compare with
TlsSecurityLevel = fingerprint|TlsFingerprint = 12:34${tab}"12:34" is no SHA-256 fingerprint
TlsSecurityLevel = encrypt|TlsCertFile = $WORK/none${tab}/none: No such file
TlsSecurityLevel = none|TlsCAFile = $WORK/none|TlsCertFile = $WORK/none
TlsSecurityLevel = encrypt|TlsCiphers = NOSUCH${tab}no known cipher
TlsSecurityLevel = encrypt|$USER|RoutePassword = $SECRET
TlsSecurityLevel = encrypt|$USER|RoutePasswordFile = $WORK/secret
TlsSecurityLevel = encrypt|$USER|RoutePasswordFile = $WORK/none${tab}cannot read RoutePasswordFile .*No such file
TlsSecurityLevel = encrypt|$USER|RoutePasswordFile = $WORK/empty${tab}has no password in its first line
TlsSecurityLevel = encrypt|$USER${tab}AUTH must be, and RouteUserName has no password
TlsSecurityLevel = encrypt|$USER|RoutePasswordCommand = touch $WORK/run
TlsSecurityLevel = none|$USER|RoutePassword = $SECRET${tab}AUTH must be, and there is none without TLS
TlsSecurityLevel = none|$USER|RoutePassword = $SECRET|AllowAuthInClear = true
TlsSecurityLevel = none|$USER|RoutePassword = $SECRET|SmartHost = smtps://$HOST
TlsSecurityLevel = encrypt|$USER|RoutePassword = $SECRET|AuthMechanisms = NTLM${tab}can use none of AuthMechanisms
TlsSecurityLevel = encrypt|$USER|AuthMechanisms = EXTERNAL
END
check 'the command did not run' test ! -e "$WORK/run"
write_conf "SmartHost = smtps://h.invalid, 127.0.0.1:$PORT" \
	'TlsSecurityLevel = encrypt' 'SmtpOutboundCommandSupportOptions = 0' \
	'NameServers = 127.0.0.1:9'
expect_exit 'one of two hosts' 0 sendmail -bv bob@far.test
expect_file_has 'one of two hosts' "$STDOUT" \
	'^  would wait, 127\.0\.0\.1: TLS must be, and the verb mask 0'
check 'one of two hosts: only it' test 1 = "$(grep -c 'would wait' "$STDOUT")"
# A level that follows from the user is not for a domain's MX.
write_conf "SmartHost = $HOST" 'SmartHostType = 1' "$USER" \
	"RoutePasswordFile = $WORK/none" 'NameServers = 127.0.0.1:9'
expect_exit 'directly' 0 sendmail -bv 'bob@[127.0.0.1]'
expect_file_has 'directly' "$STDOUT" 'directly to this address'
expect_file_has 'directly: the smart host would not do' "$STDOUT" \
	'would wait at the smart host: cannot read RoutePasswordFile'

# ---- what the last attempt said ---------------------------------------------

asks 'an empty Queue'
expect_file_lacks 'an empty Queue' "$STDOUT" 'in Queue|last reason'
expect_exit 'not tried' 0 sendmail -odq carol@far.test <"$WORK/letter"
asks 'not tried'
expect_file_has 'not tried: counted' "$STDOUT" '^  1 message waits in Queue for it$'
expect_file_lacks 'not tried: no reason' "$STDOUT" 'last reason'
expect_exit 'tried' 0 sendmail dave@other.test <"$WORK/letter"
asks 'tried'
expect_file_has 'tried: both are counted' "$STDOUT" \
	'^  2 messages wait in Queue for it$'
expect_file_has 'tried: the reason' "$STDOUT" \
	'^  the last reason, 20[0-9T:-]*Z: 451 4\.3\.2 not today'
write_conf "SmartHost = $HOST" '[domain far.test]' 'SmartHost = 127.0.0.1:9'
expect_exit 'a section' 0 sendmail -bv bob@far.test
expect_file_has 'a section: its own' "$STDOUT" '^  1 message waits in Queue'
expect_file_lacks 'a section: not the reason of others' "$STDOUT" 'last reason'
check 'nothing was changed' test "$(count Queue)" = 2
stop_smtpd
check "only the attempt connected ($CONNECTIONS)" test "$CONNECTIONS" = 1
check 'the dialogue was correct' test "$VIOLATIONS" = 0
# ---- who looks makes nothing ---------------------------------------------------

rm -rf "$ROOT"
write_conf
expect_exit '-bv without folders' 0 sendmail -bv bob@local.test
expect_exit 'mailq without folders' 0 sendmail -bp
check 'there are none still' test ! -e "$ROOT"

finish
