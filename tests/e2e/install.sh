#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# make install: which files, where, with whose owners; and that systemd takes
# its files for what they are meant to be.

. "$(dirname "$0")/lib.sh"

# make as at a terminal, whoever has started us.
unset MAKEFLAGS MFLAGS MAKELEVEL
# As make itself names it: the lists of what depends on which header know no
# other name.
B=${BUILD#"$TOP/"}
install_to() {
	where=$1
	shift
	make -s -C "$TOP" B="$B" install DESTDIR="$where" "$@"
}
files() { (cd "$1" && find . ! -type d -printf '%P\n' | sort); }

# ---- under DESTDIR ----------------------------------------------------------

D=$WORK/dest
expect_exit 'make install' 0 install_to "$D"
expect_empty 'it says nothing under DESTDIR' "$STDOUT"
cat >"$WORK/expected" <<END
usr/bin/mailq
usr/bin/newaliases
usr/lib/sendmail
usr/lib/systemd/system/mailroot-watch.service
usr/lib/systemd/system/mailroot.path
usr/lib/systemd/system/mailroot.service
usr/lib/systemd/system/mailroot.timer
usr/lib/sysusers.d/mailroot.conf
usr/lib/tmpfiles.d/mailroot.conf
usr/sbin/sendmail
usr/share/doc/mailroot/migrating/README
usr/share/doc/mailroot/migrating/dma
usr/share/doc/mailroot/migrating/iis
usr/share/doc/mailroot/migrating/msmtp
usr/share/doc/mailroot/migrating/nullmailer
usr/share/doc/mailroot/migrating/postfix
usr/share/doc/mailroot/migrating/ssmtp
usr/share/mailroot/mailroot.cron
usr/share/mailroot/mailroot.openrc
usr/share/man/man1/mailq.1
usr/share/man/man1/newaliases.1
usr/share/man/man5/mailroot.conf.5
usr/share/man/man8/sendmail.8
END
files "$D" | LC_ALL=C sort >"$WORK/is"
check 'the files' diff "$WORK/expected" "$WORK/is"
check 'an empty place for settings' test -d "$D/etc/mailroot"
check 'no owner is changed' test -z "$(find "$D" ! -user "$(id -u)")"
check 'no special bit is set' test -z "$(find "$D" -perm /7000)"
check 'no spool is made' test ! -e "$D/var"
for link in usr/bin/mailq usr/bin/newaliases usr/lib/sendmail; do
	check "$link leads to the program" test "$D/$link" -ef \
		"$D/usr/sbin/sendmail"
done
expect_exit 'once more' 0 install_to "$D"
files "$D" | LC_ALL=C sort >"$WORK/is"
check 'once more: the same files' diff "$WORK/expected" "$WORK/is"

if [ "$(id -u)" -eq 0 ] &&
    setpriv --reuid 65534 --regid 65534 --clear-groups test -r "$TOP/Makefile"
then
	install -d -o 65534 "$WORK/nobody"
	chmod 755 "$WORK"
	expect_exit 'it needs no rights' 0 setpriv --reuid 65534 --regid 65534 \
		--clear-groups make -s -C "$TOP" B="$B" install \
		DESTDIR="$WORK/nobody"
else
	[ "$(id -u)" -ne 0 ] || skip 'install as nobody: he cannot read this tree'
fi

# ---- other directories ------------------------------------------------------

P=$WORK/prefix
expect_exit 'other directories' 0 install_to '' PREFIX="$P/usr" \
	SYSCONFDIR="$P/etc" LOCALSTATEDIR="$P/var" OPENRCDIR="$P/etc/init.d" \
	CRONDIR="$P/etc/cron.d" TMPFILESDIR=
check 'without DESTDIR one line says what is next' test \
	"$(cat "$STDOUT")" = "install: now, as root: $P/usr/sbin/sendmail --setup"
check '--setup was not run' test ! -e "$P/var"
for file in etc/init.d/mailroot etc/cron.d/mailroot; do
	check "$file" test -f "$P/$file"
	expect_file_has "$file: the program's place" "$P/$file" \
		"$P/usr/sbin/sendmail"
	expect_file_lacks "$file: no other" "$P/$file" '[ "]/usr/sbin/sendmail'
done
check 'an empty variable leaves files out' test ! -e "$P/usr/lib/tmpfiles.d"
check 'the OpenRC script can be started' test -x "$P/etc/init.d/mailroot"
check 'and is a script' sh -n "$P/etc/init.d/mailroot"
check 'cron sees five times and a user' grep -Eq \
	'^(\* ){5}root \[' "$P/etc/cron.d/mailroot"
check 'cron: no per cent sign' sh -c "! grep -v '^#' '$P/etc/cron.d/mailroot' |
	grep -q %"

# ---- systemd ----------------------------------------------------------------

units=$P/usr/lib/systemd/system
if ! command -v systemd-analyze >/dev/null; then
	skip 'the units: there is no systemd-analyze'
else
	expect_exit 'the units' 0 systemd-analyze verify --man=no \
		--recursive-errors=no "$units"/mailroot*
	expect_silent 'the units'
	for unit in mailroot mailroot-watch; do
		expect_exit "$unit: exposed" 0 systemd-analyze security \
			--offline=yes --threshold=30 "$units/$unit.service"
	done
fi
if [ "$(id -u)" -ne 0 ] || ! command -v systemd-tmpfiles >/dev/null ||
    ! command -v systemd-sysusers >/dev/null; then
	skip 'sysusers and tmpfiles: they need root and systemd'
else
	# Names are looked up in this machine's files, so in a world of its own.
	mkdir -p "$D/etc" "$D/var/spool"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$D/etc/passwd"
	printf 'root:x:0:\n' >"$D/etc/group"
	expect_exit 'sysusers' 0 systemd-sysusers --root="$D"
	expect_file_has 'sysusers' "$D/etc/passwd" \
		'^mailroot:.*:/var/spool/mailroot:'
	# shellcheck disable=SC2016 # expanded by the inner shell
	expect_exit 'tmpfiles, then --setup' 0 unshare --mount sh -c '
		mount --bind "$0/etc" /etc && mount --bind "$0/var" /var &&
		systemd-tmpfiles --create "$0/usr/lib/tmpfiles.d/mailroot.conf" &&
		"$0/usr/sbin/sendmail" --setup' "$D"
	expect_file_lacks '--setup finds the folders as they should be' \
		"$STDOUT" 'mailroot/(Queue|State|Badmail|Drop|Pickup)|spool/mailroot '
	check 'only the bit was lacking' test "$(wc -l <"$STDOUT")" = 1
fi

finish
