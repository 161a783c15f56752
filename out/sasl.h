/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * SASL mechanisms, client side, as pure functions: a challenge in, a response
 * out.  No I/O, no base64 (esmtp.c has that), no clock; the only chance is the
 * nonce that is handed in.
 */
#ifndef OUT_SASL_H
#define OUT_SASL_H

#include "lib/buf.h"

#include <stdbool.h>

/* Who we are to the server.  Strings borrowed, "" unset. */
struct sasl_identity {
	const char *user;		/* RouteUserName */
	const char *password;		/* or the OAuth 2.0 access token */
	const char *host;		/* for OAUTHBEARER */
	unsigned port;
	const char *nonce;		/* printable, without commas: SCRAM */
	bool token;			/* password is a token: only OAUTHBEARER
					 * and XOAUTH2 may be used */
};

/*
 * The strongest mechanism of those offered (blank separated, as EHLO has them;
 * NULL: as if it were all) that we know, that allowed ("" all; blanks or
 * commas) names, and that this identity can serve.  safe: the channel is in
 * TLS, or the operator wants AUTH without it; if not, there is none.  NULL:
 * none.  Order: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN;
 * OAUTHBEARER, XOAUTH2; EXTERNAL only where allowed names it.
 */
const char *sasl_choose(const char *offered, const char *allowed,
			const struct sasl_identity *who, bool safe);

struct sasl;
/* A run of this mechanism; NULL for an unknown one, or one for which this
 * identity lacks something (a nonce, a token without control characters). */
struct sasl *sasl_new(const char *mechanism, const struct sasl_identity *who);
/* Wipes what it holds. */
void sasl_free(struct sasl *s);
/* The initial response into out (raw octets).  False: this mechanism has
 * none; wait for the challenge. */
bool sasl_initial(struct sasl *s, struct buf *out);
/* A challenge (raw octets): the response is appended to out, possibly empty.
 * NULL, or one sentence why the exchange must be cancelled (a challenge that
 * is malformed, a server that cannot prove itself). */
const char *sasl_step(struct sasl *s, const char *challenge, size_t n,
		      struct buf *out);
/* The server has said 235: is that believable?  (SCRAM: only after its
 * signature was right.)  NULL, or one sentence. */
const char *sasl_finish(struct sasl *s);

#endif
