/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Delivery status reports (RFC 3464 in an RFC 6522 multipart/report) from the
 * null sender, and Badmail.  A report is a message like any other: to a local
 * sender it goes to Drop, to any other into Queue.  Its id is derived from the
 * message's id and attempt, so that a crash in between does not make two.
 */
#ifndef OUT_BOUNCE_H
#define OUT_BOUNCE_H

#include "lib/reply.h"
#include "queue.h"

enum bounce_action { BOUNCE_FAILED, BOUNCE_DELAYED };

/* What is to be said of one recipient. */
struct bounce_rcpt {
	size_t i;			/* in m->env.rcpt */
	struct reply reply;		/* last one; reply.local: made here */
	char host[256];			/* who said it; "" nobody */
	bool expired;			/* it was temporary, but is given up: the
					 * Status becomes 4.4.7, the reply stays
					 * as Diagnostic-Code */
};

/*
 * Writes and commits the report about these recipients to the sender of m.
 * Recipients with NOTIFY=NEVER (or without FAILURE, DELAY) are left out; if
 * none is left nothing is written.  0: the report stands durably (or stood
 * already, or none was wanted); -1: it does not, errno says why.  A message
 * from the null sender cannot be returned: -1 with EDESTADDRREQ.
 * SendNdrTo gets a copy, best effort (null sender, never reported again).
 */
int bounce_report(struct message *m, enum bounce_action action,
		  const struct bounce_rcpt *rcpt, size_t nrcpt, time_t now);

/*
 * Puts a committed message into Badmail (and takes it out of Queue): 0, or -1
 * with errno and everything still in Queue.  why: one word for the log:
 * "expired", "unreturnable", "torn", "pickup" (its text is no message).  Keeps
 * MaxBadMailFolderSize: the oldest go, each with a log line; 0 keeps nothing:
 * the message is then only removed and logged.  SendBadTo gets a copy, best
 * effort.
 */
int bounce_badmail(struct message *m, const char *why, time_t now);

#endif
