/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Tests of lib/codec.  Everything that takes pieces is run with every size of
 * piece: the result must not depend on where the text was cut.
 */
#include "lib/codec.h"

#include "config.h"
#include "tests/check.h"

#include <stdlib.h>

#define COUNT(table) (sizeof (table) / sizeof *(table))

enum { ROOM = 1 << 22 };

static void label(char *dst, size_t size, const char *name, size_t piece)
{
	snprintf(dst, size, "%s (pieces of %zu)", name, piece);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- intake -------------------------------------------------------------- */

struct intake_case {
	const char *name, *in, *want;
	bool dots;
	bool ended, eight;
	size_t longest;
};

static const struct intake_case intake_cases[] = {
	{ "empty", "", "", 0, 0, 0, 0 },
	{ "lf", "a\nb\n", "a\r\nb\r\n", 0, 0, 0, 1 },
	{ "crlf", "a\r\nb\r\n", "a\r\nb\r\n", 0, 0, 0, 1 },
	{ "mixed", "a\r\nbc\nd\r\n", "a\r\nbc\r\nd\r\n", 0, 0, 0, 2 },
	{ "many CRs", "a\r\r\r\nb\n", "a\r\nb\r\n", 0, 0, 0, 1 },
	{ "bare CR", "a\rb\n", "a b\r\n", 0, 0, 0, 3 },
	{ "two bare CRs", "a\r\rb\n", "a  b\r\n", 0, 0, 0, 4 },
	{ "CR first", "\rb\n", " b\r\n", 0, 0, 0, 2 },
	{ "CR and LF alone", "\r\n\r\n", "\r\n\r\n", 0, 0, 0, 0 },
	{ "no last end", "a\nb", "a\r\nb\r\n", 0, 0, 0, 1 },
	{ "CR at the end", "a\r", "a\r\n", 0, 0, 0, 1 },
	{ "CR alone", "\r", "\r\n", 0, 0, 0, 0 },
	{ "LF CR", "a\n\rb\n", "a\r\n b\r\n", 0, 0, 0, 2 },
	{ "smuggling", "a\r\n.\rMAIL\n.\n", "a\r\n. MAIL\r\n.\r\n",
	  0, 0, 0, 6 },
	{ "dot kept with -i", "a\n.\nb\n", "a\r\n.\r\nb\r\n", 0, 0, 0, 1 },
	{ "dots kept with -i", "..\n..a\n", "..\r\n..a\r\n", 0, 0, 0, 3 },
	{ "dot ends", "a\n.\nb\n", "a\r\n", 1, 1, 0, 1 },
	{ "dot CRLF ends", "a\r\n.\r\nb\r\n", "a\r\n", 1, 1, 0, 1 },
	{ "dot CR CR LF ends", "a\n.\r\r\nb\n", "a\r\n", 1, 1, 0, 1 },
	{ "dot first", ".\nb\n", "", 1, 1, 0, 0 },
	{ "dot last", "a\n.", "a\r\n", 1, 1, 0, 1 },
	{ "dot CR last", "a\n.\r", "a\r\n", 1, 1, 0, 1 },
	{ "two dots", "..\nb\n", ".\r\nb\r\n", 1, 0, 0, 1 },
	{ "two dots and text", "..a\n", ".a\r\n", 1, 0, 0, 2 },
	{ "three dots", "...\n", "..\r\n", 1, 0, 0, 2 },
	{ "one dot and text", ".a\n", ".a\r\n", 1, 0, 0, 2 },
	{ "dot in the middle", "a.\na..b\n", "a.\r\na..b\r\n", 1, 0, 0, 4 },
	{ "dot CR text", ".\rx\n", ". x\r\n", 1, 0, 0, 3 },
	{ "CR dot", "\r.\nx\n", " .\r\nx\r\n", 1, 0, 0, 2 },
	{ "dot blank", ". \nx\n", ". \r\nx\r\n", 1, 0, 0, 2 },
	{ "8 bit", "a\n\303\244\n", "a\r\n\303\244\r\n", 0, 0, 1, 2 },
	{ "8 bit after 8", "12345678\377\n", "12345678\377\r\n", 0, 0, 1, 9 },
};

static void intake_run(const char *name, struct intake *in, const char *p,
		       size_t n, size_t piece, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < n; i += piece)
		check(intake_feed(in, p + i, least(piece, n - i), out), name);
	check(intake_end(in, out), name);
}

