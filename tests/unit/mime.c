/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/mime: tables of small messages with what they must become; then the
 * property that matters, on generated trees: after mending every leaf decodes
 * to the same octets, and the message is legal.
 *
 * "mime --convert FLAGS" (l: long lines, 8: eight bit) is a filter for
 * tests/e2e/mime-python; status 3 says the plan was impossible.
 */
#include "lib/mime.h"
#include "config.h"
#include "tests/check.h"
#include "tests/mimetree.h"

#include <errno.h>
#include <sys/resource.h>

#define BOTH	(MIME_LONG_LINES | MIME_EIGHT_BIT)

/* ---- running the code under test --------------------------------------- */

/* piece 0: random sizes. */
static void scan(const char *p, size_t n, int mend, size_t piece,
		 struct mime_plan *plan)
{
	struct mime_scan *s = mime_scan_new(mend);
	size_t at, k;

	for (at = 0; at < n; at += k) {
		k = piece ? piece : 1 + rnd(200);
		if (k > n - at)
			k = n - at;
		mime_scan_feed(s, p + at, k);
	}
	mime_scan_end(s, plan);
}

static int pull(void *ctx, char *dst, size_t n, uint64_t at)
{
	const struct cursor *c = ctx;

	if (at > cursor_left(c) || n > cursor_left(c) - at) {
		errno = EIO;
		return -1;
	}
	memcpy(dst, c->p + at, n);
	return 0;
}

static bool apply(const struct mime_plan *plan, const char *p, size_t n,
		  size_t piece, struct buf *out)
{
	struct cursor c = cursor_on(p, n);
	struct mime_reader r;
	int more = 1;

	mime_reader_init(&r, plan, pull, &c, n);
	while (more == 1) {
		size_t before = buf_len(out);
		size_t k = piece ? piece : 1 + rnd(3000);

		more = mime_reader_next(&r, out, k);
		if (buf_len(out) - before > 4 * k + 1024)
			return false;
	}
	return more == 0 &&
		mime_reader_size(plan, pull, &c, n) == (int64_t)buf_len(out);
}

static bool same_plan(const struct mime_plan *a, const struct mime_plan *b)
{
	size_t i;

	if (a->n != b->n || a->signed_part != b->signed_part ||
	    a->impossible != b->impossible)
		return false;
	for (i = 0; i < a->n; i++) {
		const struct mime_edit *x = &a->edits[i], *y = &b->edits[i];

		if (x->from != y->from || x->to != y->to ||
		    x->kind != y->kind || x->text_len != y->text_len ||
		    (x->text_len && memcmp(x->text, y->text, x->text_len)))
			return false;
		/* in order, and never over one another */
		if (x->from > x->to || (i && x->from < a->edits[i - 1].to))
			return false;
	}
	return true;
}

static bool legal(const struct buf *b, int mend)
{
	struct cursor c = cursor_on(buf_data(b), buf_len(b));
	const char *line;
	size_t n, i;

	while (cursor_line(&c, &line, &n)) {
		if (mend & MIME_LONG_LINES && n > LINE_MAX_OCTETS)
			return false;
		for (i = 0; i < n && mend & MIME_EIGHT_BIT; i++) {
			if ((unsigned char)line[i] > 127)
				return false;
		}
	}
	return true;
}

/* ---- tables ------------------------------------------------------------ */

/* In the texts @ stands for 1000 octets "x". */
static void expand(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '@')
			for (int i = 0; i < 1000; i++)
				buf_putc(b, 'x');
		else
			buf_putc(b, *s);
	}
}

enum { SIGNED = 1, IMPOSSIBLE = 2 };

struct mend_case {
	const char *name;
	int mend, flags;
	const char *in, *out;	/* out NULL: an empty plan */
};

#define MULTI	"Mime-Version: 1.0\r\n" \
		"Content-Type: multipart/mixed; boundary=b\r\n"
#define QPF	"Content-Transfer-Encoding: quoted-printable\r\n"
#define B64F	"Content-Transfer-Encoding: base64\r\n"
#define X76	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
		"xxxxxxxxxxxxxxxxxx"

