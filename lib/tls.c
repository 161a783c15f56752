/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * TLS, client side, by OpenSSL.  The one idea: OpenSSL never judges.  It is
 * always told to ask us about the certificate, and lib/cert does what the
 * level wants: nothing, the whole chain, or a comparison with fingerprints.
 * So there is one path for all levels, the certificate is seen (and its
 * fingerprint known) also where it is refused, and the sentence that says why
 * is made where everything about it is at hand.
 *
 * And the end of a connection is learned by reading here too, as in
 * lib/stream: a write that fails is noted, and OpenSSL believes that it
 * worked.  It then goes on to read, and finds the alert with which the server
 * has explained itself.
 *
 * In reading order: the descriptor, contexts, connections, failures, the
 * steps.
 */
#include "lib/tls.h"
#include "config.h"
#include "lib/cert.h"
#include "lib/crypto.h"
#include "lib/util.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

struct tls_context {
	struct tls_context *next;
	struct tls_policy policy;
	SSL_CTX *ctx;
	struct cert_rule rule;
	int version;		/* the oldest allowed, as OpenSSL counts */
};

struct tls {
	struct tls_context *context;
	SSL *ssl;
	char *host;		/* as it is said: no brackets, no last dot */
	int fd;
	int read_error, write_error;	/* errno of the descriptor */
	bool eof;		/* the descriptor has ended */
	bool ready;		/* the handshake is over and was right */
	bool dead;		/* OpenSSL must not be asked again */
	size_t held;		/* octets of a write that must be repeated */
	struct cert_verdict cert;
	char why[REPLY_TEXT];
};

/* ---- the descriptor ----------------------------------------------------- */

/* OpenSSL's own socket BIO writes without MSG_NOSIGNAL, and keeps errno only
 * until the next call of anything. */

static int bio_read(BIO *b, char *p, int n)
{
	struct tls *t = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	do
		got = recv(t->fd, p, (size_t)n, 0);
	while (got == -1 && errno == EINTR);
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(b);
	else if (got == -1)
		t->read_error = errno;
	else if (got == 0)
		t->eof = true;
	return (int)got;
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls *t = BIO_get_data(b);
	ssize_t put;

	BIO_clear_retry_flags(b);
	if (t->write_error)
		return n;
	do
		put = send(t->fd, p, (size_t)n, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	if (put >= 0)
		return (int)put;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		BIO_set_retry_write(b);
		return -1;
	}
	t->write_error = errno;
	return n;		/* the second idea at the top */
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	struct tls *t = BIO_get_data(b);

	(void)n;
	(void)p;
	if (what == BIO_CTRL_EOF)
		return t->eof;
	return what == BIO_CTRL_FLUSH;
}

/* Never NULL. */
static BIO *bio_of(struct tls *t)
{
	static BIO_METHOD *method;
	BIO *b;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() |
				      BIO_TYPE_SOURCE_SINK, "descriptor");
		if (!method || !BIO_meth_set_read(method, bio_read) ||
		    !BIO_meth_set_write(method, bio_write) ||
		    !BIO_meth_set_ctrl(method, bio_ctrl))
			die(EXIT_OSERR, "no memory for TLS");
	}
	b = BIO_new(method);
	if (!b)
		die(EXIT_OSERR, "no memory for TLS");
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	return b;
}

/* ---- contexts ----------------------------------------------------------- */

/* What OpenSSL says of the latest failure; it may have nothing to say. */
static const char *openssl_says(void)
{
	unsigned long e = ERR_peek_error();
	const char *s = e ? ERR_reason_error_string(e) : NULL;

	return s ? s : "no reason given";
}

