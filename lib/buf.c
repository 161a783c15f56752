/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The bounded buffer and the cursor: see buf.h. */
#include "lib/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->mem);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
	b->failed = false;
}

char *buf_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b), cap;
	char *mem;

	if (b->failed || n > b->max || len > b->max - n) {
		b->failed = true;
		return NULL;
	}
	if (n <= b->cap - b->end && b->mem)
		return b->mem + b->end;
	/* Shift down only when at least half is free: else a long queue of
	 * small drops and appends would move its bytes every time. */
	if (b->mem && b->start >= b->cap / 2 && n <= b->cap - len) {
		memmove(b->mem, b->mem + b->start, len);
		b->start = 0;
		b->end = len;
		return b->mem + b->end;
	}
	cap = b->cap ? b->cap : 256;
	while (cap < len + n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	if (b->start) {
		memmove(b->mem, b->mem + b->start, len);
		b->start = 0;
		b->end = len;
	}
	mem = realloc(b->mem, cap + 1);		/* + 1: buf_str's NUL */
	if (!mem) {
		b->failed = true;
		return NULL;
	}
	b->mem = mem;
	b->cap = cap;
	return b->mem + b->end;
}

void buf_grew(struct buf *b, size_t n)
{
	b->end += n;
}

bool buf_put(struct buf *b, const void *p, size_t n)
{
	char *to;

	if (n == 0)
		return !b->failed;
	to = buf_room(b, n);
	if (!to)
		return false;
	memcpy(to, p, n);
	b->end += n;
	return true;
}

bool buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

bool buf_putc(struct buf *b, char c)
{
	return buf_put(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	/* + 1 for the NUL that vsnprintf writes; it is not kept. */
	to = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
	if (!to) {
		b->failed = true;
		return false;
	}
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->end += (size_t)n;
	return true;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= buf_len(b))
		b->start = b->end = 0;
	else
		b->start += n;
}

void buf_cut(struct buf *b, size_t n)
{
	if (n < buf_len(b))
		b->end = b->start + n;
}

const char *buf_str(struct buf *b)
{
	if (!b->mem)
		return "";
	b->mem[b->end] = '\0';
	return b->mem + b->start;
}

bool cursor_line(struct cursor *c, const char **line, size_t *n)
{
	const char *lf;

	if (c->p == c->end)
		return false;
	lf = memchr(c->p, '\n', cursor_left(c));
	*line = c->p;
	*n = (size_t)((lf ? lf : c->end) - c->p);
	c->p = lf ? lf + 1 : c->end;
	if (lf && *n && (*line)[*n - 1] == '\r')
		--*n;
	return true;
}
