/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The inside of the SMTP dialogue, for esmtp.c and out/command.c alone: the
 * facts that both write down, and the table of commands.
 */
#ifndef OUT_COMMAND_H
#define OUT_COMMAND_H

#include "esmtp.h"
#include "config.h"
#include "lib/offers.h"
#include "lib/replyline.h"
#include "out/auth.h"
#include "out/roll.h"

/* ---- facts -------------------------------------------------------------- */

enum command {
	NOTHING,		/* wait for a reply, for text, the caller */
	GREETING,		/* never said, but awaited like a reply */
	EHLO, HELO, STARTTLS, AUTH, RSET, MAIL, RCPT, DATA, BDAT, QUIT,
	RESPONSE, CANCEL,	/* to a challenge of AUTH */
	END,			/* the lone dot */
	COMMANDS,
};

enum answer { UNSAID, SAID, YES, NO };

/* Of the connection. */
struct connection {
	bool greeted;		/* 2xx */
	bool helo;		/* HELO it must be */
	bool ready;		/* EHLO or HELO was answered 2xx */
	enum esmtp_tls tls;	/* what the caller asks for */
	enum answer starttls;	/* YES: until the handshake is done */
	bool encrypted;
	bool identity;		/* the caller has one: AUTH it must be */
	enum answer auth;	/* SAID: a challenge is to be answered; NO: it
				 * is to be cancelled */
	bool bdat_unknown;	/* it was announced, and then not understood */
	bool stale;		/* the server may still hold a transaction that
				 * is over for us: RSET before the next MAIL */
	struct offers offers;
	size_t waiting;		/* commands without a reply */
	enum command last;	/* the last one said */
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
	struct roll roll;	/* the recipients */
	uint64_t at;		/* octets of text handed in */
	bool bol;		/* they ended at a line's begin */
	uint64_t end_at;	/* TEXT_GIVEN: where the end stands in all that
				 * we ever said */
};

/* A command on its way, in the order of saying. */
struct sent {
	enum command command;
	size_t rcpt;
	bool alone;		/* nothing was awaited when it was said */
	uint64_t end_at;	/* its last octet in all that we ever said */
	struct transaction *of;	/* room for more than one in flight */
};

struct esmtp {
	struct esmtp_setup setup;
	struct connection s;
	struct transaction t;
	struct sent sent[PIPELINE_MAX];		/* a ring: s.waiting entries */
	size_t oldest;
	struct sent heard;	/* whose reply is being learned from */
	struct buf out;
	uint64_t said;		/* octets ever put into out */
	uint64_t progress;
	struct replyline in;	/* the reply that is coming in */
	uint64_t came_at;	/* octets that had left when it began */
	struct reply doubt;	/* with a code: the last reply of a group, not
				 * believed before this input has ended */
	bool doubt_early;
	struct auth auth;
	struct reply cancelled;	/* with a code: why AUTH is given up */
	size_t shown;		/* octets of the command that are no secret */
	bool closed;
	struct esmtp_end end;
};

/* ---- the commands ------------------------------------------------------- */

typedef void put_fn(struct esmtp *, enum command);
typedef void learn_fn(struct esmtp *, const struct reply *);

struct row {
	const char *name;	/* "in reply to ..." */
	unsigned limit;		/* seconds */
	bool overtaken;		/* RFC 2920: the next may go before its reply */
	const char *yes;	/* first digits of replies that grant it */
	enum reply_to to;
	put_fn *put;		/* the line without CRLF; closes the session
				 * where it cannot be said although it must */
	learn_fn *learn;	/* only called with yes, 4xx or 5xx */
};
extern const struct row commands[COMMANDS];

/* ---- what both sides ask and do ------------------------------------------ */

/* Octets that have left: the caller drops them from the front of out. */
uint64_t dialogue_left(const struct esmtp *e);
/* The command whose reply is awaited. */
enum command dialogue_awaited(const struct esmtp *e);
/* STARTTLS was granted: the connection is the caller's until TLS stands. */
bool dialogue_handshake(const struct esmtp *e);
/* Can this round still bring the message to anybody? */
bool dialogue_wanted(const struct transaction *t);

/* The session is over; why is for those still open.  If we have cancelled
 * AUTH, then that is why. */
void dialogue_close(struct esmtp *e, const struct reply *why);
/* The same: "garbage at RCPT TO", and what the server said. */
void dialogue_fail(struct esmtp *e, const char *status, const char *what,
		   const char *said);
/* On all recipients in one stage: told now, or held. */
void dialogue_verdict(struct esmtp *e, enum stage stage, const struct reply *r);
/* Nothing secret is needed any more. */
void dialogue_forget(struct esmtp *e);

#endif
