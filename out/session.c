/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One connection: finding a host of its hop that answers, the dialogue (which
 * esmtp.c holds), and the message text on its way out.  In reading order:
 * life and death, connecting, a transaction, the loop's callbacks.
 *
 * A session never frees itself: it becomes S_DEAD and deliver.c reaps it, so
 * that every function here may go on looking at it.
 */
#include "out/engine.h"
#include "lib/addr.h"
#include "lib/log.h"
#include "lib/stream.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void go_on(struct session *s);
static void try_host(struct session *s);

static struct host *host_of(const struct session *s)
{
	return &s->hop->hosts[s->host];
}

/* ---- life and death ------------------------------------------------------ */

/* What belongs to one connection only. */
static void hang_up(struct session *s)
{
	secure_forget(s);
	s->securing = s->secure = false;
	if (s->stream)
		stream_close(s->stream);
	s->stream = NULL;
	esmtp_free(s->esmtp);
	s->esmtp = NULL;
	free(s->rcpt);
	free(s->rcpt_index);
	s->rcpt = NULL;
	s->rcpt_index = NULL;
	s->in_transaction = false;
	timer_set(s->timer, INT64_MAX);
}

void session_drop(struct session *s)
{
	if (s->state == S_DEAD)
		return;
	if (s->state == S_CONNECTING)
		race_cancel(s->race);
	s->race = NULL;
	hang_up(s);
	timer_stop(s->timer);
	s->timer = NULL;
	s->state = S_DEAD;
	s->hop->sessions--;
	hop_kick(s->hop);
}

/* The job goes no further in this run. */
static void give_up(struct session *s, const struct reply *r, bool unsure)
{
	struct job *job = s->job;

	s->job = NULL;
	if (job)
		job_end(s->hop, job, r, &s->last_peer, unsure);
	session_drop(s);
}

void session_quit(struct session *s)
{
	if (s->esmtp && esmtp_phase(s->esmtp) == ESMTP_READY) {
		esmtp_quit(s->esmtp);
		stream_write(s->stream, esmtp_output(s->esmtp));
	}
	session_drop(s);
}

bool session_critical(const struct session *s)
{
	return s->state == S_UP && s->in_transaction &&
	       esmtp_end_given(s->esmtp) &&
	       buf_len(esmtp_output(s->esmtp)) == 0 &&
	       stream_pending(s->stream) == 0;
}

/* ---- the time limit ---------------------------------------------------------- */

/* The clock of what is awaited now; wrote: the socket took octets, which
 * counts while a message is on its way (RFC 5321 4.5.3.2.5). */
static void wind(struct session *s, bool wrote)
{
	unsigned limit = esmtp_time_limit(s->esmtp);
	uint64_t progress = esmtp_progress(s->esmtp);
	const struct deliver *d = s->hop->d;
	int64_t at;

	if (progress == s->progress && !wrote)
		return;
	s->progress = progress;
	if (limit == 0)
		limit = TIMEOUT_BLOCK;
	if (limit > s->hop->route.conf->remote_timeout)
		limit = s->hop->route.conf->remote_timeout;
	at = now_mono() + 1000 * (int64_t)limit;
	if (d->stopped && at > d->stop_at)
		at = d->stop_at;
	timer_set(s->timer, at);
}

void session_limit(struct session *s, int64_t at)
{
	timer_set(s->timer, at);
}

static void time_out(void *ctx)
{
	struct session *s = ctx;

	if (s->state != S_UP)
		return;
	esmtp_timeout(s->esmtp);
	go_on(s);
}

/* ---- connecting ----------------------------------------------------------------- */

void session_new(struct hop *hop, struct job *job)
{
	struct session *s = xcalloc(1, sizeof *s);
	struct deliver *d = hop->d;

	s->hop = hop;
	s->job = job;
	s->timer = loop_timer(d->set.loop, INT64_MAX, time_out, s);
	s->next = d->sessions;
	d->sessions = s;
	d->nsessions++;
	hop->sessions++;
	try_host(s);
}

