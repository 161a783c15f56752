/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The second pass of lib/mime.h: a message read with its plan carried out on
 * the way.  The one idea: a position in the message and a position in the
 * plan move together, and each step takes a bounded piece of whichever comes
 * next, a stretch between edits or a part of one edit.
 *
 * In reading order: the two transformations of text that is encoded already
 * (fresh encodings are lib/codec's), the steps, the reader, its size.
 */
#include "lib/mime.h"
#include "config.h"

#include <errno.h>
#include <string.h>

/* Input octets encoded at a time: a page on the stack. */
#define PIECE 4096
/* RFC 2045 6.7 (5), 6.8: 76 with the "=", 76. */
#define QP_COLUMNS 75
#define BASE64_COLUMNS 76

/* ---- encoded already --------------------------------------------------- */

/*
 * Decoders of base64 see neither blanks nor line ends (RFC 2045 6.8), so both
 * may move freely.  Octets outside the alphabet stay in their order: what a
 * decoder makes of them is not ours to change.
 */
static bool refold(struct encoder *e, const char *p, size_t n, bool last,
		   struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strchr("\r\n\t ", p[i]) && p[i])
			continue;
		if (e->column == BASE64_COLUMNS) {
			buf_puts(out, "\r\n");
			e->column = 0;
		}
		buf_putc(out, p[i]);
		e->column++;
	}
	if (last && e->column)
		buf_puts(out, "\r\n");
	return !out->failed;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
		(c >= 'a' && c <= 'f');
}

/*
 * One unit of quoted-printable that must stay in one piece.  There is no
 * break between two blanks: if the run of blanks turns out to end the line it
 * is padding that decoders may drop (RFC 2045 6.7 (3)), and a break inside
 * would turn the first half of it into text.
 */
static void unit(struct mime_reader *r, const char *p, size_t n,
		 struct buf *out)
{
	bool blank = *p == ' ' || *p == '\t';
	bool inside = blank && (r->before == ' ' || r->before == '\t');

	if (r->encoder.column + n > QP_COLUMNS && !inside) {
		buf_puts(out, "=\r\n");
		r->encoder.column = 0;
	}
	buf_put(out, p, n);
	r->encoder.column += n;
	r->before = *p;
}

static void hex_unit(struct mime_reader *r, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char s[3] = { '=', digits[(unsigned char)c >> 4], digits[c & 15] };

	unit(r, s, 3, out);
}

/* An "=" that begins nothing is text to every lenient decoder.  It becomes
 * =3D, because a soft break behind it would give it a meaning. */
static void release(struct mime_reader *r, struct buf *out)
{
	unsigned i, n = r->encoder.nheld;

	r->encoder.nheld = 0;
	if (n)
		hex_unit(r, '=', out);
	for (i = 1; i < n; i++)
		unit(r, (char *)&r->encoder.held[i], 1, out);
}

static void soften_octet(struct mime_reader *r, char c, struct buf *out)
{
	struct encoder *e = &r->encoder;

	if (e->nheld && is_hex(c)) {
		e->held[e->nheld++] = (unsigned char)c;
		if (e->nheld == 3) {
			e->nheld = 0;
			unit(r, (char *)e->held, 3, out);
		}
		return;
	}
	/* A soft line break of the original, blanks before its end or not:
	 * it stands as it is. */
	if (e->nheld == 1 && strchr("\r\n\t ", c) && c) {
		e->nheld = 0;
		buf_putc(out, '=');
		e->column++;
		r->before = ' ';
	}
	release(r, out);
	if (c == '=') {
		e->held[e->nheld++] = '=';
	} else if (c == '\r' || c == '\n') {
		buf_putc(out, c);
		e->column = 0;
		r->before = c;
	} else if ((unsigned char)c > 127) {
		hex_unit(r, c, out);
	} else {
		unit(r, &c, 1, out);
	}
}

static bool soften(struct mime_reader *r, const char *p, size_t n, bool last,
		   struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++)
		soften_octet(r, p[i], out);
	if (last && r->encoder.nheld == 1) {
		/* "=" and then the delimiter's CRLF: a soft break too. */
		r->encoder.nheld = 0;
		buf_putc(out, '=');
	}
	if (last)
		release(r, out);
	return !out->failed;
}

/* ---- steps ------------------------------------------------------------- */

static int full(void)
{
	errno = ENOBUFS;
	return -1;
}

static size_t at_most(uint64_t left, size_t n)
{
	return left < n ? (size_t)left : n;
}

