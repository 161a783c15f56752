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
 *			(out/command.h)
 *	next_command	the whole course of a session, a pure function
 *	commands	the table: name, time limit, may it be overtaken, how
 *			it is put, what its reply teaches; then its entries
 *			(out/command.c)
 *	speak and hear	the engine; a new verb does not change it
 *
 * A reply belongs to the oldest command without one, never to "the state we
 * are in".  What does not fit (no command, wrong class, not a reply at all,
 * begun before its command had left) ends the session, and whoever is still
 * open waits: under pipelining a guess loses mail.  Nor is a refusal believed
 * before its group has been answered whole, and nothing more came with it: a
 * reply too many, or too few, shifts every one behind it.
 *
 * Not here: sockets, time, the encryption itself; which host, which
 * recipients, when again; what becomes of a reply (reply_fate); changing the
 * text of a message; how a line of a reply is read (lib/replyline), what EHLO
 * offers (lib/offers), AUTH's lines (out/auth), who stands where (out/roll).
 */
#include "esmtp.h"
#include "config.h"
#include "lib/codec.h"
#include "lib/util.h"
#include "out/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the course of a session -------------------------------------------- */

/* What must come before MAIL; MAIL itself: nothing more. */
static enum command before_mail(const struct connection *s)
{
	if (!s->ready)
		return s->helo ? HELO : EHLO;
	/* RFC 3207 4: the handshake is the caller's, and then EHLO again. */
	if (!s->encrypted && s->starttls == YES)
		return NOTHING;
	if (!s->encrypted && s->starttls == UNSAID &&
	    (s->tls == ESMTP_TLS_MUST ||
	     (s->tls == ESMTP_TLS_MAY && s->offers.starttls)))
		return STARTTLS;
	if (s->identity && s->auth == UNSAID)
		return AUTH;
	if (s->identity && s->auth != YES)
		return s->auth == NO ? CANCEL : RESPONSE;
	return MAIL;
}

