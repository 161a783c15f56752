/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Messages at rest: one file a message, in a directory whose listing is the
 * schedule.  The argument why nothing is lost stands at the head of queue.c.
 *
 * Results are 0 or -1 with errno unless said otherwise.  A write or fsync
 * that failed is final for its message (m->broken): nothing more is done to
 * the file, whatever is asked, and -1 is returned.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "config.h"
#include "lib/envelope.h"
#include "lib/queueid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* "<due>-<id>.eml": 16 + 1 + 20 + 4 */
#define QUEUE_NAME_LEN 41

/* The modes of the folders.  Members of the group may add to Queue, and anybody
 * to Pickup, but not remove or rename what is another's; the group alone sees
 * State, Drop and Badmail. */
#define QUEUE_MODE 03770
#define QUEUE_MODE_PICKUP 03733
#define QUEUE_MODE_GROUP 02770

/* A directory of messages: Queue, Badmail, Drop or Pickup. */
struct queue {
	const char *path;	/* borrowed */
	int dir;		/* -1: not open */
	bool blind;		/* queue_open_blind */
};

/* Opens the directory; mode other than 0: makes it (and its parent) with this
 * mode if it is missing.  ENOENT, EACCES, ... */
int queue_open(struct queue *q, const char *path, mode_t mode);
/* The same for a directory in which we may make files and which we may not
 * read (Pickup for who has no rights): messages can be added, nothing else. */
int queue_open_blind(struct queue *q, const char *path);
void queue_close(struct queue *q);

/* One message: being made, or claimed.  Owned by who called queue_new,
 * queue_claim or queue_peek, until message_free. */
struct message {
	struct queue *q;	/* NULL: kept nowhere (queue_new_memory) */
	char id[QUEUE_ID_LEN + 1];
	char name[QUEUE_NAME_LEN + 8];
	int fd;			/* locked, unless only peeked at */
	bool committed, broken;

	struct envelope env;
	time_t due;		/* as in the name */

	off_t text_at;		/* the message: where it begins in the file */
	uint64_t text_size;	/* and its octets */
};

/* ---- adding ---------------------------------------------------------------- */

/*
 * A new message under a temporary name, locked, empty.  id: NULL for a new
 * one; reports bring theirs.  NULL with errno.
 */
struct message *queue_new(struct queue *q, const char *id);
/* The same in memory only, for where nothing can be written: cannot be
 * committed. */
struct message *queue_new_memory(void);

/* First the envelope, once; then the text in pieces; then how many octets it
 * has become and whether it has octets above 127.  After queue_complete the
 * message can be read like a claimed one (m->env, text_at, ...). */
int queue_put_envelope(struct message *m, const struct envelope *e);
int queue_put_text(struct message *m, const void *p, size_t n);
int queue_complete(struct message *m, bool eight_bit);
/* The promise.  EEXIST: a message of this id and due is already there.  On
 * any failure nothing of it stands in the queue under a name that counts. */
int queue_commit(struct message *m, time_t due);
/* The same under a name of the caller's: Drop, whose readers want <id>.eml.
 * EEXIST is said only where what is there is durable. */
int queue_commit_as(struct message *m, const char *name);
/* Unlinks the temporary file (or a committed one, at the same moment its
 * recipients were all settled): the end of the message. */
int queue_remove(struct message *m);

/* ---- the schedule ------------------------------------------------------------ */

/* Every message name, in no order; stops when fn returns false.  Takes no lock
 * and opens nothing.  Foreign names are given with id NULL, temporary ones are
 * left out.  -1 with errno if the directory cannot be read. */
typedef bool queue_seen(void *ctx, const char *name, time_t due,
			const char *id);
int queue_sweep(struct queue *q, queue_seen *fn, void *ctx);

/*
 * The message for work: opened, locked, checked.  NULL with errno:
 * EWOULDBLOCK another process has it; ENOENT gone, or moved on meanwhile;
 * EBADMSG not a message in our form, or torn; EMLINK, ELOOP, EINVAL a link, a
 * FIFO or another thing that is never touched.  Times of a wrong clock are
 * corrected (created now) against now.
 */
struct message *queue_claim(struct queue *q, const char *name, time_t now);
/* A file that queue_claim calls EBADMSG, locked and otherwise as it is, with no
 * envelope, for queue_move alone. */
struct message *queue_claim_torn(struct queue *q, const char *name);
/* To look at only: no lock, fd is read-only. */
struct message *queue_peek(struct queue *q, const char *name);
/* Closes the descriptor (and so the lock) and frees. NULL is allowed. */
void message_free(struct message *m);

/* A recipient's last reason, and its new state; durable after queue_sync,
 * except that a state not marked stays as it was.  status may be NULL: kept. */
int queue_mark(struct message *m, size_t i, enum rcpt_state state,
	       const char *status);
int queue_sync(struct message *m);
/* Not now: m->env.attempts, last, warned and created are rewritten, the file
 * gets its new due.  A message that was not committed yet is not touched. */
int queue_reschedule(struct message *m, time_t due);
/* To another directory under the same name, durably there before it is gone
 * here; by copy where that is another file system. */
int queue_move(struct message *m, struct queue *to);

/* Recipients still waiting. */
size_t message_waiting(const struct message *m);

/* Temporary files that belong to nobody any more are unlinked; returns how
 * many. */
unsigned queue_recover(struct queue *q, time_t now);

/* Octets of all message files, 0 on error; for quotas. */
uint64_t queue_octets(struct queue *q);

#endif