static void next_edit(struct mime_reader *r)
{
	r->edit++;
	r->text_at = 0;
	r->encoder = (struct encoder){ 0 };
	r->before = 0;
}

static int copy_step(struct mime_reader *r, uint64_t to, struct buf *out,
		     size_t n)
{
	size_t k = at_most(to - r->at, n);
	char *dst = buf_room(out, k);

	if (!dst)
		return full();
	if (r->pull(r->ctx, dst, k, r->at) != 0)
		return -1;
	buf_grew(out, k);
	r->at += k;
	return 1;
}

static int text_step(struct mime_reader *r, const struct mime_edit *e,
		     struct buf *out, size_t n)
{
	size_t k = at_most(e->text_len - r->text_at, n);

	if (k && !buf_put(out, e->text + r->text_at, k))
		return full();
	r->text_at += k;
	if (r->text_at == e->text_len) {
		r->at = e->to;
		next_edit(r);
	}
	return 1;
}

static int code_step(struct mime_reader *r, const struct mime_edit *e,
		     struct buf *out, size_t n)
{
	char piece[PIECE];
	size_t k = at_most(e->to - r->at, n < PIECE ? n : PIECE);
	bool last = r->at + k == e->to, good;

	if (k && r->pull(r->ctx, piece, k, r->at) != 0)
		return -1;
	if (e->kind == EDIT_QP)
		good = qp_lines(&r->encoder, piece, k, last, out);
	else if (e->kind == EDIT_BASE64)
		good = base64_lines(&r->encoder, piece, k, last, out);
	else if (e->kind == EDIT_SOFTEN)
		good = soften(r, piece, k, last, out);
	else
		good = refold(&r->encoder, piece, k, last, out);
	if (!good)
		return full();
	r->at += k;
	if (last)
		next_edit(r);
	return 1;
}

/* Takes at most n octets of message or text.  1, 0 at the end, -1. */
static int step(struct mime_reader *r, struct buf *out, size_t n)
{
	const struct mime_edit *e = NULL;

	if (r->edit < r->plan->n)
		e = &r->plan->edits[r->edit];
	if (!e && r->at == r->size)
		return 0;
	if (!e || r->at < e->from)
		return copy_step(r, e ? e->from : r->size, out, n);
	if (e->kind == EDIT_TEXT)
		return text_step(r, e, out, n);
	return code_step(r, e, out, n);
}

/* ---- the reader -------------------------------------------------------- */

void mime_reader_init(struct mime_reader *r, const struct mime_plan *plan,
		      mime_pull *pull, void *ctx, uint64_t size)
{
	*r = (struct mime_reader){
		.plan = plan, .pull = pull, .ctx = ctx, .size = size,
	};
}

int mime_reader_next(struct mime_reader *r, struct buf *out, size_t n)
{
	size_t begin = buf_len(out), made = 0;
	int more = 1;

	/* No encoding makes more than 3.2 octets of one, so taking at most
	 * what is missing keeps the whole under the promised 4 n + 1024. */
	while (more == 1 && made < n) {
		more = step(r, out, n - made);
		made = buf_len(out) - begin;
	}
	return more;
}

int64_t mime_reader_size(const struct mime_plan *plan, mime_pull *pull,
			 void *ctx, uint64_t size)
{
	struct mime_reader r;
	struct buf out;
	uint64_t total = 0;
	int more = 1;

	mime_reader_init(&r, plan, pull, ctx, size);
	buf_init(&out, 4 * PIECE + 1024);
	while (more == 1) {
		/* What lies between edits needs no reading to be counted. */
		uint64_t to = r.edit < plan->n ? plan->edits[r.edit].from :
			size;

		if (r.at < to) {
			total += to - r.at;
			r.at = to;
		}
		more = step(&r, &out, PIECE);
		total += buf_len(&out);
		buf_clear(&out);
	}
	buf_free(&out);
	return more == 0 ? (int64_t)total : -1;
}

int mime_plan_make(struct mime_plan *plan, int mend, mime_pull *pull,
		   void *ctx, uint64_t size)
{
	static char chunk[IO_CHUNK];
	struct mime_scan *scan = mime_scan_new(mend);
	uint64_t at = 0;
	size_t n;
	int r = 0;

	for (; at < size && r == 0; at += n) {
		n = size - at < sizeof chunk ? (size_t)(size - at) :
			sizeof chunk;
		r = pull(ctx, chunk, n, at);
		if (r == 0)
			mime_scan_feed(scan, chunk, n);
	}
	mime_scan_end(scan, plan);
	return r;
}