static enum command next_command(const struct connection *s,
				 const struct transaction *t)
{
	/* RFC 2920 3.1: grouped only if offered, and nothing may follow EHLO,
	 * DATA or the end of data in its group (nor STARTTLS, RFC 3207 4). */
	if (s->waiting > 0 && (!(s->offers.verbs & VERB_PIPELINING) ||
			       !commands[s->last].overtaken ||
			       s->waiting == PIPELINE_MAX))
		return NOTHING;
	if (before_mail(s) != MAIL)
		return before_mail(s);
	if (!t->open)
		return NOTHING;

	/* The dot ends the message, and also (RFC 2920 3.1) a 354 that came
	 * although nobody had been accepted. */
	if (t->text == TEXT_OPEN && !t->bdat &&
	    (t->at == t->m.size || !dialogue_wanted(t)))
		return END;
	if (t->text != TEXT_NONE)
		return NOTHING;
	if (t->mail == UNSAID) {
		/* A second round waits until all of the first is answered. */
		if (s->waiting > 0)
			return s->last == RSET ? MAIL : NOTHING;
		return s->stale ? RSET : MAIL;
	}
	if (t->mail != NO && t->roll.count[ROLL_OPEN] > 0)
		return RCPT;
	if (!dialogue_wanted(t))
		return NOTHING;
	if (!t->bdat)
		return DATA;
	/* A large message is not sent for nobody: see BDAT_RIDE_MAX. */
	if (t->m.size > BDAT_RIDE_MAX && t->roll.count[ROLL_ASKED] > 0)
		return NOTHING;
	return BDAT;
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

static void trace_hidden(struct esmtp *e, const char *line)
{
	char shown[100];

	trace(e, '>', shown, (size_t)snprintf(shown, sizeof shown,
		"%.*s(hidden)", (int)e->shown, line));
}

static void say(struct esmtp *e, enum command c)
{
	struct sent *sent = &e->sent[(e->oldest + e->s.waiting) % PIPELINE_MAX];
	size_t before = buf_len(&e->out), n;
	const char *line;

	*sent = (struct sent){ .command = c, .of = &e->t,
			       .rcpt = e->t.roll.next,
			       .alone = e->s.waiting == 0 };
	e->shown = SIZE_MAX;
	commands[c].put(e, c);
	if (e->closed)
		return;		/* it cannot be said, though it must */
	n = buf_len(&e->out) - before;
	/* The last door before the wire: one command is one line, whatever an
	 * address has been through. */
	if (!buf_puts(&e->out, "\r\n") ||
	    memchr(line = buf_data(&e->out) + before, '\r', n) ||
	    memchr(line, '\n', n)) {
		dialogue_fail(e, "4.3.0", "no proper command",
			      commands[c].name);
		return;
	}
	if (e->shown < n || c == RESPONSE)
		trace_hidden(e, line);
	else
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
	if (t->roll.count[ROLL_SETTLED] != t->roll.n)
		bug("a transaction is over, a recipient is open");
	roll_free(&t->roll);
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

/*
 * One reply too many earlier in the group makes a recipient's reply look like
 * that to a BDAT which rode along; DATA shows it by its 354.  Without one more
 * round trip, or one more command behind BDAT for every message, there are
 * three signs.  Words behind it in the same input (hear): a server that reads
 * the whole group before it writes sends all in one piece.  A status X.1.Z: it
 * speaks of an address (RFC 3463 3.2).  And that the message was taken though
 * nobody was, where that would end somebody's life.  Whoever shows one gets
 * DATA next time (dialogue_close), so that no honest oddity lasts.
 */
static bool shifted(const struct esmtp *e, enum command c,
		    const struct reply *r)
{
	if (c != BDAT || e->sent[e->oldest].alone)
		return false;
	if (dialogue_wanted(&e->t))
		return strncmp(r->status + 1, ".1.", 3) == 0;
	return r->code < 300 && e->t.roll.final > 0;
}

static void believe(struct esmtp *e, enum command c, const struct reply *r,
		    bool early)
{
	e->heard = (struct sent){ .command = c, .of = &e->t };
	if (e->s.waiting) {
		e->heard = e->sent[e->oldest];
		e->oldest = (e->oldest + 1) % PIPELINE_MAX;
		e->s.waiting--;
	}
	/* Before the end of data 421 is no word on the message, and nobody
	 * has it: whoever is open may be tried elsewhere at once. */
	if (r->code == 421 && (c == MAIL || c == RCPT || c == DATA)) {
		e->t.text = TEXT_NONE;
		dialogue_close(e, r);
		return;
	}
	commands[c].learn(e, r);
	/* The group was in step to its end. */
	if (e->s.waiting == 0 && r->code != 421 && !e->closed)
		roll_release(&e->t.roll);
	/* RFC 5321 3.8: 421 may answer anything, and is the end. */
	if (r->code == 421 || early)
		dialogue_close(e, r);
	speak(e);
}

/* A reply is complete. */
static void hear(struct esmtp *e)
{
	const struct sent *head = &e->sent[e->oldest];
	enum command c = e->doubt.code ? NOTHING : answered(e);
	int code = e->in.code;
	bool yes = strchr(commands[c].yes, '0' + code / 100) != NULL;
	/* The text had not all left when the reply began. */
	bool early = (c == END || c == BDAT) && (e->t.text != TEXT_GIVEN ||
						 e->came_at < e->t.end_at);
	char said[REPLY_TEXT + 32];
	struct reply r;

	reply_remote(&r, commands[c].to, code, e->in.text, e->in.ntext,
		     e->setup.mask & VERB_ENHANCEDSTATUS);
	e->progress++;
	/* Whichever of the two was BDAT's: nobody has the message. */
	if (e->doubt.code >= 400 && code >= 400)
		e->t.text = TEXT_NONE;
	if (c == NOTHING && code == 421)	/* idle for too long */
		dialogue_close(e, &r);
	else if (c == NOTHING || (!yes && code < 400) || (yes && early) ||
		 shifted(e, c, &r))
		dialogue_fail(e, "4.5.0", "unexpected words",
			      reply_print(&r, said, sizeof said));
	if (e->closed)
		return;
	/* Text that was promised with BDAT and stands whole in the output will
	 * leave, and the server skips it (RFC 3030 2): still in step. */
	early &= c == END || e->t.text != TEXT_GIVEN;
	if (e->s.waiting != 1 || head->alone || code == 421 ||
	    (c == DATA && yes)) {
		believe(e, c, &r, early);
	} else {
		/* The last of a group: does more follow in this input? */
		e->doubt = r;
		e->doubt_early = early;
	}
}

/* A line is complete. */
static void hear_line(struct esmtp *e)
{
	struct replyline *in = &e->in;
	char shown[REPLY_TEXT];
	enum replyline_step step;
	const char *words;
	size_t n;

	if (e->s.auth == SAID && in->len && in->line[0] != '3')
		auth_hide(&e->auth, in->line, in->len);
	trace(e, '<', in->line, in->len);
	step = replyline_read(in);
	if (step == REPLYLINE_ENDLESS || step == REPLYLINE_GARBAGE) {
		printable(shown, sizeof shown, in->line, in->len);
		dialogue_fail(e, "4.5.0", step == REPLYLINE_ENDLESS ?
			      "endless lines" : "garbage", shown);
		return;
	}
	words = replyline_words(in, &n);
	if (in->lines > 1 && dialogue_awaited(e) == EHLO)
		offers_learn(&e->s.offers, e->setup.mask, words, n);
	if (step == REPLYLINE_WHOLE)
		hear(e);
}

/* ---- the interface ------------------------------------------------------ */

struct esmtp *esmtp_new(const struct esmtp_setup *setup)
{
	struct esmtp *e = xcalloc(1, sizeof *e);

	e->setup = *setup;
	e->s.helo = setup->helo || setup->mask == VERB_NONE;
	e->s.tls = setup->tls;
	e->s.encrypted = setup->tls_on;
	e->s.identity = setup->identity != NULL;
	/* One pause of the body reader late, stuffed, and one whole group. */
	buf_init(&e->out, OUT_HIGH_WATER + 2 * IO_CHUNK +
		 PIPELINE_MAX * (2 * ADDRESS_MAX + 1024));
	replyline_init(&e->in);
	auth_init(&e->auth);
	e->sent[0] = (struct sent){ .command = GREETING, .alone = true };
	e->s.last = GREETING;
	e->s.waiting = 1;
	return e;
}

void esmtp_free(struct esmtp *e)
{
	if (!e)
		return;
	buf_clear(&e->out);
	dialogue_forget(e);
	buf_free(&e->out);
	replyline_free(&e->in);
	auth_free(&e->auth);
	roll_free(&e->t.roll);
	free(e);
}

enum esmtp_phase esmtp_phase(const struct esmtp *e)
{
	if (e->closed)
		return ESMTP_CLOSED;
	if (dialogue_handshake(e))
		return ESMTP_SECURE;
	if (e->t.text == TEXT_OPEN)
		return ESMTP_BODY;
	return before_mail(&e->s) == MAIL && !e->t.open ? ESMTP_READY :
	       ESMTP_WAITING;
}

void esmtp_input_part(struct esmtp *e, const char *p, size_t n)
{
	struct cursor in = cursor_on(p, n);
	enum replyline_step step;
	struct reply why;

	while (!e->closed && cursor_left(&in)) {
		/* RFC 3207 6: read on, they would pass for the words of a
		 * server whose name has been verified (CVE-2011-0411). */
		if (dialogue_handshake(e)) {
			reply_local(&why, REPLY_TO_HOST, 451, "4.7.0",
				    "ATTACK: words in clear between the reply "
				    "to STARTTLS and TLS, as somebody on the "
				    "way puts them there");
			dialogue_close(e, &why);
			return;
		}
		if (!replyline_begun(&e->in))
			e->came_at = dialogue_left(e);
		step = replyline_take(&e->in, &in);
		if (step == REPLYLINE_LONG)
			dialogue_fail(e, "4.5.0", "a line too long", "");
		else if (step == REPLYLINE_LINE)
			hear_line(e);
	}
}

void esmtp_input(struct esmtp *e, const char *p, size_t n)
{
	struct reply r;

	esmtp_input_part(e, p, n);
	if (e->closed || !e->doubt.code)
		return;
	if (replyline_begun(&e->in)) {
		dialogue_fail(e, "4.5.0", "unexpected words", "");
		return;
	}
	r = e->doubt;
	e->doubt.code = 0;
	believe(e, dialogue_awaited(e), &r, e->doubt_early);
}

void esmtp_secured(struct esmtp *e)
{
	if (esmtp_phase(e) != ESMTP_SECURE)
		bug("esmtp_secured: not asked for");
	/* RFC 3207 4.2: whatever was learned may have been anybody's words. */
	e->s = (struct connection){ .greeted = true, .tls = e->s.tls,
				 .encrypted = true, .last = STARTTLS,
				 .identity = e->s.identity };
	e->progress++;
	speak(e);
}

void esmtp_lost(struct esmtp *e, const char *why)
{
	bool mute = dialogue_awaited(e) == EHLO && buf_len(&e->out) == 0 &&
		    !replyline_begun(&e->in), starttls;

	if (e->closed)
		return;
	/* In TLS it is not EHLO that was not liked.  With TLS 1.3 a server
	 * refuses when for us the handshake is done. */
	starttls = e->s.encrypted && !e->setup.tls_on;
	e->end.at_ehlo = mute && !starttls;
	e->end.tls_failed = dialogue_handshake(e) || (mute && starttls);
	dialogue_fail(e, dialogue_handshake(e) ? "4.7.5" : "4.4.2", why, "");
}

void esmtp_timeout(struct esmtp *e)
{
	bool tls = dialogue_handshake(e);

	if (e->closed)
		return;
	esmtp_lost(e, "timed out");
	/* Neither HELO nor plain text is a cure for silence. */
	e->end.at_ehlo = false;
	e->end.tls_failed = tls;
}

struct buf *esmtp_output(struct esmtp *e) { return &e->out; }
uint64_t esmtp_progress(const struct esmtp *e) { return e->progress; }
uint64_t esmtp_offers(const struct esmtp *e) { return e->s.offers.verbs; }
uint64_t esmtp_size_limit(const struct esmtp *e)
{
	return e->s.offers.size_limit;
}

uint64_t esmtp_body_at(const struct esmtp *e) { return e->t.at; }
const struct esmtp_end *esmtp_ended(const struct esmtp *e) { return &e->end; }

unsigned esmtp_time_limit(const struct esmtp *e)
{
	if (e->closed)
		return 0;
	/* While text is on its way the socket is awaited, not the server. */
	if (e->t.text == TEXT_OPEN ||
	    (e->t.text == TEXT_GIVEN && e->t.end_at > dialogue_left(e)))
		return TIMEOUT_BLOCK;
	if (dialogue_handshake(e))
		return commands[STARTTLS].limit;
	return commands[dialogue_awaited(e)].limit;
}

void esmtp_begin(struct esmtp *e, const struct esmtp_mail *mail)
{
	struct transaction *t = &e->t;
	struct reply r;

	if (esmtp_phase(e) != ESMTP_READY || mail->nrcpt == 0)
		bug("esmtp_begin at the wrong time, or for nobody");
	*t = (struct transaction){ .open = true, .m = *mail };
	roll_init(&t->roll, mail->nrcpt, e->setup.settle, e->setup.ctx);
	t->bdat = e->s.offers.verbs & VERB_CHUNKING && !e->setup.no_bdat &&
		  !e->s.bdat_unknown;
	if (mail->eight_bit && !(e->s.offers.verbs & VERB_8BITMIME)) {
		/* RFC 6152 3: never raw.  The caller should have encoded it. */
		reply_local(&r, REPLY_TO_MESSAGE, 451, "4.6.3",
			    "8-bit text for a server without 8BITMIME");
		t->mail = NO;
		dialogue_verdict(e, ROLL_OPEN, &r);
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
		dialogue_fail(e, "4.3.0", "no room", "");
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

/* For a dot that nobody's mail hangs on the answer is no; but a refusal that
 * is held may have been another's. */
bool esmtp_end_given(const struct esmtp *e)
{
	return e->t.open && e->t.text == TEXT_GIVEN &&
	       (dialogue_wanted(&e->t) || e->t.roll.count[ROLL_HELD]);
}

void esmtp_quit(struct esmtp *e)
{
	if (esmtp_phase(e) != ESMTP_READY)
		bug("esmtp_quit: not ready");
	say(e, QUIT);
	reply_local(&e->end.why, REPLY_TO_HOST, 451, "4.3.0", "we have left");
	e->closed = true;
}