/* This host did not do, for a reason that is the host's. */
static void host_failed(struct session *s, const struct reply *why)
{
	s->last = *why;
	s->last_peer = s->peer;
	engine_tell(s->hop->d, DELIVER_HOST, 0, 0, why, s->hop, &s->peer,
		    false);
	host_bad(s->hop, s->host, why);
}

static void next_host(struct session *s)
{
	s->host++;
	try_host(s);
}

/* EHLO wants a name with a dot; without one the address this connection has
 * here does (RFC 5321 4.1.4).  Never "15b0717dc4c2", never "sub2.". */
static void own_name(struct session *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	char text[64] = "127.0.0.1";
	static bool said;

	if (addr_is_fqdn(conf()->fqdn)) {
		strlcpy(s->name, conf()->fqdn, sizeof s->name);
		return;
	}
	if (getsockname(stream_fd(s->stream), (struct sockaddr *)&sa,
			&len) == 0)
		address_print(text, sizeof text, (struct sockaddr *)&sa);
	snprintf(s->name, sizeof s->name, "[%s%s]",
		 strchr(text, ':') ? "IPv6:" : "", text);
	if (!said)
		log_note(LOG_NOTICE, "our name \"%s\" has no dot: saying EHLO %s"
			 " (set FullyQualifiedDomainName)", conf()->fqdn,
			 s->name);
	said = true;
}

static void trace(void *ctx, char dir, const char *line, size_t n)
{
	struct session *s = ctx;
	char text[1024];

	printable(text, sizeof text, line, n);
	fprintf(stderr, "%s %c %s\n", host_of(s)->name, dir, text);
}

static void settled(void *ctx, size_t i, const struct reply *r)
{
	struct session *s = ctx;

	s->settled_any = true;
	job_settle(s->hop, s->job, s->rcpt_index[i], r, &s->peer, false);
}

static void input(void *ctx, const char *p, size_t n)
{
	struct session *s = ctx;

	if (s->state != S_UP)
		return;
	esmtp_input(s->esmtp, p, n);
	go_on(s);
}

static void writable(void *ctx)
{
	struct session *s = ctx;

	if (s->state == S_UP)
		go_on(s);
}

static void down(void *ctx, const char *why)
{
	struct session *s = ctx;

	if (s->state != S_UP)
		return;
	esmtp_lost(s->esmtp, why);
	go_on(s);
}

static void secured(void *ctx, bool ok, const char *why)
{
	struct session *s = ctx;
	struct tls_facts f;

	if (s->state != S_UP)
		return;
	s->securing = false;
	if (!ok) {
		secure_log_refusal(s, why);
		if (s->hop->d->set.verbose)
			fprintf(stderr, "%s - TLS: %s\n", s->peer.host, why);
		esmtp_lost(s->esmtp, why);
		go_on(s);
		return;
	}
	s->secure = true;
	tls_describe(stream_tls(s->stream), &f);
	snprintf(s->peer.tls, sizeof s->peer.tls, "%s%s", f.protocol,
		 f.trusted ? " trusted" : "");
	if (s->hop->d->set.verbose)
		fprintf(stderr, "%s - %s %s%s\n", s->peer.host, f.protocol,
			f.cipher, f.trusted ? ", trusted" : "");
	if (!host_of(s)->tls)
		esmtp_secured(s->esmtp);
	go_on(s);
}

static void begin_tls(struct session *s)
{
	s->securing = true;
	stream_secure(s->stream, s->tls, host_of(s)->name);
	session_limit(s, now_mono() + 1000 * TIMEOUT_TLS);
}

static const struct stream_ops stream_ops = { input, writable, down, secured };

