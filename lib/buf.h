/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A growing byte buffer that cannot grow past the ceiling it was given, and a
 * cursor that cannot run past the bytes it was set on.  Nothing in mailroot
 * that holds bytes from outside uses anything else.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Live bytes are [start, end) of mem.  "failed" is sticky: once an append
 * did not fit (ceiling or memory) every later append is refused too, so a
 * caller may append many times and look once.  Zero-filled is not enough:
 * use buf_init, because of the ceiling.
 */
struct buf {
	char *mem;
	size_t start, end, cap, max;
	bool failed;
};

/* An empty buffer that will never hold more than max bytes.  No memory yet. */
void buf_init(struct buf *b, size_t max);
/* Gives the memory back; the buffer is empty and usable again. */
void buf_free(struct buf *b);
/* Empty again, memory kept, "failed" forgotten. */
void buf_clear(struct buf *b);

/* Append.  False (and b->failed) when it would pass the ceiling or there is
 * no memory; then nothing of this call was appended. */
bool buf_put(struct buf *b, const void *p, size_t n);
bool buf_puts(struct buf *b, const char *s);
bool buf_putc(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for n more bytes at the end: write there, then buf_grew(n).  NULL as
 * for a failed append. */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

/* Take n bytes (at most what is there) off the front. */
void buf_drop(struct buf *b, size_t n);
/* Cut the buffer to its first n bytes. */
void buf_cut(struct buf *b, size_t n);

static inline size_t buf_len(const struct buf *b) { return b->end - b->start; }
/* The bytes; valid until the next append; never NULL. */
static inline char *buf_data(const struct buf *b)
{
	return b->mem ? b->mem + b->start : (char *)(uintptr_t)"";
}
/* The bytes with a NUL behind them (not counted); "" when empty or when there
 * is no memory.  Valid until the next append. */
const char *buf_str(struct buf *b);

/* A read position in bytes that somebody else owns. */
struct cursor {
	const char *p, *end;
};

static inline struct cursor cursor_on(const void *p, size_t n)
{
	return (struct cursor){ p, (const char *)p + n };
}
static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}
/* The next byte, or -1 at the end; _next also moves on. */
static inline int cursor_peek(const struct cursor *c)
{
	return c->p < c->end ? (unsigned char)*c->p : -1;
}
static inline int cursor_next(struct cursor *c)
{
	return c->p < c->end ? (unsigned char)*c->p++ : -1;
}
/* The next line without its LF or CRLF, and moves behind it.  False at the
 * end.  A last line without an end counts. */
bool cursor_line(struct cursor *c, const char **line, size_t *n);

#endif
