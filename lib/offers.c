/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* What a server offers: see offers.h. */
#include "lib/offers.h"
#include "lib/buf.h"
#include "lib/verb.h"

#include <string.h>
#include <strings.h>

static bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* The next word, in any case; "" (n 0) at the end. */
static const char *word(struct cursor *c, size_t *n)
{
	const char *w;

	while (is_blank(cursor_peek(c)))
		c->p++;
	for (w = c->p; cursor_left(c) && !is_blank(*c->p); c->p++)
		;
	*n = (size_t)(c->p - w);
	return w;
}

static bool is(const char *w, size_t n, const char *name)
{
	return strlen(name) == n && strncasecmp(w, name, n) == 0;
}

/* RFC 1870 4: no number, or 0, is no limit; nor is one that is longer than
 * any message. */
static uint64_t learn_size(struct cursor c)
{
	uint64_t size = 0;

	while (is_blank(cursor_peek(&c)))
		c.p++;
	while (cursor_peek(&c) >= '0' && cursor_peek(&c) <= '9' &&
	       size < UINT64_MAX / 10 - 1)
		size = size * 10 + (uint64_t)(*c.p++ - '0');
	return cursor_left(&c) ? 0 : size;
}

/* Mechanisms, RFC 4422 3.1: what cannot be one is left out, and so is what
 * there is no room for.  Several lines add up. */
static void learn_auth(struct offers *o, struct cursor c)
{
	size_t have = strlen(o->auth), n, good;
	const char *w;

	while (w = word(&c, &n), n) {
		good = n;
		while (good && (memchr("-_", w[good - 1], 2) ||
				(w[good - 1] >= '0' && w[good - 1] <= '9') ||
				((w[good - 1] | 32) >= 'a' &&
				 (w[good - 1] | 32) <= 'z')))
			good--;
		if (good || n > 20 || have + n + 2 > sizeof o->auth)
			continue;
		if (have)
			o->auth[have++] = ' ';
		memcpy(o->auth + have, w, n);
		have += n;
		o->auth[have] = '\0';
	}
}

/* A keyword as a whole word, then its parameters.  What is unknown is nothing
 * to us.  STARTTLS and AUTH are no verbs: no mask hides them. */
void offers_learn(struct offers *o, uint64_t mask, const char *line, size_t n)
{
	struct cursor c = cursor_on(line, n);
	const struct verb *v;
	size_t len = 0;

	/* Blanks before the keyword make it another. */
	while (len < n && !is_blank(line[len]))
		len++;
	c.p += len;
	for (v = verbs; v->name; v++) {
		if (!is(line, len, v->name))
			continue;
		o->verbs |= v->bit & mask;
		if (v->bit & mask & VERB_SIZE)
			o->size_limit = learn_size(c);
	}
	if (is(line, len, "STARTTLS"))
		o->starttls = true;
	if (is(line, len, "AUTH"))
		learn_auth(o, c);
	/* "AUTH=LOGIN PLAIN": drafts before RFC 2554, for old clients. */
	if (len > 5 && strncasecmp(line, "AUTH=", 5) == 0)
		learn_auth(o, cursor_on(line + 5, n - 5));
}
