/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * TLS, client side.  OpenSSL is used here and nowhere else, and nothing of its
 * types is seen outside.  A connection is a step machine like all else: it is
 * handed a non-blocking descriptor and says what it wants; lib/stream drives
 * it.
 */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Postfix's words for TlsSecurityLevel, weakest first. */
enum tls_level { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY, TLS_FINGERPRINT };

/* What a connection must fulfil; strings are borrowed for ever, never NULL. */
struct tls_policy {
	enum tls_level level;
	const char *ca_file;		/* "" and */
	const char *ca_dir;		/* "": the system's hashed directory,
					 * its bundle only if it has none */
	const char *const *fingerprints;	/* SHA-256 in hex, colons or not,
					 * of the certificate or its public
					 * key; ended by NULL */
	const char *cert_file, *key_file;	/* of the client; "" none */
	const char *min_protocol;	/* "TLSv1.2" */
	const char *ciphers;		/* OpenSSL's list for TLS up to 1.2; ""
					 * its default */
};

struct tls_context;

/*
 * The context for a policy: made at first use, shared by all connections with
 * an equal policy, kept until the process ends.  Trust is loaded only where
 * the level needs it.  OpenSSL's configuration file and environment are not
 * read.  NULL with one sentence in why (a file that cannot be read, a bad
 * protocol or cipher list).
 */
struct tls_context *tls_context(const struct tls_policy *p, char *why,
				size_t size);

struct tls;

/* A connection to host (for SNI unless it is an address, and for the name
 * check at TLS_VERIFY: SAN only, no partial wildcards, an address literal by
 * iPAddress).  Does not own fd.  Never NULL. */
struct tls *tls_new(struct tls_context *c, int fd, const char *host);
void tls_free(struct tls *t);

enum tls_step { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_FAILED };

/* One step of the handshake.  DONE only if the policy is fulfilled. */
enum tls_step tls_handshake(struct tls *t);
/* Octets read or written; 0 with *step WANT_READ, WANT_WRITE, FAILED, or DONE:
 * the other side has ended properly (read only).  A write that must be
 * repeated may be repeated with more octets at another place. */
size_t tls_read(struct tls *t, void *p, size_t n, enum tls_step *step);
size_t tls_write(struct tls *t, const void *p, size_t n, enum tls_step *step);
/* Octets at the front of the last write that wait encrypted for the socket
 * (after WANT_WRITE); it must be repeated with at least them. */
size_t tls_held(const struct tls *t);
/* Octets wait inside, decrypted or not: the descriptor will not tell. */
bool tls_pending(const struct tls *t);
/* close_notify, best effort, never blocks. */
void tls_goodbye(struct tls *t);

/* One sentence after TLS_FAILED ("the certificate of mx.test has expired"). */
const char *tls_why(const struct tls *t);
/* After a handshake that got that far: "TLSv1.3", the cipher, whether the
 * certificate was verified or pinned, and the SHA-256 of its public key in
 * hex (64 digits; "" none) for the line that would pin it. */
struct tls_facts {
	const char *protocol, *cipher;
	bool trusted;
	char fingerprint[65];
};
void tls_describe(const struct tls *t, struct tls_facts *f);

#endif
