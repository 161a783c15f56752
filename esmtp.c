/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The SMTP dialogue of one connection, without any I/O: see esmtp.h.
 *
 * The one idea: no step knows its successor.  Saying a command and hearing a
 * reply only write down facts; what is said next is always asked of one
 * function that looks at the facts.  So grouped commands, refusals half-way,
 * second tries and reuse need no paths of their own.  In reading order:
 *
 *	facts		what was sent and learned: connection, transaction
 *	next_command	the whole course of a session, a pure function
 *	commands	the table: name, time limit, may it be overtaken, how
 *			it is put, what its reply teaches; then its entries
 *	speak and hear	the engine; a new verb does not change it
 *
 * A reply belongs to the oldest command without one, never to "the state we
 * are in".  What does not fit (no command, wrong class, not a reply at all,
 * begun before its command had left) ends the session, and whoever is still
 * open waits: under pipelining a guess loses mail.
 *
 * Not here: sockets, time, TLS; which host, which recipients, when again;
 * what becomes of a reply (reply_fate); changing the text of a message.
 */
#include "esmtp.h"
#include "config.h"
#include "lib/codec.h"
#include "lib/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- facts -------------------------------------------------------------- */

enum command {
	NOTHING,		/* wait for a reply, for text, the caller */
	GREETING,		/* never said, but awaited like a reply */
	EHLO, HELO, RSET, MAIL, RCPT, DATA, BDAT, QUIT,
	END,			/* the lone dot */
	COMMANDS,
};

/* Of the connection. */
struct session {
	bool greeted;		/* 2xx */
	bool helo;		/* HELO it must be */
	bool ready;		/* EHLO or HELO was answered 2xx */
	bool bdat_unknown;	/* it was announced, and then not understood */
	bool stale;		/* the server may still hold a transaction that
				 * is over for us: RSET before the next MAIL */
	uint64_t offers;	/* announced, and not masked */
	uint64_t size_limit;	/* 0: none */
	size_t waiting;		/* commands without a reply */
	enum command last;	/* the last one said */
};

enum answer { UNSAID, SAID, YES, NO };

/* A recipient's way; a second try leads back to OPEN. */
enum stage { OPEN, ASKED, ACCEPTED, SETTLED, STAGES };

struct recipient {
	unsigned char stage;
	bool plain;		/* the parameters were refused: without */
};

enum text {
	TEXT_NONE,		/* neither DATA nor BDAT was said */
	TEXT_ASKED,		/* DATA was said */
	TEXT_OPEN,		/* 354, or BDAT was said: octets are wanted */
	TEXT_GIVEN,		/* the end is out, its reply is not in */
};

/* Of one transaction.  It may take several rounds, MAIL to the end of data,
 * when something must be said once more in another way; put_mail begins one
 * and forgets what belongs to the one before. */
struct transaction {
	bool open;
	struct esmtp_mail m;
	bool bdat;		/* DATA otherwise */
	bool plain;		/* MAIL's parameters were refused */
	bool extras;		/* MAIL was said with some that may go */
	enum answer mail;
	enum text text;
	struct recipient *rcpt;
	size_t count[STAGES];	/* recipients in each stage */
	size_t next;		/* the first that is OPEN; nrcpt: none */
	uint64_t at;		/* octets of text handed in */
	bool bol;		/* they ended at a line's begin */
	uint64_t end_at;	/* TEXT_GIVEN: where the end stands in all that
				 * we ever said */
};

/* A command on its way, in the order of saying. */
struct sent {
	enum command command;
	size_t rcpt;
	uint64_t end_at;	/* its last octet in all that we ever said */
	struct transaction *of;	/* room for more than one in flight */
};

/* More of a reply would be cut off by struct reply; half as much again for
 * the blanks and the repeated status codes that reply_remote takes out. */
#define TEXT_KEPT (REPLY_TEXT + REPLY_TEXT / 2)

struct esmtp {
	struct esmtp_setup setup;
	struct session s;
	struct transaction t;
	struct sent sent[PIPELINE_MAX];		/* a ring: s.waiting entries */
	size_t oldest;
	struct sent heard;	/* whose reply is being learned from */
	struct buf out;
	uint64_t said;		/* octets ever put into out */
	uint64_t progress;
	struct buf line;	/* the reply line that is coming in */
	unsigned lines;		/* complete ones of this reply */
	int code;
	char text[TEXT_KEPT + 1];	/* the last one is always NUL */
	size_t ntext;
	uint64_t came_at;	/* octets that had left when it began */
	bool closed;
	struct esmtp_end end;
};

