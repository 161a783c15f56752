#!/bin/sh
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
#
# sendmail --setup, each time in a mount namespace with an /etc and a
# /var/spool of its own.  In reading order: a new host, once more, what is
# wrong is corrected, what is refused, /etc as it comes, without the rights.

. "$(dirname "$0")/lib.sh"

unshare --mount true 2>"$STDERR" || {
	skip "all of it: no mount namespace here: $(cat "$STDERR")"
	finish
}
chmod 755 "$WORK"

# ---- worlds -----------------------------------------------------------------

# world NAME: an /etc as a small Debian has it, an empty spool, the program.
world() {
	W=$WORK/$1
	mkdir -p "$W/etc" "$W/spool" "$W/bin"
	cp "$BUILD/sendmail" "$W/bin/sendmail"
	chown -R root:root "$W"
	chmod 755 "$W" "$W/bin/sendmail"
	cat >"$W/etc/passwd" <<-END
		root:x:0:0:root:/root:/bin/sh
		daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
		www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
		nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	END
	cat >"$W/etc/group" <<-END
		root:x:0:
		daemon:x:1:
		www-data:x:33:
		readers:x:50:www-data
		nogroup:x:65534:
	END
	sed 's/:.*/:*:20000:0:99999:7:::/' "$W/etc/passwd" >"$W/etc/shadow"
	sed 's/:.*/:*::/' "$W/etc/group" >"$W/etc/gshadow"
	chgrp 42 "$W/etc/shadow" "$W/etc/gshadow"
	chmod 640 "$W/etc/shadow" "$W/etc/gshadow"
	cp -a "$W/etc" "$W/etc.before"
	PREPARE=:
}

# inside command...: in the world, after PREPARE, shell text that may mount.
inside() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount ${NAMESPACE:-} env -i PATH="$PATH" \
		${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} ${ENV:-} \
		sh -c 'set -e; W=$1 prepare=$2; shift 2
			mount --bind "$W/etc" /etc
			mount --bind "$W/spool" /var/spool
			eval "$prepare"
			exec "$@"' sh "$W" "$PREPARE" "$@"
}
setup() { inside ${PRE:-} "$W/bin/sendmail" --setup "$@"; }
as_user() { inside setpriv --reuid 33 --regid 33 --clear-groups "$@"; }

# owned PATH OWNER:GROUP MODE: with the names of the world.
owned() {
	is=$(inside stat -c '%U:%G %a' "$1")
	if [ "$is" = "$2 $3" ]; then good; else
		bad "$1 is $is, not $2 $3"
	fi
}
house() {
	owned /var/spool/mailroot root:root 755
	owned /var/spool/mailroot/Queue "$1" 3770
	owned /var/spool/mailroot/State "$1" 2770
	owned /var/spool/mailroot/Badmail "$1" 2770
	owned /var/spool/mailroot/Drop "$1" 2770
	owned /var/spool/mailroot/Pickup "$1" 3733
}
# All that --setup may change, but for times.
picture() {
	(cd "$W" && find etc spool bin -printf '%p %U:%G %m %l %i\n' | sort &&
		find etc -type f -exec cksum '{}' + | sort)
}
# entries FILE: of mailroot in the world's /etc.
entries() { grep -c '^mailroot:' "$W/etc/$1" || :; }

# ---- a new host -------------------------------------------------------------

world new
ENV='SENDMAIL_SMARTHOST=[192.0.2.1] SENDMAIL_ROUTEUSERNAME=web1
	SENDMAIL_ROUTEPASSWORD=se#cret SENDMAIL_NOSUCHTHING=1
	SENDMAIL_DEFAULTDOMAIN=client.test'
expect_exit 'a new host' 0 setup
for word in 'made group mailroot \(gid 999\)' 'made user mailroot \(uid 999\)' \
    'made /var/spool/mailroot \(root:root 0755\)' \
    'made /var/spool/mailroot/Queue \(mailroot:mailroot 3770\)' \
    'made /var/spool/mailroot/Pickup \(mailroot:mailroot 3733\)' \
    'wrote /etc/mailroot/secret \(root:mailroot 0640\)' \
    'wrote /etc/mailroot/mailroot.conf: .*SmartHost.*RoutePasswordFile' \
    'corrected .*/bin/sendmail: was root:root 0755, is root:mailroot 2755'; do
	expect_file_has "a new host: it says so" "$STDOUT" "^$word"
done
expect_file_lacks 'a new host: no password is shown' "$STDOUT" 'se#cret'
house mailroot:mailroot
for file in passwd group shadow gshadow; do
	sed '$d' "$W/etc/$file" | cmp -s - "$W/etc.before/$file" && good ||
		bad "/etc/$file: more than one line was added"
	check "/etc/$file: one entry" test "$(entries $file)" = 1
	check "/etc/$file: owner and mode are kept" test \
		"$(stat -c '%u:%g %a' "$W/etc/$file")" = \
		"$(stat -c '%u:%g %a' "$W/etc.before/$file")"
