/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * SASL mechanisms, client side: see sasl.h.  The one idea: a mechanism is a
 * row of a table, strongest first: what it needs, what it gives away, and
 * three functions.  The choice is one loop over the rows, and nothing outside
 * this file knows any of them by name.
 *
 * The password is never copied: it is borrowed, and what is derived from it is
 * wiped in the function that derived it.  What is written to out (and to where
 * out is sent from) is for its owner to wipe; room for it is made first, so
 * that the buffer leaves no copy behind by growing.
 *
 * In reading order: the run of a mechanism, PLAIN and LOGIN, CRAM-MD5, SCRAM,
 * the tokens, EXTERNAL, the table, the choice, the interface.
 */
#include "out/sasl.h"
#include "config.h"
#include "lib/codec.h"
#include "lib/crypto.h"
#include "lib/reply.h"
#include "lib/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 7677 4 asks for 4096 at least, but servers have less.  At the upper
 * bound a hostile one costs us half a second. */
#define ROUNDS_MAX 1000000
#define SALT_MAX 1024
/* The SCRAM messages that are signed; a challenge is a reply's line. */
#define SIGNED_MAX (3 * REPLY_LINE_MAX)

struct mechanism;

struct sasl {
	const struct mechanism *m;
	struct sasl_identity who;
	unsigned steps;		/* challenges answered */
	bool begun;		/* the initial response was given */
	bool proven;		/* SCRAM: the server's signature was right */
	bool refused;		/* an error challenge was answered */
	struct buf text;	/* SCRAM: AuthMessage, as far as it is known */
	unsigned char server_key[CRYPTO_MAX];
	char why[REPLY_TEXT];
};

/* What a mechanism needs. */
enum {
	NEEDS_USER = 1,
	NEEDS_PASSWORD = 2,
	NEEDS_TOKEN = 4,
	NEEDS_NONCE = 8,
	NEEDS_NAMING = 16,	/* only where the operator asks for it */
};

struct mechanism {
	const char *name;
	unsigned needs;
	enum crypto_hash hash;
	/* NULL: it begins with a challenge */
	void (*initial)(struct sasl *s, struct buf *out);
	const char *(*step)(struct sasl *s, const char *p, size_t n,
			    struct buf *out);
};

/* ---- the run of a mechanism --------------------------------------------- */

