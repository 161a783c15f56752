/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Reports and Badmail: see bounce.h.  The text of reports is report.c's; here
 * it is decided who is told, and that it stands before anybody forgets.
 *
 * The one idea: a report's name follows from the message it is about, its id
 * from id and attempt, its due from the time the message came.  Whoever
 * repeats the attempt after a crash makes the same name again, and EEXIST says
 * that the report stands.
 *
 * In reading order: who wants to know, posting a letter of ours, reports,
 * Badmail.
 */
#include "out/bounce.h"
#include "conf.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/drop.h"
#include "out/report.h"
#include "out/route.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- who wants to know ----------------------------------------------- */

/* Is word in a list like "SUCCESS,FAILURE"? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list; list += *list == ',') {
		size_t len = strcspn(list, ",");

		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

/* RFC 3461 4.1: who said nothing wants failures, and delays if we like. */
static bool wants(const struct recipient *rcpt, enum bounce_action action)
{
	return !rcpt->notify ||
	       has_word(rcpt->notify, action == BOUNCE_FAILED ? "FAILURE" :
			"DELAY");
}

/* A copy for SendNdrTo or SendBadTo: of it there is neither report nor copy.
 * Whoever else sends so has asked for the same. */
static bool is_copy(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->env.nrcpt; i++)
		if (!m->env.rcpt[i].notify ||
		    !has_word(m->env.rcpt[i].notify, "NEVER"))
			return false;
	return m->env.nrcpt > 0 && !*m->env.sender;
}

/* ---- posting --------------------------------------------------------- */

/* A letter of ours about a message. */
struct letter {
	struct queue *q;
	struct message *about;
	char purpose;			/* F, D; C and B are copies */
	const char *to;
	const struct report *report;	/* its text is this, or about Badmail */
	const char *why;
	time_t now;
};

static int write_letter(struct message *out, const struct letter *l)
{
	bool copy = l->purpose == 'C' || l->purpose == 'B';
	struct recipient rcpt = { .addr = l->to,
				  .notify = copy ? "NEVER" : NULL };
	struct envelope env = { .uid = l->about->env.uid, .created = l->now,
				.sender = "", .nrcpt = 1, .rcpt = &rcpt };

	if (queue_put_envelope(out, &env) != 0)
		return -1;
	return l->report ? report_write(out, l->report) :
		report_badmail(out, l->about, l->why, l->now);
}

/* To a local address the shorter way, which is also the only one that does
 * not need a runner.  False: it must wait in Queue after all. */
static bool drop_letter(struct message *out, const char *to)
{
	const size_t first = 0;
	struct route route;
	struct reply reply;

	route_find(&route, to);
	if (route.kind != ROUTE_LOCAL)
		return false;
	drop_deliver(out, &first, 1, &reply);
	return reply_fate(&reply) == FATE_DELIVERED;
}

static int post(const struct letter *l)
{
	char id[QUEUE_ID_LEN + 1];
	struct message *out;
	int r, err;

	queueid_derive(id, l->about->id, l->about->env.attempts, l->purpose);
	out = queue_new(l->q, id);
	if (!out) {
		/* Its temporary name is in use: not what EEXIST says below. */
		if (errno == EEXIST)
			errno = EBUSY;
		return -1;
	}
	r = write_letter(out, l);
	/* The due: not now, so that it is the same each time; not that of the
	 * message, which lies ahead when a run was told not to wait. */
	if (r == 0 && !drop_letter(out, l->to)) {
		r = queue_commit(out, l->about->env.created);	/* 9 */
		if (r != 0 && errno == EEXIST)
			r = 0;
	}
	err = errno;
	if (!out->committed)
		queue_remove(out);
	message_free(out);
	errno = err;
	return r;
}

static void log_letter(const struct letter *l, const char *event, int result)
{
	char id[QUEUE_ID_LEN + 1];

	queueid_derive(id, l->about->id, l->about->env.attempts, l->purpose);
	log_event(result == 0 ? LOG_INFO : LOG_WARNING, l->about->id, event,
		  "report", id, "to", l->to, "error",
		  result == 0 ? "" : strerror(errno), NULL);
}

/* ---- reports --------------------------------------------------------- */

static int post_report(struct letter *l, enum bounce_action action)
{
	bool failed = action == BOUNCE_FAILED;
	const char *copy_to = conf()->send_ndr_to;
	int r, err;

	l->purpose = failed ? 'F' : 'D';
	l->to = l->about->env.sender;
	r = post(l);
	err = errno;
	log_letter(l, failed ? "returned" : "warned", r);
	if (r == 0 && failed && *copy_to && !addr_same(copy_to, l->to)) {
		l->purpose = 'C';
		l->to = copy_to;
		log_letter(l, "copied", post(l));
	}
	errno = err;
	return r;
}

