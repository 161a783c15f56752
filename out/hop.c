/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Where a next hop is: its hosts by setting, by MX or by address literal, and
 * each host's addresses.  Hosts are looked up when their turn comes, not all
 * at once: a dead second smart host must not delay the first.  What is learned
 * here is known for the rest of the run: a bad host costs one time-out.
 */
#include "out/engine.h"
#include "lib/stream.h"
#include "lib/util.h"

#include <bsd/string.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(struct hop *hop, enum reply_to to, int code,
		 const char *status, const char *why)
{
	reply_local(&hop->why, to, code, status, "%s", why);
	hop->state = HOP_FAILED;
	hop_kick(hop);
}

static struct host *add_host(struct hop *hop, const char *name, bool literal,
			     unsigned port)
{
	struct host *h;

	hop->hosts = xreallocarray(hop->hosts, hop->nhosts + 1, sizeof *h);
	h = &hop->hosts[hop->nhosts++];
	/* RFC 8314 7.3: port 465 has TLS from the first octet. */
	*h = (struct host){ .literal = literal, .port = port,
			    .tls = port == 465 };
	strlcpy(h->name, name, sizeof h->name);
	return h;
}

/* ---- the hosts ----------------------------------------------------------- */

static void smart_hosts(struct hop *hop)
{
	const struct conf *c = hop->route.conf;
	const struct smart_host *sh;
	struct host *h;
	size_t i;

	for (i = 0; i < c->nsmart_hosts; i++) {
		sh = &c->smart_host_list[i];
		h = add_host(hop, sh->host, sh->literal, sh->port ? sh->port :
			     c->remote_port);
		h->tls |= sh->tls;
	}
	hop->state = HOP_READY;
}

/* [192.0.2.1], [IPv6:2001:db8::1]: that address and no other (RFC 5321
 * 5.1). */
static void address_literal(struct hop *hop)
{
	char text[256];
	const char *at = hop->route.domain + 1;

	if (strncmp(at, "ipv6:", 5) == 0)
		at += 5;
	strlcpy(text, at, sizeof text);
	text[strcspn(text, "]")] = '\0';
	add_host(hop, text, true, hop->route.conf->remote_port);
	hop->state = HOP_READY;
}

static void mx_known(void *ctx, const struct dns_answer *a)
{
	struct hop *hop = ctx;
	size_t i;

	hop->query = NULL;
	hop->d->nasking--;
	switch (a->result) {
	case DNS_OK:
		for (i = 0; i < route_usable_mx(a) && i < MX_TRIED_MAX; i++)
			add_host(hop, a->mx[i].host, false,
				 hop->route.conf->remote_port);
		if (hop->nhosts == 0) {
			fail(hop, REPLY_TO_DOMAIN, 554, "5.4.6", "mail loop: "
			     "we are the first MX of this domain; is it "
			     "missing in LocalDomains?");
			return;
		}
		break;
	case DNS_NODATA:	/* the domain itself is the host */
		add_host(hop, hop->route.domain, false,
			 hop->route.conf->remote_port);
		break;
	case DNS_NXDOMAIN:
		fail(hop, REPLY_TO_DOMAIN, 550, "5.1.2", a->why);
		return;
	case DNS_NULL_MX:
		fail(hop, REPLY_TO_DOMAIN, 556, "5.1.10", a->why);
		return;
	case DNS_RETRY:
		fail(hop, REPLY_TO_HOST, 451, "4.4.3", a->why);
		return;
	}
	hop->state = HOP_READY;
	hop_kick(hop);
}

static bool have_dns(struct deliver *d, const char **why)
{
	if (!d->dns)
		d->dns = dns_open(d->set.loop, conf()->name_servers, why);
	return d->dns != NULL;
}

void hop_resolve(struct hop *hop)
{
	const struct deliver_setup *set = &hop->d->set;
	const char *why = "";
	char key[300];

	route_key(&hop->route, key, sizeof key);
	if (set->known_down && set->known_down(set->ctx, key)) {
		hop->skipped = true;
		fail(hop, REPLY_TO_HOST, 451, "4.4.1", "known to be down: not "
		     "tried now");
	} else if (hop->route.kind == ROUTE_SMART_HOST) {
		smart_hosts(hop);
	} else if (hop->route.domain[0] == '[') {
		address_literal(hop);
	} else if (!have_dns(hop->d, &why)) {
		fail(hop, REPLY_TO_HOST, 451, "4.4.3", why);
	} else {
		hop->state = HOP_ASKING;
		hop->d->nasking++;
		hop->query = dns_mx(hop->d->dns, hop->route.domain, mx_known,
				    hop);
	}
}

/* ---- the addresses of one host ---------------------------------------------- */

size_t hop_host_from(const struct hop *hop, size_t i)
{
	while (i < hop->nhosts && hop->hosts[i].state == HOST_BAD)
		i++;
	return i;
}

void hop_tell_down(struct hop *hop, const struct reply *why)
{
	engine_tell(hop->d, DELIVER_DOWN, 0, 0, why, hop, NULL, false);
}

/* Not one host could be reached: a greeting that refuses is not "down". */
static bool all_down(const struct hop *hop)
{
	size_t i;

	for (i = 0; i < hop->nhosts && hop->hosts[i].down; i++)
		;
	return i == hop->nhosts;
}

