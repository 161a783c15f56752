/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * MIME trees for tests/unit/mime.c: a generator that writes down what a
 * reader must see beside what it writes, and a decoder that says what a
 * reader does see.  The decoder shares no code with lib/mime and works the
 * other way round: the whole message in memory, split from the outermost
 * boundary inwards.
 */
#ifndef TESTS_MIMETREE_H
#define TESTS_MIMETREE_H

#include "lib/buf.h"
#include "lib/codec.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CEILING	((size_t)1 << 28)

static uint64_t seed;

static unsigned rnd(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((seed >> 33) % below);
}

/* ---- an independent decoder -------------------------------------------- */

/* What a reader would see: for every leaf its type in small letters and its
 * decoded octets, with lengths, so that no two trees look the same. */
struct view {
	struct buf b;
	unsigned leaves;
};

static void view_leaf(struct view *v, const char *type, const char *p,
		      size_t n)
{
	buf_printf(&v->b, "[%s %zu]", type, n);
	buf_put(&v->b, p, n);
	v->leaves++;
}

static void decode_base64(const char *p, size_t n, struct buf *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < n; i++) {
		const char *a = p[i] ? strchr(alphabet, p[i]) : NULL;

		if (!a)
			continue;
		bits = (bits << 6 | (unsigned)(a - alphabet)) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_putc(out, (char)(bits >> have & 255));
		}
	}
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *d;

	d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 32 : c) : NULL;
	return d ? (int)(d - digits) : -1;
}

/* Strict about blanks at line ends (they go), lenient about a stray "=". */
static void decode_qp(const char *p, size_t n, struct buf *out)
{
	size_t at = 0, end, next, i;

	for (; at < n; at = next) {
		const char *lf = memchr(p + at, '\n', n - at);
		bool soft;

		next = lf ? (size_t)(lf - p) + 1 : n;
		end = lf ? next - 2 : n;
		while (end > at && (p[end - 1] == ' ' || p[end - 1] == '\t'))
			end--;
		soft = end > at && p[end - 1] == '=';
		end -= soft;
		for (i = at; i < end; i++) {
			if (p[i] == '=' && i + 2 < end + !soft &&
			    i + 2 < n && hex(p[i + 1]) >= 0 &&
			    hex(p[i + 2]) >= 0) {
				buf_putc(out, (char)(hex(p[i + 1]) * 16 +
						     hex(p[i + 2])));
				i += 2;
			} else {
				buf_putc(out, p[i]);
			}
		}
		if (lf && !soft)
			buf_puts(out, "\r\n");
	}
}

/* The value of a field, unfolded, in small letters unless raw. */
static bool get(const char *p, size_t n, const char *name, char *dst,
		size_t size, bool raw)
{
	size_t k = strlen(name), i, o = 0;

	for (i = 0; i + k < n; i++) {
		if ((i == 0 || p[i - 1] == '\n') && p[i + k] == ':' &&
		    strncasecmp(p + i, name, k) == 0)
			break;
	}
	if (i + k >= n)
		return false;
	for (i += k + 1; i < n && o + 1 < size; i++) {
		if (p[i] == '\n' && !(i + 1 < n && strchr(" \t", p[i + 1])))
			break;
		if (!strchr("\r\n", p[i]))
			dst[o++] = (char)(!raw && p[i] >= 'A' && p[i] <= 'Z' ?
					  p[i] | 32 : p[i]);
	}
	dst[o] = '\0';
	return true;
}

/* The generator writes comments as (c) only. */
static void cut_comments(char *s)
{
	char *c;

	while ((c = strstr(s, "(c)")))
		memmove(c, c + 3, strlen(c + 3) + 1);
	while (*s == ' ' || *s == '\t')
		memmove(s, s + 1, strlen(s));
	s[strcspn(s, " \t;")] = '\0';
}

/* Is the line at p this delimiter?  2: the closing one. */
static int is_delim(const char *p, size_t n, const char *boundary)
{
	size_t k = strlen(boundary), i;
	int kind = 1;

	if (n < k + 2 || memcmp(p, "--", 2) || memcmp(p + 2, boundary, k))
		return 0;
	i = k + 2;
	if (n >= i + 2 && memcmp(p + i, "--", 2) == 0) {
		kind = 2;
		i += 2;
	}
	for (; i < n; i++) {
		if (p[i] == '\r' || p[i] == '\n')
			break;
		if (p[i] != ' ' && p[i] != '\t')
			return 0;
	}
	return kind;
}

static void view_entity(struct view *v, const char *p, size_t n, bool digest);

static void view_parts(struct view *v, const char *p, size_t n,
		       const char *boundary, bool digest)
{
	size_t at, next, from = 0;
	bool open = false;
	int kind;

	for (at = 0; at < n; at = next) {
		const char *lf = memchr(p + at, '\n', n - at);

		next = lf ? (size_t)(lf - p) + 1 : n;
		kind = is_delim(p + at, next - at, boundary);
		if (!kind)
			continue;
		if (open)
			view_entity(v, p + from, at < from + 2 ? 0 :
				    at - from - 2, digest);
		open = kind == 1;
		from = next;
		if (kind == 2)
			break;
	}
	if (open)
		view_entity(v, p + from, n - from, digest);
	buf_puts(&v->b, "[end]");
}

