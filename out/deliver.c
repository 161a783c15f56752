/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Whose turn it is.  Messages come as numbers that wait for a hop (four octets
 * each), become parcels when we are given them, are taken apart into jobs, and
 * are DONE when the last job is.  In reading order: the channel, hops and
 * their queues, parcels and jobs, the pump, the interface.
 *
 * The pump runs from a timer, never from inside a session: so a session may
 * ask for it at any moment, and dead sessions are freed only there.
 */
#include "out/engine.h"
#include "lib/addr.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Deferrals of a dead hop handled in one go, before sessions get a turn. */
#define DRAIN_AT_ONCE 64
/* The pump's own time in one turn of the loop. */
#define PUMP_MS 20

/* ---- the channel ---------------------------------------------------------- */

static bool has_work(const struct hop *hop)
{
	return hop->jobs || hop->qlen > 0;
}

void engine_kick(struct deliver *d)
{
	timer_set(d->kick, 0);
}

/* In line for the pump, once.  A hop stands in line while it may get further:
 * whoever changes that (a message came, a host was found, a session ended)
 * puts it back. */
void hop_kick(struct hop *hop)
{
	struct deliver *d = hop->d;

	if (!hop->in_line && (has_work(hop) || hop->state == HOP_FAILED)) {
		hop->in_line = true;
		hop->line_next = NULL;
		*d->line_end = hop;
		d->line_end = &hop->line_next;
	}
	engine_kick(d);
}

void engine_tell(struct deliver *d, enum deliver_what what, uint32_t n,
		 uint32_t rcpt, const struct reply *r, const struct hop *hop,
		 const struct peer *peer, bool unsure)
{
	struct deliver_record rec = { .what = what, .n = n, .rcpt = rcpt,
				      .unsure = unsure };

	if (r)
		rec.reply = *r;
	if (hop) {
		route_print(&hop->route, rec.hop, sizeof rec.hop);
		route_key(&hop->route, rec.key, sizeof rec.key);
		rec.skipped = hop->skipped;
	}
	if (peer) {
		strlcpy(rec.host, peer->host, sizeof rec.host);
		strlcpy(rec.address, peer->address, sizeof rec.address);
		strlcpy(rec.tls, peer->tls, sizeof rec.tls);
	}
	d->set.tell(d->set.ctx, &rec);
}

/* ---- hops and their queues -------------------------------------------------- */

static size_t hash_route(const struct route *r)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)r->conf ^ r->kind;
	const char *s;

	for (s = r->domain; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (h ^ h >> 20) % 4096;
}

static struct hop *hop_find(struct deliver *d, const struct route *r)
{
	size_t slot = hash_route(r);
	struct hop *hop;

	for (hop = d->hash[slot]; hop; hop = hop->hash_next)
		if (route_same(&hop->route, r))
			return hop;
	hop = xcalloc(1, sizeof *hop);
	hop->d = d;
	hop->route = *r;
	hop->jobs_end = &hop->jobs;
	hop->hash_next = d->hash[slot];
	d->hash[slot] = hop;
	hop->next = d->hops;
	d->hops = hop;
	d->nhops++;
	return hop;
}

void deliver_queue(struct deliver *d, uint32_t n, const struct route *r)
{
	struct hop *hop = hop_find(d, r);
	uint32_t *bigger;
	size_t i;

	if (hop->qlen == hop->qcap) {
		bigger = xreallocarray(NULL, hop->qcap ? 2 * hop->qcap : 8,
				       sizeof *bigger);
		for (i = 0; i < hop->qlen; i++)
			bigger[i] = hop->queued[(hop->qfirst + i) % hop->qcap];
		free(hop->queued);
		hop->queued = bigger;
		hop->qfirst = 0;
		hop->qcap = hop->qcap ? 2 * hop->qcap : 8;
	}
	hop->queued[(hop->qfirst + hop->qlen++) % hop->qcap] = n;
	d->nqueued++;
	hop_kick(hop);
}

