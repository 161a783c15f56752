/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A complete message to its fate: see attempt.h.  In reading order: where it
 * is kept, the immediate attempt, the processes that go on without the caller,
 * and attempt_run(), which is the course of it all.
 *
 * The commit comes before the attempt, unless the message is one transaction:
 * then a kill can only leave "nothing happened" or "the server has it", and a
 * message delivered at once costs no fsync.
 */
#include "in/attempt.h"
#include "conf.h"
#include "in/caller.h"
#include "in/limits.h"
#include "in/message.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/util.h"
#include "out/deliver.h"
#include "out/run.h"
#include "out/settle.h"
#include "out/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- where it is kept -------------------------------------------------------- */

static bool writable(const struct queue *q)
{
	return faccessat(q->dir, ".", W_OK, AT_EACCESS) == 0;
}

void attempt_open(struct attempt *a)
{
	a->kept = KEPT_IN_QUEUE;
	a->q.dir = -1;
	/* Settings that we could not read may say that nothing of ours goes
	 * out in clear, or under this name: the run can read them. */
	if (!conf_unreadable() &&
	    queue_open(&a->q, conf()->queue_dir, QUEUE_MODE) == 0 &&
	    writable(&a->q)) {
		limits_check(&a->q, getuid(), now_real(), a->refused,
			     sizeof a->refused);
		return;
	}
	a->queue_errno = errno;
	queue_close(&a->q);
	a->kept = KEPT_IN_PICKUP;
	if (queue_open_blind(&a->q, conf()->pickup_dir) == 0 &&
	    writable(&a->q))
		return;
	queue_close(&a->q);
	a->kept = KEPT_NOWHERE;
}

bool attempt_pickup_is_open(void)
{
	struct queue q;
	bool open = queue_open_blind(&q, conf()->pickup_dir) == 0 &&
		writable(&q);

	queue_close(&q);
	return open;
}

struct queue *attempt_queue(struct attempt *a)
{
	return a->kept == KEPT_NOWHERE ? NULL : &a->q;
}

/* Local, remote, and is what is remote one transaction? */
static void classify(struct attempt *a)
{
	const struct envelope *env = &a->m->env;
	struct route first, r;
	size_t i, n = 0;

	a->one_transaction = true;
	for (i = 0; i < env->nrcpt; i++) {
		route_find(&r, env->rcpt[i].addr);
		if (r.kind == ROUTE_LOCAL) {
			a->local = true;
			continue;
		}
		if (!a->remote)
			first = r;
		else if (!route_same(&first, &r))
			a->one_transaction = false;
		a->remote = true;
		n++;
	}
	/* SmartHostType 1 may need two: directly, and through the relay. */
	if (a->local || !a->remote || n > first.conf->max_recipients ||
	    first.conf->smart_host_type == 1)
		a->one_transaction = false;
}

/* ---- the immediate attempt ----------------------------------------------------------- */

static void told(void *ctx, const struct deliver_record *r)
{
	struct attempt *a = ctx;

	if (r->what == DELIVER_FATE)
		settle_fate(a->st, r);
	else
		state_learn(r, a->m->id);
}

/* A hop that kept a caller waiting for nothing is left to the queue run for
 * a while. */
static bool known_down(void *ctx, const char *key)
{
	(void)ctx;
	return state_is_down(key, now_real());
}

static void turn(struct attempt *a, int64_t until)
{
	loop_turn(a->loop, until);
	if (a->m->committed)
		settle_flush(a->st);
}

/* Until all is said, a signal, or seconds have passed (0: no limit).  What is
 * not out by then is stopped; what is out and unanswered goes on. */
static void attempt(struct attempt *a, unsigned seconds)
{
	struct deliver_setup setup = {
		.immediate = seconds != 0, .tell = told,
		.no_bdat = state_answer_no_bdat,
		.known_down = seconds != 0 ? known_down : NULL,
		.ctx = a, .verbose = conf()->verbose && seconds != 0,
	};
	int64_t until = seconds ? now_mono() + 1000 * (int64_t)seconds :
		INT64_MAX;
	char why[100] = "interrupted by a signal before the message was out";

	a->loop = setup.loop = loop_new();
	if (!a->loop) {
		log_note(LOG_ERR, "no event loop: %s", strerror(errno));
		return;
	}
	a->engine = deliver_open(&setup);
	deliver_give(a->engine, 0, a->m->id, a->m->fd, &a->m->env,
		     a->m->text_at, a->m->text_size);
	while (deliver_busy(a->engine) && !run_signal && now_mono() < until)
		turn(a, until);
	if (!deliver_busy(a->engine))
		return;
	if (!run_signal)
		snprintf(why, sizeof why, "not delivered within %u s "
			 "(ImmediateTimeout)", seconds);
	deliver_stop(a->engine, why, !run_signal, run_signal ?
		     TIMEOUT_SIGNAL : conf()->remote_timeout);
}

