/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* The table of settings as text. */
#ifndef LIB_CONFMANUAL_H
#define LIB_CONFMANUAL_H

#include "lib/buf.h"
#include "lib/confsource.h"

#include <stdbool.h>
#include <stddef.h>

/* All rows: as mdoc for mailroot.conf(5), else one line each for --settings. */
void confmanual_print(const struct confrow *rows, size_t n, bool mdoc,
		      struct buf *out);

#endif