static bool load_pins(struct tls_context *c, char *why, size_t size)
{
	const char *const *f = c->policy.fingerprints;
	struct cert_rule *r = &c->rule;
	size_t n = 0;

	while (f && f[n])
		n++;
	if (n == 0) {
		cert_say(why, size, "no fingerprint to compare with is set");
		return false;
	}
	r->pins = xcalloc(n, sizeof(*r->pins));
	for (; r->npins < n; r->npins++)
		if (!cert_print_parse(f[r->npins], r->pins[r->npins])) {
			cert_say(why, size, "\"%s\" is no SHA-256 fingerprint",
				 f[r->npins]);
			return false;
		}
	return true;
}

/* Has a directory names as c_rehash makes them ("002c0b4f.0")?  1, 0, or -1
 * with errno. */
static int has_hashes(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int found = 0;

	if (!d)
		return -1;
	while (!found && (e = readdir(d))) {
		size_t n = strspn(e->d_name, "0123456789abcdef");

		found = n == 8 && e->d_name[8] == '.' &&
			e->d_name[9] >= '0' && e->d_name[9] <= '9';
	}
	closedir(d);
	return found;
}

static bool trust_file(SSL_CTX *ctx, const char *path, char *why, size_t size)
{
	X509_LOOKUP *l = X509_STORE_add_lookup(SSL_CTX_get_cert_store(ctx),
					       X509_LOOKUP_file());
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	errno = 0;
	if (!l || X509_LOOKUP_load_file(l, path, X509_FILETYPE_PEM) < 1) {
		cert_say(why, size, "%s: %s", path, errno ? strerror(errno) :
			 openssl_says());
		return false;
	}
	/* what the operator put there is trusted, root or not */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	return true;
}

/* Nothing is read before a certificate asks for its issuer: this is why a
 * directory costs nothing and the bundle 18 ms. */
static bool trust_directory(SSL_CTX *ctx, const char *path, char *why,
			    size_t size)
{
	X509_LOOKUP *l = X509_STORE_add_lookup(SSL_CTX_get_cert_store(ctx),
					       X509_LOOKUP_hash_dir());

	if (l && X509_LOOKUP_add_dir(l, path, X509_FILETYPE_PEM) == 1)
		return true;
	cert_say(why, size, "%s: %s", path, openssl_says());
	return false;
}

static bool load_trust(struct tls_context *c, char *why, size_t size)
{
	const struct tls_policy *p = &c->policy;
	int hashes;

	if (!*p->ca_file && !*p->ca_dir) {
		if (has_hashes(PATH_CA_DIRECTORY) == 1)
			return trust_directory(c->ctx, PATH_CA_DIRECTORY, why,
					       size);
		if (trust_file(c->ctx, PATH_CA_BUNDLE, why, size))
			return true;
		cert_say(why, size, "no trusted certificates: %s has none, and "
			 "there is no %s", PATH_CA_DIRECTORY, PATH_CA_BUNDLE);
		return false;
	}
	if (*p->ca_file && !trust_file(c->ctx, p->ca_file, why, size))
		return false;
	if (!*p->ca_dir)
		return true;
	hashes = has_hashes(p->ca_dir);
	if (hashes == 1)
		return trust_directory(c->ctx, p->ca_dir, why, size);
	/* it would trust nobody, and nobody would know why */
	cert_say(why, size, "%s: %s", p->ca_dir, hashes == 0 ?
		 "no hash links (openssl rehash makes them)" : strerror(errno));
	return false;
}

static int no_passphrase(char *dst, int size, int writing, void *ctx)
{
	(void)dst;
	(void)size;
	(void)writing;
	(void)ctx;
	return 0;		/* OpenSSL would ask the terminal */
}

