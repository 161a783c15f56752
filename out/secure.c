/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What a session must fulfil before mail goes over it: the TLS level and the
 * user of this connection, and the context and secret that this takes.  The
 * rules of who gets a password stand here and nowhere else.
 */
#include "out/secure.h"
#include "out/engine.h"
#include "lib/log.h"
#include "lib/stream.h"
#include "lib/util.h"
#include "out/secret.h"

#include <stdio.h>
#include <string.h>

static const struct host *host_of(const struct session *s)
{
	return &s->hop->hosts[s->host];
}

/* A level that only follows from RouteUserName is meant for the smart host, not
 * for a domain's MX, few of which could meet it. */
enum tls_level secure_route_level(const struct route *r,
				  const struct smart_host *host)
{
	const struct conf *c = r->conf;
	enum tls_level level = c->tls_level;

	if (r->kind == ROUTE_DOMAIN && !c->tls_level_asked)
		level = c->always_use_ssl ? TLS_ENCRYPT : TLS_MAY;
	if (host && host->tls && level < TLS_ENCRYPT)
		level = TLS_ENCRYPT;
	return level;
}

/* The level of this connection.  A host whose handshake failed is called again
 * in clear if it may be. */
enum tls_level secure_level(const struct session *s)
{
	const struct smart_host host = { .tls = host_of(s)->tls };
	enum tls_level level = secure_route_level(&s->hop->route, &host);

	if (host_of(s)->clear && level == TLS_MAY)
		level = TLS_NONE;
	return level;
}

/* A password is for the smart host it was configured with, and for nobody
 * else. */
static bool needs_auth(const struct route *r)
{
	return r->kind == ROUTE_SMART_HOST && *r->conf->route_user;
}

bool secure_needs_auth(const struct session *s)
{
	return needs_auth(&s->hop->route);
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Made once for all connections with the same settings. */
static struct tls_context *context_for(const struct conf *c,
				       enum tls_level level, char *why,
				       size_t size)
{
	const struct tls_policy policy = {
		.level = level, .ca_file = c->tls_ca_file,
		.ca_dir = c->tls_ca_dir, .fingerprints = c->tls_fingerprints,
		.cert_file = c->tls_cert_file, .key_file = c->tls_key_file,
		.min_protocol = c->tls_min_protocol, .ciphers = c->tls_ciphers,
	};

	return tls_context(&policy, why, size);
}

/* The context for this connection, made while the greeting is on its way. */
static bool prepare_tls(struct session *s, enum tls_level level, char *why,
			size_t size)
{
	s->tls = level == TLS_NONE ? NULL :
		context_for(s->hop->route.conf, level, why, size);
	return level == TLS_NONE || s->tls;
}

static struct sasl_identity identity_of(const struct conf *c,
					const char *password)
{
	return (struct sasl_identity){
		.user = c->route_user, .password = password, .host = "",
		.nonce = "", .token =
			strcasestr(c->auth_mechanisms, "OAUTHBEARER") ||
			strcasestr(c->auth_mechanisms, "XOAUTH2"),
	};
}

static bool prepare_auth(struct session *s, char *why, size_t size)
{
	const struct conf *c = s->hop->route.conf;
	unsigned char chance[16];
	size_t i;

	if (!secure_needs_auth(s))
		return true;
	s->secret = secret_get(c, why, size);
	if (!s->secret)
		return false;
	random_bytes(chance, sizeof chance);
	for (i = 0; i < sizeof chance; i++)
		snprintf(s->nonce + 2 * i, 3, "%02x", chance[i]);
	s->identity = identity_of(c, s->secret);
	s->identity.host = host_of(s)->name;
	s->identity.port = host_of(s)->port;
	s->identity.nonce = s->nonce;
	return true;
}

bool secure_prepare(struct session *s, char *why, size_t size)
{
	return prepare_tls(s, secure_level(s), why, size) &&
		prepare_auth(s, why, size);
}

void secure_forget(struct session *s)
{
	secret_free(s->secret);
	s->secret = NULL;
	s->identity = (struct sasl_identity){ .user = "" };
}

/* AllowAuthInClear: to this machine itself, never to another. */
bool secure_may_show(const struct session *s)
{
	return s->hop->route.conf->auth_in_clear &&
		is_loopback(s->peer.address);
}

/* ---- without a connection ----------------------------------------------- */

/* Why no server's AUTH can be used; "" it can. */
static const char *auth_fault(const struct conf *c, const char *secret, bool tls)
{
	struct sasl_identity who = identity_of(c, secret);
	bool safe = tls || c->auth_in_clear;

	who.nonce = "nonce";
	if (sasl_choose(NULL, c->auth_mechanisms, &who, safe))
		return "";
	if (!safe)
		return "there is none without TLS";
	if (!*secret && !strcasestr(c->auth_mechanisms, "EXTERNAL"))
		return "RouteUserName has no password";
	return "RouteUserName can use none of AuthMechanisms";
}

static bool auth_possible(const struct conf *c, bool tls, char *why, size_t size)
{
	bool command = !*c->route_password && !*c->route_password_file &&
		*c->route_password_command;
	char *secret = command ? xstrdup("what it will say") :
		secret_get(c, why, size);
	const char *fault;

	if (!secret)
		return false;
	fault = auth_fault(c, secret, tls);
	if (*fault)
		snprintf(why, size, "AUTH must be, and %s", fault);
	secret_free(secret);
	return !*fault;
}

bool secure_possible(const struct route *r, const struct smart_host *host,
		     char *why, size_t size)
{
	const struct conf *c = r->conf;
	enum tls_level level = secure_route_level(r, host);
	bool starttls = !host || !host->tls;
	bool helo = c->outbound_mask == VERB_NONE;

	if (helo && (needs_auth(r) || (starttls && level >= TLS_ENCRYPT))) {
		snprintf(why, size, "%s must be, and the verb mask 0 has HELO "
			 "only", needs_auth(r) ? "AUTH" : "TLS");
		return false;
	}
	if (level != TLS_NONE && !context_for(c, level, why, size))
		return false;
	return !needs_auth(r) ||
		auth_possible(c, level != TLS_NONE, why, size);
}

/* ---- the log ------------------------------------------------------------ */

/* What a connection that is refused would have to be pinned by. */
void secure_log_refusal(const struct session *s, const char *why)
{
	struct tls_facts f;
	char line[128] = "";

	tls_describe(stream_tls(s->stream), &f);
	if (*f.fingerprint)
		snprintf(line, sizeof line, "TlsFingerprint = %s",
			 f.fingerprint);
	log_event(LOG_WARNING, NULL, "tls", "host", s->peer.host, "address",
		  s->peer.address, "text", why, "pin", line, NULL);
}
