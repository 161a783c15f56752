/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* One queue run: -q.  Again and again is out/watch. */
#ifndef OUT_RUN_H
#define OUT_RUN_H

#include <stdbool.h>
#include <signal.h>

/* Set by the signal handlers of in/caller.c: SIGTERM, SIGINT, SIGHUP. */
extern volatile sig_atomic_t run_signal;

/*
 * One run: recovers, reads all names, then works off what is due (flush:
 * everything) and ends.  What another process has locked is left to it.
 * Returns an exit status: 0, or 71/74 with a line on stderr.
 */
int run_once(bool flush);

#endif
