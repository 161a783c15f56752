/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A group and a user for the spool: see account.h.
 *
 * The one idea: each of the four files is replaced whole by a copy with one
 * line more, under the lock that the system's own tools take.  No line that
 * stands there is understood or changed, only its name is looked at.
 *
 * systemd-sysusers or adduser would do the same, but starting a program is
 * not our way, and a small container has neither.  lckpwdf(3) is an empty
 * function in musl, so its lock is taken here by hand; the name of the new
 * file is the one BusyBox takes for its lock.
 *
 * The entry in passwd comes last: whatever stops us before it, the next time
 * finds no user and goes on with what is missing.
 */
#include "in/account.h"
#include "config.h"
#include "lib/buf.h"
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A passwd with 100,000 users has a tenth of this. */
#define FILE_MAX_OCTETS (64 * 1024 * 1024)
/* As long as lckpwdf waits. */
#define LOCK_MS 15000
#define LOCK_STEP_MS 100
/* A new file this old has no process behind it any more. */
#define STALE_SECONDS 60

void account_find(struct account *a)
{
	const struct group *gr = getgrnam(MAILROOT_GROUP);
	const struct passwd *pw = getpwnam(MAILROOT_USER);

	*a = (struct account){ .group = gr != NULL, .user = pw != NULL };
	if (gr)
		a->gid = gr->gr_gid;
	if (pw)
		a->uid = pw->pw_uid;
}

/* ---- numbers -------------------------------------------------------------- */

static bool is_free(unsigned id)
{
	return !getpwuid(id) && !getgrgid(id);
}

/* From the top, as systemd-sysusers does; 0 if there is none. */
static unsigned pick(unsigned wish)
{
	unsigned id;

	if (wish > 0 && wish <= SYSTEM_ID_MAX && is_free(wish))
		return wish;
	for (id = SYSTEM_ID_MAX; id >= SYSTEM_ID_MIN; id--)
		if (is_free(id))
			return id;
	return 0;
}

/* ---- one file ------------------------------------------------------------- */

struct etc {
	const char *name;
	char path[256], fresh[256];	/* the file, and the one to replace it */
	struct stat st;
	struct buf text;
};

static int load(struct etc *e)
{
	/* A link may lead out of /etc, and the rename would break it. */
	int fd = open(e->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	ssize_t n = -1;
	char *p;

	if (fd < 0)
		return -1;
	if (fstat(fd, &e->st) == 0 && S_ISREG(e->st.st_mode)) {
		while ((p = buf_room(&e->text, IO_CHUNK)) != NULL &&
		       (n = read_some(fd, p, IO_CHUNK, NULL)) > 0)
			buf_grew(&e->text, (size_t)n);
		if (!p)
			errno = EFBIG;
	} else {
		errno = EINVAL;
	}
	close(fd);
	return n == 0 ? 0 : -1;
}

/* Is there a line of this name? */
static bool has(const struct etc *e, const char *name)
{
	struct cursor c = cursor_on(buf_data(&e->text), buf_len(&e->text));
	const char *line;
	size_t n, want = strlen(name);

	while (cursor_line(&c, &line, &n))
		if (n > want && memcmp(line, name, want) == 0 &&
		    line[want] == ':')
			return true;
	return false;
}

/* SELinux gives a file in /etc a label that login programs may not read; the
 * old file's is the right one.  Where there is none this does nothing. */
static void copy_label(const struct etc *e, int fd)
{
	char label[256];
	ssize_t n = getxattr(e->path, "security.selinux", label, sizeof label);

	if (n > 0 && fsetxattr(fd, "security.selinux", label, (size_t)n, 0) != 0)
		errno = 0;	/* no worse than without */
}

static int open_fresh(const struct etc *e)
{
	struct stat st;
	int fd, left;

	for (left = LOCK_MS / LOCK_STEP_MS; ; left--) {
		fd = open(e->fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
			  O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST || left == 0)
			return fd;
		if (lstat(e->fresh, &st) == 0 &&
		    st.st_mtime + STALE_SECONDS < now_real())
			unlink(e->fresh);
		else
			poll(NULL, 0, LOCK_STEP_MS);
	}
}

static void sync_etc(void)
{
	int fd = open(PATH_ETC, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);	/* lost, it is made again */
		close(fd);
	}
}

/* The text becomes the file. */
static int replace(const struct etc *e)
{
	int fd = open_fresh(e), err;

	if (fd < 0)
		return -1;
	copy_label(e, fd);
	if (fchown(fd, e->st.st_uid, e->st.st_gid) == 0 &&
	    fchmod(fd, e->st.st_mode & 07777) == 0 &&
	    write_full(fd, buf_data(&e->text), buf_len(&e->text)) == 0 &&
	    fsync(fd) == 0 && rename(e->fresh, e->path) == 0) {
		close(fd);
		sync_etc();
		return 0;
	}
	err = errno;
	close(fd);
	unlink(e->fresh);
	errno = err;
	return -1;
}

