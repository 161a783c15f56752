/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The parameters of RFC 3461, as a client of -bs and a file in Pickup give
 * them.  Pure.  What is legal here may stand in a command and in a report.
 */
#ifndef LIB_DSN_H
#define LIB_DSN_H

#include <stdbool.h>

#define DSN_NOTIFY_SIZE 24	/* "SUCCESS,FAILURE,DELAY" */

/* NOTIFY (4.1): "NEVER" alone, or a list of the others; in capitals, each once
 * and in this order, into words.  False: it is neither. */
bool dsn_notify(const char *v, char words[DSN_NOTIFY_SIZE]);
/* RET (4.3): "FULL" or "HDRS"; NULL: neither. */
const char *dsn_ret(const char *v);
/* ENVID (4.4): xtext of at most 100 octets, of printable ASCII. */
bool dsn_envid(const char *v);
/* ORCPT (4.2): "type;xtext" of at most 500, the type an atom. */
bool dsn_orcpt(const char *v);

#endif
