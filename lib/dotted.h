/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The text behind DATA, on its way in (RFC 5321 4.5.2): where it ends, and
 * without the dots that were put before its lines.  Only <CRLF>.<CRLF> ends
 * it: a lone LF or CR is an octet like any other, so that nobody can hide the
 * end of one message in another's text.
 */
#ifndef LIB_DOTTED_H
#define LIB_DOTTED_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-filled is the beginning. */
struct dotted {
	bool bare;	/* set by the caller, for a client that has never sent
			 * a CR: LF ends a line, with a CR before it or not */
	bool ended;	/* the lone dot has come: no more is taken */
	enum {
		DOTTED_BEGIN,	/* of a line */
		DOTTED_DOT,	/* its first octet is a dot */
		DOTTED_DOT_CR,	/* and its second a CR */
		DOTTED_INSIDE,
		DOTTED_CR,	/* behind a CR */
	} at;
};

/*
 * Takes octets from p, at most n, and puts text to dst, at most room (two or
 * more).  Returns the octets put, *used gets those taken.  Stops behind the
 * end, when p is used up, or when there is no room.
 */
size_t dotted_take(struct dotted *d, const char *p, size_t n, size_t *used,
		   char *dst, size_t room);

#endif
