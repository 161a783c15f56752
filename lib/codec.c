/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Transformations on bytes: see codec.h.  The one idea: work in runs.  What
 * needs no change is found with memchr and copied whole; only the octets that
 * mean something (line ends, leading dots, blanks before a line end) go
 * through a decision one by one, and what cannot be decided yet is held in the
 * few octets of the state.
 *
 * Order: intake, dots, base64, quoted-printable, xtext, UTF-8, encoded words.
 */
#include "lib/codec.h"

#include "config.h"

#include <string.h>

/* RFC 2045 6.7, 6.8: no encoded line is longer. */
enum { ENCODED_LINE = 76 };

/* RFC 2045, 3461: the hexadecimal digits are upper case in both. */
static const char hex_digits[] = "0123456789ABCDEF";

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool put_hex(struct buf *out, char mark, unsigned char c)
{
	char text[3] = { mark, hex_digits[c >> 4], hex_digits[c & 15] };

	return buf_put(out, text, 3);
}

/* ---- intake --------------------------------------------------------- */

/* What was held back turns out to be text: the dot, then the CRs. */
static void release_held(struct intake *in, struct buf *out)
{
	if (in->dots_held) {
		in->dots_held = 0;
		in->column++;
		buf_putc(out, '.');
	}
	for (; in->crs; in->crs--) {
		in->column++;
		buf_putc(out, ' ');
	}
}

/* Octets without any line end among them. */
static void take_run(struct intake *in, const char *p, size_t n,
		     struct buf *out)
{
	in->nul = in->nul || memchr(p, '\0', n);
	in->eight_bit = in->eight_bit || eight_bit(p, n);
	in->column += n;
	buf_put(out, p, n);
}

static void finish_line(struct intake *in, struct buf *out)
{
	if (in->dots_held) {
		in->dots_held = in->crs = 0;
		in->ended = true;
		return;
	}
	if (in->column > in->longest)
		in->longest = in->column;
	in->column = in->crs = 0;
	buf_put(out, "\r\n", 2);
}

bool intake_feed(struct intake *in, const char *p, size_t n, struct buf *out)
{
	const char *end = p + n, *lf = NULL, *cr;

	while (p < end && !in->ended) {
		if (*p == '\n') {
			finish_line(in, out);
			p++;
			continue;
		}
		if (*p == '\r') {
			/* Held until it is known what follows; but not without
			 * a limit, or the next octet would cost any amount. */
			if (in->crs == LINE_MAX_OCTETS) {
				release_held(in, out);
				in->crs = 0;
			}
			in->crs++;
			p++;
			continue;
		}
		if (*p == '.' && in->dots && !in->column && !in->crs) {
			if (!in->dots_held) {
				in->dots_held = 1;
				p++;
				continue;
			}
			/* The second dot: the first was stuffing. */
			in->dots_held = 0;
		}
		release_held(in, out);
		/* The LF is looked for once a line and not once a run: a piece
		 * of many CRs and no LF stays linear. */
		if (!lf || lf < p)
			lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf)
			lf = end;
		cr = memchr(p, '\r', (size_t)(lf - p));
		cr = cr ? cr : lf;
		take_run(in, p, (size_t)(cr - p), out);
		p = cr;
	}
	return !out->failed;
}

bool intake_end(struct intake *in, struct buf *out)
{
	if (!in->ended && (in->column || in->crs || in->dots_held))
		finish_line(in, out);
	return !out->failed;
}

/* ---- dots ----------------------------------------------------------- */

bool stuff_dots(bool *bol, const char *p, size_t n, struct buf *out)
{
	const char *hit;
	size_t len;

	while (n) {
		if (*bol && *p == '.')
			buf_putc(out, '.');
		/* As far as the next line that begins with a dot. */
		hit = memmem(p, n, "\n.", 2);
		len = hit ? (size_t)(hit - p) + 1 : n;
		buf_put(out, p, len);
		*bol = p[len - 1] == '\n';
		p += len;
		n -= len;
	}
	return !out->failed;
}

