/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The engine: messages, grouped by next hop, go through sessions to their
 * fates.  One loop, up to MaxOutConnections sessions, the same for an
 * immediate attempt and for a queue run.
 *
 * It opens, names and removes nothing under MailRoot.  It is handed messages
 * that are open, and all it learns goes back as small records through one
 * channel: deliver_setup.tell.  The caller answers a DELIVER_WANT with
 * deliver_give or deliver_gone, inside the call or later.  Records hold
 * numbers and copied text only, so that the engine can one day live in a
 * process of its own; the caller checks them.
 */
#ifndef OUT_DELIVER_H
#define OUT_DELIVER_H

#include "lib/envelope.h"
#include "lib/loop.h"
#include "lib/reply.h"
#include "out/route.h"

#include <stdint.h>

struct deliver;

enum deliver_what {
	DELIVER_WANT,	/* message n is next for a hop: give it */
	DELIVER_FATE,	/* recipient rcpt of message n: reply; at most once */
	DELIVER_DONE,	/* nothing more will be said of message n; recipients
			 * without a fate have not been tried */
	DELIVER_HOST,	/* a host could not be used: reply says why */
	DELIVER_NO_BDAT,	/* a host met BDAT with silence */
	DELIVER_DOWN,		/* a next hop cannot be reached: key */
	DELIVER_UP,		/* a session with it was up: key */
};

struct deliver_record {
	enum deliver_what what;
	uint32_t n;		/* the message, as the caller numbers it */
	uint32_t rcpt;		/* index in its envelope */
	struct reply reply;
	bool unsure;		/* the end of data was out: a copy may exist */
	bool skipped;		/* the hop was known to be down: not tried */
	char hop[300];		/* for people: route_print */
	char key[300];		/* for State: route_key */
	char host[256];		/* who spoke; "" nobody */
	char address[64];	/* and where; "" not connected */
	char tls[64];		/* "none", "TLSv1.3", "TLSv1.3 trusted" */
};

struct deliver_setup {
	struct loop *loop;
	bool immediate;		/* a caller waits: short connect time-out */
	void (*tell)(void *ctx, const struct deliver_record *r);
	/* Is this host known to hang on BDAT?  May be NULL. */
	bool (*no_bdat)(void *ctx, const char *host);
	/* Is this hop known to be down?  NULL: try all. */
	bool (*known_down)(void *ctx, const char *key);
	void *ctx;
	bool verbose;		/* the dialogue on standard error */
};

/* Copies setup. */
struct deliver *deliver_open(const struct deliver_setup *setup);
/* Drops everything without a word. */
void deliver_close(struct deliver *d);

/* Message n has recipients for this hop.  Costs four octets until its turn. */
void deliver_queue(struct deliver *d, uint32_t n, const struct route *hop);

/*
 * Message n: an open file whose text stands at text_at, and its envelope, both
 * borrowed until DELIVER_DONE.  All its waiting recipients go to their hops,
 * local ones (ROUTE_LOCAL) apart, which are the caller's.  A message without
 * any is DONE at once.
 */
void deliver_give(struct deliver *d, uint32_t n, const char *id, int fd,
		  const struct envelope *env, off_t text_at, uint64_t text_size);
/* Message n cannot be had (another process has it). */
void deliver_gone(struct deliver *d, uint32_t n);

/* No more sessions and transactions; time_out: because the caller waited long
 * enough (then hops without a greeting so far are told as down); every session is dropped whose end of
 * data is not out yet, and its recipients get "why" as a RETRY, as do those
 * that waited for their turn in a message already given.  What remains waits
 * for its last reply, at most limit_s seconds. */
void deliver_stop(struct deliver *d, const char *why, bool time_out,
		  unsigned limit_s);
/* The limit again, shorter. */
void deliver_hurry(struct deliver *d, unsigned limit_s);

/* Work is left: messages queued or given and not DONE, or sessions open. */
bool deliver_busy(const struct deliver *d);
/* Sessions whose end of data is out and unanswered. */
unsigned deliver_critical(const struct deliver *d);

/* For the progress line and the tests. */
struct deliver_counts {
	unsigned sessions, hops;
	uint64_t connections, transactions;
};
struct deliver_counts deliver_counts(const struct deliver *d);

#endif
