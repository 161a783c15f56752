/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One MIME part's header: what it says about the body, and its fields made
 * legal.  The one idea: read it as the readers of mail do, who take the first
 * of two fields, no label for an unknown label, and text/plain for what makes
 * no sense; an encoding chosen from another reading would change what they
 * show.
 *
 * In reading order: a small lexer, Content-Type and the transfer
 * encoding, mending (which is lib/fixup's).
 */
#include "lib/mimehead.h"
#include "config.h"
#include "lib/fixup.h"
#include "lib/mime.h"
#include "lib/mimeline.h"
#include "lib/util.h"

#include <string.h>

/* ---- a small lexer ----------------------------------------------------- */

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks and comments; a comment nests (RFC 5322 3.2.2), counted and not
 * recursed into. */
static void skip_cfws(struct cursor *c)
{
	unsigned depth = 0;
	int ch;

	while ((ch = cursor_peek(c)) >= 0) {
		if (ch == '(')
			depth++;
		else if (ch == ')' && depth)
			depth--;
		else if (ch == '\\' && depth)
			c->p++;
		else if (!depth && !is_blank(ch))
			return;
		if (c->p < c->end)
			c->p++;
	}
}

/* A token in small letters, at most size - 1 octets: what is longer is no
 * word that anybody here knows, and cutting must not make it one. */
static void token(struct cursor *c, char *dst, size_t size)
{
	size_t n = 0;
	int ch;

	skip_cfws(c);
	while ((ch = cursor_peek(c)) >= 0 && !is_blank(ch) &&
	       !strchr("()<>@,;:\\\"/[]?=", ch)) {
		if (n < size)
			dst[n++] = (char)(ch >= 'A' && ch <= 'Z' ? ch | 32 :
					  ch);
		c->p++;
	}
	dst[n < size ? n : 0] = '\0';
	skip_cfws(c);
}

/* Behind the opening quote to behind the closing one; without its folds. */
static void quoted(struct cursor *c, struct buf *out)
{
	int ch;

	while ((ch = cursor_next(c)) >= 0 && ch != '"') {
		if (ch == '\\' && cursor_left(c))
			ch = cursor_next(c);
		if (ch != '\r' && ch != '\n')
			buf_putc(out, (char)ch);
	}
}

/* Past the next ';' outside quotes and comments.  False at the end. */
static bool to_semicolon(struct cursor *c)
{
	int ch;

	for (;;) {
		skip_cfws(c);
		ch = cursor_next(c);
		if (ch == ';' || ch < 0)
			return ch == ';';
		while (ch == '"' && (ch = cursor_next(c)) >= 0 && ch != '"') {
			if (ch == '\\')
				cursor_next(c);
			ch = '"';
		}
	}
}

/* A parameter's value.  Unquoted it ends at a blank, ";" or "(": the other
 * specials are put into boundaries without quotes all the time. */
static void param_value(struct cursor *c, struct buf *out)
{
	int ch;

	skip_cfws(c);
	if (cursor_peek(c) == '"') {
		c->p++;
		quoted(c, out);
		return;
	}
	while ((ch = cursor_peek(c)) >= 0 && !is_blank(ch) && ch != ';' &&
	       ch != '(') {
		buf_putc(out, (char)ch);
		c->p++;
	}
}

/* ---- what the fields say ----------------------------------------------- */

static bool find_boundary(struct cursor *c, struct mimehead *h)
{
	struct buf b;
	char name[16];

	buf_init(&b, HEADER_MAX);
	while (to_semicolon(c)) {
		token(c, name, sizeof name);
		if (strcmp(name, "boundary") != 0 || cursor_peek(c) != '=')
			continue;
		c->p++;
		param_value(c, &b);
		break;
	}
	/* RFC 2046 5.1.1: a boundary does not end in a blank; padding behind
	 * one is the transport's. */
	while (buf_len(&b) && is_blank(buf_data(&b)[buf_len(&b) - 1]))
		buf_cut(&b, buf_len(&b) - 1);
	h->boundary_len = buf_len(&b);
	if (h->boundary_len && h->boundary_len <= BOUNDARY_OCTETS)
		h->boundary = xstrndup(buf_data(&b), h->boundary_len);
	buf_free(&b);
	return h->boundary != NULL;
}

/* RFC 2046 5.2.2, 5.2.3: the bodies of these must not be encoded, and are no
 * messages of their own. */
static bool is_opaque_message(const char *subtype)
{
	return strcmp(subtype, "partial") == 0 ||
		strcmp(subtype, "external-body") == 0;
}

static void read_type(struct mimehead *h, const struct field *f)
{
	struct cursor c = cursor_on(f->value, f->value_len);
	char type[16], subtype[16];

	token(&c, type, sizeof type);
	/* RFC 2045 5.2: what cannot be read is text/plain. */
	h->text = cursor_peek(&c) != '/' || strcmp(type, "text") == 0;
	if (h->text)
		return;
	c.p++;
	token(&c, subtype, sizeof subtype);
	if (strcmp(type, "multipart") == 0) {
		h->kind = find_boundary(&c, h) ? PART_MULTIPART : PART_OPAQUE;
		h->digest = strcmp(subtype, "digest") == 0;
		h->is_signed = strcmp(subtype, "signed") == 0;
	} else if (strcmp(type, "message") == 0) {
		if (strcmp(subtype, "rfc822") == 0 ||
		    strcmp(subtype, "global") == 0)
			h->kind = PART_MESSAGE;
		else if (is_opaque_message(subtype))
			h->kind = PART_OPAQUE;
	}
}

static enum part_code read_code(const struct field *f)
{
	static const struct {
		const char *name;
		enum part_code code;
	} names[] = {
		{ "", CODE_SEVEN }, { "7bit", CODE_SEVEN },
		{ "quoted-printable", CODE_QP }, { "base64", CODE_BASE64 },
		{ "uuencode", CODE_FOREIGN }, { "uue", CODE_FOREIGN },
		{ "binhex", CODE_FOREIGN }, { "mac-binhex40", CODE_FOREIGN },
	};
	struct cursor c = cursor_on(f->value, f->value_len);
	char word[24];
	size_t i;

	token(&c, word, sizeof word);
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(word, names[i].name) == 0)
			return names[i].code;
	}
	/* An x- encoding really is one; other unknown words ("8-bit",
	 * "utf-8") are mistakes that every reader takes for none. */
	return strncmp(word, "x-", 2) == 0 ? CODE_FOREIGN : CODE_PLAIN;
}