done
expect_file_has 'nobody can log in' "$W/etc/shadow" '^mailroot:!\*:[0-9]+:'
expect_file_has 'nobody gets a shell' "$W/etc/passwd" \
	'^mailroot:x:999:999:.*:/var/spool/mailroot:/.*(nologin|false)$'
check 'nothing is left beside them' test -z "$(find "$W/etc" -name '*+')"
owned /etc/mailroot/mailroot.conf root:root 644
owned /etc/mailroot/secret root:mailroot 640
expect_file_lacks 'the settings hold no password' \
	"$W/etc/mailroot/mailroot.conf" 'se#cret|RoutePassword '
check 'the secret is whole' test "$(cat "$W/etc/mailroot/secret")" = 'se#cret'
ENV=
# e2e/musl has a program without OpenSSL, which -bv asks what TLS needs.
if [ -z "${WITHOUT_OPENSSL:-}" ]; then
	expect_exit 'the settings can be read' 0 inside "$W/bin/sendmail" \
		-O DeliveryMode=queueonly -bv bob@far.test
	expect_file_has 'and name the smart host' "$STDOUT" '192\.0\.2\.1'
fi

# The bit does what it is for.
case $BUILD in
*/san)	instrumented=yes ;;	# it cannot look for leaks with the bit set
*)	instrumented= ;;
esac
if [ -n "$instrumented" ]; then
	skip 'the set-group-id bit: not on an instrumented program'
elif findmnt -no OPTIONS -T "$W/bin" 2>/dev/null | grep -q nosuid; then
	skip 'the set-group-id bit: the temporary directory is mounted nosuid'
else
	expect_exit 'www-data leaves a message' 0 as_user sh -c \
		"printf 'Subject: x\n\nbody\n' | $W/bin/sendmail -odq bob@far.test"
	expect_silent 'www-data leaves a message'
	check 'it stands in Queue, in the right group' test "$(inside find \
		/var/spool/mailroot/Queue -name '*.eml' -group mailroot \
		-user www-data | wc -l)" = 1
	expect_exit 'www-data cannot list Queue' 2 as_user \
		ls /var/spool/mailroot/Queue
fi

# ---- once more --------------------------------------------------------------

picture >"$WORK/before"
ENV='SENDMAIL_SMARTHOST=other.test SENDMAIL_ROUTEUSERNAME=web1'
expect_exit 'a second run' 0 setup
expect_silent 'a second run'
picture >"$WORK/after"
check 'a second run changes nothing' cmp "$WORK/before" "$WORK/after"
rm "$W/etc/mailroot/mailroot.conf"
ENV='SENDMAIL_ROUTEUSERNAME=web1 SENDMAIL_ROUTEPASSWORD=new'
expect_exit 'another secret is there' 0 setup
expect_file_has 'it is kept, and said' "$STDOUT" '^lacking: .*secret was there'
check 'it is kept' test "$(cat "$W/etc/mailroot/secret")" = 'se#cret'
chmod 644 "$W/etc/mailroot/secret"
ENV='SENDMAIL_ROUTEUSERNAME=web1'	# a password there would take its place
expect_exit 'a secret for all to read' 0 setup
expect_file_has 'is named' "$STDOUT" '^lacking: .*secret can be read by every'
ENV=
printf 'RoutePassword = x\n' >"$W/etc/mailroot/mailroot.conf"
expect_exit 'a password in the settings' 0 setup
expect_file_has 'is named' "$STDOUT" '^lacking: everybody can read .*conf'
echo 'MailRoot = /var/spool/mailroot' >"$W/other.conf"
rm "$W/etc/mailroot/mailroot.conf"
expect_exit 'with -C' 0 setup -C "$W/other.conf" -O SmartHost=a.test
check 'no settings are written' test ! -e "$W/etc/mailroot/mailroot.conf"

# Four at a time: one entry each.
world crowd
expect_exit 'four at a time' 0 inside sh -c "for i in 1 2 3 4; do
	$W/bin/sendmail --setup & done; wait"
for file in passwd group shadow gshadow; do
	check "four at a time: one entry in $file" test "$(entries $file)" = 1
done
house mailroot:mailroot

# ---- what is wrong is corrected ---------------------------------------------

Q=$W/spool/mailroot/Queue
chmod 777 "$Q"
chgrp 33 "$Q"
chmod 755 "$W/spool/mailroot/Pickup"
chown 33 "$W/spool/mailroot"
: >"$Q/20300101T000000Z-one.eml"
echo shared >"$W/spool/shared"
chgrp 33 "$Q/20300101T000000Z-one.eml" "$W/spool/shared"
ln "$W/spool/shared" "$Q/linked.eml"
ln -s "$W/spool/shared" "$Q/link.eml"
expect_exit 'wrong owners and modes' 0 setup
expect_file_has 'Queue is corrected' "$STDOUT" \
	'^corrected .*/Queue: was mailroot:www-data 2777, is mailroot:mailroot 3770'
