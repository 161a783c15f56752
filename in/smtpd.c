/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * SMTP on standard input and output: see smtpd.h.  A command is parsed by
 * lib/request, and a function of the table below carries it out.  The text of
 * a message is pulled by message_read() out of this session: for DATA through
 * lib/dotted, for BDAT chunk by chunk, which means that the commands between
 * two chunks are heard in the middle of that reading.
 *
 * Whatever way a transaction ends, reset() is its end, and nothing of it is
 * left for the next one.
 *
 * In reading order: replies, the end, a transaction, the text, what becomes of
 * it, the commands, the session.
 */
#include "in/smtpd.h"
#include "conf.h"
#include "in/alias.h"
#include "in/attempt.h"
#include "in/caller.h"
#include "in/identity.h"
#include "in/message.h"
#include "in/wire.h"
#include "lib/addr.h"
#include "lib/dotted.h"
#include "lib/log.h"
#include "lib/request.h"
#include "lib/util.h"
#include "out/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	struct wire w;
	struct request_state state;
	struct request q;		/* the command in hand */
	char helo[256];			/* a legal name or literal, or "" */
	unsigned errors;		/* since the last message taken */
	unsigned runs;			/* begun by ETRN */
	bool ended;

	/* The transaction; reset() forgets it. */
	struct identity id;
	struct attempt attempt;
	struct addr_list to;		/* aliases expanded */
	struct recipient *given;	/* NOTIFY and ORCPT, state.nrcpt */
	char *ret, *envid;

	/* The text being read. */
	bool bdat, last;		/* last: no chunk follows this one */
	uint64_t chunk;			/* octets of it that are still to come */
	uint64_t chunk_size;
	struct dotted dotted;
	int broken;			/* an errno: it will not be complete.
					 * ECANCELED: the client gave it up */
};

/* ---- replies -------------------------------------------------------------------- */

