/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/dotted: where the text behind DATA ends and what it is, each row whole,
 * cut in two at every place, and octet by octet into the smallest room.
 * "|" in want is the end; what stands behind it is not taken.
 */
#include "lib/dotted.h"
#include "lib/buf.h"
#include "tests/check.h"

static const struct {
	const char *name, *in, *strict, *bare;	/* NULL: the same as strict */
} rows[] = {
	{ "empty", ".\r\nX", "|X", NULL },
	{ "one line", "a\r\n.\r\nX", "a\r\n|X", NULL },
	{ "no end", "a\r\n", "a\r\n", NULL },
	{ "a dot is stuffing", "..\r\n.a\r\n...\r\n.\r\n",
	  ".\r\na\r\n..\r\n|", NULL },
	{ "a dot inside", "a.\r\na.b\r\n.\r\n", "a.\r\na.b\r\n|", NULL },
	{ "an empty line before", "\r\n.\r\n", "\r\n|", NULL },
	{ "dots and CRs", ".\r.\r\n.\r\n", "\r.\r\n|", "\r.\r\n|" },
	{ "CR CR LF ends a line", "a\r\r\n.\r\nX", "a\r\r\n|X", NULL },
	/* Each of these was an end to some server (CVE-2023-51764 and others),
	 * and is none here; a client that knows no CR is the exception. */
	{ "LF . LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n|", "a\n|b\r\n.\r\n" },
	{ "LF . CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n|",
	  "a\n|b\r\n.\r\n" },
	{ "CRLF . LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n|",
	  "a\r\n|b\r\n.\r\n" },
	{ "CR . CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n|", NULL },
	{ "CRLF . CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n|", NULL },
	{ "CRLF . CR CRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n|",
	  NULL },
	{ "CR CRLF . CR CRLF", "a\r\r\n.\r\r\nb\r\n.\r\n",
	  "a\r\r\n\r\r\nb\r\n|", NULL },
	{ "CR . CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n|", NULL },
	{ "CR . LF", "a\r.\nb\r\n.\r\n", "a\r.\nb\r\n|", NULL },
	/* and what a client without CRs says */
	{ "LF lines", "a\n..\n.b\n\n.\nX", "a\n..\n.b\n\n.\nX",
	  "a\n.\nb\n\n|X" },
	{ "a dot at once, LF", ".\nX", "\nX", "|X" },
};

/* NUL is as any other octet: these have lengths. */
static const struct {
	const char *name, *in;
	size_t n;
	const char *want;
	size_t nwant;
} nuls[] = {
	{ "CRLF NUL . CRLF", "\r\n\0.\r\n", 6, "\r\n\0.\r\n", 6 },
	{ "CRLF . NUL CRLF", "\r\n.\0\r\n", 6, "\r\n\0\r\n", 5 },
};

/* In pieces of at most piece octets into room octets, into out. */
static void take(struct buf *out, const char *p, size_t n, size_t piece,
		 size_t room, bool bare)
{
	struct dotted d = { .bare = bare };
	char dst[64];
	size_t used, put, left = n;

	buf_clear(out);
	while (left > 0 && !d.ended) {
		put = dotted_take(&d, p, left < piece ? left : piece, &used,
				  dst, room);
		check(put <= room && used <= piece && used + put > 0,
		      "it goes on");
		buf_put(out, dst, put);
		p += used;
		left -= used;
		if (used + put == 0)
			return;
	}
	if (d.ended) {
		buf_putc(out, '|');
		buf_put(out, p, left);
	}
}

static void test_cut(const char *name, const char *in, size_t n,
		     const char *want, size_t nwant, bool bare)
{
	static const size_t rooms[] = { 64, 2, 3, 5 };
	struct buf out;
	size_t i, piece;

	buf_init(&out, 1000);
	for (i = 0; i < sizeof rooms / sizeof *rooms; i++)
		for (piece = 1; piece <= n; piece++) {
			take(&out, in, n, piece, rooms[i], bare);
			check_bytes(name, buf_data(&out), buf_len(&out), want,
				    nwant);
		}
	buf_free(&out);
}

int main(void)
{
	const char *want;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_cut(rows[i].name, rows[i].in, strlen(rows[i].in),
			 rows[i].strict, strlen(rows[i].strict), false);
		want = rows[i].bare ? rows[i].bare : rows[i].strict;
		test_cut(rows[i].name, rows[i].in, strlen(rows[i].in), want,
			 strlen(want), true);
	}
	for (i = 0; i < sizeof nuls / sizeof *nuls; i++)
		test_cut(nuls[i].name, nuls[i].in, nuls[i].n, nuls[i].want,
			 nuls[i].nwant, false);
	return check_done("dotted");
}