static bool load_own(struct tls_context *c, char *why, size_t size)
{
	const char *cert = c->policy.cert_file, *key = c->policy.key_file;

	if (!*cert)
		return true;
	if (!*key)
		key = cert;
	SSL_CTX_set_default_passwd_cb(c->ctx, no_passphrase);
	errno = 0;
	if (SSL_CTX_use_certificate_chain_file(c->ctx, cert) != 1) {
		cert_say(why, size, "%s: %s", cert, errno ? strerror(errno) :
			 openssl_says());
		return false;
	}
	errno = 0;
	if (SSL_CTX_use_PrivateKey_file(c->ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(c->ctx) != 1) {
		cert_say(why, size, "%s: %s", key, errno ? strerror(errno) :
			 openssl_says());
		return false;
	}
	return true;
}

static bool set_protocols(struct tls_context *c, char *why, size_t size)
{
	static const struct { const char *name; int version; } table[] = {
		{ "TLSv1", TLS1_VERSION }, { "TLSv1.1", TLS1_1_VERSION },
		{ "TLSv1.2", TLS1_2_VERSION }, { "TLSv1.3", TLS1_3_VERSION },
	};
	const struct tls_policy *p = &c->policy;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcasecmp(p->min_protocol, table[i].name) == 0)
			c->version = table[i].version;
	if (!c->version || !SSL_CTX_set_min_proto_version(c->ctx, c->version)) {
		cert_say(why, size, "\"%s\" is none of TLSv1, TLSv1.1, TLSv1.2 "
			 "and TLSv1.3", p->min_protocol);
		return false;
	}
	if (*p->ciphers && SSL_CTX_set_cipher_list(c->ctx, p->ciphers) != 1) {
		cert_say(why, size, "no known cipher in \"%s\"", p->ciphers);
		return false;
	}
	/* The old protocols sign with SHA-1, which the default level of
	 * OpenSSL 3 forbids; who asks for them wants them.  And where the
	 * alternative is no encryption, short keys and servers that never
	 * heard of RFC 5746 are better than nothing. */
	if (c->version < TLS1_2_VERSION || p->level == TLS_MAY)
		SSL_CTX_set_security_level(c->ctx, 0);
	if (p->level == TLS_MAY)
		SSL_CTX_set_options(c->ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	return true;
}

/* What OpenSSL asks about every certificate. */
static int judge(X509_STORE_CTX *xs, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(xs,
		SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	bool good = cert_judge(xs, t->host, &t->context->rule, &t->cert);

	(void)unused;
	/* the alert that the server gets is made of this */
	if (good)
		X509_STORE_CTX_set_error(xs, X509_V_OK);
	else if (X509_STORE_CTX_get_error(xs) == X509_V_OK)
		X509_STORE_CTX_set_error(xs,
			X509_V_ERR_APPLICATION_VERIFICATION);
	return good;
}

static bool context_fill(struct tls_context *c, char *why, size_t size)
{
	crypto_start();
	/* the configuration file would be read by SSL_CTX_new */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	ERR_clear_error();
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (!c->ctx) {
		cert_say(why, size, "OpenSSL: %s", openssl_says());
		return false;
	}
	SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			 SSL_MODE_RELEASE_BUFFERS);
	/* one recv for a record's head and body */
	SSL_CTX_set_read_ahead(c->ctx, 1);
	/* no honest mail server renegotiates; RFC 8446 has it no more */
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION |
			    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, judge, NULL);
	if (!set_protocols(c, why, size) || !load_own(c, why, size))
		return false;
	if (c->policy.level == TLS_VERIFY)
		return load_trust(c, why, size);
	return c->policy.level != TLS_FINGERPRINT || load_pins(c, why, size);
}

