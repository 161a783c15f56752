/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Advice that outlives a process: see state.h. */
#include "out/state.h"
#include "config.h"
#include "conf.h"
#include "lib/buf.h"
#include "lib/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Hosts remembered; a list that is longer is an attack or a bug. */
#define STATE_MAX (64 * 1024)

static const char *path_of(const char *name, char dst[4096])
{
	snprintf(dst, 4096, "%s/%s", conf()->state_dir, name);
	return dst;
}

/* The lines "host<blank>number" of a state file; NULL if there is none. */
static char *load(const char *name)
{
	char path[4096];

	return read_file(path_of(name, path), STATE_MAX, NULL);
}

/* Takes the next line apart.  False at the end. */
static bool next(char **at, char **host, uint64_t *when)
{
	char *line, *number;

	while ((line = strsep(at, "\n")) != NULL) {
		number = strchr(line, ' ');
		if (!number)
			continue;
		*number++ = '\0';
		*host = line;
		if (parse_number(number, UINT64_C(1) << 60, when))
			return true;
	}
	return false;
}

bool state_no_bdat(const char *host, time_t now)
{
	char *text = load("no-bdat"), *at = text, *name;
	bool known = false;
	uint64_t when;

	while (at && next(&at, &name, &when))
		if (strcasecmp(name, host) == 0 && (time_t)when <= now &&
		    now - (time_t)when < BDAT_MEMORY_SECONDS)
			known = true;
	free(text);
	return known;
}

/* The whole file anew: what is still fresh, and this host. */
void state_set_no_bdat(const char *host, time_t now)
{
	char *text = load("no-bdat"), *at = text, *name;
	char path[4096], tmp[4096 + 32];
	struct buf b;
	uint64_t when;
	int fd;

	buf_init(&b, STATE_MAX);
	buf_printf(&b, "%s %lld\n", host, (long long)now);
	while (at && next(&at, &name, &when))
		if (strcasecmp(name, host) != 0 && (time_t)when <= now &&
		    now - (time_t)when < BDAT_MEMORY_SECONDS)
			buf_printf(&b, "%s %llu\n", name,
				   (unsigned long long)when);
	free(text);
	mkdir(conf()->state_dir, 02770);
	snprintf(tmp, sizeof tmp, "%s.%ld", path_of("no-bdat", path),
		 (long)getpid());
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0660);
	if (fd >= 0) {
		if (write_full(fd, buf_data(&b), buf_len(&b)) != 0 ||
		    rename(tmp, path) != 0)
			unlink(tmp);
		close(fd);
	}
	buf_free(&b);
}
