/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The result type: making replies (from our own words and from a server's),
 * and the three questions everybody asks them: what becomes of the recipient,
 * is the operator to blame, which exit status.
 */
#include "lib/reply.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum fate reply_fate(const struct reply *r)
{
	if (r->code >= 200 && r->code < 300)
		return FATE_DELIVERED;
	if (r->code < 500 || r->code > 599 || r->to == REPLY_TO_HOST ||
	    reply_operator(r))
		return FATE_RETRY;
	/* RFC 5321 4.5.3.1.10: to RCPT, 552 means 452, too many. */
	if (r->code == 552 && r->to == REPLY_TO_RCPT)
		return FATE_RETRY;
	return FATE_FAILED;
}

bool reply_operator(const struct reply *r)
{
	return r->code == 530 || r->code == 534 || r->code == 535 ||
	       r->code == 538;
}

/*
 * The length of the UTF-8 character at s if it is one that may be shown, else
 * 0: broken or overlong, C1, line and paragraph separators, bidi controls.
 */
static size_t shown_utf8(const unsigned char *s, size_t n)
{
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;
	unsigned c = s[0] & (0xff >> (len + 1));
	static const unsigned least[] = { 0, 0, 0xa0, 0x800, 0x10000 };

	if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
		return 0;
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if ((c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x200e || c == 0x200f || c == 0xfeff)
		return 0;
	return len;
}

size_t printable(char *dst, size_t size, const char *src, size_t n)
{
	const unsigned char *s = (const unsigned char *)src, *end = s + n;
	size_t out = 0, len;
	bool blank = false;

	if (size == 0)
		return 0;
	for (; s < end; s += len) {
		len = 1;
		if (*s == ' ' || (*s >= '\t' && *s <= '\r')) {
			blank = out > 0;
			continue;
		}
		if (*s >= 0x80)
			len = shown_utf8(s, (size_t)(end - s));
		if (out + blank + (len ? len : 1) >= size)
			break;
		if (blank)
			dst[out++] = ' ';
		blank = false;
		if (len == 0 || *s < ' ' || *s == 0x7f) {
			dst[out++] = '?';
			len = 1;
			continue;
		}
		memcpy(dst + out, s, len);
		out += len;
	}
	dst[out] = '\0';
	return out;
}

/* "X.0.0" of the code's class: what is known when nothing was said. */
static void plain_status(struct reply *r)
{
	snprintf(r->status, sizeof r->status, "%d.0.0",
		 r->code >= 500 ? 5 : r->code >= 400 ? 4 : 2);
}

void reply_local(struct reply *r, enum reply_to to, int code,
		 const char *status, const char *fmt, ...)
{
	char text[2 * REPLY_TEXT];
	va_list ap;

	*r = (struct reply){ .code = code, .to = to, .local = true };
	strlcpy(r->status, status, sizeof r->status);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	printable(r->text, sizeof r->text, text, strlen(text));
}

/* RFC 3463 2: class "." 1*3digit "." 1*3digit.  Its length at s, or 0; class
 * must be the reply's, else the server contradicts itself and is not read. */
static size_t enhanced(const char *s, size_t n, int code)
{
	size_t i = 2, part, digits;

	if (n < 5 || s[0] != '0' + code / 100 || s[1] != '.')
		return 0;
	for (part = 0; part < 2; part++) {
		for (digits = 0; i < n && s[i] >= '0' && s[i] <= '9'; i++)
			digits++;
		if (digits < 1 || digits > 3)
			return 0;
		if (part == 0 && (i >= n || s[i++] != '.'))
			return 0;
	}
	return i == n || s[i] == ' ' || s[i] == '\t' ? i : 0;
}

void reply_remote(struct reply *r, enum reply_to to, int code,
		  const char *text, size_t n, bool read_status)
{
	char joined[2 * REPLY_TEXT];
	const char *end = text + n, *lf;
	size_t len = 0, line, skip, keep;

	*r = (struct reply){ .code = code, .to = to };
	/* What does not fit twice over is not looked at. */
	for (; text < end && len + 1 < sizeof joined; text += line + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		line = (size_t)((lf ? lf : end) - text);
		skip = read_status ? enhanced(text, line, code) : 0;
		if (skip && skip < sizeof r->status && !r->status[0])
			memcpy(r->status, text, skip);
		keep = line - skip;
		if (keep > sizeof joined - len - 1)
			keep = sizeof joined - len - 1;
		memcpy(joined + len, text + skip, keep);
		len += keep;
		joined[len++] = ' ';
	}
	if (!r->status[0])
		plain_status(r);
	printable(r->text, sizeof r->text, joined, len);
}

char *reply_print(const struct reply *r, char *dst, size_t size)
{
	snprintf(dst, size, "%d %s %s", r->code, r->status, r->text);
	return dst;
}

int reply_exit(const struct reply *r)
{
	/* By subject and detail of the enhanced status, RFC 3463 3. */
	static const struct { const char *status; int exit; } table[] = {
		{ ".1.1", EXIT_NOUSER }, { ".1.3", EXIT_NOUSER },
		{ ".1.6", EXIT_NOUSER }, { ".1.2", EXIT_NOHOST },
		{ ".1.10", EXIT_NOHOST }, { ".4.4", EXIT_NOHOST },
		{ ".2.3", EXIT_DATAERR }, { ".3.4", EXIT_DATAERR },
	};
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(r->status + 1, table[i].status) == 0)
			return table[i].exit;
	if (strncmp(r->status + 1, ".6.", 3) == 0)
		return EXIT_DATAERR;
	if (r->to == REPLY_TO_RCPT && r->code == 550 &&
	    strcmp(r->status + 1, ".0.0") == 0)
		return EXIT_NOUSER;
	return EXIT_UNAVAILABLE;
}
