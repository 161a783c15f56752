/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Whose password it is: a rule of conf.c's that needs a page of its own. */
#ifndef OUT_CONFGUARD_H
#define OUT_CONFGUARD_H

#include "conf.h"
#include "lib/confsource.h"

#include <stdbool.h>

/* The file has been read. */
void confguard_begin(const struct confsource *src);
/* Another source has: user and password that are not for what it says are
 * taken out of src->texts.  argument: it is -O. */
void confguard_source(struct confsource *src, bool argument);
/* The same for a section with these texts; c has its values already. */
void confguard_section(const char **texts, struct conf *c);

#endif