void host_bad(struct hop *hop, size_t i, const struct reply *why)
{
	hop->hosts[i].state = HOST_BAD;
	hop->hosts[i].why = *why;
	/* Nobody left: all that waits for this hop need not wait for more. */
	if (hop_host_from(hop, 0) == hop->nhosts) {
		hop_verdict(hop, &hop->why, &hop->why_peer);
		hop->state = HOP_FAILED;
		if (all_down(hop))
			hop_tell_down(hop, &hop->why);
		hop_kick(hop);
	}
}

static void no_address(struct hop *hop, size_t i, const char *why)
{
	struct peer peer = { .address = "" };
	struct reply r;

	reply_local(&r, REPLY_TO_HOST, 451, "4.4.3", "%s", why);
	strlcpy(peer.host, hop->hosts[i].name, sizeof peer.host);
	engine_tell(hop->d, DELIVER_HOST, 0, 0, &r, hop, &peer, false);
	host_bad(hop, i, &r);
}

/* An MX must not lead us to ourselves or to what is no host at all: RFC 5321
 * has no word for it, mail loops and metadata services have. */
static bool allowed(const struct hop *hop, const struct dns_address *a)
{
	const unsigned char *b;

	if (hop->route.kind != ROUTE_DOMAIN || hop->route.domain[0] == '[')
		return true;
	if (a->sa.ss_family == AF_INET) {
		b = (const unsigned char *)
			&((const struct sockaddr_in *)&a->sa)->sin_addr;
		return b[0] != 0 && b[0] != 127 && b[0] < 224 &&
			!(b[0] == 169 && b[1] == 254);
	}
	b = ((const struct sockaddr_in6 *)&a->sa)->sin6_addr.s6_addr;
	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	return !IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)b) &&
		!IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)b) &&
		!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)b);
}

static void addresses_known(void *ctx, const struct dns_answer *a)
{
	struct hop *hop = ctx;
	size_t i = hop->asking, k;
	struct host *h = &hop->hosts[i];

	hop->query = NULL;
	hop->d->nasking--;
	engine_kick(hop->d);
	h->addr = xcalloc(a->naddresses, sizeof *h->addr);
	for (k = 0; k < a->naddresses; k++)
		if (allowed(hop, &a->addresses[k]))
			h->addr[h->naddr++] = a->addresses[k];
	if (h->naddr > 0)
		h->state = HOST_READY;
	else if (a->result == DNS_OK && a->naddresses > 0)
		no_address(hop, i, "its addresses are loopback, link-local or "
			   "multicast: not connected to");
	else
		no_address(hop, i, a->why);
	session_host_known(hop, i);
}

void hop_need_host(struct hop *hop, size_t i)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct host *h = &hop->hosts[i];
	const char *why = "";

	if (h->state == HOST_ASKING)
		return;		/* session_host_known comes to all who wait */
	if (h->literal) {
		h->addr = xcalloc(1, sizeof *h->addr);
		h->addr[0].len = address_parse(h->name, 0, &h->addr[0].sa);
		h->naddr = 1;
		h->state = HOST_READY;
		if (h->addr[0].len == 0)
			no_address(hop, i, "not an address");
		session_host_known(hop, i);
		return;
	}
	if (!have_dns(hop->d, &why)) {
		no_address(hop, i, why);
		session_host_known(hop, i);
		return;
	}
	h->state = HOST_ASKING;
	hop->asking = i;
	hop->d->nasking++;
	hop->query = dns_addresses(hop->d->dns, h->name,
				   families[hop->route.conf->family],
				   addresses_known, hop);
}

bool host_prefer_v4(struct host *h)
{
	if (h->v4_only || h->naddr == 0 ||
	    h->addr[0].sa.ss_family != AF_INET)
		return false;
	while (h->naddr > 1 && h->addr[h->naddr - 1].sa.ss_family != AF_INET)
		h->naddr--;		/* IPv4 stands first */
	h->v4_only = true;
	return true;
}

/* ---- what is to be said --------------------------------------------------------- */

void hop_verdict(const struct hop *hop, struct reply *r, struct peer *peer)
{
	bool all_shut = hop->nhosts > 0;
	size_t i;

	if (hop->state == HOP_FAILED || hop->nhosts == 0) {
		*r = hop->why;
		*peer = hop->why_peer;
		return;
	}
	for (i = 0; i < hop->nhosts; i++)
		all_shut = all_shut && hop->hosts[i].shut;
	for (i = hop->nhosts; i-- > 0 && !hop->hosts[i].why.code; )
		;
	*r = hop->hosts[i < hop->nhosts ? i : 0].why;
	*peer = (struct peer){ .address = "" };
	strlcpy(peer->host, hop->hosts[i < hop->nhosts ? i : 0].name,
		sizeof peer->host);
	/* RFC 7504: every host of the domain says that it takes no mail.  A
	 * smart host that says so is the operator's trouble. */
	if (all_shut && hop->route.kind == ROUTE_DOMAIN)
		r->to = REPLY_TO_DOMAIN;
}

void hop_free(struct hop *hop)
{
	struct job *job;
	size_t i;

	while ((job = hop->jobs) != NULL) {
		hop->jobs = job->next;
		free(job);
	}
	timer_stop(hop->pace);
	for (i = 0; i < hop->nhosts; i++)
		free(hop->hosts[i].addr);
	free(hop->hosts);
	free(hop->queued);
	free(hop);
}
