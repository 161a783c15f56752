/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The queue run, the engine's caller: first all names are read (the listing
 * is the schedule, nothing that is not due is opened), then each due file once
 * to learn its next hop; only then is the first message claimed.  So an id is
 * handled at most once a run, and a due message costs struct due and the
 * engine's four octets until its turn comes.
 */
#include "out/run.h"
#include "conf.h"
#include "in/alias.h"
#include "in/limits.h"
#include "in/pickup.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/bounce.h"
#include "out/deliver.h"
#include "out/settle.h"
#include "out/state.h"
#include "queue.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t run_signal;

/* At most 64 octets a due message stay in memory. */
struct due {
	char name[QUEUE_NAME_LEN + 1];
};
_Static_assert(sizeof(struct due) + sizeof(uint32_t) <= 64,
	       "a due message is to cost at most 64 octets");

/* A message that is under way. */
struct underway {
	struct underway *next;
	uint32_t n;
	struct message *m;
	struct settle *st;
};

struct run {
	struct queue q;
	struct deliver *engine;
	struct due *due;
	size_t ndue, cap;
	struct underway *underway;
	time_t now;
	bool flush;
	const struct run_filter *only;	/* NULL: every message */
	time_t latest;		/* a due behind this is a wrong clock's */
	unsigned foreign;
	bool storage_failed;
	uint32_t done;		/* messages settled, for the progress line */
	int64_t begun, shown;	/* now_mono */
	bool terminal;
};

/* ---- the schedule ------------------------------------------------------------ */

static bool seen(void *ctx, const char *name, time_t due, const char *id)
{
	struct run *r = ctx;

	if (!id) {
		/* One line a run, not one a file: foreign files stay. */
		if (r->foreign++ == 0)
			log_event(LOG_WARNING, NULL, "foreign", "file", name,
				  "text", "not a message of ours: left alone",
				  NULL);
		return true;
	}
	if (due > r->now && due <= r->latest && !r->flush && !r->only)
		return true;
	if (r->only && r->only->id && !strcasestr(id, r->only->id))
		return true;
	if (r->ndue == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->due = xreallocarray(r->due, r->cap, sizeof *r->due);
	}
	strlcpy(r->due[r->ndue++].name, name, sizeof r->due->name);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct due *)a)->name,
		      ((const struct due *)b)->name);
}

/* Now and a bit more than the longest interval (its jitter is 20 %). */
static time_t latest_due(time_t now)
{
	const struct conf *c = conf();
	time_t longest = 60 * 60;
	size_t i;

	for (i = 0; i < c->nretry; i++)
		if (60 * (time_t)c->retry[i] > longest)
			longest = 60 * (time_t)c->retry[i];
	return now + longest * 12 / 10 + 60;
}

/* ---- one message --------------------------------------------------------------- */

/* What cannot be read as a message: torn ones to Badmail, all else stays. */
static void unusable(struct run *r, const char *name, int err)
{
	struct message *m;

	if (err == EWOULDBLOCK || err == ENOENT)
		return;
	if (err != EBADMSG) {
		log_event(LOG_WARNING, NULL, "foreign", "file", name, "text",
			  "left alone", "error", strerror(err), NULL);
		return;
	}
	m = queue_claim_torn(&r->q, name);
	if (m && bounce_badmail(m, "torn", r->now) != 0)
		log_event(LOG_ERR, NULL, "torn", "file", name, "text",
			  "is no whole message and cannot be moved to Badmail",
			  "error", strerror(errno), NULL);
	message_free(m);
}

static struct underway *find(struct run *r, uint32_t n)
{
	struct underway *u;

	for (u = r->underway; u && u->n != n; u = u->next)
		;
	return u;
}

static void finish(struct run *r, struct underway *u)
{
	struct underway **at;

	if (settle_end(u->st) != 0) {
		r->storage_failed = true;
		log_event(LOG_CRIT, u->m->id, "storage", "text",
			  "what became of the message could not be stored",
			  "error", strerror(errno), NULL);
	}
	settle_free(u->st);
	message_free(u->m);
	for (at = &r->underway; *at != u; at = &(*at)->next)
		;
	*at = u->next;
	free(u);
	r->done++;
}

/* Claims message n and hands it to the engine. */
static void want(struct run *r, uint32_t n)
{
	struct message *m = queue_claim(&r->q, r->due[n].name, now_real());
	struct underway *u;

	if (!m) {
		unusable(r, r->due[n].name, errno);
		deliver_gone(r->engine, n);
		return;
	}
	u = xcalloc(1, sizeof *u);
	u->n = n;
	u->m = m;
	u->st = settle_begin(m, now_real());
	u->next = r->underway;
	r->underway = u;
	settle_local(u->st);
	deliver_give(r->engine, n, m->id, m->fd, &m->env, m->text_at,
		     m->text_size);
}

/* The channel's other end. */
static void told(void *ctx, const struct deliver_record *rec)
{
	struct run *r = ctx;
	struct underway *u;

	switch (rec->what) {
	case DELIVER_WANT:
		if (rec->n < r->ndue)
			want(r, rec->n);
		break;
	case DELIVER_FATE:
		if ((u = find(r, rec->n)) != NULL)
			settle_fate(u->st, rec);
		break;
	case DELIVER_DONE:
		if ((u = find(r, rec->n)) != NULL)
			finish(r, u);
		break;
	default:
		state_learn(rec, NULL);
		break;
	}
}

/* Does the run's filter leave this one out?  Who has his mail already is no
 * reason to try it. */
static bool left_out(const struct run *r, const struct envelope *env)
{
	const struct run_filter *f = r->only;
	size_t i;

	if (!f)
		return false;
	if (f->sender && !strcasestr(env->sender, f->sender))
		return true;
	for (i = 0; f->rcpt && i < env->nrcpt; i++)
		if (env->rcpt[i].state == RCPT_WAITING &&
		    strcasestr(env->rcpt[i].addr, f->rcpt))
			return false;
	return f->rcpt != NULL;
}

