/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Fates become durable: see settle.h.  In reading order: the outcomes of this
 * attempt, the log line each of them gets, then the end, which is a short list
 * of steps that each keep the order of queue.c: the new durable thing first
 * (a report, a Badmail file), then forget the old (a mark, an unlink).
 */
#include "out/settle.h"
#include "lib/log.h"
#include "lib/util.h"
#include "out/bounce.h"
#include "out/drop.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What became of one recipient in this attempt. */
struct outcome {
	enum { UNTRIED, DELIVERED, RETRY, FAILED } what;
	struct said {
		struct reply reply;
		char host[256];
	} *said;		/* RETRY and FAILED */
	bool expired;		/* RETRY that becomes FAILED */
};

struct settle {
	struct message *m;
	time_t now;
	struct outcome *out;
	struct settle_counts counts;
	bool dirty, kept;
	bool all_ended;		/* nobody waited, and some were returned */
	bool stays;		/* Badmail did not take it */
	bool tried;		/* something was: not all hops were skipped */
	time_t previous_last;
};

struct settle *settle_begin(struct message *m, time_t now)
{
	struct settle *st = xcalloc(1, sizeof *st);
	size_t i;

	st->m = m;
	st->now = now;
	st->out = xcalloc(m->env.nrcpt, sizeof *st->out);
	st->counts.waiting = message_waiting(m);
	st->previous_last = m->env.last;
	if (st->counts.waiting == 0)
		for (i = 0; i < m->env.nrcpt; i++)
			st->all_ended |= m->env.rcpt[i].state == RCPT_RETURNED;
	return st;
}

void settle_free(struct settle *st)
{
	size_t i;

	if (!st)
		return;
	for (i = 0; i < st->m->env.nrcpt; i++)
		free(st->out[i].said);
	free(st->out);
	free(st);
}

struct settle_counts settle_counts(const struct settle *st)
{
	return st->counts;
}

bool settle_kept(const struct settle *st)
{
	return st->kept;
}

const struct reply *settle_failure(const struct settle *st, const char **addr,
				   const char **host)
{
	size_t i;

	for (i = 0; i < st->m->env.nrcpt; i++)
		if (st->out[i].what == FAILED) {
			*addr = st->m->env.rcpt[i].addr;
			*host = st->out[i].said->host;
			return &st->out[i].said->reply;
		}
	return NULL;
}

/* ---- one fate --------------------------------------------------------------- */

/* "451 4.7.1 greylisted (mx1.far.test)" */
static void status_text(char dst[STATUS_OCTETS + 1], const struct reply *r,
			const char *host, bool unsure)
{
	char text[REPLY_TEXT + 64], tail[300];
	size_t room;

	reply_print(r, text, sizeof text);
	snprintf(tail, sizeof tail, "%s%s%s%s",
		 unsure ? " [possibly delivered]" : "", *host ? " (" : "", host,
		 *host ? ")" : "");
	/* The text gives way, not who said it. */
	room = strlen(tail) < STATUS_OCTETS / 2 ? STATUS_OCTETS - strlen(tail) :
		STATUS_OCTETS / 2;
	if (strlen(text) > room)
		text[room] = '\0';
	strlcpy(dst, text, STATUS_OCTETS + 1);
	strlcat(dst, tail, STATUS_OCTETS + 1);
}

static void log_fate(const struct settle *st, const char *event, size_t i,
		     const struct deliver_record *r)
{
	const struct envelope *env = &st->m->env;
	char uid[16], delay[24], reply[REPLY_TEXT + 32], from[ADDRESS_MAX + 3];
	char to[ADDRESS_MAX + 3];
	time_t age = now_real() - env->created;

	snprintf(uid, sizeof uid, "%u", (unsigned)env->uid);
	snprintf(delay, sizeof delay, "%lld", (long long)(age > 0 ? age : 0));
	snprintf(from, sizeof from, "<%s>", env->sender);
	snprintf(to, sizeof to, "<%s>", env->rcpt[i].addr);
	reply_print(&r->reply, reply, sizeof reply);
	log_event(reply_operator(&r->reply) ? LOG_ALERT : LOG_INFO, st->m->id,
		  event, "uid", uid, "from", from, "to", to, "hop", r->hop,
		  "host", r->host, "address", r->address, "tls", r->tls,
		  "delay", delay, "reply", reply,
		  "unsure", r->unsure ? "possible duplicate" : "", NULL);
}

