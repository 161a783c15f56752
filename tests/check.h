/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What a unit test needs: count, say which case failed and what was wanted,
 * end with the line tests/run adds up.  A test is a table and a loop.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned check_passed, check_failed;

/* One assertion; name says which case of which table. */
static inline bool check(bool good, const char *name)
{
	if (good) {
		check_passed++;
	} else {
		check_failed++;
		printf("FAILED %s\n", name);
	}
	return good;
}

static inline bool check_bytes(const char *name, const char *got, size_t ngot,
			       const char *want, size_t nwant)
{
	bool good = ngot == nwant && memcmp(got, want, ngot) == 0;

	if (!check(good, name))
		printf("  want (%zu): %.*s\n  got  (%zu): %.*s\n", nwant,
		       (int)nwant, want, ngot, (int)ngot, got);
	return good;
}

static inline bool check_str(const char *name, const char *got,
			     const char *want)
{
	return check_bytes(name, got ? got : "(null)",
			   strlen(got ? got : "(null)"), want, strlen(want));
}

static inline bool check_int(const char *name, long long got, long long want)
{
	if (!check(got == want, name))
		printf("  want: %lld\n  got:  %lld\n", want, got);
	return got == want;
}

/* The last line of every test program; its value is main's. */
static inline int check_done(const char *program)
{
	printf("%s: %u passed, %u failed\n", program, check_passed,
	       check_failed);
	return check_failed != 0;
}

#endif
