/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * lib/tls and lib/cert, step by step: {certificate, host, level} x outcome,
 * contexts, protocols, client certificates.
 */
#include "tests/tlsserver.h"

/* ---- the table: certificate x host x level ------------------------------ */

/* Both sides by turns until ours is decided. */
static enum tls_step shake(struct tls *t, struct server *v)
{
	enum tls_step step = TLS_WANT_READ;
	int i;

	for (i = 0; i < 50 && step != TLS_DONE && step != TLS_FAILED; i++) {
		step = tls_handshake(t);
		server_step(v);
	}
	return step;
}

/* why: a part of it; NULL: it must do. */
static void one(const char *name, struct tls_context *c, int cert,
		const char *host, const char *why, int how)
{
	struct tls_facts f;
	struct server v;
	struct tls *t;
	enum tls_step step;
	int fd[2];

	pair(fd);
	server_open(&v, cert, fd[1], how);
	t = tls_new(c, fd[0], host);
	step = shake(t, &v);
	tls_describe(t, &f);
	if (!check(step == (why ? TLS_FAILED : TLS_DONE), name) ||
	    !check(!why || strstr(tls_why(t), why), name))
		printf("  want: %s\n  got:  %s\n", why ? why : "success",
		       tls_why(t));
	if (!why) {
		check(f.protocol[0] && f.cipher[0], name);
		check_str(name, f.fingerprint, print_of(cert, true, false));
	} else if (strstr(why, "certificate")) {
		check(!f.trusted, name);
		check_str(name, f.fingerprint, print_of(cert, true, false));
	}
	tls_free(t);
	close(fd[0]);
	server_close(&v);
}

static void test_table(void)
{
	static const struct { int cert; const char *host, *why; } table[] = {
		{ GOOD, "mx.test", NULL },
		{ GOOD, "MX.Test", NULL },
		{ GOOD, "mx.test.", NULL },
		{ GOOD, "other.test", "certificate of other.test is not for "
		  "this name, but for mx.test" },
		{ GOOD, "", "no host name to compare" },
		{ GOOD, ".test", "no host name to compare" },
		{ GOOD, "192.0.2.1", "not for this name, but for mx.test" },
		{ WRONG, "mx.test", "certificate of mx.test is not for this "
		  "name, but for a.test, b.test" },
		{ EXPIRED, "mx.test", "certificate of mx.test has expired (20" },
		{ EARLY, "mx.test", "certificate of mx.test is not valid yet" },
		{ SELF, "mx.test", "certificate of mx.test is self-signed" },
		{ STRANGE, "mx.test", "certificate of mx.test comes from an "
		  "issuer that is not trusted here: CN = Strange CA" },
		{ CHAINED, "mx.test", "certificate in the chain of mx.test "
		  "has expired" },
		{ NUL, "mx.test", "certificate of mx.test has a NUL in a name: "
		  "mx.test?.evil.test" },
		{ NO_SAN, "mx.test", "certificate of mx.test is for no host" },
		{ WILD, "a.mail.test", NULL },
		{ WILD, "mail.test", "not for this name, but for *.mail" },
		{ WILD, "a.b.mail.test", "not for this name" },
		{ WILD_TOP, "mx.test", "not for this name, but for *.test" },
		{ PARTIAL, "mx.mail.test", "not for this name, but for m*." },
		{ ADDRESS, "192.0.2.1", NULL },
		{ ADDRESS, "[192.0.2.1]", NULL },
		{ ADDRESS, "2001:DB8::1", NULL },
		{ ADDRESS, "192.0.2.2", "not for this name, but for 192.0.2.1, "
		  "2001:db8::1" },
		{ MANY, "mx.test", "a.test, b.test, 192.0.2.9, d.test, e.test "
		  "and 2 more" },
		{ EVIL, "mx.test", "but for a?[2Jb.test" },
	};
	enum tls_level level;
	char name[100];
	size_t i;

	for (i = 0; i < COUNT(table); i++)
		for (level = TLS_MAY; level <= TLS_VERIFY; level++) {
			snprintf(name, sizeof(name), "%s at %s, level %d",
				 specs[table[i].cert].cn, table[i].host,
				 level);
			one(name, context(level), table[i].cert,
			    table[i].host, level == TLS_VERIFY ?
			    table[i].why : NULL, i & 1 ? TLS12 : 0);
		}
}

