/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Names to hosts and addresses.  c-ares is used here and nowhere else.  Every
 * question is answered exactly once, from loop_turn (never from inside the
 * call that asked), within TIMEOUT_DNS; nothing blocks.
 */
#ifndef DNS_H
#define DNS_H

#include "lib/loop.h"

#include <stddef.h>
#include <sys/socket.h>

struct dns;

enum dns_result {
	DNS_OK,
	DNS_NODATA,	/* the name exists, but not with this type */
	DNS_NXDOMAIN,	/* the name does not exist: authoritative */
	DNS_NULL_MX,	/* RFC 7505: the domain accepts no mail */
	DNS_RETRY,	/* no answer, SERVFAIL, REFUSED, nonsense: wait */
};

struct dns_address {
	struct sockaddr_storage sa;	/* port 0 */
	socklen_t len;
};

struct dns_mx {
	unsigned preference;
	char host[256];			/* a legal host name, no trailing dot */
};

struct dns_answer {
	enum dns_result result;
	const char *why;		/* one sentence when not DNS_OK */
	size_t naddresses;
	const struct dns_address *addresses;
	size_t nmx;
	const struct dns_mx *mx;	/* ascending preference, equal ones in
					 * random order */
};

/* a and what it points to are valid during the call. */
typedef void dns_done(void *ctx, const struct dns_answer *a);

/* servers: "ip[:port],..." or "" for the system's.  NULL with a sentence in
 * why (c-ares refused to start; a bad server list). */
struct dns *dns_open(struct loop *l, const char *servers, const char **why);
/* Open questions are dropped unanswered.  Not from a dns_done. */
void dns_close(struct dns *d);

/* The addresses of a host, IPv4 before IPv6, each in the order given;
 * /etc/hosts counts.  family: AF_UNSPEC, AF_INET or AF_INET6.  At most 16 of a
 * family. */
struct dns_query *dns_addresses(struct dns *d, const char *host, int family,
				dns_done *done, void *ctx);
/* The MX of a domain (CNAMEs followed), at most 100.  DNS_NODATA: the domain
 * itself is the host (RFC 5321 5.1).  Targets that are no host names are left
 * out; if none is left of several, DNS_RETRY. */
struct dns_query *dns_mx(struct dns *d, const char *domain, dns_done *done,
			 void *ctx);
/* The answer is no longer wanted; the query is then forgotten.  After its
 * dns_done was called a query must not be touched. */
void dns_cancel(struct dns_query *q);

#endif
