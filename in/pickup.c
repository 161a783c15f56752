/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Files in Pickup become messages: see pickup.h.  The one idea: a file is
 * never moved into Queue but copied, from one descriptor, because whoever
 * wrote it may hold it open still.  The copy is committed, then the file is
 * unlinked, with the copy under its lock all the time; where that fails the
 * copy is taken back.  So what stays in Pickup has not been sent, and a file
 * that cannot be removed is not sent again by every run.
 *
 * The id of the copy follows from the file (its inode, its change time, its
 * name ...), so that a second copy after a crash finds the first: steps 14 to
 * 16 at the head of queue.c.
 *
 * Pickup is open to everybody, so a name in it is not trusted from one call to
 * the next, no other kind of file is opened, no link is followed, and nobody's
 * file may cost what is another's: neither his place in Badmail nor a run.
 *
 * In reading order: is it finished, reading it, promising it, taking it, what
 * cannot be used, what stays, one file, the pass.
 */
#include "in/pickup.h"
#include "conf.h"
#include "in/alias.h"
#include "in/identity.h"
#include "in/limits.h"
#include "in/message.h"
#include "lib/log.h"
#include "lib/pickuphead.h"
#include "lib/util.h"
#include "out/bounce.h"
#include "out/run.h"
#include "queue.h"

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that did not change for so long is finished, if it is not locked;
 * PICKUP_REST_MS, when a watching run looks again, is a bit more. */
#define REST_MS 1000
/* What an envelope of ours around a refused file adds, and more. */
#define ENVELOPE_ROOM 4096

/* What became of a file.  Those behind STOP stay, and one line a run says so
 * of the first of each kind. */
enum outcome {
	DONE,		/* taken, or in Badmail */
	WAITS,		/* unfinished, or gone: nothing to say */
	STOP,		/* the pass ends here */
	LATE, LINK, OTHER, LINKED, LIMITED, UNREADABLE, STUCK, CROWDED, KINDS
};

static const char *const remarks[KINDS] = {
	[LATE] = "has been empty, locked or growing for an hour",
	[LINK] = "is a symbolic link, which is not followed",
	[OTHER] = "is not a regular file",
	[LINKED] = "has another name (hard link): whose it is cannot be known",
	[LIMITED] = "waits",
	[UNREADABLE] = "cannot be read",
	[STUCK] = "cannot be removed, so it is not sent: it would be sent "
		"again by each run",
	[CROWDED] = "cannot be used, and Badmail has no room for it",
};

/* One pass. */
struct pass {
	struct queue pickup, queue;
	struct stat dir;
	time_t now;
	int64_t until;			/* now_mono */
	unsigned taken;
	bool unlinked;			/* Pickup must be synced */
	bool young;			/* a file has not rested */
	struct user {
		uid_t uid;
		bool over;		/* his limit is reached */
		unsigned refused;	/* of his files, in this pass */
	} *user;
	size_t nuser;
	struct remark {
		unsigned n;
		char first[NAME_MAX + 1], detail[256];
	} remark[KINDS];
};

/* One file, from begin to end. */
struct file {
	const char *name;
	int fd;
	struct stat st;			/* when it was opened */
	off_t at;			/* what is read next */
	char id[QUEUE_ID_LEN + 1];	/* its copy's, and its due */
	time_t due;
	struct pickuphead head;
	struct identity id_of;
	struct incoming in;
	char error[256];		/* why it is what it is */
};

/* ---- is it finished ------------------------------------------------------------ */

static int64_t ms_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* Unchanged for a second.  Of a time in the future nothing is known; then the
 * system's own, when the inode was changed, has the word. */
static bool rested(const struct stat *st)
{
	int64_t age = now_real_ms() - ms_of(&st->st_mtim);

	if (age < 0)
		age = now_real_ms() - ms_of(&st->st_ctim);
	return age >= REST_MS || age < -REST_MS;
}

