/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Who sends: the envelope sender, and the author where the header names none.
 * Identity is the uid's; what the environment says of it may lie.  Here, and
 * nowhere else, SenderMap, EnvelopeFrom, HeaderFrom and MasqueradeDomain are
 * applied to it; what they make of the header follows from what stands here.
 */
#ifndef IN_IDENTITY_H
#define IN_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	char *own;		/* the user's own address: SenderMap's, else
				 * his name at DefaultDomain; masked */
	char *sender;		/* qualified; "" the null sender */
	char *author;		/* for a From that is missing: HeaderFrom, else
				 * the sender he gave, or where that is null
				 * the user */
	const char *force_from;	/* in place of every From; NULL */
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

struct author_mask;
/* What MasqueradeDomain hides.  Borrowed for ever. */
const struct author_mask *identity_mask(void);

#endif