expect_file_has 'and its file' "$STDOUT" 'group of 1 file in .*/Queue'
expect_file_lacks 'the others were right' "$STDOUT" 'State|Drop|Badmail'
house mailroot:mailroot
owned /var/spool/mailroot/Queue/20300101T000000Z-one.eml root:mailroot 644
owned /var/spool/shared root:www-data 644
rm "$Q"/*

chgrp 50 "$W/spool/mailroot/Drop"
expect_exit 'Drop belongs to its readers' 0 setup
expect_empty 'Drop belongs to its readers' "$STDOUT"
chmod 700 "$W/spool/mailroot/Drop"
expect_exit 'its mode is corrected' 0 setup
owned /var/spool/mailroot/Drop mailroot:readers 2770
rmdir "$W/spool/mailroot/State"
expect_exit 'a folder is gone' 0 setup
expect_file_has 'a folder is gone' "$STDOUT" '^made .*/State '
chmod 755 "$W/bin/sendmail"
expect_exit 'the bit is gone' 0 setup
expect_file_has 'the bit is gone' "$STDOUT" 'is root:mailroot 2755'

# ---- what is refused --------------------------------------------------------

world refused
mkdir -p "$W/spool/mailroot" "$W/spool/elsewhere"
ln -s ../elsewhere "$W/spool/mailroot/Queue"
expect_exit 'Queue is a link' 73 setup
expect_file_has 'Queue is a link' "$STDERR" '/Queue,.* is no directory'
owned /var/spool/elsewhere root:root 755
owned /var/spool/mailroot/State mailroot:mailroot 2770
mkdir -m 1777 "$W/spool/all" "$W/spool/empty"
: >"$W/spool/all/something"
expect_exit 'a folder of everybody' 73 setup -O MailRoot=/var/spool/all
expect_file_has 'a folder of everybody' "$STDERR" "everybody's"
owned /var/spool/all root:root 1777
rm "$W/spool/mailroot/Queue"
kept=$W/etc/mailroot/mailroot.conf
mv "$kept" "$kept.aside"
# A slip of the pen must not close half the system.
mkdir -p "$W/spool/system/bin" "$W/spool/disk/lost+found"
chmod 755 "$W/spool/system" "$W/spool/disk"
expect_exit 'a folder with folders' 73 setup \
	-O QueueDirectory=/var/spool/system
expect_file_has 'a folder with folders' "$STDERR" 'has other folders in it'
owned /var/spool/system root:root 755
rm -f "$kept"
expect_exit 'a file system of its own' 0 setup \
	-O QueueDirectory=/var/spool/disk
owned /var/spool/disk mailroot:mailroot 3770
mv "$kept.aside" "$kept"
expect_exit 'an empty one, as tmpfs comes' 0 setup -O MailRoot=/var/spool/empty
owned /var/spool/empty root:root 755
cp "$BUILD/sendmail" "$W/bin/plain"
expect_exit 'not root' 77 as_user "$W/bin/plain" --setup
expect_file_has 'not root' "$STDERR" '^sendmail: --setup is for root'
rm -rf "$W/etc/mailroot"
expect_exit 'a value of two lines' 78 inside env "SENDMAIL_ROUTEPASSWORD=a
b" SENDMAIL_SMARTHOST=a.test "$W/bin/sendmail" --setup
check 'nothing of it is written' test ! -e "$W/etc/mailroot/mailroot.conf" \
	-a ! -e "$W/etc/mailroot/secret"
ENV='SENDMAIL_TLSCIPHERS=a#b SENDMAIL_AUTHMECHANISMS=PLAIN'
expect_exit 'a # without a blank stays' 0 setup -O TlsCiphers='a#b' \
	-O QueueDirectory=/var/spool/q/u/e
expect_file_has 'a # without a blank stays' "$W/etc/mailroot/mailroot.conf" \
	'^TlsCiphers = a#b$'
owned /var/spool/q/u root:root 755
owned /var/spool/q/u/e mailroot:mailroot 3770
rm -rf "$W/etc/mailroot"
expect_exit 'a comment in a value' 78 setup -O 'TlsCiphers=a #b'
check 'a comment in a value' test ! -e "$W/etc/mailroot/mailroot.conf"
ENV='SENDMAIL_SMARTHOSTTYPE=9'
expect_exit 'a bad value' 78 setup
ENV=

# ---- /etc as it comes -------------------------------------------------------

