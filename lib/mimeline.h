/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One line of a message that passes by in pieces, for lib/mime.c and nobody
 * else: what it is can be said at its end, from its first octets and from
 * counts.
 */
#ifndef LIB_MIMELINE_H
#define LIB_MIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A delimiter line has to stay within LINE_MAX_OCTETS: "--", this, "--". */
#define BOUNDARY_OCTETS 994
/* The first octets of a line: a delimiter, or a field's name, are in them. */
#define LINE_KEPT (BOUNDARY_OCTETS + 4)
/* What was counted, of a line, a leaf, a preamble. */
struct tally {
	uint64_t octets;
	uint64_t longest;	/* line, without CRLF */
	uint64_t high;		/* octets above 127 */
	uint64_t odd;		/* octets quoted-printable has to encode */
	uint64_t blanks;	/* the longest run of them */
	bool broken;		/* not UTF-8 */
};

/* UTF-8, one octet after the other; zero-filled is between characters. */
struct utf8 {
	unsigned left;		/* octets of this character to come */
	unsigned char low, high;	/* what the next may be */
};

/* The line being read.  It is not held: only its first octets and counts. */
struct line {
	uint64_t at, len;	/* offset; octets so far, without CRLF */
	char kept[LINE_KEPT];
	size_t nkept;
	bool padded;		/* only blanks came behind what is kept */
	struct tally tally;
	uint64_t run;		/* blanks right before this place */
	struct utf8 utf8;
};

void mimeline_begin(struct line *l, uint64_t at);
/* n octets of the line, no line end among them. */
void mimeline_count(struct line *l, const char *p, size_t n);
/* The line has ended: its counts are added to t. */
void mimeline_tally(struct tally *t, const struct line *l);

enum line_kind {
	LINE_FIELD,		/* a name and a colon */
	LINE_FOLD,		/* begins with a blank */
	LINE_FROM,		/* a mailbox's separator */
	LINE_OTHER,
};
enum line_kind mimeline_kind(const struct line *l);

/* Octets of the delimiter, without padding; 0 if the line is none. */
size_t mimeline_delimiter(const struct line *l, const char *boundary,
			  size_t n, bool *close);

#endif
