/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The little cryptography that is not TLS: what out/sasl needs to prove a
 * password and lib/tls to know a certificate again.  Every function that says
 * bool fails only where OpenSSL refuses the algorithm (a FIPS build and MD5)
 * or has no memory.
 */
#ifndef LIB_CRYPTO_H
#define LIB_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

/* MD5 and SHA-1 only inside HMAC, where they still hold (RFC 6151 2.3). */
enum crypto_hash { CRYPTO_MD5, CRYPTO_SHA1, CRYPTO_SHA256 };
#define CRYPTO_MAX 32		/* octets of the longest */

/* Octets this hash gives. */
size_t crypto_size(enum crypto_hash h);

bool crypto_digest(enum crypto_hash h, const void *p, size_t n,
		   unsigned char out[CRYPTO_MAX]);
bool crypto_hmac(enum crypto_hash h, const void *key, size_t nkey,
		 const void *p, size_t n, unsigned char out[CRYPTO_MAX]);
/* RFC 8018 5.2 with HMAC, one hash long: Hi() of RFC 5802 2.2. */
bool crypto_pbkdf2(enum crypto_hash h, const char *password, const void *salt,
		   size_t nsalt, unsigned rounds,
		   unsigned char out[CRYPTO_MAX]);

/* In a time that does not depend on where they differ. */
bool crypto_equal(const void *a, const void *b, size_t n);
/* Zeros that no compiler leaves out. */
void crypto_wipe(void *p, size_t n);

/* Makes OpenSSL ready, at first use, without its configuration file.  The
 * functions above do it themselves. */
void crypto_start(void);

#endif