/* The operator's files, not the host: loud, and nothing is sent. */
static void not_prepared(struct session *s, const char *why)
{
	struct reply r;

	log_event(LOG_ALERT, NULL, "settings", "host", s->peer.host, "text",
		  why, NULL);
	reply_local(&r, REPLY_TO_HOST, 454, "4.7.0", "%s", why);
	hang_up(s);
	host_failed(s, &r);
	next_host(s);
}

/* Errors that say something of the host or the way to it.  Our own (no
 * descriptor, no such source address) must not be held against it. */
static bool is_down(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH ||
		err == ENETUNREACH || err == ETIMEDOUT;
}

static void connected(void *ctx, int fd, const struct dns_address *to,
		      int err, const char *why)
{
	struct session *s = ctx;
	struct deliver *d = s->hop->d;
	struct host *h = host_of(s);
	enum tls_level level = secure_level(s);
	char reason[256] = "";
	struct esmtp_setup setup = {
		.tls = level == TLS_NONE || h->tls ? ESMTP_TLS_OFF :
			level == TLS_MAY ? ESMTP_TLS_MAY : ESMTP_TLS_MUST,
		.tls_on = h->tls, .auth_allowed =
			s->hop->route.conf->auth_mechanisms,
		.name = s->name, .mask = s->hop->route.conf->outbound_mask,
		.helo = h->helo, .settle = settled,
		.trace = d->set.verbose ? trace : NULL, .ctx = s,
	};
	struct reply r;

	s->race = NULL;
	strlcpy(s->peer.host, h->name, sizeof s->peer.host);
	address_print(s->peer.address, sizeof s->peer.address,
		      (struct sockaddr *)&to->sa);
	strlcpy(s->peer.tls, "none", sizeof s->peer.tls);
	if (fd < 0) {
		s->state = S_WAITING_HOST;
		if (d->set.verbose)
			fprintf(stderr, "%s - %s\n", h->name, why);
		reply_local(&r, REPLY_TO_HOST, 451, "4.4.1", "%s", why);
		h->down = is_down(err);
		host_failed(s, &r);
		next_host(s);
		return;
	}
	d->connections++;
	s->state = S_UP;
	s->was_up = false;
	s->messages = 0;
	s->octets = 0;
	s->progress = UINT64_MAX;
	s->stream = stream_open(d->set.loop, fd, &stream_ops, s);
	own_name(s);
	if (!secure_prepare(s, reason, sizeof reason)) {
		not_prepared(s, reason);
		return;
	}
	if (secure_needs_auth(s))
		setup.identity = &s->identity;
	setup.auth_in_clear = secure_may_show(s);
	setup.no_bdat = h->no_bdat ||
		(d->set.no_bdat && d->set.no_bdat(d->set.ctx, h->name));
	s->esmtp = esmtp_new(&setup);
	if (d->set.verbose)
		fprintf(stderr, "%s - connected to %s port %u\n", h->name,
			s->peer.address, h->port);
	if (h->tls)
		begin_tls(s);
	else
		go_on(s);
}

/* Onwards from s->host: the first host that is not known to be bad. */
static void try_host(struct session *s)
{
	struct hop *hop = s->hop;
	const struct conf *c = hop->route.conf;
	unsigned timeout = c->connect_timeout ? c->connect_timeout :
		hop->d->set.immediate ? 5 : 30;
	struct host *h;
	struct reply r;

	s->state = S_WAITING_HOST;
	s->host = hop_host_from(hop, s->host);
	if (s->host == hop->nhosts) {
		r = s->last;
		if (!s->last.code || hop->state == HOP_FAILED)
			hop_verdict(hop, &r, &s->last_peer);
		/* Every host that could be asked finds it too large: this is
		 * a verdict on the message. */
		if (s->too_small && s->too_small == hop->nhosts) {
			r = s->last;
			r.to = REPLY_TO_MESSAGE;
		}
		give_up(s, &r, false);
		return;
	}
	h = host_of(s);
	if (h->state != HOST_READY) {
		hop_need_host(hop, s->host);
		return;
	}
	s->state = S_CONNECTING;
	s->race = race_start(hop->d->set.loop, h->addr, h->naddr, h->port,
			     timeout, c->bind_address, connected, s);
}

