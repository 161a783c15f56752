/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The head of a file in Pickup: who sends and who receives, as far as the file
 * says so in a block of lines before the message.  Text in, struct out.
 *
 *   x-sender: alice@client.test              IIS, and our own Drop files
 *   X-Receiver: "Bob B" <bob@far.test>       .NET
 *   X-Receiver: <bob@far.test> NOTIFY=NEVER  Exchange's Replay directory
 *   x-mailroot: 1 envelope=...               a file of Queue or Badmail
 *
 * The first line decides: what begins with anything else is a plain message,
 * and a block later in it is text.
 */
#ifndef LIB_PICKUPHEAD_H
#define LIB_PICKUPHEAD_H

#include "lib/envelope.h"

#include <stdbool.h>
#include <stddef.h>

/* ENVID of a file that was refused and is in Badmail: its envelope says why
 * and to whom it belongs, the file as it was stands behind it. */
#define PICKUPHEAD_REFUSED "mailroot-pickup"

/* Addresses are as they were written: bare or whole, not checked. */
struct pickuphead {
	bool ours;		/* the block is a queue file's: its message has
				 * no stuffed dots */
	char *sender;		/* "" the null sender; NULL: not given */
	char *author;		/* where no sender is given: the first address
				 * of Sender, else of From; NULL none */
	char *ret, *envid;	/* NULL: not given, or not legal */
	struct recipient *rcpt;	/* addr, notify, orcpt */
	size_t nrcpt;
	size_t done;		/* recipients passed over, because they were
				 * delivered or returned */
	size_t file_at;		/* where the file as it was left begins: behind
				 * the envelopes of earlier refusals */
	size_t text_at;		/* and where its message begins */
};

enum pickuphead_result {
	PICKUPHEAD_MORE,	/* more octets must be seen */
	PICKUPHEAD_GOOD,
	PICKUPHEAD_BAD,		/* an address in the block is none */
};

/*
 * Reads the first n octets of a file; last: it has no more, or no more will be
 * read.  h is filled anew each time; free it with pickuphead_free, whatever
 * the result.  PICKUPHEAD_BAD: a sentence in error (256 octets); file_at
 * stands.
 *
 * Of an envelope of ours only the sender and the receivers are believed, and
 * its sizes need not be right.  x-received and x-returned are passed over,
 * unless nobody else is in it: a file of Badmail is brought back for those to
 * whom it could not be delivered.
 */
enum pickuphead_result pickuphead_parse(struct pickuphead *h, const char *p,
					size_t n, bool last, char *error);
void pickuphead_free(struct pickuphead *h);

#endif