static const struct mend_case cases[] = {
	/* nothing to do */
	{ "empty", BOTH, 0, "", NULL },
	{ "plain", BOTH, 0, "Subject: a\r\n\r\nhello\r\n", NULL },
	{ "no body", BOTH, 0, "Subject: a\r\n", NULL },
	{ "high is fine", MIME_LONG_LINES, 0, "A: b\r\n\r\n\xc3\xa4\r\n",
	  NULL },
	{ "long is fine", MIME_EIGHT_BIT, 0, "A: b\r\n\r\n@\r\n", NULL },
	/* the top level */
	{ "utf-8", BOTH, 0, "A: b\r\n\r\ngr\xc3\xbc\xc3\x9f\r\n",
	  "A: b\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n"
	  B64F "\r\nZ3LDvMOfDQo=\r\n" },
	{ "mostly ascii", BOTH, 0,
	  "A: b\r\n\r\na long line of ascii and one \xc3\xbc in it\r\n",
	  "A: b\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n"
	  QPF "\r\na long line of ascii and one =C3=BC in it\r\n" },
	{ "latin-1", MIME_EIGHT_BIT, 0,
	  "A: b\r\n\r\na long line of ascii and one \xfc in it\r\n",
	  "A: b\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=iso-8859-1\r\n"
	  QPF "\r\na long line of ascii and one =FC in it\r\n" },
	{ "utf-8 cut by a line end", MIME_EIGHT_BIT, 0,
	  "A: b\r\n\r\na long line of ascii and one \xc3\r\n",
	  "A: b\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=iso-8859-1\r\n"
	  QPF "\r\na long line of ascii and one =C3\r\n" },
	{ "typed", MIME_EIGHT_BIT, 0,
	  "MIME-version: 1.0\r\ncontent-TYPE: text/html\r\n"
	  "content-transfer-encoding:\r\n 8BIT (yes)\r\n"
	  "X: y\r\n\r\n0123456789 \xc3\xbc\r\n",
	  "MIME-version: 1.0\r\ncontent-TYPE: text/html\r\n" QPF
	  "X: y\r\n\r\n0123456789 =C3=BC\r\n" },
	{ "two labels", MIME_EIGHT_BIT, 0,
	  "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
	  "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n"
	  "\r\n0123456789 \xc3\xbc\r\n",
	  "MIME-Version: 1.0\r\n" QPF "Content-Type: text/html\r\n"
	  "\r\n0123456789 =C3=BC\r\n" },
	{ "a misspelt label", MIME_EIGHT_BIT, 0,
	  "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8-bits\r\n"
	  "Content-Type: text/html\r\n\r\n0123456789 \xc3\xbc\r\n",
	  "MIME-Version: 1.0\r\n" QPF
	  "Content-Type: text/html\r\n\r\n0123456789 =C3=BC\r\n" },
	{ "uuencode", MIME_EIGHT_BIT, IMPOSSIBLE,
	  "Content-Transfer-Encoding: x-uuencode\r\n\r\n\xc3\xbc\r\n", NULL },
	{ "no separator", MIME_EIGHT_BIT, 0,
	  "MIME-Version: 1.0\r\nContent-Type: text/x\r\n"
	  "gr\xc3\xbcn: 0123456789 0123456789 0123456789\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/x\r\n" QPF
	  "\r\ngr=C3=BCn: 0123456789 0123456789 0123456789\r\n" },
	{ "no header", MIME_EIGHT_BIT, 0,
	  "gr\xc3\xbcn 0123456789 0123456789 0123456789\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  QPF "\r\ngr=C3=BCn 0123456789 0123456789 0123456789\r\n" },
	{ "empty header", MIME_EIGHT_BIT, 0,
	  "\r\ngr\xc3\xbcn 0123456789 0123456789 0123456789\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  QPF "\r\ngr=C3=BCn 0123456789 0123456789 0123456789\r\n" },
	/* multipart */
	{ "one of two, CRLF is the delimiter's", BOTH, 0,
	  MULTI "\r\n--b\r\n\r\nplain\r\n--b \t\r\n\r\n0123456789 \xc3\xbc"
	  "\r\n--b--\r\n",
	  MULTI "\r\n--b\r\n\r\nplain\r\n--b \t\r\n" QPF
	  "\r\n0123456789 =C3=BC=\r\n\r\n--b--\r\n" },
	{ "8bit label goes", MIME_EIGHT_BIT, 0,
	  MULTI "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\n"
	  "0123456789 \xc3\xbc\r\n\r\n--b--\r\n",
	  MULTI "Content-Transfer-Encoding: 7bit\r\n\r\n--b\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n\r\n--b--\r\n" },
	{ "8bit label stays", MIME_LONG_LINES, 0,
	  MULTI "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\n@\r\n"
	  "--b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--b--\r\n",
	  MULTI "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\n" QPF "\r\n"
	  X76 "=\r\n" X76 "=\r\n" X76 "=\r\n" X76 "=\r\n" X76 "=\r\n"
	  X76 "=\r\n" X76 "=\r\n" X76 "=\r\n" X76 "=\r\n" X76 "=\r\n"
	  X76 "=\r\n" X76 "=\r\n" X76 "=\r\nxxxxxxxxxxxxxxxxxxxxxxxxx=\r\n"
	  "\r\n--b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--b--\r\n" },
	{ "preamble and epilogue go", BOTH, 0,
	  MULTI "\r\n@\r\nfoo\r\n--b\r\n\r\nx\r\n--b--\r\n\xfc\r\n\r\n",
	  MULTI "\r\n--b\r\n\r\nx\r\n--b--\r\n" },
	{ "no empty line before the first delimiter", BOTH, 0,
	  MULTI "--b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--b\r\n\r\nx\r\n"
	  "--b--\r\n",
	  MULTI "--b\r\n" QPF "\r\n0123456789 =C3=BC\r\n\r\n--b\r\n\r\nx"
	  "\r\n--b--\r\n" },
	{ "what has no delimiter stays", BOTH, IMPOSSIBLE,
	  MULTI "\r\n@\r\nfoo\r\n--bb\r\n", NULL },
	{ "no boundary", BOTH, IMPOSSIBLE,
	  "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n\xfc\r\n", NULL },
	{ "boundary with comments, folded, quoted", BOTH, 0,
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: (a (b; \\))) multipart / mixed\r\n"
	  " ; x=\"a;boundary=z\" ;\r\n\tBOUNDARY = (c) \"q \\\"b\" (d)\r\n\r\n"
	  "--q \"b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--q \"b--",
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: (a (b; \\))) multipart / mixed\r\n"
	  " ; x=\"a;boundary=z\" ;\r\n\tBOUNDARY = (c) \"q \\\"b\" (d)\r\n\r\n"
	  "--q \"b\r\n" QPF "\r\n0123456789 =C3=BC\r\n\r\n--q \"b--" },
	{ "an outer delimiter ends the inner", BOTH, 0,
	  MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n"
	  "--bb\r\n\r\nin\r\n--b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--b--\r\n",
	  MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n"
	  "--bb\r\n\r\nin\r\n--b\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n\r\n--b--\r\n" },
	{ "digest", BOTH, 0,
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
	  "Subject: in\r\nMIME-Version: 1.0\r\n\r\n0123456789 \xc3\xbc\r\n"
	  "\r\n--b--\r\n",
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
	  "Subject: in\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain; charset=utf-8\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n\r\n--b--\r\n" },
	{ "message, From line", BOTH, 0,
	  "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
	  "Content-Transfer-Encoding: binary\r\n\r\nFrom me at once\r\n"
	  "MIME-Version: 1.0\r\nContent-type: text/x\r\n\r\n"
	  "0123456789 \xc3\xbc\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
	  "Content-Transfer-Encoding: 7bit\r\n\r\nFrom me at once\r\n"
	  "MIME-Version: 1.0\r\nContent-type: text/x\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n" },
	{ "an illegal From line is text", BOTH, 0,
	  "From \xc3\xbc 0123456789 0123456789\r\nA: b\r\n\r\n",
	  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  QPF "\r\n=46rom =C3=BC 0123456789 0123456789\r\nA: b\r\n\r\n" },
	{ "signed", BOTH, SIGNED,
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n"
	  "0123456789 \xc3\xbc\r\n\r\n--b--\r\n",
	  "MIME-Version: 1.0\r\n"
	  "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n\r\n--b--\r\n" },
	{ "beside signed", BOTH, 0,
	  MULTI "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n"
	  "--s\r\n\r\nok\r\n--s--\r\n--b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n"
	  "--b--\r\n",
	  MULTI "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n"
	  "--s\r\n\r\nok\r\n--s--\r\n--b\r\n" QPF
	  "\r\n0123456789 =C3=BC\r\n\r\n--b--\r\n" },
	/* part headers */
	{ "a file name", BOTH, 0,
	  MULTI "\r\n--b\r\nContent-Disposition: attachment;\r\n"
	  " filename=\"\xc3\xbc.txt\"\r\n\r\nx\r\n--b--\r\n",
	  MULTI "\r\n--b\r\nContent-Disposition: attachment;\r\n"
	  " filename*=utf-8''%C3%BC.txt\r\n\r\nx\r\n--b--\r\n" },
	{ "an unfoldable field", BOTH, IMPOSSIBLE,
	  MULTI "\r\n--b\r\nX: @\r\n\r\nx\r\n--b--\r\n", NULL },
	{ "a boundary with high octets", BOTH, IMPOSSIBLE,
	  "Content-Type: multipart/mixed; boundary=\"\xfc\"\r\n\r\n"
	  "--\xfc\r\n\r\nx\r\n--\xfc--\r\n",
	  "Content-Type: multipart/mixed; boundary*=iso-8859-1''%FC\r\n\r\n"
	  "--\xfc\r\n\r\nx\r\n--\xfc--\r\n" },
	/* encoded already */
	{ "base64 on one line", BOTH, 0,
	  MULTI "\r\n--b\r\n" B64F "\r\n@\r\n--b--\r\n",
	  MULTI "\r\n--b\r\n" B64F "\r\n"
	  X76 "x\r\n" X76 "x\r\n" X76 "x\r\n" X76 "x\r\n" X76 "x\r\n"
	  X76 "x\r\n" X76 "x\r\n" X76 "x\r\n" X76 "x\r\n" X76 "x\r\n"
	  X76 "x\r\n" X76 "x\r\n" X76 "x\r\nxxxxxxxxxxxx\r\n\r\n--b--\r\n" },
	{ "high octets in base64", MIME_EIGHT_BIT, IMPOSSIBLE,
	  MULTI "\r\n--b\r\n" B64F "\r\nAAAA\xfc\r\n--b--\r\n", NULL },
	{ "high octets in quoted-printable", MIME_EIGHT_BIT, 0,
	  QPF "\r\na\xfc=20=\r\n=zz=4\xfc =  \r\n=",
	  QPF "\r\na=FC=20=\r\n=3Dzz=3D4=FC =  \r\n=" },
	{ "no separator before quoted-printable", MIME_EIGHT_BIT, 0,
	  "MIME-Version: 1.0\r\n" QPF "gr\xc3\xbcn: x\r\n",
	  "MIME-Version: 1.0\r\n" QPF "Content-Type: text/plain; charset="
	  "utf-8\r\n\r\ngr=C3=BCn: x\r\n" },
	{ "an encoded message is a leaf", BOTH, IMPOSSIBLE,
	  "Content-Type: message/rfc822\r\n" B64F "\r\n\r\nX: \xfc\r\n",
	  NULL },
};

