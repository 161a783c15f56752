/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One line, counted and recognised: see mimeline.h.  The one idea: nothing of
 * it is needed twice, so one look at each octet is all there is, whatever the
 * line's length.
 *
 * In reading order: UTF-8, counting, what a line may be, delimiters.
 */
#include "lib/mimeline.h"

#include <string.h>

/* ---- UTF-8 ------------------------------------------------------------- */

/* RFC 3629 4.  False if c cannot stand here; then u is between characters
 * again. */
static bool utf8_next(struct utf8 *u, unsigned char c)
{
	if (u->left) {
		if (c < u->low || c > u->high) {
			u->left = 0;
			return false;
		}
		u->left--;
	} else if (c > 127) {
		if (c < 0xc2 || c > 0xf4)
			return false;
		u->left = 1 + (c >= 0xe0) + (c >= 0xf0);
		/* No second form of a character, no surrogates, nothing
		 * above U+10FFFF: all decided by the second octet. */
		u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
		u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
		return true;
	}
	u->low = 0x80;
	u->high = 0xbf;
	return true;
}

/* ---- counting ---------------------------------------------------------- */

enum { HIGH = 1, ODD = 2, BLANK = 4 };

/* RFC 2045 6.7 (1) and (2); line ends never come here. */
static const unsigned char classes[256] = {
	[0 ... 8] = ODD, ['\t'] = BLANK, [10 ... 31] = ODD, [' '] = BLANK,
	['='] = ODD, [127] = ODD, [128 ... 255] = ODD | HIGH,
};

static void keep(struct line *l, const char *p, size_t n)
{
	size_t k = sizeof l->kept - l->nkept;

	k = n < k ? n : k;
	memcpy(l->kept + l->nkept, p, k);
	l->nkept += k;
	for (; k < n && l->padded; k++)
		l->padded = p[k] == ' ' || p[k] == '\t';
}

static void odd_octet(struct line *l, unsigned char c)
{
	unsigned class = classes[c];

	l->run = class & BLANK ? l->run + 1 : 0;
	if (l->run > l->tally.blanks)
		l->tally.blanks = l->run;
	l->tally.high += class & HIGH;
	l->tally.odd += (class & ODD) != 0;
	if ((c > 127 || l->utf8.left) && !utf8_next(&l->utf8, c))
		l->tally.broken = true;
}

void mimeline_count(struct line *l, const char *p, size_t n)
{
	size_t i;

	keep(l, p, n);
	for (i = 0; i < n; i++) {
		/* Nearly all octets of nearly all mail. */
		if (!classes[(unsigned char)p[i]] && !l->utf8.left)
			l->run = 0;
		else
			odd_octet(l, (unsigned char)p[i]);
	}
	l->len += n;
}

void mimeline_tally(struct tally *t, const struct line *l)
{
	t->octets += l->len + 2;
	t->high += l->tally.high;
	t->odd += l->tally.odd;
	t->broken |= l->tally.broken || l->utf8.left;
	if (l->len > t->longest)
		t->longest = l->len;
	if (l->tally.blanks > t->blanks)
		t->blanks = l->tally.blanks;
}

void mimeline_begin(struct line *l, uint64_t at)
{
	l->at = at;
	l->len = l->run = 0;
	l->nkept = 0;
	l->padded = true;
	l->tally = (struct tally){ 0 };
	l->utf8 = (struct utf8){ 0 };
}

/* ---- what a line may be ------------------------------------------------ */

static bool begins(const struct line *l, const char *text)
{
	size_t n = strlen(text);

	return l->nkept >= n && memcmp(l->kept, text, n) == 0;
}

enum line_kind mimeline_kind(const struct line *l)
{
	size_t i = 0;

	if (l->nkept && (*l->kept == ' ' || *l->kept == '\t'))
		return LINE_FOLD;
	while (i < l->nkept && l->kept[i] > 32 && l->kept[i] < 127 &&
	       l->kept[i] != ':')
		i++;
	if (i) {
		/* RFC 5322 4.5: blanks before the colon are obsolete. */
		while (i < l->nkept && strchr(" \t", l->kept[i]) &&
		       l->kept[i])
			i++;
		if (i < l->nkept && l->kept[i] == ':')
			return LINE_FIELD;
	}
	return begins(l, "From ") || begins(l, ">From ") ? LINE_FROM :
		LINE_OTHER;
}

/* ---- delimiters -------------------------------------------------------- */

/* The whole line has to match, so that a boundary may begin like another. */
size_t mimeline_delimiter(const struct line *l, const char *boundary,
			  size_t n, bool *close)
{
	size_t i;

	if (!l->padded || l->nkept < n + 2 || memcmp(l->kept, "--", 2) != 0 ||
	    memcmp(l->kept + 2, boundary, n) != 0)
		return 0;
	n += 2;
	*close = l->nkept >= n + 2 && memcmp(l->kept + n, "--", 2) == 0;
	n += *close ? 2 : 0;
	for (i = n; i < l->nkept; i++) {
		if (l->kept[i] != ' ' && l->kept[i] != '\t')
			return 0;
	}
	return n;
}