static void say(struct session *s, int code, const char *status,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static const char *enhanced(const struct session *s, const char *status)
{
	return s->state.mask & VERB_ENHANCEDSTATUS ? status : NULL;
}

static void say(struct session *s, int code, const char *status,
		const char *fmt, ...)
{
	char text[REPLY_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wire_say(&s->w, false, code, enhanced(s, status), text);
}

static void good_bye(struct session *s, const char *status, const char *why)
{
	say(s, 421, status, "%s", why);
	s->ended = true;
}

/* A client that makes nothing but errors is not helped by more replies. */
static void refuse(struct session *s)
{
	const struct reply *r = &s->q.refusal;

	if (++s->errors >= SMTPD_ERRORS_MAX) {
		log_note(LOG_INFO, "-bs: ended after %u errors, the last: %d %s",
			 s->errors, r->code, r->text);
		good_bye(s, "4.7.0", "too many errors");
		return;
	}
	say(s, r->code, r->status, "%s", r->text);
	s->ended = r->code == 421;
}

/* The storage failed with this errno, or with 0 an unknown one. */
static void say_storage(struct session *s, int err, const char *why)
{
	bool full = err == ENOSPC || err == EDQUOT;

	complain("-bs: %s", why);
	say(s, full ? 452 : 451, full ? "4.3.1" : "4.3.0", "%s", why);
}

/* ---- the end ---------------------------------------------------------------------- */

/* No more input: r and errno as wire_line gives them. */
static void lost(struct session *s, int r)
{
	int err = errno;

	s->ended = true;
	if (r == 0)
		return;
	if (err == EINTR)
		good_bye(s, "4.3.2", "the service is being shut down");
	else if (err == ETIMEDOUT)
		good_bye(s, "4.4.2", "nothing was heard for too long");
	else if (err == EMSGSIZE)
		good_bye(s, "4.7.0", "too much was refused");
	else
		log_note(LOG_INFO, "-bs: standard input: %s", strerror(err));
}

/* ---- a transaction ------------------------------------------------------------------ */

static void reset(struct session *s)
{
	size_t i;

	for (i = 0; i < s->state.nrcpt; i++) {
		free((char *)s->given[i].notify);
		free((char *)s->given[i].orcpt);
	}
	free(s->given);
	free(s->ret);
	free(s->envid);
	addr_list_free(&s->to);
	if (s->state.mail) {
		identity_free(&s->id);
		attempt_close(&s->attempt);
	}
	s->given = NULL;
	s->ret = s->envid = NULL;
	s->id = (struct identity){ 0 };
	s->attempt = (struct attempt){ 0 };
	s->state.mail = s->state.chunks = false;
	s->state.nrcpt = 0;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void refuse_limit(struct session *s)
{
	complain("-bs: %s", s->attempt.refused);
	say(s, 450, "4.7.1", "%s", s->attempt.refused);
}

/* MAIL FROM is who sends, whatever user runs us: he could have used -f. */
static void do_mail(struct session *s)
{
	char sender[ADDRESS_MAX + 3], error[256];

	snprintf(sender, sizeof sender, "<%s>", s->q.address);
	if (identity_find(&s->id, getuid(), sender, NULL, error,
			  sizeof error) != 0) {
		identity_free(&s->id);
		say(s, 501, "5.1.7", "%s", error);
		return;
	}
	s->state.mail = true;
	attempt_open(&s->attempt);
	if (s->attempt.kept == KEPT_NOWHERE) {
		snprintf(error, sizeof error, "no message can be kept in %s: "
			 "%s", conf()->queue_dir,
			 strerror(s->attempt.queue_errno));
		say_storage(s, s->attempt.queue_errno, error);
		reset(s);
		return;
	}
	if (*s->attempt.refused) {
		refuse_limit(s);
		reset(s);
		return;
	}
	s->ret = copy(s->q.ret);
	s->envid = copy(s->q.envid);
	say(s, 250, "2.1.0", "sender ok");
}

/* Aliases are expanded now, so that a wrong one is this recipient's affair. */
static void do_rcpt(struct session *s)
{
	size_t n = s->state.nrcpt, before = s->to.n;
	struct addr_list one = { 0 };
	char error[256];
	int status;

	if (n >= SMTPD_RECIPIENTS_MAX || s->to.n >= RECIPIENTS_MAX) {
		say(s, 452, "4.5.3", "too many recipients: send the rest with "
		    "another message");
		return;
	}
	addr_list_add(&one, s->q.address);
	status = alias_resolve(&s->to, &one, n, error);
	addr_list_free(&one);
	if (status) {
		while (s->to.n > before)
			free(s->to.found[--s->to.n].addr);
		say(s, 550, "5.1.3", "%s", error);
		return;
	}
	/* Grown by doubling: there may be thousands. */
	if ((n & (n - 1)) == 0)
		s->given = xreallocarray(s->given, n ? 2 * n : 1,
					 sizeof *s->given);
	s->given[n] = (struct recipient){ .notify = copy(s->q.notify),
					  .orcpt = copy(s->q.orcpt) };
	s->state.nrcpt++;
	say(s, 250, "2.1.5", "recipient ok");
}

/* ---- the text ------------------------------------------------------------------------- */

static void run(struct session *s);

/* The text will not be complete, because of r and errno. */
static ssize_t broken(struct session *s, int r)
{
	s->broken = r == 0 ? ECONNRESET : errno;
	lost(s, r);
	errno = s->broken;
	return -1;
}

static ssize_t read_dotted(struct session *s, char *dst, size_t room)
{
	size_t n, used, got = 0;
	const char *p;
	int r;

	while (!s->dotted.ended && got == 0) {
		r = wire_octets(&s->w, SMTPD_TRANSACTION_SECONDS, &p, &n);
		if (r <= 0)
			return broken(s, r);
		got = dotted_take(&s->dotted, p, n, &used, dst, room);
		wire_take(&s->w, used);
	}
	return (ssize_t)got;
}

/* These end a text that is not complete. */
static bool gives_up(const struct session *s)
{
	enum request_verb verb;

	if (!s->q.command || s->q.refusal.code)
		return false;
	verb = s->q.command->verb;
	return verb == REQUEST_RSET || verb == REQUEST_HELO ||
		verb == REQUEST_EHLO || verb == REQUEST_QUIT;
}

static void begin_chunk(struct session *s)
{
	s->chunk = s->chunk_size = s->q.chunk;
	s->last = s->q.last;
}

/* The commands between two chunks, up to the next one. */
static ssize_t await_chunk(struct session *s)
{
	const char *line;
	size_t n;
	int r;

	say(s, 250, "2.0.0", "%llu octets received",
	    (unsigned long long)s->chunk_size);
	for (;;) {
		r = wire_line(&s->w, SMTPD_TRANSACTION_SECONDS, &line, &n);
		if (r <= 0)
			return broken(s, r);
		request_parse(&s->q, line, n, &s->state);
		if (gives_up(s)) {
			wire_unread(&s->w);
			errno = s->broken = ECANCELED;
			return -1;
		}
		if (s->q.command && s->q.command->verb == REQUEST_BDAT &&
		    !s->q.refusal.code) {
			begin_chunk(s);
			return 0;
		}
		run(s);
		if (s->ended) {
			errno = s->broken = ECONNRESET;
			return -1;
		}
		/* Without that chunk the text would have a hole. */
		if (s->q.command && s->q.command->verb == REQUEST_BDAT) {
			errno = s->broken = ECANCELED;
			return -1;
		}
	}
}

static ssize_t read_chunk(struct session *s, char *dst, size_t room)
{
	const char *p;
	size_t n;
	int r;

	while (s->chunk == 0) {
		if (s->last)
			return 0;
		if (await_chunk(s) < 0)
			return -1;
	}
	r = wire_octets(&s->w, SMTPD_TRANSACTION_SECONDS, &p, &n);
	if (r <= 0)
		return broken(s, r);
	n = n < room ? n : room;
	n = n < s->chunk ? n : (size_t)s->chunk;
	memcpy(dst, p, n);
	wire_take(&s->w, n);
	s->chunk -= n;
	return (ssize_t)n;
}

static ssize_t read_text(void *ctx, void *p, size_t n)
{
	struct session *s = ctx;

	return s->bdat ? read_chunk(s, p, n) : read_dotted(s, p, n);
}

/* After a refusal: up to where commands stand again. */
static bool throw_away(struct session *s)
{
	static char gone[IO_CHUNK];
	uint64_t total = 0;
	ssize_t n = 1;

	while (n > 0 && (!s->bdat || s->chunk > 0)) {
		n = read_text(s, gone, sizeof gone);
		total += n > 0 ? (uint64_t)n : 0;
		if (total > SMTPD_DISCARD_MAX) {
			errno = EMSGSIZE;
			n = broken(s, -1);
		}
	}
	return n >= 0;
}

/* ---- what becomes of it ------------------------------------------------------------------ */

/* The list was made command by command; it is message_read's from now on. */
static int recipients(void *ctx, struct addr_list *from_header,
		      struct addr_list *to, char *error)
{
	struct session *s = ctx;

	(void)from_header;
	(void)error;
	*to = s->to;
	s->to = (struct addr_list){ 0 };
	addr_list_dedupe(to);
	return 0;
}

/* 250 is the promise, and is said before anything else is begun. */
static void commit(struct session *s, struct incoming *in)
{
	struct attempt *a = &s->attempt;
	char why[300];
	int err;

	a->m = in->m;
	a->message_id = in->facts.message_id;
	if (attempt_commit(a) != 0) {
		err = errno;
		snprintf(why, sizeof why, "the message cannot be kept: %s%s",
			 strerror(err), storage_advice(err));
		if (*a->refused)
			refuse_limit(s);
		else
			say_storage(s, err, why);
		if (!in->m->committed)
			queue_remove(in->m);
		return;
	}
	s->errors = 0;
	say(s, 250, "2.0.0", "queued as %s", in->m->id);
	wire_flush(&s->w);
	attempt_begin(a);
}

/* message_read refused with this status. */
static void refuse_text(struct session *s, const struct incoming *in,
			int status)
{
	const char *why = in->error;

	switch (status) {
	case EXIT_DATAERR:
		say(s, in->too_large ? 552 : 554, in->too_large ? "5.3.4" :
		    "5.6.0", "%s", why);
		break;
	case EXIT_UNAVAILABLE:
		/* Its sentence is made for those who get no other status. */
		if (strncmp(why, "5.4.6 ", 6) == 0)
			why += 6;
		say(s, 554, "5.4.6", "%s", why);
		break;
	default:
		say_storage(s, in->storage_errno, why);
		return;
	}
	complain("-bs: from <%s>: %s", s->id.sender, why);
}

static void prepare(struct session *s, struct incoming *in)
{
	message_prepare(in, &s->id);
	in->read = read_text;
	in->q = attempt_queue(&s->attempt);
	in->recipients = recipients;
	in->given = s->given;
	in->ctx = s;
	in->task.with = s->state.extended ? "ESMTP" : "SMTP";
	in->task.helo = *s->helo ? s->helo : NULL;
	in->env.ret = s->ret;
	in->env.envid = s->envid;
	s->broken = 0;
}

static void take_text(struct session *s)
{
	struct incoming in;
	int status;

	prepare(s, &in);
	status = message_read(&in);
	if (status == 0)
		commit(s, &in);
	else if (!s->broken && throw_away(s))
		refuse_text(s, &in, status);
	reset(s);		/* before the message, which it knows */
	message_free(in.m);
	addr_list_free(&in.facts.to);
}

/* ---- the commands ------------------------------------------------------------------------- */

static void do_data(struct session *s)
{
	s->bdat = false;
	s->dotted = (struct dotted){ .bare = !s->w.saw_cr };
	wire_say(&s->w, false, 354, NULL, "end the text with a lone dot");
	take_text(s);
}

static void do_bdat(struct session *s)
{
	s->bdat = s->state.chunks = true;
	begin_chunk(s);
	take_text(s);
}

/* The name is believed as far as it goes: it only stands in Received. */
static void greet(struct session *s, bool extended)
{
	const char *name = s->q.argument;
	char address[sizeof s->helo + 2];

	reset(s);
	s->state.extended = extended;
	snprintf(address, sizeof address, "x@%s", name);
	snprintf(s->helo, sizeof s->helo, "%s", strlen(name) <
		 sizeof s->helo && !addr_check(address, false, false) ? name :
		 "");
}

static void do_helo(struct session *s)
{
	greet(s, false);
	say(s, 250, NULL, "%s", conf()->fqdn);
}

static void do_ehlo(struct session *s)
{
	uint64_t offers = request_offers(s->state.mask);
	const struct verb *v;
	char size[40];

	greet(s, true);
	wire_say(&s->w, true, 250, NULL, conf()->fqdn);
	snprintf(size, sizeof size, "SIZE %llu",
		 (unsigned long long)conf()->max_message_size);
	for (v = verbs; v->name; v++)
		if (offers & v->bit)
			wire_say(&s->w, true, 250, NULL, v->bit == VERB_SIZE ?
				 size : v->name);
	wire_say(&s->w, false, 250, NULL, "HELP");
}

static void do_rset(struct session *s)
{
	reset(s);
	say(s, 250, "2.0.0", "ok");
}

static void do_noop(struct session *s)
{
	say(s, 250, "2.0.0", "ok");
}

/* Whether a mailbox exists is known where it is, not here. */
static void do_vrfy(struct session *s)
{
	say(s, 252, "2.5.0", "not verified; send the message to see");
}

static void do_help(struct session *s)
{
	const struct request_command *c;
	char text[80];

	for (c = request_commands; c->word; c++) {
		snprintf(text, sizeof text, "  %s", c->usage);
		if (c->verb == REQUEST_UNBUILT ||
		    (c->verb == REQUEST_EHLO && !s->state.mask) ||
		    (c->offer && !(request_offers(s->state.mask) & c->offer)))
			continue;
		wire_say(&s->w, true, 214, enhanced(s, "2.0.0"), text);
	}
	say(s, 214, "2.0.0", "see sendmail(8)");
}

/* RFC 1985: the reply says that it has begun, no more. */
static void do_etrn(struct session *s)
{
	char domain[ADDRESS_MAX + 2];
	struct run_filter only = { .rcpt = domain };
	int child;

	if (!caller_is_operator()) {
		say(s, 459, "4.7.0", "a queue run is not for everybody");
		return;
	}
	if (++s->runs > SMTPD_RUNS_MAX) {
		say(s, 458, "4.7.0", "no more than %d queue runs a session",
		    SMTPD_RUNS_MAX);
		return;
	}
	/* "@domain" is all below it too (RFC 1985 4). */
	if (*s->q.argument == '@')
		only.rcpt = s->q.argument + 1;
	else
		snprintf(domain, sizeof domain, "@%s", s->q.argument);
	child = detach();
	if (child == 1) {
		if (caller_become_runner() == 0)
			run_once(true, &only);
		_exit(EXIT_OK);
	}
	if (child == 0)
		say(s, 250, "2.0.0", "a queue run has begun");
	else
		say(s, 458, "4.3.0", "no queue run can be begun: %s",
		    strerror(errno));
}

static void do_quit(struct session *s)
{
	say(s, 221, "2.0.0", "%s closes", conf()->fqdn);
	s->ended = true;
}

static void (*const commands[])(struct session *s) = {
	[REQUEST_HELO] = do_helo, [REQUEST_EHLO] = do_ehlo,
	[REQUEST_MAIL] = do_mail, [REQUEST_RCPT] = do_rcpt,
	[REQUEST_DATA] = do_data, [REQUEST_BDAT] = do_bdat,
	[REQUEST_RSET] = do_rset, [REQUEST_NOOP] = do_noop,
	[REQUEST_VRFY] = do_vrfy, [REQUEST_HELP] = do_help,
	[REQUEST_ETRN] = do_etrn, [REQUEST_QUIT] = do_quit,
};

/* A chunk that is refused comes all the same; and those behind it, which may
 * be under way, are no message without it. */
static void refuse_chunk(struct session *s)
{
	s->bdat = s->last = true;
	s->chunk = s->q.chunk;
	if (throw_away(s))
		refuse(s);
	/* Between two chunks it is for who reads them to end it. */
	if (s->q.refusal.code == 501 && !s->state.chunks)
		reset(s);
}

/* Carries out s->q, or refuses it. */
static void run(struct session *s)
{
	const struct request_command *c = s->q.command;

	if (!s->q.refusal.code)
		commands[c->verb](s);
	else if (c && c->verb == REQUEST_BDAT)
		refuse_chunk(s);
	else
		refuse(s);
}

/* ---- the session ----------------------------------------------------------------------------- */

static void hear(struct session *s)
{
	const char *line;
	size_t n;
	int r = wire_line(&s->w, s->state.mail ? SMTPD_TRANSACTION_SECONDS :
			  SMTPD_IDLE_SECONDS, &line, &n);

	if (r <= 0) {
		lost(s, r);
		return;
	}
	request_parse(&s->q, line, n, &s->state);
	run(s);
	if (run_signal && !s->ended) {
		errno = EINTR;
		lost(s, -1);
	}
}

int smtpd(void)
{
	static struct session s;	/* too large for a stack */

	die_quiet = true;
	wire_open(&s.w, STDIN_FILENO, STDOUT_FILENO, &run_signal);
	s.state.mask = conf()->inbound_mask;
	s.state.max_size = conf()->max_message_size;
	say(&s, 220, NULL, "%s %s mailroot", conf()->fqdn,
	    s.state.mask == VERB_NONE ? "SMTP" : "ESMTP");
	while (!s.ended && !s.w.broken)
		hear(&s);
	wire_flush(&s.w);
	reset(&s);
	return EXIT_OK;
}

int smtpd_unable(int status, const char *why)
{
	static struct wire w;

	die_quiet = true;
	complain("-bs: %s", why);
	wire_open(&w, STDIN_FILENO, STDOUT_FILENO, &run_signal);
	wire_say(&w, false, 421, "4.3.5", why);
	wire_flush(&w);
	return status;
}