static void test_intake(struct buf *out)
{
	char name[128];

	for (size_t i = 0; i < COUNT(intake_cases); i++) {
		const struct intake_case *c = &intake_cases[i];
		size_t n = strlen(c->in);

		for (size_t piece = 1; piece <= n + 1; piece++) {
			struct intake in = { .dots = c->dots };

			label(name, sizeof name, c->name, piece);
			intake_run(name, &in, c->in, n, piece, out);
			check_str(name, buf_str(out), c->want);
			check_int(name, in.ended, c->ended);
			check_int(name, in.eight_bit, c->eight);
			check_int(name, (long long)in.longest,
				  (long long)c->longest);
			check(!in.nul, name);
		}
	}
}

static void test_intake_more(struct buf *out)
{
	static char crs[5000];
	struct intake in = { 0 }, small = { 0 };
	struct buf tiny;

	intake_run("NUL", &in, "a\0b\n", 4, 1, out);
	check(in.nul, "NUL seen");
	check_bytes("NUL kept", buf_data(out), buf_len(out), "a\0b\r\n", 5);

	/* A feed may never append more than 2 n + 1001 octets. */
	memset(crs, '\r', sizeof crs);
	in = (struct intake){ 0 };
	buf_clear(out);
	intake_feed(&in, crs, sizeof crs, out);
	check(buf_len(out) >= sizeof crs - 998, "CRs are not held for ever");
	buf_clear(out);
	intake_feed(&in, "x", 1, out);
	check(buf_len(out) <= 1003, "few CRs are held");
	check(!memchr(buf_data(out), '\r', buf_len(out)), "CRs are blanks");

	buf_init(&tiny, 3);
	check(!intake_feed(&small, "abcdef\n", 7, &tiny), "out is full");
	buf_free(&tiny);
}

/* ---- dots ---------------------------------------------------------------- */

