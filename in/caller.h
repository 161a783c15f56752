/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The process we were given and the rights it has.  caller_settle() is the
 * first act of main: whatever the caller left, descriptors, environment,
 * signals and limits are known behind it.
 */
#ifndef IN_CALLER_H
#define IN_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Descriptors 0 to 2 are open and all others closed, the environment is
 * replaced by a fixed one, umask 007, no core dumps, no timers, default signals
 * but for those that are ignored or caught (run_signal).  With LISTEN_FDS and
 * LISTEN_PID (and without borrowed rights) descriptor 3, a connection, takes
 * the place of 0 and 1.  Ends the process with 71 where the system has no
 * descriptors.
 */
void caller_settle(void);

/* Set-group-id (or, by mistake, set-user-id), and not root: the rights are not
 * the caller's own. */
bool caller_borrows(void);
/* The environment we were started with, for the settings. */
char *const *caller_environ(void);
/* The directory we were started in: which script was it?  "" unknown. */
const char *caller_directory(void);

/* May he see and run what is not his?  With rights of his own, as root, or as
 * a member of the group Operators. */
bool caller_is_operator(void);

/*
 * For a queue run started by root: becomes the owner of the Queue directory,
 * where that is not root, or, where there is no such directory yet, the user
 * MAILROOT_USER if it exists; for good.  0 also where there is nothing to do;
 * -1 with errno: still root, and nothing may be done.
 */
int caller_become_runner(void);

#endif
