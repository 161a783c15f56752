/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the mailroot authors */
/*
 * Where a recipient goes: into Drop, to the smart host, or to the MX of its
 * domain, and which settings hold on the way.  A pure function of the address
 * and the settings; no name is looked up here.
 */
#ifndef OUT_ROUTE_H
#define OUT_ROUTE_H

#include "conf.h"
#include "dns.h"

#include <stdbool.h>

enum route_kind {
	ROUTE_LOCAL,		/* Drop */
	ROUTE_SMART_HOST,
	ROUTE_DOMAIN,		/* the domain's MX, or its address literal */
};

struct route {
	enum route_kind kind;
	const struct conf *conf;	/* the domain's settings */
	char domain[256];	/* lower case; "" for ROUTE_SMART_HOST: all
				 * domains with the same settings share it */
};

/* addr is qualified and checked. */
void route_find(struct route *r, const char *addr);
bool route_same(const struct route *a, const struct route *b);
/* What State knows the hop by: "relay-mail.example.net", "mx-far.test"; fit for
 * a file name. */
void route_key(const struct route *r, char *dst, size_t size);
/* How many of a domain's MX may be used: RFC 5321 5.1, where our own name is
 * among them, it and all that are not more preferred would send the mail back
 * to us. */
size_t route_usable_mx(const struct dns_answer *a);
/* "smart host mail.example.net", "far.test", "Drop": for people. */
void route_print(const struct route *r, char *dst, size_t size);

#endif