/* A file of our own that has come by rename says itself that it is whole. */
static bool says_whole(int fd, const struct stat *st)
{
	char first[ENVELOPE_FIRST_LEN];
	uint64_t envelope, message;

	return st->st_size >= ENVELOPE_FIRST_LEN &&
		pread_full(fd, first, sizeof first, 0) == 0 &&
		envelope_parse_first(first, &envelope, &message) &&
		envelope + message == (uint64_t)st->st_size;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool same_name(const struct pass *p, const struct file *f)
{
	struct stat st;

	return fstatat(p->pickup.dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		same_inode(&st, &f->st);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is it what it was when it was opened, and is its name still there?  If not
 * its writer goes on with it, or wants it back. */
static bool unchanged(const struct pass *p, const struct file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && st.st_size == f->st.st_size &&
		same_time(&st.st_mtim, &f->st.st_mtim) &&
		same_time(&st.st_ctim, &f->st.st_ctim) && same_name(p, f);
}

/* Opened, if it is one that may be.  Not for writing: closing it would wake the
 * runner that watches, for this file and for ever. */
static enum outcome open_file(const struct pass *p, struct file *f)
{
	const int how = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	struct stat named;

	if (fstatat(p->pickup.dir, f->name, &named, AT_SYMLINK_NOFOLLOW) != 0)
		return WAITS;
	if (S_ISLNK(named.st_mode))
		return LINK;
	/* Not even opened: a device may do something then. */
	if (!S_ISREG(named.st_mode))
		return OTHER;
	f->st = named;
	f->fd = openat(p->pickup.dir, f->name, O_RDONLY | how);
	if (f->fd < 0)
		return errno == EACCES || errno == EPERM ? UNREADABLE : WAITS;
	if (fstat(f->fd, &f->st) != 0 || !same_inode(&f->st, &named) ||
	    f->st.st_nlink == 0)
		return WAITS;
	return f->st.st_nlink == 1 ? DONE : LINKED;
}

/* The writer's lock is a flock, and may be a shared one, as .NET's streams have
 * it.  NFS gives only that to who reads; and where there are no locks at all,
 * a writer is known by his writing. */
static bool is_locked(const struct file *f)
{
	int r = flock(f->fd, LOCK_EX | LOCK_NB);

	if (r != 0 && errno == EBADF)
		r = flock(f->fd, LOCK_SH | LOCK_NB);
	return r != 0 && errno == EWOULDBLOCK;
}

static enum outcome finished(struct pass *p, const struct file *f)
{
	if (!is_locked(f) && f->st.st_size > 0 && same_name(p, f)) {
		if (rested(&f->st) || says_whole(f->fd, &f->st))
			return DONE;
		p->young = true;
	}
	return f->st.st_mtime < p->now - PICKUP_LATE_SECONDS ? LATE : WAITS;
}

/* ---- reading it ---------------------------------------------------------------- */

/* The same after a crash, and for no two files; not secret. */
static void derive(struct file *f, time_t now)
{
	char seed[NAME_MAX + 128];

	snprintf(seed, sizeof seed, "%llu %lld.%09ld %lld %u %s",
		 (unsigned long long)f->st.st_ino,
		 (long long)f->st.st_ctim.tv_sec, f->st.st_ctim.tv_nsec,
		 (long long)f->st.st_size, (unsigned)f->st.st_uid, f->name);
	queueid_of(f->id, ms_of(&f->st.st_ctim), queueid_hash(seed));
	f->due = f->st.st_ctime < now ? f->st.st_ctime : now;
}

static ssize_t from_file(void *ctx, void *p, size_t n)
{
	struct file *f = ctx;

	if (run_signal) {
		errno = EINTR;
		return -1;
	}
	if ((off_t)n > f->st.st_size - f->at)
		n = (size_t)(f->st.st_size - f->at);
	if (n == 0)
		return 0;
	if (pread_full(f->fd, p, n, f->at) != 0)
		return -1;
	f->at += (off_t)n;
	return (ssize_t)n;
}

/* As much of its beginning as must be seen. */
static enum outcome read_head(struct file *f)
{
	enum pickuphead_result r = PICKUPHEAD_MORE;
	size_t size = (size_t)f->st.st_size, n;
	char *text = NULL;
	int got = 0;

	for (n = IO_CHUNK; r == PICKUPHEAD_MORE && got == 0; n *= 2) {
		if (n > size)
			n = size;
		text = xreallocarray(text, n, 1);
		got = pread_full(f->fd, text, n, 0);
		pickuphead_free(&f->head);
		if (got == 0)
			r = pickuphead_parse(&f->head, text, n, n == size ||
					     n >= ENVELOPE_MAX, f->error);
	}
	free(text);
	if (got != 0)
		return UNREADABLE;
	f->at = (off_t)f->head.text_at;
	return r == PICKUPHEAD_GOOD ? DONE : CROWDED;
}

/* The block's receivers, or where it has none those of the header. */
static int recipients(void *ctx, struct addr_list *from_header,
		      struct addr_list *to, char *error)
{
	const struct file *f = ctx;
	struct addr_list one;
	int status = 0;
	size_t i;

	for (i = 0; i < f->head.nrcpt && status == 0; i++) {
		one = (struct addr_list){ 0 };
		addr_list_add(&one, f->head.rcpt[i].addr);
		status = alias_resolve(to, &one, i, error);
		addr_list_free(&one);
	}
	if (f->in.task.want_recipients)
		status = alias_resolve(to, from_header, 0, error);
	if (status)
		return status;
	addr_list_dedupe(to);
	if (to->n > 0)
		return 0;
	snprintf(error, 256, f->in.task.want_recipients ? "no recipients: "
		 "neither x-receiver nor To, Cc and Bcc name one" :
		 "no recipients: all of them have the message already");
	return EXIT_DATAERR;
}

/* Who owns the file is who submits. */
static int read_message(const struct pass *p, struct file *f)
{
	const struct pickuphead *h = &f->head;
	int status = identity_find(&f->id_of, f->st.st_uid,
				   h->sender ? h->sender : h->author, NULL,
				   f->error, sizeof f->error);

	if (status)
		return status;
	message_prepare(&f->in, &f->id_of);
	f->in.read = from_file;
	f->in.q = (struct queue *)&p->queue;
	f->in.id = f->id;
	f->in.dots = conf()->pickup_dot_stuffed && !h->ours;
	f->in.recipients = recipients;
	f->in.given = h->nrcpt ? h->rcpt : NULL;
	f->in.ctx = f;
	f->in.task.with = "pickup";
	f->in.task.want_recipients = h->nrcpt == 0 && h->done == 0;
	f->in.env.ret = h->ret;
	f->in.env.envid = h->envid;
	status = message_read(&f->in);
	if (status)
		strlcpy(f->error, f->in.error, sizeof f->error);
	return status;
}

/* ---- promising it ---------------------------------------------------------------- */

static enum outcome storage_failed(struct file *f)
{
	log_event(LOG_ERR, NULL, "pickup", "file", f->name, "text", *f->error ?
		  f->error : "cannot be kept in Queue, it waits", "error",
		  strerror(errno), NULL);
	return STOP;
}

/* Is what stands under the copy's name our file's, or the work of somebody who
 * wants it to be taken for that? */
static bool stands(const struct pass *p, const struct file *f)
{
	char stamp[STAMP_LEN + 1], name[QUEUE_NAME_LEN + 1];
	struct message *m;
	bool good;

	stamp_print(stamp, f->due);
	snprintf(name, sizeof name, "%s-%s.eml", stamp, f->id);
	m = queue_peek((struct queue *)&p->queue, name);
	good = m && m->env.uid == f->st.st_uid;
	message_free(m);
	return good;
}

/* Not promised: a file that takes this one's name between the two calls. */
static enum outcome forget(struct pass *p, struct file *f)
{
	/* Gone, or another by now: what was copied is promised. */
	if (!same_name(p, f))
		return DONE;
	if (unlinkat(p->pickup.dir, f->name, 0) != 0 && errno != ENOENT) {
		strlcpy(f->error, strerror(errno), sizeof f->error);
		return STUCK;
	}
	p->unlinked = true;
	return DONE;
}

/* m becomes a promise, the file goes; or neither. */
static enum outcome promise(struct pass *p, struct file *f, struct message *m)
{
	enum outcome o;
	bool again;

	*f->error = '\0';
	if (!unchanged(p, f))
		return WAITS;
	if (queue_commit(m, f->due) != 0) {			/* 14 */
		again = errno == EEXIST;
		if (!again)
			return storage_failed(f);
		return stands(p, f) ? forget(p, f) : STUCK;
	}
	o = forget(p, f);					/* 15 */
	if (o != DONE)
		queue_remove(m);
	return o;
}

/* ---- taking it ----------------------------------------------------------------- */

static struct user *user_of(struct pass *p, uid_t uid)
{
	size_t i;

	for (i = 0; i < p->nuser && p->user[i].uid != uid; i++)
		;
	if (i == p->nuser) {
		p->user = xreallocarray(p->user, ++p->nuser, sizeof *p->user);
		p->user[i] = (struct user){ .uid = uid };
	}
	return &p->user[i];
}

/* Who is over his limit is not counted again for each of his files; and whose
 * files were of no use so often in this pass must not cost others theirs. */
static enum outcome limited(struct pass *p, struct file *f)
{
	struct user *u = user_of(p, f->st.st_uid);

	if (u->refused >= PICKUP_REFUSED_MAX) {
		snprintf(f->error, sizeof f->error, "%u files of user %lu could "
			 "not be used: the others wait for the next run",
			 u->refused, (unsigned long)u->uid);
		return LIMITED;
	}
	if (!u->over)
		u->over = limits_check(&p->queue, u->uid, p->now, f->error,
				       sizeof f->error) != 0;
	return u->over ? LIMITED : DONE;
}

/* Never read: twice the limit is more than line ends and stuffed dots can add
 * to a message. */
static bool far_too_large(struct file *f)
{
	uint64_t max = conf()->max_message_size;

	if (!max || (uint64_t)f->st.st_size <= 2 * max + ENVELOPE_MAX)
		return false;
	snprintf(f->error, sizeof f->error, "the message is larger than "
		 "MaxMessageSize (%llu octets)", (unsigned long long)max);
	return true;
}

/* message_read could not store it.  What is larger than an envelope or a file
 * may be is so by itself; all else would stop the next one, too. */
static enum outcome not_stored(struct file *f)
{
	switch (f->in.storage_errno) {
	case EEXIST:
		return WAITS;		/* another run has it in hand */
	case EMSGSIZE:
		snprintf(f->error, sizeof f->error, "its recipients need more "
			 "than %d octets", ENVELOPE_MAX);
		return CROWDED;
	case EFBIG:
		return LIMITED;
	default:
		errno = f->in.storage_errno;
		return storage_failed(f);
	}
}

/* CROWDED: it cannot be used, f->error says why. */
static enum outcome take(struct pass *p, struct file *f)
{
	enum outcome o;
	int status;

	if (far_too_large(f))
		return CROWDED;
	o = read_head(f);
	if (o != DONE)
		return unchanged(p, f) ? o : WAITS;
	status = read_message(p, f);
	if (status < 0)
		return STOP;
	if (status == 0)
		o = promise(p, f, f->in.m);
	else if (!unchanged(p, f))
		return WAITS;
	else if (f->in.storage_errno)
		return not_stored(f);
	else
		return status == EXIT_IOERR ? UNREADABLE : CROWDED;
	if (o == DONE && f->in.m->committed) {
		limits_count(f->st.st_uid, p->now);
		message_log_accepted(f->in.m, f->in.facts.message_id, "pickup",
			     f->name);
		p->taken++;
	}
	if (!f->in.m->committed)
		queue_remove(f->in.m);
	return o;
}

/* ---- what cannot be used ----------------------------------------------------------- */

/* Nothing that was accepted goes for it.  False: no room. */
static bool has_room(uint64_t octets)
{
	int64_t kb = conf()->badmail_max_kb;
	struct queue q;
	bool good = true;

	octets += ENVELOPE_ROOM;
	if (kb < 0)
		return octets <= PICKUP_BADMAIL_MAX;
	if (queue_open(&q, conf()->badmail_dir, 0) == 0)
		good = queue_octets(&q) + octets <= (uint64_t)kb * 1024;
	queue_close(&q);
	return good && octets <= (uint64_t)kb * 1024;
}

static int copy_octets(struct message *m, const struct file *f)
{
	char chunk[IO_CHUNK];
	off_t at = (off_t)f->head.file_at;
	size_t n;

	for (; at < f->st.st_size; at += (off_t)n) {
		n = f->st.st_size - at < (off_t)sizeof chunk ?
			(size_t)(f->st.st_size - at) : sizeof chunk;
		if (pread_full(f->fd, chunk, n, at) != 0 ||
		    queue_put_text(m, chunk, n) != 0)
			return -1;
	}
	return queue_complete(m, true);
}

/* The file as it is, behind an envelope that says why and whose.  Its one
 * recipient is marked as returned from the begin: nothing of it is ever sent,
 * wherever a crash leaves it. */
static struct message *wrap(struct pass *p, struct file *f)
{
	struct message *m = queue_new(&p->queue, f->id);
	struct recipient owner = { 0 };
	struct envelope env = { .uid = f->st.st_uid, .created = p->now,
				.sender = "", .envid = PICKUPHEAD_REFUSED,
				.nrcpt = 1, .rcpt = &owner };
	struct identity id;
	char ignored[256];

	if (!m)
		return NULL;
	identity_find(&id, f->st.st_uid, NULL, NULL, ignored, sizeof ignored);
	owner.addr = id.author;
	if (queue_put_envelope(m, &env) != 0 || copy_octets(m, f) != 0 ||
	    queue_mark(m, 0, RCPT_RETURNED, f->error) != 0) {
		queue_remove(m);
		message_free(m);
		m = NULL;
	}
	identity_free(&id);
	return m;
}

static void log_refused(const struct file *f)
{
	char uid[16];

	snprintf(uid, sizeof uid, "%u", (unsigned)f->st.st_uid);
	log_event(LOG_WARNING, f->id, "refused", "uid", uid, "pickup", f->name,
		  "text", f->error, NULL);
}

/* Into Queue, where it is nobody's mail, and from there to Badmail as what is
 * given up is: its copies, its limits. */
static enum outcome to_badmail(struct pass *p, struct file *f)
{
	struct message *m;
	char why[sizeof f->error];
	enum outcome o;

	if (conf()->badmail_max_kb == 0) {
		log_refused(f);
		return forget(p, f);
	}
	if (!has_room((uint64_t)f->st.st_size))
		return CROWDED;
	m = wrap(p, f);
	if (!m && (errno == EEXIST || errno == EFBIG))
		return errno == EEXIST ? WAITS : CROWDED;
	if (!m)
		return storage_failed(f);
	strlcpy(why, f->error, sizeof why);
	o = promise(p, f, m);
	if (o == DONE) {
		strlcpy(f->error, why, sizeof f->error);
		log_refused(f);
		if (m->committed && bounce_badmail(m, "pickup", p->now) != 0)
			log_event(LOG_ERR, m->id, "pickup", "text", "stays in "
				  "Queue until Badmail can be written", "error",
				  strerror(errno), NULL);
	}
	if (!m->committed)
		queue_remove(m);
	message_free(m);
	return o;
}

/* Nobody can say what is in it.  It is moved as it is, under a name that is
 * not a message's: its owner can still make it as large as he likes, and what
 * counts in Badmail decides which of the others goes. */
static enum outcome move_unreadable(struct pass *p, struct file *f)
{
	char name[QUEUE_NAME_LEN + 16], stamp[STAMP_LEN + 1];
	struct queue q;
	struct stat st;
	enum outcome o = UNREADABLE;

	if (!rested(&f->st) || !same_name(p, f))
		return WAITS;
	if (f->st.st_nlink != 1)
		return LINKED;
	derive(f, p->now);
	stamp_print(stamp, f->due);
	snprintf(name, sizeof name, "%s-%s.unreadable", stamp, f->id);
	strlcpy(f->error, strerror(EACCES), sizeof f->error);
	if (queue_open(&q, conf()->badmail_dir, QUEUE_MODE_GROUP) == 0 &&
	    fstatat(q.dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	    renameat(p->pickup.dir, f->name, q.dir, name) == 0) {
		snprintf(f->error, sizeof f->error, "it cannot be read: it is "
			 "%s in Badmail", name);
		log_refused(f);
		o = DONE;
	}
	queue_close(&q);
	return o;
}

/* ---- what stays ------------------------------------------------------------------- */

static void remember(struct pass *p, enum outcome o, const struct file *f)
{
	struct remark *r = &p->remark[o];

	if (r->n++ > 0)
		return;
	strlcpy(r->first, f->name, sizeof r->first);
	strlcpy(r->detail, f->error, sizeof r->detail);
}

/* One line a run for each kind. */
static void say_what_stays(const struct pass *p)
{
	const struct remark *r;
	char others[16];
	int o;

	for (o = STOP + 1; o < KINDS; o++) {
		r = &p->remark[o];
		if (r->n == 0)
			continue;
		snprintf(others, sizeof others, "%u", r->n - 1);
		log_event(LOG_WARNING, NULL, "pickup", "file", r->first,
			  "others", r->n > 1 ? others : "", "text", remarks[o],
			  "error", r->detail, NULL);
	}
}

/* ---- one file --------------------------------------------------------------------- */

/* In a sticky directory that is another's only the owner of a file removes
 * it.  Whatever else may forbid that is found out by trying. */
static bool may_remove(const struct pass *p, const struct file *f)
{
	uid_t me = geteuid();

	return me == 0 || !(p->dir.st_mode & S_ISVTX) ||
		me == p->dir.st_uid || me == f->st.st_uid;
}

static enum outcome handle(struct pass *p, struct file *f)
{
	enum outcome o = open_file(p, f);

	if (o == UNREADABLE)
		return move_unreadable(p, f);
	if (o == DONE)
		o = finished(p, f);
	if (o != DONE)
		return o;
	if (!may_remove(p, f))
		return STUCK;
	if (p->queue.dir < 0 &&
	    queue_open(&p->queue, conf()->queue_dir, QUEUE_MODE) != 0)
		return storage_failed(f);
	derive(f, p->now);
	o = limited(p, f);
	if (o == DONE)
		o = take(p, f);
	if (o != CROWDED)
		return o;
	user_of(p, f->st.st_uid)->refused++;
	return to_badmail(p, f);
}

static void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	message_free(f->in.m);
	addr_list_free(&f->in.facts.to);
	pickuphead_free(&f->head);
	identity_free(&f->id_of);
}

/* ---- the pass ----------------------------------------------------------------------- */

/* Names that are nobody's yet, by the custom of those who write them. */
static bool is_name(const char *name)
{
	return name[0] != '.' && !ends_with_nocase(name, ".tmp");
}

static void read_folder(struct pass *p, DIR *d)
{
	struct dirent *e;
	struct file f;
	enum outcome o = DONE;

	while (o != STOP && !run_signal && now_mono() < p->until &&
	       (e = readdir(d)) != NULL) {
		if (!is_name(e->d_name))
			continue;
		f = (struct file){ .name = e->d_name, .fd = -1 };
		o = handle(p, &f);
		if (o > STOP)
			remember(p, o, &f);
		file_close(&f);
	}
}

/* Not even who may write there and not read is told more than once a run. */
static DIR *open_folder(struct pass *p)
{
	int fd = -1;
	DIR *d = NULL;

	if (queue_open(&p->pickup, conf()->pickup_dir, 0) == 0 &&
	    fstat(p->pickup.dir, &p->dir) == 0)
		fd = openat(p->pickup.dir, ".", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);
	if (fd >= 0)
		d = fdopendir(fd);
	if (!d && errno != ENOENT)
		log_event(LOG_WARNING, NULL, "pickup", "text", "PickupDirectory "
			  "cannot be read by this run", "error",
			  strerror(errno), NULL);
	if (!d && fd >= 0)
		close(fd);
	return d;
}

unsigned pickup_take(bool *young)
{
	struct pass *p = xcalloc(1, sizeof *p);
	unsigned taken;
	DIR *d;

	p->pickup.dir = p->queue.dir = -1;
	p->now = now_real();
	p->until = now_mono() + PICKUP_PASS_MS;
	d = open_folder(p);
	if (d) {
		queue_recover(&p->pickup, p->now);
		read_folder(p, d);
		closedir(d);
	}
	if (p->unlinked && fsync(p->pickup.dir) != 0 && errno != EINVAL)
		log_event(LOG_ERR, NULL, "pickup", "text", "what was taken may "
			  "come back after a crash", "error", strerror(errno),
			  NULL);					/* 16 */
	say_what_stays(p);
	queue_close(&p->queue);
	queue_close(&p->pickup);
	taken = p->taken;
	*young = p->young;
	free(p->user);
	free(p);
	return taken;
}