/* ---- the course of a session -------------------------------------------- */

typedef void put_fn(struct esmtp *, enum command);
typedef void learn_fn(struct esmtp *, const struct reply *);

static const struct row {
	const char *name;	/* "in reply to ..." */
	unsigned limit;		/* seconds */
	bool overtaken;		/* RFC 2920: the next may go before its reply */
	int yes;		/* first digit of the reply that grants it */
	enum reply_to to;
	put_fn *put;		/* the line without CRLF */
	learn_fn *learn;	/* only called with yes, 4xx or 5xx */
} commands[COMMANDS];

/* Can this round still bring the message to anybody? */
static bool wanted(const struct transaction *t)
{
	return (t->mail == SAID || t->mail == YES) &&
	       t->count[ASKED] + t->count[ACCEPTED] > 0;
}

static enum command next_command(const struct session *s,
				 const struct transaction *t)
{
	/* RFC 2920 3.1: grouped only if offered, and nothing may follow EHLO,
	 * DATA or the end of data in its group. */
	if (s->waiting > 0 && (!(s->offers & VERB_PIPELINING) ||
			       !commands[s->last].overtaken ||
			       s->waiting == PIPELINE_MAX))
		return NOTHING;
	if (!s->ready)
		return s->helo ? HELO : EHLO;
	/* STARTTLS and AUTH will stand here. */
	if (!t->open)
		return NOTHING;

	/* The dot ends the message, and also (RFC 2920 3.1) a 354 that came
	 * although nobody had been accepted. */
	if (t->text == TEXT_OPEN && !t->bdat &&
	    (t->at == t->m.size || !wanted(t)))
		return END;
	if (t->text != TEXT_NONE)
		return NOTHING;
	if (t->mail == UNSAID) {
		/* A second round waits until all of the first is answered. */
		if (s->waiting > 0)
			return s->last == RSET ? MAIL : NOTHING;
		return s->stale ? RSET : MAIL;
	}
	if (t->mail != NO && t->count[OPEN] > 0)
		return RCPT;
	if (!wanted(t))
		return NOTHING;
	if (!t->bdat)
		return DATA;
	/* A large message is not sent for nobody: see BDAT_RIDE_MAX. */
	if (t->m.size > BDAT_RIDE_MAX && t->count[ASKED] > 0)
		return NOTHING;
	return BDAT;
}

/* ---- the commands ------------------------------------------------------- */

static put_fn put_word, put_mail, put_rcpt, put_text;
static learn_fn learn_hello, learn_mail, learn_rcpt, learn_text;

static const struct row commands[COMMANDS] = {
	[NOTHING] = { "no command", 0, false, 0, REPLY_TO_HOST, NULL, NULL },
	[GREETING] = { "the connection", TIMEOUT_GREETING, false, 2,
		       REPLY_TO_HOST, NULL, learn_hello },
	[EHLO] = { "EHLO", TIMEOUT_COMMAND, false, 2,
		   REPLY_TO_HOST, put_word, learn_hello },
	[HELO] = { "HELO", TIMEOUT_COMMAND, false, 2,
		   REPLY_TO_HOST, put_word, learn_hello },
	[RSET] = { "RSET", TIMEOUT_COMMAND, true, 2,
		   REPLY_TO_HOST, put_word, learn_hello },
	[MAIL] = { "MAIL FROM", TIMEOUT_COMMAND, true, 2,
		   REPLY_TO_MAIL, put_mail, learn_mail },
	[RCPT] = { "RCPT TO", TIMEOUT_COMMAND, true, 2,
		   REPLY_TO_RCPT, put_rcpt, learn_rcpt },
	[DATA] = { "DATA", TIMEOUT_DATA, false, 3,
		   REPLY_TO_MESSAGE, put_text, learn_text },
	[BDAT] = { "BDAT", TIMEOUT_FINAL, false, 2,
		   REPLY_TO_MESSAGE, put_text, learn_text },
	[END] = { "the end of data", TIMEOUT_FINAL, false, 2,
		  REPLY_TO_MESSAGE, put_text, learn_text },
	[QUIT] = { "QUIT", 0, false, 2, REPLY_TO_HOST, put_word, NULL },
};