static void run_case(const struct mend_case *c, size_t piece)
{
	struct buf in, want, out;
	struct mime_plan plan;

	buf_init(&in, CEILING);
	buf_init(&want, CEILING);
	buf_init(&out, CEILING);
	expand(&in, c->in);
	expand(&want, c->out ? c->out : c->in);
	scan(buf_data(&in), buf_len(&in), c->mend, piece, &plan);
	check((plan.n == 0) == (c->out == NULL), c->name);
	check(plan.signed_part == !!(c->flags & SIGNED), c->name);
	check(plan.impossible == !!(c->flags & IMPOSSIBLE), c->name);
	check(apply(&plan, buf_data(&in), buf_len(&in), piece, &out),
	      c->name);
	check_bytes(c->name, buf_str(&out), buf_len(&out), buf_str(&want),
		    buf_len(&want));
	mime_plan_free(&plan);
	buf_free(&in);
	buf_free(&want);
	buf_free(&out);
}

static void test_cases(void)
{
	static const size_t pieces[] = { 1, 2, 7, 100000 };
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (k = 0; k < sizeof pieces / sizeof *pieces; k++)
			run_case(&cases[i], pieces[k]);
	}
}

/* ---- the property ------------------------------------------------------ */

static void mended(const struct world *w, int mend, const char *name)
{
	const char *p = buf_data(&w->msg);
	size_t n = buf_len(&w->msg);
	struct view got = { .leaves = 0 };
	struct mime_plan plan, bytes;
	struct buf out, again;

	buf_init(&got.b, CEILING);
	buf_init(&out, CEILING);
	buf_init(&again, CEILING);
	scan(p, n, mend, 0, &plan);
	scan(p, n, mend, 1, &bytes);
	check(same_plan(&plan, &bytes), name);
	check(!plan.impossible, name);
	check(apply(&plan, p, n, 0, &out), name);
	check(apply(&plan, p, n, rnd(2) ? 1 : 65536, &again), name);
	check(buf_len(&out) == buf_len(&again) &&
	      !memcmp(buf_str(&out), buf_str(&again), buf_len(&out)), name);
	check(legal(&out, mend), name);
	view_entity(&got, buf_data(&out), buf_len(&out), false);
	check(buf_len(&got.b) == buf_len(&w->want.b) &&
	      !memcmp(buf_data(&got.b), buf_data(&w->want.b),
		      buf_len(&got.b)), name);
	mime_plan_free(&bytes);
	/* What is mended needs nothing more. */
	scan(buf_data(&out), buf_len(&out), mend, 0, &bytes);
	check(bytes.n == 0 && !bytes.impossible, name);
	mime_plan_free(&plan);
	mime_plan_free(&bytes);
	buf_free(&got.b);
	buf_free(&out);
	buf_free(&again);
}

