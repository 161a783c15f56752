/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Making a message legal for its way without changing what it says: leaves of
 * the MIME tree (RFC 2045, 2046) that hold octets above 127 or lines over 998
 * are encoded as quoted-printable or base64.  Two passes over bytes of any
 * size with bounded memory:
 *
 *   scan   the whole message goes through once; the result is a plan, a list
 *          of edits in ascending order of offset;
 *   read   the message goes through again, from anywhere the caller can read
 *          it at an offset; the edits are carried out on the way.
 *
 * A message that needs nothing has an empty plan, and then nobody reads twice.
 */
#ifndef LIB_MIME_H
#define LIB_MIME_H

#include "lib/buf.h"
#include "lib/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What has to be mended. */
enum {
	MIME_LONG_LINES = 1,	/* leaves with lines over 998 octets */
	MIME_EIGHT_BIT = 2,	/* leaves and part headers with octets > 127 */
};

enum edit_kind {
	EDIT_TEXT,		/* [from, to) becomes the given text */
	EDIT_QP,		/* [from, to) is encoded as quoted-printable */
	EDIT_BASE64,
	EDIT_SOFTEN,		/* quoted-printable already: soft line breaks
				 * put in, high octets encoded */
	EDIT_REFOLD,		/* base64 already: lines of 76 */
};

struct mime_edit {
	uint64_t from, to;
	enum edit_kind kind;
	char *text;		/* EDIT_TEXT: owned by the plan */
	size_t text_len;
};

struct mime_plan {
	struct mime_edit *edits;
	size_t n, cap;
	bool signed_part;	/* something under multipart/signed would have
				 * to change (and is changed by the plan) */
	bool impossible;	/* a thing that has to be mended cannot be:
				 * MIME_EDITS_MAX reached, or a long line where
				 * no encoding may stand (a preamble's is cut
				 * away, an unfoldable part header field) */
};

/*
 * Scan.  mend: MIME_ flags.  The pieces are the whole message, header first,
 * CRLF lines.  Rules: a leaf without Content-Transfer-Encoding, or with 7bit,
 * 8bit or binary, that needs mending gets quoted-printable or base64,
 * whichever is shorter (text/ types lean to quoted-printable: base64 only if
 * over a quarter of the octets would be encoded), and its header the field
 * to say so; a top level without MIME-Version and Content-Type gets
 * MIME-Version: 1.0, Content-Type: text/plain with charset utf-8 if the text
 * is valid UTF-8, else iso-8859-1 (us-ascii where only lines were long); a
 * leaf already in quoted-printable or base64 that breaks the rules is encoded
 * once more only if that keeps its decoded content (it never does: so its
 * long lines are refolded for base64, soft-broken for quoted-printable; high
 * octets inside quoted-printable are =XX encoded; inside base64 impossible);
 * a preamble or epilogue, which nobody is shown, that needs mending is cut
 * away; part header fields get encoded words, RFC 2231 parameters, folds;
 * multipart and message/rfc822 (message/global too) are walked into, to
 * NESTING_MAX deep, and their own 8bit or binary label becomes 7bit when all
 * inside is; what is under multipart/signed is mended too, with signed_part
 * set: the caller decides.
 */
struct mime_scan;
struct mime_scan *mime_scan_new(int mend);
void mime_scan_feed(struct mime_scan *s, const char *p, size_t n);
/* Ends the scan, frees s, fills plan (the caller: mime_plan_free). */
void mime_scan_end(struct mime_scan *s, struct mime_plan *plan);
void mime_plan_free(struct mime_plan *plan);

/*
 * Read.  pull(ctx, dst, n, at) must deliver exactly n octets of the message
 * at offset at, or return -1 with errno.  size: of the whole message.
 */
typedef int mime_pull(void *ctx, char *dst, size_t n, uint64_t at);
struct mime_reader {
	const struct mime_plan *plan;
	mime_pull *pull;
	void *ctx;
	uint64_t size;
	/* private */
	uint64_t at;
	size_t edit;
	size_t text_at;
	struct encoder encoder;
	char before;		/* EDIT_SOFTEN: the octet before this one */
};
void mime_reader_init(struct mime_reader *r, const struct mime_plan *plan,
		      mime_pull *pull, void *ctx, uint64_t size);
/* Appends the next piece of the mended message to out, about n octets (never
 * more than 4 n + 1024).  1: more follows; 0: that was the end; -1: pull
 * failed (errno) or out was full (ENOBUFS). */
int mime_reader_next(struct mime_reader *r, struct buf *out, size_t n);
/* Scan of a message that can be pulled: all of it, once.  -1: pull failed
 * (errno); the plan is to be freed in any case. */
int mime_plan_make(struct mime_plan *plan, int mend, mime_pull *pull,
		   void *ctx, uint64_t size);
/* Octets of the whole mended message: reads it once to count.  -1 as above. */
int64_t mime_reader_size(const struct mime_plan *plan, mime_pull *pull,
			 void *ctx, uint64_t size);

#endif
