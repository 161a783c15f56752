/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * The judgement of certificates: see cert.h.  The one idea: a refusal is worth
 * as much as its sentence.  Who reads it has a queue that does not move, and
 * must see whether the server's administrator forgot to renew, we lack an
 * issuer, or somebody is in between.
 *
 * In reading order: names and other text, fingerprints, what is said of a
 * chain, the judgement.
 */
#include "lib/cert.h"
#include "lib/buf.h"
#include "lib/crypto.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names of a wrong certificate that are told; some have a hundred. */
enum { NAMES_TOLD = 5 };

/* ---- names and other text ----------------------------------------------- */

/* Much of what is said comes from the other side. */
void cert_say(char *dst, size_t size, const char *fmt, ...)
{
	char text[2 * REPLY_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printable(dst, size, text, strlen(text));
}

static void hex_print(char *dst, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	while (n--) {
		*dst++ = digits[*p >> 4];
		*dst++ = digits[*p++ & 15];
	}
	*dst = '\0';
}

/* A name in a certificate: no C string, whatever it looks like. */
static void put_name(struct buf *b, const void *p, size_t n)
{
	char text[260];

	printable(text, sizeof(text), p, n);
	buf_printf(b, "%s%s", buf_len(b) ? ", " : "", text);
}

static void put_address(struct buf *b, const unsigned char *p, int n)
{
	char text[INET6_ADDRSTRLEN];

	if ((n == 4 || n == 16) &&
	    inet_ntop(n == 4 ? AF_INET : AF_INET6, p, text, sizeof(text)))
		put_name(b, text, strlen(text));
}

/* Which names a certificate is for: "a.test, b.test and 7 more".  The common
 * name is none of them (RFC 6125 6.4.4).  True if one has a NUL in it. */
static bool names_print(struct buf *b, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
						NULL, NULL);
	int i, told = 0, more = 0, n = names ? sk_GENERAL_NAME_num(names) : 0;
	bool nul = false;

	for (i = 0; i < n; i++) {
		int type;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(
			sk_GENERAL_NAME_value(names, i), &type);
		const unsigned char *p;
		int len;

		if (type != GEN_DNS && type != GEN_IPADD)
			continue;
		p = ASN1_STRING_get0_data(s);
		len = ASN1_STRING_length(s);
		if (type == GEN_DNS && memchr(p, '\0', (size_t)len))
			nul = true;
		if (told == NAMES_TOLD)
			more++;
		else if (++told && type == GEN_DNS)
			put_name(b, p, (size_t)len);
		else
			put_address(b, p, len);
	}
	if (more)
		buf_printf(b, " and %d more", more);
	GENERAL_NAMES_free(names);
	return nul;
}

static void subject_print(char *dst, size_t size, const X509_NAME *name)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (mem && X509_NAME_print_ex(mem, name, 0, XN_FLAG_ONELINE &
				      ~(unsigned long)ASN1_STRFLGS_ESC_MSB) > 0)
		n = BIO_get_mem_data(mem, &p);
	printable(dst, size, p ? p : "", n > 0 ? (size_t)n : 0);
	BIO_free(mem);
}

/* ---- fingerprints ------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cert_print_parse(const char *s, cert_print out)
{
	size_t n = 0;

	while (*s) {
		int high = hex_value(s[0]);
		int low = high < 0 ? -1 : hex_value(s[1]);

		if (low < 0 || n == CERT_PRINT)
			return false;
		out[n++] = (unsigned char)(high << 4 | low);
		s += 2;
		if (*s == ':' && s[1])
			s++;
	}
	return n == CERT_PRINT;
}

/* SHA-256 of the SubjectPublicKeyInfo, as RFC 7469 2.4 and DANE have it
 * (X509_pubkey_digest leaves its algorithm out). */
static bool key_digest(const X509 *cert, cert_print out)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool good = n > 0 && crypto_digest(CRYPTO_SHA256, der, (size_t)n, out);

	OPENSSL_free(der);
	return good;
}

static bool pinned(const struct cert_rule *r, const cert_print print)
{
	bool found = false;
	size_t i;

	for (i = 0; i < r->npins; i++)
		found |= crypto_equal(r->pins[i], print, CERT_PRINT);
	return found;
}

