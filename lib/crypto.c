/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Hashes, HMAC and PBKDF2: see crypto.h.  The one idea: OpenSSL is asked for
 * its one-shot functions only, so that no state with a secret in it is left
 * behind in memory that we cannot wipe.
 */
#include "lib/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void crypto_start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	/* The configuration can load modules: whoever sets OPENSSL_CONF would
	 * run code with our rights.  No cleaning up at exit either: it costs
	 * time, and a forked child leaves by _exit anyway. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
			    OPENSSL_INIT_NO_ATEXIT, NULL);
}

static const EVP_MD *hash_of(enum crypto_hash h)
{
	crypto_start();
	switch (h) {
	case CRYPTO_MD5:
		return EVP_md5();
	case CRYPTO_SHA1:
		return EVP_sha1();
	case CRYPTO_SHA256:
		break;
	}
	return EVP_sha256();
}

size_t crypto_size(enum crypto_hash h)
{
	static const size_t sizes[] = {
		[CRYPTO_MD5] = 16, [CRYPTO_SHA1] = 20, [CRYPTO_SHA256] = 32,
	};

	return sizes[h];
}

bool crypto_digest(enum crypto_hash h, const void *p, size_t n,
		   unsigned char out[CRYPTO_MAX])
{
	return EVP_Digest(p, n, out, NULL, hash_of(h), NULL) == 1;
}

bool crypto_hmac(enum crypto_hash h, const void *key, size_t nkey,
		 const void *p, size_t n, unsigned char out[CRYPTO_MAX])
{
	const EVP_MD *md = hash_of(h);

	if (nkey > INT_MAX)
		return false;
	/* a NULL key means "the one before" to some versions */
	return HMAC(md, nkey ? key : "", (int)nkey, p, n, out, NULL) != NULL;
}

bool crypto_pbkdf2(enum crypto_hash h, const char *password, const void *salt,
		   size_t nsalt, unsigned rounds, unsigned char out[CRYPTO_MAX])
{
	const EVP_MD *md = hash_of(h);
	size_t n = strlen(password);

	if (n > INT_MAX || nsalt > INT_MAX || rounds > INT_MAX)
		return false;
	return PKCS5_PBKDF2_HMAC(password, (int)n, salt, (int)nsalt,
				 (int)rounds, md, (int)crypto_size(h),
				 out) == 1;
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}