static const char *say(struct sasl *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The sentence that ends the exchange; parts of it come from the server. */
static const char *say(struct sasl *s, const char *fmt, ...)
{
	char text[2 * REPLY_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printable(s->why, sizeof(s->why), text, strlen(text));
	return s->why;
}

static const char *no_challenge(struct sasl *s, const char *p, size_t n,
				struct buf *out)
{
	(void)p;
	(void)n;
	(void)out;
	return say(s, "the server asks on where %s has no more to say",
		   s->m->name);
}

/* ---- PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login) ------------ */

static void plain_initial(struct sasl *s, struct buf *out)
{
	size_t nuser = strlen(s->who.user) + 1;
	size_t npassword = strlen(s->who.password);

	buf_room(out, 1 + nuser + npassword);
	buf_putc(out, '\0');
	buf_put(out, s->who.user, nuser);	/* with its NUL */
	buf_put(out, s->who.password, npassword);
}

/* The prompts are in all languages: only their order is believed. */
static const char *login_step(struct sasl *s, const char *p, size_t n,
			      struct buf *out)
{
	if (s->steps > 1)
		return no_challenge(s, p, n, out);
	buf_puts(out, s->steps == 0 ? s->who.user : s->who.password);
	return NULL;
}

/* ---- CRAM-MD5 (RFC 2195) ------------------------------------------------ */

static void put_hex(struct buf *out, const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
}

static const char *cram_step(struct sasl *s, const char *p, size_t n,
			     struct buf *out)
{
	unsigned char mac[CRYPTO_MAX];

	if (s->steps > 0)
		return no_challenge(s, p, n, out);
	/* of nothing it would be the same answer for ever */
	if (n == 0)
		return say(s, "the challenge of CRAM-MD5 is empty");
	if (!crypto_hmac(CRYPTO_MD5, s->who.password, strlen(s->who.password),
			 p, n, mac))
		return say(s, "OpenSSL here has no MD5");
	buf_printf(out, "%s ", s->who.user);
	put_hex(out, mac, crypto_size(CRYPTO_MD5));
	crypto_wipe(mac, sizeof(mac));
	return NULL;
}

/* ---- SCRAM (RFC 5802, 7677) --------------------------------------------- */

/* "c=" of a client that knows no channel binding: base64 of "n,,". */
#define GS2_HEADER "n,,"
#define GS2_BASE64 "biws"

/* A saslname: "," and "=" would end or begin something (RFC 5802 5.1).
 * SASLprep is not applied: to ASCII it does nothing, and the rest is sent as
 * the operator wrote it. */
static void put_saslname(struct buf *out, const char *user)
{
	for (; *user; user++)
		if (*user == ',')
			buf_puts(out, "=2C");
		else if (*user == '=')
			buf_puts(out, "=3D");
		else
			buf_putc(out, *user);
}

static void scram_initial(struct sasl *s, struct buf *out)
{
	buf_clear(&s->text);
	buf_puts(&s->text, "n=");
	put_saslname(&s->text, s->who.user);
	buf_printf(&s->text, ",r=%s", s->who.nonce);
	buf_puts(out, GS2_HEADER);
	buf_put(out, buf_data(&s->text), buf_len(&s->text));
}

/* The value of the attribute that must come next, up to a comma or the end. */
static bool attribute(struct cursor *c, char name, const char **value,
		      size_t *n)
{
	if (cursor_left(c) < 2 || c->p[0] != name || c->p[1] != '=')
		return false;
	c->p += 2;
	*value = c->p;
	while (c->p < c->end && *c->p != ',')
		c->p++;
	*n = (size_t)(c->p - *value);
	cursor_next(c);
	return true;
}

/* The server-first-message; its parts point into the challenge. */
struct scram_first {
	const char *nonce;
	size_t nnonce;
	char salt[SALT_MAX];
	size_t nsalt;
	uint64_t rounds;
};

static bool salt_parse(struct scram_first *f, const char *p, size_t n)
{
	struct buf b;
	bool good;

	buf_init(&b, SALT_MAX);
	good = base64_decode(&b, p, n) && buf_len(&b) > 0;
	if (good) {
		f->nsalt = buf_len(&b);
		memcpy(f->salt, buf_data(&b), f->nsalt);
	}
	buf_free(&b);
	return good;
}

/* NULL, or what is wrong with it.  Extensions at its end are ignored (RFC
 * 5802 5.1); one that must not be comes first, and fails as "r" missing. */
static const char *scram_parse(struct sasl *s, const char *p, size_t n,
			       struct scram_first *f)
{
	struct cursor c = cursor_on(p, n);
	size_t ours = strlen(s->who.nonce), nvalue, i;
	const char *value;
	char number[20];

	if (!attribute(&c, 'r', &f->nonce, &f->nnonce))
		return "no nonce";
	/* who only repeats ours could replay an old session */
	if (f->nnonce <= ours || memcmp(f->nonce, s->who.nonce, ours) != 0)
		return "its nonce does not continue ours";
	for (i = 0; i < f->nnonce; i++)
		if (f->nonce[i] < '!' || f->nonce[i] > '~')
			return "a nonce that is not printable";
	if (!attribute(&c, 's', &value, &nvalue) ||
	    !salt_parse(f, value, nvalue))
		return "no usable salt";
	if (!attribute(&c, 'i', &value, &nvalue) || nvalue >= sizeof(number))
		return "no iteration count";
	memcpy(number, value, nvalue);
	number[nvalue] = '\0';
	if (!parse_number(number, ROUNDS_MAX, &f->rounds) || f->rounds == 0)
		return "an iteration count that is not between 1 and 1000000";
	return NULL;
}

/* RFC 5802 3: what proves us goes to proof, what will prove the server is
 * kept in s->server_key. */
static bool scram_keys(struct sasl *s, const struct scram_first *f,
		       unsigned char proof[CRYPTO_MAX])
{
	enum crypto_hash h = s->m->hash;
	size_t n = crypto_size(h), i;
	unsigned char salted[CRYPTO_MAX], key[CRYPTO_MAX], stored[CRYPTO_MAX];
	unsigned char signature[CRYPTO_MAX];
	bool good = crypto_pbkdf2(h, s->who.password, f->salt, f->nsalt,
				  (unsigned)f->rounds, salted) &&
		crypto_hmac(h, salted, n, "Client Key", 10, key) &&
		crypto_digest(h, key, n, stored) &&
		crypto_hmac(h, stored, n, buf_data(&s->text),
			    buf_len(&s->text), signature) &&
		crypto_hmac(h, salted, n, "Server Key", 10, s->server_key);

	for (i = 0; good && i < n; i++)
		proof[i] = key[i] ^ signature[i];
	crypto_wipe(salted, sizeof(salted));
	crypto_wipe(key, sizeof(key));
	crypto_wipe(stored, sizeof(stored));
	crypto_wipe(signature, sizeof(signature));
	return good;
}

/* server-first-message in, client-final-message out */
static const char *scram_answer(struct sasl *s, const char *p, size_t n,
				struct buf *out)
{
	struct scram_first first;
	unsigned char proof[CRYPTO_MAX];
	const char *fault = scram_parse(s, p, n, &first);

	if (fault)
		return say(s, "the challenge of %s has %s", s->m->name, fault);
	buf_putc(&s->text, ',');
	buf_put(&s->text, p, n);
	buf_puts(&s->text, ",c=" GS2_BASE64 ",r=");
	buf_put(&s->text, first.nonce, first.nnonce);
	if (s->text.failed)
		return say(s, "the challenge of %s is too long", s->m->name);
	if (!scram_keys(s, &first, proof))
		return say(s, "OpenSSL here cannot do %s", s->m->name);
	buf_puts(out, "c=" GS2_BASE64 ",r=");
	buf_put(out, first.nonce, first.nnonce);
	buf_puts(out, ",p=");
	base64_encode(out, proof, crypto_size(s->m->hash));
	crypto_wipe(proof, sizeof(proof));
	return NULL;
}

/* server-final-message: does the server know the password too? */
static const char *scram_check(struct sasl *s, const char *p, size_t n)
{
	struct cursor c = cursor_on(p, n);
	unsigned char want[CRYPTO_MAX];
	size_t size = crypto_size(s->m->hash), nvalue;
	const char *value;
	struct buf got;

	if (attribute(&c, 'e', &value, &nvalue))
		return say(s, "%s: the server says %.*s", s->m->name,
			   (int)(nvalue < 200 ? nvalue : 200), value);
	if (!attribute(&c, 'v', &value, &nvalue))
		return say(s, "the last challenge of %s has no signature",
			   s->m->name);
	buf_init(&got, REPLY_LINE_MAX);
	s->proven = base64_decode(&got, value, nvalue) &&
		buf_len(&got) == size &&
		crypto_hmac(s->m->hash, s->server_key, size,
			    buf_data(&s->text), buf_len(&s->text), want) &&
		crypto_equal(buf_data(&got), want, size);
	buf_free(&got);
	crypto_wipe(want, sizeof(want));
	if (!s->proven)
		return say(s, "the server's signature is wrong: it does not "
			   "know the password");
	return NULL;
}

static const char *scram_step(struct sasl *s, const char *p, size_t n,
			      struct buf *out)
{
	if (s->steps == 0)
		return scram_answer(s, p, n, out);
	if (s->steps == 1)
		return scram_check(s, p, n);
	return no_challenge(s, p, n, out);
}

/* ---- tokens: OAUTHBEARER (RFC 7628), XOAUTH2 (Google's) ----------------- */

static void bearer_initial(struct sasl *s, struct buf *out)
{
	buf_room(out, 3 * strlen(s->who.user) + strlen(s->who.host) +
		 strlen(s->who.password) + 64);
	buf_puts(out, "n,");
	if (*s->who.user) {
		buf_puts(out, "a=");
		put_saslname(out, s->who.user);
	}
	buf_puts(out, ",\1");
	if (*s->who.host)
		buf_printf(out, "host=%s\1", s->who.host);
	if (s->who.port)
		buf_printf(out, "port=%u\1", s->who.port);
	buf_puts(out, "auth=Bearer ");
	buf_puts(out, s->who.password);
	buf_puts(out, "\1\1");
}

static void xoauth2_initial(struct sasl *s, struct buf *out)
{
	buf_room(out, strlen(s->who.user) + strlen(s->who.password) + 64);
	buf_puts(out, "user=");
	buf_puts(out, s->who.user);
	buf_puts(out, "\1auth=Bearer ");
	buf_puts(out, s->who.password);
	buf_puts(out, "\1\1");
}

/* A challenge says, in JSON, why the token is no good; the reply comes only
 * after it has been answered (RFC 7628 3.2.3: with one octet). */
static const char *token_refused(struct sasl *s, const char *p, size_t n,
				 struct buf *out, const char *answer)
{
	if (s->steps > 0)
		return no_challenge(s, p, n, out);
	s->refused = true;
	buf_puts(out, answer);
	return NULL;
}

static const char *bearer_step(struct sasl *s, const char *p, size_t n,
			       struct buf *out)
{
	return token_refused(s, p, n, out, "\1");
}

static const char *xoauth2_step(struct sasl *s, const char *p, size_t n,
				struct buf *out)
{
	return token_refused(s, p, n, out, "");
}

/* ---- EXTERNAL (RFC 4422 A) ---------------------------------------------- */

/* Who we want to be; empty: whoever the certificate says. */
static void external_initial(struct sasl *s, struct buf *out)
{
	buf_puts(out, s->who.user);
}

/* ---- the table, strongest first ----------------------------------------- */

static const struct mechanism mechanisms[] = {
	{ "SCRAM-SHA-256", NEEDS_USER | NEEDS_PASSWORD | NEEDS_NONCE,
	  CRYPTO_SHA256, scram_initial, scram_step },
	{ "SCRAM-SHA-1", NEEDS_USER | NEEDS_PASSWORD | NEEDS_NONCE,
	  CRYPTO_SHA1, scram_initial, scram_step },
	{ "CRAM-MD5", NEEDS_USER | NEEDS_PASSWORD,
	  CRYPTO_MD5, NULL, cram_step },
	{ "PLAIN", NEEDS_USER | NEEDS_PASSWORD,
	  0, plain_initial, no_challenge },
	{ "LOGIN", NEEDS_USER | NEEDS_PASSWORD,
	  0, NULL, login_step },
	{ "OAUTHBEARER", NEEDS_TOKEN,
	  0, bearer_initial, bearer_step },
	{ "XOAUTH2", NEEDS_USER | NEEDS_TOKEN,
	  0, xoauth2_initial, xoauth2_step },
	{ "EXTERNAL", NEEDS_NAMING,
	  0, external_initial, no_challenge },
};
#define NMECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

/* ---- the choice --------------------------------------------------------- */

static bool clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

/* SCRAM's nonce may hold no comma (RFC 5802 5.1 "r"). */
static bool nonce_good(const char *s)
{
	return *s && clean(s) && !strpbrk(s, " ,");
}

/* Has this identity what the mechanism needs?  A control character in a token
 * or a user's name could add a field of its own to the response. */
static bool serves(const struct mechanism *m, const struct sasl_identity *who)
{
	bool has = *who->password != '\0';

	if ((m->needs & NEEDS_USER) && !*who->user)
		return false;
	if ((m->needs & NEEDS_PASSWORD) && (!has || who->token))
		return false;
	if ((m->needs & NEEDS_TOKEN) &&
	    (!has || !who->token || !clean(who->password) ||
	     !clean(who->host)))
		return false;
	if ((m->needs & NEEDS_NONCE) && !nonce_good(who->nonce))
		return false;
	return clean(who->user);
}

/* Is name one of the words of list? */
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name), word;

	for (;; list += word) {
		list += strspn(list, " \t,");
		word = strcspn(list, " \t,");
		if (word == 0)
			return false;
		if (word == n && strncasecmp(list, name, n) == 0)
			return true;
	}
}

