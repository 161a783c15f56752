/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * One exchange of AUTH, RFC 4954 4: the lines around the mechanisms of
 * out/sasl.  Base64, the length of lines, what to do with a long initial
 * response, and that nothing secret is left behind or shown.
 */
#ifndef OUT_AUTH_H
#define OUT_AUTH_H

#include "lib/buf.h"
#include "out/sasl.h"

#include <stdbool.h>
#include <stddef.h>

struct auth {
	const char *mechanism;
	struct sasl *run;	/* NULL: none, or it is over */
	struct buf line;	/* the last response, in base64 */
	bool later;		/* that is the initial one, and it did not fit
				 * behind AUTH: for the first challenge */
	unsigned rounds;
};

void auth_init(struct auth *a);
/* The exchange is over: wipes all it held. */
void auth_forget(struct auth *a);
void auth_free(struct auth *a);

/* Begins: "AUTH PLAIN ..." is appended to out without CRLF.  Returns the
 * octets of it that are no secret. */
size_t auth_command(struct auth *a, const char *mechanism,
		    const struct sasl_identity *who, struct buf *out);
/* What stood behind 334: NULL, and auth_response has the answer, or one
 * sentence why the exchange must be cancelled. */
const char *auth_challenge(struct auth *a, const char *p, size_t n);
/* Appends the answer without CRLF: secret, whole. */
void auth_response(struct auth *a, struct buf *out);
/* 235: NULL, or one sentence why that is not believed. */
const char *auth_finish(struct auth *a);

/* Some servers repeat the line they did not like ("500 unrecognized: AUTH
 * PLAIN AGFs..."): our last response in what they say becomes asterisks. */
void auth_hide(const struct auth *a, char *line, size_t n);

/* Empties b and overwrites all it ever held in its present memory. */
void auth_wipe(struct buf *b);

#endif
