/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * From a complete message to its fate, for all ways in: where it can be kept,
 * the attempt while the caller waits, and the processes that go on without
 * him.  One struct attempt a message.
 */
#ifndef IN_ATTEMPT_H
#define IN_ATTEMPT_H

#include "queue.h"

#include <stdbool.h>

struct deliver;
struct loop;
struct settle;

struct attempt {
	/* results of attempt_open */
	enum {
		KEPT_IN_QUEUE,
		KEPT_IN_PICKUP,		/* no rights: a run will take it */
		KEPT_NOWHERE,		/* in memory: now or never */
	} kept;
	struct queue q;			/* the folder; not open if nowhere */
	int queue_errno;		/* why it is not Queue */
	char refused[200];		/* a limit is reached: the sentence, and
					 * the status is 77; else "".  Set by
					 * attempt_open, and once more when the
					 * message is complete */
	/* set by the caller, once the message is complete; his */
	struct message *m;
	const char *message_id;		/* for the log */
	/* the attempt's own */
	struct settle *st;
	struct loop *loop;
	struct deliver *engine;
	bool one_transaction, local, remote;
	bool handed_over;		/* engine and loop are a child's */
};

/* Finds the folder: Queue where it can be written, else Pickup, else none.
 * The struct is zero before. */
void attempt_open(struct attempt *a);
/* Can this process leave a message in Pickup? */
bool attempt_pickup_is_open(void);
/* That folder for message_read: NULL where it is none. */
struct queue *attempt_queue(struct attempt *a);

/*
 * The attempt as DeliveryMode says, the caller waiting.  Returns an exit
 * status, sendmail(8): 0 means every recipient is delivered, stands durably
 * somewhere, or has been reported; any other that nothing of it stands
 * anywhere.  Complains itself.
 */
int attempt_run(struct attempt *a);

/* For a caller who is told by a reply and not by a status: only the commit.
 * 0: the message is promised; -1 with errno, or with a->refused: nothing of
 * it stands. */
int attempt_commit(struct attempt *a);
/* After it: a child of its own begins the delivery, if DeliveryMode lets it.
 * Without one the message waits in the queue. */
void attempt_begin(struct attempt *a);

/* Frees all but the message; a child's part stays as it is. */
void attempt_close(struct attempt *a);

#endif