static void want(struct hop *hop)
{
	struct deliver *d = hop->d;
	uint32_t n = hop->queued[hop->qfirst];

	hop->qfirst = (hop->qfirst + 1) % hop->qcap;
	hop->qlen--;
	d->nqueued--;
	if (d->nwanted == d->wanted_cap) {
		d->wanted_cap = d->wanted_cap ? 2 * d->wanted_cap : 16;
		d->wanted = xreallocarray(d->wanted, d->wanted_cap,
					  sizeof *d->wanted);
	}
	d->wanted[d->nwanted].n = n;
	d->wanted[d->nwanted++].hop = hop;
	hop->wanted++;
	engine_tell(d, DELIVER_WANT, n, 0, NULL, hop, NULL, false);
}

static void unwant(struct deliver *d, uint32_t n)
{
	size_t i;

	for (i = 0; i < d->nwanted; i++)
		if (d->wanted[i].n == n) {
			d->wanted[i].hop->wanted--;
			d->wanted[i] = d->wanted[--d->nwanted];
			return;
		}
}

static void pace_over(void *ctx)
{
	hop_kick(ctx);
}

/* MessagesPerMinute: not yet.  The session that asked will leave; a new one
 * comes when it is time.  A hop that is down need not be paced. */
static bool too_soon(struct hop *hop)
{
	unsigned rate = hop->route.conf->messages_per_minute;

	if (!rate || hop->state == HOP_FAILED || hop->d->stopped)
		return false;
	if (now_mono() >= hop->next_start)
		return false;
	if (!hop->pace)
		hop->pace = loop_timer(hop->d->set.loop, hop->next_start,
				       pace_over, hop);
	timer_set(hop->pace, hop->next_start);
	return true;
}

static void count_start(struct hop *hop)
{
	unsigned rate = hop->route.conf->messages_per_minute;
	int64_t now = now_mono();

	if (!rate)
		return;
	if (hop->next_start < now)
		hop->next_start = now;
	hop->next_start += 60000 / rate;
}

struct job *hop_next_job(struct hop *hop)
{
	struct job *job;

	if (too_soon(hop))
		return NULL;
	/* A message may turn out to be gone: then the one behind it. */
	while (!hop->jobs && hop->qlen > 0 && !hop->d->stopped)
		want(hop);
	job = hop->jobs;
	if (!job)
		return NULL;
	hop->jobs = job->next;
	if (!hop->jobs)
		hop->jobs_end = &hop->jobs;
	job->next = NULL;
	count_start(hop);
	return job;
}

/* All connections are taken, and the hop that is next in line has none. */
bool hop_should_yield(const struct hop *hop)
{
	const struct deliver *d = hop->d;

	return d->nsessions >= d->max_sessions && d->line &&
		d->line != hop && d->line->sessions == 0;
}

/* ---- parcels and jobs ----------------------------------------------------------- */

