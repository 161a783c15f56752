/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Messages at rest.
 *
 * A message is one file, Queue/<due>-<id>.eml: envelope lines, then the
 * message as it goes over the wire.  While it is being made it is
 * Queue/.tmp-<id>.  Badmail has the same form.
 *
 * Promise: once queue_commit() has returned 0, every recipient of the message
 * will be delivered, returned or still found waiting, whatever crashes.
 * Before that nothing is promised, and the submitter is told so.
 *
 *   step                         a crash right after it leaves   recovery
 *   adding
 *   1 create .tmp-<id>, lock     an empty or partial file        old, unlocked:
 *   2 write envelope and text    the same                        unlink
 *   3 fsync(file)                a whole file, unpromised        the same
 *   4 rename to <due>-<id>.eml   the old or the new name; 3 came none: if it is
 *                                first, so never torn            there, it is sent
 *   5 fsync(directory), or       COMMIT: the promise is made     none
 *     syncfs where it cannot
 *     be read (Pickup)
 *     a failure at 5             the name is unlinked, 74 goes   none
 *                                to the caller
 *   telling what became of it
 *   6 write x-status, x-received the old mark or the new one     a lost mark: a
 *   7 fdatasync(file)            the new mark                    second copy
 *   8 rename to the next <due>   the old or the new due          none: a look too
 *                                                                early
 *   giving up
 *   9 commit the report (1-5)    both the message and its        the same id is
 *                                report                          derived: EEXIST
 *  10 mark x-returned (6, 7)     no second report                none
 *  11 rename to Badmail          one of the two names            none
 *  12 fsync(Badmail), fsync(Queue)  the name in Badmail          none
 *   the end
 *  13 unlink                     the file again, every           unlink again
 *                                recipient marked (7 came first)
 *   taking a file from Pickup (its name here follows from what it is there)
 *  14 copy and commit it (1-5)   both                            EEXIST, and 15
 *  15 unlink it in Pickup        the copy, or both               the same
 *  16 fsync(Pickup)              the copy                        none
 *
 * 2 < 3 < 4 forbids torn mail.  5 before success forbids lost mail.  7 before
 * 13 and 9 before 10 forbid forgetting a recipient.  3 and 5 are both needed:
 * measured on ext4 and xfs, without 5 a crash brings the temporary name back.
 *
 * One mark is one byte's difference for x-received (receiver, received); a
 * torn x-returned is neither word, and any other spelling means waiting (or,
 * should its last byte alone have landed, x-received: harmless, 9 came
 * first).  So a torn mark can only repeat, never lose.  After 5 the file never
 * grows, so a full disk cannot stop a mark.  x-status is free text and decides
 * nothing.
 *
 * Locks are flock on the inode, never waited for; after a lock the name is
 * checked to be this inode still, because another process may have renamed or
 * removed it in between.  What is not a regular file with one link and a
 * well-formed envelope whose sizes add up is never sent and never deleted.
 *
 * Not promised: order, and no second copy where we were killed between a
 * server's reply and 7; nor no second report where we were killed between 9
 * and 10, or 14 and 16, and the first has been delivered by then (EEXIST needs
 * it to stand).  Where 15 fails 14 is taken back: what stays in Pickup is not
 * sent.
 *
 * Assumed of the system: rename is atomic, fsync of a file keeps its contents,
 * fsync of a directory its names; EINVAL from the latter means a file system
 * that has none.  A failed fsync is not tried again: the kernel may have
 * thrown the pages away and say yes the next time.
 *
 * tests/crash cuts the power after every system call of each of these courses
 * and asks for the promise.
 */
#include "queue.h"
#include "lib/log.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TMP ".tmp-"
/* musl has neither the name nor the call. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* ---- directories -------------------------------------------------------- */

static int sync_dir(int dir)
{
	if (fsync(dir) == 0 || errno == EINVAL)
		return 0;
	return -1;
}

/* The name of m is durable.  A directory that cannot be read cannot be
 * fsynced: then the file system is. */
static int sync_name(const struct message *m)
{
	return m->q->blind ? syncfs(m->fd) : sync_dir(m->q->dir);
}