void settle_fate(struct settle *st, const struct deliver_record *r)
{
	static const char *const events[] = { "sent", "deferred", "failed" };
	struct message *m = st->m;
	enum fate fate = reply_fate(&r->reply);
	struct outcome *o;
	char status[STATUS_OCTETS + 1];

	/* The engine may one day be another process: its numbers are checked,
	 * and a recipient has one fate an attempt. */
	if (r->rcpt >= m->env.nrcpt ||
	    m->env.rcpt[r->rcpt].state != RCPT_WAITING)
		return;
	o = &st->out[r->rcpt];
	if (o->what != UNTRIED)
		return;
	st->tried |= !r->skipped;
	status_text(status, &r->reply, r->host, r->unsure);
	log_fate(st, events[fate], r->rcpt, r);
	st->dirty = true;
	if (fate == FATE_DELIVERED) {
		o->what = DELIVERED;
		st->counts.delivered++;
		st->counts.waiting--;
		queue_mark(m, r->rcpt, RCPT_DELIVERED, status);
		return;
	}
	o->what = fate == FATE_FAILED ? FAILED : RETRY;
	if (o->what == FAILED) {
		st->counts.failed++;
		st->counts.waiting--;
	}
	o->said = xcalloc(1, sizeof *o->said);
	o->said->reply = r->reply;
	strlcpy(o->said->host, r->host, sizeof o->said->host);
	queue_mark(m, r->rcpt, RCPT_WAITING, status);
}

int settle_flush(struct settle *st)
{
	if (!st->dirty)
		return st->m->broken ? -1 : 0;
	st->dirty = false;
	return queue_sync(st->m);
}

void settle_local(struct settle *st)
{
	struct message *m = st->m;
	struct deliver_record r = { .what = DELIVER_FATE, .hop = "Drop" };
	size_t *rcpt = xcalloc(m->env.nrcpt, sizeof *rcpt), n = 0, i;
	struct route route;

	for (i = 0; i < m->env.nrcpt; i++) {
		if (m->env.rcpt[i].state != RCPT_WAITING)
			continue;
		route_find(&route, m->env.rcpt[i].addr);
		if (route.kind == ROUTE_LOCAL)
			rcpt[n++] = i;
	}
	if (n > 0)
		drop_deliver(m, rcpt, n, &r.reply);
	for (i = 0; i < n; i++) {
		r.rcpt = (uint32_t)rcpt[i];
		settle_fate(st, &r);
	}
	free(rcpt);
}

/* ---- how long is too long ------------------------------------------------------- */

/* Minutes after which mail to this recipient is given up, and warned of. */
static void limits(const struct recipient *rcpt, int *expire, int *warn,
		   const struct conf **c)
{
	struct route r;

	route_find(&r, rcpt->addr);
	*c = r.conf;
	*expire = r.kind == ROUTE_LOCAL ? r.conf->local_ndr_expire :
		r.conf->ndr_expire;
	*warn = r.kind == ROUTE_LOCAL ? r.conf->local_delay_expire :
		r.conf->delay_expire;
}

/* The interval behind attempt number n (1 is the first), seconds. */
static time_t interval(const struct conf *c, unsigned n)
{
	if (c->nretry == 0)
		return 60 * 60;
	if (n > c->nretry)
		n = (unsigned)c->nretry;
	return 60 * (time_t)c->retry[n > 0 ? n - 1 : 0];
}

