/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The commands of the dialogue: the table, and its entries.  Putting a command
 * and learning from its reply only write down facts; what comes next is not
 * known here but in next_command (esmtp.c).
 */
#include "out/command.h"
#include "lib/codec.h"
#include "lib/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------- */

static put_fn put_word, put_starttls, put_auth, put_mail, put_rcpt, put_text;
static learn_fn learn_hello, learn_starttls, learn_auth;
static learn_fn learn_mail, learn_rcpt, learn_text;

const struct row commands[COMMANDS] = {
	[NOTHING] = { "no command", 0, false, "", REPLY_TO_HOST, NULL, NULL },
	[GREETING] = { "the connection", TIMEOUT_GREETING, false, "2",
		       REPLY_TO_HOST, NULL, learn_hello },
	[EHLO] = { "EHLO", TIMEOUT_COMMAND, false, "2",
		   REPLY_TO_HOST, put_word, learn_hello },
	[HELO] = { "HELO", TIMEOUT_COMMAND, false, "2",
		   REPLY_TO_HOST, put_word, learn_hello },
	[STARTTLS] = { "STARTTLS", TIMEOUT_COMMAND, false, "2",
		       REPLY_TO_HOST, put_starttls, learn_starttls },
	[AUTH] = { "AUTH", TIMEOUT_COMMAND, false, "23",
		   REPLY_TO_HOST, put_auth, learn_auth },
	[RESPONSE] = { "AUTH", TIMEOUT_COMMAND, false, "23",
		       REPLY_TO_HOST, put_auth, learn_auth },
	[CANCEL] = { "AUTH", TIMEOUT_COMMAND, false, "23",
		     REPLY_TO_HOST, put_auth, learn_auth },
	[RSET] = { "RSET", TIMEOUT_COMMAND, true, "2",
		   REPLY_TO_HOST, put_word, learn_hello },
	[MAIL] = { "MAIL FROM", TIMEOUT_COMMAND, true, "2",
		   REPLY_TO_MAIL, put_mail, learn_mail },
	[RCPT] = { "RCPT TO", TIMEOUT_COMMAND, true, "2",
		   REPLY_TO_RCPT, put_rcpt, learn_rcpt },
	[DATA] = { "DATA", TIMEOUT_DATA, false, "3",
		   REPLY_TO_MESSAGE, put_text, learn_text },
	[BDAT] = { "BDAT", TIMEOUT_FINAL, false, "2",
		   REPLY_TO_MESSAGE, put_text, learn_text },
	[END] = { "the end of data", TIMEOUT_FINAL, false, "2",
		  REPLY_TO_MESSAGE, put_text, learn_text },
	[QUIT] = { "QUIT", 0, false, "2", REPLY_TO_HOST, put_word, NULL },
};

/* ---- how recipients, and sessions, end ---------------------------------- */

uint64_t dialogue_left(const struct esmtp *e)
{
	return e->said - buf_len(&e->out);
}

enum command dialogue_awaited(const struct esmtp *e)
{
	return e->s.waiting ? e->sent[e->oldest].command : NOTHING;
}

bool dialogue_wanted(const struct transaction *t)
{
	return (t->mail == SAID || t->mail == YES) &&
	       t->roll.count[ROLL_ASKED] + t->roll.count[ROLL_ACCEPTED] > 0;
}

bool dialogue_handshake(const struct esmtp *e)
{
	return e->s.starttls == YES && !e->s.encrypted;
}

/* Once AUTH's reply is in, all that we said has left the output. */
void dialogue_forget(struct esmtp *e)
{
	if (e->s.auth != UNSAID && buf_len(&e->out) == 0)
		auth_wipe(&e->out);
	auth_forget(&e->auth);
}

void dialogue_close(struct esmtp *e, const struct reply *why)
{
	bool bdat = e->s.waiting && e->s.last == BDAT;

	if (e->closed)
		return;
	e->end.why = e->cancelled.code ? e->cancelled : *why;
	/* Never a verdict on a recipient that was not settled with it. */
	e->end.why.to = REPLY_TO_HOST;
	e->end.at_greeting = !e->s.greeted;
	/* Some firewalls drop a connection at a verb they do not know.  What
	 * is announced but not understood would be met again, and so would
	 * a reply to BDAT that cannot be believed: DATA's cannot be shifted. */
	e->end.after_bdat = e->s.bdat_unknown ||
			    (bdat && (why->local || e->doubt.code));
	e->end.after_end = esmtp_end_given(e) &&
			   e->t.end_at <= dialogue_left(e);
	e->closed = true;
	/* Above all not the rest of a message, or its end. */
	buf_clear(&e->out);
	dialogue_forget(e);
}