/* mkdir, with the mode whatever the umask, and durable in its parent. */
static int make_dir(const char *path, mode_t mode)
{
	char parent[4096];
	char *slash;
	int dir, r;

	if (mkdir(path, 0700) == 0) {
		if (chmod(path, mode) != 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	/* Also where it was there: who made it may not have come to this. */
	if (strlcpy(parent, path, sizeof parent) >= sizeof parent)
		return 0;
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return 0;
	r = sync_dir(dir);
	close(dir);
	return r;
}

/* At first use only: the parent comes first, and is durable in its own. */
static int make_dir_and_parent(const char *path, mode_t mode)
{
	char parent[4096];
	char *slash;

	if (strlcpy(parent, path, sizeof parent) >= sizeof parent)
		return -1;
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		if (make_dir(parent, 0755) != 0)
			return -1;
	}
	return make_dir(path, mode);
}

int queue_open(struct queue *q, const char *path, mode_t mode)
{
	const int how = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	q->path = path;
	q->blind = false;
	q->dir = open(path, how);
	if (q->dir < 0 && errno == ENOENT && mode != 0 &&
	    make_dir_and_parent(path, mode) == 0)
		q->dir = open(path, how);
	return q->dir < 0 ? -1 : 0;
}

int queue_open_blind(struct queue *q, const char *path)
{
	q->path = path;
	q->blind = true;
	q->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return q->dir < 0 ? -1 : 0;
}

void queue_close(struct queue *q)
{
	if (q->dir >= 0)
		close(q->dir);
	q->dir = -1;
}

/* ---- adding ----------------------------------------------------------------- */

static int broken(struct message *m)
{
	m->broken = true;
	return -1;
}

/* Is the name still the inode that fd has? */
static bool still_ours(struct queue *q, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(q->dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static struct message *message_new(struct queue *q)
{
	struct message *m = xcalloc(1, sizeof *m);

	m->q = q;
	m->fd = -1;
	m->env.sender = "";
	return m;
}

/* Steps 1 */
struct message *queue_new(struct queue *q, const char *id)
{
	struct message *m = message_new(q);

	if (id)
		strlcpy(m->id, id, sizeof m->id);
	else
		queueid_new(m->id);
	snprintf(m->name, sizeof m->name, TMP "%s", m->id);
	m->fd = openat(q->dir, m->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
		       O_NOFOLLOW, 0660);			/* 1 */
	if (m->fd < 0 && errno == EEXIST && id) {
		/* The same report, begun by one who was killed: ours now if
		 * nobody holds it.  Unlinking it and beginning anew is the
		 * one way not to inherit half a file. */
		int fd = openat(q->dir, m->name, O_RDWR | O_CLOEXEC |
				O_NOFOLLOW | O_NONBLOCK);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    still_ours(q, m->name, fd))
			unlinkat(q->dir, m->name, 0);
		if (fd >= 0)
			close(fd);
		m->fd = openat(q->dir, m->name, O_RDWR | O_CREAT | O_EXCL |
			       O_CLOEXEC | O_NOFOLLOW, 0660);
	}
	if (m->fd < 0)
		goto fail;
	if (flock(m->fd, LOCK_EX | LOCK_NB) == 0 &&
	    still_ours(q, m->name, m->fd))
		return m;
fail:
	message_free(m);
	return NULL;
}

struct message *queue_new_memory(void)
{
	struct message *m = message_new(NULL);

	queueid_new(m->id);
	m->fd = memfd_create("message", MFD_CLOEXEC);
	if (m->fd >= 0)
		return m;
	message_free(m);
	return NULL;
}

int queue_put_envelope(struct message *m, const struct envelope *e)
{
	struct buf b;
	int r = -1;

	buf_init(&b, ENVELOPE_MAX);
	if (!envelope_print(e, &b)) {
		errno = EMSGSIZE;
	} else {
		m->text_at = (off_t)buf_len(&b);
		r = write_full(m->fd, buf_data(&b), buf_len(&b));	/* 2 */
	}
	/* The parser fills m->env, as for a claimed message: one truth. */
	if (r == 0 && !envelope_parse(&m->env, xstrndup(buf_data(&b),
							buf_len(&b)),
				      buf_len(&b))) {
		errno = EBADMSG;
		r = -1;
	}
	buf_free(&b);
	return r == 0 ? 0 : broken(m);
}

int queue_put_text(struct message *m, const void *p, size_t n)
{
	if (m->broken)
		return -1;
	if (write_full(m->fd, p, n) != 0)			/* 2 */
		return broken(m);
	m->text_size += n;
	return 0;
}

int queue_complete(struct message *m, bool eight_bit)
{
	char first[ENVELOPE_FIRST_LEN + 1];
	const char *body = envelope_body(eight_bit);

	if (m->broken)
		return -1;
	m->env.eight_bit = eight_bit;
	envelope_print_first(first, (size_t)m->text_at, m->text_size);
	if (pwrite_full(m->fd, first, ENVELOPE_FIRST_LEN, 0) != 0 ||	/* 2 */
	    pwrite_full(m->fd, body, strlen(body), m->env.body_at) != 0)
		return broken(m);
	return 0;
}

static void name_of(const struct message *m, time_t due,
		    char name[QUEUE_NAME_LEN + 1])
{
	char stamp[STAMP_LEN + 1];

	stamp_print(stamp, due);
	snprintf(name, QUEUE_NAME_LEN + 1, "%s-%s.eml", stamp, m->id);
}

/* Rename that never replaces.  Where the system has no such call the check
 * comes first: ids are unique, only derived ones can meet. */
static int rename_new(struct queue *from, const char *a, struct queue *to,
		      const char *b)
{
	struct stat st;

	if (syscall(SYS_renameat2, from->dir, a, to->dir, b,
		    RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(to->dir, b, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from->dir, a, to->dir, b);
}

int queue_commit_as(struct message *m, const char *name)
{
	int err;

	if (m->broken || m->committed || !m->q) {
		errno = m->q ? EIO : EROFS;
		return -1;
	}
	if (fsync(m->fd) != 0)					/* 3 */
		return broken(m);
	if (rename_new(m->q, m->name, m->q, name) != 0) {	/* 4 */
		/* There already: by one who may have been killed before 5,
		 * and who believes EEXIST believes that it is durable. */
		if (errno == EEXIST && sync_name(m) == 0)
			errno = EEXIST;
		return -1;
	}
	strlcpy(m->name, name, sizeof m->name);
	if (sync_name(m) != 0) {				/* 5 */
		err = errno;
		unlinkat(m->q->dir, m->name, 0);
		errno = err;
		return broken(m);
	}
	m->committed = true;
	return 0;
}

int queue_commit(struct message *m, time_t due)
{
	char name[QUEUE_NAME_LEN + 1];

	name_of(m, due, name);
	if (queue_commit_as(m, name) != 0)
		return -1;
	m->due = due;
	return 0;
}

int queue_remove(struct message *m)
{
	if (!m->q)
		return 0;
	return unlinkat(m->q->dir, m->name, 0);			/* 13 */
}

/* ---- reading ------------------------------------------------------------------- */

static int load(struct message *m)
{
	char first[ENVELOPE_FIRST_LEN];
	uint64_t envelope, size;
	struct stat st;
	char *text;

	if (fstat(m->fd, &st) != 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (st.st_nlink != 1) {
		errno = st.st_nlink ? EMLINK : ENOENT;
		return -1;
	}
	if (st.st_size < (off_t)sizeof first) {
		errno = EBADMSG;
		return -1;
	}
	if (pread_full(m->fd, first, sizeof first, 0) != 0)
		return -1;
	if (!envelope_parse_first(first, &envelope, &size) ||
	    envelope + size != (uint64_t)st.st_size) {
		errno = EBADMSG;
		return -1;
	}
	text = xcalloc(envelope + 1, 1);
	if (pread_full(m->fd, text, envelope, 0) != 0) {
		free(text);
		return -1;
	}
	m->text_at = (off_t)envelope;
	m->text_size = size;
	if (envelope_parse(&m->env, text, envelope))
		return 0;
	errno = EBADMSG;
	return -1;
}

/* "<due>-<id>.eml" taken apart.  False: a foreign name. */
static bool parse_name(const char *name, time_t *due,
		       char id[QUEUE_ID_LEN + 1])
{
	if (strlen(name) != QUEUE_NAME_LEN || !stamp_parse(name, due) ||
	    name[STAMP_LEN] != '-' || !queueid_is(name + STAMP_LEN + 1) ||
	    strcmp(name + STAMP_LEN + 1 + QUEUE_ID_LEN, ".eml") != 0)
		return false;
	memcpy(id, name + STAMP_LEN + 1, QUEUE_ID_LEN);
	id[QUEUE_ID_LEN] = '\0';
	return true;
}

static struct message *open_named(struct queue *q, const char *name, int how)
{
	struct message *m = message_new(q);

	m->committed = true;
	strlcpy(m->name, name, sizeof m->name);
	if (!parse_name(name, &m->due, m->id)) {
		errno = EINVAL;
	} else {
		/* NONBLOCK: a FIFO of that name must not hold us. */
		m->fd = openat(q->dir, name, how | O_CLOEXEC | O_NOFOLLOW |
			       O_NONBLOCK | O_NOCTTY);
		if (m->fd >= 0)
			return m;
	}
	message_free(m);
	return NULL;
}

/* Opened, locked, and still the file of that name. */
static struct message *claim(struct queue *q, const char *name)
{
	struct message *m = open_named(q, name, O_RDWR);

	if (!m)
		return NULL;
	if (flock(m->fd, LOCK_EX | LOCK_NB) == 0) {
		if (still_ours(q, name, m->fd))
			return m;
		errno = ENOENT;
	}
	message_free(m);
	return NULL;
}

struct message *queue_claim(struct queue *q, const char *name, time_t now)
{
	struct message *m = claim(q, name);

	if (!m)
		return NULL;
	if (load(m) != 0) {
		message_free(m);
		return NULL;
	}
	/* A clock that was wrong when the message came must not expire it. */
	if (m->env.created > now || m->env.created < (time_t)BUILD_EPOCH)
		m->env.created = now;
	return m;
}

struct message *queue_claim_torn(struct queue *q, const char *name)
{
	struct message *m = claim(q, name);
	struct stat st;

	/* Whole by now, or not a plain file with one name: not ours to move. */
	if (m && (load(m) == 0 || errno != EBADMSG ||
		  fstat(m->fd, &st) != 0)) {
		message_free(m);
		return NULL;
	}
	if (m) {
		envelope_free(&m->env);
		m->text_at = 0;
		m->text_size = (uint64_t)st.st_size;
	}
	return m;
}

struct message *queue_peek(struct queue *q, const char *name)
{
	struct message *m = open_named(q, name, O_RDONLY);

	if (!m || load(m) == 0)
		return m;
	message_free(m);
	return NULL;
}

void message_free(struct message *m)
{
	int err = errno;

	if (!m)
		return;
	if (m->fd >= 0)
		close(m->fd);
	envelope_free(&m->env);
	free(m);
	errno = err;
}

size_t message_waiting(const struct message *m)
{
	size_t i, n = 0;

	for (i = 0; i < m->env.nrcpt; i++)
		n += m->env.rcpt[i].state == RCPT_WAITING;
	return n;
}

/* ---- telling what became of it --------------------------------------------------- */

int queue_mark(struct message *m, size_t i, enum rcpt_state state,
	       const char *status)
{
	struct recipient *r = &m->env.rcpt[i];
	char text[STATUS_OCTETS];

	if (m->broken)
		return -1;
	if (status) {
		/* A line end in it would make the envelope unreadable. */
		printable(r->status, STATUS_OCTETS + 1, status, strlen(status));
		envelope_print_status(text, r->status);
		if (pwrite_full(m->fd, text, sizeof text, r->status_at) != 0)
			return broken(m);				/* 6 */
	}
	if (state == r->state)
		return 0;
	if (pwrite_full(m->fd, envelope_marks[state], ENVELOPE_MARK_LEN,
			r->mark_at) != 0)
		return broken(m);					/* 6 */
	r->state = state;
	return 0;
}

int queue_sync(struct message *m)
{
	if (m->broken)
		return -1;
	/* Before the commit nothing is promised: its fsync will do. */
	if (!m->committed)
		return 0;
	return fdatasync(m->fd) == 0 ? 0 : broken(m);			/* 7 */
}

int queue_reschedule(struct message *m, time_t due)
{
	char line[ENVELOPE_CREATED_LEN + 1], name[QUEUE_NAME_LEN + 1];

	if (m->broken)
		return -1;
	envelope_print_created(line, &m->env);
	if (pwrite_full(m->fd, line, ENVELOPE_CREATED_LEN,
			ENVELOPE_FIRST_LEN) != 0)			/* 6 */
		return broken(m);
	if (!m->committed)
		return 0;
	if (fdatasync(m->fd) != 0)					/* 7 */
		return broken(m);
	name_of(m, due, name);
	if (due == m->due)
		return 0;
	if (rename_new(m->q, m->name, m->q, name) != 0)			/* 8 */
		return -1;
	strlcpy(m->name, name, sizeof m->name);
	m->due = due;
	return 0;
}

/* Another file system: a message of its own there, committed, before the name
 * here goes.  From then on m is the one there: marks must not miss it. */
static int move_by_copy(struct message *m, struct queue *to)
{
	struct message *copy = queue_new(to, m->id);
	char chunk[IO_CHUNK];
	off_t at = 0, end = m->text_at + (off_t)m->text_size;
	size_t n;
	int r = -1, err, fd = m->fd;

	if (!copy)
		return -1;
	for (; at < end; at += (off_t)n) {
		n = end - at < (off_t)sizeof chunk ? (size_t)(end - at) :
			sizeof chunk;
		if (pread_full(m->fd, chunk, n, at) != 0 ||
		    queue_put_text(copy, chunk, n) != 0)
			goto out;
	}
	r = queue_commit(copy, m->due);
	if (r == 0 || errno == EEXIST)
		r = unlinkat(m->q->dir, m->name, 0);		/* 13 */
	if (r == 0 && copy->committed) {
		m->q = to;
		m->fd = copy->fd;
		copy->fd = fd;
	}
out:
	err = errno;
	if (!copy->committed)
		queue_remove(copy);
	message_free(copy);
	errno = err;
	return r;
}

int queue_move(struct message *m, struct queue *to)
{
	struct queue *from = m->q;

	if (m->broken || !m->committed) {
		errno = EIO;
		return -1;
	}
	if (rename_new(from, m->name, to, m->name) == 0) {		/* 11 */
		m->q = to;
		if (sync_dir(to->dir) != 0)				/* 12 */
			return broken(m);
		return sync_dir(from->dir);
	}
	if (errno == EEXIST && sync_dir(to->dir) == 0)
		return unlinkat(from->dir, m->name, 0);
	return errno == EXDEV ? move_by_copy(m, to) : -1;
}

/* ---- the schedule ------------------------------------------------------------------ */

/* The directory, read from its start by a descriptor of its own: several
 * sweeps may be under way. */
static DIR *list(struct queue *q)
{
	int fd = openat(q->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

int queue_sweep(struct queue *q, queue_seen *fn, void *ctx)
{
	char id[QUEUE_ID_LEN + 1];
	struct dirent *e;
	time_t due;
	DIR *d = list(q);
	bool more = true;
	int err;

	if (!d)
		return -1;
	for (errno = 0; more && (e = readdir(d)) != NULL; errno = 0) {
		if (strncmp(e->d_name, TMP, strlen(TMP)) == 0 ||
		    strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (parse_name(e->d_name, &due, id))
			more = fn(ctx, e->d_name, due, id);
		else
			more = fn(ctx, e->d_name, 0, NULL);
	}
	err = errno;
	closedir(d);
	errno = err;
	return err && more ? -1 : 0;
}

/* Nobody's: an hour old, a plain file, and its lock is free. */
static bool orphan(struct queue *q, const char *name, time_t now)
{
	struct stat st;
	int fd;
	bool gone = false;

	if (fstatat(q->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode) || st.st_mtime > now - TMP_ORPHAN_SECONDS)
		return false;
	fd = openat(q->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && still_ours(q, name, fd))
		gone = unlinkat(q->dir, name, 0) == 0;
	close(fd);
	return gone;
}

unsigned queue_recover(struct queue *q, time_t now)
{
	struct dirent *e;
	unsigned n = 0;
	DIR *d = list(q);

	if (!d)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, TMP, strlen(TMP)) != 0 ||
		    !orphan(q, e->d_name, now))
			continue;
		/* In Pickup anybody may choose it: no id, a name. */
		log_event(LOG_NOTICE, NULL, "recovered", "file", e->d_name,
			  "text", "an unfinished file that belonged to nobody "
			  "was removed", NULL);
		n++;
	}
	closedir(d);
	return n;
}

uint64_t queue_octets(struct queue *q)
{
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;
	DIR *d = list(q);

	if (!d)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (fstatat(q->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	closedir(d);
	return sum;
}