static bool same_list(const char *const *a, const char *const *b)
{
	if (a == b)
		return true;
	if (!a || !b)
		return false;
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

static bool same_policy(const struct tls_policy *a, const struct tls_policy *b)
{
	return a->level == b->level && strcmp(a->ca_file, b->ca_file) == 0 &&
		strcmp(a->ca_dir, b->ca_dir) == 0 &&
		same_list(a->fingerprints, b->fingerprints) &&
		strcmp(a->cert_file, b->cert_file) == 0 &&
		strcmp(a->key_file, b->key_file) == 0 &&
		strcmp(a->min_protocol, b->min_protocol) == 0 &&
		strcmp(a->ciphers, b->ciphers) == 0;
}

struct tls_context *tls_context(const struct tls_policy *p, char *why,
				size_t size)
{
	static struct tls_context *contexts;
	struct tls_context *c;

	for (c = contexts; c; c = c->next)
		if (same_policy(&c->policy, p))
			return c;
	c = xcalloc(1, sizeof(*c));
	c->policy = *p;
	c->rule.level = p->level;
	if (!context_fill(c, why, size)) {
		/* not remembered: a file may be there next time */
		SSL_CTX_free(c->ctx);
		free(c->rule.pins);
		free(c);
		return NULL;
	}
	c->next = contexts;
	contexts = c;
	return c;
}

/* ---- connections -------------------------------------------------------- */

static void unusable(struct tls *t, const char *sentence)
{
	t->dead = true;
	cert_say(t->why, sizeof(t->why), "%s", sentence);
}

/* Whom we want to speak to: told to the server, and compared. */
static void set_name(struct tls *t)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	unsigned char ip[16];
	size_t n = inet_pton(AF_INET, t->host, ip) == 1 ? 4 :
		inet_pton(AF_INET6, t->host, ip) == 1 ? 16 : 0;
	int good;

	/* RFC 6066 3: no literal addresses.  Nothing depends on its success. */
	if (n == 0 && *t->host)
		SSL_set_tlsext_host_name(t->ssl, t->host);
	if (t->context->policy.level != TLS_VERIFY)
		return;
	X509_VERIFY_PARAM_set_hostflags(param,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* to OpenSSL an empty name is "do not check", ".test" any in it */
	if (!*t->host || *t->host == '.')
		good = 0;
	else if (n)
		good = X509_VERIFY_PARAM_set1_ip(param, ip, n);
	else
		good = X509_VERIFY_PARAM_set1_host(param, t->host, 0);
	if (good != 1)
		unusable(t, "no host name to compare with the certificate");
}

struct tls *tls_new(struct tls_context *c, int fd, const char *host)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	size_t n = strlen(host);
	BIO *b;

	t->context = c;
	t->fd = fd;
	if (n > 2 && host[0] == '[' && host[n - 1] == ']')
		t->host = xstrndup(host + 1, n - 2);
	else
		t->host = xstrndup(host, n > 1 && host[n - 1] == '.' ? n - 1 :
				   n);
	t->ssl = SSL_new(c->ctx);
	if (!t->ssl) {
		unusable(t, openssl_says());
		return t;
	}
	b = bio_of(t);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	set_name(t);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t->host);
	free(t);
}

/* ---- failures ----------------------------------------------------------- */

/* The words for what is wrong with the other side's protocol. */
static void say_protocol(struct tls *t, int reason)
{
	const size_t size = sizeof(t->why);
	const char *oldest = t->context->policy.min_protocol;

	switch (reason) {
	/* OpenSSL 3.0 has no name for this alert (RFC 8446 6.2). */
	case SSL_AD_REASON_OFFSET + TLS13_AD_CERTIFICATE_REQUIRED:
		cert_say(t->why, size, "%s says: certificate required "
			 "(TlsCertFile)", t->host);
		break;
	case SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION:
		cert_say(t->why, size, "%s refuses TLS from %s on", t->host,
			 oldest);
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
		cert_say(t->why, size, "%s speaks a TLS older than %s",
			 t->host, oldest);
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_HTTP_REQUEST:
		cert_say(t->why, size, "what %s sent is not TLS", t->host);
		break;
	default:
		/* the numbers of alerts are above all others (RFC 8446 6) */
		if (reason >= SSL_AD_REASON_OFFSET)
			cert_say(t->why, size, "%s sent the TLS alert \"%s\"",
				 t->host, SSL_alert_desc_string_long(reason -
				 SSL_AD_REASON_OFFSET));
		else
			cert_say(t->why, size, "TLS with %s: %s", t->host,
				 openssl_says());
	}
}