/* ---- how recipients, and sessions, end ---------------------------------- */

/* Octets that have left: the caller drops them from the front of out. */
static uint64_t left(const struct esmtp *e)
{
	return e->said - buf_len(&e->out);
}

/* The command whose reply is awaited. */
static enum command awaited(const struct esmtp *e)
{
	return e->s.waiting ? e->sent[e->oldest].command : NOTHING;
}

static void close_session(struct esmtp *e, const struct reply *why)
{
	if (e->closed)
		return;
	e->end.why = *why;
	/* Never a verdict on a recipient that was not settled with it. */
	e->end.why.to = REPLY_TO_HOST;
	e->end.at_greeting = !e->s.greeted;
	/* Some firewalls drop a connection at a verb they do not know.  And
	 * what is announced but not understood would be met again. */
	e->end.after_bdat = e->s.bdat_unknown ||
		(why->local && e->s.waiting && e->s.last == BDAT);
	e->end.after_end = esmtp_end_given(e) && e->t.end_at <= left(e);
	e->closed = true;
	/* Above all not the rest of a message, or its end. */
	buf_clear(&e->out);
}

/* "garbage at RCPT TO", and what the server said. */
static void fail(struct esmtp *e, const char *status, const char *what,
		 const char *said)
{
	struct reply why;

	reply_local(&why, REPLY_TO_HOST, 451, status, "%s at %s%s%s", what,
		    e->t.text == TEXT_OPEN ? "message text" :
		    commands[awaited(e)].name, *said ? ": " : "", said);
	close_session(e, &why);
}

static void move(struct transaction *t, size_t i, enum stage to)
{
	t->count[t->rcpt[i].stage]--;
	t->count[to]++;
	t->rcpt[i].stage = (unsigned char)to;
	if (to == OPEN && i < t->next)
		t->next = i;
	while (t->next < t->m.nrcpt && t->rcpt[t->next].stage != OPEN)
		t->next++;
}

static void settle(struct esmtp *e, size_t i, const struct reply *r)
{
	move(&e->t, i, SETTLED);
	e->setup.settle(e->setup.ctx, i, r);
}

/* All that are in one stage. */
static void settle_stage(struct esmtp *e, enum stage stage,
			 const struct reply *r)
{
	size_t i;

	for (i = 0; i < e->t.m.nrcpt && e->t.count[stage]; i++)
		if (e->t.rcpt[i].stage == stage)
			settle(e, i, r);
}

/* ---- how a command is put ----------------------------------------------- */

/* EHLO, HELO, RSET, QUIT. */
static void put_word(struct esmtp *e, enum command c)
{
	buf_puts(&e->out, commands[c].name);
	if (c == EHLO || c == HELO)
		buf_printf(&e->out, " %s", e->setup.name);
}

/* " WORD=value", if the server knows the verb and there is a value. */
static bool put_extra(struct esmtp *e, uint64_t verb, const char *word,
		      const char *value)
{
	return e->s.offers & verb && value &&
	       buf_printf(&e->out, " %s=%s", word, value);
}

static void put_mail(struct esmtp *e, enum command c)
{
	struct transaction *t = &e->t;
	char size[24];
	size_t i;

	for (i = 0; i < t->m.nrcpt; i++)
		if (t->rcpt[i].stage != SETTLED)
			move(t, i, OPEN);
	t->mail = SAID;
	t->at = 0;
	t->bol = true;
	t->extras = false;
	buf_printf(&e->out, "%s:<%s>", commands[c].name, t->m.sender);
	if (!t->plain) {
		snprintf(size, sizeof size, "%" PRIu64, t->m.size);
		t->extras |= put_extra(e, VERB_SIZE, "SIZE", size);
		t->extras |= put_extra(e, VERB_DSN, "RET", t->m.ret);
		t->extras |= put_extra(e, VERB_DSN, "ENVID", t->m.envid);
	}
	/* Not one that may go: without it the octets are not allowed. */
	if (t->m.eight_bit)
		buf_puts(&e->out, " BODY=8BITMIME");
}

