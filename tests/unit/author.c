/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Sender fields with other addresses: tables of what goes in and comes out. */
#include "lib/author.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

static const char *const hidden[] = { "web1.example.com", "localhost", NULL };
static const struct author_mask mask = { "example.com", hidden };
static const struct author_mask none = { "", hidden };

static const struct { const char *value, *masked, *forced; } rows[] = {
	{ " root@web1.example.com", " root@example.com", " x@y.test" },
	{ " root", " root@example.com", " x@y.test" },
	{ " root (Cron Daemon)", " root@example.com (Cron Daemon)",
	  " x@y.test (Cron Daemon)" },
	{ " Web Shop <www-data@WEB1.example.com>",
	  " Web Shop <www-data@example.com>", " Web Shop <x@y.test>" },
	{ " \"Bob, the first\" <bob@far.test>",
	  " \"Bob, the first\" <bob@far.test>",
	  " \"Bob, the first\" <x@y.test>" },
	{ " =?utf-8?q?J=C3=B6rg?=\r\n <joerg@localhost>",
	  " =?utf-8?q?J=C3=B6rg?=\r\n <joerg@example.com>",
	  " =?utf-8?q?J=C3=B6rg?=\r\n <x@y.test>" },
	{ " a@localhost, Bea <b@far.test>, c",
	  " a@example.com, Bea <b@far.test>, c@example.com", " x@y.test" },
	{ " sub@a.web1.example.com", " sub@a.web1.example.com", " x@y.test" },
	{ " undisclosed:;", " undisclosed:;", " x@y.test" },
	{ " <>", " <>", " <x@y.test>" },
	{ " not an address at all <", " not an address at all <",
	  " x@y.test" },
	{ "", "", " x@y.test" },
};

static void check_rows(void)
{
	struct buf b;
	size_t i, n;

	buf_init(&b, 1024);
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		n = strlen(rows[i].value);
		buf_clear(&b);
		check(author_mask(&b, rows[i].value, n, &mask),
		      rows[i].value);
		check_str(rows[i].value, buf_str(&b),
			  rows[i].masked);
		buf_clear(&b);
		check(author_mask(&b, rows[i].value, n, &none),
		      rows[i].value);
		check_str(rows[i].value, buf_str(&b),
			  rows[i].value);
		buf_clear(&b);
		check(author_force(&b, rows[i].value, n, "x@y.test"),
		      rows[i].value);
		check_str(rows[i].value, buf_str(&b),
			  rows[i].forced);
	}
	buf_free(&b);
}

static void check_addresses(void)
{
	static const struct { const char *address, *masked; } list[] = {
		{ "", "" }, { "root", "root@example.com" },
		{ "a@localhost", "a@example.com" },
		{ "\"a@b\"@localhost", "\"a@b\"@example.com" },
		{ "a@far.test", "a@far.test" },
	};
	char *got;
	size_t i;

	for (i = 0; i < sizeof list / sizeof *list; i++) {
		got = author_masked(list[i].address, &mask);
		check_str(list[i].address, got, list[i].masked);
		free(got);
		got = author_masked(list[i].address, &none);
		check_str(list[i].address, got, list[i].address);
		free(got);
	}
}

static void check_is(void)
{
	static const struct {
		const char *value;
		bool is, several;
	} list[] = {
		{ " Bob <bob@far.test>", true, false },
		{ " bob@FAR.test", true, false },
		{ " bob (at home)", true, false },
		{ " Bob@far.test", false, false },
		{ " bob@far.test, amy@far.test", false, true },
		{ " amy", false, false }, { "", false, false },
	};
	bool several;
	size_t i;

	for (i = 0; i < sizeof list / sizeof *list; i++) {
		check(author_is(list[i].value, strlen(list[i].value),
				"bob@far.test", "far.test", &several) ==
		      list[i].is, list[i].value);
		check(several == list[i].several, list[i].value);
	}
}

int main(void)
{
	check_rows();
	check_addresses();
	check_is();
	return check_done("author");
}
