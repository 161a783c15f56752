/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Whose password it is: see confguard.h.  The one idea: a password is for the
 * host it was configured with, whoever calls us with whatever arguments, so it
 * stays with its source.  Where a later one names another SmartHost (the
 * environment, -O, a section), or an argument says how the server is found or
 * by what it is known, what was said before of user and password is forgotten.
 * A password of another kind takes the place of the one before.
 */
#include "out/confguard.h"
#include "lib/util.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(f) offsetof(struct conf, f)

static const size_t secrets[] = {
	AT(route_user),		/* first: it may stay with a new password */
	AT(route_password), AT(route_password_file),
	AT(route_password_command),
};
static const struct { size_t at; bool argument; } guards[] = {
	{ AT(smart_hosts), false },	/* first; whatever source moves it */
	{ AT(remote_port), true }, { AT(name_servers), true },
	{ AT(tls_level), true }, { AT(always_use_ssl), true },
	{ AT(tls_ca_file), true }, { AT(tls_ca_dir), true },
	{ AT(tls_fingerprints), true }, { AT(tls_min_protocol), true },
	{ AT(tls_ciphers), true }, { AT(auth_in_clear), true },
};
#define NSECRETS (sizeof secrets / sizeof secrets[0])
#define NGUARDS (sizeof guards / sizeof guards[0])

static const char **before;	/* src->texts, as the last source left them */
static bool moved[NGUARDS];	/* since the file */
/* Their rows: looked up once, for there may be thousands of sections. */
static size_t secret_row[NSECRETS], guard_row[NGUARDS];

static size_t row_of(const struct confsource *src, size_t at)
{
	size_t i = 0;

	while (i < src->nrows && src->rows[i].v.at != at)
		i++;
	if (i == src->nrows)
		bug("a setting that is guarded is in no table");
	return i;
}

static void remember(const struct confsource *src)
{
	size_t i;

	free(before);
	before = xcalloc(src->nrows, sizeof *before);
	for (i = 0; src->texts && i < src->nrows; i++)
		before[i] = src->texts[i];
}

void confguard_begin(const struct confsource *src)
{
	size_t k;

	for (k = 0; k < NSECRETS; k++)
		secret_row[k] = row_of(src, secrets[k]);
	for (k = 0; k < NGUARDS; k++)
		guard_row[k] = row_of(src, guards[k].at);
	memset(moved, 0, sizeof moved);
	remember(src);
}

void confguard_source(struct confsource *src, bool argument)
{
	bool other = false, password = false;
	size_t i, k;

	if (!src->texts)
		return;
	for (k = 0; k < NGUARDS; k++) {
		i = guard_row[k];
		if (src->texts[i] == before[i] ||
		    (guards[k].argument && !argument))
			continue;
		if (!before[i] || strcmp(src->texts[i], before[i]) != 0)
			moved[k] = other = true;
	}
	for (k = 1; k < NSECRETS; k++) {
		i = secret_row[k];
		password |= src->texts[i] != before[i];
	}
	for (k = 0; k < NSECRETS; k++) {
		i = secret_row[k];
		if (src->texts[i] == before[i] && (other || (password && k)))
			src->texts[i] = NULL;
	}
	remember(src);
}

void confguard_section(const char **texts, struct conf *c)
{
	bool other = texts[guard_row[0]] != NULL;
	bool password = false, diverted = false, own;
	size_t k;

	for (k = 0; k < NGUARDS; k++)
		diverted |= moved[k] && !texts[guard_row[k]];
	for (k = 1; k < NSECRETS; k++)
		password |= texts[secret_row[k]] != NULL;
	for (k = 0; k < NSECRETS; k++) {
		own = texts[secret_row[k]] != NULL;
		if (diverted || (!own && (other || (password && k))))
			*(const char **)((char *)c + secrets[k]) = "";
	}
}