static void put_rcpt(struct esmtp *e, enum command c)
{
	struct transaction *t = &e->t;
	const struct esmtp_rcpt *to = &t->m.rcpt[t->next];

	buf_printf(&e->out, "%s:<%s>", commands[c].name, to->addr);
	if (!t->rcpt[t->next].plain) {
		put_extra(e, VERB_DSN, "NOTIFY", to->notify);
		put_extra(e, VERB_DSN, "ORCPT", to->orcpt);
	}
	move(t, t->next, ASKED);
}

static void put_text(struct esmtp *e, enum command c)
{
	struct transaction *t = &e->t;

	t->text = c == DATA ? TEXT_ASKED : TEXT_GIVEN;
	if (c == BDAT && t->m.size)
		t->text = TEXT_OPEN;
	buf_puts(&e->out, c == END ? "." : commands[c].name);
	/* RFC 3030 2: the octets follow at once, as many as said here. */
	if (c == BDAT)
		buf_printf(&e->out, " %" PRIu64 " LAST", t->m.size);
}

/* ---- what a reply teaches ----------------------------------------------- */

/* One line of an EHLO reply, RFC 5321 4.1.1.1: a keyword as a whole word, in
 * any case, then its parameters.  What is unknown is nothing to us. */
static void learn_keyword(struct esmtp *e, const char *line, size_t n)
{
	struct cursor c = cursor_on(line, n);
	const struct verb *v;
	uint64_t size = 0;
	size_t len = 0;

	while (len < n && line[len] != ' ' && line[len] != '\t')
		len++;
	for (v = verbs; v->name; v++) {
		if (strlen(v->name) != len || strncasecmp(v->name, line, len))
			continue;
		e->s.offers |= v->bit & e->setup.mask;
		if (!(v->bit & e->setup.mask & VERB_SIZE))
			continue;
		/* RFC 1870 4: no number, or 0, is no limit; nor is one that
		 * is longer than any message. */
		c.p += len;
		while (cursor_peek(&c) == ' ' || cursor_peek(&c) == '\t')
			c.p++;
		while (cursor_peek(&c) >= '0' && cursor_peek(&c) <= '9' &&
		       size < UINT64_MAX / 10 - 1)
			size = size * 10 + (uint64_t)(*c.p++ - '0');
		e->s.size_limit = cursor_left(&c) ? 0 : size;
	}
}

/* And RSET: who refuses that is out of step. */
static void learn_hello(struct esmtp *e, const struct reply *r)
{
	enum command c = e->heard.command;

	if (c == EHLO && r->code >= 500) {
		/* RFC 5321 3.2: an old server may know only HELO. */
		e->s.helo = true;
		e->s.offers = e->s.size_limit = 0;
	} else if (r->code >= 400) {
		close_session(e, r);
	} else {
		e->s.greeted = true;
		e->s.ready = c != GREETING;
		e->s.stale = false;
	}
}

/* RFC 5321 4.1.1.11: it may be only the parameters that are refused. */
static bool parameters_refused(const struct reply *r)
{
	return r->code == 501 || r->code == 504 || r->code == 555;
}

static void learn_mail(struct esmtp *e, const struct reply *r)
{
	struct transaction *t = e->heard.of;

	if (r->code < 400) {
		t->mail = YES;
		e->s.stale = true;
	} else if (t->extras && parameters_refused(r)) {
		t->mail = UNSAID;
		t->plain = true;
	} else {
		t->mail = NO;
		settle_stage(e, OPEN, r);
		settle_stage(e, ASKED, r);
	}
}

static void learn_rcpt(struct esmtp *e, const struct reply *r)
{
	struct transaction *t = e->heard.of;
	size_t i = e->heard.rcpt;
	bool extras = e->s.offers & VERB_DSN && !t->rcpt[i].plain &&
		      (t->m.rcpt[i].notify || t->m.rcpt[i].orcpt);

	/* Without MAIL it is no word on the recipient, whatever it says. */
	if (t->mail != YES)
		return;
	if (r->code < 400) {
		move(t, i, ACCEPTED);
	} else if (extras && parameters_refused(r)) {
		t->rcpt[i].plain = true;
		move(t, i, OPEN);
	} else {
		settle(e, i, r);
	}
}

/* DATA, BDAT and the end of data: a refusal is the message's verdict for those
 * who had been accepted.  When nobody had been, it was to be expected. */