int bounce_report(struct message *m, enum bounce_action action,
		  const struct bounce_rcpt *rcpt, size_t nrcpt, time_t now)
{
	const struct bounce_rcpt **list = xcalloc(nrcpt, sizeof *list);
	struct report report = { .m = m, .action = action, .rcpt = list,
				 .to = m->env.sender, .now = now };
	struct letter letter = { .q = m->q, .about = m, .report = &report,
				 .now = now };
	struct queue queue = { .dir = -1 };
	int r = -1, err;
	size_t i;

	for (i = 0; i < nrcpt; i++)
		if (wants(&m->env.rcpt[rcpt[i].i], action))
			list[report.nrcpt++] = &rcpt[i];
	if (report.nrcpt == 0) {
		r = 0;
		goto out;
	}
	errno = EDESTADDRREQ;
	if (!*m->env.sender)
		goto out;
	if (!m->q) {
		if (queue_open(&queue, conf()->queue_dir, QUEUE_MODE) != 0)
			goto out;
		letter.q = &queue;
	}
	r = post_report(&letter, action);
out:
	err = errno;
	queue_close(&queue);
	free(list);
	errno = err;
	return r;
}

/* ---- Badmail --------------------------------------------------------- */

/* Where moved messages stand: they point here until they are freed. */
static struct queue badmail = { .dir = -1 };

struct kept {
	char name[QUEUE_NAME_LEN + 1];
	uint64_t size;
};

struct folder {
	struct kept *kept;
	size_t n, cap;
	uint64_t octets;
};

/* What is not named like ours is neither counted nor ever removed. */
static bool weigh(void *ctx, const char *name, time_t due, const char *id)
{
	struct folder *f = ctx;
	struct stat st;

	(void)due;
	if (!id || fstatat(badmail.dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return true;
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->kept = xreallocarray(f->kept, f->cap, sizeof *f->kept);
	}
	strlcpy(f->kept[f->n].name, name, sizeof f->kept[f->n].name);
	f->kept[f->n++].size = (uint64_t)st.st_size;
	f->octets += (uint64_t)st.st_size;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->name,
		      ((const struct kept *)b)->name);
}

/* The oldest go until need octets more fit into max. */
static void make_room(uint64_t need, uint64_t max)
{
	struct folder f = { .n = 0 };
	size_t i;

	if (queue_sweep(&badmail, weigh, &f) == 0 && f.n > 0 &&
	    f.octets + need > max)
		qsort(f.kept, f.n, sizeof *f.kept, by_name);
	for (i = 0; i < f.n && f.octets + need > max; i++) {
		if (unlinkat(badmail.dir, f.kept[i].name, 0) != 0)
			continue;
		f.octets -= f.kept[i].size;
		log_event(LOG_NOTICE, NULL, "badmail-removed", "file",
			  f.kept[i].name, "text", "the oldest in Badmail, "
			  "removed to keep MaxBadMailFolderSize", NULL);
	}
	free(f.kept);
}

/* Room for a message of that size, the oldest going for it.  What cannot be
 * read is nobody's mail that we know of: for it none goes. */
static int room_for(uint64_t size, bool torn)
{
	int64_t kb = conf()->badmail_max_kb;
	uint64_t max = (uint64_t)kb * 1024;

	if (kb < 0)
		return 0;
	if (!torn)
		make_room(size, max);
	else if (queue_octets(&badmail) + size > max) {
		errno = EFBIG;
		return -1;
	}
	return 0;
}

static int move_to_badmail(struct message *m, const char *why)
{
	int64_t kb = conf()->badmail_max_kb;
	bool torn = strcmp(why, "torn") == 0;
	struct stat st;

	if (fstat(m->fd, &st) != 0)
		return -1;
	if (!torn && kb >= 0 && st.st_size > kb * 1024) {
		log_event(LOG_WARNING, m->id, "removed", "why", why, "text",
			  "more than MaxBadMailFolderSize: not kept", NULL);
		return queue_remove(m);
	}
	queue_close(&badmail);
	if (queue_open(&badmail, conf()->badmail_dir, QUEUE_MODE_GROUP) != 0 ||
	    room_for((uint64_t)st.st_size, torn) != 0 ||
	    queue_move(m, &badmail) != 0)			/* 11, 12 */
		return -1;
	log_event(LOG_NOTICE, m->id, "badmail", "why", why, "file", m->name,
		  NULL);
	return 0;
}

int bounce_badmail(struct message *m, const char *why, time_t now)
{
	struct letter letter = { .q = m->q, .about = m, .purpose = 'B',
				 .to = conf()->send_bad_to, .why = why,
				 .now = now };

	if (!m->q || !m->committed || m->broken) {
		errno = EIO;
		return -1;
	}
	if (move_to_badmail(m, why) != 0)
		return -1;
	/* Behind the move: if Badmail cannot be written for a day, each run
	 * would send one more. */
	if (*letter.to && !is_copy(m))
		log_letter(&letter, "copied", post(&letter));
	return 0;
}
