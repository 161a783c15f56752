/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A program's text becomes a message that may be sent: standard input is read
 * once, its header rewritten (lib/header), its lines made legal (lib/codec,
 * lib/mime), all of it streamed into a message of the queue that is complete
 * but not committed.
 */
#ifndef IN_MESSAGE_H
#define IN_MESSAGE_H

#include "lib/addr.h"
#include "lib/header.h"
#include "queue.h"

struct incoming {
	/* set by the caller */
	/* The next octets of the text, as read(2): 0 at its end; -1 with
	 * EINTR when a signal says stop. */
	ssize_t (*read)(void *ctx, void *p, size_t n);
	struct queue *q;		/* NULL: into memory */
	const char *id;			/* NULL: a new one */
	bool dots;			/* a lone dot ends it */
	uint64_t max_size;		/* octets; 0 none */
	unsigned max_hops;
	struct header_task task;	/* without id */
	struct envelope env;		/* sender and so on; rcpt is made here */
	/* Makes the final list of recipients out of the arguments and, with
	 * task.want_recipients, the header's: filled into to.  Returns 0, or
	 * an exit status with a sentence in error. */
	int (*recipients)(void *ctx, struct addr_list *from_header,
			  struct addr_list *to, char *error);
	/* NOTIFY and ORCPT of each recipient, found by addr_found.origin; or
	 * NULL, then one NOTIFY for all, and an ORCPT made of the address. */
	const struct recipient *given;
	const char *notify;		/* NULL: none, and no ORCPT */
	void *ctx;
	/* results */
	struct message *m;		/* the caller's: message_free */
	struct header_facts facts;
	char error[256];
	bool too_large;			/* the reason for a 65 was its size */
	int storage_errno;		/* of a status 71, 73, 74; 0 unknown */
	bool at_end;			/* all of the input was read */
};

struct identity;
/* Zeroes in and fills what the settings, the sender and the clock say; read, q,
 * recipients and what is special about this way in are the caller's. */
void message_prepare(struct incoming *in, const struct identity *id);

/*
 * Reads it all; the lines may end in LF, CRLF or both.  0: in->m is complete.  Else an exit status, a sentence in
 * in->error, and nothing stands in the queue: 65 the text cannot be a message
 * (NUL, too large, too many hops, a line that cannot be made legal), 71 or 73
 * no file could be made, 74 reading or writing failed, -1 a signal came.
 */
int message_read(struct incoming *in);

/* The line "accepted" in the log: whose it is, and one pair that says where it
 * came from ("cwd", "pickup"). */
void message_log_accepted(const struct message *m, const char *message_id,
			  const char *key, const char *value);

/* Reads what is left of the input and throws it away, within bounds, so that
 * a caller that is still writing gets our error and not a SIGPIPE. */
void message_drain(int fd);

/* Storage failed with this errno: the exit status, and what can be done about
 * it, for the end of the error line ("; make room there"). */
int storage_status(int err);
const char *storage_advice(int err);

#endif