static void test_trust(void)
{
	struct tls_policy p = policy(TLS_VERIFY);
	char why[REPLY_TEXT];
	struct tls_context *c;

	p.ca_file = "";
	p.ca_dir = path_of("hashed");
	c = tls_context(&p, why, sizeof(why));
	one("a hashed directory", c, GOOD, "mx.test", NULL, 0);
	one("of others", c, STRANGE, "mx.test", "issuer that is not", 0);
	p.ca_dir = "";
	p.ca_file = path_of("self.pem");
	c = tls_context(&p, why, sizeof(why));
	one("its own certificate in the file", c, SELF, "mx.test", NULL, 0);
	one("but for its name only", c, SELF, "a.test", "this name", 0);
	p.ca_file = "";
	if (access(PATH_CA_DIRECTORY "/002c0b4f.0", R_OK) == 0) {
		c = tls_context(&p, why, sizeof(why));
		one("the system's store", c, GOOD, "mx.test", "not trusted",
		    0);
	}
}

static void test_pins(void)
{
	const char *good[] = { NULL, NULL, NULL };
	struct tls_policy p = policy(TLS_FINGERPRINT);
	char why[REPLY_TEXT], text[300];
	struct tls_context *c;
	int i;

	for (i = 0; i < 4; i++) {
		/* contexts keep the list */
		const char **list = xcalloc(3, sizeof(*list));

		list[0] = xstrdup(print_of(WRONG, false, false));
		list[1] = xstrdup(print_of(EXPIRED, i & 1, i & 2));
		p.fingerprints = list;
		c = tls_context(&p, why, sizeof(why));
		one("pinned", c, EXPIRED, "any.test", NULL, 0);
		snprintf(text, sizeof(text), "certificate of mx.test is not "
			 "one of those pinned: its fingerprint is %s, that of "
			 "its public key is %s", print_of(GOOD, false, false),
			 print_of(GOOD, true, false));
		one("not pinned", c, GOOD, "mx.test", text, 0);
		check(c == tls_context(&p, why, sizeof(why)), "the same");
	}
	p.fingerprints = good;
	check(!tls_context(&p, why, sizeof(why)), "none");
	check_str("none", why, "no fingerprint to compare with is set");
	for (i = 0; i < 5; i++) {
		static const char *const bad[] = { "", "00", "zz",
			"00112233445566778899aabbccddeeff00112233445566778899"
			"aabbccddeef", "00112233445566778899aabbccddeeff001122"
			"33445566778899aabbccddeeff00" };

		good[0] = bad[i];
		check(!tls_context(&p, why, sizeof(why)), bad[i]);
		check(strstr(why, "is no SHA-256 fingerprint"), why);
	}
}

/* ---- contexts ----------------------------------------------------------- */