static const struct { const char *name, *in, *want; } dot_cases[] = {
	{ "nothing", "", "" },
	{ "no dots", "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "first", ".\r\n", "..\r\n" },
	{ "second line", "a\r\n.b\r\n", "a\r\n..b\r\n" },
	{ "two", "..\r\n..\r\n", "...\r\n...\r\n" },
	{ "inside", "a.b\r\nc.\r\n", "a.b\r\nc.\r\n" },
	{ "every line", ".\r\n.\r\n.\r\n", "..\r\n..\r\n..\r\n" },
	{ "after an empty line", "\r\n\r\n.x\r\n", "\r\n\r\n..x\r\n" },
};

static void test_dots(struct buf *out)
{
	char name[128];

	for (size_t i = 0; i < COUNT(dot_cases); i++) {
		size_t n = strlen(dot_cases[i].in);

		for (size_t piece = 1; piece <= n + 1; piece++) {
			bool bol = true;

			label(name, sizeof name, dot_cases[i].name, piece);
			buf_clear(out);
			for (size_t k = 0; k < n; k += piece)
				stuff_dots(&bol, dot_cases[i].in + k,
					   least(piece, n - k), out);
			check_str(name, buf_str(out), dot_cases[i].want);
			check(bol, name);
		}
	}
}

/* ---- base64 -------------------------------------------------------------- */

static const struct { const char *in, *want; } base64_cases[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" }, { "\377\376\375", "//79" },
	{ "\373\360\001", "+/AB" },
};

static const char *const base64_bad[] = {
	"Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v=", "Zm 9", "Zm9\n",
	"Zm9v\r\n", "=Zm9", "Zm=v", "Zm9-", "Zm9_", "\303\244ab",
};

static void test_base64(struct buf *out)
{
	for (size_t i = 0; i < COUNT(base64_cases); i++) {
		const char *in = base64_cases[i].in;

		buf_clear(out);
		check(base64_encode(out, in, strlen(in)), "base64 encode");
		check_str("base64 encode", buf_str(out), base64_cases[i].want);
		buf_clear(out);
		check(base64_decode(out, base64_cases[i].want,
				    strlen(base64_cases[i].want)),
		      "base64 decode");
		check_str("base64 decode", buf_str(out), in);
	}
	for (size_t i = 0; i < COUNT(base64_bad); i++) {
		buf_clear(out);
		buf_puts(out, "kept");
		check(!base64_decode(out, base64_bad[i],
				     strlen(base64_bad[i])), base64_bad[i]);
		check_str("nothing of it", buf_str(out), "kept");
	}
}

/* Undoes base64_lines and looks at its lines on the way. */
static void undo_base64(const char *name, struct buf *in, struct buf *out)
{
	struct cursor c;
	const char *line;
	size_t n, left = buf_len(in);

	c = cursor_on(buf_str(in), left);
	check(left == 0 || buf_str(in)[left - 1] == '\n', name);
	while (cursor_line(&c, &line, &n)) {
		check(n == 76 || !cursor_left(&c), name);
		check(n > 0 && n <= 76 && base64_decode(out, line, n), name);
	}
}

/* Decodes quoted-printable, strictly: what must not be there is a fault. */
static void undo_qp(const char *name, struct buf *in, struct buf *out)
{
	struct cursor c = cursor_on(buf_str(in), buf_len(in));
	const char *line;
	char hex[3] = "";
	size_t n;

	check(buf_len(in) == 0 || buf_str(in)[buf_len(in) - 1] == '\n', name);
	while (cursor_line(&c, &line, &n)) {
		bool soft = n && line[n - 1] == '=';

		check(n <= 76 && (n != 1 || line[0] != '.'), name);
		check(n < 5 || memcmp(line, "From ", 5) != 0, name);
		check(!n || (line[n - 1] != ' ' && line[n - 1] != '\t'), name);
		for (size_t i = 0; i + soft < n; i++) {
			unsigned char u = (unsigned char)line[i];

			check(u == '\t' || (u >= ' ' && u < 127), name);
			if (u != '=') {
				buf_putc(out, line[i]);
				continue;
			}
			memcpy(hex, line + i + 1, 2);
			buf_putc(out, (char)strtoul(hex, NULL, 16));
			i += 2;
		}
		buf_puts(out, soft ? "" : "\r\n");
	}
}

/* ---- quoted-printable ---------------------------------------------------- */

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static const struct { const char *name, *in, *want; } qp_cases[] = {
	{ "nothing", "", "" },
	{ "plain", "a b\r\n", "a b\r\n" },
	{ "no last end", "a", "a=\r\n" },
	{ "equals", "a=b\r\n", "a=3Db\r\n" },
	{ "8 bit", "\303\244\r\n", "=C3=A4\r\n" },
	{ "blank at the end", "a \r\nb\t\r\n", "a=20\r\nb=09\r\n" },
	{ "blanks at the end", "a  \r\n", "a =20\r\n" },
	{ "blank, then nothing", "a ", "a=20=\r\n" },
	{ "blank line", " \r\n", "=20\r\n" },
	{ "tab inside", "a\tb\r\n", "a\tb\r\n" },
	{ "From", "From x\r\n", "=46rom x\r\n" },
	{ "From alone", "From\r\n", "From\r\n" },
	{ "From at the end", "From ", "=46rom=20=\r\n" },
	{ "Fro at the end", "Fro", "Fro=\r\n" },
	{ "From later", "a From x\r\n", "a From x\r\n" },
	{ "Frown", "Frown \r\n", "Frown=20\r\n" },
	{ "lone dot", ".\r\n", "=2E\r\n" },
	{ "dot and text", ".a\r\n..\r\n", ".a\r\n..\r\n" },
	{ "dot, then nothing", ".", "=2E=\r\n" },
	{ "bare CR", "a\rb\r\n", "a=0Db\r\n" },
	{ "bare LF", "a\nb\r\n", "a=0Ab\r\n" },
	{ "CR at the end", "a\r", "a=0D=\r\n" },
	{ "CR CR LF", "a\r\r\n", "a=0D\r\n" },
	{ "blank, bare CR", "a \rb\r\n", "a =0Db\r\n" },
	{ "blank, CR, nothing", "a \r", "a =0D=\r\n" },
	{ "dot, bare CR", ".\rb\r\n", ".=0Db\r\n" },
	{ "DEL", "\177\r\n", "=7F\r\n" },
	{ "75", X70 "12345\r\n", X70 "12345\r\n" },
	{ "77", X70 "1234567\r\n", X70 "12345=\r\n67\r\n" },
	{ "hex at 73", X70 "123\303\r\n", X70 "123=\r\n=C3\r\n" },
	{ "hex at 72", X70 "12\303\r\n", X70 "12=C3\r\n" },
	{ "From after a soft break", X70 "12345From x\r\n",
	  X70 "12345=\r\n=46rom x\r\n" },
	{ "dot after a soft break", X70 "12345.\r\n",
	  X70 "12345=\r\n=2E\r\n" },
	{ "empty lines", "\r\n\r\n", "\r\n\r\n" },
};

static void test_qp(struct buf *out)
{
	char name[128];

	for (size_t i = 0; i < COUNT(qp_cases); i++) {
		const char *in = qp_cases[i].in;
		size_t n = strlen(in);

		for (size_t piece = 1; piece <= n + 1; piece++) {
			struct encoder e = { 0 };

			label(name, sizeof name, qp_cases[i].name, piece);
			buf_clear(out);
			for (size_t k = 0; k < n; k += piece)
				qp_lines(&e, in + k, least(piece, n - k),
					 false, out);
			qp_lines(&e, "", 0, true, out);
			check_str(name, buf_str(out), qp_cases[i].want);
		}
	}
}

/* Pseudo-random text of the octets that matter; always the same. */
static void fill(char *p, size_t n, unsigned seed)
{
	static const char some[] = "\r\n\r\n. .=\tFrom From ab\303\244z\0";

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245u + 12345u;
		p[i] = some[(seed >> 16) % sizeof some];
	}
}