/* ---- going on without the caller ------------------------------------------------------- */

/* The end of the data is out and its reply is not: the message is committed,
 * a child keeps it locked and waits for that reply, the caller is free. */
static int outlive(struct attempt *a)
{
	int64_t until = now_mono() + 1000 * ((int64_t)conf()->remote_timeout +
					     TIMEOUT_SIGNAL);
	int child;

	if (!a->m->committed && queue_commit(a->m, now_real()) != 0)
		return -1;
	child = detach();
	if (child == 0) {
		/* They are the child's now: closing them here would say
		 * good-bye inside its TLS and stop its watches. */
		a->handed_over = true;
		return 0;
	}
	if (child == 1 && loop_after_fork(a->loop) != 0)
		_exit(EXIT_OSERR);
	/* Without a child we wait ourselves: slow is better than twice. */
	while (deliver_busy(a->engine) && now_mono() < until) {
		turn(a, until);
		if (run_signal)
			deliver_hurry(a->engine, TIMEOUT_SIGNAL);
	}
	settle_end(a->st);
	if (child == 1)
		_exit(EXIT_OK);
	return 0;
}

/* A committed message is delivered by a child; without one it waits. */
static void background(struct attempt *a)
{
	if (detach() == 1) {
		/* The child's own time: nobody waits. */
		settle_local(a->st);
		attempt(a, 0);
		settle_end(a->st);
		_exit(EXIT_OK);
	}
}

/* Storage failed behind a server's 250: the caller will be told "failed", so
 * he must also be told who has a copy. */
static void name_delivered(const struct attempt *a)
{
	const struct envelope *env = &a->m->env;
	struct buf b;
	size_t i;

	buf_init(&b, 800);
	for (i = 0; i < env->nrcpt; i++)
		if (env->rcpt[i].state == RCPT_DELIVERED)
			buf_printf(&b, "%s<%s>", buf_len(&b) ? ", " : "",
				   env->rcpt[i].addr);
	if (buf_len(&b) > 0)
		complain("already delivered to %s", buf_str(&b));
	buf_free(&b);
}

static int storage_failed(struct attempt *a)
{
	int err = a->kept == KEPT_NOWHERE ? a->queue_errno : errno;

	complain("cannot keep the message in %s: %s%s", a->kept ==
		 KEPT_IN_PICKUP ? conf()->pickup_dir : conf()->queue_dir,
		 strerror(err), storage_advice(err));
	name_delivered(a);
	if (!a->m->committed)
		queue_remove(a->m);
	return storage_status(err);
}

/* Every recipient refused for good while the caller waits? */
static bool is_callers(const struct attempt *a)
{
	struct settle_counts n = settle_counts(a->st);

	return !n.delivered && !n.waiting && n.failed &&
		conf()->error_mode != ERROR_MAIL &&
		conf()->error_mode != ERROR_MAIL0;
}

/* Then he is told now, and owns the message still: the exit status. */
static int tell_caller(const struct attempt *a)
{
	const struct reply *r;
	const char *addr, *host;
	char text[REPLY_TEXT + 32];

	r = settle_failure(a->st, &addr, &host);
	reply_print(r, text, sizeof text);
	complain("<%s>: %s%s%s%s%s", addr, text, *host ? " (" : "", host,
		 *host ? ")" : "", settle_counts(a->st).failed > 1 ?
		 " - and all other recipients failed too" : "");
	return reply_exit(r);
}

/* It is ours from here on: counted and logged.  Not 0: it is not, because of a
 * limit, a->refused says which. */
static int accept_message(struct attempt *a)
{
	if (a->kept == KEPT_IN_QUEUE &&
	    limits_claim(&a->q, a->m->env.uid, now_real(), a->refused,
			 sizeof a->refused) != 0)
		return -1;
	message_log_accepted(a->m, a->message_id, "cwd", caller_directory());
	if (!caller_borrows() || !log_kept_out())
		return 0;
	/* Nobody chooses to send and not to be seen. */
	snprintf(a->refused, sizeof a->refused, "the log may not grow: raise "
		 "the limit of file sizes (ulimit -f)");
	return -1;
}

