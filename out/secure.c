/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * What a session must fulfil before mail goes over it: the TLS level and the
 * user of this connection, and the context and secret that this takes.  The
 * rules of who gets a password stand here and nowhere else.
 */
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

/*
 * The level of this connection.  One that only follows from RouteUserName is
 * meant for the smart host, not for a domain's MX, few of which could meet it.
 * A host whose handshake failed is called again in clear if it may be.
 */
enum tls_level secure_level(const struct session *s)
{
	const struct conf *c = s->hop->route.conf;
	enum tls_level level = c->tls_level;

	if (s->hop->route.kind == ROUTE_DOMAIN && !c->tls_level_asked)
		level = c->always_use_ssl ? TLS_ENCRYPT : TLS_MAY;
	if (host_of(s)->tls && level < TLS_ENCRYPT)
		level = TLS_ENCRYPT;
	if (host_of(s)->clear && level == TLS_MAY)
		level = TLS_NONE;
	return level;
}

/* A password is for the smart host it was configured with, and for nobody
 * else. */
bool secure_needs_auth(const struct session *s)
{
	return s->hop->route.kind == ROUTE_SMART_HOST &&
		*s->hop->route.conf->route_user;
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* The context for this connection, made while the greeting is on its way. */
static bool prepare_tls(struct session *s, enum tls_level level, char *why,
			size_t size)
{
	const struct conf *c = s->hop->route.conf;
	const struct tls_policy policy = {
		.level = level, .ca_file = c->tls_ca_file,
		.ca_dir = c->tls_ca_dir, .fingerprints = c->tls_fingerprints,
		.cert_file = c->tls_cert_file, .key_file = c->tls_key_file,
		.min_protocol = c->tls_min_protocol, .ciphers = c->tls_ciphers,
	};

	s->tls = level == TLS_NONE ? NULL : tls_context(&policy, why, size);
	return level == TLS_NONE || s->tls;
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
	s->identity = (struct sasl_identity){
		.user = c->route_user, .password = s->secret,
		.host = host_of(s)->name, .port = host_of(s)->port,
		.nonce = s->nonce,
		.token = strcasestr(c->auth_mechanisms, "OAUTHBEARER") ||
			strcasestr(c->auth_mechanisms, "XOAUTH2"),
	};
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