static void parcel_done(struct deliver *d, struct parcel *p)
{
	struct parcel **at;
	uint32_t n = p->n;

	for (at = &d->parcels; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	mime_plan_free(&p->plan);
	free(p);
	engine_tell(d, DELIVER_DONE, n, 0, NULL, NULL, NULL, false);
}

static void push_built(struct hop *hop)
{
	struct job *job = hop->building;

	hop->building = NULL;
	if (!job)
		return;
	*hop->jobs_end = job;
	hop->jobs_end = &job->next;
	job->parcel->jobs++;
	hop_kick(hop);
}

/* One recipient into the job its hop is building for this parcel. */
static void add_rcpt(struct hop *hop, struct parcel *p, uint32_t rcpt)
{
	struct job *job = hop->building;
	unsigned most = hop->route.conf->max_recipients;

	if (job && job->nrcpt >= (most ? most : 1)) {
		push_built(hop);
		job = NULL;
	}
	if (!job || job->nrcpt == job->cap) {
		size_t cap = job ? 2 * job->cap : 2;

		hop->building = xreallocarray(job, 1, sizeof *job +
					      cap * sizeof job->to[0]);
		if (!job)
			*hop->building = (struct job){ .parcel = p };
		job = hop->building;
		job->cap = cap;
	}
	job->to[job->nrcpt].rcpt = rcpt;
	job->to[job->nrcpt++].settled = false;
	job->open++;
}

/* SmartHostType 1: what could not be delivered directly, and was not sent as
 * far as its end, goes to the smart host in the same attempt. */
static bool fall_back(struct hop *hop, struct job *job, size_t k,
		      const struct reply *r, bool unsure)
{
	struct route relay = { .kind = ROUTE_SMART_HOST,
			       .conf = hop->route.conf };
	struct hop *to;

	if (hop->route.kind != ROUTE_DOMAIN || unsure || hop->d->stopped ||
	    hop->route.conf->smart_host_type != 1 ||
	    !hop->route.conf->nsmart_hosts || reply_fate(r) != FATE_RETRY)
		return false;
	to = hop_find(hop->d, &relay);
	/* The job in the making may be another message's. */
	if (to->building && to->building->parcel != job->parcel)
		push_built(to);
	add_rcpt(to, job->parcel, job->to[k].rcpt);
	job->relay = to;
	return true;
}

/* Port 25 over IPv6 is refused where reverse names are missing: what was said
 * to our IPv6 address is not final before IPv4 has been tried. */
static bool over_ipv4(struct hop *hop, struct job *job, size_t k,
		      const struct reply *r, const struct peer *peer)
{
	bool have = false;
	size_t i;

	if (r->local || reply_fate(r) != FATE_FAILED || hop->d->stopped ||
	    !peer || !strchr(peer->address, ':'))
		return false;
	for (i = 0; i < hop->nhosts; i++)
		have |= host_prefer_v4(&hop->hosts[i]) ||
			hop->hosts[i].v4_only;
	if (!have)
		return false;
	if (hop->building && hop->building->parcel != job->parcel)
		push_built(hop);
	add_rcpt(hop, job->parcel, job->to[k].rcpt);
	job->once_more = hop;
	return true;
}

void job_settle(struct hop *hop, struct job *job, size_t k,
		const struct reply *r, const struct peer *peer, bool unsure)
{
	if (job->to[k].settled)
		return;
	job->to[k].settled = true;
	job->open--;
	if (fall_back(hop, job, k, r, unsure) ||
	    over_ipv4(hop, job, k, r, peer))
		return;
	engine_tell(hop->d, DELIVER_FATE, job->parcel->n, job->to[k].rcpt, r,
		    hop, peer, unsure);
}

void job_end(struct hop *hop, struct job *job, const struct reply *r,
	     const struct peer *peer, bool unsure)
{
	struct parcel *p = job->parcel;
	size_t k;

	for (k = 0; k < job->nrcpt; k++)
		job_settle(hop, job, k, r, peer, unsure);
	if (job->relay)
		push_built(job->relay);
	if (job->once_more)
		push_built(job->once_more);
	free(job);
	if (--p->jobs == 0)
		parcel_done(hop->d, p);
}

void job_put_back(struct hop *hop, struct job *job)
{
	job->next = hop->jobs;
	if (!hop->jobs)
		hop->jobs_end = &job->next;
	hop->jobs = job;
	hop_kick(hop);
}

void deliver_give(struct deliver *d, uint32_t n, const char *id, int fd,
		  const struct envelope *env, off_t text_at, uint64_t text_size)
{
	struct parcel *p = xcalloc(1, sizeof *p);
	struct hop *hop, *touched = NULL;
	struct route r;
	size_t i;

	unwant(d, n);
	p->n = n;
	strlcpy(p->id, id, sizeof p->id);
	p->fd = fd;
	p->env = env;
	p->text_at = text_at;
	p->size = text_size;
	p->next = d->parcels;
	d->parcels = p;
	p->jobs = 1;		/* held while it is taken apart */
	for (i = 0; i < env->nrcpt; i++) {
		if (env->rcpt[i].state != RCPT_WAITING)
			continue;
		route_find(&r, env->rcpt[i].addr);
		if (r.kind == ROUTE_LOCAL)
			continue;
		hop = hop_find(d, &r);
		if (!hop->building) {
			hop->touched_next = touched;
			touched = hop;
		}
		add_rcpt(hop, p, (uint32_t)i);
	}
	while ((hop = touched) != NULL) {
		touched = hop->touched_next;
		push_built(hop);
	}
	if (--p->jobs == 0)
		parcel_done(d, p);
	engine_kick(d);
}

void deliver_gone(struct deliver *d, uint32_t n)
{
	unwant(d, n);
	engine_kick(d);
}

/* ---- the pump --------------------------------------------------------------------- */

static void reap(struct deliver *d)
{
	struct session **at = &d->sessions, *s;

	while ((s = *at) != NULL) {
		if (s->state != S_DEAD) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		d->nsessions--;
		free(s);
	}
}

/* A hop that is down: everything for it is deferred, a piece at a time. */
static void drain(struct hop *hop)
{
	struct job *job;
	int n;

	for (n = 0; n < DRAIN_AT_ONCE; n++) {
		job = hop_next_job(hop);
		if (!job)
			return;
		job_end(hop, job, &hop->why, &hop->why_peer, false);
	}
	hop_kick(hop);
}

/* Is it worth another connection?  To be connected and greeted takes as long
 * as two messages: a session that is there has carried them by then. */
static bool worth_one_more(const struct hop *hop)
{
	size_t backlog = hop->qlen;
	const struct job *job;

	for (job = hop->jobs; job && backlog <= 2 * hop->sessions;
	     job = job->next)
		backlog++;
	return hop->sessions == 0 || backlog > 2 * hop->sessions;
}

/* One more session for this hop, if it may have one.  Until the first was up
 * there is no second: a dead host must cost one time-out, not twenty. */
static bool one_more(struct hop *hop)
{
	struct deliver *d = hop->d;
	unsigned most = hop->route.conf->max_connections_per_domain;
	struct session *s;
	struct job *job;

	for (s = d->sessions; s; s = s->next)
		if (s->hop == hop && s->state == S_UP && !s->job &&
		    s->was_up && (job = hop_next_job(hop)) != NULL) {
			session_take(s, job);
			return true;
		}
	if ((most && hop->sessions >= most) ||
	    (!hop->proven && hop->sessions) || !worth_one_more(hop))
		return false;
	job = hop_next_job(hop);
	if (!job)
		return false;
	session_new(hop, job);
	return true;
}

/* One step for the hop that is first in line. */
static void serve(struct hop *hop)
{
	switch (hop->state) {
	case HOP_NEW:
		hop_resolve(hop);
		if (hop->state == HOP_READY)
			hop_kick(hop);
		break;
	case HOP_ASKING:
		break;
	case HOP_READY:
		if (one_more(hop))
			hop_kick(hop);	/* again, behind the others */
		break;
	case HOP_FAILED:
		drain(hop);
		break;
	}
}

/* Destinations take turns: each step goes to the first in line.  When all
 * connections are taken the line stands still; only hops that need none
 * (dead ones) are served then. */
static void pump(void *ctx)
{
	struct deliver *d = ctx;
	struct hop *hop;
	int64_t until = now_mono() + PUMP_MS;

	reap(d);
	while ((hop = d->line) != NULL && !d->stopped) {
		if (hop->state != HOP_FAILED &&
		    (d->nsessions + d->nasking >= d->max_sessions ||
		     d->nasking >= ASKING_MAX))
			return;
		if (now_mono() > until) {
			engine_kick(d);		/* sessions first */
			return;
		}
		d->line = hop->line_next;
		if (!d->line)
			d->line_end = &d->line;
		hop->in_line = false;
		if (has_work(hop))
			serve(hop);
	}
}

/* ---- the interface ------------------------------------------------------------------- */

/* As many sessions as descriptors reach: each has a socket and a message. */
static unsigned session_limit_by_fd(unsigned most)
{
	struct rlimit rl;
	rlim_t room;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
		return most;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		getrlimit(RLIMIT_NOFILE, &rl);
	}
	room = rl.rlim_cur > 40 ? (rl.rlim_cur - 32) / 3 : 2;
	return most && most < room ? most : (unsigned)(room < 5000 ? room :
						       5000);
}