void dialogue_fail(struct esmtp *e, const char *status, const char *what,
		   const char *said)
{
	struct reply why;

	reply_local(&why, REPLY_TO_HOST, 451, status, "%s at %s%s%s", what,
		    e->t.text == TEXT_OPEN ? "message text" :
		    dialogue_handshake(e) ? "the TLS handshake" :
		    commands[dialogue_awaited(e)].name, *said ? ": " : "",
		    said);
	dialogue_close(e, &why);
}

/* Without TLS where it must be: nobody's mail goes out here. */
static void no_tls(struct esmtp *e, const char *because, const char *said)
{
	struct reply why;

	e->end.tls_refused = true;
	reply_local(&why, REPLY_TO_HOST, 451, "4.7.4", "TlsSecurityLevel "
		    "demands TLS, %s%s", because, said);
	dialogue_close(e, &why);
}

/* In the middle of a group a verdict may be another's: it is held.  421 ends
 * the session and nobody's life. */
static void verdict(struct esmtp *e, size_t i, const struct reply *r)
{
	if (e->s.waiting == 0 || r->code == 421)
		roll_settle(&e->t.roll, i, r);
	else
		roll_hold(&e->t.roll, i, r);
}

void dialogue_verdict(struct esmtp *e, enum stage stage, const struct reply *r)
{
	size_t i;

	for (i = 0; i < e->t.roll.n && e->t.roll.count[stage]; i++)
		if (e->t.roll.rcpt[i].stage == stage)
			verdict(e, i, r);
}

/* ---- how a command is put ----------------------------------------------- */

/* EHLO, HELO, RSET, QUIT. */
static void put_word(struct esmtp *e, enum command c)
{
	buf_puts(&e->out, commands[c].name);
	if (c == EHLO || c == HELO)
		buf_printf(&e->out, " %s", e->setup.name);
}

/* Without the keyword it is only reached where TLS must be (before_mail). */
static void put_starttls(struct esmtp *e, enum command c)
{
	if (e->s.offers.starttls)
		put_word(e, c);
	else
		no_tls(e, e->setup.mask == VERB_NONE ? "and the verb mask 0 "
		       "has HELO only" : e->s.helo ? "and this host is spoken "
		       "to with HELO only" : "the server offers no STARTTLS",
		       "");
}

/* AUTH, the answer to a challenge, or "*" (RFC 4954 4). */
static void put_auth(struct esmtp *e, enum command c)
{
	bool clear = !e->s.encrypted && !e->setup.auth_in_clear;
	const char *mechanism, *offered = e->s.offers.auth;
	struct reply why;

	e->s.auth = SAID;
	if (c == CANCEL) {
		buf_putc(&e->out, '*');
		return;
	}
	if (c == RESPONSE) {
		auth_response(&e->auth, &e->out);
		e->shown = 0;
		return;
	}
	mechanism = sasl_choose(offered, e->setup.auth_allowed ?
				e->setup.auth_allowed : "", e->setup.identity,
				!clear);
	if (mechanism) {
		e->shown = auth_command(&e->auth, mechanism, e->setup.identity,
					&e->out);
		return;
	}
	reply_local(&why, REPLY_TO_HOST, 534, "5.7.9", "AUTH must be, and %s%s",
		    !*offered ? "the server offers none" : clear ?
		    "without TLS none will do of: " : "none will do of: ",
		    offered);
	dialogue_close(e, &why);
}

/* " WORD=value", if the server knows the verb and there is a value. */
static bool put_extra(struct esmtp *e, uint64_t verb, const char *word,
		      const char *value)
{
	return e->s.offers.verbs & verb && value &&
	       buf_printf(&e->out, " %s=%s", word, value);
}

