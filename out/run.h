/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* One queue run: -q.  Again and again is out/watch. */
#ifndef OUT_RUN_H
#define OUT_RUN_H

#include <stdbool.h>
#include <signal.h>

/* Set by the signal handlers of in/caller.c: SIGTERM, SIGINT, SIGHUP. */
extern volatile sig_atomic_t run_signal;

/* A run of some messages only: each that is not NULL must occur in the id, in
 * a recipient who waits, in the sender; case does not count. */
struct run_filter {
	const char *id, *rcpt, *sender;
};

/*
 * One run: recovers, reads all names, then works off what is due (flush:
 * everything; only, which may be NULL: what it names, due or not) and ends.
 * What another process has locked is left to it.  Returns an exit status: 0,
 * or 71/74 with a line on stderr.
 */
int run_once(bool flush, const struct run_filter *only);

/* The same for -q.  What was written to Pickup just now is waited for, once, for
 * a second: who was started because of it (a path unit) is not started again. */
int run_now(bool flush, const struct run_filter *only);

#endif
