#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# What a container does to us, without a container program: a root of its own
# that has the program and its libraries and little else, a process 1, a
# volume that starts empty and outlives its container, a root that cannot be
# written.

. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork true 2>"$STDERR" || {
	skip 'all of it: it needs root and namespaces'
	finish
}
case $BUILD in
*/san)	skip 'all of it: an instrumented program cannot be set-group-id'
	finish ;;
esac
chmod 755 "$WORK"

# ---- images and containers --------------------------------------------------

# image NAME: sets IMAGE.  Nobody called mailroot is in it.
image() {
	IMAGE=$WORK/image.$1
	mkdir -p "$IMAGE/usr/sbin" "$IMAGE/etc" "$IMAGE/proc" "$IMAGE/dev" \
		"$IMAGE/var/spool/mailroot" "$IMAGE/tmp"
	chmod -R 755 "$IMAGE"
	cp "$BUILD/sendmail" "$IMAGE/usr/sbin/sendmail"
	for library in $(ldd "$BUILD/sendmail" | grep -o '/[^ ]*'); do
		mkdir -p "$IMAGE${library%/*}"
		cp -L "$library" "$IMAGE$library"
	done
	: >"$IMAGE/dev/null"
	echo '127.0.0.1 localhost' >"$IMAGE/etc/hosts"
	printf 'root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n' \
		>"$IMAGE/etc/passwd"
	printf 'root:x:0:\nwww-data:x:33:\n' >"$IMAGE/etc/group"
}
volume() {
	VOLUME=$WORK/volume.$1
	mkdir -m "${2:-755}" "$VOLUME"
}
# prefix of a command line that ends with program and options; the program
# becomes process 1.  ROOTFS is ro or rw.
ROOTFS=rw AS='' BEFORE=''
run_in() {
	# shellcheck disable=SC2016,SC2086 # for the inner shell; lists
	exec unshare --mount --pid --fork --kill-child env -i PATH="$PATH" \
		${ENV:-} \
		sh -c 'set -e; image=$1 volume=$2 rootfs=$3; shift 3
			mount --bind "$image" "$image"
			mount --bind "$volume" "$image/var/spool/mailroot"
			mount --bind /dev/null "$image/dev/null"
			mount -t proc proc "$image/proc"
			[ "$rootfs" = rw ] || mount -o remount,bind,ro "$image"
			exec "$@"' sh "$IMAGE" "$VOLUME" "$ROOTFS" \
		$BEFORE chroot $AS "$IMAGE" "$@"
}
container() { (run_in "$@"); }
# submit OPTIONS: as www-data, who has no more rights than others.
submit() {
	printf 'Subject: hello\n\nbody\n' >"$WORK/text"
	AS='--userspec=33:33 --groups=' container /usr/sbin/sendmail "$@" \
		bob@far.test <"$WORK/text"
}
# The runner in the background; sets RUNNER, which is unshare, and FIRST, its
# process 1.
start_runner() {
	(run_in /usr/sbin/sendmail --setup -bD -q1s) >"$WORK/runner" 2>&1 &
	RUNNER=$!
	servers="$servers $RUNNER"
	wait_for 10 first_is_up || {
		bad 'the runner starts'
		show "$WORK/runner"
	}
}
first_is_up() {
	FIRST=$(cat "/proc/$RUNNER/task/$RUNNER/children" 2>/dev/null) || return 1
	FIRST=${FIRST% }
	[ -n "$FIRST" ] &&
		[ "$(cat "/proc/$FIRST/comm" 2>/dev/null)" = sendmail ]
}
stop_runner() {
	kill -TERM "$FIRST"
	status=0
	wait "$RUNNER" || status=$?
	check "$1: process 1 ends on SIGTERM" test "$status" = 0
}
waiting() { find "$VOLUME" -name '*.eml' | wc -l; }
arrived() { [ "$(count_sink)" -eq "$1" ]; }
picture() {
	(cd "$IMAGE" && find . ! -path './var/spool/mailroot/*' \
		-printf '%p %u:%g %m %T@\n' | sort)
}