static void test_trees(void)
{
	static const int mends[] = {
		MIME_LONG_LINES, MIME_EIGHT_BIT, BOTH
	};
	unsigned run, leaves = 0;
	char name[32];

	for (run = 1; run <= 700; run++) {
		static struct world w;

		seed = run;
		buf_init(&w.msg, CEILING);
		buf_init(&w.want.b, CEILING);
		w.want.leaves = 0;
		gen_entity(&w, 0, false, true);
		buf_str(&w.want.b);
		buf_str(&w.msg);
		snprintf(name, sizeof name, "tree %u", run);
		for (size_t i = 0; i < 3; i++)
			mended(&w, mends[i], name);
		leaves += w.want.leaves;
		buf_free(&w.msg);
		buf_free(&w.want.b);
	}
	check(leaves > 1500, "the trees have leaves");
}

/* The same trees with damage: what they say now is anybody's guess, but the
 * result is legal or called impossible, however the octets arrive. */
static void damage(struct buf *b)
{
	unsigned n = 1 + rnd(12);

	while (n-- && buf_len(b)) {
		char *p = buf_data(b) + rnd((unsigned)buf_len(b));
		size_t left = (size_t)(buf_data(b) + buf_len(b) - p);
		char *to = buf_data(b) + rnd((unsigned)buf_len(b));
		size_t room = (size_t)(buf_data(b) + buf_len(b) - to);
		size_t k = rnd(80);

		k = k < left ? k : left;
		if (rnd(2) && k <= room)
			memmove(to, p, k);
		else
			*p = "\r\n-:;\"() \xfc="[rnd(11)];
	}
}