/* Old enough, tried often enough, and not just because the clock jumped. */
static bool too_old(const struct settle *st, const struct conf *c, int expire)
{
	const struct envelope *env = &st->m->env;

	if (expire == 0)
		return true;
	return st->now - env->created >= 60 * (time_t)expire &&
		env->attempts + 1 >= c->nretry &&
		st->now - st->previous_last >= interval(c, RETRY_MAX);
}

/* ± 20 %, so that what failed together is not tried together. */
static time_t jitter(time_t seconds)
{
	uint32_t chance;

	random_bytes(&chance, sizeof chance);
	return seconds * 4 / 5 + (time_t)((uint64_t)chance *
		(uint64_t)(seconds * 2 / 5 + 1) >> 32);
}

/* ---- the end ------------------------------------------------------------------------ */

/* The recipients of which is true, as the report wants them. */
static size_t collect(const struct settle *st, struct bounce_rcpt **list,
		      bool (*is)(const struct outcome *))
{
	size_t i, n = 0;

	*list = xcalloc(st->m->env.nrcpt, sizeof **list);
	for (i = 0; i < st->m->env.nrcpt; i++) {
		const struct outcome *o = &st->out[i];

		if (!is(o))
			continue;
		(*list)[n].i = i;
		(*list)[n].expired = o->expired;
		if (o->said) {
			(*list)[n].reply = o->said->reply;
			strlcpy((*list)[n].host, o->said->host,
				sizeof (*list)[n].host);
		}
		n++;
	}
	return n;
}

static bool has_ended(const struct outcome *o)
{
	return o->what == FAILED || o->expired;
}

static bool is_waiting(const struct outcome *o)
{
	return o->what == RETRY && !o->expired;
}

/* Which of the waiting ones have waited long enough? */
static bool expire(struct settle *st)
{
	const struct conf *c;
	bool any = false;
	int after, warn;
	size_t i;

	for (i = 0; i < st->m->env.nrcpt; i++) {
		if (st->out[i].what != RETRY)
			continue;
		limits(&st->m->env.rcpt[i], &after, &warn, &c);
		if (!too_old(st, c, after))
			continue;
		st->out[i].expired = true;
		st->counts.waiting--;
		st->counts.failed++;
		any = true;
	}
	return any;
}

static void log_end(const struct settle *st, const char *event, const char *text)
{
	char from[ADDRESS_MAX + 3];

	snprintf(from, sizeof from, "<%s>", st->m->env.sender);
	log_event(LOG_NOTICE, st->m->id, event, "from", from, "text", text,
		  NULL);
}

/* One delay report a message, best effort. */
static void warn_once(struct settle *st)
{
	struct bounce_rcpt *list;
	const struct conf *c;
	int after, warn;
	size_t i, n;

	if (st->m->env.warned || !*st->m->env.sender)
		return;
	for (i = 0; i < st->m->env.nrcpt; i++) {
		if (!is_waiting(&st->out[i]))
			continue;
		limits(&st->m->env.rcpt[i], &after, &warn, &c);
		if (warn >= 0 && st->now - st->m->env.created >=
		    60 * (time_t)warn)
			break;
	}
	if (i == st->m->env.nrcpt)
		return;
	n = collect(st, &list, is_waiting);
	if (bounce_report(st->m, BOUNCE_DELAYED, list, n, st->now) == 0)
		st->m->env.warned = true;
	free(list);
}

/* The earliest due of the recipients that wait. */
static time_t next_due(const struct settle *st)
{
	const struct conf *c;
	time_t best = 0, at;		/* nobody waits: an hour */
	int after, warn;
	size_t i;

	for (i = 0; i < st->m->env.nrcpt; i++) {
		if (st->m->env.rcpt[i].state != RCPT_WAITING)
			continue;
		limits(&st->m->env.rcpt[i], &after, &warn, &c);
		at = interval(c, st->m->env.attempts);
		if (!best || at < best)
			best = at;
	}
	return st->now + jitter(best ? best : 60 * 60);
}

/* Reports the ended recipients.  True: each is accounted for, and may be
 * marked.  Otherwise: unreturnable says that nobody can be told at all. */