static void view_entity(struct view *v, const char *p, size_t n, bool digest)
{
	char type[2000], code[200], boundary[2000] = "";
	const char *end = n >= 2 && !memcmp(p, "\r\n", 2) ? p :
		memmem(p, n, "\r\n\r\n", 4);
	size_t head = !end ? n : end == p ? 2 : (size_t)(end - p) + 4;
	struct buf text;
	char *b;

	if (!get(p, head, "Content-Type", type, sizeof type, true))
		snprintf(type, sizeof type, "%s", digest ? "message/rfc822" :
			 "text/plain");
	if ((b = strcasestr(type, "boundary=\""))) {
		snprintf(boundary, sizeof boundary, "%s", b + 10);
		boundary[strcspn(boundary, "\"")] = '\0';
	}
	cut_comments(type);
	if (!get(p, head, "Content-Transfer-Encoding", code, sizeof code,
		 false))
		*code = '\0';
	cut_comments(code);
	p += head;
	n -= head;
	if (strncasecmp(type, "multipart/", 10) == 0) {
		buf_printf(&v->b, "[%s]", type);
		view_parts(v, p, n, boundary, !strcasecmp(type + 10,
							  "digest"));
		return;
	}
	if (strcasecmp(type, "message/rfc822") == 0) {
		buf_printf(&v->b, "[%s]", type);
		view_entity(v, p, n, false);
		return;
	}
	buf_init(&text, CEILING);
	if (strcmp(code, "base64") == 0)
		decode_base64(p, n, &text);
	else if (strcmp(code, "quoted-printable") == 0)
		decode_qp(p, n, &text);
	else
		buf_put(&text, p, n);
	view_leaf(v, type, buf_data(&text), buf_len(&text));
	buf_free(&text);
}

/* ---- the generator ----------------------------------------------------- */

/* What is written, and what a reader must see: built side by side, so that
 * the decoder above is tested too. */
struct world {
	struct buf msg;
	struct view want;
	char outer[8][90];	/* open boundaries, for near misses */
};

static void gen_line(struct world *w, struct buf *b, unsigned depth)
{
	static const char *const starts[] = {
		"", "", "", "From me", ".", "..", "--", "-", "=", "a=3D",
		"Field: x", " ",
	};
	unsigned n = rnd(20) ? rnd(90) : 900 + rnd(3000);
	unsigned style = rnd(6);

	buf_puts(b, starts[rnd(sizeof starts / sizeof *starts)]);
	/* Nearly a delimiter of something that is open. */
	if (depth && !rnd(6))
		buf_printf(b, "--%s%s", w->outer[rnd(depth)],
			   rnd(2) ? "y" : "-- -");
	while (n--) {
		if (style == 0 && !rnd(3))
			buf_putc(b, (char)(128 + rnd(128)));
		else if (style == 1 && !rnd(8))
			buf_puts(b, "\xe2\x82\xac");
		else if (style == 2 && !rnd(4))
			buf_puts(b, rnd(2) ? "   " : "\t");
		else if (style == 3 && !rnd(9))
			buf_putc(b, (char)(rnd(2) ? '=' : rnd(9)));
		else
			buf_putc(b, (char)(33 + rnd(94)));
	}
	if (!rnd(8))
		buf_puts(b, rnd(2) ? "  " : " \t ");
}

static void gen_text(struct world *w, struct buf *b, unsigned depth)
{
	unsigned lines = rnd(8);

	while (lines--) {
		gen_line(w, b, depth);
		buf_puts(b, "\r\n");
	}
	if (rnd(3))
		gen_line(w, b, depth);
}

/* Bodies that are encoded already, and badly: no line breaks at all. */
static void gen_base64(struct buf *b, const char *p, size_t n)
{
	unsigned fold = rnd(2) ? 0 : 60 + rnd(2000), col = 0;
	struct buf text;

	buf_init(&text, CEILING);
	base64_encode(&text, p, n);
	for (size_t i = 0; i < buf_len(&text); i++) {
		buf_putc(b, buf_data(&text)[i]);
		if (fold && ++col % fold == 0)
			buf_puts(b, rnd(4) ? "\r\n" : " \r\n");
	}
	buf_free(&text);
}

static void gen_qp(struct buf *b)
{
	static const char *const bits[] = {
		"=C3=BC", "=3D", "=\r\n", "= \t\r\n", " ", "\t", "   ", "abc",
		"xyzxyzxyz", "=20", "=zz", "=4", "==", "\xfc", ".", "=0D=0A",
		"a\r\n", "a \r\n", "=e2", "the quick brown fox ", "--x",
	};
	unsigned n = rnd(900);

	while (n--)
		buf_puts(b, bits[rnd(sizeof bits / sizeof *bits - 2 *
				     (n % 50 != 0))]);
}