/* The first next hop of a due message into the engine's books.  A message
 * with only local recipients has none: it is settled here and now. */
static void book(struct run *r, uint32_t n)
{
	struct message *m = queue_peek(&r->q, r->due[n].name);
	struct settle *st;
	struct route route;
	size_t i;

	if (!m) {
		unusable(r, r->due[n].name, errno);
		return;
	}
	if (left_out(r, &m->env)) {
		message_free(m);
		return;
	}
	for (i = 0; i < m->env.nrcpt; i++) {
		if (m->env.rcpt[i].state != RCPT_WAITING)
			continue;
		route_find(&route, m->env.rcpt[i].addr);
		if (route.kind != ROUTE_LOCAL) {
			deliver_queue(r->engine, n, &route);
			message_free(m);
			return;
		}
	}
	message_free(m);
	m = queue_claim(&r->q, r->due[n].name, r->now);
	if (!m)
		return;
	st = settle_begin(m, r->now);
	settle_local(st);
	if (settle_end(st) != 0)
		r->storage_failed = true;
	settle_free(st);
	message_free(m);
	r->done++;
}

/* ---- the run ------------------------------------------------------------------------ */

/* For somebody who watches: one line, twice a second, written over itself. */
static void progress(struct run *r, bool last)
{
	struct deliver_counts n = deliver_counts(r->engine);
	int64_t now = now_mono();

	if (!r->terminal || (!last && now - r->shown < 500))
		return;
	r->shown = now;
	fprintf(stderr, "\r%u done, %zu waiting, %.0f a second, %u "
		"destinations, %u connections \033[K%s", r->done,
		r->ndue - r->done, r->done * 1000.0 / (double)(now - r->begun +
							       1),
		n.hops, n.sessions, last ? "\n" : "");
}

/* Until the engine has nothing left; a signal lets it end what cannot be cut
 * short and nothing else. */
static void work(struct run *r, struct loop *loop)
{
	struct underway *u;

	while (deliver_busy(r->engine)) {
		loop_turn(loop, now_mono() + (r->terminal ? 500 : 60 * 1000));
		progress(r, false);
		for (u = r->underway; u; u = u->next)
			if (settle_flush(u->st) != 0)
				r->storage_failed = true;
		/* After a failed fsync no mark can be trusted to hold: to go
		 * on delivering would be to make duplicates. */
		if (run_signal || r->storage_failed)
			deliver_stop(r->engine, r->storage_failed ?
				     "storage failed" :
				     "the queue run was ended", false,
				     TIMEOUT_SIGNAL);
	}
}

/* Unfinished files in Drop and Badmail belong to nobody either. */
static void recover_others(time_t now)
{
	const char *const paths[] = { conf()->drop_dir, conf()->badmail_dir };
	struct queue q;
	size_t i;

	for (i = 0; i < 2; i++) {
		if (queue_open(&q, paths[i], 0) == 0)
			queue_recover(&q, now);
		queue_close(&q);
	}
}

/* The last run left a file in Pickup that may still have been growing. */
static bool young;

int run_once(bool flush, const struct run_filter *only)
{
	struct run r = { .flush = flush, .only = only };
	struct deliver_setup setup = { .tell = told,
				       .no_bdat = state_answer_no_bdat,
				       .verbose = conf()->verbose, .ctx = &r };
	size_t i;

	alias_forget();
	young = false;
	if (!only)
		pickup_take(&young);
	r.now = now_real();
	if (queue_open(&r.q, conf()->queue_dir, 0) != 0) {
		if (errno == ENOENT)
			return EXIT_OK;		/* nothing was ever queued */
		complain("cannot open the queue %s: %s", conf()->queue_dir,
			 strerror(errno));
		return EXIT_OSERR;
	}
	queue_recover(&r.q, r.now);
	recover_others(r.now);
	r.latest = latest_due(r.now);
	setup.loop = loop_new();
	if (!setup.loop || queue_sweep(&r.q, seen, &r) != 0) {
		complain("cannot read the queue %s: %s", conf()->queue_dir,
			 strerror(errno));
		queue_close(&r.q);
		return EXIT_OSERR;
	}
	if (r.ndue > 0)
		qsort(r.due, r.ndue, sizeof *r.due, by_name);
	r.engine = deliver_open(&setup);
	r.begun = now_mono();
	r.terminal = isatty(STDERR_FILENO) && !conf()->verbose;
	for (i = 0; i < r.ndue && !run_signal && !r.storage_failed; i++)
		book(&r, (uint32_t)i);
	work(&r, setup.loop);
	while (r.underway)
		finish(&r, r.underway);
	if (r.ndue > 0)
		progress(&r, true);
	state_run_ended(now_real());
	limits_forget(now_real());
	state_forget(now_real());
	state_trim_log();
	deliver_close(r.engine);
	loop_free(setup.loop);
	queue_close(&r.q);
	free(r.due);
	if (!r.storage_failed)
		return EXIT_OK;
	complain("the queue run was ended because storage failed in %s",
		 conf()->queue_dir);
	return EXIT_IOERR;
}

int run_now(bool flush, const struct run_filter *only)
{
	const struct timespec rest = {
		.tv_sec = PICKUP_REST_MS / 1000,
		.tv_nsec = PICKUP_REST_MS % 1000 * 1000000L,
	};
	int status = run_once(flush, only);

	if (status != EXIT_OK || !young)
		return status;
	/* A signal ends the rest, and the run is a short one then. */
	nanosleep(&rest, NULL);
	return run_signal ? status : run_once(false, NULL);
}
