/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * out/sasl: the vectors of the RFCs, whole dialogues as tables, challenges
 * that are wrong, the choice of a mechanism.
 */
#include "out/sasl.h"
#include "lib/codec.h"
#include "lib/crypto.h"
#include "tests/check.h"

#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- crypto ------------------------------------------------------------- */

static void check_hex(const char *name, const unsigned char *p, size_t n,
		      const char *want)
{
	char text[2 * CRYPTO_MAX + 1] = "";
	size_t i;

	for (i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", p[i]);
	check_str(name, text, want);
}

static void test_crypto(void)
{
	static const char text[] = "what do ya want for nothing?";
	unsigned char out[CRYPTO_MAX];

	check(crypto_digest(CRYPTO_SHA256, "abc", 3, out), "SHA-256");
	check_hex("SHA-256 of abc", out, 32, "ba7816bf8f01cfea414140de5dae2223"
		  "b00361a396177a9cb410ff61f20015ad");
	check(crypto_digest(CRYPTO_SHA1, "", 0, out), "SHA-1");
	check_hex("SHA-1 of nothing", out, 20,
		  "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	/* RFC 2202 2 and 3, RFC 4231 4.3: case 2 */
	check(crypto_hmac(CRYPTO_MD5, "Jefe", 4, text, 28, out), "HMAC");
	check_hex("HMAC-MD5", out, 16, "750c783e6ab0b503eaa86e310a5db738");
	check(crypto_hmac(CRYPTO_SHA1, "Jefe", 4, text, 28, out), "HMAC");
	check_hex("HMAC-SHA-1", out, 20,
		  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	check(crypto_hmac(CRYPTO_SHA256, "Jefe", 4, text, 28, out), "HMAC");
	check_hex("HMAC-SHA-256", out, 32, "5bdcc146bf60754e6a042426089575c7"
		  "5a003f089d2739839dec58b964ec3843");
	check(crypto_hmac(CRYPTO_MD5, NULL, 0, "", 0, out), "no key");
	check_hex("HMAC-MD5 of nothing", out, 16,
		  "74e6f7298a9c2d168935f58c001bad88");
	/* RFC 6070 2 */
	check(crypto_pbkdf2(CRYPTO_SHA1, "password", "salt", 4, 4096, out),
	      "PBKDF2");
	check_hex("PBKDF2", out, 20,
		  "4b007901b765489abead49d926f721d065a429c1");
	check(crypto_equal("abc", "abc", 3), "equal");
	check(!crypto_equal("abc", "abd", 3), "not equal");
	crypto_wipe(out, sizeof(out));
	check(out[0] == 0 && out[CRYPTO_MAX - 1] == 0, "wiped");
}

/* ---- dialogues ---------------------------------------------------------- */

#define RFC5802_S1 "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j," \
	"s=QSXCR+Q6sek8bf92,i=4096"
#define RFC5802_C2 "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j," \
	"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define RFC7677_S1 "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," \
	"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC7677_C2 "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)" \
	"hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define NONCE5802 "fyko+d2lbbFgONRv9qkxdawL"
#define NONCE7677 "rOprNGfwEbeRWgbNEkqO"
#define UNSIGNED "has not proved"

/* A challenge and its response; both may hold any octet but NUL, which is
 * written as '~'. */
struct turn { const char *challenge, *response; };

static const struct dialogue {
	const char *name, *mechanism, *user, *password, *nonce;
	const char *initial;		/* NULL: none */
	struct turn turns[4];		/* ended by a NULL challenge */
	const char *why;		/* a part of what the last step says */
	const char *finish;		/* of what sasl_finish says */
} dialogues[] = {
	{ "PLAIN", "PLAIN", "tim", "tanstaaftanstaaf", "",
	  "~tim~tanstaaftanstaaf", { { NULL, NULL } }, NULL, NULL },
	{ "PLAIN in UTF-8", "plain", "t\303\255m", "p\303\245ss", "",
	  "~t\303\255m~p\303\245ss", { { NULL, NULL } }, NULL, NULL },
	{ "PLAIN asked on", "PLAIN", "tim", "x", "", "~tim~x",
	  { { "more", NULL } }, "PLAIN has no more to say", NULL },
	{ "LOGIN", "LOGIN", "tim", "secret", "", NULL,
	  { { "Username:", "tim" }, { "Password:", "secret" } }, NULL, NULL },
	{ "LOGIN with other prompts", "LOGIN", "tim", "secret", "", NULL,
	  { { "User Name~", "tim" }, { "", "secret" } }, NULL, NULL },
	{ "LOGIN asked on", "LOGIN", "tim", "secret", "", NULL,
	  { { "U", "tim" }, { "P", "secret" }, { "Code:", NULL } },
	  "LOGIN has no more", NULL },
	{ "CRAM-MD5 (RFC 2195 2)", "CRAM-MD5", "tim", "tanstaaftanstaaf", "",
	  NULL, { { "<1896.697170952@postoffice.reston.mci.net>",
		    "tim b913a602c7eda7a495b4e6e7334d3890" } }, NULL, NULL },
	{ "CRAM-MD5 of nothing", "CRAM-MD5", "tim", "x", "", NULL,
	  { { "", NULL } }, "CRAM-MD5 is empty", NULL },
	{ "CRAM-MD5 twice", "CRAM-MD5", "tim", "tanstaaftanstaaf", "", NULL,
	  { { "<1896.697170952@postoffice.reston.mci.net>",
	      "tim b913a602c7eda7a495b4e6e7334d3890" }, { "<2>", NULL } },
	  "CRAM-MD5 has no more", NULL },
	{ "SCRAM-SHA-1 (RFC 5802 5)", "SCRAM-SHA-1", "user", "pencil",
	  NONCE5802, "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 },
	    { "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "" } }, NULL, NULL },
	{ "SCRAM-SHA-256 (RFC 7677 3)", "SCRAM-SHA-256", "user", "pencil",
	  NONCE7677, "n,,n=user,r=" NONCE7677,
	  { { RFC7677_S1, RFC7677_C2 },
	    { "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "" } },
	  NULL, NULL },
	{ "SCRAM with an extension", "SCRAM-SHA-256", "user", "pencil",
	  NONCE7677, "n,,n=user,r=" NONCE7677,
	  { { RFC7677_S1 ",x=y",	/* signed too: not the vector's */
	      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	      "p=*" } }, NULL, UNSIGNED },
	{ "SCRAM, an odd user", "SCRAM-SHA-1", "a=b,c", "pencil", "abc",
	  "n,,n=a=3Db=2Cc,r=abc", { { NULL, NULL } }, NULL, UNSIGNED },
	{ "SCRAM without the end", "SCRAM-SHA-1", "user", "pencil", NONCE5802,
	  "n,,n=user,r=" NONCE5802, { { RFC5802_S1, RFC5802_C2 } }, NULL,
	  UNSIGNED },
	{ "SCRAM, a wrong signature", "SCRAM-SHA-1", "user", "pencil",
	  NONCE5802, "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 },
	    { "v=rmF9pqV8S7suAoZWja4dJRkFsKA=", NULL } },
	  "signature is wrong", UNSIGNED },
	{ "SCRAM, a short signature", "SCRAM-SHA-1", "user", "pencil",
	  NONCE5802, "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 }, { "v=rmF9", NULL } },
	  "signature is wrong", UNSIGNED },
	{ "SCRAM, no signature", "SCRAM-SHA-1", "user", "pencil",
	  NONCE5802, "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 }, { "", NULL } },
	  "has no signature", UNSIGNED },
	{ "SCRAM, an error", "SCRAM-SHA-1", "user", "pencil",
	  NONCE5802, "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 }, { "e=invalid-proof\033[2J", NULL } },
	  "the server says invalid-proof?[2J", UNSIGNED },
	{ "SCRAM asked on", "SCRAM-SHA-1", "user", "pencil", NONCE5802,
	  "n,,n=user,r=" NONCE5802,
	  { { RFC5802_S1, RFC5802_C2 },
	    { "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "" }, { "v=", NULL } },
	  "SCRAM-SHA-1 has no more", NULL },
	{ "OAUTHBEARER (RFC 7628 4.1)", "OAUTHBEARER", "user@example.com",
	  "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "",
	  "n,a=user@example.com,\1host=server.example.com\1port=143\1"
	  "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
	  { { NULL, NULL } }, NULL, NULL },
	{ "OAUTHBEARER without a user", "OAUTHBEARER", "", "tok", "",
	  "n,,\1host=server.example.com\1port=143\1auth=Bearer tok\1\1",
	  { { NULL, NULL } }, NULL, NULL },
	{ "OAUTHBEARER refused", "OAUTHBEARER", "u", "tok", "",
	  "n,a=u,\1host=server.example.com\1port=143\1auth=Bearer tok\1\1",
	  { { "{\"status\":\"invalid_token\"}", "\1" } }, NULL,
	  "refused the token" },
	{ "XOAUTH2", "XOAUTH2", "a@b.test", "tok", "",
	  "user=a@b.test\1auth=Bearer tok\1\1", { { NULL, NULL } }, NULL,
	  NULL },
	{ "XOAUTH2 refused", "XOAUTH2", "a@b.test", "tok", "",
	  "user=a@b.test\1auth=Bearer tok\1\1",
	  { { "{\"status\":\"400\"}", "" }, { "{}", NULL } },
	  "XOAUTH2 has no more", "refused the token" },
	{ "EXTERNAL", "EXTERNAL", "alice", "", "", "alice",
	  { { NULL, NULL } }, NULL, NULL },
	{ "EXTERNAL, whoever", "EXTERNAL", "", "", "", "", { { NULL, NULL } },
	  NULL, NULL },
};

/* With '~' for NUL. */
static void put_text(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_putc(b, *s == '~' ? '\0' : *s);
}

/* '*' at the end of what is wanted: the rest is anything. */
static void check_text(const char *name, struct buf *got, const char *want)
{
	struct buf b;
	size_t n = buf_len(got);

	buf_init(&b, 10000);
	put_text(&b, want);
	if (*want && want[strlen(want) - 1] == '*') {
		buf_cut(&b, buf_len(&b) - 1);
		n = n < buf_len(&b) ? n : buf_len(&b);
	}
	check_bytes(name, buf_data(got), n, buf_data(&b), buf_len(&b));
	buf_free(&b);
}

static void check_part(const char *name, const char *got, const char *part)
{
	if (!check(part ? got && strstr(got, part) : !got, name))
		printf("  want: %s\n  got:  %s\n", part ? part : "(nothing)",
		       got ? got : "(nothing)");
}

static void run(const struct dialogue *d)
{
	struct sasl_identity who = { d->user, d->password,
		"server.example.com", 143, d->nonce,
		strstr(d->mechanism, "AUTH") != NULL };
	struct sasl *s = sasl_new(d->mechanism, &who);
	const struct turn *t;
	struct buf in, out;
	const char *why = NULL;

	if (!check(s != NULL, d->name))
		return;
	buf_init(&in, 10000);
	buf_init(&out, 10000);
	if (check(sasl_initial(s, &out) == (d->initial != NULL), d->name) &&
	    d->initial)
		check_text(d->name, &out, d->initial);
	for (t = d->turns; t->challenge && !why; t++) {
		buf_clear(&in);
		buf_clear(&out);
		put_text(&in, t->challenge);
		why = sasl_step(s, buf_data(&in), buf_len(&in), &out);
		check((why == NULL) == (t->response != NULL), d->name);
		check_text(d->name, &out, t->response ? t->response : "");
	}
	check_part(d->name, why, d->why);
	check_part(d->name, sasl_finish(s), d->finish);
	sasl_free(s);
	buf_free(&in);
	buf_free(&out);
}

/* ---- server-first-messages that are wrong ------------------------------- */

static void test_malformed(void)
{
	static const struct { const char *challenge, *why; } table[] = {
		{ "", "no nonce" },
		{ "r", "no nonce" },
		{ "m=must,r=abcX,s=QUJD,i=1", "no nonce" },
		{ "e=other-error", "no nonce" },
		{ "r=,s=QUJD,i=1", "does not continue" },
		{ "r=abc,s=QUJD,i=1", "does not continue" },
		{ "r=abX,s=QUJD,i=1", "does not continue" },
		{ "r=Xabc,s=QUJD,i=1", "does not continue" },
		{ "r=abcX\001,s=QUJD,i=1", "not printable" },
		{ "r=abcX~Y,s=QUJD,i=1", "not printable" },
		{ "r=abc\303\274,s=QUJD,i=1", "not printable" },
		{ "r=abcX", "no usable salt" },
		{ "r=abcX,i=1,s=QUJD", "no usable salt" },
		{ "r=abcX,s=,i=1", "no usable salt" },
		{ "r=abcX,s=Q!,i=1", "no usable salt" },
		{ "r=abcX,s=QUJD", "no iteration count" },
		{ "r=abcX,s=QUJD,x=1", "no iteration count" },
		{ "r=abcX,s=QUJD,i=10000000000000000000000", "no iteration" },
		{ "r=abcX,s=QUJD,i=", "not between" },
		{ "r=abcX,s=QUJD,i=0", "not between" },
		{ "r=abcX,s=QUJD,i=-1", "not between" },
		{ "r=abcX,s=QUJD,i=1x", "not between" },
		{ "r=abcX,s=QUJD,i=1000001", "not between" },
		{ "r=abcX,s=QUJD,i=1", NULL },
		{ "r=abcX,s=QUJD,i=1,future=1", NULL },
	};
	struct sasl_identity who = { "u", "p", "", 0, "abc", false };
	struct buf in, out;
	size_t i;

	buf_init(&in, 10000);
	buf_init(&out, 10000);
	for (i = 0; i < COUNT(table); i++) {
		struct sasl *s = sasl_new("SCRAM-SHA-256", &who);

		sasl_initial(s, &out);
		buf_clear(&in);
		buf_clear(&out);
		put_text(&in, table[i].challenge);
		check_part(table[i].challenge, sasl_step(s, buf_data(&in),
			   buf_len(&in), &out), table[i].why);
		check((buf_len(&out) == 0) == (table[i].why != NULL),
		      table[i].challenge);
		sasl_free(s);
	}
	buf_free(&in);
	buf_free(&out);
}

static void test_limits(void)
{
	struct sasl_identity who = { "u", "p", "", 0, "abc", false };
	struct sasl *s = sasl_new("SCRAM-SHA-256", &who);
	static char much[10000];
	struct buf out, small;

	buf_init(&out, 10000);
	memset(much, 'x', sizeof(much));
	check_part("step before the initial response",
		   sasl_step(s, "r=abcX,s=QUJD,i=1", 17, &out),
		   "begins with us");
	sasl_initial(s, &out);
	check_part("a huge challenge", sasl_step(s, much, sizeof(much), &out),
		   "too long");
	sasl_free(s);
	s = sasl_new("CRAM-MD5", &who);
	buf_init(&small, 10);
	check_part("no room", sasl_step(s, "<1@x>", 5, &small), "too long");
	sasl_free(s);
	sasl_free(NULL);
	check(sasl_new("GSSAPI", &who) == NULL, "unknown");
	check(sasl_new("", &who) == NULL, "no name");
	who.nonce = "";
	check(sasl_new("SCRAM-SHA-1", &who) == NULL, "no nonce");
	who.nonce = "a,b";
	check(sasl_new("SCRAM-SHA-1", &who) == NULL, "a nonce with a comma");
	who.password = "";
	check(sasl_new("PLAIN", &who) == NULL, "no password");
	buf_free(&out);
	buf_free(&small);
}

/* RFC 7628 4.1 as it stands there, in base64. */
static void test_bearer_base64(void)
{
	struct sasl_identity who = { "user@example.com",
		"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
		"server.example.com", 143, "", true };
	struct sasl *s = sasl_new("OAUTHBEARER", &who);
	struct buf out, text;

	buf_init(&out, 1000);
	buf_init(&text, 1000);
	sasl_initial(s, &out);
	base64_encode(&text, buf_data(&out), buf_len(&out));
	check_str("RFC 7628", buf_str(&text), "bixhPXVzZXJAZXhhbXBsZS5jb20sAW"
		  "hvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
		  "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
	sasl_free(s);
	buf_free(&out);
	buf_free(&text);
}

/* ---- the choice --------------------------------------------------------- */

#define ALL "XOAUTH2 LOGIN PLAIN EXTERNAL CRAM-MD5 OAUTHBEARER SCRAM-SHA-1 " \
	"GSSAPI NTLM SCRAM-SHA-256 SCRAM-SHA-256-PLUS DIGEST-MD5"

static void test_choice(void)
{
	static const struct sasl_identity
		password = { "u", "p", "h", 25, "n", false },
		token = { "u", "t", "h", 25, "n", true },
		bare = { "u", "", "h", 25, "n", false },
		nobody = { "", "t", "h", 25, "n", true },
		no_nonce = { "u", "p", "h", 25, "", false },
		evil = { "u", "t\001x", "h", 25, "n", true };
	static const struct {
		const char *offered, *allowed;
		const struct sasl_identity *who;
		const char *tls;	/* NULL: none; in clear always none */
	} table[] = {
		{ ALL, "", &password, "SCRAM-SHA-256" },
		{ ALL, " , ", &password, "SCRAM-SHA-256" },
		{ "PLAIN SCRAM-SHA-1 CRAM-MD5", "", &password, "SCRAM-SHA-1" },
		{ "LOGIN PLAIN CRAM-MD5", "", &password, "CRAM-MD5" },
		{ "LOGIN PLAIN", "", &password, "PLAIN" },
		{ "login  plain", "", &password, "PLAIN" },
		{ "LOGIN", "", &password, "LOGIN" },
		{ "LOGINS PLAIN-CLIENTTOKEN SCRAM-SHA-256-PLUS", "", &password,
		  NULL },
		{ "", "", &password, NULL },
		{ NULL, "", &password, "SCRAM-SHA-256" },
		{ NULL, "login", &password, "LOGIN" },
		{ NULL, "NTLM", &password, NULL },
		{ "OAUTHBEARER XOAUTH2 EXTERNAL", "", &password, NULL },
		{ ALL, "", &no_nonce, "CRAM-MD5" },
		{ ALL, "plain,login", &password, "PLAIN" },
		{ ALL, "LOGIN PLAIN", &password, "PLAIN" },
		{ ALL, "login", &password, "LOGIN" },
		{ "PLAIN", "LOGIN", &password, NULL },
		{ ALL, "", &token, "OAUTHBEARER" },
		{ "XOAUTH2 PLAIN", "", &token, "XOAUTH2" },
		{ "PLAIN LOGIN SCRAM-SHA-256", "", &token, NULL },
		{ ALL, "", &evil, NULL },
		{ ALL, "", &nobody, "OAUTHBEARER" },
		{ "XOAUTH2", "", &nobody, NULL },
		{ ALL, "", &bare, NULL },
		{ ALL, "EXTERNAL", &bare, "EXTERNAL" },
		{ ALL, "PLAIN, external", &bare, "EXTERNAL" },
		{ ALL, "external,PLAIN", &password, "PLAIN" },
	};
	char name[300];
	size_t i;

	for (i = 0; i < COUNT(table); i++) {
		const char *tls = sasl_choose(table[i].offered,
			table[i].allowed, table[i].who, true);
		const char *clear = sasl_choose(table[i].offered,
			table[i].allowed, table[i].who, false);

		snprintf(name, sizeof(name), "%zu: %.100s / %s", i,
			 table[i].offered ? table[i].offered : "(all)",
			 table[i].allowed);
		check_str(name, tls ? tls : "none",
			  table[i].tls ? table[i].tls : "none");
		check_str(name, clear ? clear : "none", "none");
	}
}

int main(void)
{
	size_t i;

	test_crypto();
	for (i = 0; i < COUNT(dialogues); i++)
		run(&dialogues[i]);
	test_malformed();
	test_limits();
	test_bearer_base64();
	test_choice();
	return check_done("sasl");
}