void session_host_known(struct hop *hop, size_t i)
{
	struct session *s;

	for (s = hop->d->sessions; s; s = s->next)
		if (s->hop == hop && s->state == S_WAITING_HOST && s->host == i)
			try_host(s);
}

/* ---- a transaction ------------------------------------------------------------------ */

static int pull(void *ctx, char *dst, size_t n, uint64_t at)
{
	const struct parcel *p = ctx;

	return pread_full(p->fd, dst, n, p->text_at + (off_t)at);
}

/* One pass over the message: what must change for a way that has 7 bits.
 * Once per message, whatever the number of its hops. */
static int plan(struct parcel *p)
{
	int64_t size = -1;

	if (p->planned)
		return 0;
	if (mime_plan_make(&p->plan, MIME_EIGHT_BIT, pull, p, p->size) == 0)
		size = mime_reader_size(&p->plan, pull, p, p->size);
	if (size < 0) {		/* half a plan must not serve the next hop */
		mime_plan_free(&p->plan);
		return -1;
	}
	p->planned = true;
	if (p->plan.signed_part)
		log_event(LOG_NOTICE, p->id, "converted", "text", "a signed "
			  "part has octets above 127 and the next hop has no "
			  "8BITMIME: its signature will not hold", NULL);
	p->mended_size = (uint64_t)size;
	p->unmendable = p->plan.impossible;
	return 0;
}

/* Our own disk failed us: the message waits, the session goes. */
static void unreadable(struct session *s)
{
	struct reply r;

	reply_local(&r, REPLY_TO_HOST, 451, "4.3.0",
		    "cannot read the message: %s", strerror(errno));
	give_up(s, &r, false);
}

/* Larger than this server says it takes (RFC 1870 6.1): another may. */
static void too_large(struct session *s, uint64_t size)
{
	reply_local(&s->last, REPLY_TO_HOST, 552, "5.3.4", "the message has "
		    "%llu octets, %s takes %llu", (unsigned long long)size,
		    host_of(s)->name,
		    (unsigned long long)esmtp_size_limit(s->esmtp));
	s->last_peer = (struct peer){ .address = "" };
	s->too_small++;
	esmtp_quit(s->esmtp);
	stream_write(s->stream, esmtp_output(s->esmtp));
	hang_up(s);
	next_host(s);
}

static void fill_rcpt(struct session *s)
{
	const struct job *job = s->job;
	const struct recipient *r;
	size_t k;

	free(s->rcpt);
	free(s->rcpt_index);
	s->rcpt = xcalloc(job->open, sizeof *s->rcpt);
	s->rcpt_index = xcalloc(job->open, sizeof *s->rcpt_index);
	s->nrcpt = 0;
	for (k = 0; k < job->nrcpt; k++) {
		if (job->to[k].settled)
			continue;
		r = &job->parcel->env->rcpt[job->to[k].rcpt];
		s->rcpt_index[s->nrcpt] = k;
		s->rcpt[s->nrcpt++] = (struct esmtp_rcpt){
			r->addr, r->notify, r->orcpt };
	}
}