/* ---- base64 --------------------------------------------------------- */

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three octets become four characters. */
static char *put_group(char *to, const unsigned char *in, unsigned n)
{
	unsigned long bits = (unsigned long)in[0] << 16;

	if (n > 1)
		bits |= (unsigned long)in[1] << 8;
	if (n > 2)
		bits |= in[2];
	*to++ = base64_digits[bits >> 18];
	*to++ = base64_digits[bits >> 12 & 63];
	*to++ = n > 1 ? base64_digits[bits >> 6 & 63] : '=';
	*to++ = n > 2 ? base64_digits[bits & 63] : '=';
	return to;
}

static char *put_line_group(struct encoder *e, char *to)
{
	to = put_group(to, e->held, e->nheld);
	e->nheld = 0;
	e->column += 4;
	if (e->column == ENCODED_LINE) {
		*to++ = '\r';
		*to++ = '\n';
		e->column = 0;
	}
	return to;
}

bool base64_lines(struct encoder *e, const char *p, size_t n, bool last,
		  struct buf *out)
{
	size_t octets = e->nheld + n;
	size_t groups = octets / 3 + (last && octets % 3);
	size_t column = e->column + 4 * groups;
	size_t need = 4 * groups + 2 * (column / ENCODED_LINE) +
		(last && column % ENCODED_LINE ? 2 : 0);
	char *start = buf_room(out, need), *to = start;

	if (!start)
		return false;
	for (size_t i = 0; i < n; i++) {
		e->held[e->nheld++] = (unsigned char)p[i];
		if (e->nheld == 3)
			to = put_line_group(e, to);
	}
	if (last && e->nheld)
		to = put_line_group(e, to);
	if (last && e->column) {
		*to++ = '\r';
		*to++ = '\n';
		e->column = 0;
	}
	buf_grew(out, (size_t)(to - start));
	return true;
}

bool base64_encode(struct buf *out, const void *p, size_t n)
{
	const unsigned char *in = p;
	size_t groups = n / 3 + (n % 3 != 0);
	char *to = buf_room(out, 4 * groups);

	if (!to)
		return false;
	for (size_t i = 0; i < n; i += 3)
		to = put_group(to, in + i, n - i < 3 ? (unsigned)(n - i) : 3);
	buf_grew(out, 4 * groups);
	return true;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which pad are '='. */
static bool take_group(struct buf *out, const char *s, unsigned pad)
{
	unsigned long bits = 0;
	char octets[3];

	for (unsigned i = 0; i < 4; i++) {
		int v = i < 4 - pad ? base64_value(s[i]) : 0;

		if (v < 0)
			return false;
		bits = bits << 6 | (unsigned long)v;
	}
	octets[0] = (char)(bits >> 16);
	octets[1] = (char)(bits >> 8);
	octets[2] = (char)bits;
	return buf_put(out, octets, 3 - pad);
}

bool base64_decode(struct buf *out, const char *s, size_t n)
{
	size_t before = buf_len(out);

	if (n % 4)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		unsigned pad = 0;

		if (i + 4 == n && s[n - 1] == '=')
			pad = s[n - 2] == '=' ? 2 : 1;
		if (!take_group(out, s + i, pad)) {
			buf_cut(out, before);
			return false;
		}
	}
	return true;
}

/* ---- quoted-printable ----------------------------------------------- */

static bool qp_plain(unsigned char c)
{
	return c > ' ' && c < 127 && c != '=';
}

/* Do the octets behind w[0] end the line?  -1: not known yet. */
static int line_ends(const unsigned char *w, unsigned n, bool end)
{
	if (n < 2)
		return end ? 1 : -1;
	if (w[1] != '\r')
		return 0;
	if (n < 3)
		return end ? 0 : -1;
	return w[2] == '\n';
}

/* Must w[0] be written as =XX?  -1: not known yet. */
static int must_hex(const unsigned char *w, unsigned n, bool bol, bool end)
{
	if (w[0] == ' ' || w[0] == '\t' || (bol && w[0] == '.'))
		return line_ends(w, n, end);
	/* mbox files put a > before such a line, and break signatures. */
	if (bol && w[0] == 'F') {
		if (memcmp(w, "From ", n) != 0)
			return 0;
		return n == 5 ? 1 : end ? 0 : -1;
	}
	return !qp_plain(w[0]);
}

