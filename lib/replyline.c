/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The reading of a server's replies: see replyline.h. */
#include "lib/replyline.h"
#include "config.h"

#include <string.h>

void replyline_init(struct replyline *r)
{
	*r = (struct replyline){ .complete = true };
	buf_init(&r->coming, REPLY_LINE_MAX);
}

void replyline_free(struct replyline *r)
{
	buf_free(&r->coming);
}

bool replyline_begun(const struct replyline *r)
{
	return !r->complete || (!r->taken && buf_len(&r->coming) > 0);
}

enum replyline_step replyline_take(struct replyline *r, struct cursor *in)
{
	const char *lf = memchr(in->p, '\n', cursor_left(in));
	size_t n = lf ? (size_t)(lf - in->p) + 1 : cursor_left(in);

	if (r->taken)
		buf_clear(&r->coming);
	r->taken = false;
	if (!buf_put(&r->coming, in->p, n))
		return REPLYLINE_LONG;
	in->p += n;
	if (!lf)
		return REPLYLINE_PART;
	/* A bare LF ends a line as well: there is no doubt here. */
	r->line = buf_data(&r->coming);
	r->len = buf_len(&r->coming) - 1;
	if (r->len > 0 && r->line[r->len - 1] == '\r')
		r->len--;
	r->taken = true;
	return REPLYLINE_LINE;
}

const char *replyline_words(const struct replyline *r, size_t *n)
{
	size_t skip = r->len > 4 ? 4 : r->len;

	*n = r->len - skip;
	return r->line + skip;
}

/*
 * RFC 5321 4.2.1: three digits; behind them nothing, or a blank or a hyphen
 * (more lines follow) and text; the same code on every line.
 */
enum replyline_step replyline_read(struct replyline *r)
{
	bool more = r->len > 3 && r->line[3] == '-';
	const char *words;
	int code = 0;
	size_t i, n;

	if (r->complete)
		r->lines = 0;
	r->complete = false;
	if (r->lines == REPLY_LINES_MAX)
		return REPLYLINE_ENDLESS;
	for (i = 0; i < 3 && i < r->len && r->line[i] >= '0' &&
	     r->line[i] <= '9'; i++)
		code = code * 10 + (r->line[i] - '0');
	if (i < 3 || (r->len > 3 && !more && r->line[3] != ' ') ||
	    code > 599 || (r->lines > 0 && code != r->code))
		return REPLYLINE_GARBAGE;
	r->code = code;
	if (r->lines++ == 0)
		r->ntext = 0;
	else if (r->ntext < REPLYLINE_KEPT)
		r->text[r->ntext++] = '\n';
	words = replyline_words(r, &n);
	if (n > REPLYLINE_KEPT - r->ntext)
		n = REPLYLINE_KEPT - r->ntext;
	memcpy(r->text + r->ntext, words, n);
	r->ntext += n;
	r->complete = !more;
	return more ? REPLYLINE_MORE : REPLYLINE_WHOLE;
}