static void begin(struct session *s)
{
	struct parcel *p = s->job->parcel;
	const struct envelope *env = p->env;
	struct esmtp_mail mail = {
		.sender = env->sender, .size = p->size,
		.eight_bit = env->eight_bit, .ret = env->ret,
		.envid = env->envid,
	};
	uint64_t limit = esmtp_size_limit(s->esmtp);
	struct reply r;

	s->mending = env->eight_bit &&
		!(esmtp_offers(s->esmtp) & VERB_8BITMIME);
	if (s->mending) {
		if (plan(p) != 0) {
			unreadable(s);
			return;
		}
		if (p->unmendable) {
			reply_local(&r, REPLY_TO_MESSAGE, 554, "5.6.3", "%s has "
				    "no 8BITMIME and the message cannot be "
				    "converted to 7 bits", host_of(s)->name);
			give_up(s, &r, false);
			return;
		}
		mail.size = p->mended_size;
		mail.eight_bit = false;
		s->reader_at = UINT64_MAX;
	}
	if (limit && mail.size > limit) {
		too_large(s, mail.size);
		return;
	}
	fill_rcpt(s);
	mail.rcpt = s->rcpt;
	mail.nrcpt = s->nrcpt;
	s->in_transaction = true;
	s->settled_any = false;
	s->octets += mail.size;
	s->hop->d->transactions++;
	esmtp_begin(s->esmtp, &mail);
}

/* The next piece of the message into the dialogue.  False: it cannot be
 * read, and the session is gone. */
static bool feed(struct session *s)
{
	static char chunk[IO_CHUNK];
	const struct parcel *p = s->job->parcel;
	uint64_t at = esmtp_body_at(s->esmtp), left;
	struct buf piece;
	int r;

	if (!s->mending) {
		left = p->size - at;
		if (left > sizeof chunk)
			left = sizeof chunk;
		if (pread_full(p->fd, chunk, left, p->text_at + (off_t)at) != 0) {
			unreadable(s);
			return false;
		}
		esmtp_body(s->esmtp, chunk, left);
		return true;
	}
	if (at != s->reader_at) {	/* the beginning, or from there again */
		mime_reader_init(&s->reader, &p->plan, pull, s->job->parcel,
				 p->size);
		s->reader_at = at;
	}
	buf_init(&piece, 8 * IO_CHUNK);
	/* At most IO_CHUNK octets come of it. */
	r = mime_reader_next(&s->reader, &piece, IO_CHUNK / 5);
	if (r < 0) {
		buf_free(&piece);
		unreadable(s);
		return false;
	}
	if (buf_len(&piece) == 0) {
		/* It ended before its counted size: the file has changed. */
		buf_free(&piece);
		errno = EIO;
		unreadable(s);
		return false;
	}
	s->reader_at += buf_len(&piece);
	esmtp_body(s->esmtp, buf_data(&piece), buf_len(&piece));
	buf_free(&piece);
	return true;
}

/* What hosts said about the job before is nothing to this one. */
static void new_job(struct session *s, struct job *job)
{
	s->job = job;
	s->too_small = 0;
	s->last.code = 0;
}

/* Between transactions: the next job, or good-bye. */
static void ready(struct session *s)
{
	struct hop *hop = s->hop;
	const struct conf *c = hop->route.conf;
	struct reply none = { 0 };
	struct job *job;

	if (!s->was_up) {
		s->was_up = true;
		host_of(s)->proven = true;
		if (!hop->proven)
			engine_tell(hop->d, DELIVER_UP, 0, 0, NULL, hop,
				    &s->peer, false);
		hop->proven = true;
		hop_kick(hop);	/* it may have more sessions now */
	}
	if (s->in_transaction) {
		s->in_transaction = false;
		s->messages++;
		host_of(s)->losses = 0;
		job = s->job;
		s->job = NULL;
		job_end(hop, job, &none, NULL, false);
	}
	/* A session over IPv6 with a host that dislikes that has no future. */
	if (!s->job && !hop->d->stopped &&
	    !(host_of(s)->v4_only && strchr(s->peer.address, ':')) &&
	    (!c->max_batched || s->messages < c->max_batched) &&
	    (!c->max_session_size || s->octets < c->max_session_size) &&
	    !hop_should_yield(hop))
		new_job(s, hop_next_job(hop));
	if (s->job)
		begin(s);
	else if (!hop->wanted || hop->d->stopped)
		session_quit(s);
}