static void test_damage(void)
{
	struct mime_plan plan, bytes;
	unsigned run;
	char name[32];

	for (run = 1; run <= 1500; run++) {
		static struct world w;
		struct buf out;

		seed = 100000 + run;
		buf_init(&w.msg, CEILING);
		buf_init(&w.want.b, CEILING);
		buf_init(&out, CEILING);
		gen_entity(&w, 0, false, true);
		damage(&w.msg);
		snprintf(name, sizeof name, "damage %u", run);
		scan(buf_data(&w.msg), buf_len(&w.msg), BOTH, 0, &plan);
		scan(buf_data(&w.msg), buf_len(&w.msg), BOTH, 1, &bytes);
		check(same_plan(&plan, &bytes), name);
		check(apply(&plan, buf_data(&w.msg), buf_len(&w.msg), 0,
			    &out), name);
		check(plan.impossible || legal(&out, BOTH), name);
		mime_plan_free(&plan);
		mime_plan_free(&bytes);
		buf_free(&out);
		buf_free(&w.msg);
		buf_free(&w.want.b);
	}
}

/* ---- limits ------------------------------------------------------------ */

/* One line of 100 MiB, and then a header field of 100 MiB. */
static void test_memory(void)
{
	static char piece[65536];
	struct rusage before, after;
	struct mime_plan plan;
	struct mime_scan *s;

	memset(piece, 'x', sizeof piece);
	getrusage(RUSAGE_SELF, &before);
	for (int head = 0; head < 2; head++) {
		s = mime_scan_new(BOTH);
		mime_scan_feed(s, "A: b\r\n\r\n", head ? 3 : 8);
		for (int i = 0; i < 1600; i++)
			mime_scan_feed(s, piece, sizeof piece);
		mime_scan_end(s, &plan);
		check(plan.impossible == head, "100 MiB");
		check_int("100 MiB", (long long)plan.n, head ? 0 : 2);
		mime_plan_free(&plan);
	}
	getrusage(RUSAGE_SELF, &after);
	check(after.ru_maxrss - before.ru_maxrss < 16384, "memory");
}

