/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A fuzz target that runs by itself: the files of a folder as its corpus, then
 * inputs made from fixed seeds, so that what failed once fails again.  A broken
 * promise aborts; who comes to the end has passed.
 */
#ifndef TESTS_FUZZ_DRIVER_H
#define TESTS_FUZZ_DRIVER_H

#include "lib/buf.h"
#include "lib/util.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct driver {
	const char *name;		/* of the target */
	const char *corpus;		/* a folder of *.smtp */
	uint64_t seeds;
	void (*file)(const char *name);
	void (*make)(struct buf *b, uint64_t seed);
	int (*try)(const uint8_t *p, size_t n);
};

static inline int driver_is_dialogue(const struct dirent *d)
{
	return ends_with_nocase(d->d_name, ".smtp");
}

/* Returns how many there were. */
static inline int driver_corpus(const struct driver *d)
{
	struct dirent **names;
	int i, n = scandir(d->corpus, &names, driver_is_dialogue, alphasort);
	char name[1024];

	if (n <= 0)
		die(EXIT_IOERR, "%s: nothing there", d->corpus);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%s", d->corpus,
			 names[i]->d_name);
		d->file(name);
		free(names[i]);
	}
	free(names);
	return n;
}

/* With arguments: these files in place of the corpus. */
static inline int driver_run(const struct driver *d, int argc, char **argv)
{
	int i, files = argc - 1;
	struct buf b;
	uint64_t seed;

	for (i = 1; i < argc; i++)
		d->file(argv[i]);
	if (argc == 1)
		files = driver_corpus(d);
	buf_init(&b, 1 << 20);
	for (seed = 1; seed <= d->seeds; seed++) {
		buf_clear(&b);
		d->make(&b, seed);
		d->try((uint8_t *)buf_data(&b), buf_len(&b));
	}
	buf_free(&b);
	printf("fuzz/%s: %" PRIu64 " passed, 0 failed\n", d->name,
	       (uint64_t)files + d->seeds);
	return 0;
}

#endif
