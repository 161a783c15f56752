/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The header of a message at submission: walking its fields, and the one
 * rewrite that makes a program's header one that may be sent.  Pure: text in,
 * text out.  Input and output have CRLF lines.
 */
#ifndef LIB_HEADER_H
#define LIB_HEADER_H

#include "lib/addr.h"
#include "lib/author.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* One field, still folded, as it stands in the text. */
struct field {
	const char *name;	/* not ended by NUL */
	size_t name_len;	/* without the colon and blanks before it */
	const char *value;	/* behind the colon; up to the field's end,
				 * without its last CRLF */
	size_t value_len;
	const char *raw;	/* the whole field with its last CRLF */
	size_t raw_len;
};

enum field_kind {
	FIELD_OK,
	FIELD_END,	/* the empty line, or the end of the text */
	FIELD_NOT,	/* a line that is no field: the body has begun without
			 * an empty line before it */
};

/* The next field.  At FIELD_END the cursor stands behind the empty line; at
 * FIELD_NOT it stays on the offending line. */
enum field_kind header_next(struct cursor *c, struct field *f);
bool field_is(const struct field *f, const char *name);
/* The value unfolded and trimmed, appended to out. */
bool field_value(const struct field *f, struct buf *out);

/* How far the header reaches in the text seen so far, the empty line
 * included; 0 if more must be seen.  *separated is true if it ends with the
 * empty line (its last two octets), false when it ended at a line that is no
 * field, or at the end of the text.  A text whose first line is no field has a
 * header of 0 octets: *none is set.  "From " lines at the top belong to it. */
size_t header_extent(const char *p, size_t n, bool last, bool *separated,
		     bool *none);

/* What the rewrite needs to know. */
struct header_task {
	const char *id;			/* message id of the queue */
	const char *fqdn;		/* our name: Received, Message-ID */
	const char *domain;		/* for addresses without one */
	const char *sender;		/* envelope sender, qualified, or "" */
	const char *author;		/* address for a From that is missing */
	const char *full_name;		/* -F or the passwd entry; "" none */
	uid_t uid;
	const char *with;		/* how it came: "local", "ESMTP", ... */
	const char *helo;		/* what the client called itself, a legal
					 * name or literal; NULL: it did not */
	time_t now;
	long utc_offset;		/* seconds east, for Date */
	bool want_recipients;		/* -t */
	struct author_mask mask;	/* MasqueradeDomain */
	const char *force_from;		/* takes the place of every From; NULL */
	const char *own;		/* the user's own address; NULL */
	bool add_sender;		/* where From is not he */
};

/* What it found. */
struct header_facts {
	struct addr_list to;		/* -t: To, Cc, Bcc; or if any Resent-
					 * field is there Resent-To, -Cc, -Bcc
					 * only.  As written: not qualified,
					 * not checked, not deduped, never "".
					 * Caller frees, whatever the status */
	unsigned hops;			/* Received fields */
	bool eight_bit_type;		/* has Content-Type or MIME-Version */
	char message_id[256];		/* the one sent, with <>, for the log */
};

/*
 * The rewrite, in this order of output: our Received; then the fields in
 * their order, changed or left out; then what was missing.
 *
 *   left out      a first "From " line (and ">From "), Bcc and Resent-Bcc
 *                 (folded too), Return-Path, Content-Length; a second Date,
 *                 From, Sender, Reply-To, To, Cc, Message-ID, In-Reply-To,
 *                 References, Subject: address fields To and Cc are joined
 *                 by a comma into the first, of the others the first stays
 *   changed       addresses without a domain in From, Sender, Reply-To, To,
 *                 Cc, Resent-* are qualified, comments kept; octets above 127
 *                 become RFC 2047 words (in phrases, comments and
 *                 unstructured text; inside a quoted string the whole string;
 *                 in Content-Type and Content-Disposition parameters RFC
 *                 2231); fields whose lines are over 998 are
 *                 folded at blanks or after commas
 *                 From, Sender, Reply-To and their Resent- twins are masked
 *                 (lib/author.h); with force_from the address in From becomes
 *                 that one, the old From a Reply-To where there is none, and
 *                 Sender is left out
 *   added         From ("Full Name" <author>), Date, Message-ID where missing;
 *                 Resent-Date and Resent-Message-ID where a Resent block
 *                 lacks them; Sender where the From names somebody else
 *                 (add_sender) or, as RFC 5322 3.6.2 demands, more than one;
 *                 MIME-Version where Content-* stands without it
 *
 * in: the header without its empty line.  out: the new one with its empty
 * line.  error (at least 200 octets) gets one sentence when the result is
 * not 0: 65 an address in a -t field that cannot be parsed, a line that
 * cannot be folded under 998; 70 out was full.
 */
int header_rewrite(const char *in, size_t n, const struct header_task *task,
		   struct header_facts *facts, struct buf *out, char *error);

/* "Sun, 22 Nov 2026 01:00:00 +0100" (RFC 5322 3.3), English whatever the
 * locale. */
void header_date(char dst[40], time_t t, long utc_offset);

#endif
