/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The header of one MIME part, for lib/mime.c and nobody else: what its
 * fields say about the body behind them, and how a field is made legal.
 */
#ifndef LIB_MIMEHEAD_H
#define LIB_MIMEHEAD_H

#include "lib/buf.h"
#include "lib/header.h"

#include <stdbool.h>
#include <stddef.h>

enum part_kind {
	PART_LEAF,
	PART_MULTIPART,
	PART_MESSAGE,		/* the body is a message again */
	PART_OPAQUE,		/* neither walked into nor encoded */
};

enum part_code {
	CODE_SEVEN,		/* no label, or 7bit */
	CODE_PLAIN,		/* 8bit, binary, and misspellings of them */
	CODE_QP,
	CODE_BASE64,
	CODE_FOREIGN,		/* uuencode and other x-: hands off */
};

/* Content-Transfer-Encoding fields that are remembered; the first counts,
 * the others must go when the body is encoded. */
#define CODE_FIELDS 4
struct mimehead {
	enum part_kind kind;
	enum part_code code;
	bool text;		/* text/ something */
	bool digest;		/* multipart/digest: other default inside */
	bool is_signed;		/* multipart/signed */
	bool has_type, has_version;
	struct { size_t from, to; } codes[CODE_FIELDS];
	size_t ncodes;
	char *boundary;		/* PART_MULTIPART: owned */
	size_t boundary_len;
};

/* Zero-filled is the beginning; then every field in order; then _done.
 * base: the header's first octet, for the offsets. */
void mimehead_field(struct mimehead *h, const struct field *f,
		    const char *base);
/* No more fields.  in_digest: what a missing Content-Type means. */
void mimehead_done(struct mimehead *h, bool in_digest);

enum mended {
	MENDED_NOT,		/* nothing was wrong */
	MENDED,			/* out has the new field, CRLF included */
	MENDED_HOPELESS,
};
/* mend: MIME_ flags. */
enum mended mimehead_mend(const struct field *f, int mend, struct buf *out);

/* An octet above 127. */
bool mimehead_high(const char *p, size_t n);

#endif