start_smtpd
SETTINGS="SENDMAIL_SMARTHOST=127.0.0.1:$PORT SENDMAIL_DEFAULTDOMAIN=client.test
	SENDMAIL_FULLYQUALIFIEDDOMAINNAME=box.client.test"

# ---- an image without a user ------------------------------------------------

image one
volume one
ENV=$SETTINGS
expect_exit 'an empty volume' 0 container /usr/sbin/sendmail --setup
expect_file_has 'an empty volume' "$STDOUT" '^made group mailroot \(gid 999\)'
ENV=
expect_exit 'www-data submits' 0 submit -odq
expect_silent 'www-data submits'
check 'it waits' test "$(waiting)" = 1

# The container goes, the next has given the number away.
rm -rf "$IMAGE"
image two
echo 'others:x:999:' >>"$IMAGE/etc/group"
ENV=$SETTINGS
start_runner
check 'the queue survives its container' wait_for 20 arrived 1
expect_file_has 'with another number for the group' "$WORK/runner" \
	'^made group mailroot \(gid 998\)'
expect_file_has 'the files follow' "$WORK/runner" 'group of 1 file '
check 'it is gone from the volume' wait_for 5 test "$(waiting)" = 0
ENV=
expect_exit 'a message beside the runner' 0 submit -odq
check 'the runner takes it' wait_for 20 arrived 2
stop_runner 'a writable root'

# mailroot.service begins as user mailroot, with no way back.  Its uid is still
# the volume's.
expect_exit 'a message for the service' 0 submit -odq
BEFORE='setpriv --no-new-privs' AS='--userspec=999:998 --groups='
expect_exit 'the service: a run' 0 container /usr/sbin/sendmail -q
BEFORE='' AS=''
check 'the service: delivered' arrived 3

# ---- a root that cannot be written ------------------------------------------

image three
volume build
ENV=$SETTINGS
expect_exit 'the image is built' 0 container /usr/sbin/sendmail --setup
volume three 1777		# as a tmpfs comes
ENV='' ROOTFS=ro
picture >"$WORK/before"
start_runner
wait_for 10 test -d "$VOLUME/Pickup" || bad 'the folders are made'
check 'the volume is closed' test "$(stat -c '%u:%g %a' "$VOLUME")" = '0:0 755'
check 'its Queue is the one of the image' test \
	"$(stat -c '%u:%g %a' "$VOLUME/Queue")" = '999:999 3770'
expect_exit 'read-only: at once' 0 submit
check 'read-only: at once' arrived 4
expect_exit 'read-only: queued' 0 submit -odq
check 'read-only: queued' wait_for 20 arrived 5
BEFORE='setpriv --no-new-privs'
expect_exit 'no new privileges' 0 submit
expect_silent 'no new privileges'
BEFORE='' total=6
check 'no new privileges: the runner takes it' wait_for 20 arrived 6
picture >"$WORK/after"
check 'nothing of the root has changed' cmp "$WORK/before" "$WORK/after"
stop_runner 'a read-only root'

# Settings that reach only the environment: said, and the runner starts.
rm "$IMAGE/etc/mailroot/mailroot.conf"
ENV=$SETTINGS
start_runner
check 'the settings cannot be written: said' wait_for 5 grep -q \
	'cannot write /etc/mailroot/mailroot.conf: Read-only' "$WORK/runner"
stop_runner 'settings in the environment'

stop_smtpd
check 'the dialogues were correct' test "$VIOLATIONS" = 0
check 'each message came once' test "$MESSAGES" = "$total"

# ---- its size ---------------------------------------------------------------

# What an image gains: the stripped program and the libraries that Debian's
# smallest has not.
strip -o "$WORK/stripped" "$BUILD/sendmail"
total=$(stat -c %s "$WORK/stripped")
for library in $(ldd "$BUILD/sendmail" | grep -o '/[^ ]*'); do
	case ${library##*/} in
	libssl*|libcrypto*|libcares*|libbsd*|libmd*)
		total=$((total + $(stat -Lc %s "$library"))) ;;
	esac
done
check "program and libraries: $((total / 1024)) KiB, under 8 MB" \
	test "$total" -lt 8000000

finish