/* Pickup: the promise is made there, and all else is the next run's. */
static int leave_in_pickup(struct attempt *a)
{
	char name[QUEUE_ID_LEN + 8];

	snprintf(name, sizeof name, "%s.eml", a->m->id);
	return queue_commit_as(a->m, name);
}

int attempt_commit(struct attempt *a)
{
	if (accept_message(a) != 0) {
		errno = EDQUOT;
		return -1;
	}
	if (a->kept == KEPT_IN_PICKUP)
		return leave_in_pickup(a);
	if (a->kept == KEPT_NOWHERE) {
		errno = a->queue_errno;
		return -1;
	}
	a->st = settle_begin(a->m, now_real());
	classify(a);
	return queue_commit(a->m, now_real());
}

void attempt_begin(struct attempt *a)
{
	enum delivery_mode mode = conf()->delivery_mode;

	if (a->kept == KEPT_IN_QUEUE && mode != MODE_QUEUE &&
	    mode != MODE_DEFERRED)
		background(a);
}

/* With nowhere to keep anything, what can be done at once is done. */
static bool hopeless(const struct attempt *a)
{
	enum delivery_mode mode = conf()->delivery_mode;

	return a->kept == KEPT_NOWHERE &&
		(mode == MODE_QUEUE || mode == MODE_DEFERRED ||
		 (a->remote && !a->one_transaction));
}

/* Whoever is out of memory from here on has kept his promise already, if he
 * has one: a status that says "failed" would have the message sent twice. */
static void note_promise(const struct attempt *a)
{
	die_kept = a->m->committed ||
		settle_counts(a->st).delivered == a->m->env.nrcpt;
}

/* The attempt is over and what it came to could not be stored.  What stands in
 * Queue is promised all the same: a run takes it up as it is. */
static int unsettled(struct attempt *a)
{
	if (!a->m->committed)
		return storage_failed(a);
	log_event(LOG_CRIT, a->m->id, "storage", "text", "what became of the "
		  "message could not be stored: it stays in Queue", "error",
		  strerror(errno), NULL);
	return 0;
}

/* Local recipients and the one or the many next hops, the caller waiting. */
static int interactive(struct attempt *a)
{
	if (a->remote && !a->one_transaction &&
	    queue_commit(a->m, now_real()) != 0)
		return storage_failed(a);
	note_promise(a);
	settle_local(a->st);
	note_promise(a);
	if (a->remote) {
		attempt(a, conf()->immediate_timeout);
		note_promise(a);
		if (a->engine && deliver_critical(a->engine) > 0)
			return outlive(a) ? storage_failed(a) : 0;
	}
	/* Only what is gone from the folders is the caller's again. */
	if (is_callers(a) && (queue_remove(a->m) == 0 || !a->m->committed)) {
		die_kept = false;
		return tell_caller(a);
	}
	return settle_end(a->st) ? unsettled(a) : 0;
}

int attempt_run(struct attempt *a)
{
	enum delivery_mode mode = conf()->delivery_mode;

	if (accept_message(a) != 0) {
		complain("%s", a->refused);
		queue_remove(a->m);
		return EXIT_NOPERM;
	}
	if (a->kept == KEPT_IN_PICKUP)
		return leave_in_pickup(a) ? storage_failed(a) : 0;
	a->st = settle_begin(a->m, now_real());
	classify(a);
	if (hopeless(a)) {
		errno = a->queue_errno;
		return storage_failed(a);
	}
	if (a->kept == KEPT_NOWHERE)
		return interactive(a);
	if (mode == MODE_QUEUE || mode == MODE_DEFERRED)
		return queue_commit(a->m, now_real()) ? storage_failed(a) : 0;
	if (mode == MODE_BACKGROUND && a->remote) {
		if (queue_commit(a->m, now_real()) != 0)
			return storage_failed(a);
		background(a);
		return 0;
	}
	return interactive(a);
}

/* Mail that waits for a run that never comes is found by a line in the log,
 * not by a customer. */
static void miss_the_runner(const struct attempt *a)
{
	if (a->kept == KEPT_IN_QUEUE && a->m &&
	    state_run_missing(now_real(), a->m->committed))
		log_note(LOG_WARNING, "no queue run for an hour or more: mail "
			 "that waits is not tried again; see THE QUEUE in "
			 "sendmail(8)");
}

void attempt_close(struct attempt *a)
{
	miss_the_runner(a);
	if (a->handed_over)
		return;
	if (a->engine)
		deliver_close(a->engine);
	loop_free(a->loop);
	settle_free(a->st);
	queue_close(&a->q);
}