/*
 * Decides about the first of n <= 5 octets.  Returns how many were used up, 0
 * if more must be seen.  A line keeps one column free for the "=" of a soft
 * line break, so that no decision depends on what comes later in the line.
 */
static unsigned qp_step(struct encoder *e, const unsigned char *w, unsigned n,
			bool end, struct buf *out)
{
	int hex;

	if (w[0] == '\r' && n < 2 && !end)
		return 0;
	if (w[0] == '\r' && n >= 2 && w[1] == '\n') {
		e->column = 0;
		buf_put(out, "\r\n", 2);
		return 2;
	}
	if (e->column >= ENCODED_LINE - 1) {
		e->column = 0;
		buf_put(out, "=\r\n", 3);
	}
	hex = must_hex(w, n, e->column == 0, end);
	if (hex < 0)
		return 0;
	if (hex && e->column + 3 > ENCODED_LINE - 1) {
		e->column = 0;
		buf_put(out, "=\r\n", 3);
	}
	if (hex)
		put_hex(out, '=', w[0]);
	else
		buf_putc(out, (char)w[0]);
	e->column += hex ? 3 : 1;
	return 1;
}

/* The fast way: text within a line that stays as it is, blanks included if
 * it can be seen that no line ends behind them. */
static size_t qp_run(struct encoder *e, const char *p, size_t n,
		     struct buf *out)
{
	size_t i = 0, max;

	if (e->column == 0 || e->column >= ENCODED_LINE - 1)
		return 0;
	max = ENCODED_LINE - 1 - e->column;
	if (n < max)
		max = n;
	while (i < max && (qp_plain((unsigned char)p[i]) ||
			   (p[i] == ' ' && i + 1 < n &&
			    qp_plain((unsigned char)p[i + 1]))))
		i++;
	buf_put(out, p, i);
	e->column += (unsigned)i;
	return i;
}

bool qp_lines(struct encoder *e, const char *p, size_t n, bool last,
	      struct buf *out)
{
	unsigned char w[5];
	unsigned have = e->nheld, used;
	size_t i = 0;

	memcpy(w, e->held, sizeof e->held);
	for (;;) {
		if (have == 0)
			i += qp_run(e, p + i, n - i, out);
		used = have ? qp_step(e, w, have, last && i == n, out) : 0;
		have -= used;
		memmove(w, w + used, have);
		if (used)
			continue;
		if (i == n)
			break;
		w[have++] = (unsigned char)p[i++];
	}
	memcpy(e->held, w, sizeof e->held);
	e->nheld = have;
	if (last && e->column) {
		e->column = 0;
		buf_put(out, "=\r\n", 3);
	}
	return !out->failed;
}

/* ---- xtext ---------------------------------------------------------- */

static bool xtext_plain(char c)
{
	return c > ' ' && c < 127 && c != '+' && c != '=';
}

bool xtext_encode(struct buf *out, const char *s)
{
	for (; *s; s++)
		if (xtext_plain(*s))
			buf_putc(out, *s);
		else
			put_hex(out, '+', (unsigned char)*s);
	return !out->failed;
}

bool xtext_valid(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (xtext_plain(s[i]))
			continue;
		/* The NUL at the end is no digit: never read past it. */
		if (s[i] != '+' || hex_value(s[i + 1]) < 0 ||
		    hex_value(s[i + 2]) < 0)
			return false;
		i += 2;
	}
	return true;
}

bool xtext_decode(struct buf *out, const char *s)
{
	if (!xtext_valid(s, strlen(s)))
		return false;
	for (; *s; s++)
		if (*s != '+') {
			buf_putc(out, *s);
		} else {
			buf_putc(out, (char)(hex_value(s[1]) << 4 |
					     hex_value(s[2])));
			s += 2;
		}
	return !out->failed;
}

/* ---- UTF-8 ---------------------------------------------------------- */