const char *sasl_choose(const char *offered, const char *allowed,
			const struct sasl_identity *who, bool safe)
{
	bool any = allowed[strspn(allowed, " \t,")] == '\0';
	size_t i;

	/* Where somebody reads along he may also take the session over, or
	 * guess at leisure what CRAM-MD5 made of the password: so not even
	 * with those that do not show it. */
	for (i = 0; safe && i < NMECHANISMS; i++) {
		const struct mechanism *m = &mechanisms[i];

		if (any ? (m->needs & NEEDS_NAMING) != 0 :
		    !listed(allowed, m->name))
			continue;
		if ((!offered || listed(offered, m->name)) && serves(m, who))
			return m->name;
	}
	return NULL;
}

/* ---- the interface ------------------------------------------------------ */

struct sasl *sasl_new(const char *mechanism, const struct sasl_identity *who)
{
	struct sasl *s;
	size_t i;

	for (i = 0; i < NMECHANISMS; i++)
		if (strcasecmp(mechanisms[i].name, mechanism) == 0)
			break;
	if (i == NMECHANISMS || !serves(&mechanisms[i], who))
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->m = &mechanisms[i];
	s->who = *who;
	buf_init(&s->text, SIGNED_MAX);
	return s;
}

void sasl_free(struct sasl *s)
{
	if (!s)
		return;
	if (s->text.mem)
		crypto_wipe(s->text.mem, s->text.cap);
	buf_free(&s->text);
	crypto_wipe(s, sizeof(*s));
	free(s);
}

bool sasl_initial(struct sasl *s, struct buf *out)
{
	if (!s->m->initial)
		return false;
	s->m->initial(s, out);
	s->begun = true;
	return true;
}

const char *sasl_step(struct sasl *s, const char *challenge, size_t n,
		      struct buf *out)
{
	const char *why;

	if (s->m->initial && !s->begun)
		return say(s, "%s begins with us", s->m->name);
	if (n > REPLY_LINE_MAX)
		return say(s, "the challenge of %s is too long", s->m->name);
	why = s->m->step(s, challenge, n, out);
	if (!why && out->failed)
		why = say(s, "the response of %s is too long", s->m->name);
	s->steps++;
	return why;
}

const char *sasl_finish(struct sasl *s)
{
	if ((s->m->needs & NEEDS_NONCE) && !s->proven)
		return say(s, "the server has not proved that it knows the "
			   "password");
	if (s->refused)
		return say(s, "the server has refused the token, and then "
			   "accepted it");
	return NULL;
}
