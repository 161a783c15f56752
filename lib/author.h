/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Other addresses in a sender field (From, Sender, Reply-To, Resent-...): what
 * MasqueradeDomain and HeaderFrom make of them.  Names, comments and folds
 * stay.  Pure.
 */
#ifndef LIB_AUTHOR_H
#define LIB_AUTHOR_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Whose domain is hidden behind which. */
struct author_mask {
	const char *domain;		/* shown instead; NULL or "": nothing is
					 * hidden */
	const char *const *hidden;	/* domains, ended by NULL */
};

/* The address as it is to be seen; the caller frees.  One without a domain is
 * hidden too; the null sender stays. */
char *author_masked(const char *address, const struct author_mask *mask);

/* Appends value, n octets, with every address masked; a value that cannot be
 * parsed as it is.  False if out was full. */
bool author_mask(struct buf *out, const char *value, size_t n,
		 const struct author_mask *mask);

/* Appends value with this address in place of its own, the display name kept;
 * of a value with several mailboxes, or none, only the address is left.  False
 * if out was full. */
bool author_force(struct buf *out, const char *value, size_t n,
		  const char *address);

/* Is address the one mailbox of value?  domain: that of one without.
 * several: whether there are more. */
bool author_is(const char *value, size_t n, const char *address,
	       const char *domain, bool *several);

#endif
