/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Is this the certificate of the server we want?  The part of lib/tls that
 * answers, kept apart because it reads what a stranger has written.
 */
#ifndef LIB_CERT_H
#define LIB_CERT_H

#include "config.h"
#include "lib/tls.h"

#include <stdbool.h>
#include <stddef.h>

#define CERT_PRINT 32		/* octets of a fingerprint, SHA-256 */
typedef unsigned char cert_print[CERT_PRINT];

/* What is asked. */
struct cert_rule {
	enum tls_level level;
	cert_print *pins;	/* at TLS_FINGERPRINT: one of these */
	size_t npins;
};

/* What was found. */
struct cert_verdict {
	bool trusted;		/* verified or pinned */
	char fingerprint[2 * CERT_PRINT + 1];	/* of the public key; or "" */
	char why[REPLY_TEXT];	/* one sentence if it is refused */
};

/* 64 hexadecimal digits, a colon allowed between each two pairs. */
bool cert_print_parse(const char *s, cert_print out);

/* chain is OpenSSL's X509_STORE_CTX, with the host name to compare with in
 * it; host is how we call the server.  Good enough for the rule? */
bool cert_judge(void *chain, const char *host, const struct cert_rule *rule,
		struct cert_verdict *v);

/* One printable line into dst, cut to fit. */
void cert_say(char *dst, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