/* What an end is called: as lib/stream does. */
static const char *end_of(const struct tls *t)
{
	if (t->read_error)
		return strerror(t->read_error);
	/* Linux tells a reset only once: the write may have heard it.  EPIPE
	 * is but the echo of a plain end. */
	if (t->write_error && t->write_error != EPIPE)
		return strerror(t->write_error);
	return "lost connection";
}

static enum tls_step fail(struct tls *t)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);

	t->dead = true;
	if (t->cert.why[0])	/* that says more than the alert we sent */
		cert_say(t->why, sizeof(t->why), "%s", t->cert.why);
	else if (e && ERR_GET_LIB(e) == ERR_LIB_SSL && !t->read_error &&
		 reason != SSL_R_UNEXPECTED_EOF_WHILE_READING)
		say_protocol(t, reason);
	else
		cert_say(t->why, sizeof(t->why), "%s", end_of(t));
	return TLS_FAILED;
}

/* What a call that returned r, no success, means. */
static enum tls_step verdict(struct tls *t, int r)
{
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_DONE;
	}
	return fail(t);
}

/* ---- the steps ---------------------------------------------------------- */

enum tls_step tls_handshake(struct tls *t)
{
	enum tls_step step;
	int r;

	if (t->dead)
		return TLS_FAILED;
	ERR_clear_error();
	r = SSL_connect(t->ssl);
	if (r == 1 && !t->write_error) {
		t->ready = true;
		return TLS_DONE;
	}
	step = r == 1 ? TLS_DONE : verdict(t, r);
	/* an end within, or no more to read where nothing can be written */
	if (step == TLS_DONE || (step != TLS_FAILED && t->write_error))
		step = fail(t);
	return step;
}

size_t tls_read(struct tls *t, void *p, size_t n, enum tls_step *step)
{
	size_t got = 0;
	int r;

	*step = TLS_FAILED;
	if (t->dead || !t->ready)
		return 0;
	ERR_clear_error();
	r = SSL_read_ex(t->ssl, p, n, &got);
	*step = r == 1 ? TLS_DONE : verdict(t, r);
	return r == 1 ? got : 0;
}

size_t tls_write(struct tls *t, const void *p, size_t n, enum tls_step *step)
{
	size_t put = 0;
	int r;

	*step = TLS_FAILED;
	if (t->dead || !t->ready || t->write_error)
		return 0;
	ERR_clear_error();
	if (n < t->held) {
		/* half a record of what is gone now is on its way */
		fail(t);
		return 0;
	}
	r = SSL_write_ex(t->ssl, p, n, &put);
	/* reading goes on, and finds the words that wait there: not dead */
	if (t->write_error)
		return 0;
	*step = r == 1 ? TLS_DONE : verdict(t, r);
	if (r == 1)
		t->held = 0;
	else if (*step == TLS_WANT_WRITE && !t->held)
		t->held = n < SSL3_RT_MAX_PLAIN_LENGTH ? n :
			SSL3_RT_MAX_PLAIN_LENGTH;
	return r == 1 ? put : 0;
}

size_t tls_held(const struct tls *t)
{
	return t->held;
}

bool tls_pending(const struct tls *t)
{
	/* with read-ahead also what is not decrypted yet */
	return t->ready && !t->dead && SSL_has_pending(t->ssl);
}

void tls_goodbye(struct tls *t)
{
	/* behind half a record it would be garbage */
	if (!t->ready || t->dead || t->write_error || t->held)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	t->dead = true;
}

const char *tls_why(const struct tls *t)
{
	return t->why[0] ? t->why : end_of(t);
}

void tls_describe(const struct tls *t, struct tls_facts *f)
{
	bool chosen = t->ssl && SSL_get_current_cipher(t->ssl);

	f->protocol = chosen ? SSL_get_version(t->ssl) : "";
	f->cipher = chosen ? SSL_get_cipher_name(t->ssl) : "";
	f->trusted = t->cert.trusted && t->ready;
	memcpy(f->fingerprint, t->cert.fingerprint, sizeof(f->fingerprint));
}
