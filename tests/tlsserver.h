/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * A TLS server in the same process, by OpenSSL, and certificates of all kinds
 * made on the spot: for the unit tests of TLS.
 */
#ifndef TESTS_TLSSERVER_H
#define TESTS_TLSSERVER_H

#include "config.h"
#include "lib/tls.h"
#include "lib/util.h"
#include "tests/check.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[] = "/tmp/mailroot-tls-XXXXXX";

/* ---- certificates ------------------------------------------------------- */

enum { CA, OTHER_CA, GOOD, WRONG, EXPIRED, EARLY, SELF, NUL, NO_SAN, WILD,
       WILD_TOP, PARTIAL, ADDRESS, MANY, EVIL, STRANGE, OLD_CA, CHAINED,
       NCERTS };

static const struct cert_spec {
	const char *cn, *san;	/* as openssl.cnf has it; NULL none */
	int issuer;
	int from, until;	/* days from now */
} specs[NCERTS] = {
	[CA] = { "Test CA", NULL, CA, -10, 10 },
	[OTHER_CA] = { "Strange CA", NULL, OTHER_CA, -10, 10 },
	[OLD_CA] = { "Old CA", NULL, CA, -10, -1 },
	[GOOD] = { "mx.test", "DNS:mx.test", CA, -1, 10 },
	[WRONG] = { "mx.test", "DNS:a.test,DNS:b.test", CA, -1, 10 },
	[EXPIRED] = { "mx.test", "DNS:mx.test", CA, -9, -1 },
	[EARLY] = { "mx.test", "DNS:mx.test", CA, 1, 9 },
	[SELF] = { "mx.test", "DNS:mx.test", SELF, -1, 10 },
	[NUL] = { "mx.test", NULL, CA, -1, 10 },
	[NO_SAN] = { "mx.test", NULL, CA, -1, 10 },
	[WILD] = { "wild", "DNS:*.mail.test", CA, -1, 10 },
	[WILD_TOP] = { "wild", "DNS:*.test", CA, -1, 10 },
	[PARTIAL] = { "wild", "DNS:m*.mail.test", CA, -1, 10 },
	[ADDRESS] = { "ip", "IP:192.0.2.1,IP:2001:db8::1", CA, -1, 10 },
	[MANY] = { "many", "DNS:a.test,DNS:b.test,IP:192.0.2.9,DNS:d.test,"
		   "DNS:e.test,DNS:f.test,DNS:g.test,email:x@y.test", CA, -1,
		   10 },
	[EVIL] = { "evil", "DNS:a\033[2Jb.test", CA, -1, 10 },
	[STRANGE] = { "mx.test", "DNS:mx.test", OTHER_CA, -1, 10 },
	[CHAINED] = { "mx.test", "DNS:mx.test", OLD_CA, -1, 10 },
};

static X509 *certs[NCERTS];
static EVP_PKEY *keys[NCERTS];

static inline void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	check(e && X509_add_ext(x, e, -1), value);
	X509_EXTENSION_free(e);
}

/* "mx.test\0.evil.test": what OpenSSL's text form cannot say. */
static inline void add_nul_name(X509 *x)
{
	static const char name[] = "mx.test\0.evil.test";
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *n = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	ASN1_STRING_set(s, name, sizeof(name) - 1);
	GENERAL_NAME_set0_value(n, GEN_DNS, s);
	sk_GENERAL_NAME_push(names, n);
	check(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1,
	      "a name with NUL");
	GENERAL_NAMES_free(names);
}

static inline void make_cert(int i)
{
	const struct cert_spec *c = &specs[i];
	X509_NAME *name = X509_NAME_new();
	X509 *x = X509_new();
	bool ca = i == CA || i == OTHER_CA || i == OLD_CA;

	keys[i] = EVP_EC_gen("P-256");
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)c->cn, -1, -1, 0);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), i + 1);
	X509_set_subject_name(x, name);
	X509_gmtime_adj(X509_getm_notBefore(x), 86400L * c->from);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * c->until);
	X509_set_pubkey(x, keys[i]);
	certs[i] = x;
	X509_set_issuer_name(x, X509_get_subject_name(certs[c->issuer]));
	if (ca)
		add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	if (i == NUL)
		add_nul_name(x);
	else if (c->san)
		add_extension(x, NID_subject_alt_name, c->san);
	check(X509_sign(x, keys[c->issuer], EVP_sha256()) > 0, c->cn);
	X509_NAME_free(name);
}

