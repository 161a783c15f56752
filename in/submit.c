/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One message from standard input to its fate.  In reading order: who sends,
 * who receives, the immediate attempt, the processes that go on without the
 * caller, and submit() itself, which is the course of it all.
 *
 * The commit comes before the attempt, unless the message is one transaction:
 * then a kill can only leave "nothing happened" or "the server has it", and a
 * message delivered at once costs no fsync.
 */
#include "in/submit.h"
#include "conf.h"
#include "in/alias.h"
#include "in/message.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/deliver.h"
#include "out/run.h"
#include "out/settle.h"
#include "out/state.h"
#include "queue.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The mode of a Queue that is made at first use: members of the group may
 * add, and not remove what is another's. */
#define QUEUE_MODE 03770

/* One submission, from begin to end. */
struct course {
	const struct submit *args;
	struct queue q;
	bool have_queue;
	char *sender, *author, *full_name;
	struct incoming in;
	struct message *m;
	struct settle *st;
	struct loop *loop;
	struct deliver *engine;
	bool one_transaction, local, remote;
	int queue_errno;		/* why there is no queue */
	bool handed_over;		/* engine and loop are a child's */
};

/* ---- who sends --------------------------------------------------------------- */

/* The full name of a passwd entry: up to the comma, & for the login name. */
static char *gecos_name(const struct passwd *pw)
{
	const char *s = pw->pw_gecos ? pw->pw_gecos : "";
	struct buf b;
	char *name;

	buf_init(&b, 1024);
	for (; *s && *s != ','; s++) {
		if (*s == '&')
			buf_puts(&b, pw->pw_name);
		else
			buf_putc(&b, *s);
	}
	name = xstrdup(buf_str(&b));
	buf_free(&b);
	return name;
}

/* Identity is the uid's: $USER may lie (cron's does) or be missing. */
static void identify(struct course *c)
{
	struct passwd *pw = getpwuid(getuid());
	char local[32];

	if (pw && *pw->pw_name) {
		c->author = addr_qualify(pw->pw_name, conf()->default_domain);
		c->full_name = gecos_name(pw);
	} else {
		snprintf(local, sizeof local, "uid%u", (unsigned)getuid());
		c->author = addr_qualify(local, conf()->default_domain);
		c->full_name = xstrdup("");
	}
	if (c->args->full_name) {
		free(c->full_name);
		c->full_name = xstrdup(c->args->full_name);
	}
}

/* -f in any of its forms: "", "<>", "a", "a@b", "Name <a@b>". */
static int find_sender(struct course *c)
{
	struct addr_list list = { 0 };
	const char *text = c->args->sender, *why;

	identify(c);
	if (!text) {
		c->sender = xstrdup(c->author);
		return 0;
	}
	why = addr_list_parse(&list, text, strlen(text));
	if (!why && list.n > 1)
		why = "more than one address";
	if (!why) {
		c->sender = addr_qualify(list.n ? list.found[0].addr : "",
					 conf()->default_domain);
		why = addr_check(c->sender, false, true);
	}
	addr_list_free(&list);
	if (why) {
		complain("the sender \"%s\" is no address: %s", text, why);
		return EXIT_DATAERR;
	}
	if (*c->sender) {
		free(c->author);
		c->author = xstrdup(c->sender);
	}
	return 0;
}

/* ---- who receives ---------------------------------------------------------------- */

/* A bare name is ours, unless all mail goes to a smart host. */
static char *final_address(const char *addr)
{
	if (addr_domain(addr) || !conf()->smart_hosts[0])
		return xstrdup(addr);
	return addr_qualify(addr, conf()->default_domain);
}

/* What aliases make of them, as they will stand in the envelope. */
static int take(struct addr_list *to, struct addr_list *from, char *error)
{
	const char *why;
	char *addr;
	size_t i;

	alias_expand(from);
	for (i = 0; i < from->n; i++) {
		addr = final_address(from->found[i].addr);
		why = addr_check(addr, true, false);
		if (!why && to->n >= RECIPIENTS_MAX)
			why = "too many recipients";
		if (why) {
			snprintf(error, 256, "the recipient \"%.100s\" is "
				 "refused: %s", addr, why);
			free(addr);
			return EXIT_DATAERR;
		}
		addr_list_add(to, addr);
		free(addr);
	}
	return 0;
}

