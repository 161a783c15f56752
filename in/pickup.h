/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The third way in: files that programs leave in Pickup (sendmail(8), PICKUP).
 * A queue run takes them before it reads the schedule.
 */
#ifndef IN_PICKUP_H
#define IN_PICKUP_H

#include <stdbool.h>

/*
 * One pass over PickupDirectory: what is finished becomes a message of Queue,
 * due now, and its file is unlinked; what cannot be used goes to Badmail with
 * its reason; what is unfinished, or not a plain file with one name, stays.
 * Returns how many messages were taken; *young: whether a file was left only
 * because it has not rested for a second.  Says by itself, in the log, what
 * went wrong; a Pickup that is missing is nothing.
 */
unsigned pickup_take(bool *young);

#endif
