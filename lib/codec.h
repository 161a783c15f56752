/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Transformations on bytes, nothing more: line ends coming in, dots going
 * out, base64, quoted-printable, xtext, encoded words.  All of them take the
 * bytes in pieces of any size and keep what they must between the pieces.
 */
#ifndef LIB_CODEC_H
#define LIB_CODEC_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- standard input becomes message text ---------------------------- */

/*
 * Lines ended by LF, CRLF, or both mixed become lines ended by CRLF; every CR
 * right before an LF belongs to the line end ("a\r\r\n" is "a"); any other CR
 * becomes one blank.  So no bare CR and no bare LF ever comes out.  With dots
 * set (no -i) a line that is a lone "." ends the input, and a leading ".."
 * loses one dot (sendmail 8; the others keep both).  A last line without an
 * end gets one; CRs right before the end of the input belong to it.
 */
struct intake {
	bool dots;		/* set by the caller before the first feed */
	/* learned; read after intake_end */
	bool ended;		/* the lone dot was seen: feed takes no more */
	bool nul;		/* a NUL was met (and is still in the output) */
	bool eight_bit;		/* an octet above 127 */
	size_t longest;		/* octets of the longest line, without CRLF */
	/* private */
	unsigned crs;		/* CRs seen that may belong to a line end */
	size_t column;
	unsigned dots_held;
};
/* Appends the text form of n octets to out: at most 2 n + 1001 octets (no more
 * than 998 CRs are held back; of a longer run the rest become blanks, whatever
 * follows).  False if out was full. */
bool intake_feed(struct intake *in, const char *p, size_t n, struct buf *out);
/* The input has ended: the last line is finished. */
bool intake_end(struct intake *in, struct buf *out);

/* ---- message text goes out with DATA (RFC 5321 4.5.2) --------------- */

/* Dot-stuffing.  The text has CRLF lines only.  *bol: at a line's begin;
 * true before the first piece.  False if out was full. */
bool stuff_dots(bool *bol, const char *p, size_t n, struct buf *out);

/* ---- base64 and quoted-printable (RFC 2045 6.7, 6.8) ---------------- */

/* An encoder in progress; zero-filled is the beginning. */
struct encoder {
	unsigned char held[4];
	unsigned nheld;
	unsigned column;
};
/* Lines of 76, CRLF between and after.  last: this is the final piece. */
bool base64_lines(struct encoder *e, const char *p, size_t n, bool last,
		  struct buf *out);
/*
 * Text with CRLF line ends to quoted-printable: lines at most 76, blanks at
 * line ends encoded, "From " and a lone "." at a line's begin encoded too
 * (they get damaged on the way otherwise).  A CR or LF that is not part of a
 * CRLF is encoded as an octet.  At last, a text that did not end in CRLF is
 * ended by a soft line break, so that the decoded bytes are the same.
 */
bool qp_lines(struct encoder *e, const char *p, size_t n, bool last,
	      struct buf *out);

/* One string, no line breaks; appended with no NUL.  For AUTH and tests. */
bool base64_encode(struct buf *out, const void *p, size_t n);
/* False on anything that is not base64. */
bool base64_decode(struct buf *out, const char *s, size_t n);

/* ---- xtext (RFC 3461 4) --------------------------------------------- */

bool xtext_encode(struct buf *out, const char *s);
/* Is it well-formed xtext, at most max octets?  (ENVID 100, ORCPT 500.) */
bool xtext_valid(const char *s, size_t max);
/* False if it is not well-formed. */
bool xtext_decode(struct buf *out, const char *s);

/* ---- encoded words (RFC 2047) --------------------------------------- */

/* UTF-8 text (broken UTF-8 as ISO-8859-1) as one or several encoded words
 * separated by "\r\n ", none over 75 octets, characters never split.
 * column: where on the line the first one starts. */
bool encoded_words(struct buf *out, const char *s, size_t n, size_t column);

/* Octets of the well-formed UTF-8 character (RFC 3629 4) that p begins with,
 * 0 if there is none. */
size_t utf8_char(const char *p, size_t n);
bool utf8_valid(const char *p, size_t n);
/* Is there an octet above 127? */
bool eight_bit(const char *p, size_t n);

#endif