static void put_parts(struct buf *b, unsigned n, const char *body)
{
	buf_puts(b, MULTI "\r\n");
	while (n--)
		buf_printf(b, "--b\r\n\r\n%s\r\n", body);
	buf_puts(b, "--b--\r\n");
}

/* More parts than the plan can hold: said, and what is done is whole. */
static void test_edits(void)
{
	struct mime_plan plan;
	struct buf b, out;
	struct view was = { .leaves = 0 }, is = { .leaves = 0 };

	buf_init(&b, CEILING);
	buf_init(&out, CEILING);
	buf_init(&was.b, CEILING);
	buf_init(&is.b, CEILING);
	put_parts(&b, MIME_EDITS_MAX, "\xc3\xa4");
	scan(buf_data(&b), buf_len(&b), BOTH, 0, &plan);
	check(plan.impossible && plan.n <= MIME_EDITS_MAX, "edits");
	check(apply(&plan, buf_data(&b), buf_len(&b), 0, &out), "edits");
	view_entity(&was, buf_data(&b), buf_len(&b), false);
	view_entity(&is, buf_data(&out), buf_len(&out), false);
	check(was.leaves == is.leaves, "edits");
	mime_plan_free(&plan);
	buf_free(&b);
	buf_free(&out);
	buf_free(&was.b);
	buf_free(&is.b);
}

/* Deeper than NESTING_MAX: harmless while legal, impossible when not. */
static void test_depth(void)
{
	for (int high = 0; high < 2; high++) {
		struct mime_plan plan;
		struct buf b;

		buf_init(&b, CEILING);
		for (int i = 0; i < 3 * NESTING_MAX; i++)
			buf_puts(&b, "Content-Type: message/rfc822\r\n\r\n");
		buf_puts(&b, high ? "A: b\r\n\r\n\xfc\r\n" : "A: b\r\n");
		scan(buf_data(&b), buf_len(&b), BOTH, 0, &plan);
		check(plan.n == 0 && plan.impossible == high, "depth");
		mime_plan_free(&plan);
		buf_free(&b);
	}
}

static int refuse(void *ctx, char *dst, size_t n, uint64_t at)
{
	(void)ctx, (void)dst, (void)n, (void)at;
	errno = EIO;
	return -1;
}

static void test_errors(void)
{
	static const char text[] = "A: b\r\n\r\n0123456789 \xfc\r\n";
	struct cursor c = cursor_on(text, strlen(text));
	struct mime_plan plan;
	struct mime_reader r;
	struct buf out;

	scan(text, strlen(text), BOTH, 0, &plan);
	buf_init(&out, 64);
	mime_reader_init(&r, &plan, refuse, NULL, strlen(text));
	errno = 0;
	check(mime_reader_next(&r, &out, 10) == -1 && errno == EIO, "EIO");
	check(mime_reader_size(&plan, refuse, NULL, strlen(text)) == -1,
	      "EIO");
	mime_reader_init(&r, &plan, pull, &c, strlen(text));
	check(mime_reader_next(&r, &out, 1000) == -1 && errno == ENOBUFS,
	      "ENOBUFS");
	buf_free(&out);
	mime_plan_free(&plan);
}

/* ---- the filter -------------------------------------------------------- */

static int convert(const char *flags)
{
	int mend = (strchr(flags, 'l') ? MIME_LONG_LINES : 0) |
		(strchr(flags, '8') ? MIME_EIGHT_BIT : 0);
	struct mime_plan plan;
	struct buf in, out;
	bool good;
	size_t n;

	buf_init(&in, CEILING);
	buf_init(&out, CEILING);
	do {
		n = fread(buf_room(&in, 65536), 1, 65536, stdin);
		buf_grew(&in, n);
	} while (n);
	scan(buf_str(&in), buf_len(&in), mend, 0, &plan);
	good = apply(&plan, buf_data(&in), buf_len(&in), 0, &out) &&
		fwrite(buf_str(&out), 1, buf_len(&out), stdout) ==
		buf_len(&out) && fflush(stdout) == 0;
	n = plan.impossible;
	mime_plan_free(&plan);
	buf_free(&in);
	buf_free(&out);
	return !good ? 1 : n ? 3 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--convert") == 0)
		return convert(argv[2]);
	test_cases();
	test_trees();
	test_damage();
	test_memory();
	test_edits();
	test_depth();
	test_errors();
	return check_done("mime");
}
