/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Limits for a host that many share: how many messages a user may submit in
 * an hour (MaxMessagesPerHour) and have waiting (MaxQueuedPerUser).  Root and
 * the users of UnlimitedUsers are free.  A limit holds where the program is
 * installed set-group-id, or where a run takes Pickup: who owns the folders
 * himself can as well edit them.
 */
#ifndef IN_LIMITS_H
#define IN_LIMITS_H

#include "queue.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* May this user submit one message more?  q: the open Queue.  0, or
 * 77 with a sentence in error. */
int limits_check(struct queue *q, uid_t uid, time_t now, char *error,
		 size_t size);
/* He has.  -1 with errno if that could not be counted, which is logged. */
int limits_count(uid_t uid, time_t now);
/* The same, and the question once more: while his message was read, others of
 * his may have been counted.  As limits_check. */
int limits_claim(struct queue *q, uid_t uid, time_t now, char *error,
		 size_t size);
/* A run: counts of hours that are over are forgotten. */
void limits_forget(time_t now);

#endif
