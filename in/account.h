/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The group and the user that own the spool, in the system's own files:
 * passwd, group, and their shadows.
 */
#ifndef IN_ACCOUNT_H
#define IN_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct account {
	bool group, user;	/* does the system know it? */
	gid_t gid;		/* of the group MAILROOT_GROUP */
	uid_t uid;		/* of the user MAILROOT_USER */
};

/* What the system says now, whatever source its names come from. */
void account_find(struct account *a);

/*
 * Makes what account_find() did not find, and fills it in.  wish: owner and
 * group of a spool that is there already, so that its files keep their
 * meaning; taken where both numbers are below SYSTEM_ID_MAX and free.  An
 * entry that exists is never changed.  0, or -1 with a reason; a group that
 * was made by then stays.
 */
int account_make(struct account *a, const struct account *wish, char *why,
		 size_t size);

#endif