static void put_mail(struct esmtp *e, enum command c)
{
	struct transaction *t = &e->t;
	char size[24];
	size_t i;

	for (i = 0; i < t->roll.n; i++)
		if (t->roll.rcpt[i].stage != ROLL_SETTLED)
			roll_move(&t->roll, i, ROLL_OPEN);
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
	struct roll *roll = &e->t.roll;
	const struct esmtp_rcpt *to = &e->t.m.rcpt[roll->next];

	buf_printf(&e->out, "%s:<%s>", commands[c].name, to->addr);
	if (!roll->rcpt[roll->next].plain) {
		put_extra(e, VERB_DSN, "NOTIFY", to->notify);
		put_extra(e, VERB_DSN, "ORCPT", to->orcpt);
	}
	roll_move(roll, roll->next, ROLL_ASKED);
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

/* And RSET: who refuses that is out of step. */
static void learn_hello(struct esmtp *e, const struct reply *r)
{
	enum command c = e->heard.command;

	if (c == EHLO && r->code >= 500) {
		/* RFC 5321 3.2: an old server may know only HELO. */
		e->s.helo = true;
		e->s.offers = (struct offers){ 0 };
	} else if (r->code >= 400) {
		dialogue_close(e, r);
	} else {
		e->s.greeted = true;
		e->s.ready = c != GREETING;
		e->s.stale = false;
	}
}

/* RFC 3207 4. */
static void learn_starttls(struct esmtp *e, const struct reply *r)
{
	char said[REPLY_TEXT + 32];

	e->s.starttls = r->code < 400 ? YES : NO;
	if (e->s.starttls == NO && e->s.tls == ESMTP_TLS_MUST &&
	    r->code != 421)
		no_tls(e, "the server refuses STARTTLS: ",
		       reply_print(r, said, sizeof said));
}

/* AUTH's reply, also to a response.  After "*" there is only one end. */
static void learn_auth(struct esmtp *e, const struct reply *r)
{
	const char *challenge, *why = NULL;
	struct reply local;
	size_t n;

	if (r->code >= 400 || e->cancelled.code) {
		dialogue_close(e, r);
	} else if (r->code >= 300) {
		challenge = replyline_words(&e->in, &n);
		why = e->in.lines > 1 ? "a challenge has one line" :
		      auth_challenge(&e->auth, challenge, n);
		e->s.auth = why ? NO : SAID;
		if (why)
			reply_local(&e->cancelled, REPLY_TO_HOST, 454, "4.7.0",
				    "AUTH %s cancelled: %s", e->auth.mechanism,
				    why);
	} else if ((why = auth_finish(&e->auth))) {
		reply_local(&local, REPLY_TO_HOST, 454, "4.7.0", "AUTH %s not "
			    "believed: %s", e->auth.mechanism, why);
		dialogue_close(e, &local);
	} else {
		e->s.auth = YES;
		dialogue_forget(e);
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
		dialogue_verdict(e, ROLL_OPEN, r);
		dialogue_verdict(e, ROLL_ASKED, r);
	}
}

static void learn_rcpt(struct esmtp *e, const struct reply *r)
{
	struct transaction *t = e->heard.of;
	size_t i = e->heard.rcpt;
	bool extras = e->s.offers.verbs & VERB_DSN && !t->roll.rcpt[i].plain &&
		      (t->m.rcpt[i].notify || t->m.rcpt[i].orcpt);

	/* Without MAIL it is no word on the recipient, whatever it says. */
	if (t->mail != YES)
		return;
	if (r->code < 400) {
		roll_move(&t->roll, i, ROLL_ACCEPTED);
	} else if (extras && parameters_refused(r)) {
		t->roll.rcpt[i].plain = true;
		roll_move(&t->roll, i, ROLL_OPEN);
	} else {
		verdict(e, i, r);
	}
}

/* DATA, BDAT and the end of data: a refusal is the message's verdict for those
 * who had been accepted.  When nobody had been, it was to be expected. */
static void learn_text(struct esmtp *e, const struct reply *r)
{
	struct transaction *t = e->heard.of;
	enum command c = e->heard.command;
	bool refused = r->code >= 400, expected = dialogue_wanted(t);

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
		dialogue_verdict(e, ROLL_ACCEPTED, r);
		/* Whoever is open now is to be asked in another way. */
		if (t->roll.count[ROLL_OPEN])
			t->mail = UNSAID;
	}
	t->text = TEXT_NONE;
}