/* Arguments and header together, each mailbox once. */
static int recipients(void *ctx, struct addr_list *from_header,
		      struct addr_list *to, char *error)
{
	const struct course *c = ctx;
	struct addr_list list;
	const char *why;
	size_t i;
	int status;

	for (i = 0; i < c->args->nrcpt; i++) {
		list = (struct addr_list){ 0 };
		why = addr_list_parse(&list, c->args->rcpt[i],
				      strlen(c->args->rcpt[i]));
		if (why)
			snprintf(error, 256, "the recipient \"%.100s\" is no "
				 "address: %s", c->args->rcpt[i], why);
		status = why ? EXIT_DATAERR : take(to, &list, error);
		addr_list_free(&list);
		if (status)
			return status;
	}
	if (c->args->header_recipients) {
		status = take(to, from_header, error);
		if (status)
			return status;
	}
	addr_list_dedupe(to);
	if (to->n > 0)
		return 0;
	snprintf(error, 256, c->args->header_recipients ?
		 "no recipients: neither arguments nor To, Cc and Bcc name one" :
		 "no recipients: give addresses, or -t to read them from the "
		 "header");
	return EXIT_USAGE;
}

/* Local, remote, and is what is remote one transaction? */
static void classify(struct course *c)
{
	const struct envelope *env = &c->m->env;
	struct route first, r;
	size_t i, n = 0;

	c->one_transaction = true;
	for (i = 0; i < env->nrcpt; i++) {
		route_find(&r, env->rcpt[i].addr);
		if (r.kind == ROUTE_LOCAL) {
			c->local = true;
			continue;
		}
		if (!c->remote)
			first = r;
		else if (!route_same(&first, &r))
			c->one_transaction = false;
		c->remote = true;
		n++;
	}
	/* SmartHostType 1 may need two: directly, and through the relay. */
	if (c->local || !c->remote || n > first.conf->max_recipients ||
	    first.conf->smart_host_type == 1)
		c->one_transaction = false;
}

/* ---- the immediate attempt ----------------------------------------------------------- */

static void told(void *ctx, const struct deliver_record *r)
{
	struct course *c = ctx;

	if (r->what == DELIVER_FATE)
		settle_fate(c->st, r);
	else
		state_learn(r, c->m->id);
}

/* A hop that kept a caller waiting for nothing is left to the queue run for
 * a while. */
static bool known_down(void *ctx, const char *key)
{
	(void)ctx;
	return state_is_down(key, now_real());
}

static void turn(struct course *c, int64_t until)
{
	loop_turn(c->loop, until);
	if (c->m->committed)
		settle_flush(c->st);
}

/* Until all is said, a signal, or seconds have passed (0: no limit).  What is
 * not out by then is stopped; what is out and unanswered goes on. */
static void attempt(struct course *c, unsigned seconds)
{
	struct deliver_setup setup = {
		.immediate = seconds != 0, .tell = told,
		.no_bdat = state_answer_no_bdat,
		.known_down = seconds != 0 ? known_down : NULL,
		.ctx = c, .verbose = conf()->verbose && seconds != 0,
	};
	int64_t until = seconds ? now_mono() + 1000 * (int64_t)seconds :
		INT64_MAX;
	char why[100] = "interrupted by a signal before the message was out";

	c->loop = setup.loop = loop_new();
	if (!c->loop) {
		log_note(LOG_ERR, "no event loop: %s", strerror(errno));
		return;
	}
	c->engine = deliver_open(&setup);
	deliver_give(c->engine, 0, c->m->id, c->m->fd, &c->m->env,
		     c->m->text_at, c->m->text_size);
	while (deliver_busy(c->engine) && !run_signal && now_mono() < until)
		turn(c, until);
	if (!deliver_busy(c->engine))
		return;
	if (!run_signal)
		snprintf(why, sizeof why, "not delivered within %u s "
			 "(ImmediateTimeout)", seconds);
	deliver_stop(c->engine, why, !run_signal, run_signal ?
		     TIMEOUT_SIGNAL : conf()->remote_timeout);
}

