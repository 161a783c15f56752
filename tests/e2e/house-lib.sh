# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# A house with rights, as an installation makes it, in a mount namespace of the
# test's own: users and groups in an /etc that is a copy, /var/spool/mailroot on
# an empty file system, the program set-group-id, and a network with nothing but
# itself.  Sourced instead of lib.sh; runs the test once more inside, and ends
# it with a skip where that cannot be.

HOUSE_SELF=$0
if [ -z "${IN_HOUSE:-}" ] && [ "$(id -u)" = 0 ] &&
    unshare --mount --uts --net ip link set lo up 2>/dev/null; then
	IN_HOUSE=yes exec unshare --mount --uts --net "$HOUSE_SELF" "$@"
fi
[ -z "${IN_HOUSE:-}" ] || ip link set lo up
. "$(dirname "$0")/lib.sh"
if [ -z "${IN_HOUSE:-}" ]; then
	skip 'a set-group-id installation: not root, or no namespaces here'
	finish
fi
case $BUILD in
*/san)	skip 'borrowed rights: no sanitizer may look into such a process'
	finish ;;
esac

# The rooms go with the namespace; only what is below them must be free.
trap 'umount -l "$WORK/house" /etc 2>/dev/null; cleanup' EXIT

SPOOL=/var/spool/mailroot
ROOT=$SPOOL
CONF=/etc/mailroot/mailroot.conf
SENDMAIL=$WORK/house/sendmail
LOG=$WORK/house/log/mail.log
SECRET='correct horse 7$x'		# the password
MAILROOT=39801 ALICE=39811 CAROL=39812 OTTO=39813 WWW=39814
OPERATORS=39821 READERS=39822

build_house() {
	mount --make-rprivate /
	cp -a /etc "$WORK/etc"
	rm -rf "$WORK/etc/mailroot" "$WORK/etc/aliases" "$WORK/etc/mailname"
	mkdir "$WORK/etc/mailroot"
	for line in mailroot:$MAILROOT alice:$ALICE carol:$CAROL otto:$OTTO \
		www-data:$WWW; do
		name=${line%:*} id=${line#*:}
		sed -i "/^$name:/d" "$WORK/etc/passwd" "$WORK/etc/group"
		echo "$name:x:$id:$id:$name:/:/bin/sh" >>"$WORK/etc/passwd"
		echo "$name:x:$id:" >>"$WORK/etc/group"
	done
	{
		echo "mailops:x:$OPERATORS:otto"
		echo "mailread:x:$READERS:mailroot"
	} >>"$WORK/etc/group"
	mount --bind "$WORK/etc" /etc
	mount -t tmpfs -o mode=755 none /var/spool
	mkdir "$WORK/house"
	chmod 755 "$WORK"
	mount -t tmpfs -o mode=755,suid none "$WORK/house"
	install -o 0 -g $MAILROOT -m 2755 "$BUILD/sendmail" "$SENDMAIL"
	install -d -o 0 -g $MAILROOT -m 2770 "$WORK/house/log"
	for name in alice carol otto www; do
		install -d -m 700 "$WORK/house/$name"
	done
	chown $ALICE:$ALICE "$WORK/house/alice"
	chown $CAROL:$CAROL "$WORK/house/carol"
	chown $OTTO:$OTTO "$WORK/house/otto"
	chown $WWW:$WWW "$WORK/house/www"
	build_spool
	printf '%s\n' "$SECRET" >/etc/mailroot/password
	chown 0:$MAILROOT /etc/mailroot/password
	chmod 640 /etc/mailroot/password
	# What hides in the house: readable by the group and nobody else.
	printf 'Subject: private\n\nthe hidden text\n' >"$WORK/house/hidden"
	chown 0:$MAILROOT "$WORK/house/hidden"
	chmod 660 "$WORK/house/hidden"
}

# The folders, empty, with the owners and modes of an installation.
build_spool() {
	rm -rf "$SPOOL"
	install -d -m 755 "$SPOOL"
	install -d -o $MAILROOT -g $MAILROOT -m 3770 "$SPOOL/Queue"
	install -d -o $MAILROOT -g $MAILROOT -m 2770 "$SPOOL/State"
	install -d -o $MAILROOT -g $MAILROOT -m 2770 "$SPOOL/Badmail"
	install -d -o $MAILROOT -g $READERS -m 2770 "$SPOOL/Drop"
	install -d -o $MAILROOT -g $MAILROOT -m 3733 "$SPOOL/Pickup"
}

# house_conf 'Key = value'...: mailroot.conf as an operator writes it.
house_conf() {
	write_conf 'MailRoot = /var/spool/mailroot' "LogFile = $LOG" \
		'Operators = mailops' "$@"
	chmod 644 "$CONF"
}

# as USER command...: with nothing of ours but PATH; user, groups, directory.
as() {
	user=$1
	shift
	case $user in
	root)	(cd / && env -i PATH="$PATH" "$@") ;;
	*)	dir=$user
		[ "$user" != www-data ] || dir=www
		(cd "$WORK/house/$dir" &&
		setpriv --reuid="$user" --regid="$user" --init-groups -- \
			env -i PATH="$PATH" "$@") ;;
	esac
}

same() {
	if [ "$2" = "$3" ]; then good; else
		bad "$1"
		printf '    got    %s\n    wanted %s\n' "$2" "$3"
	fi
}
