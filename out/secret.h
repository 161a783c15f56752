/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The password of RouteUserName: from the setting, a file, or a command.
 * Asked for when a session is about to need it, never before.
 */
#ifndef OUT_SECRET_H
#define OUT_SECRET_H

#include "conf.h"

/*
 * The secret as a string the caller wipes with secret_free; "" if none is
 * configured.  NULL with one sentence in why: the file cannot be read or has
 * none, the command failed or took over 10 s.  The command runs while
 * everything else waits, at most once a minute for one command: its word, and
 * its failure, are kept so long.  A file that everybody can read works and is
 * logged as an alert.
 */
char *secret_get(const struct conf *c, char *why, size_t size);
void secret_free(char *secret);

#endif
