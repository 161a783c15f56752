/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/mime: tables of small messages with what they must become; then the
 * property that matters, on generated trees: after mending every leaf decodes
 * to the same octets, and the message is legal.  The decoder here shares no
 * code with the scanner and works the other way round: the whole message in
 * memory, split from the outermost boundary inwards.
 *
 * "mime --convert FLAGS" (l: long lines, 8: eight bit) is a filter for
 * tests/e2e/mime-python; status 3 says the plan was impossible.
 */
#include "lib/mime.h"
#include "config.h"
#include "tests/check.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>

#define BOTH	(MIME_LONG_LINES | MIME_EIGHT_BIT)
#define CEILING	((size_t)1 << 28)

/* ---- running the code under test --------------------------------------- */

static uint64_t seed;

static unsigned rnd(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((seed >> 33) % below);
}

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

/* ---- tables ------------------------------------------------------------- */

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
	{ "what has no delimiter stays", BOTH, IMPOSSIBLE,
	  MULTI "\r\n@\r\nfoo\r\n--bb\r\n", NULL },
	{ "no boundary", BOTH, IMPOSSIBLE,
	  "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n\xfc\r\n", NULL },
	{ "boundary with comments, folded, quoted", BOTH, 0,
	  "MIME-Version: 1.0\r\nContent-Type: (a (b; \\))) multipart / mixed\r\n"
	  " ; x=\"a;boundary=z\" ;\r\n\tBOUNDARY = (c) \"q \\\"b\" (d)\r\n\r\n"
	  "--q \"b\r\n\r\n0123456789 \xc3\xbc\r\n\r\n--q \"b--",
	  "MIME-Version: 1.0\r\nContent-Type: (a (b; \\))) multipart / mixed\r\n"
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

/* ---- an independent decoder --------------------------------------------- */

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
		strcpy(type, digest ? "message/rfc822" : "text/plain");
	if ((b = strcasestr(type, "boundary=\""))) {
		strcpy(boundary, b + 10);
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

/* ---- the generator -------------------------------------------------------- */

/* What is written, and what a reader must see: built side by side, so that
 * the decoder above is tested too. */
struct world {
	struct buf msg;
	struct view want;
	char outer[8][80];	/* open boundaries, for near misses */
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
			   rnd(2) ? "x" : "-- -");
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
	char *b = w->outer[depth];

	if (depth && !rnd(3))
		snprintf(b, 80, "%.60s%s", w->outer[depth - 1],
			 rnd(2) ? "x" : "-1");
	else
		snprintf(b, 80, "=_%u (%u)'%u", depth, rnd(1000), rnd(1000));
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

/* ---- the property ---------------------------------------------------------- */

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
	if (!check(buf_len(&got.b) == buf_len(&w->want.b) &&
		   !memcmp(buf_data(&got.b), buf_data(&w->want.b),
			   buf_len(&got.b)), name) && getenv("MIME_DUMP")) {
		printf("<<<<\n%s\n====\n%s\n", p, buf_str(&out));
		printf("want\n%s\n====\n%s\n", buf_data(&w->want.b),
		       buf_str(&got.b));
	}
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

/* ---- limits ------------------------------------------------------------------ */

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

/* ---- the filter ---------------------------------------------------------------- */

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
	test_memory();
	test_edits();
	test_depth();
	test_errors();
	return check_done("mime");
}