static void learn_text(struct esmtp *e, const struct reply *r)
{
	struct transaction *t = e->heard.of;
	enum command c = e->heard.command;
	bool refused = r->code >= 400, expected = wanted(t);

	if (c == DATA && !refused) {
		t->text = TEXT_OPEN;
		return;
	}
	/* After its end a transaction is over at the server as well (RFC 5321
	 * 4.1.1.4).  Not surely so after a BDAT that was refused (RFC 3030 2),
	 * or an end for nobody. */
	if (c != DATA)
		e->s.stale = !expected || (c == BDAT && refused);
	if (c == BDAT && expected && ((r->code >= 500 && r->code <= 504) ||
				      strncmp(r->status, "5.5.", 4) == 0)) {
		/* The verb is refused, not the message: DATA, from RSET on. */
		e->s.bdat_unknown = true;
		t->bdat = false;
		t->mail = UNSAID;
	} else {
		settle_stage(e, ACCEPTED, r);
		/* Whoever is open now is to be asked in another way. */
		if (t->count[OPEN])
			t->mail = UNSAID;
	}
	t->text = TEXT_NONE;
}

/* ---- speak and hear ----------------------------------------------------- */

/* -v.  What the server said goes to a terminal: printable. */
static void trace(struct esmtp *e, char dir, const char *line, size_t n)
{
	char shown[1024];

	if (!e->setup.trace)
		return;
	n = printable(shown, sizeof shown, line, n);
	e->setup.trace(e->setup.ctx, dir, shown, n);
}

static void say(struct esmtp *e, enum command c)
{
	struct sent *sent = &e->sent[(e->oldest + e->s.waiting) % PIPELINE_MAX];
	size_t before = buf_len(&e->out), n;
	const char *line;

	*sent = (struct sent){ .command = c, .of = &e->t, .rcpt = e->t.next };
	commands[c].put(e, c);
	n = buf_len(&e->out) - before;
	/* The last door before the wire: one command is one line, whatever an
	 * address has been through. */
	if (!buf_puts(&e->out, "\r\n") ||
	    memchr(line = buf_data(&e->out) + before, '\r', n) ||
	    memchr(line, '\n', n)) {
		fail(e, "4.3.0", "no proper command", commands[c].name);
		return;
	}
	trace(e, '>', line, n);
	e->said += n + 2;
	e->progress++;
	sent->end_at = e->said;
	if (e->t.text == TEXT_GIVEN)
		e->t.end_at = e->said;
	e->s.waiting++;
	e->s.last = c;
}

/* All that may be said now. */
static void speak(struct esmtp *e)
{
	struct transaction *t = &e->t;
	enum command c;

	while (!e->closed && (c = next_command(&e->s, t)) != NOTHING)
		say(e, c);
	if (e->closed || !t->open || e->s.waiting || t->text != TEXT_NONE)
		return;
	/* Nothing to say and nothing to hear: it is over. */
	if (t->count[SETTLED] != t->m.nrcpt)
		bug("a transaction is over, a recipient is open");
	free(t->rcpt);
	*t = (struct transaction){ 0 };
}

/*
 * What a complete reply answers.  One that began before its command had left
 * answers nothing, with one exception: during DATA a server may give up
 * before the end of data, and then it speaks of the message.
 */
static enum command answered(const struct esmtp *e)
{
	const struct sent *head = &e->sent[e->oldest];

	if (e->s.waiting && e->came_at >= head->end_at)
		return head->command;
	if (!e->t.bdat && (e->t.text == TEXT_OPEN || e->t.text == TEXT_GIVEN))
		return END;
	return NOTHING;
}