static void gen_leaf_fields(struct world *w, const char *type,
			    const char *code)
{
	if (!rnd(4))
		buf_puts(&w->msg, "X-Note: with \xc3\xa4 and \xff\r\n");
	if (code && rnd(2))
		buf_printf(&w->msg, "content-transfer-ENCODING:\r\n\t%s (c)"
			   "\r\n", code);
	else if (code)
		buf_printf(&w->msg, "Content-Transfer-Encoding: %s\r\n", code);
	if (*type)
		buf_printf(&w->msg, "Content-type: (c) %s%s\r\n", type,
			   rnd(2) ? "" : ";\r\n  name=\"\xc3\xa4.dat\"");
	if (!rnd(4))
		buf_puts(&w->msg, "Content-Disposition: attachment;\r\n"
			 "\tfilename=\"na\xefve file.txt\"\r\n");
}

static void gen_leaf(struct world *w, unsigned depth, bool digest,
		     bool message)
{
	static const char *const types[] = {
		"text/plain", "Text/HTML", "application/x-y", "image/png",
		"message/delivery-status", "",
	};
	static const char *const codes[] = {
		NULL, "7bit", "8Bit", "BINARY", "base64", "Quoted-Printable",
	};
	const char *type = types[rnd(5 + !digest)];
	unsigned code = rnd(6);
	struct buf body, coded;

	buf_init(&body, CEILING);
	buf_init(&coded, CEILING);
	if (message)
		buf_puts(&w->msg, "Subject: inner\r\n");
	gen_leaf_fields(w, type, codes[code]);
	buf_puts(&w->msg, "\r\n");
	if (code == 5) {
		gen_qp(&coded);
		decode_qp(buf_data(&coded), buf_len(&coded), &body);
	} else {
		gen_text(w, &body, depth);
		if (code == 4)
			gen_base64(&coded, buf_data(&body), buf_len(&body));
		else
			buf_put(&coded, buf_data(&body), buf_len(&body));
	}
	buf_put(&w->msg, buf_data(&coded), buf_len(&coded));
	view_leaf(&w->want, *type ? type : "text/plain", buf_data(&body),
		  buf_len(&body));
	buf_free(&body);
	buf_free(&coded);
}

static void gen_entity(struct world *w, unsigned depth, bool digest,
		       bool message);

/* One boundary in three begins like the one around it. */
static void gen_boundary(struct world *w, unsigned depth)
{
	unsigned number = 100 + rnd(900), last = rnd(2);
	char around[60] = "=";

	if (depth && !rnd(3))
		memcpy(around, w->outer[depth - 1], sizeof around - 1);
	snprintf(w->outer[depth], sizeof w->outer[depth], "%s_%u%u (x)'%c",
		 around, depth, number, last ? 'x' : '-');
}

static void gen_gap(struct world *w, unsigned depth)
{
	if (!rnd(3)) {
		gen_text(w, &w->msg, depth);
		buf_puts(&w->msg, "\r\n");
	}
}

static void gen_multipart(struct world *w, unsigned depth)
{
	static const char *const types[] = {
		"multipart/mixed", "Multipart/Alternative",
		"multipart/digest",
	};
	unsigned kind = rnd(3), parts = 1 + rnd(4);

	gen_boundary(w, depth);
	if (!rnd(3))
		buf_puts(&w->msg, "Content-Transfer-Encoding: 8bit\r\n");
	buf_printf(&w->msg, "CONTENT-TYPE: %s (c); charset=x;\r\n"
		   "\tBoundary=\"%s\"\r\n\r\n", types[kind],
		   w->outer[depth]);
	buf_printf(&w->want.b, "[%s]", types[kind]);
	gen_gap(w, depth + 1);
	while (parts--) {
		buf_printf(&w->msg, "--%s%s\r\n", w->outer[depth],
			   rnd(4) ? "" : "  \t");
		gen_entity(w, depth + 1, kind == 2, false);
		buf_puts(&w->msg, "\r\n");
	}
	/* Sometimes the end is missing. */
	if (rnd(5)) {
		buf_printf(&w->msg, "--%s--\r\n", w->outer[depth]);
		gen_gap(w, depth);
	} else {
		buf_cut(&w->msg, buf_len(&w->msg) - 2);
	}
	buf_puts(&w->want.b, "[end]");
}

static void gen_entity(struct world *w, unsigned depth, bool digest,
		       bool message)
{
	unsigned what = depth >= 6 ? 5 : rnd(6);

	if (message && rnd(2))
		buf_puts(&w->msg, "MIME-Version: 1.0\r\n");
	if (what < 2 + !depth) {
		gen_multipart(w, depth);
	} else if (what == 3 && depth < 5) {
		if (!digest || rnd(2))
			buf_puts(&w->msg, "Content-Type: message/rfc822\r\n");
		buf_puts(&w->msg, "\r\n");
		buf_puts(&w->want.b, "[message/rfc822]");
		gen_entity(w, depth, false, true);
	} else {
		gen_leaf(w, depth, digest, message);
	}
}

#endif