void session_take(struct session *s, struct job *job)
{
	new_job(s, job);
	go_on(s);
}

/* The connection has ended: whose fault was it, and who is next? */
static void ended(struct session *s)
{
	struct esmtp_end end = *esmtp_ended(s->esmtp);
	struct host *h = host_of(s);
	struct hop *hop = s->hop;
	struct job *job = s->job;
	bool in_transaction = s->in_transaction, used = s->messages > 0;

	/* With TLS 1.3 a server refuses when for us the handshake is done. */
	if (end.tls_failed && s->secure)
		log_event(LOG_WARNING, NULL, "tls", "host", s->peer.host,
			  "address", s->peer.address, "text", end.why.text,
			  NULL);
	hang_up(s);
	s->last_peer = s->peer;
	if (end.after_bdat) {
		h->no_bdat = true;
		engine_tell(hop->d, DELIVER_NO_BDAT, 0, 0, &end.why, hop,
			    &s->peer, false);
	}
	if (!s->was_up && end.at_greeting && end.why.code >= 500 &&
	    strchr(s->peer.address, ':') && host_prefer_v4(h)) {
		try_host(s);
	} else if (!s->was_up && end.at_ehlo && !h->helo) {
		h->helo = true;		/* it closes on EHLO: call again */
		try_host(s);
	} else if (!s->was_up && end.tls_failed && !h->clear &&
		   !secure_needs_auth(s) && secure_level(s) == TLS_MAY) {
		h->clear = true;	/* its TLS is broken: without */
		try_host(s);
	} else if (!s->was_up) {
		h->shut = end.at_greeting &&
			(end.why.code == 521 || end.why.code == 554);
		host_failed(s, &end.why);
		if (hop->d->stopped)
			give_up(s, &end.why, false);
		else
			next_host(s);
	} else if (!job) {
		session_drop(s);	/* an idle one: no harm done */
	} else if (job->open == 0 || end.after_end || hop->d->stopped) {
		/* None is open: they were settled by the very 421. */
		give_up(s, &end.why, end.after_end);
	} else if (used && in_transaction && !s->settled_any &&
		   job->again++ == 0) {
		/* A kept connection that had gone stale: a fresh one. */
		s->job = NULL;
		job_put_back(hop, job);
		session_drop(s);
	} else {
		if (++h->losses >= 3)
			host_failed(s, &end.why);
		s->last = end.why;
		next_host(s);
	}
}

/* ---- after whatever happened ---------------------------------------------------------- */

static void go_on(struct session *s)
{
	size_t wrote = 0;

	/* Until the handshake is over nothing may be written; but it may have
	 * ended the session. */
	if (s->securing && s->state == S_UP &&
	    esmtp_phase(s->esmtp) != ESMTP_CLOSED)
		return;
	while (s->state == S_UP) {
		switch (esmtp_phase(s->esmtp)) {
		case ESMTP_READY:
			if (!s->job && s->hop->wanted && s->was_up &&
			    !s->in_transaction && !s->hop->d->stopped &&
			    !s->hop->jobs)
				return;		/* idle: work is coming */
			ready(s);
			continue;
		case ESMTP_BODY:
			if (buf_len(esmtp_output(s->esmtp)) < OUT_HIGH_WATER) {
				if (!feed(s))
					return;
				continue;
			}
			break;
		case ESMTP_SECURE:
			if (!s->securing)
				begin_tls(s);
			return;
		case ESMTP_CLOSED:
			ended(s);
			return;
		case ESMTP_WAITING:
			break;
		}
		wrote += stream_write(s->stream, esmtp_output(s->esmtp));
		if (esmtp_phase(s->esmtp) == ESMTP_BODY &&
		    buf_len(esmtp_output(s->esmtp)) < OUT_HIGH_WATER)
			continue;
		wind(s, wrote > 0);
		return;
	}
}
