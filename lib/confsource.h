/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * From file, environment and -O to one text for each setting, and to one
 * more set of texts for each [domain] section.  What the texts mean in the
 * end is conf.c's affair; here each is tried once, so that an error can name
 * its line.
 */
#ifndef LIB_CONFSOURCE_H
#define LIB_CONFSOURCE_H

#include "lib/confvalue.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	CONF_ANYONE = 1,	/* may be set by -O with borrowed rights */
	CONF_GUARDED = 4,	/* starts a program, or writes a file: never
				 * believed where src->guarded is set */
	CONF_DOMAIN = 2,	/* may stand in a [domain] section */
};

/* One setting: a row of conf.c's table. */
struct confrow {
	const char *name;
	struct confvalue v;
	const char *def;	/* the default as text */
	const char *shown;	/* ... as the manual says it, if otherwise */
	unsigned flags;
	const char *iis;	/* the default there, under the same name */
	const char *sendmail;	/* the name there: -O takes it too */
	const char *sendmail_def;
	const char *group;	/* begins a group in the manual */
	const char *help;	/* one sentence */
	const char *why;	/* the rest, and why this default */
};

struct confsection {
	const char *name;	/* "example.com"; ".example.com" for *. */
	const char **texts;	/* one a row; NULL: not given */
	void *conf;		/* the caller's; freed with the section */
};

/* What has been read.  Set the first three and zero the rest. */
struct confsource {
	const struct confrow *rows;
	size_t nrows;
	void *spare;		/* a struct to try values on */

	const char **texts;	/* one a row; NULL: not given */
	/* Found by hash: slots is a power of two, at least twice as many as
	 * sections; free ones are NULL. */
	struct confsection **slot;
	size_t nslots, nsections;

	bool guarded;		/* of the source that is read now */
	char *error;		/* where the one error line goes */
	size_t errsize;
};

/* Empties it, and what confvalue keeps. */
void confsource_forget(struct confsource *src);

/* Each returns 0 or an exit status with the error line written; a later text
 * replaces an earlier one.  missing: the file need not exist. */
int confsource_file(struct confsource *src, const char *file, bool missing);
/* "SENDMAIL_<KEY>=value"; list ends with NULL and may be NULL. */
int confsource_environ(struct confsource *src, char *const *list);
/* "Key=value".  borrowed: only rows marked CONF_ANYONE. */
int confsource_option(struct confsource *src, const char *text, bool borrowed);

/* The section that fits a domain best: its own, else the longest *.suffix.
 * NULL if none does. */
const struct confsection *confsource_find(const struct confsource *src,
					  const char *domain);

#endif
