/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The runner that stays: sendmail -q15m, and -bD -q1m in the foreground. */
#ifndef OUT_WATCH_H
#define OUT_WATCH_H

#include <stdbool.h>

/*
 * A run now and then every interval (seconds) until SIGTERM, SIGINT or
 * SIGHUP; in between a run whenever a message that is due appears in Queue, or
 * a file in Pickup (inotify; the interval is the safety net).  flush: the
 * first run tries all.  With LogFile = stderr what other processes write to
 * State/log is copied to standard error.  As process 1 it reaps.  Returns an
 * exit status.
 */
int watch_repeat(unsigned interval, bool flush);

#endif
