/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Verb masks, as the settings spell them.  The one idea: a mask is a start
 * and then steps.  The start is a number, "all", "none" or the default; the
 * steps switch single verbs by name.  The two numberings of IIS (see
 * mailroot.conf(5)) differ only in how a number becomes a start.
 *
 * In reading order: the table, numbers, the parser, the printer.
 */
#include "lib/verb.h"
#include "lib/reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* In the order IIS lists them after EHLO (KB 257569). */
const struct verb verbs[] = {
	{ VERB_TURN, "TURN", "Reverse the roles on this connection." },
	{ VERB_TURN, "ATRN", "The same after AUTH (RFC 2645); TURN's bit." },
	{ VERB_SIZE, "SIZE", "Say how large a message is before it is sent." },
	{ VERB_ETRN, "ETRN", "Ask for a queue run (RFC 1985)." },
	{ VERB_PIPELINING, "PIPELINING",
	  "Send commands ahead of their replies (RFC 2920)." },
	{ VERB_DSN, "DSN",
	  "Delivery status notifications on request (RFC 3461)." },
	{ VERB_ENHANCEDSTATUS, "ENHANCEDSTATUSCODES",
	  "Replies carry X.Y.Z; off: it is not read (RFC 2034)." },
	{ VERB_8BITMIME, "8BITMIME",
	  "Octets above 127 in a body; off: they are re-encoded (RFC 6152)." },
	{ VERB_BINARYMIME, "BINARYMIME",
	  "Bodies without lines; only with CHUNKING (RFC 3030)." },
	{ VERB_CHUNKING, "CHUNKING", "BDAT instead of DATA (RFC 3030)." },
	{ VERB_SMTPUTF8, "SMTPUTF8",
	  "Addresses and headers in UTF-8 (RFC 6531)." },
	{ 0, NULL, NULL },
};

/* The verbs no number covers: a numeric start leaves them on. */
#define BY_NAME_ONLY	(VERB_SIZE | VERB_PIPELINING | VERB_SMTPUTF8)
/* In IIS's outbound numbering: the one bit whose meaning is known. */
#define IIS_OUT_BDAT	2u
#define IIS_OUT_LAST	7u

/* One word of the text. */
struct word {
	const char *p;
	size_t n;
};

static bool next_word(const char **text, struct word *w)
{
	static const char blanks[] = " \t\r\n,";

	w->p = *text + strspn(*text, blanks);
	w->n = strcspn(w->p, blanks);
	*text = w->p + w->n;
	return w->n > 0;
}

static bool word_is(const struct word *w, const char *name)
{
	return strlen(name) == w->n && strncasecmp(w->p, name, w->n) == 0;
}

/* ---- the start --------------------------------------------------------- */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* A DWORD as the metabase tools print it: decimal, hexadecimal, or -1 for
 * all bits. */
static bool number_of(const struct word *w, uint32_t *value)
{
	bool hex = w->n > 2 && w->p[0] == '0' && (w->p[1] | 32) == 'x';
	unsigned base = hex ? 16 : 10;
	uint64_t sum = 0;
	size_t i;

	if (word_is(w, "-1")) {
		*value = UINT32_MAX;
		return true;
	}
	for (i = hex ? 2 : 0; i < w->n; i++) {
		unsigned d = (unsigned)digit_of(w->p[i]);

		if (d >= base)
			return false;
		sum = sum * base + d;
		if (sum > UINT32_MAX)
			return false;
	}
	*value = (uint32_t)sum;
	return true;
}

static uint64_t number_start(uint32_t n, bool outbound)
{
	if (n == 0)
		return VERB_NONE;
	if (!outbound || n > IIS_OUT_LAST)
		return n | BY_NAME_ONLY;
	return n & IIS_OUT_BDAT ? VERB_DEFAULT : VERB_DEFAULT & ~VERB_CHUNKING;
}

/* False: the word is no start, so it is a first step from the default. */
static bool start_of(const struct word *w, bool outbound, uint64_t *mask)
{
	uint32_t n;

	if (word_is(w, "all"))
		*mask = VERB_DEFAULT;
	else if (word_is(w, "none"))
		*mask = VERB_EHLO_ONLY;
	else if (number_of(w, &n))
		*mask = number_start(n, outbound);
	else
		return false;
	return true;
}

/* ---- the steps --------------------------------------------------------- */

static bool step(const struct word *w, uint64_t *mask)
{
	bool sign = w->p[0] == '-' || w->p[0] == '+';
	struct word name = { w->p + sign, w->n - sign };
	const struct verb *v;

	for (v = verbs; v->name; v++) {
		if (!word_is(&name, v->name))
			continue;
		if (w->p[0] == '-')
			*mask &= ~v->bit;
		else
			*mask |= v->bit;
		return true;
	}
	return false;
}

/* Static, because the one reader prints it and ends. */
static const char *unknown(const struct word *w)
{
	static char error[400];
	char word[48];
	const struct verb *v;
	size_t n;

	printable(word, sizeof word, w->p, w->n);
	n = (size_t)snprintf(error, sizeof error, "unknown verb \"%s\"; "
			     "a number, all or none may stand first; known are",
			     word);
	for (v = verbs; v->name && n < sizeof error; v++)
		n += (size_t)snprintf(error + n, sizeof error - n, " %s",
				      v->name);
	return error;
}

const char *verb_parse(const char *text, bool outbound, uint64_t *mask)
{
	uint64_t m = VERB_DEFAULT;
	bool first = true, steps = false;
	struct word w;

	for (; next_word(&text, &w); first = false) {
		if (first && start_of(&w, outbound, &m))
			continue;
		if (!step(&w, &m))
			return unknown(&w);
		steps = true;
	}
	/* RFC 3030 3: BINARYMIME can only travel by BDAT. */
	if (!(m & VERB_CHUNKING))
		m &= ~VERB_BINARYMIME;
	/* Only the lone 0 may mean HELO; "0 -DSN" names verbs, so it means
	 * EHLO. */
	if (m == VERB_NONE && steps)
		m = VERB_EHLO_ONLY;
	*mask = m;
	return NULL;
}

/* ---- and back ---------------------------------------------------------- */

/* TURN and ATRN share a bit: it is printed once, under its first name. */
static bool repeats(const struct verb *v)
{
	return v > verbs && v[-1].bit == v->bit;
}

void verb_print(uint64_t mask, char *dst, size_t size)
{
	unsigned on = 0, off = 0;
	const struct verb *v;
	bool all;
	size_t n;

	if (!size)
		return;
	for (v = verbs; v->name; v++) {
		if (!repeats(v))
			*(mask & v->bit ? &on : &off) += 1;
	}
	all = on >= off;
	n = (size_t)snprintf(dst, size, "%s", mask == VERB_NONE ? "0" :
			     all ? "all" : "none");
	/* Whichever start leaves fewer words to say. */
	for (v = verbs; v->name && n < size; v++) {
		if (mask != VERB_NONE && !repeats(v) &&
		    all == !(mask & v->bit))
			n += (size_t)snprintf(dst + n, size - n, " %c%s",
					      all ? '-' : '+', v->name);
	}
}
