/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The first pass of lib/mime.h: one walk over the MIME tree that ends in a
 * plan.  The one idea: what a line is can be said when it has ended, from its
 * first octets and a handful of counts.  So no line is ever held, and a
 * message that is one line of 100 MiB costs no more memory than a short one.
 *
 * In reading order: counting octets, the plan, what needs mending, the end of
 * a leaf, of a container, of a header, delimiter lines, lines, the public
 * functions.  Each ..._end decides about what it ends; "to" is the offset
 * behind its last octet, without the CRLF that belongs to a delimiter.
 */
#include "lib/mime.h"
#include "config.h"
#include "lib/header.h"
#include "lib/mimehead.h"
#include "lib/mimeline.h"
#include "lib/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the new fields of all parts may take together: as many headers of
 * HEADER_MAX as are open at once at worst. */
#define PLAN_TEXT_MAX ((size_t)NESTING_MAX * HEADER_MAX)
/* In quoted-printable a run of blanks is not broken (see lib/mimeread.c). */
#define QP_BLANKS_MAX (LINE_MAX_OCTETS - 100)

/* One entity of RFC 2045: a header and what it labels. */
struct part {
	struct mimehead head;
	bool message;		/* a message's header, not a body part's */
	bool sealed;		/* something around it is multipart/signed */
	bool separated;		/* an empty line ended the header */
	bool codes_mended;	/* its encoding field is in the plan already */
	uint64_t from;		/* of the header */
	uint64_t insert;	/* where new fields go */
	uint64_t body;
	struct tally tally;	/* a leaf's body; a multipart's preamble, later
				 * its epilogue */
	size_t mark;		/* edits before those of this part's codes */
};

/* An open container. */
struct level {
	struct part part;
	bool started, closed;	/* its first, its last delimiter was seen */
	bool changed;		/* the plan changes something inside */
	bool loud;		/* octets above 127 stay inside */
};

enum where {
	IN_HEADER,
	IN_LEAF,		/* its body */
	IN_GAP,			/* a preamble or an epilogue */
};

struct mime_scan {
	int mend;
	enum where where;
	bool cr;		/* the last octet was a CR, not counted yet */
	unsigned eol;		/* octets of the last line end */
	struct line line;
	struct part part;	/* the one being read, if no container */
	struct buf head;	/* its header so far */
	size_t head_line;	/* where its unfinished line begins there */
	struct tally head_tally;
	struct level levels[NESTING_MAX];
	size_t depth;
	size_t text;		/* octets of all EDIT_TEXT */
	struct mime_plan plan;
};

/* ---- counting octets --------------------------------------------------- */

/* n octets of a line, no line end among them. */
static void count(struct mime_scan *s, const char *p, size_t n)
{
	mimeline_count(&s->line, p, n);
	if (s->where == IN_HEADER)
		buf_put(&s->head, p, n);
}

/* ---- the plan ---------------------------------------------------------- */

static bool plan_room(struct mime_scan *s, size_t n)
{
	if (s->plan.n + n <= MIME_EDITS_MAX)
		return true;
	s->plan.impossible = true;
	return false;
}

static struct mime_edit *plan_add(struct mime_scan *s, enum edit_kind kind,
				  uint64_t from, uint64_t to)
{
	struct mime_plan *plan = &s->plan;

	if (!plan_room(s, 1))
		return NULL;
	if (plan->n == plan->cap) {
		plan->cap = plan->cap ? 2 * plan->cap : 16;
		plan->edits = xreallocarray(plan->edits, plan->cap,
					    sizeof *plan->edits);
	}
	plan->edits[plan->n] = (struct mime_edit){
		.from = from, .to = to, .kind = kind,
	};
	return &plan->edits[plan->n++];
}

static bool plan_text(struct mime_scan *s, uint64_t from, uint64_t to,
		      const char *text, size_t n)
{
	struct mime_edit *e;

	if (n > PLAN_TEXT_MAX - s->text) {
		s->plan.impossible = true;
		return false;
	}
	e = plan_add(s, EDIT_TEXT, from, to);
	if (!e)
		return false;
	/* Not a string: a field may hold a NUL. */
	e->text = n ? memcpy(xcalloc(n, 1), text, n) : NULL;
	e->text_len = n;
	s->text += n;
	return true;
}

