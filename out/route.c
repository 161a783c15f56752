/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/* Recipient to next hop: see route.h. */
#include "out/route.h"
#include "lib/addr.h"

#include <bsd/string.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void route_find(struct route *r, const char *addr)
{
	const char *domain = addr_domain(addr);
	char *s;

	*r = (struct route){ .kind = ROUTE_LOCAL, .conf = conf() };
	if (!domain || conf_is_local(domain))
		return;
	r->conf = conf_for(domain);
	/* SmartHostType 1 (direct first) is tried directly here; what happens
	 * when that fails is the engine's to know. */
	if (r->conf->smart_hosts[0] && r->conf->smart_host_type == 2) {
		r->kind = ROUTE_SMART_HOST;
		return;
	}
	r->kind = ROUTE_DOMAIN;
	strlcpy(r->domain, domain, sizeof r->domain);
	for (s = r->domain; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

bool route_same(const struct route *a, const struct route *b)
{
	return a->kind == b->kind && a->conf == b->conf &&
	       strcmp(a->domain, b->domain) == 0;
}

size_t route_usable_mx(const struct dns_answer *a)
{
	size_t i, n;

	for (i = 0; i < a->nmx; i++)
		if (strcasecmp(a->mx[i].host, conf()->fqdn) == 0)
			break;
	if (i == a->nmx)
		return i;
	for (n = 0; n < a->nmx && a->mx[n].preference < a->mx[i].preference; )
		n++;
	return n;
}

void route_print(const struct route *r, char *dst, size_t size)
{
	switch (r->kind) {
	case ROUTE_LOCAL:
		strlcpy(dst, "Drop", size);
		break;
	case ROUTE_SMART_HOST:
		snprintf(dst, size, "smart host %s", r->conf->smart_hosts[0]);
		break;
	case ROUTE_DOMAIN:
		strlcpy(dst, r->domain, size);
		break;
	}
}

void route_key(const struct route *r, char *dst, size_t size)
{
	char *s;

	snprintf(dst, size, "%s-%s", r->kind == ROUTE_SMART_HOST ? "relay" :
		 "mx", r->kind == ROUTE_SMART_HOST ? r->conf->smart_hosts[0] :
		 r->domain);
	for (s = dst; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_", *s))
			*s = '_';
}