struct deliver *deliver_open(const struct deliver_setup *setup)
{
	struct deliver *d = xcalloc(1, sizeof *d);

	d->set = *setup;
	d->kick = loop_timer(setup->loop, INT64_MAX, pump, d);
	d->line_end = &d->line;
	d->max_sessions = session_limit_by_fd(conf()->max_connections);
	return d;
}

void deliver_close(struct deliver *d)
{
	struct session *s;
	struct parcel *p;
	struct hop *hop;

	for (s = d->sessions; s; s = s->next) {
		free(s->job);
		s->job = NULL;
		session_drop(s);
	}
	reap(d);
	while ((hop = d->hops) != NULL) {
		d->hops = hop->next;
		hop_free(hop);
	}
	while ((p = d->parcels) != NULL) {
		d->parcels = p->next;
		mime_plan_free(&p->plan);
		free(p);
	}
	if (d->dns)
		dns_close(d->dns);
	timer_stop(d->kick);
	free(d->wanted);
	free(d);
}

void deliver_stop(struct deliver *d, const char *why, bool time_out,
		  unsigned limit_s)
{
	struct session *s;
	struct hop *hop;
	struct job *job;

	if (d->stopped)
		return;
	d->stopped = true;
	d->stop_at = now_mono() + 1000 * (int64_t)limit_s;
	reply_local(&d->stop_why, REPLY_TO_HOST, 451, "4.4.2", "%s", why);
	for (s = d->sessions; s; s = s->next) {
		if (s->state == S_DEAD)
			continue;
		if (session_critical(s)) {
			session_limit(s, d->stop_at);
			continue;
		}
		job = s->job;
		s->job = NULL;
		/* Cut before a greeting: the next caller need not wait for
		 * the same. */
		if (!s->was_up && !s->hop->proven && time_out)
			hop_tell_down(s->hop, &d->stop_why);
		if (job)
			job_end(s->hop, job, &d->stop_why, NULL, false);
		session_drop(s);
	}
	for (hop = d->hops; hop; hop = hop->next) {
		while ((job = hop_next_job(hop)) != NULL)
			job_end(hop, job, &d->stop_why, NULL, false);
		d->nqueued -= hop->qlen;
		hop->qlen = 0;
	}
}

void deliver_hurry(struct deliver *d, unsigned limit_s)
{
	int64_t at = now_mono() + 1000 * (int64_t)limit_s;
	struct session *s;

	if (at >= d->stop_at)
		return;
	d->stop_at = at;
	for (s = d->sessions; s; s = s->next)
		if (s->state == S_UP)
			session_limit(s, at);
}

bool deliver_busy(const struct deliver *d)
{
	const struct session *s;

	if (d->nqueued || d->parcels || d->nwanted)
		return true;
	for (s = d->sessions; s; s = s->next)
		if (s->state != S_DEAD)
			return true;
	return false;
}

unsigned deliver_critical(const struct deliver *d)
{
	const struct session *s;
	unsigned n = 0;

	for (s = d->sessions; s; s = s->next)
		n += session_critical(s);
	return n;
}

struct deliver_counts deliver_counts(const struct deliver *d)
{
	return (struct deliver_counts){ d->nsessions, d->nhops, d->connections,
					d->transactions };
}