/* A reply is complete. */
static void hear(struct esmtp *e)
{
	enum command c = answered(e);
	bool yes = e->code / 100 == commands[c].yes;
	/* The text had not all left when the reply began. */
	bool early = (c == END || c == BDAT) && (e->t.text != TEXT_GIVEN ||
						 e->came_at < e->t.end_at);
	char said[REPLY_TEXT + 32];
	struct reply r;

	reply_remote(&r, commands[c].to, e->code, e->text, e->ntext,
		     e->setup.mask & VERB_ENHANCEDSTATUS);
	e->progress++;
	if (c == NOTHING && e->code == 421)	/* idle for too long */
		close_session(e, &r);
	else if (c == NOTHING || (!yes && e->code < 400) || (yes && early))
		fail(e, "4.5.0", "unexpected words",
		     reply_print(&r, said, sizeof said));
	if (e->closed)
		return;
	/* Text that was promised with BDAT and stands whole in the output will
	 * leave, and the server skips it (RFC 3030 2): still in step. */
	early &= c == END || e->t.text != TEXT_GIVEN;
	e->heard = (struct sent){ .command = c, .of = &e->t };
	if (e->s.waiting) {
		e->heard = e->sent[e->oldest];
		e->oldest = (e->oldest + 1) % PIPELINE_MAX;
		e->s.waiting--;
	}
	commands[c].learn(e, &r);
	/* RFC 5321 3.8: 421 may answer anything, and is the end. */
	if (e->code == 421 || early)
		close_session(e, &r);
	speak(e);
}

/*
 * A reply line, RFC 5321 4.2.1: three digits; behind them nothing, or a blank
 * or a hyphen (more lines follow) and text; the same code on every line.
 */
static void hear_line(struct esmtp *e, const char *line, size_t n)
{
	bool more = n > 3 && line[3] == '-';
	size_t i, skip = n > 4 ? 4 : n;
	char shown[REPLY_TEXT];
	int code = 0;

	trace(e, '<', line, n);
	for (i = 0; i < 3 && i < n && line[i] >= '0' && line[i] <= '9'; i++)
		code = code * 10 + (line[i] - '0');
	if (i < 3 || (n > 3 && !more && line[3] != ' ') || code > 599 ||
	    (e->lines > 0 && code != e->code) || e->lines == REPLY_LINES_MAX) {
		printable(shown, sizeof shown, line, n);
		fail(e, "4.5.0", e->lines == REPLY_LINES_MAX ?
		     "endless lines" : "garbage", shown);
		return;
	}
	e->code = code;
	e->lines++;
	line += skip;
	n -= skip;
	if (e->lines > 1 && awaited(e) == EHLO)
		learn_keyword(e, line, n);
	if (e->lines == 1)
		e->ntext = 0;
	else if (e->ntext < TEXT_KEPT)
		e->text[e->ntext++] = '\n';
	if (n > TEXT_KEPT - e->ntext)
		n = TEXT_KEPT - e->ntext;
	memcpy(e->text + e->ntext, line, n);
	e->ntext += n;
	if (!more) {
		e->lines = 0;
		hear(e);
	}
}

/* ---- the interface ------------------------------------------------------ */

struct esmtp *esmtp_new(const struct esmtp_setup *setup)
{
	struct esmtp *e = xcalloc(1, sizeof *e);

	e->setup = *setup;
	e->s.helo = setup->helo || setup->mask == VERB_NONE;
	/* One pause of the body reader late, stuffed, and one whole group. */
	buf_init(&e->out, OUT_HIGH_WATER + 2 * IO_CHUNK +
		 PIPELINE_MAX * (2 * ADDRESS_MAX + 1024));
	buf_init(&e->line, REPLY_LINE_MAX);
	e->sent[0].command = e->s.last = GREETING;
	e->s.waiting = 1;
	return e;
}

void esmtp_free(struct esmtp *e)
{
	if (!e)
		return;
	buf_free(&e->out);
	buf_free(&e->line);
	free(e->t.rcpt);
	free(e);
}

enum esmtp_phase esmtp_phase(const struct esmtp *e)
{
	if (e->closed)
		return ESMTP_CLOSED;
	if (e->t.text == TEXT_OPEN)
		return ESMTP_BODY;
	return e->s.ready && !e->t.open ? ESMTP_READY : ESMTP_WAITING;
}

void esmtp_input(struct esmtp *e, const char *p, size_t n)
{
	const char *lf;
	size_t take, len;

	for (; n > 0 && !e->closed; p += take, n -= take) {
		if (e->lines == 0 && buf_len(&e->line) == 0)
			e->came_at = left(e);
		lf = memchr(p, '\n', n);
		take = lf ? (size_t)(lf - p) + 1 : n;
		if (!buf_put(&e->line, p, take))
			fail(e, "4.5.0", "a line too long", "");
		if (e->closed || !lf)
			return;
		/* A bare LF ends a line as well: there is no doubt here. */
		len = buf_len(&e->line) - 1;
		if (len > 0 && buf_data(&e->line)[len - 1] == '\r')
			len--;
		hear_line(e, buf_data(&e->line), len);
		buf_clear(&e->line);
	}
}