static void test_round_trips(struct buf *out)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 56, 57, 58, 77, 1000 };
	char text[1000], name[64];
	struct buf back;

	buf_init(&back, ROOM);
	for (unsigned seed = 0; seed < 60; seed++) {
		size_t n = seed < 20 ? seed : 40 + seed * 16;
		size_t piece = pieces[seed % 9];
		struct encoder b = { 0 }, q = { 0 };

		fill(text, n, seed);
		snprintf(name, sizeof name, "round trip %u", seed);
		buf_clear(out);
		buf_clear(&back);
		for (size_t k = 0; k < n || !k; k += piece)
			base64_lines(&b, text + k, least(piece, n - k),
				     k + piece >= n, out);
		undo_base64(name, out, &back);
		check_bytes(name, buf_str(&back), buf_len(&back), text, n);

		buf_clear(out);
		buf_clear(&back);
		for (size_t k = 0; k < n || !k; k += piece)
			qp_lines(&q, text + k, least(piece, n - k),
				 k + piece >= n, out);
		undo_qp(name, out, &back);
		check_bytes(name, buf_str(&back), buf_len(&back), text, n);
	}
	buf_free(&back);
}

/* ---- xtext --------------------------------------------------------------- */

static const struct { const char *plain, *coded; } xtext_cases[] = {
	{ "", "" }, { "abc", "abc" }, { "a+b", "a+2Bb" }, { "a=b", "a+3Db" },
	{ "a b", "a+20b" }, { "\303\244", "+C3+A4" }, { "\177", "+7F" },
	{ "rfc822;a@b", "rfc822;a@b" },
};

static const char *const xtext_bad[] = {
	"+", "+2", "a+", "a+2", "+2b", "+GG", "a b", "a=b", "\303", "a\n",
	"+ 2", "a\177",
};

static void test_xtext(struct buf *out)
{
	for (size_t i = 0; i < COUNT(xtext_cases); i++) {
		buf_clear(out);
		xtext_encode(out, xtext_cases[i].plain);
		check_str("xtext", buf_str(out), xtext_cases[i].coded);
		buf_clear(out);
		check(xtext_decode(out, xtext_cases[i].coded), "xtext");
		check_str("xtext", buf_str(out), xtext_cases[i].plain);
		check(xtext_valid(xtext_cases[i].coded, 10), "xtext valid");
	}
	for (size_t i = 0; i < COUNT(xtext_bad); i++) {
		buf_clear(out);
		check(!xtext_valid(xtext_bad[i], 100), xtext_bad[i]);
		check(!xtext_decode(out, xtext_bad[i]), xtext_bad[i]);
		check(buf_len(out) == 0, "nothing decoded");
	}
	check(!xtext_valid("abcd", 3), "xtext too long");
	check(xtext_valid("abc", 3), "xtext long enough");
}

/* ---- UTF-8 and encoded words --------------------------------------------- */

static const struct { const char *in; size_t want; } utf8_cases[] = {
	{ "", 0 }, { "a", 1 }, { "\303\244", 2 }, { "\303", 0 },
	{ "\303x", 0 }, { "\244", 0 }, { "\300\200", 0 }, { "\301\277", 0 },
	{ "\342\202\254", 3 }, { "\340\237\277", 0 }, { "\340\240\200", 3 },
	{ "\355\240\200", 0 }, { "\355\237\277", 3 }, { "\342\202", 0 },
	{ "\360\237\230\200", 4 }, { "\360\217\277\277", 0 },
	{ "\364\217\277\277", 4 }, { "\364\220\200\200", 0 },
	{ "\365\200\200\200", 0 }, { "\377", 0 }, { "\360\237\230x", 0 },
};