bool eight_bit(const char *p, size_t n)
{
	uint64_t word;

	for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
		memcpy(&word, p, sizeof word);
		if (word & UINT64_C(0x8080808080808080))
			return true;
	}
	for (; n; p++, n--)
		if (*p & 0x80)
			return true;
	return false;
}

/*
 * The rows of RFC 3629 4: how many octets follow a first one, and the range of
 * the second, which is what keeps out overlong forms, surrogates and what is
 * above U+10FFFF.  The others are 80 to BF always.
 */
static const struct utf8_row {
	unsigned char first, last, more, low, high;
} utf8_rows[] = {
	{ 0x00, 0x7f, 0, 0, 0 },
	{ 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf },
	{ 0xed, 0xed, 2, 0x80, 0x9f },
	{ 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf },
	{ 0xf1, 0xf3, 3, 0x80, 0xbf },
	{ 0xf4, 0xf4, 3, 0x80, 0x8f },
};

size_t utf8_char(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++) {
		const struct utf8_row *r = &utf8_rows[i];

		if (u[0] < r->first || u[0] > r->last)
			continue;
		if (n <= r->more ||
		    (r->more && (u[1] < r->low || u[1] > r->high)))
			return 0;
		for (size_t k = 2; k <= r->more; k++)
			if ((u[k] & 0xc0) != 0x80)
				return 0;
		return r->more + 1u;
	}
	return 0;
}

bool utf8_valid(const char *p, size_t n)
{
	while (n) {
		size_t len = utf8_char(p, n);

		if (!len)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

/* ---- encoded words -------------------------------------------------- */

/* RFC 2047 2: neither the word nor (but for one column) its line is longer. */
enum { WORD_MAX = 75 };

/* RFC 2047 5 (3): the octets that may stand for themselves even in a phrase;
 * more would be allowed in unstructured text, at the cost of two alphabets. */
static bool word_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		(c >= 'a' && c <= 'z') || (c && strchr("!*+-/", c));
}

/* Columns of n octets in Q; a blank is "_". */
static size_t q_width(const char *s, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += word_plain((unsigned char)s[i]) || s[i] == ' ' ? 1 : 3;
	return width;
}

static void put_q(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == ' ')
			buf_putc(out, '_');
		else if (word_plain((unsigned char)s[i]))
			buf_putc(out, s[i]);
		else
			put_hex(out, '=', (unsigned char)s[i]);
}

/* How many octets of s, in whole characters and at least one, fit into room
 * columns. */
static size_t word_fill(const char *s, size_t n, size_t room, bool utf8, bool q)
{
	size_t taken = 0, width = 0;

	while (taken < n) {
		size_t len = utf8 ? utf8_char(s + taken, n - taken) : 1;

		width += q ? q_width(s + taken, len) : 0;
		if (taken && (q ? width : (taken + len + 2) / 3 * 4) > room)
			break;
		taken += len;
	}
	return taken;
}

bool encoded_words(struct buf *out, const char *s, size_t n, size_t column)
{
	bool utf8 = utf8_valid(s, n);
	/* Q can be read by eye, so it is taken unless half is encoded. */
	bool q = q_width(s, n) <= 2 * n + 4;
	const char *charset = utf8 ? "utf-8" : "iso-8859-1";
	size_t frame = strlen(charset) + strlen("=?" "?Q?" "?=");

	for (bool first = true; n; first = false) {
		/* 12 columns hold the widest character, so a word is never
		 * without one, wherever the line stands. */
		size_t room = WORD_MAX - frame, len;

		if (!first)
			buf_puts(out, "\r\n ");
		else if (column + frame + 12 > WORD_MAX + 1)
			room = 12;
		else if (column > 1)
			room = WORD_MAX + 1 - column - frame;
		len = word_fill(s, n, room, utf8, q);
		buf_printf(out, "=?%s?%c?", charset, q ? 'Q' : 'B');
		if (q)
			put_q(out, s, len);
		else
			base64_encode(out, s, len);
		buf_puts(out, "?=");
		s += len;
		n -= len;
	}
	return !out->failed;
}