static void plan_cut(struct mime_scan *s, size_t n)
{
	while (s->plan.n > n) {
		struct mime_edit *e = &s->plan.edits[--s->plan.n];

		s->text -= e->text_len;
		free(e->text);
	}
}

/* Containers add to their header after what is inside, so the plan is sorted
 * at the end; an insertion stands before what replaces the text there. */
static int edit_order(const void *a, const void *b)
{
	const struct mime_edit *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* ---- what needs mending ------------------------------------------------ */

static bool needs(const struct mime_scan *s, const struct tally *t)
{
	return (s->mend & MIME_LONG_LINES && t->longest > LINE_MAX_OCTETS) ||
		(s->mend & MIME_EIGHT_BIT && t->high);
}

static struct level *around(struct mime_scan *s)
{
	return s->depth ? &s->levels[s->depth - 1] : NULL;
}

/* The plan changes something inside the innermost open container. */
static void changed(struct mime_scan *s, bool sealed)
{
	if (around(s))
		around(s)->changed = true;
	s->plan.signed_part |= sealed;
}

static void loud(struct mime_scan *s, const struct tally *t)
{
	if (t->high && around(s))
		around(s)->loud = true;
}

static void hopeless(struct mime_scan *s, const struct tally *t)
{
	s->plan.impossible = true;
	loud(s, t);
}

/* ---- the end of a leaf ------------------------------------------------- */

/* Text stays readable in quoted-printable while no more than a quarter of it
 * is "=XX"; for the rest the shorter one. */
static bool wants_base64(const struct part *p)
{
	const struct tally *t = &p->tally;
	uint64_t qp = t->octets + 2 * t->odd;

	if (p->head.text)
		return t->odd > t->octets / 4;
	return t->octets / 57 * 78 < qp + qp / 75 * 3;
}

static const char *charset_of(const struct tally *t)
{
	return !t->high ? "us-ascii" : t->broken ? "iso-8859-1" : "utf-8";
}

/* The fields the part lacks, and the empty line if that was missing: what
 * was no field before might look like one when it is encoded. */
static bool insert_fields(struct mime_scan *s, const struct part *p,
			  const char *code)
{
	struct buf b;
	bool good;

	buf_init(&b, 512);
	if (p->message && !p->head.has_version)
		buf_puts(&b, "MIME-Version: 1.0\r\n");
	if (p->message && !p->head.has_type && p->head.kind == PART_LEAF)
		buf_printf(&b, "Content-Type: text/plain; charset=%s\r\n",
			   charset_of(&p->tally));
	if (code && !p->head.ncodes)
		buf_printf(&b, "Content-Transfer-Encoding: %s\r\n", code);
	if (code && !p->separated)
		buf_puts(&b, "\r\n");
	good = !buf_len(&b) || plan_text(s, p->insert, p->insert,
					 buf_data(&b), buf_len(&b));
	buf_free(&b);
	return good;
}

/* The first encoding field says the new one, the others go: readers differ
 * in which of two they believe. */
static bool replace_codes(struct mime_scan *s, const struct part *p,
			  const char *code)
{
	char text[64];
	size_t i, n;
	int len;

	len = snprintf(text, sizeof text, "Content-Transfer-Encoding: %s\r\n",
		       code);
	for (i = 0; i < p->head.ncodes; i++) {
		n = i ? 0 : (size_t)len;
		if (!plan_text(s, p->from + p->head.codes[i].from,
			       p->from + p->head.codes[i].to, text, n))
			return false;
	}
	return true;
}

static void leaf_encode(struct mime_scan *s, struct part *p, uint64_t to)
{
	bool base64 = wants_base64(p);
	const char *code = base64 ? "base64" : "quoted-printable";

	plan_cut(s, p->mark);
	if (!plan_room(s, p->head.ncodes + 2) || !replace_codes(s, p, code) ||
	    !insert_fields(s, p, code)) {
		/* All of it or nothing: a label without its encoding would
		 * change the text. */
		plan_cut(s, p->mark);
		hopeless(s, &p->tally);
		return;
	}
	plan_add(s, base64 ? EDIT_BASE64 : EDIT_QP, p->body, to);
	changed(s, p->sealed);
}

/* A leaf that is encoded already keeps its encoding. */
static void leaf_again(struct mime_scan *s, struct part *p, uint64_t to)
{
	bool qp = p->head.code == CODE_QP;
	bool high = p->tally.high && s->mend & MIME_EIGHT_BIT;

	if (qp ? p->tally.blanks > QP_BLANKS_MAX : high) {
		hopeless(s, &p->tally);
		if (qp || p->tally.longest <= LINE_MAX_OCTETS)
			return;
	}
	if (!plan_room(s, 2) ||
	    (!p->separated && !insert_fields(s, p, "")) ||
	    !plan_add(s, qp ? EDIT_SOFTEN : EDIT_REFOLD, p->body, to)) {
		hopeless(s, &p->tally);
		return;
	}
	changed(s, p->sealed);
}

static void leaf_end(struct mime_scan *s, uint64_t to)
{
	struct part *p = &s->part;

	if (!needs(s, &p->tally) || to <= p->body)
		loud(s, &p->tally);
	else if (p->head.kind == PART_OPAQUE || p->head.code == CODE_FOREIGN)
		hopeless(s, &p->tally);
	else if (p->head.code == CODE_QP || p->head.code == CODE_BASE64)
		leaf_again(s, p, to);
	else
		leaf_encode(s, p, to);
}

/* ---- the end of a container -------------------------------------------- */

/* A preamble or epilogue has ended.  Nobody is shown one (RFC 2046 5.1.1),
 * so one that is illegal goes; but what has no delimiter at all is shown by
 * some readers, and is not ours to cut. */
static void gap_end(struct mime_scan *s, struct level *l, uint64_t to,
		    bool may_cut)
{
	struct part *p = &l->part;

	if (!needs(s, &p->tally) || to <= p->body) {
		l->loud |= p->tally.high > 0;
	} else if (may_cut && plan_text(s, p->body, to, "", 0)) {
		l->changed = true;
		s->plan.signed_part |= p->sealed;
	} else {
		l->loud |= p->tally.high > 0;
		s->plan.impossible = true;
	}
	p->tally = (struct tally){ 0 };
}

/* "8bit" around what is 7bit now would send the message to no server that
 * lacks 8BITMIME.  One that was wrong from the beginning stays. */
static void relabel(struct mime_scan *s, const struct level *l)
{
	const struct part *p = &l->part;

	insert_fields(s, p, NULL);
	if (!l->loud && p->head.code == CODE_PLAIN && !p->codes_mended)
		replace_codes(s, p, "7bit");
}

static void level_end(struct mime_scan *s, uint64_t to)
{
	struct level *l = &s->levels[--s->depth];

	if (l->part.head.kind == PART_MULTIPART && (l->closed || !l->started))
		gap_end(s, l, to, l->closed);
	if (l->changed) {
		relabel(s, l);
		changed(s, l->part.sealed);
	}
	if (l->loud && around(s))
		around(s)->loud = true;
	free(l->part.head.boundary);
}

/* ---- the end of a header ----------------------------------------------- */

static void part_begin(struct mime_scan *s, uint64_t at, bool message)
{
	const struct level *l = around(s);

	s->part = (struct part){
		.from = at, .message = message,
		.sealed = l && (l->part.sealed || l->part.head.is_signed),
	};
	s->where = IN_HEADER;
	s->head_tally = (struct tally){ 0 };
	s->head_line = 0;
	buf_clear(&s->head);
}

static void mend_field(struct mime_scan *s, const struct field *f,
		       struct buf *out, bool codes)
{
	struct part *p = &s->part;
	uint64_t from = p->from + (uint64_t)(f->raw - buf_data(&s->head));
	enum mended mended;

	if (field_is(f, "Content-Transfer-Encoding") != codes)
		return;
	buf_clear(out);
	mended = mimehead_mend(f, s->mend, out);
	if (mended == MENDED && plan_text(s, from, from + f->raw_len,
					  buf_data(out), buf_len(out))) {
		p->codes_mended |= codes;
		changed(s, p->sealed);
	} else if (mended != MENDED_NOT) {
		hopeless(s, &s->head_tally);
	}
}

/* All fields but the encoding's, or those, which leaf_encode may take back. */
static void mend_fields(struct mime_scan *s, struct cursor c, bool codes)
{
	struct field f;
	struct buf out;

	if (!needs(s, &s->head_tally))
		return;
	buf_init(&out, 4 * HEADER_MAX);
	while (header_next(&c, &f) == FIELD_OK)
		mend_field(s, &f, &out, codes);
	buf_free(&out);
}

static void read_header(struct mime_scan *s)
{
	const struct level *l = around(s);
	struct part *p = &s->part;
	struct cursor c = cursor_on(buf_data(&s->head), buf_len(&s->head));
	struct cursor fields = c;
	struct field f;
	const char *line;
	size_t n;

	/* A mailbox's separator, see may_be_header. */
	if (header_next(&fields, &f) == FIELD_NOT)
		cursor_line(&c, &line, &n);
	mend_fields(s, c, false);
	p->mark = s->plan.n;
	mend_fields(s, c, true);
	while (header_next(&c, &f) == FIELD_OK)
		mimehead_field(&p->head, &f, buf_data(&s->head));
	mimehead_done(&p->head, l && l->part.head.digest && !p->message);
	if (!(s->mend & MIME_EIGHT_BIT))
		loud(s, &s->head_tally);
}

/* Over HEADER_MAX: what it says was not seen to its end, so the body is not
 * touched. */
static void skip_header(struct mime_scan *s)
{
	s->part.head.kind = PART_OPAQUE;
	s->part.mark = s->plan.n;
	if (needs(s, &s->head_tally))
		hopeless(s, &s->head_tally);
	else
		loud(s, &s->head_tally);
}

/* The header has ended: at an empty line, or before something else. */
static void header_end(struct mime_scan *s, bool separated, uint64_t insert,
		       uint64_t body)
{
	struct part *p = &s->part;
	enum part_kind kind;

	p->separated = separated;
	p->insert = insert;
	p->body = body;
	if (s->head.failed) {
		skip_header(s);
	} else {
		/* Not the line that ended it. */
		buf_cut(&s->head, s->head_line);
		read_header(s);
	}
	/* A message right behind fields, without an empty line, would take
	 * the fields that are put in front of it for its own. */
	if (s->depth == NESTING_MAX ||
	    (p->head.kind == PART_MESSAGE && !separated))
		p->head.kind = p->head.kind == PART_LEAF ? PART_LEAF :
			PART_OPAQUE;
	kind = p->head.kind;
	if (kind == PART_MULTIPART && s->mend & MIME_EIGHT_BIT &&
	    mimehead_high(p->head.boundary, p->head.boundary_len))
		s->plan.impossible = true;
	if (kind == PART_MULTIPART || kind == PART_MESSAGE) {
		s->levels[s->depth++] = (struct level){ .part = *p };
		s->where = IN_GAP;
		if (kind == PART_MESSAGE)
			part_begin(s, body, true);
		return;
	}
	free(p->head.boundary);
	p->head.boundary = NULL;
	s->where = IN_LEAF;
}

/* ---- delimiter lines --------------------------------------------------- */

/* All that stands inside levels[depth] ends. */
static void end_inside(struct mime_scan *s, size_t depth, uint64_t to)
{
	if (s->where == IN_HEADER)
		header_end(s, false, s->line.at, s->line.at);
	if (s->where == IN_LEAF)
		leaf_end(s, to);
	while (s->depth > depth)
		level_end(s, to);
}

static void take_delimiter(struct mime_scan *s, size_t depth, size_t n,
			   bool close, uint64_t next)
{
	struct level *l = &s->levels[depth];
	uint64_t at = s->line.at;

	end_inside(s, depth + 1, at - s->eol);
	if (!l->started)
		gap_end(s, l, at, !close);
	if (s->mend & MIME_LONG_LINES && s->line.len > LINE_MAX_OCTETS &&
	    plan_text(s, at + n, at + s->line.len, "", 0))
		changed(s, l->part.sealed || l->part.head.is_signed);
	l->closed = close;
	l->started = true;
	if (close) {
		s->where = IN_GAP;
		l->part.body = next;
	} else {
		part_begin(s, next, false);
	}
}

/* Innermost first; the delimiter of an outer one ends inner ones that were
 * never closed (RFC 2046 5.1.2). */
static bool is_delimiter(struct mime_scan *s, uint64_t next)
{
	size_t i, n;
	bool close;

	if (s->line.nkept < 3 || s->line.kept[0] != '-')
		return false;
	for (i = s->depth; i-- > 0;) {
		const struct level *l = &s->levels[i];

		if (l->part.head.kind != PART_MULTIPART || l->closed)
			continue;
		n = mimeline_delimiter(&s->line, l->part.head.boundary,
				       l->part.head.boundary_len, &close);
		if (n) {
			take_delimiter(s, i, n, close, next);
			return true;
		}
	}
	return false;
}

/* ---- lines ------------------------------------------------------------- */

/* May the line stand in a header?  A mailbox's separator may, first of all:
 * forwarded messages begin with one.  Not an illegal one, since it has no
 * form to be mended in: that is text then. */
static bool may_be_header(const struct mime_scan *s)
{
	bool first = s->head_line == 0;

	switch (mimeline_kind(&s->line)) {
	case LINE_FIELD:
		return true;
	case LINE_FOLD:
		return !first;
	case LINE_FROM:
		return first && s->part.message && !s->line.tally.high &&
			s->line.len <= LINE_MAX_OCTETS;
	default:
		return false;
	}
}

static void body_line(struct mime_scan *s)
{
	if (s->where == IN_LEAF)
		mimeline_tally(&s->part.tally, &s->line);
	else if (around(s))
		mimeline_tally(&around(s)->part.tally, &s->line);
}

static void header_line(struct mime_scan *s, uint64_t next)
{
	uint64_t at = s->line.at;

	if (s->line.len == 0) {
		header_end(s, true, at, next);
	} else if (may_be_header(s)) {
		mimeline_tally(&s->head_tally, &s->line);
		s->head_line = buf_len(&s->head);
	} else {
		header_end(s, false, at, at);
		/* It may be the first delimiter of what just began. */
		if (!is_delimiter(s, next))
			body_line(s);
	}
}

/* The line has ended, with eol octets of line end. */
static void line_end(struct mime_scan *s, const char *end, unsigned eol)
{
	uint64_t next = s->line.at + s->line.len + eol;

	if (s->where == IN_HEADER)
		buf_put(&s->head, end, eol);
	if (!is_delimiter(s, next)) {
		if (s->where == IN_HEADER)
			header_line(s, next);
		else
			body_line(s);
	}
	s->eol = eol;
	mimeline_begin(&s->line, next);
}

/* ---- public ------------------------------------------------------------ */

struct mime_scan *mime_scan_new(int mend)
{
	struct mime_scan *s = xcalloc(1, sizeof *s);

	s->mend = mend;
	buf_init(&s->head, HEADER_MAX);
	mimeline_begin(&s->line, 0);
	part_begin(s, 0, true);
	return s;
}

void mime_scan_feed(struct mime_scan *s, const char *p, size_t n)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t k = lf ? (size_t)(lf - p) : n;

		/* A CR may be half of a line end whose LF comes with the
		 * next piece; otherwise it is an octet of the line. */
		if (k && s->cr) {
			count(s, "\r", 1);
			s->cr = false;
		}
		if (k && p[k - 1] == '\r')
			s->cr = true;
		count(s, p, k - (k && s->cr));
		if (lf) {
			line_end(s, s->cr ? "\r\n" : "\n", s->cr ? 2 : 1);
			s->cr = false;
			k++;
		}
		p += k;
		n -= k;
	}
}

void mime_scan_end(struct mime_scan *s, struct mime_plan *plan)
{
	if (s->cr)
		count(s, "\r", 1);
	if (s->line.len)
		line_end(s, "", 0);
	end_inside(s, 0, s->line.at);
	if (s->plan.n)
		qsort(s->plan.edits, s->plan.n, sizeof *s->plan.edits,
		      edit_order);
	*plan = s->plan;
	buf_free(&s->head);
	free(s);
}

void mime_plan_free(struct mime_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->n; i++)
		free(plan->edits[i].text);
	free(plan->edits);
	*plan = (struct mime_plan){ 0 };
}
