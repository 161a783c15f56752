/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The reading of a server's replies, RFC 5321 4.2: octets in pieces of any
 * size become lines, and lines a reply.  Bounded on every side; says nothing
 * about what a reply means.
 */
#ifndef LIB_REPLYLINE_H
#define LIB_REPLYLINE_H

#include "lib/buf.h"
#include "lib/reply.h"

#include <stdbool.h>
#include <stddef.h>

/* More of a reply would be cut off by struct reply; half as much again for
 * the blanks and the repeated status codes that reply_remote takes out. */
#define REPLYLINE_KEPT (REPLY_TEXT + REPLY_TEXT / 2)

struct replyline {
	/* The line that was taken last: as it came, without its end. */
	char *line;
	size_t len;
	/* The reply it belongs to, as far as it has been read. */
	int code;
	unsigned lines;
	char text[REPLYLINE_KEPT + 1];	/* without codes, lines joined by LF;
					 * the last octet is always NUL */
	size_t ntext;
	/* private */
	struct buf coming;
	bool taken;		/* coming holds a line that was taken */
	bool complete;		/* the reply is; the next line begins one */
};

enum replyline_step {
	REPLYLINE_PART,		/* all octets were taken, no line ended */
	REPLYLINE_LINE,		/* a line was taken; read it */
	REPLYLINE_MORE,		/* read; more lines of this reply follow */
	REPLYLINE_WHOLE,	/* read; the reply is complete */
	REPLYLINE_LONG,		/* longer than REPLY_LINE_MAX */
	REPLYLINE_ENDLESS,	/* more than REPLY_LINES_MAX lines */
	REPLYLINE_GARBAGE,	/* not a line of a reply, or not of this one */
};

void replyline_init(struct replyline *r);
void replyline_free(struct replyline *r);
/* Some octets of a reply are in, but not all. */
bool replyline_begun(const struct replyline *r);
/* Takes octets from in up to the end of a line: PART, LINE or LONG. */
enum replyline_step replyline_take(struct replyline *r, struct cursor *in);
/* Reads the line that was taken: MORE, WHOLE, ENDLESS or GARBAGE.  The caller
 * may have changed octets of it before (to hide something). */
enum replyline_step replyline_read(struct replyline *r);
/* What stands behind the code on the line that was taken. */
const char *replyline_words(const struct replyline *r, size_t *n);

#endif