/* Of a field that stands twice the first counts, as readers have it. */
void mimehead_field(struct mimehead *h, const struct field *f,
		    const char *base)
{
	if (field_is(f, "MIME-Version")) {
		h->has_version = true;
	} else if (field_is(f, "Content-Type")) {
		if (!h->has_type)
			read_type(h, f);
		h->has_type = true;
	} else if (field_is(f, "Content-Transfer-Encoding")) {
		if (h->ncodes == 0)
			h->code = read_code(f);
		if (h->ncodes < CODE_FIELDS) {
			h->codes[h->ncodes].from = (size_t)(f->raw - base);
			h->codes[h->ncodes].to = (size_t)(f->raw - base) +
				f->raw_len;
			h->ncodes++;
		}
	}
}

void mimehead_done(struct mimehead *h, bool in_digest)
{
	if (!h->has_type) {
		h->kind = in_digest ? PART_MESSAGE : PART_LEAF;
		h->text = !in_digest;
	}
	/* RFC 2045 6.4 forbids it, RFC 6532 allows it for message/global:
	 * what is inside cannot be seen, so it is a leaf. */
	if (h->kind == PART_MESSAGE && h->code >= CODE_QP)
		h->kind = PART_LEAF;
}

/* ---- mending ----------------------------------------------------------- */

bool mimehead_high(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if ((unsigned char)p[i] > 127)
			return true;
	}
	return false;
}

static bool is_long(const char *p, size_t n)
{
	struct cursor c = cursor_on(p, n);
	const char *line;

	while (cursor_line(&c, &line, &n)) {
		if (n > LINE_MAX_OCTETS)
			return true;
	}
	return false;
}

enum mended mimehead_mend(const struct field *f, int mend, struct buf *out)
{
	bool high = mend & MIME_EIGHT_BIT && mimehead_high(f->raw, f->raw_len);

	if (!high && !(mend & MIME_LONG_LINES && is_long(f->raw, f->raw_len)))
		return MENDED_NOT;
	if (!fixup_field(out, f->name, f->name_len, f->value, f->value_len,
			 NULL))
		return MENDED_HOPELESS;
	if (high && mimehead_high(buf_data(out), buf_len(out)))
		return MENDED_HOPELESS;
	return MENDED;
}