static bool report(struct settle *st, bool *unreturnable)
{
	struct bounce_rcpt *list;
	size_t n = collect(st, &list, has_ended);
	int r = bounce_report(st->m, BOUNCE_FAILED, list, n, st->now);	/* 9 */

	*unreturnable = r != 0 && errno == EDESTADDRREQ;
	if (r != 0 && !*unreturnable)
		log_event(LOG_ERR, st->m->id, "unreported", "text",
			  "the report to the sender could not be stored; the "
			  "message stays", "error", strerror(errno), NULL);
	free(list);
	return r == 0 || *unreturnable;
}

/* If Badmail cannot be written the message stays in Queue with nothing to
 * wait for: the next run finds it so and tries this again. */
static void move_to_badmail(struct settle *st, const char *why)
{
	if (bounce_badmail(st->m, why, st->now) == 0) {		/* 11, 12 */
		st->kept = false;
		return;
	}
	st->stays = true;
	log_event(LOG_ERR, st->m->id, "badmail", "text", "cannot be moved to "
		  "Badmail: it stays in Queue", "error", strerror(errno), NULL);
}

/* Failed and expired recipients: report, then the marks, then Badmail where it
 * must go there.  False: nothing could be stored, all stays as it was. */
static bool end_some(struct settle *st, bool expired)
{
	struct message *m = st->m;
	bool unreturnable, badmail;
	size_t i;

	if (!report(st, &unreturnable))
		return false;
	badmail = unreturnable || conf()->badmail_keeps == KEEP_ALL ||
		(expired && conf()->badmail_keeps != KEEP_UNRETURNABLE);
	if (badmail && !m->committed && queue_commit(m, st->now) != 0)
		return false;
	for (i = 0; i < m->env.nrcpt; i++)
		if (has_ended(&st->out[i]))
			queue_mark(m, i, RCPT_RETURNED, NULL);		/* 10 */
	if (queue_sync(m) != 0)
		return false;
	/* Only with its last recipient does the message leave Queue. */
	if (badmail && st->counts.waiting == 0) {
		log_end(st, expired ? "expired" : "unreturnable",
			expired ? "given up" : "cannot be returned");
		move_to_badmail(st, expired ? "expired" : "unreturnable");
	}
	return true;
}

/* Queue is sticky: in an operator's run, with rights that are only the group's,
 * another's file can be marked, and keeps its name.  What has become of it is
 * durable, and the next run of the queue's owner renames or removes it. */
static int named(int r)
{
	return r != 0 && errno == EPERM ? 0 : r;
}

int settle_end(struct settle *st)
{
	struct message *m = st->m;
	bool expired = false, gone = false, ok = true;
	const bool counted = st->tried;
	time_t due;

	st->kept = true;
	if (st->all_ended) {
		/* A run was killed, or Badmail full, between 10 and 11. */
		move_to_badmail(st, "expired");
		return st->kept ? named(queue_reschedule(m, next_due(st))) : 0;
	}
	if (counted)
		expired = expire(st);
	if (m->broken && m->committed)
		return -1;
	if (st->counts.failed > 0) {
		/* Without a place of its own nothing can be reported. */
		ok = m->q && end_some(st, expired);
		gone = !st->kept;
	}
	if (gone)
		return 0;
	if (ok && st->counts.waiting == 0 && st->stays)
		return named(queue_reschedule(m, next_due(st)));
	if (ok && st->counts.waiting == 0) {
		st->kept = false;
		if (settle_flush(st) != 0 && m->committed)
			return -1;
		return named(queue_remove(m));				/* 13 */
	}
	if (counted) {
		warn_once(st);
		m->env.attempts++;
		m->env.last = st->now;
	}
	due = next_due(st);
	if (named(queue_reschedule(m, due)) != 0)			/* 8 */
		return -1;
	if (!m->committed && queue_commit(m, due) != 0) {
		st->kept = false;
		return -1;
	}
	return 0;
}