world bare
rm "$W/etc/shadow" "$W/etc/gshadow"
printf %s "$(cat "$W/etc/passwd")" >"$W/etc/passwd"
echo 'mailroots:x:999:' >>"$W/etc/group"
expect_exit 'no shadow, no last line end' 0 setup
check 'no shadow, no last line end' cmp -s "$W/etc/passwd" - <<END
$(cat "$W/etc.before/passwd")
mailroot:*:998:998:mailroot:/var/spool/mailroot:$(cut -d: -f7 "$W/etc/passwd" |
	tail -n 1)
END
check 'no shadow is made' test ! -e "$W/etc/shadow" -a ! -e "$W/etc/gshadow"

world volume
mkdir -p "$W/spool/mailroot/Queue"
chown 345:346 "$W/spool/mailroot/Queue"
expect_exit 'a volume of another host' 0 setup
expect_file_has 'its numbers are taken' "$W/etc/passwd" '^mailroot:x:345:346:'
owned /var/spool/mailroot/Queue mailroot:mailroot 3770

world half
echo 'mailroot:x:77:' >>"$W/etc/group"
expect_exit 'there is a group' 0 setup
expect_file_has 'its number is taken' "$W/etc/passwd" '^mailroot:x:77:77:'
echo 'mailroot:x:77:' >>"$W/etc.before/group"
check 'its entry is left alone' cmp "$W/etc/group" "$W/etc.before/group"

world locked
: >"$W/etc/.pwd.lock"
: >"$W/etc/shadow+"
touch -d '2 minutes ago' "$W/etc/shadow+"
cat >"$W/hold.py" <<END
import fcntl, time
f = open("$W/etc/.pwd.lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("$W/held", "w").close()
time.sleep(1)
open("$W/etc/passwd", "a").write("late:x:998:998::/:/bin/false\n")
END
python3 "$W/hold.py" &
holder=$!
wait_for 5 test -e "$W/held"
expect_exit 'somebody holds the lock' 0 setup
wait "$holder"
expect_file_has 'his change is not lost' "$W/etc/passwd" '^late:'
expect_file_has 'ours follows' "$W/etc/passwd" '^mailroot:'
check 'an old new file is removed' test ! -e "$W/etc/shadow+"

# ---- without the rights -----------------------------------------------------

# cannot 'name' 'regex': no user, and everything else as root's.
cannot() {
	expect_exit "$1" 0 setup
	expect_file_has "$1: said why" "$STDOUT" "^lacking: user and group.*$2"
	expect_file_has "$1: said what remains" "$STDOUT" 'goes through Pickup'
	house root:root
	check "$1: no bit" test "$(stat -c %a "$W/bin/sendmail")" = 755
	cp "$STDOUT" "$WORK/said"
	expect_exit "$1, again" 0 setup
	expect_file_lacks "$1, again: nothing is changed" "$STDOUT" \
		'^(made|corrected|wrote)'
}
world readonly
PREPARE='mount -o remount,bind,ro "$W/etc" /etc'
cannot 'a read-only /etc' 'Read-only file system'
ENV='SENDMAIL_SMARTHOST=relay.test'
expect_exit 'settings for a read-only /etc' 73 setup
expect_file_has 'settings for a read-only /etc' "$STDERR" \
	'cannot write /etc/mailroot/mailroot.conf: Read-only'
ENV=

world symlink
mv "$W/etc/group" "$W/etc/group.real"
ln -s group.real "$W/etc/group"
cannot 'group is a link' 'symbolic link'
check 'the link stays' test -L "$W/etc/group"

world mounted
cp "$W/etc/group" "$W/group"
PREPARE='mount --bind "$W/group" /etc/group'
cannot 'group is a mount' 'group: (Device or r|R)esource busy'

world rootless
chgrp 0 "$W/etc/shadow" "$W/etc/gshadow"
NAMESPACE='--user --map-root-user'
if inside true 2>"$STDERR"; then
	mkdir -p "$W/spool/mailroot"
	expect_exit 'a user namespace with one user' 0 setup
	expect_file_has 'a user namespace with one user' "$STDOUT" \
		'files cannot be given to uid 999'
	house root:root
else
	skip "user namespaces: $(tail -n 1 "$STDERR")"
fi
NAMESPACE=

world nosuid
PREPARE='mount --bind "$W/bin" "$W/bin"
	mount -o remount,bind,nosuid "$W/bin"'
expect_exit 'nosuid' 0 setup
expect_file_has 'nosuid' "$STDOUT" 'mounted nosuid'
PREPARE=:
PRE='setpriv --no-new-privs'
expect_exit 'no_new_privs' 0 setup
expect_file_has 'no_new_privs' "$STDOUT" 'no_new_privs holds here'
PRE=
expect_exit 'with both gone' 0 setup
expect_empty 'with both gone' "$STDOUT"

finish
