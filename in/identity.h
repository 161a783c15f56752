/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Who sends: the envelope sender, and the author where the header names none.
 * Identity is the uid's; what the environment says of it may lie. */
#ifndef IN_IDENTITY_H
#define IN_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	char *sender;		/* qualified; "" the null sender */
	char *author;		/* for a From that is missing: the sender, or
				 * where he is null the user */
	char *full_name;	/* his; "" none */
};

/*
 * The user's identity.  sender: what he gave, in any of the forms "", "<>",
 * "a", "a@b", "Name <a@b>"; NULL: nothing, then it is his own address.
 * full_name: his choice; NULL: the passwd entry's.  0, or 65 with a sentence in
 * error.  Free with identity_free, whatever the result.
 */
int identity_find(struct identity *id, uid_t uid, const char *sender,
		  const char *full_name, char *error, size_t size);
void identity_free(struct identity *id);

#endif
