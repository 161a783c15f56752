/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Looking: mailq and -bp. */
#ifndef OUT_MAILQ_H
#define OUT_MAILQ_H

#include <stdbool.h>

/*
 * Lists Queue on standard output, oldest due first, without any lock.  Text in
 * sendmail's form, or with json one object a line.  Returns an exit status (0;
 * 71 with a line on stderr if the directory cannot be read; a missing one is
 * an empty queue).  mine: only the messages of the calling user.
 */
int mailq_list(bool json, bool mine);

#endif