void esmtp_lost(struct esmtp *e, const char *why)
{
	if (e->closed)
		return;
	e->end.at_ehlo = awaited(e) == EHLO && buf_len(&e->out) == 0 &&
			 e->lines == 0 && buf_len(&e->line) == 0;
	fail(e, "4.4.2", why, "");
}

void esmtp_timeout(struct esmtp *e)
{
	if (e->closed)
		return;
	esmtp_lost(e, "timed out");
	e->end.at_ehlo = false;		/* HELO is no cure for silence */
}

struct buf *esmtp_output(struct esmtp *e) { return &e->out; }
uint64_t esmtp_progress(const struct esmtp *e) { return e->progress; }
uint64_t esmtp_offers(const struct esmtp *e) { return e->s.offers; }
uint64_t esmtp_size_limit(const struct esmtp *e) { return e->s.size_limit; }
uint64_t esmtp_body_at(const struct esmtp *e) { return e->t.at; }
const struct esmtp_end *esmtp_ended(const struct esmtp *e) { return &e->end; }

unsigned esmtp_time_limit(const struct esmtp *e)
{
	if (e->closed)
		return 0;
	/* While text is on its way the socket is awaited, not the server. */
	if (e->t.text == TEXT_OPEN ||
	    (e->t.text == TEXT_GIVEN && e->t.end_at > left(e)))
		return TIMEOUT_BLOCK;
	return commands[awaited(e)].limit;
}

void esmtp_begin(struct esmtp *e, const struct esmtp_mail *mail)
{
	struct transaction *t = &e->t;
	struct reply r;

	if (esmtp_phase(e) != ESMTP_READY || mail->nrcpt == 0)
		bug("esmtp_begin at the wrong time, or for nobody");
	*t = (struct transaction){ .open = true, .m = *mail };
	t->rcpt = xcalloc(mail->nrcpt, sizeof *t->rcpt);
	t->count[OPEN] = mail->nrcpt;
	t->bdat = e->s.offers & VERB_CHUNKING && !e->setup.no_bdat &&
		  !e->s.bdat_unknown;
	if (mail->eight_bit && !(e->s.offers & VERB_8BITMIME)) {
		/* RFC 6152 3: never raw.  The caller should have encoded it. */
		reply_local(&r, REPLY_TO_MESSAGE, 451, "4.6.3",
			    "8-bit text for a server without 8BITMIME");
		t->mail = NO;
		settle_stage(e, OPEN, &r);
	}
	speak(e);
}

void esmtp_body(struct esmtp *e, const char *p, size_t n)
{
	struct transaction *t = &e->t;
	size_t before = buf_len(&e->out);
	char remark[64];

	if (esmtp_phase(e) != ESMTP_BODY || n == 0 ||
	    n > t->m.size - t->at)
		bug("esmtp_body: not this text, not now");
	if (t->bdat)
		buf_put(&e->out, p, n);
	else
		stuff_dots(&t->bol, p, n, &e->out);
	t->at += n;
	/* A last line without its end must not get the dot for one. */
	if (t->at == t->m.size && !t->bdat && !t->bol)
		buf_puts(&e->out, "\r\n");
	if (e->out.failed) {
		fail(e, "4.3.0", "no room", "");
		return;
	}
	e->said += buf_len(&e->out) - before;
	if (t->at < t->m.size)
		return;
	trace(e, '-', remark, (size_t)snprintf(remark, sizeof remark,
		"%" PRIu64 " octets of message", t->m.size));
	if (t->bdat) {
		t->text = TEXT_GIVEN;
		t->end_at = e->said;
		e->progress++;
	}
	speak(e);
}

/* For a dot that nobody's mail hangs on the answer is no. */
bool esmtp_end_given(const struct esmtp *e)
{
	return e->t.open && e->t.text == TEXT_GIVEN && wanted(&e->t);
}

void esmtp_quit(struct esmtp *e)
{
	if (esmtp_phase(e) != ESMTP_READY)
		bug("esmtp_quit: not ready");
	say(e, QUIT);
	reply_local(&e->end.why, REPLY_TO_HOST, 451, "4.3.0", "we have left");
	e->closed = true;
}