/* Adds a line to PATH_ETC/name unless one of this name is there.  A shadow
 * file that is not there is not missed. */
static int add_line(const char *name, bool needed, const char *entry,
		    const char *line, char *why, size_t size)
{
	struct etc e = { .name = name };
	int status = 0;

	snprintf(e.path, sizeof e.path, PATH_ETC "/%s", name);
	snprintf(e.fresh, sizeof e.fresh, PATH_ETC "/%s+", name);
	buf_init(&e.text, FILE_MAX_OCTETS);
	if (load(&e) != 0) {
		status = errno == ENOENT && !needed ? 0 : -1;
	} else if (!has(&e, entry)) {
		if (buf_len(&e.text) > 0 &&
		    buf_data(&e.text)[buf_len(&e.text) - 1] != '\n')
			buf_putc(&e.text, '\n');
		buf_puts(&e.text, line);
		if (e.text.failed)
			errno = EFBIG;
		status = e.text.failed ? -1 : replace(&e);
	}
	if (status)
		snprintf(why, size, "%s: %s", e.path, errno == ELOOP ?
			 "it is a symbolic link" : strerror(errno));
	/* Password hashes were in it. */
	explicit_bzero(buf_data(&e.text), buf_len(&e.text));
	buf_free(&e.text);
	return status;
}

/* ---- the lock --------------------------------------------------------------- */

/* The lock of lckpwdf(3), useradd(8) and systemd-sysusers(8).  A descriptor,
 * or -1 with a reason. */
static int lock(char *why, size_t size)
{
	static const char path[] = PATH_ETC "/.pwd.lock";
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int left;

	for (left = LOCK_MS / LOCK_STEP_MS; fd >= 0 && left > 0; left--) {
		if (fcntl(fd, F_SETLK, &all) == 0)
			return fd;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			break;
		poll(NULL, 0, LOCK_STEP_MS);
	}
	snprintf(why, size, "%s: %s", path, fd >= 0 && left == 0 ?
		 "somebody else holds it" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- both ------------------------------------------------------------------- */

static int make_group(struct account *a, unsigned id, char *why, size_t size)
{
	char line[128];

	if (add_line("gshadow", false, MAILROOT_GROUP, MAILROOT_GROUP
		     ":!::\n", why, size) != 0)
		return -1;
	snprintf(line, sizeof line, MAILROOT_GROUP ":x:%u:\n", id);
	if (add_line("group", true, MAILROOT_GROUP, line, why, size) != 0)
		return -1;
	a->group = true;
	a->gid = id;
	return 0;
}

static int make_user(struct account *a, unsigned id, char *why, size_t size)
{
	static const char *const shells[] = { "/usr/sbin/nologin",
					      "/sbin/nologin", "/bin/false" };
	char line[256];
	size_t i = 0;

	while (i < 2 && access(shells[i], X_OK) != 0)
		i++;
	/* No password fits "!*"; the number is today, in days. */
	snprintf(line, sizeof line, MAILROOT_USER ":!*:%lld::::::\n",
		 (long long)(now_real() / 86400));
	if (add_line("shadow", false, MAILROOT_USER, line, why, size) != 0)
		return -1;
	snprintf(line, sizeof line, MAILROOT_USER ":%s:%u:%u:mailroot:"
		 PATH_MAILROOT ":%s\n", access(PATH_ETC "/shadow", F_OK) == 0 ?
		 "x" : "*", id, (unsigned)a->gid, shells[i]);
	if (add_line("passwd", true, MAILROOT_USER, line, why, size) != 0)
		return -1;
	a->user = true;
	a->uid = id;
	return 0;
}

/* Under the lock. */
static int make(struct account *a, const struct account *wish, char *why,
		size_t size)
{
	unsigned id;

	/* Somebody else may have made them while we waited. */
	account_find(a);
	if (!a->group) {
		id = pick(wish->gid);
		if (id == 0 || make_group(a, id, why, size) != 0)
			return -1;
	}
	if (!a->user) {
		/* The same number for both where it can be. */
		id = wish->uid > 0 && wish->uid <= SYSTEM_ID_MAX &&
			!getpwuid(wish->uid) ? wish->uid :
			a->gid <= SYSTEM_ID_MAX && !getpwuid(a->gid) ? a->gid :
			pick(0);
		if (id == 0 || make_user(a, id, why, size) != 0)
			return -1;
	}
	account_find(a);
	if (a->group && a->user)
		return 0;
	snprintf(why, size, "the system does not find what was written to "
		 PATH_ETC "/passwd and group: see nsswitch.conf");
	return -1;
}

int account_make(struct account *a, const struct account *wish, char *why,
		 size_t size)
{
	int fd = lock(why, size), status;

	if (fd < 0)
		return -1;
	snprintf(why, size, "no number from %d to %d is free", SYSTEM_ID_MIN,
		 SYSTEM_ID_MAX);
	status = make(a, wish, why, size);
	close(fd);
	return status;
}