/* ---- going on without the caller ------------------------------------------------------- */

/* The end of the data is out and its reply is not: the message is committed,
 * a child keeps it locked and waits for that reply, the caller is free. */
static int outlive(struct course *c)
{
	int64_t until = now_mono() + 1000 * ((int64_t)conf()->remote_timeout +
					     TIMEOUT_SIGNAL);
	int child;

	if (!c->m->committed && queue_commit(c->m, now_real()) != 0)
		return -1;
	child = detach();
	if (child == 0) {
		/* They are the child's now: closing them here would say
		 * good-bye inside its TLS and stop its watches. */
		c->handed_over = true;
		return 0;
	}
	if (child == 1 && loop_after_fork(c->loop) != 0)
		_exit(EXIT_OSERR);
	/* Without a child we wait ourselves: slow is better than twice. */
	while (deliver_busy(c->engine) && now_mono() < until) {
		turn(c, until);
		if (run_signal)
			deliver_hurry(c->engine, TIMEOUT_SIGNAL);
	}
	settle_end(c->st);
	if (child == 1)
		_exit(EXIT_OK);
	return 0;
}

/* -odb: committed, and delivered by a child. */
static int background(struct course *c)
{
	if (queue_commit(c->m, now_real()) != 0)
		return -1;
	if (detach() == 1) {
		/* The child's own time: nobody waits. */
		settle_local(c->st);
		attempt(c, 0);
		settle_end(c->st);
		_exit(EXIT_OK);
	}
	return 0;	/* without a child it waits in Queue */
}

/* ---- the course ----------------------------------------------------------------------------- */

/* Storage failed behind a server's 250: the caller will be told "failed", so
 * he must also be told who has a copy. */
