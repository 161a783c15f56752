/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One attempt at one message, from the keeper's side: the fates the engine
 * tells become marks in the file, and in the end the message is removed,
 * scheduled again, returned, or put into Badmail.  An immediate attempt and a
 * queue run use the same code; the order of the steps is queue.c's (6 to 13).
 */
#ifndef OUT_SETTLE_H
#define OUT_SETTLE_H

#include "out/deliver.h"
#include "queue.h"

struct settle;

/* m: claimed, or complete and not committed; borrowed until settle_end. */
struct settle *settle_begin(struct message *m, time_t now);
void settle_free(struct settle *st);

/* The local recipients go to Drop, now. */
void settle_local(struct settle *st);
/* A DELIVER_FATE: checked, marked, logged.  Not durable before settle_flush or
 * settle_end. */
void settle_fate(struct settle *st, const struct deliver_record *r);
/* Every mark made so far is durable; -1: storage failed. */
int settle_flush(struct settle *st);

/* What the attempt came to. */
struct settle_counts {
	size_t delivered, failed, waiting;
};
struct settle_counts settle_counts(const struct settle *st);
/* The worst reply of a recipient that failed for good, with its address: for
 * the one line on stderr and the exit status.  NULL if none failed. */
const struct reply *settle_failure(const struct settle *st, const char **addr,
				   const char **host);

/*
 * The end of the attempt: failed recipients are returned to the sender, what
 * is too old is given up, the rest is scheduled.  counted: this was an
 * attempt (a skip of a host known to be down is none).  A message that was
 * not committed is committed here if anything must be kept of it, else
 * removed.  0; -1 if storage failed: a message that was committed stays, for
 * one that was not the caller must tell its own caller, and who has a copy
 * (the recipients that are RCPT_DELIVERED).
 */
int settle_end(struct settle *st);

/* After settle_end: kept says whether it still stands in Queue. */
bool settle_kept(const struct settle *st);

#endif
