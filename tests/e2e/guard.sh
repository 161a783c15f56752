#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# A program that lets its users' words become arguments (PHP's mail() has a
# fifth parameter for it) must not start a program, or write a file of their
# choice: LogFile and RoutePasswordCommand by -O, and by -C with a file that is
# not root's, where the rights are the caller's own.

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || { skip 'needs root, to be another user'; finish; }
chmod 755 "$WORK"
cp "$BUILD/sendmail" "$WORK/sendmail"
mkdir -m 777 "$WORK/web" "$ROOT"
printf 'Subject: x\n\n<?php system($_GET[0]); ?>\n' >"$WORK/m"

# web [NAME=value] option...: as the web server's user, with rights of his own.
web() {
	env -i PATH="$PATH" ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"SENDMAIL_MAILROOT=$WORK/web/root" "$@" <"$WORK/m"
}
as() {
	var=X=x
	case $1 in *=*) var=$1; shift ;; esac
	web "$var" setpriv --reuid 7001 --regid 7001 --clear-groups \
		"$WORK/sendmail" "$@" bob@far.test
}
php=$WORK/web/x.php
command="RoutePasswordCommand=echo '<?php' >$php"

expect_exit 'queued' 0 as -odq
expect_exit '-O LogFile' 64 as -O "LogFile=$php" -f '"<?php x(); ?>"@y.test'
expect_file_has 'is refused' "$STDERR" '^sendmail: -O: LogFile is refused here'
check 'no such file' test ! -e "$php"
expect_exit '-X' 0 as -odq -X "$php"
check 'no such file' test ! -e "$php"
expect_exit '-O RoutePasswordCommand' 64 as -O SmartHost=127.0.0.1:1 \
	-O RouteUserName=u -O "$command"
expect_file_has 'is refused' "$STDERR" 'RoutePasswordCommand is refused here'
check 'no such file' test ! -e "$php"

# What was uploaded is the web server's.
for line in "LogFile = $php" "RouteUserName = u
SmartHost = 127.0.0.1:1
RoutePasswordCommand = echo >$php" "[domain far.test]
RoutePasswordCommand = echo >$php"; do
	printf '%s\n' "$line" >"$WORK/web/upload"
	chown 7001 "$WORK/web/upload"
	expect_exit "-C with ${line%% *}" 78 as -C "$WORK/web/upload"
	expect_file_has 'is refused' "$STDERR" 'is refused here: it may stand in'
	check 'no such file' test ! -e "$php"
done
# One of root's that others may write is no better; one of root's is.
chown 0 "$WORK/web/upload"
chmod 666 "$WORK/web/upload"
expect_exit '-C with a file that all may write' 78 as -C "$WORK/web/upload"
touch "$WORK/web/log"
chmod 666 "$WORK/web/log"
echo "LogFile = $WORK/web/log" >"$WORK/web/upload"
chmod 644 "$WORK/web/upload"
expect_exit "-C with a file of root's" 0 as -C "$WORK/web/upload" -odq
expect_file_has 'is believed' "$WORK/web/log" ' accepted uid=7001'
: >"$WORK/web/log"
expect_exit 'the environment' 0 as "SENDMAIL_LOGFILE=$WORK/web/log" -odq
expect_file_has 'is believed' "$WORK/web/log" ' accepted uid=7001'

# Root may.
: >"$WORK/web/log"
write_conf
expect_exit 'root' 0 sendmail -odq -O "LogFile=$WORK/web/log" bob@far.test \
	<"$WORK/m"
expect_file_has 'is believed' "$WORK/web/log" ' accepted uid=0'
finish