static const struct { const char *name, *in; size_t column; const char *want; }
word_cases[] = {
	{ "nothing", "", 9, "" },
	{ "one", "Gr\303\274n", 9, "=?utf-8?Q?Gr=C3=BCn?=" },
	{ "blank", "\303\274 b", 9, "=?utf-8?Q?=C3=BC_b?=" },
	{ "specials", "\303\274(a,b)\"", 9,
	  "=?utf-8?Q?=C3=BC=28a=2Cb=29=22?=" },
	{ "question", "abcdefgh\303\274?_=", 9,
	  "=?utf-8?Q?abcdefgh=C3=BC=3F=5F=3D?=" },
	{ "latin 1", "Gr\374n und bunt", 9,
	  "=?iso-8859-1?Q?Gr=FCn_und_bunt?=" },
	{ "base64 is shorter", "\316\261\316\262\316\263", 9,
	  "=?utf-8?B?zrHOss6z?=" },
	{ "late column", "\360\237\230\200\360\237\230\200", 70,
	  "=?utf-8?B?8J+YgPCfmIA=?=" },
};

/* Checks the outer form, and decodes, joining neighbours. */
static void undo_words(const char *name, struct buf *in, struct buf *out)
{
	struct cursor c = cursor_on(buf_str(in), buf_len(in));
	const char *line;
	char hex[3] = "";
	size_t n;

	for (bool first = true; cursor_line(&c, &line, &n); first = false) {
		size_t from = first ? 10 : 11, before = buf_len(out);

		check(n - !first <= 75 && n >= from + 2, name);
		check(first || line[0] == ' ', name);
		check(memcmp(line + n - 2, "?=", 2) == 0, name);
		if (line[from - 2] == 'B') {
			check(base64_decode(out, line + from, n - 2 - from),
			      name);
		} else for (size_t i = from; i < n - 2; i++) {
			if (line[i] != '=') {
				buf_putc(out, line[i] == '_' ? ' ' : line[i]);
				continue;
			}
			memcpy(hex, line + i + 1, 2);
			buf_putc(out, (char)strtoul(hex, NULL, 16));
			i += 2;
		}
		check(utf8_valid(buf_data(out) + before,
				 buf_len(out) - before), name);
	}
}

static void test_words(struct buf *out)
{
	static const char *const units[] = {
		"\303\244", "\342\202\254", "\360\237\230\200x", "a\303\274 b",
	};
	struct buf text, back;
	char name[64];

	for (size_t i = 0; i < COUNT(utf8_cases); i++)
		check_int("utf8", (long long)utf8_char(utf8_cases[i].in,
			  strlen(utf8_cases[i].in)),
			  (long long)utf8_cases[i].want);
	for (size_t i = 0; i < COUNT(word_cases); i++) {
		buf_clear(out);
		encoded_words(out, word_cases[i].in, strlen(word_cases[i].in),
			      word_cases[i].column);
		check_str(word_cases[i].name, buf_str(out), word_cases[i].want);
	}
	buf_init(&text, ROOM);
	buf_init(&back, ROOM);
	for (size_t i = 0; i < 400; i++) {
		snprintf(name, sizeof name, "words %zu", i);
		if (i % 100 == 0)
			buf_clear(&text);
		buf_puts(&text, units[i / 100]);
		buf_clear(out);
		buf_clear(&back);
		encoded_words(out, buf_data(&text), buf_len(&text), i % 100);
		undo_words(name, out, &back);
		check_bytes(name, buf_str(&back), buf_len(&back),
			    buf_data(&text), buf_len(&text));
		if (i % 100 < 40)
			check(i % 100 + strcspn(buf_str(out), "\r") <= 76,
			      name);
	}
	buf_free(&text);
	buf_free(&back);
}

int main(void)
{
	struct buf out;

	buf_init(&out, ROOM);
	test_intake(&out);
	test_intake_more(&out);
	test_dots(&out);
	test_base64(&out);
	test_qp(&out);
	test_round_trips(&out);
	test_xtext(&out);
	test_words(&out);
	buf_free(&out);
	return check_done("codec");
}