static inline const char *path_of(const char *name)
{
	static char paths[100][60];	/* policies keep them */
	static unsigned n;
	char *p = paths[n < 99 ? n++ : n];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static inline void write_cert(const char *path, int i, bool key)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die(71, "%s", path);
	PEM_write_X509(f, certs[i]);
	if (key)
		PEM_write_PrivateKey(f, keys[i], NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static inline void make_all(void)
{
	static const int order[] = { CA, OTHER_CA, OLD_CA };
	char hashed[40];
	FILE *f;
	int i;

	signal(SIGPIPE, SIG_IGN);	/* OpenSSL's own sockets raise it */
	if (!mkdtemp(dir))
		die(71, "%s", dir);
	for (i = 0; i < (int)COUNT(order); i++)
		make_cert(order[i]);
	for (i = 0; i < NCERTS; i++)
		if (!certs[i])
			make_cert(i);
	write_cert(path_of("ca.pem"), CA, false);
	write_cert(path_of("self.pem"), SELF, false);
	write_cert(path_of("client.pem"), GOOD, true);
	write_cert(path_of("strange.pem"), STRANGE, true);
	mkdir(path_of("hashed"), 0700);
	mkdir(path_of("empty"), 0700);
	snprintf(hashed, sizeof(hashed), "hashed/%08lx.0",
		 X509_NAME_hash_ex(X509_get_subject_name(certs[CA]), NULL,
				   NULL, NULL));
	write_cert(path_of(hashed), CA, false);
	f = fopen(path_of("locked.pem"), "w");
	PEM_write_X509(f, certs[GOOD]);
	PEM_write_PrivateKey(f, keys[GOOD], EVP_aes_128_cbc(),
			     (const unsigned char *)"x", 1, NULL, NULL);
	fclose(f);
}

static inline void cleanup(void)
{
	char line[100];
	int i = NCERTS;

	snprintf(line, sizeof(line), "rm -r %s", dir);
	check(system(line) == 0, "cleaned up");
	while (i-- > 0) {
		X509_free(certs[i]);
		EVP_PKEY_free(keys[i]);
	}
}

/* SHA-256 in hex of the certificate or its key, with colons or not. */
static inline const char *print_of(int i, bool key, bool colons)
{
	static char text[4][100];
	static unsigned turn;
	unsigned char *der = NULL, md[32];
	char *t = text[turn++ % 4], *p = t;
	int n = key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certs[i]), &der) :
		i2d_X509(certs[i], &der), k;

	EVP_Digest(der, (size_t)n, md, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	for (k = 0; k < 32; k++)
		p += snprintf(p, 4, colons && k ? ":%02X" : "%02x", md[k]);
	return t;
}

/* ---- the server --------------------------------------------------------- */

/* How it differs from an ordinary one. */
enum { ASKS = 1, DEMANDS = 2, TLS11 = 4, TLS12 = 8, TWO = 16 };

struct server {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool up, failed;
	char sni[100];
};

static inline int take_any(X509_STORE_CTX *xs, void *unused)
{
	(void)xs;
	(void)unused;
	return 1;
}

static inline void server_open(struct server *v, int cert, int fd, int how)
{
	*v = (struct server){ .fd = fd };
	fcntl(fd, F_SETFL, O_NONBLOCK);
	v->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(v->ctx, certs[cert]);
	SSL_CTX_use_PrivateKey(v->ctx, keys[cert]);
	SSL_CTX_set_mode(v->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (cert == CHAINED)
		SSL_CTX_add1_chain_cert(v->ctx, certs[OLD_CA]);
	if (how & TLS11) {
		SSL_CTX_set_security_level(v->ctx, 0);
		SSL_CTX_set_max_proto_version(v->ctx, TLS1_1_VERSION);
	}
	if (how & TLS12)
		SSL_CTX_set_max_proto_version(v->ctx, TLS1_2_VERSION);
	if (how & (ASKS | DEMANDS)) {
		SSL_CTX_set_verify(v->ctx, SSL_VERIFY_PEER | (how & DEMANDS ?
				   SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
		SSL_CTX_set_cert_verify_callback(v->ctx, take_any, NULL);
	}
	v->ssl = SSL_new(v->ctx);
	SSL_set_fd(v->ssl, fd);
	SSL_set_accept_state(v->ssl);
}

/* A step of its handshake, as far as it goes. */
static inline void server_step(struct server *v)
{
	const char *name;
	int r;

	if (v->up || v->failed)
		return;
	ERR_clear_error();
	r = SSL_accept(v->ssl);
	if (r == 1) {
		v->up = true;
		name = SSL_get_servername(v->ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(v->sni, sizeof(v->sni), "%s", name ? name : "");
		return;
	}
	r = SSL_get_error(v->ssl, r);
	v->failed = r != SSL_ERROR_WANT_READ && r != SSL_ERROR_WANT_WRITE;
}

static inline void server_close(struct server *v)
{
	SSL_free(v->ssl);
	SSL_CTX_free(v->ctx);
	if (v->fd != -1)
		close(v->fd);
	v->fd = -1;
}

static inline void server_say(struct server *v, const char *s)
{
	check(SSL_write(v->ssl, s, (int)strlen(s)) == (int)strlen(s),
	      "the server says");
}

static inline void pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		die(71, "socketpair");
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
}

/* ---- our side ----------------------------------------------------------- */

static const char *const no_prints[] = { NULL };

static inline struct tls_policy policy(enum tls_level level)
{
	struct tls_policy p = { .level = level, .ca_file = "", .ca_dir = "",
		.fingerprints = no_prints, .cert_file = "", .key_file = "",
		.min_protocol = "TLSv1.2", .ciphers = "" };

	if (level == TLS_VERIFY)
		p.ca_file = path_of("ca.pem");
	return p;
}

/* "borrowed for ever" */
static inline struct tls_context *context(enum tls_level level)
{
	static struct tls_policy kept[TLS_FINGERPRINT + 1];
	char why[REPLY_TEXT] = "";
	struct tls_context *c;

	if (!kept[level].ca_file)
		kept[level] = policy(level);
	c = tls_context(&kept[level], why, sizeof(why));
	if (!check(c != NULL, why))
		exit(1);
	return c;
}

#endif