static void name_delivered(const struct course *c)
{
	const struct envelope *env = &c->m->env;
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

static int storage_failed(struct course *c)
{
	int err = c->have_queue ? errno : c->queue_errno;

	complain("cannot keep the message in %s: %s%s", conf()->queue_dir,
		 strerror(err), storage_advice(err));
	name_delivered(c);
	if (!c->m->committed)
		queue_remove(c->m);
	return storage_status(err);
}

/* Every recipient refused for good while the caller waits? */
static bool is_callers(const struct course *c)
{
	struct settle_counts n = settle_counts(c->st);

	return !n.delivered && !n.waiting && n.failed &&
		conf()->error_mode != ERROR_MAIL &&
		conf()->error_mode != ERROR_MAIL0;
}

/* Then he is told now, and owns the message still: the exit status. */
static int tell_caller(const struct course *c)
{
	const struct reply *r;
	const char *addr, *host;
	char text[REPLY_TEXT + 32];

	r = settle_failure(c->st, &addr, &host);
	reply_print(r, text, sizeof text);
	complain("<%s>: %s%s%s%s%s", addr, text, *host ? " (" : "", host,
		 *host ? ")" : "", settle_counts(c->st).failed > 1 ?
		 " - and all other recipients failed too" : "");
	return reply_exit(r);
}

static void log_accepted(const struct course *c, const char *event)
{
	const struct envelope *env = &c->m->env;
	char uid[16], size[24], n[16], from[ADDRESS_MAX + 3];

	snprintf(uid, sizeof uid, "%u", (unsigned)env->uid);
	snprintf(size, sizeof size, "%llu", (unsigned long long)c->m->text_size);
	snprintf(n, sizeof n, "%zu", env->nrcpt);
	snprintf(from, sizeof from, "<%s>", env->sender);
	log_event(LOG_INFO, c->m->id, event, "uid", uid, "from", from, "size",
		  size, "nrcpt", n, "msgid", c->in.facts.message_id, NULL);
}

/* The message is complete and nowhere promised: what now? */
static int dispatch(struct course *c)
{
	enum delivery_mode mode = conf()->delivery_mode;

	c->st = settle_begin(c->m, now_real());
	classify(c);
	log_accepted(c, "accepted");
	if (!c->have_queue) {
		/* Nothing can be kept: what can be done at once, is. */
		errno = c->queue_errno;
		if (mode == MODE_QUEUE || mode == MODE_DEFERRED ||
		    (c->remote && !c->one_transaction))
			return storage_failed(c);
		mode = MODE_INTERACTIVE;
	}
	if (mode == MODE_QUEUE || mode == MODE_DEFERRED)
		return queue_commit(c->m, now_real()) ? storage_failed(c) : 0;
	if (mode == MODE_BACKGROUND && c->remote)
		return background(c) ? storage_failed(c) : 0;
	if (c->remote && !c->one_transaction &&
	    queue_commit(c->m, now_real()) != 0)
		return storage_failed(c);
	settle_local(c->st);
	if (c->remote) {
		attempt(c, conf()->immediate_timeout);
		if (c->engine && deliver_critical(c->engine) > 0)
			return outlive(c) ? storage_failed(c) : 0;
	}
	/* Only what is gone from the folders is the caller's again. */
	if (is_callers(c) && (queue_remove(c->m) == 0 || !c->m->committed))
		return tell_caller(c);
	return settle_end(c->st) ? storage_failed(c) : 0;
}

/* The Queue directory; without one a message can still be tried at once. */
static void open_queue(struct course *c)
{
	c->have_queue = queue_open(&c->q, conf()->queue_dir, QUEUE_MODE) == 0;
	c->queue_errno = errno;
	if (c->have_queue && faccessat(c->q.dir, ".", W_OK, AT_EACCESS) != 0) {
		c->queue_errno = errno;
		queue_close(&c->q);
		c->have_queue = false;
	}
}

static void prepare(struct course *c)
{
	const struct submit *a = c->args;
	struct tm tm;
	time_t now = now_real();

	localtime_r(&now, &tm);
	c->in = (struct incoming){
		.fd = STDIN_FILENO, .q = c->have_queue ? &c->q : NULL,
		.dots = !conf()->ignore_dots,
		.max_size = conf()->max_message_size,
		.max_hops = conf()->hop_count, .stop = &run_signal,
		.recipients = recipients, .notify = a->notify,
		.orcpt = a->notify != NULL, .ctx = c,
		.task = {
			.fqdn = conf()->fqdn, .domain = conf()->default_domain,
			.sender = c->sender, .author = c->author,
			.full_name = c->full_name, .uid = getuid(), .now = now,
			.utc_offset = tm.tm_gmtoff,
			.want_recipients = a->header_recipients,
		},
		.env = {
			.sender = c->sender, .ret = a->ret, .envid = a->envid,
			.uid = getuid(), .created = now,
		},
	};
}

int submit(const struct submit *args)
{
	static struct course c;		/* a child's part outlives us in it */
	int status;

	c.args = args;
	status = find_sender(&c);
	if (status == 0 && args->nrcpt == 0 && !args->header_recipients) {
		struct addr_list none = { 0 };
		char error[256];

		status = recipients(&c, &none, &none, error);
		complain("%s", error);
	}
	if (status == 0) {
		open_queue(&c);
		prepare(&c);
		status = message_read(&c.in);
		c.m = c.in.m;
		if (status > 0)
			complain("%s", c.in.error);
	}
	if (status == 0)
		status = dispatch(&c);
	else if (status > 0 && !c.in.at_end)
		message_drain(STDIN_FILENO);
	if (c.handed_over)
		return status;
	if (c.engine)
		deliver_close(c.engine);
	loop_free(c.loop);
	if (c.m)
		settle_free(c.st);
	message_free(c.m);
	addr_list_free(&c.in.facts.to);
	if (c.have_queue)
		queue_close(&c.q);
	free(c.sender);
	free(c.author);
	free(c.full_name);
	return status < 0 ? 128 + run_signal : status;
}