static void test_contexts(void)
{
	static const struct {
		const char *ca_file, *ca_dir, *cert, *key, *protocol, *ciphers;
		const char *why;
	} table[] = {
		{ "none.pem", "", "", "", "TLSv1.2", "", "No such file" },
		{ "locked.pem", "", "", "", "TLSv1.2", "", NULL },
		{ "", "none", "", "", "TLSv1.2", "", "No such file" },
		{ "", "empty", "", "", "TLSv1.2", "", "no hash links" },
		{ "ca.pem", "hashed", "", "", "TLSv1.2", "", NULL },
		{ "ca.pem", "", "none.pem", "", "TLSv1.2", "", "No such" },
		{ "ca.pem", "", "client.pem", "none.pem", "TLSv1.2", "",
		  "none.pem: No such file" },
		{ "ca.pem", "", "client.pem", "strange.pem", "TLSv1.2", "",
		  "strange.pem: key values mismatch" },
		{ "ca.pem", "", "locked.pem", "", "TLSv1.2", "",
		  "locked.pem: " },
		{ "ca.pem", "", "client.pem", "", "TLSv1.2", "", NULL },
		{ "ca.pem", "", "", "", "TLSv1", "", NULL },
		{ "ca.pem", "", "", "", "tlsv1.1", "", NULL },
		{ "ca.pem", "", "", "", "TLSv1.3", "", NULL },
		{ "ca.pem", "", "", "", "SSLv3", "", "\"SSLv3\" is none of" },
		{ "ca.pem", "", "", "", "", "", "is none of TLSv1, " },
		{ "ca.pem", "", "", "", "TLSv1.2", "HIGH:!aNULL", NULL },
		{ "ca.pem", "", "", "", "TLSv1.2", "NOTHING", "no known ci" },
	};
	char why[REPLY_TEXT];
	size_t i;

	for (i = 0; i < COUNT(table); i++) {
		struct tls_policy p = policy(TLS_VERIFY);
		struct tls_context *c;

#define PATH(s) (*(s) ? path_of(s) : "")
		p.ca_file = PATH(table[i].ca_file);
		p.ca_dir = PATH(table[i].ca_dir);
		p.cert_file = PATH(table[i].cert);
		p.key_file = PATH(table[i].key);
		p.min_protocol = table[i].protocol;
		p.ciphers = table[i].ciphers;
		why[0] = '\0';
		c = tls_context(&p, why, sizeof(why));
		check((c == NULL) == (table[i].why != NULL), why);
		if (!check(!table[i].why || strstr(why, table[i].why), why))
			printf("  want: %s\n", table[i].why);
		if (c)
			check(c == tls_context(&p, why, sizeof(why)), "kept");
	}
}

/* ---- protocols and client certificates ---------------------------------- */

static void test_protocols(void)
{
	struct tls_policy p = policy(TLS_ENCRYPT);
	char why[REPLY_TEXT];

	one("an old server", context(TLS_ENCRYPT), GOOD, "mx.test",
	    "mx.test refuses TLS from TLSv1.2 on", TLS11);
	p.min_protocol = "TLSv1.3";
	one("not old enough", tls_context(&p, why, sizeof(why)), GOOD,
	    "mx.test", "mx.test refuses TLS from TLSv1.3 on", TLS12);
	p.min_protocol = "TLSv1";
	one("an old server is wanted", tls_context(&p, why, sizeof(why)), GOOD,
	    "mx.test", NULL, TLS11);
	p.min_protocol = "TLSv1.2";
	p.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
	one("one cipher", tls_context(&p, why, sizeof(why)), GOOD, "mx.test",
	    NULL, TLS12);
	p.ciphers = "AES128-SHA";
	one("no common cipher", tls_context(&p, why, sizeof(why)), GOOD,
	    "mx.test", "mx.test sent the TLS alert \"handshake failure\"",
	    TLS12);
}

static void test_client_certificate(void)
{
	struct tls_policy p = policy(TLS_ENCRYPT);
	char why[REPLY_TEXT];
	struct server v;
	struct tls *t;
	X509 *got;
	int fd[2], i;

	p.cert_file = path_of("client.pem");
	for (i = 0; i < 2; i++) {
		pair(fd);
		server_open(&v, GOOD, fd[1], i ? ASKS : DEMANDS);
		t = tls_new(i ? context(TLS_MAY) :
			    tls_context(&p, why, sizeof(why)), fd[0],
			    "mx.test.");
		check(shake(t, &v) == TLS_DONE, "asked for a certificate");
		server_step(&v);
		check(v.up, "the server is content");
		check_str("SNI", v.sni, "mx.test");
		got = SSL_get1_peer_certificate(v.ssl);
		check(i ? !got : got && X509_cmp(got, certs[GOOD]) == 0,
		      "the certificate it got");
		X509_free(got);
		tls_free(t);
		close(fd[0]);
		server_close(&v);
	}
	one("none where it must be", context(TLS_ENCRYPT), GOOD, "mx.test",
	    "mx.test sent the TLS alert \"handshake failure\"",
	    DEMANDS | TLS12);
}

int main(void)
{
	alarm(60);
	make_all();
	test_contexts();
	test_table();
	test_trust();
	test_pins();
	test_protocols();
	test_client_certificate();
	cleanup();
	return check_done("tls");
}