static bool judge_fingerprint(const X509 *cert, const char *host,
			      const struct cert_rule *r, const cert_print key,
			      struct cert_verdict *v)
{
	cert_print print;
	char text[2 * CERT_PRINT + 1];
	unsigned n = sizeof(print);

	if (X509_digest(cert, EVP_sha256(), print, &n) != 1)
		return false;
	if (pinned(r, key) || pinned(r, print))
		return true;
	hex_print(text, print, sizeof(print));
	cert_say(v->why, sizeof(v->why), "the certificate of %s is not one of "
		 "those pinned: its fingerprint is %s, that of its public key "
		 "is %s", host, text, v->fingerprint);
	return false;
}

/* ---- what is said of a chain -------------------------------------------- */

static void say_wrong_name(const X509 *cert, const char *host,
			   struct cert_verdict *v)
{
	struct buf names;
	bool nul;

	buf_init(&names, 4096);
	nul = names_print(&names, cert);
	if (buf_len(&names) == 0)
		cert_say(v->why, sizeof(v->why), "the certificate of %s is "
			 "for no host name", host);
	else
		cert_say(v->why, sizeof(v->why), "the certificate of %s %s %s",
			 host, nul ? "has a NUL in a name:" :
			 "is not for this name, but for", buf_str(&names));
	buf_free(&names);
}

static void say_date(const char *whose, const char *host, bool expired,
		     const ASN1_TIME *when, struct cert_verdict *v)
{
	struct tm tm;
	char day[21] = "?";

	if (ASN1_TIME_to_tm(when, &tm))
		isotime_print(day, timegm(&tm));
	cert_say(v->why, sizeof(v->why), "%s%s %s (%s)", whose, host, expired ?
		 "has expired" : "is not valid yet", day);
}

static void say_refused(X509_STORE_CTX *xs, const char *host,
			struct cert_verdict *v)
{
	int e = X509_STORE_CTX_get_error(xs);
	bool leaf = X509_STORE_CTX_get_error_depth(xs) == 0;
	const X509 *cert = X509_STORE_CTX_get_current_cert(xs);
	const char *whose = leaf ? "the certificate of " :
		"a certificate in the chain of ";
	char issuer[200];

	if (!cert)
		cert = X509_STORE_CTX_get0_cert(xs);
	switch (e) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		say_date(whose, host, true, X509_get0_notAfter(cert), v);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		say_date(whose, host, false, X509_get0_notBefore(cert), v);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		say_wrong_name(X509_STORE_CTX_get0_cert(xs), host, v);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		cert_say(v->why, sizeof(v->why), "the certificate of %s is "
			 "self-signed", host);
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		subject_print(issuer, sizeof(issuer),
			      X509_get_issuer_name(cert));
		cert_say(v->why, sizeof(v->why), "%s%s comes from an issuer "
			 "that is not trusted here: %s", whose, host, issuer);
		break;
	default:
		cert_say(v->why, sizeof(v->why), "%s%s: %s", whose, host,
			 X509_verify_cert_error_string(e));
	}
}

/* ---- the judgement ------------------------------------------------------ */

bool cert_judge(void *chain, const char *host, const struct cert_rule *rule,
		struct cert_verdict *v)
{
	X509_STORE_CTX *xs = chain;
	const X509 *cert = X509_STORE_CTX_get0_cert(xs);
	cert_print key;
	bool good = key_digest(cert, key);

	v->trusted = false;
	v->why[0] = '\0';
	if (good)
		hex_print(v->fingerprint, key, sizeof(key));
	if (rule->level == TLS_FINGERPRINT) {
		v->trusted = good && judge_fingerprint(cert, host, rule, key,
						       v);
	} else if (rule->level == TLS_VERIFY) {
		v->trusted = X509_verify_cert(xs) == 1;
		if (!v->trusted)
			say_refused(xs, host, v);
	} else {
		return true;	/* any is better than none */
	}
	if (!v->trusted && !v->why[0])
		cert_say(v->why, sizeof(v->why), "the certificate of %s cannot "
			 "be read", host);
	return v->trusted;
}
