/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The forms a setting's value may take, and how each is read from text into
 * a field of a struct.  Which settings there are is conf.c's affair.
 */
#ifndef LIB_CONFVALUE_H
#define LIB_CONFVALUE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sentence that says what is wrong with a value. */
#define CONFVALUE_WHY 640

struct confvalue;

/* A form: "must be <form> from <min> to <max><unit>".  set reads text into
 * the field of base; it may write a better end of that sentence into why.
 * The text must live as long as base: strings point into it. */
struct confkind {
	const char *form, *unit;
	bool (*set)(const struct confvalue *v, void *base, const char *text,
		    char *why);
};

/* A word and what it stands for.  A single letter is for programs: it is
 * read, but not shown. */
struct confword {
	const char *word;
	int value;
};

/* The value of one setting: its form and its field. */
struct confvalue {
	const struct confkind *kind;
	size_t at;			/* offsetof the field */
	int64_t min, max;		/* of numbers; both 0: any */
	const struct confword *words;	/* of choices; ended by NULL */
};

extern const struct confkind
	confvalue_flag,		/* bool */
	confvalue_number,	/* int, unsigned */
	confvalue_minutes,	/* int */
	confvalue_kbytes,	/* int64_t */
	confvalue_seconds,	/* unsigned */
	confvalue_size,		/* uint64_t */
	confvalue_choice,	/* an enum */
	confvalue_name,		/* const char *: one of words, as spelt there */
	confvalue_path,		/* const char *, as all below; "": unset */
	confvalue_log,		/* a path or "stderr" */
	confvalue_host,
	confvalue_address,
	confvalue_ip,
	confvalue_servers,	/* "ip:port,[ip]:port" */
	confvalue_mask,		/* uint64_t, by verb_parse(outbound) */
	confvalue_mask_inbound,	/* the same, inbound */
	confvalue_domains;	/* const char *const *, sorted without case */

/* Reads text.  False with why holding the end of the sentence
 * 'Key "text" ...'. */
bool confvalue_set(const struct confvalue *v, void *base, const char *text,
		   char why[CONFVALUE_WHY]);
/* "a number from 1 to 65535". */
void confvalue_form(const struct confvalue *v, struct buf *out);

/* The words of a list as an array ended by NULL; it is kept. */
const char *const *confvalue_split(const char *text, size_t *count);
/* Sorts and finds names without case. */
int confvalue_by_name(const void *a, const void *b);

/* Memory that values point to: all of it lives until confvalue_forget. */
void *confvalue_keep(void *p);
void confvalue_forget(void);

#endif
