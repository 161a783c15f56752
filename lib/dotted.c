/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The text behind DATA: see dotted.h.  Inside a line octets are copied in
 * runs; only at its begin and behind a CR they are looked at one by one.
 */
#include "lib/dotted.h"

#include <string.h>

/* Octets of p that change nothing: up to what may end a line. */
static size_t run_of(const struct dotted *d, const char *p, size_t n)
{
	const char *end = memchr(p, d->bare ? '\n' : '\r', n);

	return end ? (size_t)(end - p) : n;
}

/* Where we are behind c, inside a line or at its begin. */
static void move(struct dotted *d, char c)
{
	if (c == '\n' && (d->bare || d->at == DOTTED_CR))
		d->at = DOTTED_BEGIN;
	else
		d->at = c == '\r' ? DOTTED_CR : DOTTED_INSIDE;
}

/* One octet that is looked at; returns how many come out, at most two. */
static size_t step(struct dotted *d, char c, char *dst)
{
	switch (d->at) {
	case DOTTED_BEGIN:
		if (c != '.')
			break;
		d->at = DOTTED_DOT;
		return 0;
	case DOTTED_DOT:
		if (c == '\r') {
			d->at = DOTTED_DOT_CR;
			return 0;
		}
		d->ended = d->bare && c == '\n';
		if (d->ended)
			return 0;
		break;		/* the dot was stuffing */
	case DOTTED_DOT_CR:
		d->ended = c == '\n';
		if (d->ended)
			return 0;
		/* The dot was stuffing, and the CR is text. */
		d->at = DOTTED_CR;
		dst[0] = '\r';
		dst[1] = c;
		move(d, c);
		return 2;
	case DOTTED_INSIDE: case DOTTED_CR:
		break;
	}
	dst[0] = c;
	move(d, c);
	return 1;
}

size_t dotted_take(struct dotted *d, const char *p, size_t n, size_t *used,
		   char *dst, size_t room)
{
	const char *at = p, *end = p + n;
	size_t put = 0, run;

	while (at < end && !d->ended && room - put >= 2) {
		if (d->at != DOTTED_INSIDE) {
			put += step(d, *at++, dst + put);
			continue;
		}
		run = run_of(d, at, (size_t)(end - at));
		if (run > room - put)
			run = room - put;
		memcpy(dst + put, at, run);
		put += run;
		at += run;
		if (at < end && room - put >= 2)
			put += step(d, *at++, dst + put);
	}
	*used = (size_t)(at - p);
	return put;
}
